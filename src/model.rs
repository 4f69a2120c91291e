//! The line and its loss.

use std::iter::Sum;
use std::ops::{Add, Mul, Sub};

use serde::{Deserialize, Serialize};
use wide::f64x4;

/// The line `y = w*x + b`, as a vector of its two parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// The slope, in units of y per unit of x.
    pub w: f64,
    /// The intercept, in units of y.
    pub b: f64,
}

impl Model {
    /// The line y = 0.
    pub const ZERO: Model = Model::both(0.0);

    /// Returns the line whose w and b are both `value`.
    pub const fn both(value: f64) -> Self {
        Model { w: value, b: value }
    }

    /// Returns the prediction at `x`, in units of y.
    pub fn predict(&self, x: f64) -> f64 {
        self.w * x + self.b
    }

    /// Applies a function to w and to b.
    pub fn map(self, mut f: impl FnMut(f64) -> f64) -> Self {
        Model {
            w: f(self.w),
            b: f(self.b),
        }
    }

    /// Returns the line that the engines evaluate: w and b rounded to f32.
    pub fn rounded(self) -> Self {
        self.map(|value| f64::from(value as f32))
    }

    /// Returns the sum of the products of the two vectors' parameters.
    pub fn dot(self, other: Model) -> f64 {
        self.w * other.w + self.b * other.b
    }

    /// Returns whether w and b are both finite.
    pub fn is_finite(&self) -> bool {
        self.w.is_finite() && self.b.is_finite()
    }
}

/// A line by its value at a center of x: y = y_center + w·(x − x_center).
///
/// For timestamps it keeps digits that w and b in f64 lose: b is then far greater than any y.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Centered {
    /// The slope, in units of y per unit of x.
    pub w: f64,
    /// The center of x.
    pub x_center: f64,
    /// The prediction there, in units of y.
    pub y_center: f64,
}

impl Centered {
    /// Returns the prediction at `x`, in units of y.
    pub fn predict(&self, x: f64) -> f64 {
        self.y_center + self.w * (x - self.x_center)
    }

    /// Returns the way to another line: the change of the slope, and that of the level at this line's center.
    pub(crate) fn step_to(&self, other: Centered) -> Model {
        Model {
            w: other.w - self.w,
            b: other.predict(self.x_center) - self.y_center,
        }
    }

    /// Returns the predictions at four x.
    #[inline(always)]
    pub(crate) fn predict_lanes(&self, x: f64x4) -> f64x4 {
        (x - self.x_center) * self.w + self.y_center
    }

    /// Returns the line by w and b, rounded to f64.
    pub fn model(&self) -> Model {
        Model {
            w: self.w,
            b: self.y_center - self.w * self.x_center,
        }
    }
}

impl From<Model> for Centered {
    /// Centers the line at x = 0.
    fn from(Model { w, b }: Model) -> Self {
        Centered {
            w,
            x_center: 0.0,
            y_center: b,
        }
    }
}

impl Add for Model {
    type Output = Model;

    fn add(self, other: Model) -> Model {
        Model {
            w: self.w + other.w,
            b: self.b + other.b,
        }
    }
}

impl Sub for Model {
    type Output = Model;

    fn sub(self, other: Model) -> Model {
        Model {
            w: self.w - other.w,
            b: self.b - other.b,
        }
    }
}

impl Mul<f64> for Model {
    type Output = Model;

    fn mul(self, factor: f64) -> Model {
        self.map(|value| value * factor)
    }
}

/// Sums over samples of the loss value and of its derivatives by w and by b.
///
/// Sums of shards, threads and machines add up; means would not.
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
    /// Returns the means over `samples` samples.
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

/// Adds parts to sums, each to its own.
pub(crate) fn add_each(sums: &mut [f64], parts: impl IntoIterator<Item = f64>) {
    for (sum, part) in sums.iter_mut().zip(parts) {
        *sum += part;
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

impl Evaluation {
    /// Returns the gradient as a vector in the plane of w and b.
    pub fn gradient(&self) -> Model {
        Model {
            w: self.dw,
            b: self.db,
        }
    }
}

/// A line that was evaluated, with the loss and its gradient there.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// The line.
    pub model: Model,
    /// The loss and its gradient at the line.
    pub at: Evaluation,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_centered_line_is_the_line_by_its_w_and_b() {
        let line = Centered {
            w: 3.0,
            x_center: 10.0,
            y_center: 7.0,
        };
        assert_eq!(line.model(), Model { w: 3.0, b: -23.0 });
        for x in [-4.0, 10.0, 12.0] {
            assert_eq!(line.predict(x), line.model().predict(x));
            assert_eq!(
                line.predict_lanes(f64x4::splat(x)).to_array(),
                [line.predict(x); 4]
            );
            assert_eq!(Centered::from(line.model()).predict(x), line.predict(x));
        }
        let other = Centered {
            w: 5.0,
            x_center: 2.0,
            y_center: 1.0,
        };
        // At 10, the other line is at 41.
        assert_eq!(line.step_to(other), Model { w: 2.0, b: 34.0 });
    }

    #[test]
    fn lines_and_sums_add_up_by_their_parts() {
        let (one, other) = (Model { w: 2.0, b: 3.0 }, Model { w: 5.0, b: 11.0 });
        assert_eq!(one + other, Model { w: 7.0, b: 14.0 });
        assert_eq!(one - other, Model { w: -3.0, b: -8.0 });
        assert_eq!(one * 4.0, Model { w: 8.0, b: 12.0 });
        assert_eq!(one.dot(other), 43.0);
        assert_eq!(Model { w: 0.1, b: 0.5 }.rounded().w, f64::from(0.1_f32));
        let nan = f64::NAN;
        assert!(one.is_finite());
        assert!(!Model { w: nan, b: 0.0 }.is_finite() && !Model { w: 0.0, b: nan }.is_finite());
        let sums = [2.0, 4.0].map(|n| Sums {
            loss: n,
            dw: 2.0 * n,
            db: 3.0 * n,
        });
        let means = sums.into_iter().sum::<Sums>().means(4);
        assert_eq!([means.loss, means.dw, means.db], [1.5, 3.0, 4.5]);
        assert_eq!(means.gradient(), Model { w: 3.0, b: 4.5 });
    }
}
