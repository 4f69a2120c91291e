//! Helpers that write and open text files.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::Write;
use std::path::Path;

use fall_line::error::{Error, Reason, Row, RowError};
use fall_line::table::{self, OpenedFile, Request};
use tempfile::NamedTempFile;

/// Returns a temporary file with this content.
pub fn file(content: impl AsRef<[u8]>) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content.as_ref()).unwrap();
    file
}

/// A request without any option.
pub const PLAIN: Request = Request {
    x: None,
    x_of_model: false,
    y: None,
    y_of_model: false,
    x_alone: false,
    is_part: false,
    skip_bad: false,
    missing: &[],
    kind: None,
    delimiter: None,
    header: None,
    skip_lines: 0,
    comment: None,
    decimal: None,
    date_format: None,
    ranks: None,
};

/// Opens a file with this content, and chooses x and y.
pub fn open(
    content: impl AsRef<[u8]>,
    x: Option<&str>,
    y: Option<&str>,
) -> Result<OpenedFile, Error> {
    open_as(content, Request { x, y, ..PLAIN })
}

/// Opens a file with this content.
pub fn open_as(content: impl AsRef<[u8]>, request: Request) -> Result<OpenedFile, Error> {
    open_file(file(content).path(), request)
}

/// Opens a file.
pub fn open_file(path: &Path, request: Request) -> Result<OpenedFile, Error> {
    table::open(path, &request, &|_| {})
}

/// Returns a request with a delimiter.
pub fn separated_by(delimiter: u8) -> Request<'static> {
    Request {
        delimiter: Some(delimiter),
        ..PLAIN
    }
}

/// Asserts that the samples are these.
pub fn assert_reads(opened: Result<OpenedFile, Error>, x: &[f64], y: &[f64]) {
    let samples = super::all(&*opened.unwrap().source);
    assert_eq!(samples.x, x);
    assert_eq!(samples.y, y);
}

/// Returns the row that an error is about.
pub fn bad_row(opened: Result<OpenedFile, Error>) -> RowError {
    match opened.err().expect("an error") {
        Error::Row(row) => row,
        other => panic!("{other:?}"),
    }
}

/// Returns the rows that were left out, by reason: their number, and the place of the first.
pub fn left_out(opened: &OpenedFile) -> Vec<(Reason, u64, Row)> {
    let reasons = opened.skipped.by_reason.iter();
    reasons
        .map(|(reason, (rows, first))| (*reason, *rows, first.row))
        .collect()
}

/// Returns the text of an error, which must be about the data and on one line.
pub fn refusal(opened: Result<OpenedFile, Error>) -> String {
    let error = opened.err().expect("an error");
    assert_eq!(error.exit_code(), 3, "{error:?}");
    let text = error.to_string();
    assert!(!text.contains('\n'), "{text}");
    text
}
