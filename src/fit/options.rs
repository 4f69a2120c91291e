//! The options of a fit.

use std::path::PathBuf;

use super::checkpoint::Checkpoint;
use super::every::Every;
use crate::data::Source;
use crate::data::synthetic::{Generator, Recipe};
use crate::data::uncertainty::Variance;
use crate::engine::{self, Chosen, Storage, not_in_batches};
use crate::error::{Error, Setting, counted};
use crate::loss::Loss;
use crate::train::{Optimizer, Schedule};

/// The options of a fit. The default fits the right line: by `mse`, on standardised samples, at the best rate.
///
/// `None` stands for a default that depends on the data: on samples of one's own, or on synthetic ones.
#[derive(Debug)]
pub struct Options {
    /// Loss function.
    pub loss: Loss,
    /// `true` if δ of huber is in units of the bulk's noise: 1.4826 times the median distance from the median line.
    pub delta_in_noise: bool,
    /// Optimizer. Default: gradient descent; the cutting plane for one's own samples and another loss than `mse`.
    pub optimizer: Option<Optimizer>,
    /// Learning rate. Default: automatic; 0.1 for synthetic samples.
    pub learning_rate: Option<Rate>,
    /// Schedule of the learning rate. Default: constant; adaptive for losses with corners at an automatic rate.
    pub schedule: Option<Schedule>,
    /// Accepts a learning rate above the limit of stability.
    pub force: bool,
    /// Epochs between two read-backs; above 1, the line stays on the GPU in between.
    pub sync_every: u64,
    /// Maximum number of epochs. Default: 2,000; 50 for synthetic samples.
    pub epochs: Option<u64>,
    /// Relative improvement of the loss below which an epoch counts as idle; 0 never ends a run early. Default: 1e-9; 0
    /// for synthetic samples.
    pub tolerance: Option<f64>,
    /// Idle epochs in succession that end a run. Default: 10 for gradient descent at a constant rate, else 100.
    pub patience: Option<u64>,
    /// Standardises the samples in f64 before they are cast to f32. Default: true; false for synthetic samples.
    pub standardize: Option<bool>,
    /// w before the first epoch. Default: 0, or the robust start's; a normal draw for samples that are not standardised.
    pub start_w: Option<f64>,
    /// Seed of the line before the first epoch, for one's own samples that are not standardised.
    pub seed: u64,
    /// b before the first epoch. Default: the mean of y, or the robust start's; a normal draw for samples that are not
    /// standardised.
    pub start_b: Option<f64>,
    /// Engine.
    pub engine: engine::Choice,
    /// Part of an adapter's name, or its index, or several (`0,1`, `all`); asks for the GPU engine.
    pub adapter: Option<String>,
    /// Shares of the samples that several adapters take, in any unit. Default: by their measured speeds; else equal.
    pub shares: Option<Vec<f64>>,
    /// Storage format of the samples on a GPU.
    pub storage: Storage,
    /// Measures which division of the work suits the adapter, once.
    pub tune: bool,
    /// Bytes of device memory for samples. The rest is uploaded again each epoch. Default: what the adapter gives.
    pub device_memory: Option<u64>,
    /// Keeps every epoch in [`Outcome::history`](super::Outcome::history), and in checkpoints.
    pub history: bool,
    /// Measures goodness of fit and baseline after the descent: one more pass over the samples.
    pub measure: bool,
    /// The estimate of the line's errors; `None` for the loss's default.
    pub variance: Option<Variance>,
    /// The confidence of their intervals, between 0 and 1.
    pub confidence: f64,
    /// File of the checkpoint.
    pub checkpoint: Option<PathBuf>,
    /// Time or epochs between two checkpoints.
    pub checkpoint_every: Every,
    /// Checkpoint to go on from.
    pub resume: Option<Checkpoint>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            loss: Loss::Mse,
            delta_in_noise: false,
            optimizer: None,
            learning_rate: None,
            schedule: None,
            force: false,
            sync_every: 1,
            epochs: None,
            tolerance: None,
            patience: None,
            standardize: None,
            start_w: None,
            start_b: None,
            seed: Recipe::default().seed,
            engine: engine::Choice::Auto,
            adapter: None,
            shares: None,
            storage: Storage::F32,
            tune: true,
            device_memory: None,
            history: true,
            measure: true,
            variance: None,
            confidence: 0.95,
            checkpoint: None,
            checkpoint_every: Every::MINUTE,
            resume: None,
        }
    }
}

/// A learning rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// The best constant rate that the data allow.
    Auto,
    /// This rate.
    Given(f64),
}

impl Options {
    /// Finds the engine, before any data are read.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] if no adapter fits, [`Error::Setting`] for an option that the engine can't follow.
    pub fn choose_engine(&self) -> Result<Chosen, Error> {
        let chosen = engine::choose(self.engine, self.adapter.as_deref())?;
        if chosen.adapters() > 1 && self.sync_every > 1 {
            return Err(not_in_batches("adapters"));
        }
        if let Some(shares) = &self.shares {
            let sum: f64 = shares.iter().sum();
            if shares.len() != chosen.adapters() || chosen.adapters() < 2 {
                return Err(Setting::Shares.error(format!(
                    "must be one number for each of several adapters, not {} for {}",
                    counted(shares.len() as u64, "number"),
                    counted(chosen.adapters() as u64, "adapter"),
                )));
            }
            if !shares.iter().all(|share| *share > 0.0) || !sum.is_finite() {
                return Err(Setting::Shares.error("must be finite numbers above 0"));
            }
        }
        if !chosen.is_gpu() {
            let refused = if self.sync_every > 1 {
                Setting::SyncEvery
            } else if self.storage == Storage::F16 {
                Setting::Storage
            } else if self.device_memory.is_some() {
                Setting::DeviceMemory
            } else {
                return Ok(chosen);
            };
            return Err(refused.error(
                "is an option of the GPU engine, and this is the CPU engine: choose the GPU engine, or leave it out",
            ));
        }
        Ok(chosen)
    }

    /// Returns whether engines see standardised samples of this source.
    pub fn standardizes(&self, source: &dyn Source) -> bool {
        self.standardize.unwrap_or(source.synthetic().is_none())
    }

    /// Returns whether an option was given that only steps along the gradient have.
    pub fn asks_for_steps(&self) -> bool {
        self.learning_rate.is_some() || self.schedule.is_some() || self.sync_every > 1
    }
}

/// Returns whether the GPU is to draw the samples of this source itself.
pub fn is_drawn_on_the_device(source: &dyn Source, chosen: &Chosen) -> bool {
    chosen.is_gpu()
        && source
            .synthetic()
            .is_some_and(|synthetic| synthetic.generator == Generator::Device)
}
