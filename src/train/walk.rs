//! What the descent carries from epoch to epoch.

use serde::{Deserialize, Serialize};

use super::cutting_plane::{CuttingPlane, rounded};
use super::descent::Descent;
use super::steps::Steps;
use super::stop::Idle;
use super::{Config, Epoch};
use crate::error::Error;
use crate::model::{Evaluation, Model};

/// Where a descent is: everything that its next epoch depends on beside the engine and the [`Config`].
///
/// All its numbers are finite, so it goes through JSON; what is read back goes on to the same bits. It can be kept after
/// any epoch; with `sync_every` above 1 the bits are the same from a multiple of that on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Walk {
    epochs: u64,
    model: Model,
    best: Option<Seen>,
    idle: Idle,
    state: State,
}

/// A line, and what an epoch saw there.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// The line.
    pub model: Model,
    /// The loss and its gradient there.
    pub at: Evaluation,
}

/// What each way down remembers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    Steps(Steps),
    CuttingPlane(CuttingPlane),
}

impl Walk {
    /// Before the first epoch.
    pub fn new(config: &Config) -> Self {
        let (model, state) = match config.descent {
            Descent::Steps { .. } => (config.start, State::Steps(Steps::new())),
            Descent::CuttingPlane { reach, .. } => {
                // A cut holds where the engine really was.
                let start = rounded(config.start);
                (start, State::CuttingPlane(CuttingPlane::new(start, reach)))
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

    /// How many epochs are done.
    pub fn epochs(&self) -> u64 {
        self.epochs
    }

    /// The line after them, at which the next one evaluates.
    pub fn model(&self) -> Model {
        self.model
    }

    /// The lowest loss that they have seen, and where; of the last line nothing is known yet. Of a cutting plane, the
    /// line that it holds to be the best: where f32 can't tell losses apart, gradients may.
    pub fn best(&self) -> Option<Seen> {
        self.best
    }

    /// Whether there is no more to gain, by what `config` says.
    pub fn has_converged(&self, config: &Config) -> bool {
        let done = match &self.state {
            State::Steps(_) => false,
            State::CuttingPlane(cutting_plane) => cutting_plane.done(),
        };
        done || self.idle.too_long(config.stop)
    }

    /// Ends an epoch that saw `at`; an engine that took the step itself says where to.
    ///
    /// # Errors
    /// [`Error::Diverged`] where a value is not finite; the walk is then still the one before the epoch.
    pub(super) fn end_epoch(
        &mut self,
        config: &Config,
        at: Evaluation,
        stepped: Option<Model>,
    ) -> Result<Epoch, Error> {
        let epoch = self.epochs + 1;
        let finite = |what, value: f64| finite(what, value, epoch, self.model);
        finite("the loss", at.loss)?;
        let seen = Seen {
            model: self.model,
            at,
        };
        let mut best = match self.best {
            Some(best) if best.at.loss <= at.loss => best,
            _ => seen,
        };
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
            (State::CuttingPlane(cutting_plane), Descent::CuttingPlane { fine, .. }) => {
                finite("the gradient", at.dw + at.db)?;
                let tolerance = config.stop.map_or(0.0, |stop| stop.tolerance);
                let next = cutting_plane.next(seen, tolerance, fine);
                best = cutting_plane.best(seen);
                next
            }
            _ => return Err(mismatch(config)),
        };
        self.best = Some(best);
        // Where gradients alone tell, a loss that doesn't improve says nothing.
        if !matches!(&self.state, State::CuttingPlane(cutting_plane) if cutting_plane.by_gradient())
        {
            self.idle.see(at.loss, config.stop);
        }
        self.epochs = epoch;
        self.model = next;
        Ok(Epoch {
            epoch,
            loss: at.loss,
            w: next.w,
            b: next.b,
            dw: at.dw,
            db: at.db,
        })
    }
}

pub(super) fn finite(what: &'static str, value: f64, epoch: u64, last: Model) -> Result<(), Error> {
    if value.is_finite() {
        Ok(())
    } else {
        Err(Error::Diverged { epoch, what, last })
    }
}

fn mismatch(config: &Config) -> Error {
    Error::Usage(format!(
        "a descent that began otherwise can't go on by {}: begin anew, or take the optimizer that it began with",
        config.descent.name()
    ))
}
