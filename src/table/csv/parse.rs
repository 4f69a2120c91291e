//! Parsing the samples of a chunk of records.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;

use csv::{ByteRecord, Reader, ReaderBuilder};
use memchr::{memchr, memchr_iter};

use super::split::TextChunk;
use crate::data::Block;
use crate::error::{Axis, Reason};

/// The fields that each record of a file has to have.
#[derive(Clone, Copy, Debug)]
pub struct RecordShape {
    /// The byte between two fields.
    pub delimiter: u8,
    /// The number of fields.
    pub width: usize,
    /// The position of x, from 0.
    pub x: usize,
    /// The position of y. Without one, y is 0.
    pub y: Option<usize>,
}

/// The content of a chunk.
#[derive(Debug, Default)]
pub struct ParsedChunk {
    /// The samples, in order.
    pub samples: Block,
    /// Lines that end in the chunk.
    pub lines: u64,
    /// Records that can't be used, by reason.
    pub counts: BTreeMap<Reason, u64>,
    /// The first of them.
    pub first: Option<BadRecord>,
}

/// A record that can't be used.
#[derive(Debug, PartialEq)]
pub struct BadRecord {
    /// Lines of the chunk that end before it.
    pub line: u64,
    /// The reason.
    pub fault: Fault,
}

/// The reason why a record can't be used.
#[derive(Debug, PartialEq)]
pub enum Fault {
    /// The record has this number of fields.
    Fields(usize),
    /// This field can't be used, for this reason.
    Value(Axis, Reason, Vec<u8>),
}

impl Fault {
    fn reason(&self) -> Reason {
        match self {
            Fault::Fields(_) => Reason::Fields,
            Fault::Value(_, reason, _) => *reason,
        }
    }
}

/// Parses a chunk: all of it if `skip_bad`, else up to the first record that can't be used.
pub fn parse(chunk: &TextChunk, shape: RecordShape, skip_bad: bool) -> ParsedChunk {
    let mut parsed = ParsedChunk::default();
    // Parsing a number would run on into such a delimiter.
    let in_numbers = shape.delimiter.is_ascii_alphanumeric() || b"+-.".contains(&shape.delimiter);
    if in_numbers {
        parsed.parse_any(chunk.bytes(), shape, skip_bad);
    } else {
        parsed.parse_plain(chunk.bytes(), shape, chunk.quotes, skip_bad);
    }
    parsed
}

impl ParsedChunk {
    /// Parses records in which a quote, if there are `quotes`, is an opening one, a closing one or an ordinary character.
    /// Leaves the rest to the csv crate from the first other record on.
    fn parse_plain(&mut self, bytes: &[u8], shape: RecordShape, quotes: bool, skip_bad: bool) {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if matches!(byte, b'\n' | b'\r') {
                at += 1;
                continue;
            }
            let Some(record) = PlainRecord::parse(bytes, at, shape, quotes) else {
                self.lines = line_ends(&bytes[..at]);
                return self.parse_any(&bytes[at..], shape, skip_bad);
            };
            let fault = if record.fields != shape.width {
                Some(Fault::Fields(record.fields))
            } else {
                match (record.x, record.y) {
                    (Ok(x), Ok(y)) => {
                        self.samples.push((x, y));
                        None
                    }
                    (Err((reason, field)), _) => {
                        Some(Fault::Value(Axis::X, reason, bytes[field].to_vec()))
                    }
                    (_, Err((reason, field))) => {
                        Some(Fault::Value(Axis::Y, reason, bytes[field].to_vec()))
                    }
                }
            };
            if let Some(fault) = fault {
                self.count_bad(fault, || line_ends(&bytes[..at]));
                if !skip_bad {
                    return;
                }
            }
            at = record.end;
        }
        self.lines = line_ends(bytes);
    }

    /// Parses any records, as the csv crate reads them.
    fn parse_any(&mut self, bytes: &[u8], shape: RecordShape, skip_bad: bool) {
        // The blank line, which is skipped, keeps a byte-order mark within the text from being one at its start.
        let mut records = reader(b"\n".chain(bytes), shape.delimiter);
        let mut record = ByteRecord::new();
        // Reading bytes in memory can't fail.
        while records.read_byte_record(&mut record).unwrap_or(false) {
            let field = |index: usize| record.get(index).unwrap_or_default();
            let value_of = |axis, index| {
                value(field(index))
                    .map_err(|reason| Fault::Value(axis, reason, field(index).to_vec()))
            };
            let sample = if record.len() == shape.width {
                value_of(Axis::X, shape.x).and_then(|x| {
                    let y = shape.y.map_or(Ok(0.0), |index| value_of(Axis::Y, index))?;
                    Ok((x, y))
                })
            } else {
                Err(Fault::Fields(record.len()))
            };
            match sample {
                Ok(sample) => self.samples.push(sample),
                Err(fault) => {
                    let start = record.position().map_or(0, |position| position.byte());
                    self.count_bad(fault, || {
                        lines_before(bytes, start.saturating_sub(1) as usize)
                    });
                    if !skip_bad {
                        return;
                    }
                }
            }
        }
        self.lines += line_ends(bytes);
    }

    /// Counts a record that can't be used. `lines` returns how many lines more than so far end before it.
    fn count_bad(&mut self, fault: Fault, lines: impl FnOnce() -> u64) {
        *self.counts.entry(fault.reason()).or_default() += 1;
        self.first.get_or_insert_with(|| BadRecord {
            line: self.lines + lines(),
            fault,
        });
    }
}

/// A value, or why it can't be used and where its field is.
type FieldValue = Result<f64, (Reason, Range<usize>)>;

/// A record without escaped quotes.
struct PlainRecord {
    fields: usize,
    x: FieldValue,
    y: FieldValue,
    /// The position of its line end.
    end: usize,
}

impl PlainRecord {
    /// Parses the record that starts at byte `at`. Returns `None` if its quotes are not simple ones.
    fn parse(bytes: &[u8], mut at: usize, shape: RecordShape, quotes: bool) -> Option<Self> {
        let (mut x, mut y) = (Ok(0.0), Ok(0.0));
        let mut fields = 0;
        loop {
            let is_x = fields == shape.x;
            if quotes && bytes.get(at) == Some(&b'"') {
                let (field, end) = simply_quoted(bytes, at, shape.delimiter)?;
                if is_x {
                    x = value_at(bytes, field);
                } else if Some(fields) == shape.y {
                    y = value_at(bytes, field);
                }
                at = end;
                fields += 1;
            } else if is_x || Some(fields) == shape.y {
                let value;
                (value, at) = plain_value(bytes, at, shape.delimiter);
                *(if is_x { &mut x } else { &mut y }) = value;
                fields += 1;
            } else {
                let most = if quotes { 1 } else { shape.unread(fields) };
                let skipped;
                (skipped, at) = skip_fields(bytes, at, most, shape.delimiter);
                fields += skipped;
            }
            if bytes.get(at) != Some(&shape.delimiter) {
                return Some(PlainRecord {
                    fields,
                    x,
                    y,
                    end: at,
                });
            }
            at += 1;
        }
    }
}

impl RecordShape {
    /// Returns how many fields from this one on are neither x nor y.
    fn unread(&self, field: usize) -> usize {
        [Some(self.x), self.y]
            .into_iter()
            .flatten()
            .filter_map(|wanted| wanted.checked_sub(field))
            .min()
            .unwrap_or(usize::MAX)
    }
}

/// Returns the content of the quotes that open at byte `at`, and the field's end. Returns `None` unless the field is
/// quoted as a whole and contains no quote.
fn simply_quoted(bytes: &[u8], at: usize, delimiter: u8) -> Option<(Range<usize>, usize)> {
    let start = at + 1;
    let close = start + memchr(b'"', &bytes[start..])?;
    let end = close + 1;
    ends_field(bytes.get(end), delimiter).then_some((start..close, end))
}

/// Returns the value of the field at byte `at`, which is not quoted, and the field's end.
fn plain_value(bytes: &[u8], at: usize, delimiter: u8) -> (FieldValue, usize) {
    // Nearly every field is a number up to its end, so its end is not searched first.
    if let Ok((number, length)) = fast_float2::parse_partial(&bytes[at..]) {
        let end = at + length;
        if ends_field(bytes.get(end), delimiter) && Reason::of(number).is_none() {
            return (Ok(number), end);
        }
    }
    let (_, end) = skip_fields(bytes, at, 1, delimiter);
    (value_at(bytes, at..end), end)
}

fn value_at(bytes: &[u8], field: Range<usize>) -> FieldValue {
    value(&bytes[field.clone()]).map_err(|reason| (reason, field))
}

/// Returns whether this byte, or the end of the text, ends a field.
fn ends_field(byte: Option<&u8>, delimiter: u8) -> bool {
    byte.is_none_or(|&byte| byte == delimiter || matches!(byte, b'\n' | b'\r'))
}

/// Skips up to `most` fields of a record, none of them quoted, from byte `at` on. Returns their number and the end of the
/// last one.
///
/// Looks at eight bytes at a time, because most fields are as short. A file of twenty integers a line is read in 0.7 of the
/// time that a search for each end takes.
fn skip_fields(bytes: &[u8], mut at: usize, most: usize, delimiter: u8) -> (usize, usize) {
    let mut fields = 1;
    while let Some(word) = bytes[at..].first_chunk() {
        let word = u64::from_le_bytes(*word);
        let line_ends = equal(word, b'\n') | equal(word, b'\r');
        let delimiters = equal(word, delimiter);
        // Shifted, each match is a byte of value 1. The upper byte of the product is their sum.
        let count = ((delimiters >> 7).wrapping_mul(LOW) >> 56) as usize;
        if line_ends == 0 && count <= most - fields {
            fields += count;
            at += 8;
            continue;
        }
        break;
    }
    for (end, &byte) in bytes.iter().enumerate().skip(at) {
        if matches!(byte, b'\n' | b'\r') {
            return (fields, end);
        }
        if byte == delimiter {
            if fields == most {
                return (fields, end);
            }
            fields += 1;
        }
    }
    (fields, bytes.len())
}

/// 1 in each byte.
const LOW: u64 = u64::from_le_bytes([1; 8]);

/// Returns the upper bit of each byte of `word` that equals `byte`, and no other bit.
fn equal(word: u64, byte: u8) -> u64 {
    const UPPER: u64 = LOW << 7;
    let differing = word ^ (LOW * u64::from(byte));
    // The addition carries nothing from one byte to the next.
    !(((differing & !UPPER) + !UPPER) | differing | !UPPER)
}

/// Returns a reader of records of any number of fields, without a header.
pub fn reader<R: Read>(text: R, delimiter: u8) -> Reader<R> {
    ReaderBuilder::new()
        .has_headers(false)
        // Fields are counted here, because the csv crate's error names the line of the record before.
        .flexible(true)
        .delimiter(delimiter)
        .buffer_capacity(1 << 16)
        .from_reader(text)
}

/// Returns how many lines end in a text: at `\n`, `\r` or both.
pub fn line_ends(bytes: &[u8]) -> u64 {
    let alone = |&at: &usize| bytes.get(at + 1) != Some(&b'\n');
    let returns = memchr_iter(b'\r', bytes).filter(alone).count();
    (memchr_iter(b'\n', bytes).count() + returns) as u64
}

/// Returns how many lines end before the record at byte `start`.
fn lines_before(bytes: &[u8], start: usize) -> u64 {
    // The csv crate may leave line ends at the front of a record.
    let left = bytes[start..]
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'));
    line_ends(&bytes[..start + left.count()])
}

/// Returns the value of a field, spaces around it allowed, or why it can't be used.
pub fn value(field: &[u8]) -> Result<f64, Reason> {
    let Some(number) = any_number(field) else {
        return Err(if is_missing(field) {
            Reason::Missing
        } else {
            Reason::NotANumber
        });
    };
    match Reason::of(number) {
        None => Ok(number),
        // 1e400 is infinite in f64.
        Some(_) if field.iter().any(u8::is_ascii_digit) => Err(Reason::BeyondF32),
        Some(reason) => Err(reason),
    }
}

/// Returns the value of a field that is a number, nan or inf.
pub fn any_number(field: &[u8]) -> Option<f64> {
    fast_float2::parse(field.trim_ascii()).ok()
}

/// Returns whether a field is a common sign of a missing value.
pub fn is_missing(field: &[u8]) -> bool {
    let field = field.trim_ascii();
    ["", "na", "n/a", "nan", "null", "none", "?", "-", "."]
        .iter()
        .any(|missing| field.eq_ignore_ascii_case(missing.as_bytes()))
}
