//! The line, and what one epoch says about it.

use std::iter::Sum;
use std::ops::Add;

use serde::{Deserialize, Serialize};

/// The line `y = w*x + b`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// The slope, in units of y per unit of x.
    pub w: f64,
    /// The intercept, in units of y.
    pub b: f64,
}

impl Model {
    /// The prediction at `x`, in units of y.
    pub fn predict(&self, x: f64) -> f64 {
        self.w * x + self.b
    }
}

/// Sums over samples of the loss value and of its derivatives by w and by b.
///
/// Sums, not means: those of shards, threads and machines add up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sums {
    /// Σ loss value.
    pub loss: f64,
    /// Σ loss derivative · x.
    pub dw: f64,
    /// Σ loss derivative.
    pub db: f64,
}

impl Sums {
    /// The means over `samples` samples.
    pub fn means(self, samples: u64) -> Evaluation {
        let n = samples as f64;
        Evaluation {
            loss: self.loss / n,
            dw: self.dw / n,
            db: self.db / n,
        }
    }
}

impl Add for Sums {
    type Output = Sums;

    fn add(self, other: Sums) -> Sums {
        Sums {
            loss: self.loss + other.loss,
            dw: self.dw + other.dw,
            db: self.db + other.db,
        }
    }
}

impl Sum for Sums {
    fn sum<I: Iterator<Item = Sums>>(sums: I) -> Sums {
        sums.fold(Sums::default(), Add::add)
    }
}

/// The loss and its gradient at a model: means over the samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The mean loss value.
    pub loss: f64,
    /// d loss / d w.
    pub dw: f64,
    /// d loss / d b.
    pub db: f64,
}
