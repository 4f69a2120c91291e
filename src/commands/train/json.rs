//! `--format json`: the result for another program.

use std::collections::BTreeMap;

use fall_line::data::statistics::Statistics;
use fall_line::engine::Description;
use fall_line::fit::{Outcome, Quality, Uncertainty};
use fall_line::model::Model;
use fall_line::table::rows::Skipped;
use fall_line::train::{Optimizer, Schedule};
use serde::Serialize;

use crate::cli::Train;
use crate::output::{advice, by_reason};

/// The output of `fall-line train --format json`; lines and losses are in the data's units.
#[derive(Debug, Serialize)]
pub struct Result<'a> {
    #[serde(flatten)]
    model: Model,
    final_loss: f64,
    /// Epochs done, those before a checkpoint included.
    epochs: u64,
    epochs_before: u64,
    converged: Option<bool>,
    #[serde(flatten)]
    quality: &'a Quality,
    /// The errors of the line of least loss.
    errors: Option<Uncertainty>,
    /// Why they are not known.
    errors_missing: Option<String>,
    /// Reasons not to believe the line.
    warnings: Vec<Warning>,
    /// A center of x, and the prediction there: they keep digits that b may lose.
    x_center: f64,
    y_center: f64,
    loss: &'static str,
    /// δ of huber, τ of quantile.
    loss_parameter: Option<f64>,
    optimizer: Optimizer,
    /// `None` for a cutting plane, like the two after it.
    schedule: Option<Schedule>,
    learning_rate: Option<f64>,
    learning_rate_limit: Option<f64>,
    standardized: bool,
    start: Model,
    data: &'a str,
    /// The columns.
    x: &'a str,
    y: &'a str,
    samples: u64,
    /// Rows left out, by reason.
    skipped: BTreeMap<String, u64>,
    statistics: Option<Statistics>,
    generator: Option<&'static str>,
    seed: u64,
    sync_every: u64,
    engine: &'a Description,
    seconds: Seconds,
    version: &'static str,
}

#[derive(Debug, Serialize)]
struct Seconds {
    /// Time from opening the data to an engine that is ready: drawing or reading, upload, shaders.
    load: f64,
    /// All epochs, without those before a checkpoint.
    train: f64,
}

/// A reason not to believe the line.
#[derive(Debug, Serialize)]
struct Warning {
    /// Its kind: stays the same from version to version.
    code: &'static str,
    text: String,
}

fn warnings(outcome: &Outcome) -> Vec<Warning> {
    let doubt = outcome.warning.iter().map(|warning| Warning {
        code: warning.doubt.code(),
        text: warning.text(advice::remedy),
    });
    let cautions = outcome.quality.cautions.iter().map(|caution| Warning {
        code: caution.code(),
        text: caution.to_string(),
    });
    doubt.chain(cautions).collect()
}

impl<'a> Result<'a> {
    pub fn new(args: &Train, skipped: &Skipped, outcome: &'a Outcome) -> Self {
        let setup = &outcome.setup;
        let [x, y] = &outcome.names;
        Result {
            model: outcome.model,
            final_loss: outcome.loss,
            epochs: outcome.epochs,
            epochs_before: outcome.epochs_before,
            converged: outcome.converged,
            quality: &outcome.quality,
            errors: outcome.quality.uncertainty.ok(),
            errors_missing: outcome.quality.uncertainty.err().map(|why| why.to_string()),
            warnings: warnings(outcome),
            x_center: outcome.centered.x_center,
            y_center: outcome.centered.y_center,
            loss: setup.loss.name(),
            loss_parameter: setup.loss.parameter(),
            optimizer: setup.config.descent.optimizer(),
            schedule: setup.config.descent.schedule(),
            learning_rate: setup.learning_rate.map(|learning| learning.rate),
            learning_rate_limit: setup.learning_rate.and_then(|learning| learning.limit),
            standardized: setup.standardized,
            start: setup.start,
            data: &outcome.title,
            x,
            y,
            samples: outcome.samples,
            skipped: by_reason(skipped),
            statistics: outcome.statistics,
            generator: (!args.has_files()).then(|| args.synthetic.generator.name()),
            seed: args.synthetic.seed,
            sync_every: setup.config.sync_every,
            engine: &outcome.engine,
            seconds: Seconds {
                load: outcome.load.as_secs_f64(),
                train: outcome.train.as_secs_f64(),
            },
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}
