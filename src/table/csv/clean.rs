//! Taking from a text what is not part of its table: comments, runs of blanks, and what pads its end.

use std::fmt::{self, Display};
use std::io::{self, BufRead, BufReader, Read};

use memchr::memchr2;

use crate::error::Delimiter;

/// What separates two columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Separator {
    /// This byte.
    Byte(u8),
    /// Any number of spaces and tabs.
    Blanks,
}

impl Separator {
    /// Returns the separator that a byte stands for.
    pub fn of(byte: u8) -> Self {
        if byte == b' ' {
            Separator::Blanks
        } else {
            Separator::Byte(byte)
        }
    }

    /// Returns the byte that separates columns in a cleaned text.
    pub fn byte(self) -> u8 {
        match self {
            Separator::Byte(byte) => byte,
            Separator::Blanks => b' ',
        }
    }
}

impl Display for Separator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Separator::Byte(byte) => Delimiter(*byte).fmt(f),
            Separator::Blanks => f.write_str("blanks"),
        }
    }
}

/// What is taken from each line of a text. Its lines stay as many.
#[derive(Clone, Debug)]
pub struct Cleaner {
    /// The mark of the lines that are emptied.
    pub comment: Option<String>,
    /// True if lines that only draw a table are emptied.
    pub rules: bool,
    /// What separates columns: runs of blanks become one space.
    pub separator: Separator,
    /// True if blanks between a separator and a quote are left out.
    pub blanks_before_quotes: bool,
}

impl Cleaner {
    /// Returns a text without what is not part of its table.
    pub fn clean(&self, text: &[u8]) -> Vec<u8> {
        let mut cleaned = Vec::new();
        for line in text.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            self.clean_line(line, &mut cleaned);
        }
        cleaned
    }

    /// Returns the number of a text's lines that are comments.
    pub fn comments(&self, text: &[u8]) -> usize {
        let lines = text.split(|byte| matches!(byte, b'\n' | b'\r'));
        lines.filter(|line| self.is_comment(line)).count()
    }

    fn is_comment(&self, line: &[u8]) -> bool {
        /// What spreadsheets write for values that they can't compute.
        const ERRORS: [&[u8]; 7] = [
            b"#N/A", b"#DIV/0!", b"#NAME?", b"#NULL!", b"#NUM!", b"#REF!", b"#VALUE!",
        ];
        let line = line.trim_ascii_start();
        let is_error = || ERRORS.iter().any(|error| line.starts_with(error));
        let mark = self.comment.as_ref();
        mark.is_some_and(|mark| line.starts_with(mark.as_bytes()) && !is_error())
    }

    /// Adds a line with its end.
    pub fn clean_line(&self, line: &[u8], cleaned: &mut Vec<u8>) {
        let ends = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let (line, end) = match line.split_last() {
            Some((byte, before)) if ends(byte) => (before, std::slice::from_ref(byte)),
            _ => (line, &[][..]),
        };
        if self.is_comment(line) || self.rules && is_rule(line) {
            // It is left out.
        } else if self.separator == Separator::Blanks {
            collapse(line, cleaned);
        } else if self.blanks_before_quotes {
            close_up(line, self.separator.byte(), cleaned);
        } else {
            cleaned.extend_from_slice(line);
        }
        cleaned.extend_from_slice(end);
    }

    /// Returns whether every text is clean.
    pub fn is_idle(&self) -> bool {
        self.comment.is_none()
            && !self.rules
            && self.separator != Separator::Blanks
            && !self.blanks_before_quotes
    }

    /// Returns a reader of a cleaned text.
    pub fn read<'a>(self, text: Box<dyn Read + Send + 'a>) -> Box<dyn Read + Send + 'a> {
        if self.is_idle() {
            return text;
        }
        Box::new(Cleaned {
            text: BufReader::new(text),
            cleaner: self,
            line: Vec::new(),
            cleaned: io::Cursor::default(),
        })
    }
}

/// Returns whether a line only draws a table: `---+---`.
pub fn is_rule(line: &[u8]) -> bool {
    let drawn = |byte: &u8| b"-+|=: ".contains(byte);
    let dashes = |sign: &[u8]| memchr::memmem::find(line, sign).is_some();
    line.iter().all(drawn) && (dashes(b"---") || dashes(b"==="))
}

/// Adds the fields of a line, with one space between two. Quoted ones stay as they are.
fn collapse(line: &[u8], fields: &mut Vec<u8>) {
    let mut rest = line.trim_ascii();
    while let Some(&first) = rest.first() {
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let quoted = if first == b'"' {
            rest[1..]
                .iter()
                .position(|byte| *byte == b'"')
                .map_or(rest.len(), |at| at + 2)
        } else {
            0
        };
        let end = rest[quoted..]
            .iter()
            .position(is_blank)
            .map_or(rest.len(), |at| quoted + at);
        fields.extend_from_slice(&rest[..end]);
        rest = rest[end..].trim_ascii_start();
        if !rest.is_empty() {
            fields.push(b' ');
        }
    }
}

/// Adds the fields of a line without the blanks between a separator and a quote.
fn close_up(line: &[u8], separator: u8, fields: &mut Vec<u8>) {
    let mut quoted = false;
    let mut rest = line;
    while let Some((&byte, after)) = rest.split_first() {
        fields.push(byte);
        quoted ^= byte == b'"';
        let unblanked = after.trim_ascii_start();
        rest = if byte == separator && !quoted && unblanked.first() == Some(&b'"') {
            unblanked
        } else {
            after
        };
    }
}

/// A text that is cleaned line by line.
struct Cleaned<'a> {
    text: BufReader<Box<dyn Read + Send + 'a>>,
    cleaner: Cleaner,
    line: Vec<u8>,
    cleaned: io::Cursor<Vec<u8>>,
}

impl Read for Cleaned<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        /// Bytes that are cleaned at once.
        const MANY: usize = 1 << 16;
        if self.cleaned.position() == self.cleaned.get_ref().len() as u64 {
            self.cleaned.get_mut().clear();
            self.cleaned.set_position(0);
            while self.cleaned.get_ref().len() < MANY {
                let read = self.text.fill_buf()?;
                let end = memchr2(b'\n', b'\r', read);
                let taken = end.map_or(read.len(), |end| end + 1);
                self.line.extend_from_slice(&read[..taken]);
                self.text.consume(taken);
                if taken > 0 && end.is_none() {
                    continue;
                }
                self.cleaner.clean_line(&self.line, self.cleaned.get_mut());
                self.line.clear();
                if taken == 0 {
                    break;
                }
            }
        }
        self.cleaned.read(bytes)
    }
}

/// A text without what pads its end: bytes of 0, as in files of a fixed length, and the mark of an end in DOS.
pub struct Unpadded<R>(pub R);

impl<R: Read> Read for Unpadded<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        const DOS_END: u8 = 0x1a;
        let read = self.0.read(bytes)?;
        let Some(end) = memchr2(0, DOS_END, &bytes[..read]) else {
            return Ok(read);
        };
        let is_padding = |byte: &u8| matches!(*byte, 0 | DOS_END) || byte.is_ascii_whitespace();
        let mut padded = bytes[end..read].iter().all(is_padding);
        let mut rest = [0; 1 << 12];
        while padded {
            match self.0.read(&mut rest) {
                Ok(0) => return Ok(end),
                Ok(more) => padded = rest[..more].iter().all(is_padding),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it holds control characters, as no text does",
        ))
    }
}
