//! `--history`: every epoch, as CSV or JSON.

use std::path::Path;

use fall_line::error::Error;
use fall_line::train::Epoch;

use super::file;

/// The endings that [`write`] knows.
pub const ENDINGS: &[&str] = &["csv", "json"];

/// Writes `epoch, loss, w, b, dw, db` of each epoch, in full precision, to a path with one of [`ENDINGS`].
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
            .map_err(file::csv_error)?;
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
                .map_err(file::csv_error)?;
        }
        csv.flush()
    })
}
