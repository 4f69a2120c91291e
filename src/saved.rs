//! A trained line in a file: what `train --save` writes and `predict` reads.

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::atomic;
use crate::data::goodness::Goodness;
use crate::data::statistics::Statistics;
use crate::error::Error;
use crate::model::Model;

/// The line, what it was trained on, and how well it fits. A JSON object with these keys; the README documents them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// [`Saved::SCHEMA`]: its number grows when a key goes or changes its meaning.
    pub schema: String,
    /// Of the fall-line that wrote it.
    pub version: String,
    /// The line, in the data's units.
    #[serde(flatten)]
    pub model: Model,
    /// What w and b are in.
    pub units: Units,
    /// The loss's name.
    pub loss: String,
    /// δ of huber, τ of quantile.
    pub loss_parameter: Option<f64>,
    /// What the data were.
    pub data: String,
    /// None where the samples never were on the host.
    pub statistics: Option<Statistics>,
    /// How well the line fits.
    pub metrics: Metrics,
    /// How many epochs it took.
    pub epochs: u64,
    /// Whether nothing improved any more; none where nobody asked.
    pub converged: Option<bool>,
}

/// The names of the columns, and what w and b are in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Units {
    /// The column of x.
    pub x: String,
    /// The column of y.
    pub y: String,
    /// `y per x`.
    pub w: String,
    /// `y`.
    pub b: String,
}

/// How well a line fits the data that it was trained on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// The mean loss.
    pub loss: f64,
    /// The mean loss of y = mean y; none where that is not known.
    pub baseline_loss: Option<f64>,
    /// RMSE, MAE and R², in f64; none where the samples never were on the host, or the run was broken off.
    pub fit: Option<Goodness>,
}

impl Units {
    /// Of columns of these names.
    pub fn new(x: &str, y: &str) -> Self {
        Units {
            x: x.to_owned(),
            y: y.to_owned(),
            w: format!("{y} per {x}"),
            b: y.to_owned(),
        }
    }
}

impl Saved {
    /// What `schema` says.
    pub const SCHEMA: &str = "fall-line model 1";

    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Io`] where it can't be read, [`Error::Data`] where it holds no model that this version knows.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let no_model = |why: &str| Error::Data(format!("{} {why}", path.display()));
        let saved: Saved = read(path, Self::SCHEMA, "is no model: train --save writes one")?
            .map_err(|error| no_model(&format!("is damaged: {error}")))?;
        match saved.model {
            Model { w, b } if w.is_finite() && b.is_finite() => Ok(saved),
            _ => Err(no_model("is damaged: w or b is not finite")),
        }
    }
}

/// Writes a value as JSON to a file, as a whole or not at all.
///
/// # Errors
/// [`Error::Io`] if it can't be written.
pub fn write(path: &Path, value: &impl Serialize) -> Result<(), Error> {
    atomic::write(path, |out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        writeln!(out)
    })
}

/// Returns the error that a value can't be written as JSON.
pub fn cannot_write(error: serde_json::Error) -> Error {
    Error::Io {
        doing: "cannot write JSON".to_owned(),
        source: error.into(),
    }
}

/// Reads a JSON object whose `schema` says what it is; the inner error is that the rest is not what that promises.
///
/// # Errors
/// [`Error::Io`] where the file can't be read, [`Error::Data`] where it has no schema, which `none` says in words, or
/// another.
pub fn read<T: DeserializeOwned>(
    path: &Path,
    schema: &str,
    none: &str,
) -> Result<Result<T, serde_json::Error>, Error> {
    #[derive(Deserialize)]
    struct Head {
        schema: String,
    }
    let name = path.display();
    let text = fs::read(path).map_err(Error::cannot_read(&name))?;
    let head: Head =
        serde_json::from_slice(&text).map_err(|_| Error::Data(format!("{name} {none}")))?;
    if head.schema == schema {
        return Ok(serde_json::from_slice(&text));
    }
    Err(Error::Data(format!(
        "{name} has the schema {:?}, and this version of fall-line reads {schema:?}",
        head.schema,
    )))
}
