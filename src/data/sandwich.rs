//! Sums that the variance of a line is estimated from.

use wide::f64x4;

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

/// Returns the terms of a [`Sandwich`] for four samples at these distances, where the loss has these second derivatives and these
/// first ones.
#[inline(always)]
pub(super) fn terms(distance: f64x4, curvature: f64x4, slope: f64x4) -> [f64x4; 6] {
    let (square, weight) = (distance * distance, slope * slope);
    [
        curvature,
        curvature * distance,
        curvature * square,
        weight,
        weight * distance,
        weight * square,
    ]
}

impl From<[f64; 6]> for Sandwich {
    /// Takes the sums of the six terms, those of the bread first.
    fn from(sums: [f64; 6]) -> Self {
        let [bread @ .., _, _, _] = sums;
        let [_, _, _, meat @ ..] = sums;
        Sandwich { bread, meat }
    }
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
