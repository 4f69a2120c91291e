//! The samples of a chunk of records.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;

use csv::{ByteRecord, Reader, ReaderBuilder};
use memchr::{memchr, memchr_iter};

use super::split::Chunk;
use crate::data::Block;
use crate::table::rows::{Axis, Reason};

/// What a record of a file has to be like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) delimiter: u8,
    /// How many fields it has.
    pub(super) width: usize,
    /// The field of x, from 0.
    pub(super) x: usize,
    /// That of y; without one, y is 0.
    pub(super) y: Option<usize>,
}

/// What a chunk holds.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) samples: Block,
    /// How many lines end in it.
    pub(super) lines: u64,
    /// How many records are no samples, by reason.
    pub(super) counts: BTreeMap<Reason, u64>,
    /// The first of those.
    pub(super) first: Option<Fault>,
}

/// A record that is no sample.
#[derive(Debug, PartialEq)]
pub(super) struct Fault {
    /// How many lines of the chunk end before it.
    pub(super) line: u64,
    pub(super) what: What,
}

/// What is wrong with a record.
#[derive(Debug, PartialEq)]
pub(super) enum What {
    /// It has so many fields.
    Fields(usize),
    /// A value is none, for this reason; the field itself.
    Value(Axis, Reason, Vec<u8>),
}

impl What {
    fn reason(&self) -> Reason {
        match self {
            What::Fields(_) => Reason::Fields,
            What::Value(_, reason, _) => *reason,
        }
    }
}

/// Parses a chunk: all of it, or up to the first record that is no sample.
pub(super) fn parse(chunk: &Chunk, shape: Shape, skip_bad: bool) -> Parsed {
    let mut parsed = Parsed::default();
    // A number would run on into a delimiter that could be part of it.
    let of_numbers = shape.delimiter.is_ascii_alphanumeric() || b"+-.".contains(&shape.delimiter);
    if of_numbers {
        parsed.any(chunk.bytes(), shape, skip_bad);
    } else {
        parsed.plain(chunk.bytes(), shape, chunk.quotes, skip_bad);
    }
    parsed
}

impl Parsed {
    /// Records in which a quote, if there are `quotes`, is an opening one, a closing one or a character like others.
    /// From the first other record on it is left to the csv crate.
    fn plain(&mut self, bytes: &[u8], shape: Shape, quotes: bool, skip_bad: bool) {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if matches!(byte, b'\n' | b'\r') {
                at += 1;
                continue;
            }
            let Some(record) = Record::plain(bytes, at, shape, quotes) else {
                self.lines = line_ends(&bytes[..at]);
                return self.any(&bytes[at..], shape, skip_bad);
            };
            let what = if record.fields != shape.width {
                Some(What::Fields(record.fields))
            } else {
                match (record.x, record.y) {
                    (Ok(x), Ok(y)) => {
                        self.samples.push((x, y));
                        None
                    }
                    (Err((reason, field)), _) => {
                        Some(What::Value(Axis::X, reason, bytes[field].to_vec()))
                    }
                    (_, Err((reason, field))) => {
                        Some(What::Value(Axis::Y, reason, bytes[field].to_vec()))
                    }
                }
            };
            if let Some(what) = what {
                self.fault(what, || line_ends(&bytes[..at]));
                if !skip_bad {
                    return;
                }
            }
            at = record.end;
        }
        self.lines = line_ends(bytes);
    }

    /// Any records, as the csv crate reads them.
    fn any(&mut self, bytes: &[u8], shape: Shape, skip_bad: bool) {
        // Or a byte-order mark within the text would be one at its start. Blank lines are nothing.
        let mut records = reader(b"\n".chain(bytes), shape.delimiter);
        let mut record = ByteRecord::new();
        // Bytes in memory can be read.
        while records.read_byte_record(&mut record).unwrap_or(false) {
            let field = |index: usize| record.get(index).unwrap_or_default();
            let of = |axis, index| {
                value(field(index))
                    .map_err(|reason| What::Value(axis, reason, field(index).to_vec()))
            };
            let sample = if record.len() == shape.width {
                of(Axis::X, shape.x).and_then(|x| {
                    let y = shape.y.map_or(Ok(0.0), |index| of(Axis::Y, index))?;
                    Ok((x, y))
                })
            } else {
                Err(What::Fields(record.len()))
            };
            match sample {
                Ok(sample) => self.samples.push(sample),
                Err(what) => {
                    let start = record.position().map_or(0, |position| position.byte());
                    self.fault(what, || {
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

    /// Counts a record that is no sample; `lines` more than so far end before it.
    fn fault(&mut self, what: What, lines: impl FnOnce() -> u64) {
        *self.counts.entry(what.reason()).or_default() += 1;
        self.first.get_or_insert_with(|| Fault {
            line: self.lines + lines(),
            what,
        });
    }
}

/// A value, or why there is none and where it stands.
type Value = Result<f64, (Reason, Range<usize>)>;

/// A record that needs no unquoting.
struct Record {
    fields: usize,
    x: Value,
    y: Value,
    /// Where its line end is.
    end: usize,
}

impl Record {
    /// The record that starts at byte `at`; none where the quotes in it are not simple ones.
    fn plain(bytes: &[u8], mut at: usize, shape: Shape, quotes: bool) -> Option<Self> {
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
                let passed;
                (passed, at) = pass_fields(bytes, at, most, shape.delimiter);
                fields += passed;
            }
            if bytes.get(at) != Some(&shape.delimiter) {
                return Some(Record {
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

impl Shape {
    /// How many fields from this one on are neither x nor y.
    fn unread(&self, field: usize) -> usize {
        [Some(self.x), self.y]
            .into_iter()
            .flatten()
            .filter_map(|wanted| wanted.checked_sub(field))
            .min()
            .unwrap_or(usize::MAX)
    }
}

/// What is in the quotes that open at byte `at`, and where the field ends, if it is quoted as a whole and holds no
/// quote.
fn simply_quoted(bytes: &[u8], at: usize, delimiter: u8) -> Option<(Range<usize>, usize)> {
    let start = at + 1;
    let close = start + memchr(b'"', &bytes[start..])?;
    let end = close + 1;
    ends_field(bytes.get(end), delimiter).then_some((start..close, end))
}

/// The value of the field at byte `at`, which is not quoted, and where it ends.
fn plain_value(bytes: &[u8], at: usize, delimiter: u8) -> (Value, usize) {
    // Nearly every field is a number up to its end: then nobody has to look for that first.
    if let Ok((number, length)) = fast_float2::parse_partial(&bytes[at..]) {
        let end = at + length;
        if ends_field(bytes.get(end), delimiter) && Reason::of(number).is_none() {
            return (Ok(number), end);
        }
    }
    let (_, end) = pass_fields(bytes, at, 1, delimiter);
    (value_at(bytes, at..end), end)
}

fn value_at(bytes: &[u8], field: Range<usize>) -> Value {
    value(&bytes[field.clone()]).map_err(|reason| (reason, field))
}

/// Whether this is what comes after a field.
fn ends_field(byte: Option<&u8>, delimiter: u8) -> bool {
    byte.is_none_or(|&byte| byte == delimiter || matches!(byte, b'\n' | b'\r'))
}

/// Passes up to `most` fields of a record, none of them quoted, from byte `at` on: how many, and where the last ends.
///
/// Eight bytes at a time, for most fields are as short: a file of twenty integers a line is read in 0.7 of the time
/// that a search for each end takes.
fn pass_fields(bytes: &[u8], mut at: usize, most: usize, delimiter: u8) -> (usize, usize) {
    let mut fields = 1;
    while let Some(word) = bytes[at..].first_chunk() {
        let word = u64::from_le_bytes(*word);
        let line_ends = equal(word, b'\n') | equal(word, b'\r');
        let delimiters = equal(word, delimiter);
        // The bits are those of value 1 of each byte: the product's upper byte is their sum.
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

/// The upper bit of each byte of `word` that equals `byte`, and no other bit.
fn equal(word: u64, byte: u8) -> u64 {
    const UPPER: u64 = LOW << 7;
    let differing = word ^ (LOW * u64::from(byte));
    // No carry goes from one byte to the next.
    !(((differing & !UPPER) + !UPPER) | differing | !UPPER)
}

/// Records without a header, of any number of fields.
pub(super) fn reader<R: Read>(text: R, delimiter: u8) -> Reader<R> {
    ReaderBuilder::new()
        .has_headers(false)
        // Counted by us, for the line: the csv crate names that of the record before.
        .flexible(true)
        .delimiter(delimiter)
        .buffer_capacity(1 << 16)
        .from_reader(text)
}

/// How many lines end in a text: at `\n`, `\r` or both.
pub(super) fn line_ends(bytes: &[u8]) -> u64 {
    let alone = |&at: &usize| bytes.get(at + 1) != Some(&b'\n');
    let returns = memchr_iter(b'\r', bytes).filter(alone).count();
    (memchr_iter(b'\n', bytes).count() + returns) as u64
}

/// How many lines end before the record at byte `start`.
fn lines_before(bytes: &[u8], start: usize) -> u64 {
    // The csv crate may leave line ends at the front of a record.
    let left = bytes[start..]
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'));
    line_ends(&bytes[..start + left.count()])
}

/// The value of a field, spaces around it allowed, or why it has none.
pub(super) fn value(field: &[u8]) -> Result<f64, Reason> {
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

/// A number, nan or inf.
pub(super) fn any_number(field: &[u8]) -> Option<f64> {
    fast_float2::parse(field.trim_ascii()).ok()
}

/// Whether a field is one of the ways to say that there is no value.
pub(super) fn is_missing(field: &[u8]) -> bool {
    let field = field.trim_ascii();
    ["", "na", "n/a", "nan", "null", "none", "?", "-", "."]
        .iter()
        .any(|missing| field.eq_ignore_ascii_case(missing.as_bytes()))
}
