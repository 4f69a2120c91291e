//! Everything that speaks to a person: results on stdout, notices and progress on stderr, files.

use std::fmt::Display;
use std::io::{self, Write};

use fall_line::error::Error;

pub mod file;
pub mod history;
pub mod json;
pub mod plot;
pub mod progress;
pub mod text;

/// Writes one line, or one JSON object, to stdout.
///
/// # Errors
/// [`Error::Io`] where it can't be written: a full disk, or nobody who reads.
pub fn line(text: impl Display) -> Result<(), Error> {
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
    let _ = writeln!(io::stderr(), "{text}");
}
