//! When a descent has converged.

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// [`Stop::default`]'s tolerance: far below what f32 sums can tell (some 1e-7 of the loss), because progress adds up
/// over the patience, and because a loss read with noise still falls below its lowest now and then while it sinks.
pub const TOLERANCE: f64 = 1e-9;
/// [`Stop::default`]'s patience. A heavy ball's loss rises and falls while the ball swings: where it keeps 0.9 of its
/// velocity, 60 epochs leave 0.2 % of it, so no swing that counts takes longer. And where each epoch gains a share q of
/// what is left, a hundred that gain less than 1e-9 of the loss leave less than 1e-9 / (100 q) of it to gain.
pub const PATIENCE: u64 = 100;

/// What counts as converged: so many epochs in succession that did not improve the loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stop {
    /// An epoch improves the loss if it is below that of the last epoch that did by more than this share of it; ≥ 0.
    pub tolerance: f64,
    /// How many epochs that don't improve it are too many; at least 1.
    pub patience: u64,
}

impl Default for Stop {
    fn default() -> Self {
        Stop {
            tolerance: TOLERANCE,
            patience: PATIENCE,
        }
    }
}

impl Stop {
    pub(super) fn check(&self) -> Result<(), Error> {
        if !(0.0..1.0).contains(&self.tolerance) {
            return Err(Error::Usage(format!(
                "the tolerance must be a share from 0 to below 1, not {}",
                self.tolerance
            )));
        }
        if self.patience == 0 {
            return Err(Error::Usage(
                "the patience must be at least 1 epoch".to_owned(),
            ));
        }
        Ok(())
    }
}

/// How long the loss has not improved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Idle {
    /// The loss of the last epoch that improved it. Not the lowest: so slow progress adds up.
    mark: Option<f64>,
    /// Epochs since.
    epochs: u64,
}

impl Idle {
    pub(super) fn see(&mut self, loss: f64, stop: Option<Stop>) {
        let tolerance = stop.map_or(0.0, |stop| stop.tolerance);
        match self.mark {
            Some(mark) if loss >= mark - tolerance * mark.abs() => self.epochs += 1,
            _ => {
                *self = Idle {
                    mark: Some(loss),
                    epochs: 0,
                };
            }
        }
    }

    pub(super) fn too_long(&self, stop: Option<Stop>) -> bool {
        stop.is_some_and(|stop| self.epochs >= stop.patience)
    }
}
