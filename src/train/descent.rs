//! Which way down: the optimizers, their schedules, and what none of them needs.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::model::Model;

/// How one epoch's line follows from the lines before it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Descent {
    /// Steps along the gradient, or along what an optimizer makes of it.
    Steps {
        /// What it makes of it.
        optimizer: Optimizer,
        /// How the learning rate changes.
        schedule: Schedule,
        /// What the step is multiplied by in the first epoch; > 0.
        learning_rate: f64,
    },
    /// A cut by every epoch's gradient through the lines that may be the best, and on at the centre of gravity of what
    /// is left (Levin 1965, Newman 1965). For any loss that is convex in w and b, as all here are; it takes no learning
    /// rate, and what it ends with is the best line but for f32's rounding.
    CuttingPlane {
        /// How far from the start, in w and in b, the best line is looked for at first: half the sides of a box that
        /// grows where it has to; > 0.
        reach: Model,
        /// How far from the line that it ends with, in w and in b, the best one may lie; > 0. Finer than f32's rounding
        /// of the gradient it won't be, and coarser where the tolerance is above f32's rounding of the loss, 2^-22.
        fine: Model,
    },
}

/// What makes a step of the gradients so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Optimizer {
    /// The gradient itself: plain gradient descent.
    Gd,
    /// The heavy ball (Polyak 1964): v ← 0.9 v + gradient, and v is the step. At a constant gradient it walks ten
    /// times as fast as gradient descent, and it may overshoot: the loss may rise for a while.
    Momentum,
    /// Adam (Kingma and Ba 2015), with β₁ = 0.9, β₂ = 0.999, ε = 1e-8 and both moments corrected for their start at 0:
    /// of w and of b each a step of about the learning rate, whatever the gradient's size.
    Adam,
    /// The cutting plane.
    CuttingPlane,
}

/// How the learning rate changes from epoch to epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Schedule {
    /// It doesn't.
    Constant,
    /// Rate / (1 + (epoch − 1) / 100): as good as constant for the first dozen epochs, half at epoch 101, a tenth at
    /// 901. Its sum has no limit, so the best line is in reach, and a loss with corners ends up at rest.
    InverseTime,
    /// The bold driver (Battiti 1989): a tenth more after each epoch whose loss is no higher than the best so far. Where
    /// it is higher, the step was too long: back to the best line, half the rate, and nothing remembered of the steps
    /// before, so that the next one goes down the gradient there. The best line seen is the result.
    Adaptive,
}

impl Descent {
    /// The names of all ways down: the optimizers' and `cutting-plane`.
    pub const NAMES: [&str; 4] = ["gd", "momentum", "adam", "cutting-plane"];

    /// Plain gradient descent at a constant learning rate.
    pub fn gd(learning_rate: f64) -> Self {
        Descent::Steps {
            optimizer: Optimizer::Gd,
            schedule: Schedule::Constant,
            learning_rate,
        }
    }

    /// One of [`Descent::NAMES`].
    pub fn name(&self) -> &'static str {
        match self {
            Descent::Steps { optimizer, .. } => optimizer.name(),
            Descent::CuttingPlane { .. } => "cutting-plane",
        }
    }

    /// Whether an engine can take many such epochs at once, and at which learning rate.
    pub(super) fn in_batches(&self) -> Option<f64> {
        match *self {
            Descent::Steps {
                optimizer: Optimizer::Gd,
                schedule: Schedule::Constant,
                learning_rate,
            } => Some(learning_rate),
            Descent::Steps { .. } | Descent::CuttingPlane { .. } => None,
        }
    }

    /// Whether the best line seen is the result, not the last one.
    pub(super) fn keeps_the_best(&self) -> bool {
        match self {
            Descent::Steps { schedule, .. } => *schedule == Schedule::Adaptive,
            Descent::CuttingPlane { .. } => true,
        }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let positive = |what: &str, value: f64| {
            if value.is_finite() && value > 0.0 {
                Ok(())
            } else {
                Err(Error::Usage(format!(
                    "{what} must be a finite number above 0, not {value}"
                )))
            }
        };
        match *self {
            Descent::Steps { learning_rate, .. } => positive("the learning rate", learning_rate),
            Descent::CuttingPlane { reach, fine } => {
                positive("the reach in w", reach.w)?;
                positive("the reach in b", reach.b)?;
                positive("how fine w is wanted", fine.w)?;
                positive("how fine b is wanted", fine.b)
            }
        }
    }
}

impl Optimizer {
    /// All optimizers.
    pub const ALL: [Optimizer; 3] = [Optimizer::Gd, Optimizer::Momentum, Optimizer::Adam];

    /// The name that `--optimizer` takes.
    pub fn name(self) -> &'static str {
        match self {
            Optimizer::Gd => "gd",
            Optimizer::Momentum => "momentum",
            Optimizer::Adam => "adam",
            Optimizer::CuttingPlane => "cutting-plane",
        }
    }
}

impl Schedule {
    /// All schedules.
    pub const ALL: [Schedule; 3] = [
        Schedule::Constant,
        Schedule::InverseTime,
        Schedule::Adaptive,
    ];

    /// The name that `--schedule` takes.
    pub fn name(self) -> &'static str {
        match self {
            Schedule::Constant => "constant",
            Schedule::InverseTime => "inverse-time",
            Schedule::Adaptive => "adaptive",
        }
    }
}
