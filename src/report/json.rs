//! `--format json`: the result as one object.

use fall_line::engine::Description;
use fall_line::error::Error;
use fall_line::model::Model;
use serde::Serialize;

/// What `fall-line train --format json` prints.
#[derive(Debug, Serialize)]
pub struct Result<'a> {
    pub w: f64,
    pub b: f64,
    /// The loss at w and b.
    pub final_loss: f64,
    /// The loss's name.
    pub loss: &'a str,
    /// δ of huber, τ of quantile.
    pub loss_parameter: Option<f64>,
    pub learning_rate: f64,
    /// w and b before the first epoch.
    pub start: Model,
    /// What the data are.
    pub data: String,
    /// Who drew them, where nobody gave them.
    pub generator: Option<&'a str>,
    /// Epochs run.
    pub epochs: u64,
    /// Epochs between two looks of the host.
    pub sync_every: u64,
    pub samples: u64,
    pub engine: &'a Description,
    pub seconds: Seconds,
    pub seed: u64,
    pub version: &'a str,
}

#[derive(Debug, Serialize)]
pub struct Seconds {
    /// From opening the data to an engine that is ready: drawing or reading, upload, shaders.
    pub load: f64,
    /// All epochs.
    pub train: f64,
}

/// Prints a value as JSON on stdout.
pub fn print(value: &impl Serialize) -> std::result::Result<(), Error> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Error::Io {
        doing: "cannot write JSON".to_owned(),
        source: error.into(),
    })?;
    super::stdout(&text)
}
