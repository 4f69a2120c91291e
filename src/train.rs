//! The host loop: full-batch gradient descent over whatever engine it is given.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::engine::Engine;
use crate::error::Error;
use crate::model::{Evaluation, Model};

/// How to train.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// How many epochs at the most.
    pub epochs: u64,
    /// What the gradient is multiplied by.
    pub learning_rate: f64,
    /// The line before the first epoch.
    pub start: Model,
    /// How many epochs the engine is asked for at once. The host sees them, and divergence, and whoever wants to break
    /// off, only after so many.
    pub sync_every: u64,
}

/// One finished epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
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
    /// The line after the last epoch.
    pub model: Model,
    /// The loss at `model`.
    pub loss: f64,
    /// How many epochs were run: fewer than asked for if `watch` broke off.
    pub epochs: u64,
    /// From the first epoch's start to the last one's end, what `watch` took left out.
    pub time: Duration,
}

/// Walks down the loss, telling `watch` of every epoch; `watch` may break off, which ends it after the batch in hand.
///
/// # Errors
/// [`Error::Diverged`] as soon as the loss, w or b is not finite, and what the engine says.
pub fn train(
    engine: &mut dyn Engine,
    config: &Config,
    watch: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<Trained, Error> {
    let mut model = config.start;
    let mut time = Duration::ZERO;
    let mut epochs = 0;
    let mut steps = Vec::new();
    let mut wanted = true;
    while wanted && epochs < config.epochs {
        let start = Instant::now();
        let batch = config.sync_every.clamp(1, config.epochs - epochs);
        engine.descend(model, config.learning_rate, batch, &mut steps)?;
        time += start.elapsed();
        for step in &steps {
            let epoch = epochs + 1;
            let Evaluation { loss, dw, db } = step.sums.means(engine.samples());
            finite("the loss", loss, epoch, model)?;
            let Model { w, b } = step.model;
            for (what, value) in [("w", w), ("b", b)] {
                finite(what, value, epoch, model)?;
            }
            model = step.model;
            epochs = epoch;
            let heard = watch(&Epoch {
                epoch,
                loss,
                w,
                b,
                dw,
                db,
            });
            // What the engine has computed is not thrown away.
            wanted &= heard.is_continue();
        }
    }
    let loss = engine.evaluate(model)?.means(engine.samples()).loss;
    finite("the loss after its update", loss, epochs, model)?;
    Ok(Trained {
        model,
        loss,
        epochs,
        time,
    })
}

fn finite(what: &'static str, value: f64, epoch: u64, last: Model) -> Result<(), Error> {
    if value.is_finite() {
        Ok(())
    } else {
        Err(Error::Diverged { epoch, what, last })
    }
}
