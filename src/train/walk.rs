//! The state that a descent carries from epoch to epoch.

use serde::{Deserialize, Serialize};

use super::cutting_plane::CuttingPlane;
use super::descent::Descent;
use super::steps::Steps;
use super::stop::Idle;
use super::{Config, Epoch};
use crate::error::{Error, Setting};
use crate::model::{Evaluation, Model, Seen};

/// The state of a descent: everything its next epoch depends on apart from the engine and the [`Config`].
///
/// All its numbers are finite, so JSON can hold it, and a state read back leads to the same bits. It can be saved after
/// any epoch; with `sync_every` above 1 the bits are the same from a multiple of that on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Walk {
    epochs: u64,
    model: Model,
    best: Option<Seen>,
    idle: Idle,
    state: State,
}

/// The state of one kind of descent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    Steps(Steps),
    CuttingPlane(CuttingPlane),
}

impl Walk {
    /// Returns the state before the first epoch.
    pub fn new(config: &Config) -> Self {
        let (model, state) = match config.descent {
            Descent::Steps { .. } => (config.start, State::Steps(Steps::new())),
            Descent::CuttingPlane { reach, exact, .. } => {
                // A cut must go through the line that the engine really evaluates.
                let start = if exact {
                    config.start
                } else {
                    config.start.rounded()
                };
                let plane = CuttingPlane::new(start, reach, exact);
                (start, State::CuttingPlane(plane))
            }
        };
        Walk {
            epochs: 0,
            model,
            best: None,
            idle: Idle::default(),
            state,
        }
    }

    /// Returns the number of finished epochs.
    pub fn epochs(&self) -> u64 {
        self.epochs
    }

    /// Returns the line after the last epoch, which the next one evaluates.
    pub fn model(&self) -> Model {
        self.model
    }

    /// Returns the best line evaluated so far, or `None` before the first epoch; [`Walk::model`] is not evaluated yet.
    ///
    /// The best line has the lowest loss. If several losses of a cutting plane are equal in f32, gradients decide.
    pub fn best(&self) -> Option<Seen> {
        self.best
    }

    /// Returns whether the descent has converged by the criteria of `config`.
    pub fn has_converged(&self, config: &Config) -> bool {
        let done = match &self.state {
            State::Steps(_) => false,
            State::CuttingPlane(cutting_plane) => cutting_plane.done(),
        };
        done || self.idle.exceeds_patience(config.stop)
    }

    /// Ends an epoch that evaluated the current line; `stepped` is the next line if the engine took the step itself.
    ///
    /// # Errors
    /// [`Error::Diverged`] if a value is not finite, and [`Setting::Optimizer`]'s error if the descent is of another kind than
    /// this state. The state is unchanged then.
    pub(super) fn end_epoch(
        &mut self,
        config: &Config,
        at: Evaluation,
        stepped: Option<Model>,
    ) -> Result<Epoch, Error> {
        let epoch = self.epochs + 1;
        let finite = |what, value: f64| finite(what, value, epoch, self.model);
        finite("the loss", at.loss)?;
        let model = self.model;
        let seen = Seen { model, at };
        let mut best = match self.best {
            Some(best) if best.at.loss <= at.loss => best,
            _ => seen,
        };
        // Once gradients alone lead on, a loss that does not improve is no sign of convergence.
        let mut loss_counts = true;
        let next = match (&mut self.state, config.descent) {
            (
                State::Steps(steps),
                Descent::Steps {
                    optimizer,
                    schedule,
                    learning_rate,
                },
            ) => {
                let mut after = *steps;
                let next = stepped.unwrap_or_else(|| {
                    after.next(optimizer, schedule, learning_rate, epoch, seen, best)
                });
                finite("w", next.w)?;
                finite("b", next.b)?;
                *steps = after;
                next
            }
            (State::CuttingPlane(cutting_plane), Descent::CuttingPlane { tolerance, .. }) => {
                finite("the gradient", at.dw + at.db)?;
                let loss_tolerance = config.stop.map_or(0.0, |stop| stop.tolerance);
                let next = cutting_plane.next(seen, loss_tolerance, tolerance);
                best = cutting_plane.best(seen);
                loss_counts = !cutting_plane.by_gradient();
                next
            }
            _ => return Err(other_kind(config)),
        };
        if loss_counts {
            self.idle.record(at.loss, config.stop);
        }
        self.best = Some(best);
        self.epochs = epoch;
        self.model = next;
        Ok(Epoch::new(epoch, next, at))
    }
}

/// Checks that a value is finite.
///
/// # Errors
/// [`Error::Diverged`] if it is not.
pub fn finite(what: &'static str, value: f64, epoch: u64, last: Model) -> Result<(), Error> {
    if value.is_finite() {
        Ok(())
    } else {
        Err(Error::Diverged { epoch, what, last })
    }
}

fn other_kind(config: &Config) -> Error {
    Setting::Optimizer.error(format!(
        "{} can't continue a descent that another kind of optimizer began: start again, or keep the optimizer",
        config.descent.optimizer()
    ))
}
