//! `--history`: every epoch, as CSV or JSON.

use std::io;
use std::path::Path;

use fall_line::error::Error;
use fall_line::train::Epoch;

use super::file;

/// That the ending is one that [`write`] knows.
pub fn check(path: &Path) -> Result<(), Error> {
    match file::ending(path).as_str() {
        "csv" | "json" => file::check_writable(path),
        _ => Err(Error::Usage(format!(
            "--history {} must end in .csv or .json",
            path.display()
        ))),
    }
}

/// Writes `epoch, loss, w, b, dw, db` of each epoch, in full precision, to a path that [`check`] passed.
pub fn write(path: &Path, epochs: &[Epoch]) -> Result<(), Error> {
    file::write(path, |out| {
        if file::ending(path) == "json" {
            serde_json::to_writer_pretty(&mut *out, epochs)?;
            return writeln!(out);
        }
        let mut csv = csv::WriterBuilder::new()
            .has_headers(false)
            .from_writer(out);
        // By hand, so that a run that diverged in its first epoch leaves a header too.
        csv.write_record(["epoch", "loss", "w", "b", "dw", "db"])
            .map_err(io_error)?;
        for Epoch {
            epoch,
            loss,
            w,
            b,
            dw,
            db,
        } in epochs
        {
            csv.serialize((epoch, loss, w, b, dw, db))
                .map_err(io_error)?;
        }
        csv.flush()
    })
}

/// What the csv crate wraps: its errors in writing are those of the file.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}
