//! Parsing the samples of a chunk of records.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;

use csv::{Reader, ReaderBuilder};
use memchr::{memchr, memchr_iter, memchr2};

use super::split::TextChunk;
use super::value::{Missing, Written};
use crate::data::Block;
use crate::error::{Axis, Reason};

/// The fields that each record of a file has to have.
#[derive(Clone, Copy, Debug)]
pub struct RecordShape<'a> {
    /// The byte between two fields.
    pub delimiter: u8,
    /// The number of fields.
    pub width: usize,
    /// x.
    pub x: Field<'a>,
    /// y. Without one, y is 0.
    pub y: Option<Field<'a>>,
    /// The signs of missing values.
    pub missing: &'a Missing,
}

/// A field of each record.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// Its position, from 0.
    pub at: usize,
    /// How it writes its values.
    pub written: &'a Written,
    /// True if a number up to the field's end is its value. A delimiter that may be part of a number would be taken for one.
    is_number: bool,
}

impl<'a> Field<'a> {
    /// Returns the field at a position, from 0.
    pub fn new(at: usize, written: &'a Written, delimiter: u8) -> Self {
        let in_numbers = delimiter.is_ascii_alphanumeric() || b"+-.".contains(&delimiter);
        Field {
            at,
            written,
            is_number: written.is_plain() && !in_numbers,
        }
    }
}

/// The content of a chunk.
#[derive(Debug, Default)]
pub struct ParsedChunk {
    /// The samples, in order.
    pub samples: Block,
    /// Lines that end in the chunk.
    pub lines: u64,
    /// Records that can't be used, by reason, and the first of each.
    pub bad: BTreeMap<Reason, (u64, BadRecord)>,
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
    /// Its quotes are not those of CSV, in these words.
    Quotes(&'static str),
    /// This field can't be used, for this reason.
    Value(Axis, Reason, Vec<u8>),
}

impl Fault {
    fn reason(&self) -> Reason {
        match self {
            Fault::Fields(_) => Reason::Fields,
            Fault::Quotes(_) => Reason::Quotes,
            Fault::Value(_, reason, _) => *reason,
        }
    }
}

/// Parses a chunk up to the first record that is an error: see [`Reason::is_left_out`].
pub fn parse(chunk: &TextChunk, shape: &RecordShape, skip_bad: bool) -> ParsedChunk {
    let mut parsed = ParsedChunk::default();
    let bytes = chunk.bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if matches!(byte, b'\n' | b'\r') {
            at += 1;
            continue;
        }
        if matches!(byte, b' ' | b'\t')
            && let Some(end) = end_of_blank_line(bytes, at, shape)
        {
            at = end;
            continue;
        }
        let fault = match Record::parse(bytes, at, shape, chunk.quotes) {
            Ok(record) => {
                let start = at;
                at = record.end;
                match record.sample(bytes, shape) {
                    Ok(sample) => {
                        parsed.samples.push(sample);
                        continue;
                    }
                    Err(fault) => (start, fault),
                }
            }
            Err(fault) => (at, fault),
        };
        let (start, fault) = fault;
        let reason = fault.reason();
        let (count, _) = parsed.bad.entry(reason).or_insert_with(|| {
            let line = line_ends(&bytes[..start]);
            (0, BadRecord { line, fault })
        });
        *count += 1;
        if !reason.is_left_out(skip_bad) {
            break;
        }
    }
    parsed.lines = line_ends(bytes);
    parsed
}

/// Returns the end of the line at byte `at` if it holds nothing but blanks, as a line between records.
fn end_of_blank_line(bytes: &[u8], at: usize, shape: &RecordShape) -> Option<usize> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t') && *byte != shape.delimiter;
    let end = at + bytes[at..].iter().take_while(|byte| is_blank(byte)).count();
    let ends = bytes
        .get(end)
        .is_none_or(|byte| matches!(byte, b'\n' | b'\r'));
    (ends && end > at).then_some(end)
}

/// A value, or why it can't be used and where its field is.
type FieldValue = Result<f64, (Reason, Range<usize>)>;

/// A record.
struct Record {
    fields: usize,
    x: FieldValue,
    y: FieldValue,
    /// The position of its line end.
    end: usize,
}

impl Record {
    /// Parses the record that starts at byte `at`. `quotes` is false if it has none.
    fn parse(
        bytes: &[u8],
        mut at: usize,
        shape: &RecordShape,
        quotes: bool,
    ) -> Result<Self, Fault> {
        let (mut x, mut y) = (Ok(0.0), Ok(0.0));
        let mut fields = 0;
        loop {
            let is_x = fields == shape.x.at;
            let field = if is_x {
                Some(&shape.x)
            } else {
                shape.y.as_ref().filter(|y| y.at == fields)
            };
            if quotes && bytes.get(at) == Some(&b'"') {
                let (content, end) = quoted(bytes, at, shape.delimiter)?;
                if let Some(field) = field {
                    if memchr2(b'\n', b'\r', &bytes[content.clone()]).is_some() {
                        return Err(Fault::Quotes(
                            "a quoted number runs over several lines; is a quote not closed?",
                        ));
                    }
                    *(if is_x { &mut x } else { &mut y }) = shape.value_at(field, bytes, content);
                }
                at = end;
                fields += 1;
            } else if let Some(field) = field {
                let value;
                (value, at) = shape.plain_value(field, bytes, at);
                *(if is_x { &mut x } else { &mut y }) = value;
                fields += 1;
            } else {
                let most = if quotes { 1 } else { shape.unread(fields) };
                let skipped;
                (skipped, at) = skip_fields(bytes, at, most, shape.delimiter);
                fields += skipped;
            }
            if bytes.get(at) != Some(&shape.delimiter) {
                return Ok(Record {
                    fields,
                    x,
                    y,
                    end: at,
                });
            }
            at += 1;
        }
    }

    /// Returns the sample. A missing value is no excuse for another one that is no number.
    fn sample(self, bytes: &[u8], shape: &RecordShape) -> Result<(f64, f64), Fault> {
        if self.fields != shape.width {
            return Err(Fault::Fields(self.fields));
        }
        let fault = |axis, (reason, field): (Reason, Range<usize>)| {
            Fault::Value(axis, reason, bytes[field].to_vec())
        };
        match (self.x, self.y) {
            (Ok(x), Ok(y)) => Ok((x, y)),
            (Err((Reason::Missing, _)), Err(y)) if y.0 != Reason::Missing => Err(fault(Axis::Y, y)),
            (Err(x), _) => Err(fault(Axis::X, x)),
            (_, Err(y)) => Err(fault(Axis::Y, y)),
        }
    }
}

impl RecordShape<'_> {
    /// Returns how many fields from this one on are neither x nor y.
    fn unread(&self, field: usize) -> usize {
        [Some(self.x), self.y]
            .into_iter()
            .flatten()
            .filter_map(|wanted| wanted.at.checked_sub(field))
            .min()
            .unwrap_or(usize::MAX)
    }

    /// Returns the value of the field at byte `at`, which is not quoted, and the field's end.
    fn plain_value(&self, field: &Field, bytes: &[u8], at: usize) -> (FieldValue, usize) {
        // Nearly every field is a number up to its end, so its end is not searched first.
        if field.is_number
            && let Ok((number, length)) = fast_float2::parse_partial(&bytes[at..])
        {
            let end = at + length;
            let is_value = f64::is_finite(number) && !self.missing.has_number(number);
            if is_value && ends_field(bytes.get(end), self.delimiter) {
                return (Ok(number), end);
            }
        }
        let (_, end) = skip_fields(bytes, at, 1, self.delimiter);
        (self.value_at(field, bytes, at..end), end)
    }

    fn value_at(&self, field: &Field, bytes: &[u8], content: Range<usize>) -> FieldValue {
        let value = field.written.value(&bytes[content.clone()], self.missing);
        value.map_err(|reason| (reason, content))
    }
}

/// Returns the content of the quotes that open at byte `at`, and the field's end. Two quotes in quotes stand for one; blanks
/// may follow the last one.
fn quoted(bytes: &[u8], at: usize, delimiter: u8) -> Result<(Range<usize>, usize), Fault> {
    let start = at + 1;
    let mut from = start;
    loop {
        let Some(close) = memchr(b'"', &bytes[from..]) else {
            return Err(Fault::Quotes("a quote is opened and not closed"));
        };
        let close = from + close;
        if bytes.get(close + 1) == Some(&b'"') {
            from = close + 2;
            continue;
        }
        let blanks = bytes[close + 1..]
            .iter()
            .take_while(|byte| **byte == b' ' && delimiter != b' ')
            .count();
        let end = close + 1 + blanks;
        return if ends_field(bytes.get(end), delimiter) {
            Ok((start..close, end))
        } else {
            Err(Fault::Quotes(
                "text follows a closing quote; is a quote not closed?",
            ))
        };
    }
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
