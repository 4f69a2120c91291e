//! Splitting a text into chunks of whole records.

use std::io::{self, Read};

use memchr::{memchr, memrchr2};

/// Maximum length of a record in bytes. A longer one starts with a quote that is never closed.
pub const LONGEST: usize = 16_000_000;

/// Whole records of a text.
#[derive(Debug, Default)]
pub struct TextChunk {
    /// The records, and unused bytes after them.
    buffer: Vec<u8>,
    /// Bytes of the records.
    length: usize,
    /// True if the records may contain a quote.
    pub quotes: bool,
}

impl TextChunk {
    /// Returns the records.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[..self.length]
    }
}

/// The reason why splitting ended before the text.
#[derive(Debug)]
pub enum SplitError {
    /// The text can't be read.
    Io(io::Error),
    /// A record of more than [`LONGEST`] bytes.
    TooLong,
}

/// A text that is read and split where records end, as the csv crate has it.
///
/// A record ends at a line end, `\n` or `\r`, that is not in quotes. A quote opens a quoted field only as its first
/// character.
pub struct Splitter<'a> {
    input: Box<dyn Read + Send + 'a>,
    delimiter: u8,
    /// Bytes of a chunk, about.
    size: usize,
    /// Bytes that were read and are in no chunk yet: the first `filled` ones.
    buffer: Vec<u8>,
    filled: usize,
    ended: bool,
    /// Buffers to use again. Fresh memory costs as much as reading.
    spare: Vec<Vec<u8>>,
    /// The error that ended the chunks, if one did.
    pub error: Option<SplitError>,
}

impl<'a> Splitter<'a> {
    /// Returns a text to be split into chunks of about `size` bytes.
    pub fn new(input: Box<dyn Read + Send + 'a>, delimiter: u8, size: usize) -> Self {
        Splitter {
            input,
            delimiter,
            size,
            buffer: Vec::new(),
            filled: 0,
            ended: false,
            spare: Vec::new(),
            error: None,
        }
    }

    /// Returns the next chunks: up to `chunks`, and no more after the one that reaches `bytes` bytes. Returns none at the
    /// text's end or after an error.
    pub fn batch(&mut self, chunks: usize, bytes: usize) -> Vec<TextChunk> {
        let mut batch = Vec::new();
        let mut held = 0;
        while batch.len() < chunks && held < bytes && self.error.is_none() {
            match self.next() {
                Ok(Some(chunk)) => {
                    held += chunk.buffer.len();
                    batch.push(chunk);
                }
                Ok(None) => break,
                Err(error) => self.error = Some(error),
            }
        }
        batch
    }

    /// Takes back the buffers of chunks that are done.
    pub fn recycle(&mut self, chunks: impl IntoIterator<Item = TextChunk>) {
        // The buffer of a long record would take memory for ever.
        let usual = chunks.into_iter().map(|chunk| chunk.buffer);
        self.spare
            .extend(usual.filter(|buffer| buffer.len() <= 4 * self.size));
    }

    /// Returns the next chunk, or `None` at the text's end.
    fn next(&mut self) -> Result<Option<TextChunk>, SplitError> {
        let mut scan = Scan::default();
        let mut to = self.size;
        loop {
            self.fill(to).map_err(SplitError::Io)?;
            if self.filled == 0 {
                return Ok(None);
            }
            scan.go_on(self, to);
            if self.ended && to >= self.filled {
                scan.split = self.filled;
            }
            if scan.split > 0 {
                return Ok(Some(self.take(&scan)));
            }
            if to >= LONGEST {
                return Err(SplitError::TooLong);
            }
            to *= 2;
        }
    }

    /// Reads until there are `size` bytes, or the text ends.
    fn fill(&mut self, size: usize) -> io::Result<()> {
        if self.buffer.len() < size {
            self.buffer.resize(size, 0);
        }
        while self.filled < size && !self.ended {
            match self.input.read(&mut self.buffer[self.filled..]) {
                Ok(0) => self.ended = true,
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes the chunk that the scan found. The bytes after it start the next one.
    fn take(&mut self, scan: &Scan) -> TextChunk {
        let rest = self.filled - scan.split;
        let mut next = self.spare.pop().unwrap_or_default();
        if next.len() < rest {
            next.resize(rest, 0);
        }
        next[..rest].copy_from_slice(&self.buffer[scan.split..self.filled]);
        self.filled = rest;
        TextChunk {
            buffer: std::mem::replace(&mut self.buffer, next),
            length: scan.split,
            quotes: scan.quotes,
        }
    }
}

/// The state of a search for record ends, from a record's start on.
#[derive(Default)]
struct Scan {
    /// Bytes searched.
    at: usize,
    /// True if the next byte is in quotes.
    quoted: bool,
    /// True if there was any quote.
    quotes: bool,
    /// The end of the last whole record; 0 if there is none.
    split: usize,
}

impl Scan {
    /// Searches the bytes that were read, up to byte `to`.
    fn go_on(&mut self, text: &Splitter, to: usize) {
        let bytes = &text.buffer[..text.filled];
        let to = to.min(bytes.len());
        while self.at < to {
            let quote = memchr(b'"', &bytes[self.at..to]).map(|at| self.at + at);
            if !self.quoted {
                let end = quote.unwrap_or(to);
                self.split = last_record_end(bytes, self.at, end, text.ended).unwrap_or(self.split);
            }
            let Some(quote) = quote else {
                self.at = to;
                break;
            };
            self.quotes = true;
            if !self.quoted {
                let opens = |before: &u8| [text.delimiter, b'\n', b'\r'].contains(before);
                self.quoted = bytes[..quote].last().is_none_or(opens);
                self.at = quote + 1;
                continue;
            }
            match bytes.get(quote + 1) {
                // Two quotes in quotes stand for one.
                Some(b'"') => self.at = quote + 2,
                // The next byte decides, and was not read yet.
                None if !text.ended => {
                    self.at = quote;
                    break;
                }
                _ => {
                    self.quoted = false;
                    self.at = quote + 1;
                }
            }
        }
    }
}

/// Returns the end of the last line that ends in `bytes[from..to]`. Never parts a `\r` from its `\n`.
fn last_record_end(bytes: &[u8], from: usize, mut to: usize, ended: bool) -> Option<usize> {
    loop {
        let last = from + memrchr2(b'\n', b'\r', &bytes[from..to])?;
        let parts =
            bytes[last] == b'\r' && bytes.get(last + 1).map_or(!ended, |next| *next == b'\n');
        if !parts {
            return Some(last + 1);
        }
        to = last;
    }
}
