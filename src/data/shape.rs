//! The shape of the residuals of least squares: whether they curve, and whether one sample decides the slope.

use super::Block;
use super::statistics::{Statistics, ends, sums};
use crate::model::Centered;

/// Sums over the residuals of the line of least squares, with d as x's distance from its mean in units of its deviation.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    line: Centered,
    x_deviation: f64,
    samples: f64,
    /// Σ d³, Σ d⁴.
    powers: [f64; 2],
    /// Σ residual · (1, d, d²).
    products: [f64; 3],
    /// Σ residual².
    squares: f64,
    farthest: Farthest,
}

/// The sample whose x is the farthest from the mean.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Farthest {
    /// Its position, counted from 0.
    pub position: u64,
    /// Its x.
    pub x: f64,
    /// Its y.
    pub y: f64,
    distance: f64,
}

/// A bend of the data, as a parabola has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bend {
    /// The share of the squares that the line leaves which a parabola would take.
    pub share: f64,
    /// The degrees of freedom that are left to the parabola.
    pub degrees: f64,
    /// The coefficient of d² in units of its error.
    pub t: f64,
}

/// The line without the farthest sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Without {
    /// The sample.
    pub sample: Farthest,
    /// Its share in its own prediction, between 0 and 1.
    pub leverage: f64,
    /// The slope of least squares without it.
    pub slope: f64,
    /// The degrees of freedom that are left.
    pub degrees: f64,
    /// Its distance from the line without it, in units of that distance's error.
    pub t: f64,
}

impl Shape {
    /// Returns the sums over no samples, or `None` if x does not vary.
    pub fn new(statistics: &Statistics) -> Option<Self> {
        Some(Shape {
            line: statistics.centered_line()?,
            x_deviation: statistics.x_deviation(),
            samples: statistics.samples as f64,
            powers: [0.0; 2],
            products: [0.0; 3],
            squares: 0.0,
            farthest: Farthest::default(),
        })
    }

    /// Returns the slope of least squares.
    pub fn slope(&self) -> f64 {
        self.line.w
    }

    /// Adds the samples of a block, whose first has this position.
    pub fn add(&mut self, first: u64, block: &Block) {
        let (line, unit) = (self.line, 1.0 / self.x_deviation);
        let [cubes, fourths, sum, with_d, with_square, squares] = sums(block, |x, y| {
            let d = (x - line.x_center) * unit;
            let residual = line.predict(x) - y;
            let square = d * d;
            [
                square * d,
                square * square,
                residual,
                residual * d,
                residual * square,
                residual * residual,
            ]
        });
        let (least, greatest) = ends(&block.x);
        let [low, high] = [least, greatest].map(|x| (x - line.x_center) * unit);
        let (x, distance) = if high > -low {
            (greatest, high)
        } else {
            (least, low)
        };
        let at = block.x.iter().position(|value| *value == x).unwrap_or(0);
        self.join(&Shape {
            powers: [cubes, fourths],
            products: [sum, with_d, with_square],
            squares,
            farthest: Farthest {
                position: first + at as u64,
                x,
                y: block.y[at],
                distance,
            },
            ..*self
        });
    }

    /// Adds the sums of later samples.
    pub fn join(&mut self, other: &Self) {
        for (sum, other) in self.powers.iter_mut().zip(other.powers) {
            *sum += other;
        }
        for (sum, other) in self.products.iter_mut().zip(other.products) {
            *sum += other;
        }
        self.squares += other.squares;
        if other.farthest.distance.abs() > self.farthest.distance.abs() {
            self.farthest = other.farthest;
        }
    }

    /// Returns the bend by the test of a parabola against the line; `None` if nothing is left to either.
    pub fn bend(&self) -> Option<Bend> {
        let n = self.samples;
        let [cubes, fourths] = self.powers;
        let [sum, with_d, with_square] = self.products;
        // d² less what a line of d takes of it: 1 + (Σ d³ / n) d.
        let slope = cubes / n;
        let of_square = fourths - n - slope * cubes;
        let product = with_square - sum - slope * with_d;
        let degrees = n - 3.0;
        // With two values of x there is no parabola, and without residuals nothing to explain.
        if degrees < 1.0 || of_square <= 1e-9 * fourths || self.squares <= 0.0 {
            return None;
        }
        let share = (product * product / (of_square * self.squares)).min(1.0);
        Some(Bend {
            share,
            degrees,
            t: (share * degrees / (1.0 - share)).sqrt(),
        })
    }

    /// Returns the slope without the farthest sample; `None` if the others have no line, or no residuals.
    pub fn without_farthest(&self) -> Option<Without> {
        let n = self.samples;
        let Farthest { x, y, distance, .. } = self.farthest;
        let leverage = (1.0 + distance * distance) / n;
        let left = 1.0 - leverage;
        let degrees = n - 3.0;
        if degrees < 1.0 || left < 1e-9 {
            return None;
        }
        let residual = self.line.predict(x) - y;
        let squares = self.squares - residual * residual / left;
        if squares <= 1e-12 * self.squares {
            return None;
        }
        Some(Without {
            sample: self.farthest,
            leverage,
            slope: self.line.w + distance * residual / (n * left) / self.x_deviation,
            degrees,
            t: residual.abs() / (squares / degrees * left).sqrt(),
        })
    }
}
