//! Training: full-batch descent over any engine, with the loop on the host.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::engine::{Engine, Step};
use crate::error::{Error, Setting};
use crate::model::{Evaluation, Model};

mod cutting_plane;
mod descent;
mod polygon;
pub mod rate;
mod robust_start;
mod steps;
mod stop;
mod walk;

pub use self::cutting_plane::MAX_ROUNDING;
pub use self::descent::{Descent, Optimizer, Schedule};
pub use self::robust_start::{DELTA_IN_NOISE, DEVIATION_OF_MEDIAN, RobustStart, least, sample};
pub use self::steps::MOMENTUM;
pub use self::stop::{PATIENCE, Stop, TOLERANCE};
pub use self::walk::Walk;

/// The options of [`train`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Config {
    /// The maximum number of epochs, including those before an interruption.
    pub epochs: u64,
    /// The line before the first epoch.
    pub start: Model,
    /// The number of epochs that the engine runs at once; above 1 for [`Descent::gd`] only.
    ///
    /// Only after that many epochs can the host see them, find divergence or stop.
    pub sync_every: u64,
    /// The kind of descent.
    pub descent: Descent,
    /// The convergence criterion; `None` to run all epochs. A cutting plane also ends by itself.
    pub stop: Option<Stop>,
}

impl Config {
    /// Checks that all values are in range and go together.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Usage`] for the first value that does not.
    pub fn check(&self) -> Result<(), Error> {
        if self.sync_every > 1 && self.descent.plain_rate().is_none() {
            return Err(Setting::Optimizer.error(format!(
                "{} needs a read-back every epoch, not every {}: a device can run only gd at a constant rate by itself",
                self.described(),
                self.sync_every
            )));
        }
        self.descent.check()?;
        self.stop.map_or(Ok(()), |stop| stop.check())
    }

    /// Returns the optimizer, with its schedule if that is not constant.
    fn described(&self) -> String {
        let optimizer = self.descent.optimizer();
        match self.descent.schedule() {
            None | Some(Schedule::Constant) => optimizer.to_string(),
            Some(schedule) => format!("{optimizer} with the {schedule} schedule"),
        }
    }
}

/// One finished epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// The epoch, counted from 1.
    pub epoch: u64,
    /// The loss before the update.
    pub loss: f64,
    /// w after the update.
    pub w: f64,
    /// b after the update.
    pub b: f64,
    /// d loss / d w before the update.
    pub dw: f64,
    /// d loss / d b before the update.
    pub db: f64,
}

impl Epoch {
    /// Returns the epoch with the line after its update and the evaluation before it.
    pub fn new(epoch: u64, Model { w, b }: Model, at: Evaluation) -> Self {
        let Evaluation { loss, dw, db } = at;
        Epoch {
            epoch,
            loss,
            w,
            b,
            dw,
            db,
        }
    }

    /// Returns the line after the update.
    pub fn model(&self) -> Model {
        let Epoch { w, b, .. } = *self;
        Model { w, b }
    }

    /// Returns the loss and its gradient before the update.
    pub fn evaluation(&self) -> Evaluation {
        let Epoch { loss, dw, db, .. } = *self;
        Evaluation { loss, dw, db }
    }
}

/// The result of [`train`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trained {
    /// The line after the last epoch, or the best one seen for [`Schedule::Adaptive`] and [`Descent::CuttingPlane`].
    pub model: Model,
    /// The loss at `model`.
    pub loss: f64,
    /// The number of finished epochs, including those before an interruption.
    pub epochs: u64,
    /// The time in this call's epochs, without that in `watch`.
    pub time: Duration,
    /// Why the descent ended.
    pub ended: Ended,
}

/// Why a descent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Ended {
    /// The criterion of [`Stop`] is met, or a cutting plane has no line left.
    Converged,
    /// All epochs are done, and there may be more to gain.
    OutOfEpochs,
    /// `watch` asked to stop.
    BrokenOff,
}

/// Trains from where `walk` is, and tells `watch` of every epoch and of the walk after it.
///
/// If `watch` returns [`ControlFlow::Break`], training ends after the current batch. A walk that was interrupted, or
/// that ended with an error, can be continued.
///
/// # Errors
/// - [`Error::Diverged`] as soon as the loss, w or b is not finite.
/// - [`Error::Setting`] or [`Error::Usage`] for options that are out of range or don't fit the walk.
/// - The engine's own errors.
pub fn train(
    engine: &mut dyn Engine,
    config: &Config,
    walk: &mut Walk,
    watch: &mut dyn FnMut(&Epoch, &Walk) -> ControlFlow<()>,
) -> Result<Trained, Error> {
    config.check()?;
    let samples = engine.samples();
    let batched_rate = config
        .descent
        .plain_rate()
        .filter(|_| config.sync_every > 1);
    let mut time = Duration::ZERO;
    let mut steps = Vec::new();
    let mut wanted = true;
    let ended = loop {
        if walk.has_converged(config) {
            break Ended::Converged;
        } else if walk.epochs() >= config.epochs {
            break Ended::OutOfEpochs;
        } else if !wanted {
            break Ended::BrokenOff;
        }
        let start = Instant::now();
        if let Some(learning_rate) = batched_rate {
            // Batches end at multiples of `sync_every`, also after an interruption.
            let batch = config.sync_every - walk.epochs() % config.sync_every;
            let batch = batch.min(config.epochs - walk.epochs());
            engine.descend(walk.model(), learning_rate, batch, &mut steps)?;
            time += start.elapsed();
            for &Step { sums, model } in &steps {
                let epoch = walk.end_epoch(config, sums.means(samples), Some(model))?;
                // The batch is computed, so all of it counts.
                wanted &= watch(&epoch, walk).is_continue();
            }
        } else {
            let at = engine.evaluate(walk.model())?.means(samples);
            let epoch = walk.end_epoch(config, at, None)?;
            time += start.elapsed();
            wanted = watch(&epoch, walk).is_continue();
        }
    };
    let (model, loss) = result(engine, config, walk)?;
    Ok(Trained {
        model,
        loss,
        epochs: walk.epochs(),
        time,
        ended,
    })
}

/// Returns the resulting line and its loss, which takes one more evaluation if the last line is the result.
fn result(engine: &mut dyn Engine, config: &Config, walk: &Walk) -> Result<(Model, f64), Error> {
    let best = walk.best().filter(|_| config.descent.keeps_the_best());
    if let Some(best) = best {
        return Ok((best.model, best.at.loss));
    }
    let (last, samples) = (walk.model(), engine.samples());
    let loss = engine.evaluate(last)?.means(samples).loss;
    walk::finite("the loss after its update", loss, walk.epochs(), last)?;
    Ok((last, loss))
}
