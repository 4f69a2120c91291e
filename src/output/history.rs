//! The history of a run: every epoch, as CSV or JSON.

use std::fs::File;
use std::io::{self, BufReader};
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

/// Reads the epochs of a history up to `epoch`, which a resumed run adds to. Without a file there are none.
///
/// # Errors
/// Returns [`Error::Data`] if the file is not a history.
pub fn up_to(path: &Path, epoch: u64) -> Result<Vec<Epoch>, Error> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened.map_err(|source| Error::Io {
            doing: format!("cannot read {}", path.display()),
            source,
        })?,
    };
    let epochs: Option<Vec<Epoch>> = if atomic::ending(path) == "json" {
        serde_json::from_reader(BufReader::new(file)).ok()
    } else {
        let mut csv = csv::Reader::from_reader(file);
        match csv.headers() {
            Ok(header) if *header == COLUMNS[..] => {
                csv.deserialize().collect::<Result<_, _>>().ok()
            }
            _ => None,
        }
    };
    let mut epochs = epochs.ok_or_else(|| {
        Error::Data(format!(
            "--history {} exists but is not a history that --resume can add to: name another file",
            path.display()
        ))
    })?;
    epochs.retain(|known| known.epoch <= epoch);
    Ok(epochs)
}
