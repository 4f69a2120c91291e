//! Steps along the gradient, and what they remember of it.

use serde::{Deserialize, Serialize};

use super::descent::{Optimizer, Schedule};
use super::walk::Seen;
use crate::model::{Evaluation, Model};

/// What the heavy ball and Adam keep of the gradients before.
pub const MOMENTUM: f64 = 0.9;
/// What Adam keeps of their squares.
const SECOND: f64 = 0.999;
/// What keeps Adam from dividing by 0; far below every gradient that says something.
const EPSILON: f64 = 1e-8;
/// Epochs in which the learning rate of [`Schedule::InverseTime`] halves for the first time.
const HALF_LIFE: f64 = 100.0;
/// What [`Schedule::Adaptive`] does to the rate after a good epoch. Ten of them make up for a bad one's half, which
/// costs an epoch: so one in eleven is lost at the worst.
const GROWTH: f64 = 1.1;

/// What is carried from one step to the next.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Steps {
    /// The learning rate of [`Schedule::Adaptive`], as a share of the first epoch's.
    share: f64,
    /// Steps since the moments were 0.
    remembered: u32,
    w: Moments,
    b: Moments,
}

/// Running sums of one parameter's gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Moments {
    /// The heavy ball's velocity, or Adam's mean of the gradient.
    first: f64,
    /// Adam's mean of its square.
    second: f64,
}

impl Steps {
    pub(super) fn new() -> Self {
        Steps {
            share: 1.0,
            remembered: 0,
            w: Moments::default(),
            b: Moments::default(),
        }
    }

    /// The line after an epoch, counted from 1, that saw `seen`; `best` is the best of all so far.
    pub(super) fn next(
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
        let Evaluation { dw, db, .. } = from.at;
        Model {
            w: from.model.w - rate * self.w.step(optimizer, dw, self.remembered),
            b: from.model.b - rate * self.b.step(optimizer, db, self.remembered),
        }
    }
}

impl Moments {
    /// The `step`-th step since the moments were 0, counted from 1.
    fn step(&mut self, optimizer: Optimizer, gradient: f64, step: u32) -> f64 {
        match optimizer {
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
