//! The history of a run: every epoch, as CSV or JSON.

use std::path::Path;

use fall_line::atomic;
use fall_line::error::Error;
use fall_line::table::write::csv_error;
use fall_line::train::Epoch;

/// The endings that [`write()`] knows.
pub const ENDINGS: &[&str] = &["csv", "json"];

const COLUMNS: [&str; 6] = ["epoch", "loss", "w", "b", "dw", "db"];

/// Writes each epoch in full precision to a path with one of [`ENDINGS`].
pub fn write(path: &Path, epochs: &[Epoch]) -> Result<(), Error> {
    atomic::write(path, |out| {
        if atomic::ending(path) == "json" {
            serde_json::to_writer_pretty(&mut *out, epochs)?;
            return writeln!(out);
        }
        let mut csv = csv::WriterBuilder::new()
            .has_headers(false)
            .from_writer(out);
        // The header is written by hand, so that a run that diverged in its first epoch has one too.
        csv.write_record(COLUMNS).map_err(csv_error)?;
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
                .map_err(csv_error)?;
        }
        csv.flush()
    })
}
