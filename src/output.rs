//! Output of all commands: lines, notices, progress, numbers, pictures.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;

use fall_line::atomic;
use fall_line::error::{Error, Reason, counted, grouped};
use fall_line::table::rows::Skipped;

pub mod advice;
pub mod history;
pub mod interrupts;
pub mod json;
pub mod number;
pub mod plot;
pub mod progress;
pub mod sample_table;

/// Writes one line to stdout.
///
/// # Errors
/// [`Error::Io`] if it can't be written: the disk is full, or the reader is gone.
pub fn line(text: impl Display) -> Result<(), Error> {
    stdout(&printable(&text.to_string()))
}

/// Writes text and a line feed to stdout as they are.
pub fn stdout(text: &str) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")
        .and_then(|()| stdout.flush())
        .map_err(cannot_print)
}

/// Returns whether the reader of standard output has left: it has read enough, and that is no error.
pub fn reader_left(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
}

/// Passes over a reader who has left: what else is to be done is done all the same.
pub fn unless_left(printed: Result<(), Error>) -> Result<(), Error> {
    printed.or_else(|error| {
        if reader_left(&error) {
            Ok(())
        } else {
            Err(error)
        }
    })
}

fn cannot_print(source: io::Error) -> Error {
    Error::Io {
        doing: "cannot write to standard output".to_owned(),
        source,
    }
}

/// Writes one line to stderr. A reader who is gone is no reason to stop.
pub fn notice(text: impl Display) {
    let _ = writeln!(io::stderr(), "{}", printable(&text.to_string()));
}

/// Returns text on one line without control characters, whatever a file's name or header holds.
pub fn printable(text: &str) -> String {
    let escape = |c: char| {
        if c.is_control() {
            c.escape_default().collect()
        } else {
            c.to_string()
        }
    };
    text.chars().map(escape).collect()
}

/// Returns a text of several lines as one.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Writes an error to stderr, on one line.
pub fn error(error: &Error) {
    notice(format!("error: {}", advice::text(error)));
}

/// Checks that a file to be written is none of those that are read.
pub fn refuse_to_replace<'a>(
    flag: &str,
    path: &Path,
    what: &str,
    read: impl IntoIterator<Item = &'a Path>,
) -> Result<(), Error> {
    if read.into_iter().any(|read| atomic::same(path, read)) {
        return Err(Error::Usage(format!(
            "{flag} {} would replace {what}",
            path.display()
        )));
    }
    Ok(())
}

/// Says what was done with how many rows, and why with an example of each reason, if there are any: `left out 2 of 9 rows`.
pub fn tell_skipped(done: &str, skipped: &Skipped, samples: u64) {
    let reasons = skipped.by_reason.iter();
    let reasons: Vec<String> = reasons
        .map(|(reason, (rows, first))| {
            let what = match reason {
                Reason::Fields | Reason::Quotes => "the row",
                _ => "a value",
            };
            let place = format!("{}, {}", first.file, first.row);
            let place = match &first.column {
                Some(column) => format!("{place}, {column}"),
                None => place,
            };
            let text = match reason {
                Reason::Missing | Reason::Fields | Reason::Quotes => String::new(),
                _ => format!(": {}", first.text),
            };
            format!(
                "{} where {what} {reason} (first: {place}{text})",
                grouped(*rows)
            )
        })
        .collect();
    let rows = skipped.rows();
    if rows > 0 {
        notice(format_args!(
            "{done} {} of {}: {}",
            grouped(rows),
            counted(rows + samples, "row"),
            reasons.join(", ")
        ));
    }
}

/// Returns why rows were left out, and how many.
pub fn by_reason(skipped: &Skipped) -> BTreeMap<String, u64> {
    let reasons = skipped.by_reason.iter();
    reasons
        .map(|(reason, (rows, _))| (reason.to_string(), *rows))
        .collect()
}
