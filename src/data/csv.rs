//! Two columns of a user's CSV file.
//!
//! The file is read twice and never held: one pass checks every value and notes where each block
//! starts, and [`Source::read`] then parses the block it is asked for.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use csv::{ByteRecord, ErrorKind, Position, Reader, ReaderBuilder};

use self::columns::{Column, Header, number};
use super::{BLOCK, Block, OnLoad, Source};
use crate::error::Error;

/// Records looked at to tell a header and the numeric columns.
const SAMPLE_RECORDS: usize = 100;

mod columns;

/// How to read a CSV file.
#[derive(Clone, Copy, Debug)]
pub struct Layout<'a> {
    /// The column of x: a header's name, or a position from 1. Without it, and without `y`, the file
    /// must have just two numeric columns.
    pub x: Option<&'a str>,
    /// The column of y, likewise.
    pub y: Option<&'a str>,
    /// What stands between two columns; without it a comma.
    pub delimiter: Option<u8>,
    /// Whether the first record names the columns; without it that is detected.
    pub header: Option<bool>,
}

/// A CSV file, checked from end to end.
#[derive(Debug)]
pub struct Csv {
    name: String,
    file: Mutex<File>,
    delimiter: u8,
    x: Column,
    y: Column,
    has_header: bool,
    samples: u64,
    /// The byte at which each block's first record starts.
    starts: Vec<u64>,
    notices: Vec<String>,
}

impl Csv {
    /// Opens `path` (`-` is standard input) and checks every sample, telling `on_load` of the bytes as
    /// they pass.
    ///
    /// What can't be read twice, a pipe, is first copied to an unnamed temporary file.
    ///
    /// # Errors
    /// [`Error::Io`] where the file can't be read; [`Error::Data`] for a missing column, a value that
    /// is no finite number in f32, fewer than two samples, or an x that is constant.
    pub fn open(path: &Path, layout: Layout, on_load: OnLoad) -> Result<Self, Error> {
        let name = if path == Path::new("-") {
            "standard input".to_owned()
        } else {
            path.display().to_string()
        };
        let delimiter = layout.delimiter.unwrap_or(b',');
        let file = Mutex::new(seekable(path, &name)?);
        let first = first_records(&file, delimiter).map_err(|error| explain(&name, error))?;
        if let Some(what) = no_csv(&first) {
            return Err(Error::Data(format!("{name} {what}")));
        }
        let header = Header::detect(&first, &layout);
        if first.len() <= usize::from(header.named) {
            return Err(too_few(&name, 0));
        }
        if layout.delimiter.is_none() {
            header.suspect_separator(&name, &first)?;
        }
        let (x, y) = header.choose(&name, &layout)?;
        let mut csv = Csv {
            name,
            file,
            delimiter,
            x,
            y,
            has_header: header.named,
            samples: 0,
            starts: Vec::new(),
            notices: Vec::new(),
        };
        csv.check(&header, on_load)?;
        Ok(csv)
    }

    /// What the user should know before trusting the line: a column of whose digits f32 keeps few.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// The pass that checks every sample, counts them and notes the blocks' starts.
    fn check(&mut self, header: &Header, on_load: OnLoad) -> Result<(), Error> {
        let mut records = records(&self.file, 0, self.delimiter, header.named);
        let mut record = ByteRecord::new();
        let (mut starts, mut samples) = (Vec::new(), 0);
        let (mut x_extent, mut y_extent) = (Extent::EMPTY, Extent::EMPTY);
        let mut told = 0;
        while records
            .read_byte_record(&mut record)
            .map_err(|error| explain(&self.name, error))?
        {
            let (fields, columns) = (record.len(), header.columns.len());
            if fields != columns {
                return Err(Error::Data(format!(
                    "{}, line {}: {fields} column{}, where the first line has {columns}",
                    self.name,
                    line_of(&self.file, record.position()),
                    if fields == 1 { "" } else { "s" },
                )));
            }
            x_extent.add(self.value(&record, &self.x)?);
            y_extent.add(self.value(&record, &self.y)?);
            if samples % BLOCK as u64 == 0 {
                let start = record.position().map_or(0, |position| position.byte());
                on_load(start - told);
                told = start;
                starts.push(start);
            }
            samples += 1;
        }
        if samples < 2 {
            return Err(too_few(&self.name, samples));
        }
        self.judge(x_extent, y_extent)?;
        self.samples = samples;
        self.starts = starts;
        Ok(())
    }

    /// Refuses an x that does not vary, and notes a column that f32 is too coarse for.
    fn judge(&mut self, x_extent: Extent, y_extent: Extent) -> Result<(), Error> {
        if x_extent.least as f32 == x_extent.most as f32 {
            let of_f32 = if x_extent.least == x_extent.most {
                ""
            } else {
                ", to the digits of f32"
            };
            return Err(Error::Data(format!(
                "{}: {} is {:?} in every sample{of_f32}; a line needs an x that varies",
                self.name,
                self.x.titled(),
                x_extent.least,
            )));
        }
        for (column, extent) in [(&self.x, x_extent), (&self.y, y_extent)] {
            let notice = extent.coarse_in_f32().map(|step| {
                format!(
                    "{}: {} runs from {:?} to {:?}, where f32 has steps of {step:?}: \
                     subtract {:?} from it for a line with more digits",
                    self.name,
                    column.titled(),
                    extent.least,
                    extent.most,
                    extent.least,
                )
            });
            self.notices.extend(notice);
        }
        Ok(())
    }

    /// The value of one column of a record, checked.
    fn value(&self, record: &ByteRecord, column: &Column) -> Result<f64, Error> {
        let text = &record[column.index];
        let bad = |what: &str| {
            let line = line_of(&self.file, record.position());
            let hint = match line {
                _ if decimal_comma(text) => "; write numbers without commas, decimals with a point",
                1 => "; if the first line names the columns, say --header yes",
                _ => "",
            };
            Error::Data(format!(
                "{}, line {line}, {}: {} {what}{hint}",
                self.name,
                column.titled(),
                quoted(text),
            ))
        };
        match number(text) {
            None => Err(bad("is not a finite number")),
            Some(value) if !(value as f32).is_finite() => {
                Err(bad("is beyond the range of f32 (3.4e38)"))
            }
            Some(value) => Ok(value),
        }
    }
}

impl Source for Csv {
    fn samples(&self) -> u64 {
        self.samples
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        let changed = || Error::Data(format!("{} has changed while it was read", self.name));
        let start = self.starts[index as usize];
        let mut records = records(&self.file, start, self.delimiter, false);
        let mut record = ByteRecord::new();
        block.clear();
        for _ in super::positions(index, self.samples) {
            if !records
                .read_byte_record(&mut record)
                .map_err(|error| explain(&self.name, error))?
            {
                return Err(changed());
            }
            let value = |column: &Column| record.get(column.index).and_then(number);
            let sample = value(&self.x).zip(value(&self.y)).ok_or_else(changed)?;
            block.push(sample);
        }
        Ok(())
    }

    fn title(&self) -> String {
        let file = Path::new(&self.name);
        format!(
            "{}: {} over {}{}",
            file.file_name().unwrap_or(file.as_os_str()).display(),
            self.y.name,
            self.x.name,
            if self.has_header { "" } else { ", no header" },
        )
    }
}

/// Reads a shared file from a position on, whoever else reads it.
struct At<'a> {
    file: &'a Mutex<File>,
    position: u64,
}

impl Read for At<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.position))?;
        let read = file.read(bytes)?;
        self.position += read as u64;
        Ok(read)
    }
}

/// The records from byte `position` on.
fn records(file: &Mutex<File>, position: u64, delimiter: u8, has_header: bool) -> Reader<At<'_>> {
    ReaderBuilder::new()
        .has_headers(has_header)
        // Checked by us, for the line: the csv crate names that of the record before.
        .flexible(true)
        .delimiter(delimiter)
        .buffer_capacity(1 << 16)
        .from_reader(At { file, position })
}

/// The least and the greatest value of a column.
#[derive(Clone, Copy)]
struct Extent {
    least: f64,
    most: f64,
}

impl Extent {
    const EMPTY: Extent = Extent {
        least: f64::INFINITY,
        most: f64::NEG_INFINITY,
    };

    fn add(&mut self, value: f64) {
        self.least = self.least.min(value);
        self.most = self.most.max(value);
    }

    /// The distance of neighbours in f32 at the greatest size, if fewer than 4096 of them lie
    /// between the ends: rounding then costs a line its fourth digit.
    fn coarse_in_f32(&self) -> Option<f64> {
        let size = self.least.abs().max(self.most.abs()) as f32;
        let step = f64::from(size) - f64::from(size.next_down());
        let range = self.most - self.least;
        (range > 0.0 && range < 4096.0 * step).then_some(step)
    }
}

/// The file, or a temporary copy of what can be read only once.
fn seekable(path: &Path, name: &str) -> Result<File, Error> {
    let cannot_read = |source| Error::Io {
        doing: format!("cannot read {name}"),
        source,
    };
    let mut once: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        let file = File::open(path).map_err(cannot_read)?;
        if file.metadata().map_err(cannot_read)?.is_file() {
            return Ok(file);
        }
        Box::new(file)
    };
    tempfile::tempfile()
        .and_then(|mut copy| io::copy(&mut once, &mut copy).map(|_| copy))
        .map_err(|source| Error::Io {
            doing: format!("cannot copy {name} to a temporary file"),
            source,
        })
}

fn first_records(file: &Mutex<File>, delimiter: u8) -> Result<Vec<ByteRecord>, csv::Error> {
    records(file, 0, delimiter, false)
        .into_byte_records()
        .take(SAMPLE_RECORDS)
        .collect()
}

/// What the first records show the file to be, where that is no CSV file.
fn no_csv(first: &[ByteRecord]) -> Option<&'static str> {
    let bytes = first.first()?.as_slice();
    let starts_with = |marks: &[&[u8]]| marks.iter().any(|mark| bytes.starts_with(mark));
    if starts_with(&[b"\xff\xfe", b"\xfe\xff"]) {
        Some("is in UTF-16; save it as UTF-8")
    } else if starts_with(&[b"\x1f\x8b", b"\x28\xb5\x2f\xfd"]) {
        Some("is compressed; unpack it first")
    } else if bytes.contains(&0) {
        Some("is no text file")
    } else if starts_with(&[b"sep=", b"#"]) || first.get(1)?.len() > first[0].len() {
        Some("starts with a line that is not of its table; remove it")
    } else {
        None
    }
}

/// Whether a field is a number but for a comma where its point should be.
fn decimal_comma(field: &[u8]) -> bool {
    let text = String::from_utf8_lossy(field);
    text.matches(',').count() == 1 && number(text.replace(',', ".").as_bytes()).is_some()
}

/// The line, from 1, of the record at a position. The csv crate's own count is one short where lines
/// end in CRLF, so the line ends before the record are counted here.
fn line_of(file: &Mutex<File>, position: Option<&Position>) -> u64 {
    let start = position.map_or(0, Position::byte);
    let (mut line, mut before) = (1, 0);
    let bytes = BufReader::new(At { file, position: 0 }).bytes();
    for (byte, position) in bytes.map_while(Result::ok).zip(0..) {
        let ends_line = matches!(byte, b'\r' | b'\n');
        // The csv crate may leave line ends at the front of a record.
        if position >= start && !ends_line {
            break;
        }
        line += u64::from(ends_line && (before, byte) != (b'\r', b'\n'));
        before = byte;
    }
    line
}

fn too_few(name: &str, samples: u64) -> Error {
    let plural = if samples == 1 { "" } else { "s" };
    Error::Data(format!(
        "{name} has {samples} sample{plural}; a line needs at least two"
    ))
}

/// A field for an error message: in quotes, on one line, cut short.
fn quoted(field: &[u8]) -> String {
    const SHOWN: usize = 40;
    let text = String::from_utf8_lossy(field);
    let shown: String = text.chars().take(SHOWN).collect();
    let cut = if shown.len() < text.len() { "…" } else { "" };
    format!("{shown:?}{cut}")
}

/// The csv crate's errors in the user's words.
fn explain(name: &str, error: csv::Error) -> Error {
    match error.into_kind() {
        ErrorKind::Io(source) => Error::Io {
            doing: format!("cannot read {name}"),
            source,
        },
        other => Error::Data(format!("{name}: {other:?}")),
    }
}
