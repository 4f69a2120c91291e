//! Everything that speaks to a person: results on stdout, notices and progress on stderr, files.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;

use fall_line::data::Source;
use fall_line::error::Error;
use fall_line::loss::Loss;
use fall_line::train::Epoch;
use indicatif::HumanCount;

use crate::cli::Output;

pub mod bench;
pub mod file;
pub mod history;
pub mod json;
pub mod plot;
pub mod progress;
pub mod text;

/// Writes one line to stdout.
///
/// # Errors
/// [`Error::Io`] where it can't be written: a full disk, or nobody who reads.
pub fn line(text: impl Display) -> Result<(), Error> {
    stdout(&printable(&text.to_string()))
}

/// Writes text and a line's end to stdout as it is.
fn stdout(text: &str) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")
        .and_then(|()| stdout.flush())
        .map_err(|source| Error::Io {
            doing: "cannot write to standard output".to_owned(),
            source,
        })
}

/// Writes one line to stderr. That nobody may be reading there is no reason to stop.
pub fn notice(text: impl Display) {
    let _ = writeln!(io::stderr(), "{}", printable(&text.to_string()));
}

/// Text on one line that leaves a terminal alone, whatever stands in a file's name or header.
fn printable(text: &str) -> String {
    let escape = |c: char| match c.is_control() {
        true => c.escape_default().collect(),
        false => c.to_string(),
    };
    text.chars().map(escape).collect()
}

/// A text of several lines as one.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Writes an error to stderr, on one line.
pub fn error(error: &Error) {
    notice(format!("error: {error}"));
}

/// That the files that are asked for can be written, and none of them is `data`.
pub fn check_files(output: &Output, data: Option<&Path>) -> Result<(), Error> {
    if let Some(path) = &output.history {
        file::check("--history", path, history::ENDINGS)?;
    }
    if let Some(path) = &output.plot {
        file::check("--plot", path, plot::ENDINGS)?;
    }
    match (&output.history, data) {
        (Some(history), Some(data)) if file::same(history, data) => Err(Error::Usage(format!(
            "--history {} would replace the data",
            history.display()
        ))),
        _ => Ok(()),
    }
}

/// Writes the files that are asked for, each whether or not another could be; what could not is
/// returned.
pub fn write_files(
    output: &Output,
    epochs: &[Epoch],
    loss: Loss,
    source: &dyn Source,
) -> Vec<Error> {
    let history = output
        .history
        .as_deref()
        .map(|path| history::write(path, epochs));
    let plot = output.plot.as_deref().map(|path| {
        let (title, samples) = (source.title(), HumanCount(source.samples()));
        plot::loss::write(path, epochs, &format!("{loss}, {title}, {samples} samples"))
    });
    [history, plot]
        .into_iter()
        .flatten()
        .filter_map(Result::err)
        .collect()
}
