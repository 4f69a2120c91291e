//! The goodness of a line's fit, in f64, over the samples in their own units.

use rayon::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wide::f64x4;

use super::statistics::{ColumnStats, sums};
use super::{Block, Source, gathered};
use crate::error::Error;
use crate::loss::{Exact, Loss};
use crate::model::{Centered, add_each};
use crate::ranks::sum_numbers;

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

/// Returns the mean of each loss at each line, in f64: a row for each line. Reads all samples once, on all threads of rayon's
/// pool.
///
/// # Errors
/// [`Error::Empty`], and the errors of [`read`](super::read).
pub fn mean_losses(
    source: &dyn Source,
    lines: &[Centered],
    losses: &[Loss],
) -> Result<Vec<Vec<f64>>, Error> {
    let of_line = |block: &Block, line: &Centered| -> Vec<f64> {
        let of_loss = |loss: &Loss| {
            let [sum] = sums(block, |x, y| {
                [loss.exact_terms(line.predict_lanes(x) - y).value]
            });
            sum
        };
        losses.iter().map(of_loss).collect()
    };
    let blocks = (0..super::blocks(source)?)
        .into_par_iter()
        .map_init(Block::default, |block, index| {
            super::read(source, index, block)?;
            Ok(lines
                .iter()
                .map(|line| of_line(block, line))
                .collect::<Vec<_>>())
        })
        .collect::<Result<Vec<_>, Error>>()?;
    let n = source.all_samples() as f64;
    let mut mine = vec![0.0; lines.len() * losses.len()];
    for block in blocks {
        add_each(&mut mine, block.into_iter().flatten());
    }
    let mut sums = sum_numbers(source.ranks(), &mine)?;
    sums.iter_mut().for_each(|sum| *sum /= n);
    Ok(sums.chunks(losses.len()).map(<[f64]>::to_vec).collect())
}

/// What one pass over the samples tells of a line, in f64.
#[derive(Clone, Debug)]
pub(crate) struct Losses<const N: usize, T> {
    /// The mean loss, in the loss's units.
    pub loss: f64,
    /// The goodness of fit.
    pub goodness: Goodness,
    /// The sums of the terms.
    pub sums: [f64; N],
    /// What was taken from the blocks, joined in their order.
    pub taken: T,
}

impl<const N: usize, T> Losses<N, T>
where
    T: FromIterator<T> + Send + Serialize + DeserializeOwned,
{
    /// Reads all samples once, on all threads of rayon's pool. `y` has the statistics of their y. `terms` returns terms of four
    /// samples to sum, by x, the residuals, and the loss's terms there: those of [`basic`], then others.
    /// `of_block` takes what else is wanted.
    ///
    /// # Errors
    /// [`Error::Empty`], and the errors of [`read`](super::read).
    pub fn of(
        source: &dyn Source,
        loss: Loss,
        line: Centered,
        y: &ColumnStats,
        terms: impl Fn(f64x4, f64x4, Exact) -> [f64x4; N] + Sync,
        of_block: impl Fn(&Block) -> T + Sync,
    ) -> Result<Self, Error> {
        let blocks = (0..super::blocks(source)?)
            .into_par_iter()
            .map_init(Block::default, |block, index| {
                super::read(source, index, block)?;
                let of_line = sums(block, |x, y| {
                    let residual = line.predict_lanes(x) - y;
                    terms(x, residual, loss.exact_terms(residual))
                });
                Ok((of_line, of_block(block)))
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let (of_line, of_blocks): (Vec<[f64; N]>, Vec<T>) = blocks.into_iter().unzip();
        let mut mine = [0.0; N];
        of_line.into_iter().for_each(|of| add_each(&mut mine, of));
        let taken: T = of_blocks.into_iter().collect();
        let mut sums = [0.0; N];
        sums.copy_from_slice(&sum_numbers(source.ranks(), &mine)?);
        let samples = source.all_samples();
        let [values, squares, sizes] = [0, 1, 2].map(|at| sums[at]);
        Ok(Losses {
            loss: values / samples as f64,
            goodness: Goodness::new(samples, squares, sizes, y),
            sums,
            taken: gathered(source, taken)?.into_iter().collect(),
        })
    }
}

/// Returns the terms that any pass sums: the loss's values, the residuals' squares and their sizes.
#[inline(always)]
pub(crate) fn basic(residual: f64x4, terms: Exact) -> [f64x4; 3] {
    [terms.value, residual * residual, residual.abs()]
}

impl Goodness {
    /// Returns the goodness by the number of samples, the sums of the residuals' squares and of their sizes, and the statistics
    /// of y.
    pub fn new(samples: u64, squares: f64, sizes: f64, y: &ColumnStats) -> Self {
        let n = samples as f64;
        Goodness {
            rmse: (squares / n).sqrt(),
            mae: sizes / n,
            r_squared: (y.squares > 0.0).then(|| 1.0 - squares / y.squares),
        }
    }

    /// Reads all samples once, on all threads of rayon's pool. `y` has the statistics of their y.
    ///
    /// # Errors
    /// [`Error::Empty`], and the errors of [`read`](super::read).
    pub fn of(
        source: &dyn Source,
        line: impl Into<Centered>,
        y: &ColumnStats,
    ) -> Result<Self, Error> {
        let terms = |_, residual, terms| basic(residual, terms);
        let losses = Losses::of(source, Loss::Mae, line.into(), y, terms, |_| ())?;
        Ok(losses.goodness)
    }
}
