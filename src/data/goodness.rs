//! The goodness of a line's fit, in f64, over the samples in their own units.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::sandwich::{Sandwich, Slice};
use super::shape::Shape;
use super::statistics::{ColumnStats, sums};
use super::{Block, Source};
use crate::error::Error;
use crate::loss::Loss;
use crate::model::Centered;

/// The size of a line's residuals.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Goodness {
    /// The root of the mean squared residual, in units of y.
    pub rmse: f64,
    /// The mean absolute residual, in units of y.
    pub mae: f64,
    /// The share of y's variance that the line explains: 1 − Σ residual² / Σ (y − mean y)². `None` if y does not vary.
    pub r_squared: Option<f64>,
}

/// The mean losses of lines over the same samples, in f64, and the first line's goodness of fit.
#[derive(Clone, Debug)]
pub struct Losses {
    /// The loss of each line, in the loss's units.
    pub losses: Vec<f64>,
    /// The sum, over the samples, of what rounding may add to the first line's loss, divided by their number.
    pub rounding: f64,
    /// The first line's goodness of fit.
    pub goodness: Goodness,
    /// The sums of the samples' slices.
    pub sandwich: Sandwich,
    /// The shape of the residuals, if it was asked for.
    pub shape: Option<Shape>,
}

impl Losses {
    /// Reads all samples once, on all threads of rayon's pool. `y` has the statistics of their y. `rounding` returns the
    /// rounding of the first line's residual at a sample (x, y), in units of y, and `slice` its part of the sandwich.
    /// `shape` has no samples yet.
    ///
    /// The loss ℓ of a residual r that is rounded by δ is uncertain by |ℓ′(r)|·δ, and for smooth losses by another δ² at
    /// most: no curvature exceeds 2.
    ///
    /// # Errors
    /// [`Error::Empty`], and the errors of [`read`](super::read).
    pub fn of(
        source: &dyn Source,
        loss: Loss,
        lines: &[Centered],
        y: &ColumnStats,
        rounding: impl Fn(f64, f64) -> f64 + Sync,
        slice: impl Fn(f64, f64) -> Slice + Sync,
        shape: Option<Shape>,
    ) -> Result<Self, Error> {
        /// Sums of a block that are not losses.
        const OTHERS: usize = 3;
        let (first, others) = (lines[0], &lines[1..]);
        let bent = if loss.has_corners() { 0.0 } else { 1.0 };
        let blocks = (0..super::blocks(source)?)
            .into_par_iter()
            .map_init(Block::default, |block, index| {
                super::read(source, index, block)?;
                let of_first = |x, y| {
                    let residual = first.predict(x) - y;
                    let rounding = rounding(x, y);
                    let (value, derivative) = loss.terms(residual);
                    [
                        residual * residual,
                        residual.abs(),
                        rounding * (derivative.abs() + bent * rounding),
                        value,
                    ]
                };
                let mut sums = sums(block, of_first).to_vec();
                sums.extend(others.iter().map(|line| loss_over(block, loss, *line)));
                let mut sandwich = Sandwich::default();
                sandwich.add(block, &slice);
                let mut shape = shape;
                if let Some(shape) = &mut shape {
                    shape.add(super::positions(index, source.samples()).start, block);
                }
                Ok((sums, sandwich, shape))
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let n = source.samples() as f64;
        let mean = |which: usize| blocks.iter().map(|(sums, ..)| sums[which]).sum::<f64>() / n;
        let mut sandwich = Sandwich::default();
        let mut shape = shape;
        for (_, part, of_part) in &blocks {
            sandwich.join(part);
            if let (Some(shape), Some(part)) = (&mut shape, of_part) {
                shape.join(part);
            }
        }
        Ok(Losses {
            losses: (0..lines.len()).map(|at| mean(OTHERS + at)).collect(),
            rounding: mean(2),
            goodness: Goodness {
                rmse: mean(0).sqrt(),
                mae: mean(1),
                r_squared: (y.squares > 0.0).then(|| 1.0 - n * mean(0) / y.squares),
            },
            sandwich,
            shape,
        })
    }
}

/// Returns the sum of a line's losses over a block.
fn loss_over(block: &Block, loss: Loss, line: Centered) -> f64 {
    let [sum] = sums(block, |x, y| [loss.terms(line.predict(x) - y).0]);
    sum
}

impl Goodness {
    /// Reads all samples once, on all threads of rayon's pool. `y` has the statistics of their y.
    ///
    /// # Errors
    /// [`Error::Empty`], and the errors of [`read`](super::read).
    pub fn of(
        source: &dyn Source,
        line: impl Into<Centered>,
        y: &ColumnStats,
    ) -> Result<Self, Error> {
        let lines = [line.into()];
        // Neither the loss nor what follows from it is used.
        let (rounding, slice) = (|_, _| 0.0, |_, _| Slice::default());
        let losses = Losses::of(source, Loss::Mae, &lines, y, rounding, slice, None)?;
        Ok(losses.goodness)
    }
}

/// Returns the residuals of a line, prediction less target: of all samples, or of the 1,048,576 samples in 16 blocks spread over
/// them.
///
/// # Errors
/// [`Error::Empty`], and the errors of [`read`](super::read).
pub fn residuals(source: &dyn Source, line: Centered) -> Result<Vec<f64>, Error> {
    let (mut residuals, mut block) = (Vec::new(), Block::default());
    for index in super::some_blocks(source)? {
        super::read(source, index, &mut block)?;
        let samples = block.x.iter().zip(&block.y);
        residuals.extend(samples.map(|(&x, &y)| line.predict(x) - y));
    }
    Ok(residuals)
}
