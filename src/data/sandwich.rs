//! Sums that the variance of a line is estimated from.

use super::Block;
use super::statistics::sums;
use crate::model::Model;

/// Sums over the samples of (1, d, d²), each weighted, where d is x's distance from its mean in units of its deviation.
///
/// With A as the matrix of the first sums and B as that of the second, the variance of a line is A⁻¹ B A⁻¹ (Huber 1967).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sandwich {
    /// A: weighted by the second derivative of the loss.
    pub bread: [f64; 3],
    /// B: weighted by the square of the first derivative.
    pub meat: [f64; 3],
}

/// One sample's part of a [`Sandwich`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Slice {
    /// x's distance from its mean in units of its deviation.
    pub distance: f64,
    /// The second derivative of the loss at the residual.
    pub curvature: f64,
    /// The first derivative.
    pub slope: f64,
}

/// The variances of a line's level at the mean of x and of its slope, with x in units of its deviation, and their covariance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Variances {
    /// The variance of the slope and that of the level.
    pub of: Model,
    /// The covariance.
    pub between: f64,
}

impl Sandwich {
    /// Adds the samples of a block.
    pub fn add(&mut self, block: &Block, slice: impl Fn(f64, f64) -> Slice) {
        let sums = sums(block, |x, y| {
            let Slice {
                distance,
                curvature,
                slope,
            } = slice(x, y);
            let (square, weight) = (distance * distance, slope * slope);
            [
                curvature,
                curvature * distance,
                curvature * square,
                weight,
                weight * distance,
                weight * square,
            ]
        });
        let [bread @ .., _, _, _] = sums;
        let [_, _, _, meat @ ..] = sums;
        self.join(&Sandwich { bread, meat });
    }

    /// Adds the sums of other samples.
    pub fn join(&mut self, other: &Self) {
        for (sums, others) in [(&mut self.bread, other.bread), (&mut self.meat, other.meat)] {
            for (sum, other) in sums.iter_mut().zip(others) {
                *sum += other;
            }
        }
    }

    /// Returns A⁻¹ B A⁻¹, or `None` if A has no inverse or a sum is not finite.
    pub fn variances(&self) -> Option<Variances> {
        let [a, b, c] = self.bread;
        let determinant = a * c - b * b;
        // Of two equal numbers of 53 bits the difference is rounding.
        if determinant.is_nan() || determinant <= 1e-12 * (a * c).abs() {
            return None;
        }
        // The rows of A⁻¹: first for the level, then for the slope.
        let level = [c / determinant, -b / determinant];
        let slope = [-b / determinant, a / determinant];
        let product = |[p, q]: [f64; 2], [r, s]: [f64; 2]| {
            let [one, two, three] = self.meat;
            p * r * one + (p * s + q * r) * two + q * s * three
        };
        let variances = Variances {
            of: Model {
                w: product(slope, slope),
                b: product(level, level),
            },
            between: product(level, slope),
        };
        variances.of.is_finite().then_some(variances)
    }
}
