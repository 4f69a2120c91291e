//! Two columns of a text file.
//!
//! The text is read once and split into chunks of whole records. All threads parse a batch of chunks while the next batch
//! is read, so no more than two batches of text are in memory.

use std::io::Read;
use std::path::Path;

use csv::ByteRecord;
use rayon::prelude::*;

use self::header::{CsvHeader, decimal_comma};
use self::parse::{BadRecord, Fault, ParsedChunk, RecordShape, line_ends, reader};
use self::split::{LONGEST, SplitError, Splitter};
use super::opened::OpenedFile;
use super::request::{ColumnChoice, Request};
use super::rows::{Skipped, enough};
use super::store::Store;
use crate::error::{Axis, Error, Reason, Row, RowError, counted};

mod header;
mod parse;
mod split;
mod suspect;

/// The amounts that are read at once. Tests take smaller ones.
#[derive(Clone, Copy, Debug)]
struct ReadSizes {
    /// Records that show the header and the numeric columns.
    records: usize,
    /// Bytes read at first to find those records.
    head: usize,
    /// Bytes of a chunk, about.
    chunk: usize,
}

/// The usual sizes. A chunk passes twice through a core's second-level cache, and is small against it.
const SIZES: ReadSizes = ReadSizes {
    records: 100,
    head: 1 << 16,
    chunk: 1 << 18,
};
/// Chunks of a batch, for each thread. Few would leave threads idle at a batch's end.
const CHUNKS_A_THREAD: usize = 8;
/// Bytes of a batch, about. Long records make large chunks, so few of those make a batch.
const MOST_BYTES: usize = 16 << 20;

/// Reads the samples of a text; errors call it `name`.
///
/// # Errors
/// [`Error::Io`] if the text can't be read, and the errors of its content: see [`open`](super::open).
pub fn read(
    name: &str,
    text: Box<dyn Read + Send + '_>,
    request: &Request,
) -> Result<OpenedFile, Error> {
    read_in_chunks(name, text, request, SIZES)
}

fn read_in_chunks(
    name: &str,
    text: Box<dyn Read + Send + '_>,
    request: &Request,
    sizes: ReadSizes,
) -> Result<OpenedFile, Error> {
    let delimiter = request.delimiter.unwrap_or_else(|| usual_delimiter(name));
    let mut text = Splitter::new(text, delimiter, sizes.chunk);
    let (head, _) = text.peek(sizes.head).map_err(Error::cannot_read(name))?;
    suspect::other_content(name, head, delimiter)?;
    let first =
        first_records(&mut text, delimiter, sizes).map_err(|error| read_error(name, 1, error))?;
    if request.delimiter.is_none() {
        suspect::decimal_commas(name, &first, delimiter)?;
    }
    suspect::foreign_line(name, &first)?;
    let header = CsvHeader::detect(&first, request);
    if first.len() <= usize::from(header.is_present) {
        // There is nothing to tell columns by.
        enough(name, 0, &Skipped::default(), request)?;
    }
    if request.delimiter.is_none() {
        suspect::other_delimiter(name, &first, &header, request, delimiter)?;
    }
    let columns = header.columns(name);
    let (x, y) = columns.choose(request)?;
    let mut table = CsvTable {
        columns,
        skip_bad: request.skip_bad,
        store: Store::new(title(columns, header.of_numbers, x, y)),
        x,
        y,
        lines: 0,
        skipped: Skipped::default(),
    };
    if header.is_present {
        table.lines = skip_header(&mut text, delimiter).map_err(|e| read_error(name, 1, e))?;
    }
    // One thread runs the loop and owns all large buffers: the allocator keeps some for each thread that had any.
    rayon::scope(|_| table.fill(&mut text, delimiter))?;
    Ok(OpenedFile {
        source: Box::new(table.store),
        x: columns.name(x),
        y: y.map(|y| columns.name(y)).unwrap_or_default(),
        time: None,
        skipped: table.skipped,
    })
}

/// The samples that were read so far.
struct CsvTable<'a> {
    columns: ColumnChoice<'a>,
    skip_bad: bool,
    /// The position of the column of x.
    x: usize,
    /// The position of the column of y; `None` if only x is read.
    y: Option<usize>,
    store: Store,
    /// Lines so far.
    lines: u64,
    skipped: Skipped,
}

impl CsvTable<'_> {
    /// Reads the text to its end. All threads parse a batch while one of them stores the samples of the batch before and
    /// reads the next one.
    fn fill(&mut self, text: &mut Splitter, delimiter: u8) -> Result<(), Error> {
        let skip_bad = self.skip_bad;
        let shape = RecordShape {
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
        match text.error.take() {
            Some(error) => Err(read_error(self.columns.file, self.lines + 1, error)),
            None => Ok(()),
        }
    }

    /// Stores parsed chunks in the text's order, so that the first bad row is the first in the file.
    fn keep(&mut self, batch: &[ParsedChunk]) -> Result<(), Error> {
        for parsed in batch {
            if let Some(bad) = &parsed.first {
                let error = self.row_error(bad);
                if !self.skip_bad {
                    return Err(Error::Row(error));
                }
                self.skipped.first.get_or_insert(error);
            }
            for (reason, count) in &parsed.counts {
                *self.skipped.counts.entry(*reason).or_default() += count;
            }
            self.lines += parsed.lines;
            self.store.append(&parsed.samples)?;
        }
        Ok(())
    }

    /// Returns the error of a record that can't be used, with a remedy if one can be told.
    fn row_error(&self, bad: &BadRecord) -> RowError {
        let file = self.columns.file.to_owned();
        let line = self.lines + bad.line + 1;
        match &bad.fault {
            Fault::Fields(fields) => RowError {
                file,
                row: Row::Line(line),
                column: None,
                text: format!(
                    "{}, but the first line has {}",
                    counted(*fields as u64, "column"),
                    self.columns.columns.len()
                ),
                reason: Reason::Fields,
                hint: None,
            },
            Fault::Value(axis, reason, field) => {
                let column = match (axis, self.y) {
                    (Axis::Y, Some(y)) => y,
                    _ => self.x,
                };
                RowError {
                    file,
                    row: Row::Line(line),
                    column: Some(self.columns.titled(column)),
                    text: quoted(field),
                    reason: *reason,
                    hint: self.hint(line, column, *reason, field).map(str::to_owned),
                }
            }
        }
    }

    fn hint(&self, line: u64, column: usize, reason: Reason, field: &[u8]) -> Option<&'static str> {
        let numeric = self.columns.columns[column].numeric;
        if decimal_comma(field) {
            Some("; write numbers without commas, decimals with a point")
        } else if line > 1 && !numeric && reason == Reason::NotANumber {
            Some("; most of the column holds text or dates: choose a column of numbers")
        } else {
            None
        }
    }
}

/// Returns the default delimiter for a file of this name, compressed or not.
fn usual_delimiter(name: &str) -> u8 {
    let name = Path::new(name);
    let compressed = name
        .extension()
        .is_some_and(|ending| ending == "gz" || ending == "zst");
    let inner = if compressed {
        name.file_stem()
    } else {
        name.file_name()
    };
    let ending = inner.and_then(|name| Path::new(name).extension());
    if ending.is_some_and(|ending| ending.eq_ignore_ascii_case("tsv")) {
        b'\t'
    } else {
        b','
    }
}

/// Returns the data in words, for a headline: `cars.csv: dist over speed`.
fn title(columns: ColumnChoice, of_numbers: bool, x: usize, y: Option<usize>) -> String {
    let file = Path::new(columns.file);
    let over = y.map(|y| format!("{} over ", columns.name(y)));
    format!(
        "{}: {}{}{}",
        file.file_name().unwrap_or(file.as_os_str()).display(),
        over.unwrap_or_default(),
        columns.name(x),
        match columns.unnamed {
            Some(_) => ", no header",
            None if of_numbers => ", the first line of numbers as header",
            None => "",
        },
    )
}

/// Returns the first records, without a byte-order mark: as many as are wanted, as the text has, or as [`LONGEST`] bytes
/// hold.
fn first_records(
    text: &mut Splitter,
    delimiter: u8,
    sizes: ReadSizes,
) -> Result<Vec<ByteRecord>, SplitError> {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    let (bytes, _) = text.peek(MARK.len()).map_err(SplitError::Io)?;
    if bytes.starts_with(MARK) {
        text.skip(MARK.len());
    }
    let mut size = sizes.head;
    loop {
        let (bytes, ended) = text.peek(size).map_err(SplitError::Io)?;
        // One more than is wanted, because the last one read may be incomplete.
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
            return Err(SplitError::TooLong);
        }
        size *= 2;
    }
}

/// Drops the first record, and returns the number of lines that end in it.
fn skip_header(text: &mut Splitter, delimiter: u8) -> Result<u64, SplitError> {
    let (bytes, _) = text.peek(0).map_err(SplitError::Io)?;
    let mut records = reader(bytes, delimiter);
    // It was read from the same bytes before, without an error.
    let _ = records.read_byte_record(&mut ByteRecord::new());
    let end = records.position().byte() as usize;
    // The csv crate leaves the `\n` of a `\r\n` to the next record.
    let rest = bytes[..end].ends_with(b"\r") && bytes[end..].starts_with(b"\n");
    let end = end + usize::from(rest);
    let lines = line_ends(&bytes[..end]);
    text.skip(end);
    Ok(lines)
}

/// Returns a field for an error message: in quotes, on one line, cut short; an empty one as nothing.
fn quoted(field: &[u8]) -> String {
    const SHOWN: usize = 40;
    if field.is_empty() {
        return String::new();
    }
    let text = String::from_utf8_lossy(field);
    let shown: String = text.chars().take(SHOWN).collect();
    let ellipsis = if shown.len() < text.len() { "…" } else { "" };
    format!("{shown:?}{ellipsis}")
}

/// Returns the library's error for one of reading; `line` is the line of the next record.
fn read_error(name: &str, line: u64, error: SplitError) -> Error {
    match error {
        SplitError::Io(source) => Error::cannot_read(name)(source),
        SplitError::TooLong => Error::Data(format!(
            "{name}, line {line}: a record of more than {} MB; is a quote not closed?",
            LONGEST / 1_000_000,
        )),
    }
}

#[cfg(test)]
mod tests;
