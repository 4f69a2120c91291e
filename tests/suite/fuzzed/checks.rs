//! The promises that every reader keeps, whatever the bytes of its file. The fuzz targets use this file, too.

use std::io;
use std::path::Path;

use fall_line::Error;
use fall_line::data::{BLOCK, Block, Source, positions};
use fall_line::fit::Checkpoint;
use fall_line::part::Parts;
use fall_line::saved::Saved;
use fall_line::table::write::{Kind, WholeWriter};
use fall_line::table::{self, Request};

/// Blocks that are read of a file. A few bytes of Parquet may stand for billions of equal rows.
const BLOCKS: u64 = 4;

/// Checks an error: it is one line, and of input or data.
fn check_error(error: &Error) {
    let text = error.to_string();
    assert!(!text.is_empty() && !text.contains('\n'), "{text:?}");
    assert!(matches!(error.exit_code(), 1..=3), "{error:?}");
}

/// Reads a file of any kind as a fit does: all samples are finite, and as many as the file says.
fn samples(path: &Path, request: &Request) {
    let opened = match table::open(path, request, &|_| {}) {
        Ok(opened) => opened,
        Err(error) => return check_error(&error),
    };
    let samples = opened.samples();
    let mut block = Block::default();
    for index in 0..samples.div_ceil(BLOCK as u64).min(BLOCKS) {
        if let Err(error) = opened.read(index, &mut block) {
            return check_error(&error);
        }
        let expected = positions(index, samples);
        let expected = (expected.end - expected.start) as usize;
        assert_eq!([block.x.len(), block.y.len()], [expected; 2]);
        let mut values = block.x.iter().chain(&block.y);
        assert!(values.all(|value| value.is_finite()), "block {index}");
    }
}

/// Reads whole rows as a prediction does, and writes them as a table of another kind.
fn rows(path: &Path, request: &Request, typed: bool) {
    let kind = if typed { Kind::Parquet } else { Kind::Csv };
    let mut table = WholeWriter::new(io::sink(), kind);
    let read = table::read_whole(&[path.to_owned()], request, typed, &|_| {}, &mut |rows| {
        assert_eq!(rows.columns.num_rows(), rows.x.len());
        assert!(rows.y.is_none_or(|y| y.len() == rows.x.len()));
        let written = table.write(&rows.columns);
        written.map_err(|error| Error::Data(error.to_string()))
    });
    let _ = read.map_err(|error| check_error(&error));
}

/// The ways in which the program reads a file of samples. The last one contradicts what would be detected of a text.
pub const READINGS: [fn(&Path); 5] = [
    |path| samples(path, &Request::default()),
    |path| samples(path, &first(&["-".to_owned()])),
    |path| rows(path, &of_model(), false),
    |path| rows(path, &of_model(), true),
    |path| samples(path, &contrary()),
];

fn first(missing: &[String]) -> Request<'_> {
    Request {
        x: Some("1"),
        y: Some("2"),
        skip_bad: true,
        missing,
        ..Request::default()
    }
}

fn of_model() -> Request<'static> {
    Request {
        x_of_model: true,
        y_of_model: true,
        x_alone: true,
        ..first(&[])
    }
}

fn contrary() -> Request<'static> {
    Request {
        delimiter: Some(b';'),
        header: Some(false),
        decimal: Some(b','),
        comment: Some("%"),
        skip_lines: 1,
        skip_bad: true,
        ..Request::default()
    }
}

/// The first and last bytes of a kind of file.
pub type Frame = (&'static [u8], &'static [u8]);

/// A file of any kind.
pub const ANY: Frame = (b"", b"");
/// A byte of a text may not follow Parquet's letters.
pub const PARQUET: Frame = (b"PAR1\x15", b"PAR1");
pub const NPY: Frame = (b"\x93NUMPY", b"");

/// Sets the first and last bytes of a file. Without them it would be taken for a text.
pub fn framed((first, last): Frame, mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().max(first.len() + last.len()), 0);
    let end = bytes.len() - last.len();
    bytes[..first.len()].copy_from_slice(first);
    bytes[end..].copy_from_slice(last);
    bytes
}

/// Reads a file of samples in all ways.
pub fn table(path: &Path) {
    for read in READINGS {
        read(path);
    }
}

/// Reads a saved model, and moments: if it can be read, it can be written, and is the same again.
pub fn model(path: &Path) {
    match Parts::read(&[path.to_owned(), path.to_owned()]) {
        Ok(parts) => {
            let _ = parts.merge().map_err(|error| check_error(&error));
        }
        Err(error) => check_error(&error),
    }
    match Saved::read(path) {
        Ok(saved) => {
            let text = serde_json::to_vec(&saved).unwrap();
            let again: Saved = serde_json::from_slice(&text).unwrap();
            assert_eq!(again, saved);
            assert!(saved.line().w.is_finite());
        }
        Err(error) => check_error(&error),
    }
}

/// Reads a checkpoint.
pub fn checkpoint(path: &Path) {
    let _ = Checkpoint::read(path).map_err(|error| check_error(&error));
}
