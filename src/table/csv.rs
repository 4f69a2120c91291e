//! Two columns of a text file.
//!
//! The text is read once and split into chunks of whole records. All threads parse a batch of chunks while the next batch
//! is read, so no more than two batches of text are in memory.

use std::io::{self, Read};
use std::path::Path;

use rayon::prelude::*;

use self::chosen::Chosen;
pub use self::chosen::ReadText;
use self::clean::Unpadded;
pub use self::divided::DividedText;
use self::layout::{Layout, offset_of_line};
use self::parse::{BadRecord, Fault, Field, ParsedChunk, RecordShape};
pub use self::quotes::Place;
use self::split::{LONGEST, SplitError, Splitter, TextChunk};
use self::value::{Missing, Written};
use super::request::{ColumnChoice, Request};
use super::rows::Skipped;
use super::store::Store;
use crate::data::Block;
use crate::error::{Axis, Error, Reason, Row, RowError, counted};

mod chosen;
mod clean;
mod divided;
mod layout;
mod parse;
mod part;
mod quotes;
mod split;
mod suspect;
pub mod value;
pub mod whole;

/// The amounts that are read at once. Tests take smaller ones.
#[derive(Clone, Copy, Debug)]
struct ReadSizes {
    /// Records that show the layout.
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

/// Appends the samples of a text to a store; errors call it `name`.
///
/// # Errors
/// [`Error::Io`] if the text can't be read, and the errors of its content: see [`open`](super::open).
pub fn read(
    name: &str,
    text: Box<dyn Read + Send + '_>,
    request: &Request,
    store: &mut Store,
) -> Result<ReadText, Error> {
    read_in_chunks(name, text, request, SIZES, store)
}

fn read_in_chunks(
    name: &str,
    text: Box<dyn Read + Send + '_>,
    request: &Request,
    sizes: ReadSizes,
    store: &mut Store,
) -> Result<ReadText, Error> {
    let (layout, text) = laid_out(name, text, request, sizes)?;
    let (read, _) = read_samples(name, &layout, text, request, sizes, store)?;
    Ok(read)
}

/// Appends the samples of a text from the first one on to a store. Returns what was read besides, and the number of lines.
fn read_samples(
    name: &str,
    layout: &Layout,
    text: Box<dyn Read + Send + '_>,
    request: &Request,
    sizes: ReadSizes,
    store: &mut Store,
) -> Result<(ReadText, u64), Error> {
    let samples = |_: &TextChunk, _: &RecordShape<'_>, samples: Block| samples;
    let keep = |samples: Block| store.append(&samples);
    read_chunks(name, layout, text, request, sizes, samples, keep)
}

/// Reads a text in chunks: makes something of each by its layout and its samples, on all threads, and hands it on in the text's
/// order. Returns what was read besides, and the number of lines.
fn read_chunks<T: Send>(
    name: &str,
    layout: &Layout,
    text: Box<dyn Read + Send + '_>,
    request: &Request,
    sizes: ReadSizes,
    make: impl Fn(&TextChunk, &RecordShape, Block) -> T + Send + Sync,
    keep: impl FnMut(T) -> Result<(), Error> + Send,
) -> Result<(ReadText, u64), Error> {
    let chosen = Chosen::new(name, layout, request)?;
    let missing = Missing::new(request.missing);
    let y_field = chosen.y.zip(chosen.y_written.as_ref());
    let delimiter = layout.cleaner.separator.byte();
    let shape = RecordShape {
        delimiter,
        width: layout.columns.len(),
        x: Field::new(chosen.x, &chosen.x_written, delimiter),
        y: y_field.map(|(at, written)| Field::new(at, written, delimiter)),
        missing: &missing,
    };
    let mut table = CsvTable {
        columns: layout.columns(name),
        shape,
        skip_bad: request.skip_bad,
        keep,
        lines: layout.lines,
        skipped: Skipped::default(),
    };
    let mut text = Splitter::new(text, shape.delimiter, sizes.chunk);
    // One thread runs the loop and owns all large buffers: the allocator keeps some for each thread that had any.
    rayon::scope(|_| table.fill(&mut text, make))?;
    let read = ReadText {
        skipped: table.skipped,
        ..chosen.told(name, layout)
    };
    Ok((read, table.lines - layout.lines))
}

/// Finds a text's layout. Returns it, and the text from the first sample on.
fn laid_out<'a>(
    name: &str,
    text: Box<dyn Read + Send + 'a>,
    request: &Request,
    sizes: ReadSizes,
) -> Result<(Layout, Box<dyn Read + Send + 'a>), Error> {
    let (layout, mut head, text) = detected(name, text, request, sizes)?;
    head.drain(..offset_of_line(&head, layout.lines));
    let text = io::Cursor::new(head).chain(text);
    let text = layout.cleaner.clone().read(Box::new(text));
    Ok((layout, text))
}

/// Finds a text's layout. Returns it, the bytes that it was found by, and the rest of the text.
fn detected<'a>(
    name: &str,
    text: Box<dyn Read + Send + 'a>,
    request: &Request,
    sizes: ReadSizes,
) -> Result<(Layout, Vec<u8>, impl Read + Send + use<'a>), Error> {
    let (text, encoding) = suspect::decoded(name, text)?;
    let mut text = Unpadded(text);
    let (head, ended) = suspect::first_lines(&mut text, sizes.head, sizes.records, LONGEST)
        .map_err(Error::cannot_read(name))?;
    // The last line may go on.
    let whole = match memchr::memrchr2(b'\n', b'\r', &head) {
        _ if ended => head.len(),
        Some(end) => end + 1,
        None => return Err(read_error(name, 1, SplitError::TooLong)),
    };
    let mut layout = Layout::detect(
        name,
        usual_delimiter(name),
        &head[..whole],
        sizes.records,
        request,
    )?;
    layout
        .notes
        .extend(encoding.map(|encoding| format!("encoded in {encoding}")));
    Ok((layout, head, text))
}

/// What was read so far.
struct CsvTable<'a, F> {
    columns: ColumnChoice<'a>,
    shape: RecordShape<'a>,
    skip_bad: bool,
    /// Takes what was made of a chunk.
    keep: F,
    /// Lines so far.
    lines: u64,
    skipped: Skipped,
}

/// What was made of a chunk, and the records of it that can't be used.
type Made<T> = (ParsedChunk, T);

impl<F> CsvTable<'_, F> {
    /// Reads the text to its end. All threads parse a batch while one of them keeps what was made of the batch before and
    /// reads the next one.
    fn fill<T: Send>(
        &mut self,
        text: &mut Splitter,
        make: impl Fn(&TextChunk, &RecordShape, Block) -> T + Sync,
    ) -> Result<(), Error>
    where
        F: FnMut(T) -> Result<(), Error> + Send,
    {
        let (skip_bad, shape) = (self.skip_bad, self.shape);
        let chunks = CHUNKS_A_THREAD * rayon::current_num_threads();
        let made = |chunk: &TextChunk| {
            let mut parsed = parse::parse(chunk, &shape, skip_bad);
            let made = make(chunk, &shape, std::mem::take(&mut parsed.samples));
            (parsed, made)
        };
        let mut batch = text.batch(chunks, MOST_BYTES);
        let mut before = Vec::new();
        while !batch.is_empty() {
            let ((kept, next), parsed) = rayon::join(
                || (self.keep(before), text.batch(chunks, MOST_BYTES)),
                || batch.par_iter().with_max_len(1).map(&made).collect(),
            );
            kept?;
            before = parsed;
            text.recycle(batch);
            batch = next;
        }
        self.keep(before)?;
        match text.error.take() {
            Some(error) => Err(read_error(self.columns.file, self.lines + 1, error)),
            None => Ok(()),
        }
    }

    /// Keeps what was made of chunks in the text's order, so that the first bad row is the first in the file.
    fn keep<T>(&mut self, batch: Vec<Made<T>>) -> Result<(), Error>
    where
        F: FnMut(T) -> Result<(), Error>,
    {
        for (parsed, made) in batch {
            let mut skipped = std::mem::take(&mut self.skipped);
            for (reason, (count, bad)) in &parsed.bad {
                let example = self.row_error(bad);
                if !reason.is_left_out(self.skip_bad) {
                    return Err(Error::Row(example));
                }
                skipped.add(*reason, *count, || example);
            }
            self.skipped = skipped;
            self.lines += parsed.lines;
            (self.keep)(made)?;
        }
        Ok(())
    }

    /// Returns the error of a record that can't be used, with a remedy if one can be told.
    fn row_error(&self, bad: &BadRecord) -> RowError {
        let file = self.columns.file.to_owned();
        let row = Row::Line(self.lines + bad.line + 1);
        let of_row = |text: String, reason| RowError {
            file: file.clone(),
            row,
            column: None,
            text,
            reason,
            hint: None,
        };
        match &bad.fault {
            Fault::Fields(count) => of_row(fields(*count, self.shape.width), Reason::Fields),
            Fault::Quotes(what) => of_row((*what).to_owned(), Reason::Quotes),
            Fault::Value(axis, reason, field) => {
                let of_axis = match axis {
                    Axis::Y => self.shape.y.unwrap_or(self.shape.x),
                    Axis::X => self.shape.x,
                };
                RowError {
                    column: Some(self.columns.titled(of_axis.at)),
                    hint: self.hint(row, of_axis, *reason).map(str::to_owned),
                    ..of_row(quoted(field), *reason)
                }
            }
        }
    }

    fn hint(&self, row: Row, field: Field, reason: Reason) -> Option<&'static str> {
        let numeric = self.columns.columns[field.at].numeric;
        let holds_numbers = matches!(field.written, Written::Numbers(_));
        (row != Row::Line(1) && !(numeric && holds_numbers) && reason == Reason::NotANumber)
            .then_some(if numeric {
                "; the values above are written otherwise"
            } else {
                "; most of the column holds text: choose a column of numbers"
            })
    }
}

/// Says how many fields a record has, and how many it should have.
fn fields(count: usize, width: usize) -> String {
    format!(
        "{}, where others have {width}",
        counted(count as u64, "field")
    )
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
        SplitError::TooLong => Error::Row(RowError {
            file: name.to_owned(),
            row: Row::Line(line),
            column: None,
            text: format!(
                "a record of more than {} MB; is a quote not closed?",
                LONGEST / 1_000_000,
            ),
            reason: Reason::Quotes,
            hint: None,
        }),
    }
}

#[cfg(test)]
mod tests;
