//! Settings of a bench, as its files name them.

use fall_line::bench::{BenchPlan, Contestant, MODEL};
use fall_line::engine::Storage;
use fall_line::model::Model;
use serde::Serialize;

use crate::cli::Bench;

/// Settings of the run.
#[derive(Debug, Serialize)]
pub struct Settings {
    /// Number of the fixed suite, if one was asked for.
    pub suite: Option<u8>,
    pub samples: Vec<u64>,
    pub loss: &'static str,
    /// δ of huber, or τ of quantile.
    pub loss_parameter: Option<f64>,
    #[serde(skip)]
    pub loss_text: String,
    /// True if gpu-batched is timed.
    #[serde(skip)]
    pub batched: bool,
    pub seed: u64,
    pub generator: &'static str,
    pub storage: Storage,
    /// Number of rounds.
    pub runs: usize,
    pub min_time_seconds: f64,
    /// Number of epochs of `phases.answer`.
    pub epochs_to_answer: u64,
    /// The line at which every epoch is computed.
    pub model: Model,
}

impl Settings {
    pub fn new(args: &Bench, plan: &BenchPlan) -> Self {
        Settings {
            suite: args.suite,
            samples: plan.samples.clone(),
            loss: plan.loss.name(),
            loss_parameter: plan.loss.parameter(),
            loss_text: plan.loss.to_string(),
            batched: plan.contestants.contains(&Contestant::GpuBatched),
            seed: args.seed,
            generator: args.generator.name(),
            storage: plan.storage,
            runs: plan.runs,
            min_time_seconds: plan.min_time.as_secs_f64(),
            epochs_to_answer: plan.epochs_to_answer,
            model: MODEL,
        }
    }
}
