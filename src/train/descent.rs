//! The kinds of descent: optimizers, schedules and their parameters.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Setting};
use crate::model::Model;

/// The rule by which each epoch's line follows from the lines before it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Descent {
    /// Steps along the gradient, as an optimizer shapes them.
    Steps {
        /// The optimizer; not [`Optimizer::CuttingPlane`].
        optimizer: Optimizer,
        /// The schedule of the learning rate.
        schedule: Schedule,
        /// The learning rate of the first epoch; > 0.
        learning_rate: f64,
    },
    /// The cutting plane with centres of gravity (Levin 1965, Newman 1965).
    ///
    /// The gradient of each epoch rules out a half-plane of lines, and the next epoch evaluates the centre of what is
    /// left. It works for any loss that is convex in w and b, as all here are, and takes no learning rate. Its result
    /// is the best line up to the rounding of f32.
    CuttingPlane {
        /// Half the sides of the box around the start in which the best line is sought first; > 0. The box grows if
        /// needed.
        reach: Model,
        /// The distance in w and b within which the best line must be known; > 0.
        ///
        /// The rounding of the gradient in f32 limits it. It is ignored if the tolerance of the loss is above 2^-22,
        /// the rounding of the loss in f32.
        #[serde(rename = "fine")]
        tolerance: Model,
        /// `true` if the engine takes lines as they are; else they are rounded to f32, as it would do.
        exact: bool,
    },
}

/// The method that turns gradients into the next line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Optimizer {
    /// Gradient descent: learning rate × gradient
    Gd,
    /// Gradient descent that keeps 0.9 of the previous step
    ///
    /// The heavy ball (Polyak 1964): v ← 0.9 v + gradient, and v is the step. At a constant gradient it moves ten times
    /// as fast as gradient descent. It may overshoot, so that the loss rises for a while.
    Momentum,
    /// Steps scaled by running moments of the gradient
    ///
    /// Adam (Kingma and Ba 2015) with β₁ = 0.9, β₂ = 0.999, ε = 1e-8 and bias correction. Each step of w and of b is
    /// about the learning rate, whatever the size of the gradient.
    Adam,
    /// Cuts by gradients that rule out half-planes of lines; no learning rate
    CuttingPlane,
}

/// The rule by which the learning rate changes from epoch to epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Schedule {
    /// The same rate in every epoch
    Constant,
    /// Rate / (1 + (epoch − 1) / 100)
    ///
    /// It is nearly constant for the first dozen epochs, half at epoch 101 and a tenth at epoch 901. Its sum is
    /// unbounded, so the best line stays in reach, and a descent on a loss with corners comes to rest.
    InverseTime,
    /// 1.1 times the rate after an improvement, half after a rise of the loss
    ///
    /// The bold driver (Battiti 1989). After a rise it returns to the best line, halves the rate and clears the
    /// optimizer's moments, so that the next step follows the gradient there. The result is the best line seen.
    Adaptive,
}

impl Descent {
    /// Returns plain gradient descent at a constant learning rate.
    pub fn gd(learning_rate: f64) -> Self {
        Descent::Steps {
            optimizer: Optimizer::Gd,
            schedule: Schedule::Constant,
            learning_rate,
        }
    }

    /// Returns the optimizer.
    pub fn optimizer(&self) -> Optimizer {
        match self {
            Descent::Steps { optimizer, .. } => *optimizer,
            Descent::CuttingPlane { .. } => Optimizer::CuttingPlane,
        }
    }

    /// Returns the schedule of the learning rate, or `None` for the cutting plane, which has no rate.
    pub fn schedule(&self) -> Option<Schedule> {
        match self {
            Descent::Steps { schedule, .. } => Some(*schedule),
            Descent::CuttingPlane { .. } => None,
        }
    }

    /// Returns the learning rate of plain gradient descent, which an engine can run for many epochs at once.
    ///
    /// Returns `None` for all other descents.
    pub(crate) fn plain_rate(&self) -> Option<f64> {
        match *self {
            Descent::Steps {
                optimizer: Optimizer::Gd,
                schedule: Schedule::Constant,
                learning_rate,
            } => Some(learning_rate),
            Descent::Steps { .. } | Descent::CuttingPlane { .. } => None,
        }
    }

    /// Returns whether the result is the best line seen rather than the last one.
    pub(super) fn keeps_the_best(&self) -> bool {
        matches!(self.schedule(), None | Some(Schedule::Adaptive))
    }

    /// Checks that all values are in range.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Usage`] for the first value that is not.
    pub fn check(&self) -> Result<(), Error> {
        match *self {
            Descent::Steps {
                optimizer: Optimizer::CuttingPlane,
                ..
            } => Err(Setting::Optimizer
                .error("cutting-plane takes no steps: use the descent of that name")),
            Descent::Steps { learning_rate, .. } if !is_positive(learning_rate) => {
                Err(Setting::LearningRate.error(format!(
                    "must be a finite number above 0, not {learning_rate}"
                )))
            }
            Descent::Steps { .. } => Ok(()),
            Descent::CuttingPlane {
                reach, tolerance, ..
            } => {
                for (what, value) in [
                    ("reach in w", reach.w),
                    ("reach in b", reach.b),
                    ("tolerance in w", tolerance.w),
                    ("tolerance in b", tolerance.b),
                ] {
                    if !is_positive(value) {
                        return Err(Error::Usage(format!(
                            "the cutting plane's {what} must be a finite number above 0, not {value}"
                        )));
                    }
                }
                Ok(())
            }
        }
    }
}

fn is_positive(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

impl fmt::Display for Optimizer {
    /// Writes the name under which it is serialised: `gd`, `cutting-plane`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for Schedule {
    /// Writes the name under which it is serialised: `constant`, `inverse-time`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
