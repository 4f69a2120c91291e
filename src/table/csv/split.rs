//! Text, cut into chunks of whole records.

use std::io::{self, Read};

use memchr::{memchr, memrchr2};

/// Bytes that a record may have at the most: beyond that, a quote was opened that nobody closes.
pub(super) const LONGEST: usize = 16_000_000;

/// Whole records of a text.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    /// The records in front, and whatever behind them.
    buffer: Vec<u8>,
    length: usize,
    /// Whether there may be a quote in it.
    pub(super) quotes: bool,
}

impl Chunk {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.length]
    }
}

/// Why there are no more chunks, where the text is not at its end.
#[derive(Debug)]
pub(super) enum Trouble {
    Io(io::Error),
    /// A record of more than [`LONGEST`] bytes.
    TooLong,
}

/// Reads a text and cuts it where records end, as the csv crate sees them: at a line end, `\n` or `\r`, that is not
/// in quotes, where a quote opens a quoted field only as its first character.
pub(super) struct Cutter<'a> {
    input: Box<dyn Read + Send + 'a>,
    delimiter: u8,
    /// Bytes of a chunk, about.
    size: usize,
    /// What was read and is in no chunk yet; only the first `filled` bytes.
    buffer: Vec<u8>,
    filled: usize,
    ended: bool,
    /// Buffers to be used again: fresh memory costs as much as reading.
    spare: Vec<Vec<u8>>,
    /// What ended the chunks before the text's end.
    pub(super) trouble: Option<Trouble>,
}

impl<'a> Cutter<'a> {
    pub(super) fn new(input: Box<dyn Read + Send + 'a>, delimiter: u8, size: usize) -> Self {
        Cutter {
            input,
            delimiter,
            size,
            buffer: Vec::new(),
            filled: 0,
            ended: false,
            spare: Vec::new(),
            trouble: None,
        }
    }

    /// At least the next `size` bytes, fewer at the text's end, and whether that is its end. They stay to be cut.
    pub(super) fn peek(&mut self, size: usize) -> io::Result<(&[u8], bool)> {
        self.fill(size)?;
        Ok((&self.buffer[..self.filled], self.ended))
    }

    /// Drops bytes that were peeked at.
    pub(super) fn skip(&mut self, bytes: usize) {
        self.buffer.copy_within(bytes..self.filled, 0);
        self.filled -= bytes;
    }

    /// Up to `chunks` chunks, or as many as take up to `bytes` bytes but for the last; none at the end, or where there
    /// is trouble.
    pub(super) fn batch(&mut self, chunks: usize, bytes: usize) -> Vec<Chunk> {
        let mut batch = Vec::new();
        let mut held = 0;
        while batch.len() < chunks && held < bytes && self.trouble.is_none() {
            match self.next() {
                Ok(Some(chunk)) => {
                    held += chunk.buffer.len();
                    batch.push(chunk);
                }
                Ok(None) => break,
                Err(trouble) => self.trouble = Some(trouble),
            }
        }
        batch
    }

    /// Takes chunks back whose bytes nobody needs any more.
    pub(super) fn recycle(&mut self, chunks: impl IntoIterator<Item = Chunk>) {
        // A long record's buffer is not kept for all that come after.
        let usual = chunks.into_iter().map(|chunk| chunk.buffer);
        self.spare
            .extend(usual.filter(|buffer| buffer.len() <= 4 * self.size));
    }

    fn next(&mut self) -> Result<Option<Chunk>, Trouble> {
        let mut scan = Scan::default();
        let mut to = self.size;
        loop {
            self.fill(to).map_err(Trouble::Io)?;
            if self.filled == 0 {
                return Ok(None);
            }
            scan.go_on(self, to);
            if self.ended && to >= self.filled {
                scan.cut = self.filled;
            }
            if scan.cut > 0 {
                return Ok(Some(self.take(&scan)));
            }
            if to >= LONGEST {
                return Err(Trouble::TooLong);
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

    /// The chunk up to the cut; what is behind it starts the next.
    fn take(&mut self, scan: &Scan) -> Chunk {
        let rest = self.filled - scan.cut;
        let mut next = self.spare.pop().unwrap_or_default();
        if next.len() < rest {
            next.resize(rest, 0);
        }
        next[..rest].copy_from_slice(&self.buffer[scan.cut..self.filled]);
        self.filled = rest;
        Chunk {
            buffer: std::mem::replace(&mut self.buffer, next),
            length: scan.cut,
            quotes: scan.quotes,
        }
    }
}

/// How far a text was looked through for record ends, from a record's start on.
#[derive(Default)]
struct Scan {
    at: usize,
    /// Whether what comes is in quotes.
    quoted: bool,
    /// Whether there was any quote.
    quotes: bool,
    /// Where the last whole record ends; 0 where none does.
    cut: usize,
}

impl Scan {
    /// Looks through what was read, up to byte `to`.
    fn go_on(&mut self, text: &Cutter, to: usize) {
        let bytes = &text.buffer[..text.filled];
        let to = to.min(bytes.len());
        while self.at < to {
            let quote = memchr(b'"', &bytes[self.at..to]).map(|at| self.at + at);
            if !self.quoted {
                let end = quote.unwrap_or(to);
                self.cut = last_record_end(bytes, self.at, end, text.ended).unwrap_or(self.cut);
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
                // What comes next decides, and is not there yet.
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

/// The end of the last line that ends in `bytes[from..to]`, unless that would part a `\r` from its `\n`.
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
