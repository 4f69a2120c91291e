//! Text files of a test's own, opened.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::Write;
use std::path::Path;

use fall_line::error::Error;
use fall_line::table::rows::Request;
use fall_line::table::{self, Opened};
use tempfile::NamedTempFile;

pub fn file(content: impl AsRef<[u8]>) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content.as_ref()).unwrap();
    file
}

/// Commas, a header if there seems to be one.
pub const PLAIN: Request = Request {
    x: None,
    y: None,
    x_alone: false,
    delimiter: None,
    header: None,
    skip_bad: false,
};

pub fn open(content: impl AsRef<[u8]>, x: Option<&str>, y: Option<&str>) -> Result<Opened, Error> {
    open_as(content, Request { x, y, ..PLAIN })
}

pub fn open_as(content: impl AsRef<[u8]>, request: Request) -> Result<Opened, Error> {
    open_file(file(content).path(), request)
}

pub fn open_file(path: &Path, request: Request) -> Result<Opened, Error> {
    table::open(path, &request, &|_| {})
}

pub fn separated_by(delimiter: u8) -> Request<'static> {
    Request {
        delimiter: Some(delimiter),
        ..PLAIN
    }
}

pub fn assert_reads(opened: Result<Opened, Error>, x: &[f64], y: &[f64]) {
    let samples = super::common::all(&*opened.unwrap().source);
    assert_eq!(samples.x, x);
    assert_eq!(samples.y, y);
}

/// The text of the error, which is of bad data and on one line.
pub fn refusal(opened: Result<Opened, Error>) -> String {
    match opened {
        Err(Error::Data(text)) => {
            assert!(!text.contains('\n'), "{text}");
            text
        }
        Err(other) => panic!("{other:?}"),
        Ok(opened) => panic!("{} samples", opened.source.samples()),
    }
}
