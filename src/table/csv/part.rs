//! A part of a text, from one boundary to the next: the records that start between them.
//!
//! A boundary lies at the start of a line. Lines are cleaned one by one, in quotes or not, so the cleaned parts make up the cleaned
//! text. What a boundary does not show is whether it lies in quotes: only the text before it tells. Until that is known, a part is
//! read as if it began outside, and both cases are followed to its end (Ge et al., "Speculative distributed CSV data parsing for
//! big data analytics", SIGMOD 2019). The first part begins outside, so the ends of all parts tell the place of each boundary, one
//! after the other. A part that began inside is then read again, from its first record on.
//!
//! A part goes on behind its end while that lies in quotes, up to the end of the record. The next part leaves out what is in
//! quotes at its start, up to the end of the record. Both go over the same lines from the same state, so they stop at the same
//! byte: each record is in one part, and the parts in their order are the text.

use std::io::{self, BufRead, BufReader, Read, Take};

use memchr::memchr2;

use super::clean::{Cleaner, Unpadded};
use super::quotes::{Place, Quotes};
use crate::data::OnLoad;
use crate::table::shared::SharedFile;

/// A file from a byte on.
pub struct FileFrom<'a> {
    pub file: SharedFile,
    pub at: u64,
    pub on_load: OnLoad<'a>,
}

impl Read for FileFrom<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(bytes, self.at)?;
        self.at += read as u64;
        (self.on_load)(read as u64);
        Ok(read)
    }
}

/// A reader of the cleaned records of a part.
pub struct TextPart<'a> {
    text: BufReader<Take<Unpadded<FileFrom<'a>>>>,
    /// Bytes before the boundary at the end.
    left: u64,
    /// True if bytes that are not UTF-8 are replaced.
    replaces: bool,
    cleaner: Cleaner,
    quotes: Quotes,
    /// The place of the first line. Padding behind a text has no quotes: it is left out like a record that does not end.
    start: Place,
    /// True if the part's first record has begun.
    begun: bool,
    line: Vec<u8>,
    cleaned: io::Cursor<Vec<u8>>,
    ends: Option<[Place; 2]>,
}

impl<'a> TextPart<'a> {
    /// Returns the part of a text from the start of a line, at `start`, up to a boundary `left` bytes behind it.
    pub fn new(
        file: FileFrom<'a>,
        left: u64,
        start: Place,
        cleaner: Cleaner,
        replaces: bool,
    ) -> Self {
        TextPart {
            text: BufReader::with_capacity(1 << 16, Unpadded(file).take(left)),
            left,
            replaces,
            quotes: Quotes::new(cleaner.separator.byte()),
            cleaner,
            start,
            begun: start == Place::Outside,
            line: Vec::new(),
            cleaned: io::Cursor::default(),
            ends: None,
        }
    }

    /// Reads what is left, and returns the place of the boundary at the end, if the part began outside and if it began inside of
    /// quotes.
    pub fn ends(&mut self) -> io::Result<[Place; 2]> {
        let mut bytes = vec![0; 1 << 16];
        loop {
            match self.read(&mut bytes) {
                Ok(0) => return Ok(self.ends.unwrap_or_else(|| self.quotes.places())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Returns the place of the next line.
    fn place(&self) -> Place {
        let [outside, inside] = self.quotes.places();
        match self.start {
            Place::Outside => outside,
            _ => inside,
        }
    }

    /// Reads lines before the boundary as they are.
    fn read_as_is(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.text.read(bytes)?;
        self.quotes.pass(&bytes[..read]);
        self.passed(read);
        Ok(read)
    }

    /// Takes bytes off those before the boundary. If there are none, the text ends before it.
    fn passed(&mut self, bytes: usize) {
        if bytes == 0 && self.left > 0 {
            self.left = 0;
            self.ends = Some([Place::Behind; 2]);
        }
        self.left = self.left.saturating_sub(bytes as u64);
    }

    /// Cleans some lines.
    fn clean_lines(&mut self) -> io::Result<()> {
        /// Bytes that are cleaned at once.
        const MANY: usize = 1 << 16;
        while self.cleaned.get_ref().len() < MANY {
            if self.left == 0 {
                self.ends.get_or_insert(self.quotes.places());
                if !self.begun || self.place() == Place::Outside {
                    return Ok(());
                }
                self.text.get_mut().set_limit(u64::MAX);
            }
            self.read_line()?;
            self.passed(self.line.len());
            if self.line.is_empty() {
                return Ok(());
            }
            self.clean_line();
        }
        Ok(())
    }

    /// Reads the rest of a line with its end, `\r\n` too.
    fn read_line(&mut self) -> io::Result<()> {
        loop {
            let read = self.text.fill_buf()?;
            if self.line.last() == Some(&b'\r') {
                if read.first() == Some(&b'\n') {
                    self.line.push(b'\n');
                    self.text.consume(1);
                }
                return Ok(());
            }
            let end = memchr2(b'\n', b'\r', read);
            let taken = end.map_or(read.len(), |end| end + 1);
            self.line.extend_from_slice(&read[..taken]);
            self.text.consume(taken);
            if taken == 0 || self.line.last() == Some(&b'\n') {
                return Ok(());
            }
        }
    }

    /// Hands on a cleaned line, unless it belongs to the part before.
    fn clean_line(&mut self) {
        let cleaned = self.cleaned.get_mut();
        let before = cleaned.len();
        let replaced = self.replaces.then(|| String::from_utf8_lossy(&self.line));
        let line = replaced
            .as_ref()
            .map_or(&self.line[..], |line| line.as_bytes());
        for line in line.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            self.cleaner.clean_line(line, cleaned);
        }
        self.quotes.pass(&cleaned[before..]);
        if !self.begun {
            cleaned.truncate(before);
            self.begun = self.place() == Place::Outside;
        }
        self.line.clear();
    }
}

impl Read for TextPart<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.cleaned.position() == self.cleaned.get_ref().len() as u64 {
            let is_clean = self.cleaner.is_idle() && !self.replaces;
            if is_clean && self.begun && self.left > 0 && self.line.is_empty() {
                return self.read_as_is(bytes);
            }
            self.cleaned.get_mut().clear();
            self.cleaned.set_position(0);
            self.clean_lines()?;
        }
        self.cleaned.read(bytes)
    }
}
