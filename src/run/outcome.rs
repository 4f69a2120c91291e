//! What training came to: printed, as JSON or saved.

use std::collections::BTreeMap;

use fall_line::data::statistics::Statistics;
use fall_line::engine::Description;
use fall_line::model::Model;
use fall_line::saved::{Metrics, Saved, Units};
use fall_line::table::rows::Skipped;
use fall_line::train::{Ended, Optimizer, Schedule, Trained};
use serde::Serialize;

use super::Run;
use super::truth::Truth;

/// What `fall-line train --format json` prints; lines and losses are in the data's units.
#[derive(Debug, Serialize)]
pub struct Outcome<'a> {
    /// The line.
    #[serde(flatten)]
    pub model: Model,
    /// The loss there.
    pub final_loss: f64,
    /// Epochs run, those before a checkpoint too.
    pub epochs: u64,
    /// Those before a checkpoint.
    pub epochs_before: u64,
    /// Whether nothing improved any more; none where nobody asked.
    pub converged: Option<bool>,
    #[serde(flatten)]
    pub truth: Truth,
    /// The loss's name.
    pub loss: &'static str,
    /// δ of huber, τ of quantile.
    pub loss_parameter: Option<f64>,
    pub optimizer: Optimizer,
    /// None for a cutting plane, as the two after it.
    pub schedule: Option<Schedule>,
    /// For x as the engine sees it: where it is standardised, of deviation 1.
    pub learning_rate: Option<f64>,
    /// Beyond which descent is not stable.
    pub learning_rate_limit: Option<f64>,
    pub standardized: bool,
    /// w and b before the first epoch.
    pub start: Model,
    /// What the data are.
    pub data: String,
    /// The columns.
    pub x: &'a str,
    pub y: &'a str,
    pub samples: u64,
    /// Rows left out, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// None where the samples never were on the host.
    pub statistics: Option<Statistics>,
    /// Who drew the samples, where nobody gave them.
    pub generator: Option<&'static str>,
    pub seed: u64,
    /// Epochs between two looks of the host.
    pub sync_every: u64,
    pub engine: &'a Description,
    pub seconds: Seconds,
    pub version: &'static str,
}

#[derive(Debug, Serialize)]
pub struct Seconds {
    /// From opening the data to an engine that is ready: drawing or reading, upload, shaders.
    pub load: f64,
    /// All epochs but those before a checkpoint.
    pub train: f64,
}

impl<'a> Outcome<'a> {
    pub fn new(run: &'a Run, trained: &Trained, truth: Truth) -> Self {
        let Run {
            args,
            opened,
            setup,
            statistics,
            engine,
            load,
            ..
        } = run;
        let config = &setup.config;
        let learning_rate = setup.learning_rate;
        let final_loss = setup.outside_loss(trained.loss);
        let converged = trained.ended == Ended::Converged && !truth.rules_out(final_loss);
        Outcome {
            model: setup.scaling.outside(trained.model),
            final_loss,
            epochs: trained.epochs,
            epochs_before: run.epochs_before,
            converged: setup.may_converge().then_some(converged),
            truth,
            loss: setup.loss.name(),
            loss_parameter: setup.loss.parameter(),
            optimizer: config.descent.optimizer(),
            schedule: config.descent.schedule(),
            learning_rate: learning_rate.map(|learning| learning.rate),
            learning_rate_limit: learning_rate.and_then(|learning| learning.limit),
            standardized: args.standardizes(),
            start: setup.start,
            data: opened.source.title(),
            x: &opened.x,
            y: &opened.y,
            samples: opened.source.samples(),
            skipped: by_reason(&opened.skipped),
            statistics: *statistics,
            generator: (!args.has_files()).then(|| args.synthetic.generator.name()),
            seed: args.synthetic.seed,
            sync_every: config.sync_every,
            engine,
            seconds: Seconds {
                load: load.as_secs_f64(),
                train: trained.time.as_secs_f64(),
            },
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    /// What `--save` writes.
    pub fn saved(&self) -> Saved {
        Saved {
            schema: Saved::SCHEMA.to_owned(),
            version: self.version.to_owned(),
            model: self.model,
            units: Units::new(self.x, self.y),
            loss: self.loss.to_owned(),
            loss_parameter: self.loss_parameter,
            data: self.data.clone(),
            statistics: self.statistics,
            metrics: Metrics {
                loss: self.final_loss,
                baseline_loss: self.truth.baseline_loss,
                fit: self.truth.fit,
            },
            epochs: self.epochs,
            converged: self.converged,
        }
    }
}

/// Why rows were left out, and how many.
pub fn by_reason(skipped: &Skipped) -> BTreeMap<String, u64> {
    let counts = skipped.counts.iter();
    counts
        .map(|(reason, count)| (reason.to_string(), *count))
        .collect()
}
