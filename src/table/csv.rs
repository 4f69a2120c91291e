//! Two columns of a user's text file.
//!
//! The text is read once, cut into chunks of whole records, and those are parsed on all threads, a batch at a time
//! while the next is read: no more of it than two batches is in memory.

use std::io::Read;
use std::path::Path;

use csv::ByteRecord;
use rayon::prelude::*;

use self::header::{Header, decimal_comma};
use self::parse::{Fault, Parsed, Shape, What, line_ends, reader};
use self::split::{Cutter, LONGEST, Trouble};
use super::columns::Columns;
use super::rows::{Axis, Reason, Request, Skipped, enough};
use super::store::Store;
use super::{Opened, READ};
use crate::error::Error;

mod header;
mod parse;
mod split;

/// How much is read at once; tests take less.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    /// Records looked at to tell a header and the numeric columns.
    records: usize,
    /// Bytes read to find those in, at first.
    head: usize,
    /// Bytes of a chunk, about.
    chunk: usize,
}

/// A chunk is small against a core's second-level cache, through which it passes twice.
const SIZES: Sizes = Sizes {
    records: 100,
    head: 1 << 16,
    chunk: 1 << 18,
};
/// Chunks of a batch, for each thread: the last of a batch are waited for.
const CHUNKS_A_THREAD: usize = 8;
/// Bytes of a batch, about: long records make few chunks of it.
const MOST_BYTES: usize = 16 << 20;

/// The samples of a text, which `name` stands for in errors.
///
/// # Errors
/// [`Error::Io`] where the text can't be read; [`Error::Data`] for a missing column, too few samples and, unless bad
/// rows are to be left out, for the first one of them.
pub(super) fn read(
    name: &str,
    text: Box<dyn Read + Send + '_>,
    request: &Request,
) -> Result<Opened, Error> {
    read_in_chunks(name, text, request, SIZES)
}

fn read_in_chunks(
    name: &str,
    text: Box<dyn Read + Send + '_>,
    request: &Request,
    sizes: Sizes,
) -> Result<Opened, Error> {
    let delimiter = request.delimiter.unwrap_or_else(|| usual_delimiter(name));
    let mut text = Cutter::new(text, delimiter, sizes.chunk);
    let (head, _) = text.peek(sizes.head).map_err(Error::cannot_read(name))?;
    if let Some(what) = no_text(head, delimiter) {
        return Err(Error::Data(format!("{name} {what}")));
    }
    let first =
        first_records(&mut text, delimiter, sizes).map_err(|trouble| explain(name, 1, trouble))?;
    if request.delimiter.is_none() {
        suspect_decimal_commas(name, &first, delimiter)?;
    }
    if no_header(&first) {
        return Err(Error::Data(format!(
            "{name} starts with a line that is not of its table; remove it"
        )));
    }
    let header = Header::detect(&first, request);
    if first.len() <= usize::from(header.named) {
        // Nothing to tell columns by.
        enough(name, 0, &Skipped::default(), request)?;
    }
    if request.delimiter.is_none() {
        header.suspect_separator(name, &first, request, delimiter)?;
    }
    let columns = header.columns(name);
    let (x, y) = columns.choose(request).map_err(|error| match error {
        Error::Data(text) if columns.columns.len() == 1 => {
            Error::Data(text + "; --delimiter says what separates columns")
        }
        Error::Data(text) if header.decimal_commas => {
            Error::Data(text + "; there are numbers with decimal commas: write them with points")
        }
        other => other,
    })?;
    let mut table = Table {
        columns,
        skip_bad: request.skip_bad,
        store: Store::new(title(columns, x, y)),
        x,
        y,
        lines: 0,
        skipped: Skipped::default(),
    };
    if header.named {
        table.lines = skip_header(&mut text, delimiter).map_err(|t| explain(name, 1, t))?;
    }
    // As a whole on one thread, which so has all large buffers: the allocator keeps some for each that had any.
    rayon::scope(|_| table.fill(&mut text, delimiter))?;
    Ok(Opened {
        source: Box::new(table.store),
        x: columns.name(x),
        y: y.map(|y| columns.name(y)).unwrap_or_default(),
        skipped: table.skipped,
    })
}

/// The samples so far.
struct Table<'a> {
    columns: Columns<'a>,
    skip_bad: bool,
    /// The column of x.
    x: usize,
    y: Option<usize>,
    store: Store,
    /// Lines so far.
    lines: u64,
    skipped: Skipped,
}

impl Table<'_> {
    /// Parses a batch on all threads while one of them keeps the samples of the batch before and reads the next one.
    fn fill(&mut self, text: &mut Cutter, delimiter: u8) -> Result<(), Error> {
        let skip_bad = self.skip_bad;
        let shape = Shape {
            delimiter,
            width: self.columns.columns.len(),
            x: self.x,
            y: self.y,
        };
        let chunks = CHUNKS_A_THREAD * rayon::current_num_threads();
        let mut batch = text.batch(chunks, MOST_BYTES);
        let mut before = Vec::new();
        while !batch.is_empty() {
            let ((kept, next), parsed) = rayon::join(
                || (self.keep(&before), text.batch(chunks, MOST_BYTES)),
                || {
                    let chunks = batch.par_iter().with_max_len(1);
                    chunks
                        .map(|chunk| parse::parse(chunk, shape, skip_bad))
                        .collect()
                },
            );
            kept?;
            before = parsed;
            text.recycle(batch);
            batch = next;
        }
        self.keep(&before)?;
        match text.trouble.take() {
            Some(trouble) => Err(explain(self.columns.file, self.lines + 1, trouble)),
            None => Ok(()),
        }
    }

    /// Adds what was parsed, in the text's order: the first bad row is the first, whoever came upon it.
    fn keep(&mut self, batch: &[Parsed]) -> Result<(), Error> {
        for parsed in batch {
            if let Some(fault) = &parsed.first {
                let (complaint, hint) = self.complaint(fault);
                if !self.skip_bad {
                    let hint = hint.unwrap_or("; --skip-bad leaves such rows out");
                    return Err(Error::Data(complaint + hint));
                }
                let complaint = complaint + hint.unwrap_or_default();
                self.skipped.first.get_or_insert(complaint);
            }
            for (reason, count) in &parsed.counts {
                *self.skipped.counts.entry(*reason).or_default() += count;
            }
            self.lines += parsed.lines;
            self.store.append(&parsed.samples)?;
        }
        Ok(())
    }

    /// What is wrong with a record, and where that can be told, what to do about it.
    fn complaint(&self, fault: &Fault) -> (String, Option<&'static str>) {
        let line = self.lines + fault.line + 1;
        let at = format!("{}, line {line}", self.columns.file);
        match &fault.what {
            What::Fields(fields) => {
                let plural = if *fields == 1 { "" } else { "s" };
                let width = self.columns.columns.len();
                let text =
                    format!("{at}: {fields} column{plural}, where the first line has {width}");
                (text, None)
            }
            What::Value(axis, reason, field) => {
                let column = match (axis, self.y) {
                    (Axis::Y, Some(y)) => y,
                    _ => self.x,
                };
                let hint = if decimal_comma(field) {
                    Some("; write numbers without commas, decimals with a point")
                } else if line == 1 {
                    Some("; if the first line names the columns, say --header yes")
                } else if !self.columns.columns[column].numeric && *reason == Reason::NotANumber {
                    Some(
                        ", nor are most of the column, which holds text or dates; choose a column of numbers",
                    )
                } else {
                    None
                };
                let column = self.columns.titled(column);
                let text = format!("{at}, {column}: {} {reason}", quoted(field));
                (text, hint)
            }
        }
    }
}

/// The delimiter of a file of this name, packed or not.
fn usual_delimiter(name: &str) -> u8 {
    let name = Path::new(name);
    let packed = name
        .extension()
        .is_some_and(|ending| ending == "gz" || ending == "zst");
    let unpacked = if packed {
        name.file_stem()
    } else {
        name.file_name()
    };
    let ending = unpacked.and_then(|name| Path::new(name).extension());
    if ending.is_some_and(|ending| ending.eq_ignore_ascii_case("tsv")) {
        b'\t'
    } else {
        b','
    }
}

/// For a headline: `cars.csv: dist over speed`.
fn title(columns: Columns, x: usize, y: Option<usize>) -> String {
    let file = Path::new(columns.file);
    let over = y.map(|y| format!("{} over ", columns.name(y)));
    format!(
        "{}: {}{}{}",
        file.file_name().unwrap_or(file.as_os_str()).display(),
        over.unwrap_or_default(),
        columns.name(x),
        if columns.unnamed.is_none() {
            ""
        } else {
            ", no header"
        },
    )
}

/// The first records, a byte-order mark dropped: as many as are wanted, or
/// as many as there are, or as [`LONGEST`] bytes hold.
fn first_records(
    text: &mut Cutter,
    delimiter: u8,
    sizes: Sizes,
) -> Result<Vec<ByteRecord>, Trouble> {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    let (bytes, _) = text.peek(MARK.len()).map_err(Trouble::Io)?;
    if bytes.starts_with(MARK) {
        text.skip(MARK.len());
    }
    let mut size = sizes.head;
    loop {
        let (bytes, ended) = text.peek(size).map_err(Trouble::Io)?;
        // One more, so that the last of those that are wanted is whole.
        let mut first: Vec<ByteRecord> = reader(bytes, delimiter)
            .into_byte_records()
            .map_while(Result::ok)
            .take(sizes.records + 1)
            .collect();
        if !ended || first.len() > sizes.records {
            first.pop();
        }
        if ended || first.len() == sizes.records || size >= LONGEST && !first.is_empty() {
            return Ok(first);
        }
        if size >= LONGEST {
            return Err(Trouble::TooLong);
        }
        size *= 2;
    }
}

/// Drops the first record, and says how many lines end in it.
fn skip_header(text: &mut Cutter, delimiter: u8) -> Result<u64, Trouble> {
    let (bytes, _) = text.peek(0).map_err(Trouble::Io)?;
    let mut records = reader(bytes, delimiter);
    // It was read before, from the same bytes.
    let _ = records.read_byte_record(&mut ByteRecord::new());
    let end = records.position().byte() as usize;
    // The csv crate leaves the rest of a line end to the record behind.
    let rest = bytes[..end].ends_with(b"\r") && bytes[end..].starts_with(b"\n");
    let end = end + usize::from(rest);
    let lines = line_ends(&bytes[..end]);
    text.skip(end);
    Ok(lines)
}

/// What the first bytes show a file to be, where that is no table of text.
fn no_text(head: &[u8], delimiter: u8) -> Option<String> {
    // Bytes that a text has at most a few of; any others are a tenth of them.
    let control = |byte: &&u8| matches!(byte, 1..=8 | 14..=31) && **byte != delimiter;
    let controls = head.iter().filter(control).count();
    let mut bytes = head.iter().filter(|byte| !byte.is_ascii_whitespace());
    let json = match (bytes.next(), bytes.next()) {
        (Some(b'{'), Some(b'"' | b'}')) => true,
        // But `[time],[load]` is a header.
        (Some(b'['), Some(next)) => b"[{\"-0123456789".contains(next),
        _ => false,
    };
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        Some("is in UTF-16; save it as UTF-8".to_owned())
    } else if head.contains(&0) || 20 * controls > head.len() {
        Some(format!("is no text file; {READ}"))
    } else if json {
        Some(format!("seems to be JSON; {READ}"))
    } else {
        None
    }
}

/// Whether the first record is neither a sample nor names the columns: a comment, or what a spreadsheet is to know. A
/// comment of as many fields as there are columns names them.
fn no_header(first: &[ByteRecord]) -> bool {
    let (Some(record), Some(next)) = (first.first(), first.get(1)) else {
        return false;
    };
    let comment = record.as_slice().starts_with(b"#") && record.len() != next.len();
    comment || record.as_slice().starts_with(b"sep=") || next.len() > record.len()
}

/// That the text does not separate its columns by something else than commas and write decimals with those, which looks
/// like columns of varying number.
fn suspect_decimal_commas(name: &str, first: &[ByteRecord], delimiter: u8) -> Result<(), Error> {
    if delimiter != b',' {
        return Ok(());
    }
    let lines: Vec<Vec<u8>> = first
        .iter()
        .map(|record| record.iter().collect::<Vec<_>>().join(&b','))
        .collect();
    for (separator, named) in [(b';', "';'"), (b'\t', "tab"), (b'|', "'|'")] {
        let fields = || {
            lines
                .iter()
                .map(|line| line.split(|byte| *byte == separator))
        };
        let mut counts = fields().map(Iterator::count);
        let width = counts.next().unwrap_or(0);
        if width > 1 && counts.all(|count| count == width) && fields().flatten().any(decimal_comma)
        {
            return Err(Error::Data(format!(
                "{name} seems to separate its columns by {named} and to write decimals with commas: write them with \
                 points, and say --delimiter {named}, or --delimiter ',' if it does not"
            )));
        }
    }
    Ok(())
}

/// A field for an error message: in quotes, on one line, cut short.
fn quoted(field: &[u8]) -> String {
    const SHOWN: usize = 40;
    let text = String::from_utf8_lossy(field);
    let shown: String = text.chars().take(SHOWN).collect();
    let cut = if shown.len() < text.len() { "…" } else { "" };
    format!("{shown:?}{cut}")
}

/// Trouble in the user's words; `line` is that of the next record.
fn explain(name: &str, line: u64, trouble: Trouble) -> Error {
    match trouble {
        Trouble::Io(source) => Error::cannot_read(name)(source),
        Trouble::TooLong => Error::Data(format!(
            "{name}, line {line}: a record of more than {} MB; is there a quote that is not closed?",
            LONGEST / 1_000_000,
        )),
    }
}

#[cfg(test)]
mod tests;
