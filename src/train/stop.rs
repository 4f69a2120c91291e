//! The criteria by which a descent has converged.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Setting};

/// The default tolerance of [`Stop`], as a share of the loss.
///
/// It is far below what f32 sums can resolve, 1e-7 of the loss. Progress adds up over the patience, and while the loss
/// sinks, rounding still lets it fall below its lowest value now and then.
pub const TOLERANCE: f64 = 1e-9;
/// The default patience of [`Stop`], in epochs.
///
/// Momentum's loss rises and falls as the line swings. Momentum keeps 0.9 of its velocity, so 60 epochs leave 0.2 % of
/// it and no relevant swing takes longer. Suppose each epoch gains a share q of what is left. A hundred epochs that
/// gain less than 1e-9 of the loss then leave less than 1e-9 / (100 q) of it.
pub const PATIENCE: u64 = 100;

/// The convergence criterion: a number of successive epochs that don't improve the loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stop {
    /// The share by which the loss must fall below that of the last improving epoch to count as improved; ≥ 0, < 1.
    pub tolerance: f64,
    /// The number of epochs without improvement after which the descent ends; at least 1.
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
    /// Checks that both values are in range.
    ///
    /// # Errors
    /// [`Setting::Tolerance`]'s or [`Setting::Patience`]'s error if one is not.
    pub fn check(&self) -> Result<(), Error> {
        if !(0.0..1.0).contains(&self.tolerance) {
            return Err(Setting::Tolerance.error(format!(
                "must be a share of the loss from 0 to below 1, not {}",
                self.tolerance
            )));
        }
        if self.patience == 0 {
            return Err(Setting::Patience.error("must be at least 1 epoch"));
        }
        Ok(())
    }
}

/// The count of epochs since the loss last improved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Idle {
    /// The loss of the last epoch that improved it. It may be above the lowest loss, so that slow progress adds up.
    mark: Option<f64>,
    /// The epochs since then.
    epochs: u64,
}

impl Idle {
    /// Records the loss of an epoch.
    pub fn record(&mut self, loss: f64, stop: Option<Stop>) {
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

    /// Returns whether the patience is used up; never without a criterion.
    pub fn exceeds_patience(&self, stop: Option<Stop>) -> bool {
        stop.is_some_and(|stop| self.epochs >= stop.patience)
    }
}
