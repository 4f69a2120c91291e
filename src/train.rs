//! The host loop: full-batch descent over whatever engine it is given.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::engine::{Engine, Step};
use crate::error::Error;
use crate::model::Model;

mod cutting_plane;
mod descent;
mod polygon;
pub mod rate;
pub mod rough;
mod steps;
mod stop;
mod walk;

pub use self::descent::{Descent, Optimizer, Schedule};
pub use self::steps::MOMENTUM;
pub use self::stop::{PATIENCE, Stop, TOLERANCE};
pub use self::walk::{Seen, Walk};

/// How to train.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Config {
    /// How many epochs at the most, those before a break included.
    pub epochs: u64,
    /// The line before the first epoch.
    pub start: Model,
    /// How many epochs the engine is asked for at once. The host sees them, and divergence, and whoever wants to break
    /// off, only after so many. Above 1 for [`Descent::gd`] alone.
    pub sync_every: u64,
    /// Which way down.
    pub descent: Descent,
    /// When it has converged; none for all epochs, but for a cutting plane, which ends where it is sure.
    pub stop: Option<Stop>,
}

impl Config {
    /// Whether it makes sense.
    ///
    /// # Errors
    /// [`Error::Usage`] that says what doesn't.
    pub fn check(&self) -> Result<(), Error> {
        if self.sync_every > 1 && self.descent.in_batches().is_none() {
            return Err(Error::Usage(format!(
                "--sync-every {} leaves the steps to the device, which takes those of plain gradient descent at a \
                 constant learning rate (--optimizer gd, --schedule constant) and no others: leave out one or the other",
                self.sync_every
            )));
        }
        self.descent.check()?;
        self.stop.map_or(Ok(()), |stop| stop.check())
    }
}

/// One finished epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: u64,
    /// The loss that this epoch computed, before its update.
    pub loss: f64,
    /// w after the update.
    pub w: f64,
    /// b after the update.
    pub b: f64,
    /// d loss / d w, before the update.
    pub dw: f64,
    /// d loss / d b, before the update.
    pub db: f64,
}

impl Epoch {
    /// The line after the update.
    pub fn model(&self) -> Model {
        Model {
            w: self.w,
            b: self.b,
        }
    }
}

/// What training came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trained {
    /// The line after the last epoch; the best one seen where the descent keeps to that ([`Schedule::Adaptive`],
    /// [`Descent::CuttingPlane`]).
    pub model: Model,
    /// The loss at `model`.
    pub loss: f64,
    /// How many epochs are done, those before a break included.
    pub epochs: u64,
    /// From the first epoch's start to the last one's end, those before a break and what `watch` took left out.
    pub time: Duration,
    /// Why there are no more.
    pub ended: Ended,
}

/// Why a descent ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Ended {
    /// There is no more to gain: what [`Stop`] says, or a cutting plane that is sure.
    Converged,
    /// The epochs asked for are done, and there may be more to gain.
    OutOfEpochs,
    /// `watch` broke off.
    BrokenOff,
}

/// Walks down the loss from where `walk` is, telling `watch` of every epoch and of the walk after it; `watch` may break
/// off, which ends it after the batch in hand. A walk that was broken off, or came to an error, can go on.
///
/// # Errors
/// [`Error::Diverged`] as soon as the loss, w or b is not finite, [`Error::Usage`] for a configuration that makes no
/// sense or not with this walk, and what the engine says.
pub fn train(
    engine: &mut dyn Engine,
    config: &Config,
    walk: &mut Walk,
    watch: &mut dyn FnMut(&Epoch, &Walk) -> ControlFlow<()>,
) -> Result<Trained, Error> {
    config.check()?;
    let samples = engine.samples();
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
        if let Some(learning_rate) = config.descent.in_batches() {
            // Batches end where those of an unbroken walk do.
            let every = config.sync_every.max(1);
            let batch = (every - walk.epochs() % every).min(config.epochs - walk.epochs());
            engine.descend(walk.model(), learning_rate, batch, &mut steps)?;
            time += start.elapsed();
            for &Step { sums, model } in &steps {
                let epoch = walk.end_epoch(config, sums.means(samples), Some(model))?;
                // What the engine has computed is not thrown away.
                wanted &= watch(&epoch, walk).is_continue();
            }
        } else {
            let at = engine.evaluate(walk.model())?.means(samples);
            let epoch = walk.end_epoch(config, at, None)?;
            time += start.elapsed();
            wanted = watch(&epoch, walk).is_continue();
        }
    };
    let best = walk.best().filter(|_| config.descent.keeps_the_best());
    let (model, loss) = match best {
        Some(best) => (best.model, best.at.loss),
        None => {
            let loss = engine.evaluate(walk.model())?.means(samples).loss;
            walk::finite(
                "the loss after its update",
                loss,
                walk.epochs(),
                walk.model(),
            )?;
            (walk.model(), loss)
        }
    };
    Ok(Trained {
        model,
        loss,
        epochs: walk.epochs(),
        time,
        ended,
    })
}
