//! The shape of the residuals of least squares: whether they curve, and whether one sample decides the slope.

use rayon::prelude::*;
use wide::f64x4;

use super::statistics::{ColumnStats, Statistics, sums};
use super::{Block, Source, gathered};
use crate::error::Error;

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

impl Bend {
    /// Returns the bend of samples by the test of a parabola against the line; `None` if nothing is left to either.
    ///
    /// The coefficient's error is the larger of two: that for residuals which scatter alike at every x, and that for any
    /// (White 1980). The latter takes the residuals of the line, which is right if there is no bend.
    pub fn of(samples: &Block) -> Option<Self> {
        let statistics = Statistics::of_block(samples);
        let line = statistics.centered_line()?;
        let unit = 1.0 / statistics.x_deviation();
        // x's distance from its mean in units of its deviation.
        let distance = move |x: f64x4| (x - line.x_center) * unit;
        let [cubes, fourths] = sums(samples, move |x, _| {
            let d = distance(x);
            [d * d * d, d * d * d * d]
        });
        let n = statistics.samples as f64;
        // d² less what a line of d takes of it.
        let slope = cubes / n;
        let square = move |d: f64x4| d * d - 1.0 - d * slope;
        let [product, squares, products] = sums(samples, move |x, y| {
            let residual = line.predict_lanes(x) - y;
            let product = square(distance(x)) * residual;
            [product, residual * residual, product * product]
        });
        let of_square = fourths - n - slope * cubes;
        let degrees = n - 3.0;
        // With two values of x there is no parabola, and without residuals nothing to explain.
        if degrees < 1.0 || of_square <= 1e-9 * fourths || squares <= 0.0 {
            return None;
        }
        let share = (product * product / (of_square * squares)).min(1.0);
        let alike = (share * degrees / (1.0 - share)).sqrt();
        Some(Bend {
            share,
            degrees,
            t: alike.min(product.abs() / products.sqrt()),
        })
    }
}

/// The sample whose x is the farthest from the mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Farthest {
    /// Its x.
    pub x: f64,
    /// Its share in its own prediction, between 0 and 1.
    pub leverage: f64,
}

impl Farthest {
    /// Returns the farthest of the samples that have these statistics.
    pub fn of(statistics: &Statistics) -> Self {
        let ColumnStats {
            mean,
            least,
            greatest,
            ..
        } = statistics.x;
        let x = if greatest - mean > mean - least {
            greatest
        } else {
            least
        };
        let distance = (x - mean) / statistics.x_deviation();
        Farthest {
            x,
            leverage: (1.0 + distance * distance) / statistics.samples as f64,
        }
    }

    /// Reads all samples once, on all threads of rayon's pool, and returns the line without this one; `None` if the others have
    /// no line.
    ///
    /// # Errors
    /// [`Error::Empty`], and the errors of [`read`](super::read).
    pub fn without(self, source: &dyn Source) -> Result<Option<Without>, Error> {
        let blocks = (0..super::blocks(source)?)
            .into_par_iter()
            .map_init(Block::default, |block, index| {
                super::read(source, index, block)?;
                let first = source.first() + super::positions(index, source.samples()).start;
                // There is one: two that are as far have no leverage above a half.
                let at = block.x.iter().position(|x| *x == self.x);
                let found = at.map(|at| {
                    block.x.remove(at);
                    (first + at as u64, block.y.remove(at))
                });
                Ok((found, Statistics::of_block(block)))
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let joined = |parts: Vec<(Option<(u64, f64)>, Statistics)>| {
            let (found, others): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
            (found.into_iter().flatten().next(), others.into_iter().sum())
        };
        let (found, others) = joined(gathered(source, joined(blocks))?);
        let (Some((position, y)), Some(line)) = (found, others.centered_line()) else {
            return Ok(None);
        };
        let n = others.samples as f64;
        let degrees = n - 2.0;
        if degrees < 1.0 {
            return Ok(None);
        }
        let distance = (self.x - others.x.mean) / others.x_deviation();
        let deviation = others.least_deviation() * (n / degrees).sqrt();
        let error = deviation * (1.0 + (1.0 + distance * distance) / n).sqrt();
        // 0 / 0 if all samples are on one line.
        let t = (line.predict(self.x) - y).abs() / error;
        Ok(Some(Without {
            position,
            slope: line.w,
            degrees,
            t: if t.is_nan() { 0.0 } else { t.min(f64::MAX) },
        }))
    }
}

/// The line without the farthest sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Without {
    /// The sample's position, counted from 0.
    pub position: u64,
    /// The slope of least squares without it.
    pub slope: f64,
    /// The degrees of freedom that are left.
    pub degrees: f64,
    /// Its distance from the line without it, in units of that distance's error.
    pub t: f64,
}
