//! Results as JSON, on stdout and in files.

use std::path::Path;

use fall_line::atomic;
use fall_line::error::Error;
use serde::Serialize;

/// Prints a value as JSON on stdout.
pub fn print(value: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(value).map_err(cannot_write)?;
    super::stdout(&text)
}

/// Writes a value as JSON to a file.
pub fn save(path: &Path, value: &impl Serialize) -> Result<(), Error> {
    atomic::write(path, |out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        writeln!(out)
    })
}

/// Returns a value as JSON without spaces.
pub fn compact(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(cannot_write)
}

fn cannot_write(error: serde_json::Error) -> Error {
    Error::Io {
        doing: "cannot write JSON".to_owned(),
        source: error.into(),
    }
}
