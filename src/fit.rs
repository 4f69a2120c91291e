//! Fits: from samples and options to a line, how good it is, and how it was found.
//!
//! [`fit()`] fits two slices. [`Fit`] fits any [`Source`] with any [`Options`]: [`Fit::run`] does all of it; whoever wants
//! to look in between takes its four steps one by one: [`Fit::prepare`], [`Prepared::load`], [`Loaded::descend`],
//! [`Loaded::conclude`].

use std::ops::ControlFlow;
use std::path::Path;

use crate::data::Source;
use crate::data::host::Columns;
use crate::engine;
use crate::error::Error;
use crate::loss::Loss;
use crate::train::{Epoch, Optimizer};

mod caution;
mod checkpoint;
mod every;
#[cfg(feature = "gpu")]
mod gpu;
mod least_squares;
mod load;
mod monitor;
mod options;
mod outcome;
mod over_ranks;
mod pass;
mod plan;
mod prepare;
mod quality;
mod reopened;
mod run;
mod setup;
mod surface;
mod vertex;

pub use self::caution::Caution;
pub use self::checkpoint::Checkpoint;
pub use self::every::Every;
pub use self::least_squares::LeastSquares;
pub use self::monitor::{Monitor, Notice, Phase, Silent};
pub use self::options::{Options, Rate};
pub use self::outcome::{Doubt, Outcome, Remedy, Warning};
pub use self::over_ranks::{Known, PlanOverRanks};
pub use self::plan::{Memory, Plan};
pub use self::prepare::Prepared;
pub use self::quality::Quality;
pub use self::run::Loaded;
pub use self::setup::{LearningRate, Setup, check_confidence};
pub use self::surface::{ALL_UP_TO, SIDE, Surface};
pub use crate::data::uncertainty::{Parameter, Uncertainty, Unknown, Variance};

/// Fits the line of least squares to two slices of one length, by gradient descent on standardised samples.
///
/// ```
/// let fit = fall_line::fit(&[1.0, 2.0, 3.0, 4.0], &[3.1, 4.9, 7.2, 8.8])?;
/// assert!((fit.model.w - 1.94).abs() < 1e-6);
/// assert!((fit.predict(5.0) - 10.85).abs() < 1e-5);
/// # Ok::<(), fall_line::Error>(())
/// ```
///
/// # Errors
/// [`Error::Lengths`], [`Error::Empty`], [`Error::Value`] for a value that is not finite, [`Error::ConstantX`] and
/// [`Error::Data`] for an x that varies too little, and those of the GPU engine if there is a hardware GPU.
pub fn fit<T: Copy + Into<f64> + Sync>(x: &[T], y: &[T]) -> Result<Outcome, Error> {
    Fit::new(Columns::new(x, y)?).run()
}

/// A fit that has not run yet: a source, options, and who is told of its progress.
pub struct Fit<'a> {
    source: Box<dyn Source + 'a>,
    options: Options,
    monitor: &'a dyn Monitor,
    on_epoch: Option<OnEpoch<'a>>,
}

/// Called after each epoch, in the data's units; may end the descent.
type OnEpoch<'a> = Box<dyn FnMut(&Epoch) -> ControlFlow<()> + 'a>;

impl<'a> Fit<'a> {
    /// Returns a fit of `source` with the default options.
    pub fn new(source: impl Source + 'a) -> Self {
        Self::with(source, Options::default())
    }

    /// Returns a fit of a file with just two numeric columns: CSV, Parquet or NPY. [`table::open`](crate::table::open)
    /// chooses among more columns.
    ///
    /// ```
    /// let fit = fall_line::Fit::file("tests/data/cars.csv")?.run()?;
    /// assert!((fit.model.w - 3.932409).abs() < 1e-5);
    /// # Ok::<(), fall_line::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`table::open`](crate::table::open).
    #[cfg(feature = "files")]
    pub fn file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let file = crate::table::open(path.as_ref(), &Default::default(), &|_| {})?;
        Ok(Self::new(file))
    }

    /// Returns a fit of `source` with these options.
    pub fn with(source: impl Source + 'a, options: Options) -> Self {
        Fit {
            source: Box::new(source),
            options,
            monitor: &Silent,
            on_epoch: None,
        }
    }

    /// Sets the loss function.
    pub fn loss(mut self, loss: Loss) -> Self {
        self.options.loss = loss;
        self
    }

    /// Sets the optimizer.
    pub fn optimizer(mut self, optimizer: Optimizer) -> Self {
        self.options.optimizer = Some(optimizer);
        self
    }

    /// Sets the learning rate.
    pub fn learning_rate(mut self, rate: f64) -> Self {
        self.options.learning_rate = Some(Rate::Given(rate));
        self
    }

    /// Sets the maximum number of epochs.
    pub fn epochs(mut self, epochs: u64) -> Self {
        self.options.epochs = Some(epochs);
        self
    }

    /// Sets whether samples are standardised.
    pub fn standardize(mut self, standardize: bool) -> Self {
        self.options.standardize = Some(standardize);
        self
    }

    /// Sets the engine.
    pub fn engine(mut self, engine: engine::Choice) -> Self {
        self.options.engine = engine;
        self
    }

    /// Sets the adapter of the GPU engine: part of its name, or its index.
    pub fn adapter(mut self, adapter: impl Into<String>) -> Self {
        self.options.adapter = Some(adapter.into());
        self
    }

    /// Writes checkpoints to a file.
    pub fn checkpoint(mut self, path: impl AsRef<Path>, every: Every) -> Self {
        self.options.checkpoint = Some(path.as_ref().to_owned());
        self.options.checkpoint_every = every;
        self
    }

    /// Goes on from a checkpoint.
    pub fn resume(mut self, checkpoint: Checkpoint) -> Self {
        self.options.resume = Some(checkpoint);
        self
    }

    /// Calls a function after each epoch, in the data's units; `Break` ends the descent there.
    pub fn on_epoch(mut self, watch: impl FnMut(&Epoch) -> ControlFlow<()> + 'a) -> Self {
        self.on_epoch = Some(Box::new(watch));
        self
    }

    /// Tells a monitor of the progress, and of what the user should know.
    pub fn monitor(mut self, monitor: &'a dyn Monitor) -> Self {
        self.monitor = monitor;
        self
    }

    /// Runs the fit.
    ///
    /// # Errors
    /// Those of [`Fit::prepare`], [`Prepared::load`] and [`Loaded::descend`]. What fails after a line was found is in
    /// [`Outcome::errors`].
    pub fn run(mut self) -> Result<Outcome, Error> {
        let mut watch = self
            .on_epoch
            .take()
            .unwrap_or_else(|| Box::new(|_| ControlFlow::Continue(())));
        let prepared = self.prepare()?;
        let mut loaded = prepared.load()?;
        let trained = loaded.descend(&mut watch)?;
        Ok(loaded.conclude(&trained))
    }
}
