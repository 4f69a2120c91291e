//! A text that is divided into parts by bytes.

use std::io;
use std::ops::Range;

use memchr::memchr2;

use super::chosen::{Chosen, ReadText};
use super::layout::{Layout, offset_of_line};
use super::part::{FileFrom, TextPart};
use super::quotes::Place;
use super::{SIZES, detected, read_samples, suspect};
use crate::data::OnLoad;
use crate::error::Error;
use crate::table::input::Input;
use crate::table::kind::FileKind;
use crate::table::request::Request;
use crate::table::shared::SharedFile;
use crate::table::store::Store;

/// UTF-8's byte-order mark.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// A text whose layout is known by its first lines, to be read in parts.
pub struct DividedText {
    name: String,
    file: SharedFile,
    layout: Layout,
    /// The position of the first sample's line.
    samples_at: u64,
    /// True if the text begins with a byte-order mark.
    is_marked: bool,
}

/// A part of a text, and what is known of its boundaries.
pub struct DividedPart<'a> {
    text: TextPart<'a>,
    /// True if other samples may come before it.
    pub is_later: bool,
}

impl DividedText {
    /// Returns the length of a text if its bytes can be read from any line on: neither a pipe nor packed nor in UTF-16.
    ///
    /// # Errors
    /// [`Error::Io`] if it can't be read.
    pub fn length(input: &Input) -> Result<Option<u64>, Error> {
        let is_packed = matches!(input.kind, FileKind::Gzip | FileKind::Zstd);
        let Some(file) = input.seekable.as_ref().filter(|_| !is_packed) else {
            return Ok(None);
        };
        let mut head = [0; suspect::HEAD];
        let head = &mut head[..file.length().min(suspect::HEAD as u64) as usize];
        file.read_exact_at(head, 0)
            .map_err(Error::cannot_read(&input.name))?;
        Ok(suspect::is_utf_8(head).then(|| file.length()))
    }

    /// Finds the layout of a text that has such a length. Returns `None` for one that has none.
    ///
    /// # Errors
    /// The errors of its first lines.
    pub fn open(input: Input, request: &Request) -> Result<Option<Self>, Error> {
        let Some(file) = input.seekable.clone() else {
            return Ok(None);
        };
        let name = input.name.clone();
        let (layout, head, _) = detected(&name, input.text()?, request, SIZES)?;
        // Bytes may have been replaced by more of them.
        let most = (MARK.len() + head.len()) as u64;
        let mut head = vec![0; file.length().min(most) as usize];
        file.read_exact_at(&mut head, 0)
            .map_err(Error::cannot_read(&name))?;
        let is_marked = head.starts_with(MARK);
        let mark = if is_marked { MARK.len() } else { 0 };
        Ok(Some(DividedText {
            samples_at: (mark + offset_of_line(&head[mark..], layout.lines)) as u64,
            name,
            file,
            layout,
            is_marked,
        }))
    }

    /// Returns what is told of the text besides its rows.
    ///
    /// # Errors
    /// The errors of the choice of columns; [`Error::TooFewSamples`] if there are no rows.
    pub fn told(&self, request: &Request) -> Result<ReadText, Error> {
        let chosen = Chosen::new(&self.name, &self.layout, request)?;
        Ok(chosen.told(&self.name, &self.layout))
    }

    /// Returns the part between two positions of the text, which are moved to the start of the next line. `start` is the place of
    /// the first one; it means nothing where the samples begin.
    ///
    /// # Errors
    /// [`Error::Io`] if the text can't be read.
    pub fn part<'a>(
        &self,
        range: Range<u64>,
        start: Place,
        on_load: OnLoad<'a>,
    ) -> Result<DividedPart<'a>, Error> {
        let line = |at| self.line_from(at).map_err(Error::cannot_read(&self.name));
        let from = line(range.start)?.max(self.samples_at);
        let to = line(range.end)?.max(from);
        let is_later = from > self.samples_at;
        let file = FileFrom {
            file: self.file.clone(),
            at: from,
            on_load,
        };
        let start = if is_later { start } else { Place::Outside };
        let cleaner = self.layout.cleaner.clone();
        Ok(DividedPart {
            text: TextPart::new(file, to - from, start, cleaner, self.is_marked),
            is_later,
        })
    }

    /// Returns the position of the first line that starts at a position or later; the text's end if there is none.
    fn line_from(&self, at: u64) -> io::Result<u64> {
        if at == 0 || at >= self.file.length() {
            return Ok(at);
        }
        let mut bytes = [0; 1 << 12];
        let (mut position, mut after_return) = (at - 1, false);
        loop {
            let read = self.file.read_at(&mut bytes, position)?;
            if after_return {
                let pair = bytes[..read].first() == Some(&b'\n');
                return Ok(position + u64::from(pair));
            }
            let end = memchr2(b'\n', b'\r', &bytes[..read]);
            position += end.map_or(read, |end| end + 1) as u64;
            match end {
                Some(end) if bytes[end] == b'\r' => after_return = true,
                Some(_) => return Ok(position),
                None if read == 0 => return Ok(position),
                None => {}
            }
        }
    }

    /// Appends the samples of a part to a store. Returns what was read besides, and the number of lines. Lines are counted as if
    /// one line of samples came before a later part.
    ///
    /// # Errors
    /// Those of [`read`](super::read).
    pub fn read(
        &mut self,
        part: &mut DividedPart,
        request: &Request,
        store: &mut Store,
    ) -> Result<(ReadText, u64), Error> {
        let lines = self.layout.lines;
        self.layout.lines += u64::from(part.is_later);
        let text = Box::new(&mut part.text);
        let read = read_samples(&self.name, &self.layout, text, request, SIZES, store);
        self.layout.lines = lines;
        self.file.unchanged(&self.name)?;
        read
    }
}

impl DividedPart<'_> {
    /// Reads what is left, and returns the place of the boundary at the end, by that of the one at the start.
    pub fn ends(&mut self) -> io::Result<[Place; 3]> {
        let [outside, inside] = self.text.ends()?;
        Ok(if self.is_later {
            [outside, inside, Place::Behind]
        } else {
            [outside; 3]
        })
    }
}
