//! Steps along the gradient, and the running sums that momentum and Adam keep of it.

use serde::{Deserialize, Serialize};

use super::descent::{Optimizer, Schedule};
use crate::model::{Model, Seen};

/// The share of the velocity that momentum keeps per epoch, and of the mean gradient that Adam keeps (β₁).
pub const MOMENTUM: f64 = 0.9;
/// The share of the mean squared gradient that Adam keeps per epoch (β₂).
const SECOND: f64 = 0.999;
/// Adam's ε, which prevents a division by 0; far below any gradient that carries information.
const EPSILON: f64 = 1e-8;
/// The epochs after which [`Schedule::InverseTime`] has halved the learning rate.
const HALF_LIFE: f64 = 100.0;
/// The growth of [`Schedule::Adaptive`]'s rate after an epoch that improved the loss.
///
/// A failed epoch halves the rate and gains nothing. Since 1.1^7.3 = 2, at worst about one epoch in eight is lost.
const GROWTH: f64 = 1.1;

/// The state carried from one step to the next.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Steps {
    /// The learning rate of [`Schedule::Adaptive`], as a share of the first epoch's.
    share: f64,
    /// The steps since the moments were 0.
    remembered: u32,
    w: Moments,
    b: Moments,
}

/// Running sums of one parameter's gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Moments {
    /// Momentum's velocity, or Adam's mean gradient.
    first: f64,
    /// Adam's mean squared gradient.
    second: f64,
}

impl Steps {
    /// Returns the state before the first step.
    pub fn new() -> Self {
        Steps {
            share: 1.0,
            remembered: 0,
            w: Moments::default(),
            b: Moments::default(),
        }
    }

    /// Returns the line after an epoch, counted from 1, that evaluated `seen`; `best` is the best line so far.
    pub fn next(
        &mut self,
        optimizer: Optimizer,
        schedule: Schedule,
        learning_rate: f64,
        epoch: u64,
        seen: Seen,
        best: Seen,
    ) -> Model {
        let mut from = seen;
        let rate = match schedule {
            Schedule::Constant => learning_rate,
            Schedule::InverseTime => learning_rate / (1.0 + (epoch - 1) as f64 / HALF_LIFE),
            Schedule::Adaptive => {
                if seen.at.loss > best.at.loss {
                    from = best;
                    *self = Steps {
                        share: 0.5 * self.share,
                        ..Steps::new()
                    };
                } else if epoch > 1 {
                    self.share *= GROWTH;
                }
                learning_rate * self.share
            }
        };
        self.remembered = self.remembered.saturating_add(1);
        let step = Model {
            w: self.w.step(optimizer, from.at.dw, self.remembered),
            b: self.b.step(optimizer, from.at.db, self.remembered),
        };
        from.model - step * rate
    }
}

impl Moments {
    /// Returns the `step`-th step since the moments were 0, counted from 1.
    fn step(&mut self, optimizer: Optimizer, gradient: f64, step: u32) -> f64 {
        match optimizer {
            // `Descent::check` refuses steps of a cutting plane.
            Optimizer::Gd | Optimizer::CuttingPlane => gradient,
            Optimizer::Momentum => {
                self.first = MOMENTUM * self.first + gradient;
                self.first
            }
            Optimizer::Adam => {
                let step = step.min(i32::MAX as u32) as i32;
                self.first = MOMENTUM * self.first + (1.0 - MOMENTUM) * gradient;
                self.second = SECOND * self.second + (1.0 - SECOND) * gradient * gradient;
                let first = self.first / (1.0 - MOMENTUM.powi(step));
                let second = self.second / (1.0 - SECOND.powi(step));
                first / (second.sqrt() + EPSILON)
            }
        }
    }
}
