//! Statistics of a data set from one pass over it, in f64, with the line of least squares.

use std::collections::BTreeMap;
use std::iter::Sum;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use wide::f64x4;

use super::{BLOCK, Block, OnLoad, Source, described_by_source, gathered, shared_like_source};
use crate::error::Error;
use crate::model::{Centered, Model};

/// Counts, means and sums of products of a data set's samples.
///
/// The statistics of parts add up to those of the whole without cancellation (Chan, Golub and LeVeque 1983). They are
/// always added in the same order, so the same data give the same bits for any number of threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// The number of samples.
    pub samples: u64,
    /// The statistics of x.
    pub x: ColumnStats,
    /// The statistics of y.
    pub y: ColumnStats,
    /// Σ (x − mean x)·(y − mean y).
    pub products: f64,
    /// CRC-32 of the samples' bits, x and y of one sample after the other. Unlike the means, it differs for samples in
    /// another order.
    pub checksum: u32,
}

/// The statistics of one column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ColumnStats {
    /// The mean, in the column's units.
    pub mean: f64,
    /// The part of the mean that rounding took from it. Timestamps need it: the means of two blocks may differ by as much.
    pub rest: f64,
    /// Σ (value − mean)².
    pub squares: f64,
    /// The least value.
    pub least: f64,
    /// The greatest value.
    pub greatest: f64,
}

impl Statistics {
    /// Reads all samples once, on all threads of rayon's pool. Calls `on_load` with their number as they are read.
    ///
    /// # Errors
    /// [`Error::Empty`], and the errors of [`read`](super::read) and [`Ranks::gather`](crate::ranks::Ranks::gather).
    pub fn of(source: &dyn Source, on_load: OnLoad) -> Result<Self, Error> {
        let blocks = (0..super::blocks(source)?)
            .into_par_iter()
            .map_init(Block::default, |block, index| {
                super::read(source, index, block)?;
                on_load(block.x.len() as u64);
                Ok(Self::of_block(block))
            })
            .collect::<Result<Vec<_>, Error>>()?;
        Ok(gathered(source, blocks.into_iter().sum())?
            .into_iter()
            .sum())
    }

    /// Returns the statistics of one block.
    pub fn of_block(block: &Block) -> Self {
        let samples = block.x.len();
        let (Some(&x0), Some(&y0)) = (block.x.first(), block.y.first()) else {
            return Self::default();
        };
        // Distances from the first value keep the digits of a mean of 1e5 timestamps.
        let n = samples as f64;
        let [x, y] = sums(block, |x, y| [x - x0, y - y0]);
        let (x_mean, y_mean) = (x0 + x / n, y0 + y / n);
        // The means are rounded, so the distances from them don't add up to 0. Their sums correct the others.
        let [x, y, xx, yy, xy] = sums(block, |x, y| {
            let (x, y) = (x - x_mean, y - y_mean);
            [x, y, x * x, y * y, x * y]
        });
        let column = |values: &[f64], mean, distance: f64, squares: f64| {
            let (least, greatest) = ends(values);
            ColumnStats {
                mean,
                rest: distance / n,
                squares: (squares - distance * distance / n).max(0.0),
                least,
                greatest,
            }
        };
        Statistics {
            samples: samples as u64,
            x: column(&block.x, x_mean, x, xx),
            y: column(&block.y, y_mean, y, yy),
            products: xy - x * y / n,
            checksum: checksum(block),
        }
    }

    /// Returns the statistics of both parts together.
    pub fn join(self, other: Self) -> Self {
        if self.samples == 0 {
            return other;
        }
        if other.samples == 0 {
            return self;
        }
        let (a, b) = (self.samples as f64, other.samples as f64);
        let share = b / (a + b);
        let apart = |one: ColumnStats, other: ColumnStats| {
            (other.mean - one.mean) + (other.rest - one.rest)
        };
        let column = |one: ColumnStats, other: ColumnStats| {
            let apart = apart(one, other);
            let moved = one.rest + share * apart;
            let mean = one.mean + moved;
            ColumnStats {
                mean,
                rest: moved - (mean - one.mean),
                squares: one.squares + other.squares + a * share * apart * apart,
                least: one.least.min(other.least),
                greatest: one.greatest.max(other.greatest),
            }
        };
        let apart = apart(self.x, other.x) * apart(self.y, other.y);
        Statistics {
            samples: self.samples + other.samples,
            x: column(self.x, other.x),
            y: column(self.y, other.y),
            products: self.products + other.products + a * share * apart,
            checksum: joined_checksum(
                (self.samples, self.checksum),
                (other.samples, other.checksum),
            ),
        }
    }

    /// Returns the line of least squares, in closed form, or `None` if x does not vary.
    pub fn line(&self) -> Option<Model> {
        if !self.x.varies() {
            return None;
        }
        let w = self.products / self.x.squares;
        Some(Model {
            w,
            b: self.y.mean - w * self.x.mean + (self.y.rest - w * self.x.rest),
        })
    }

    /// Returns the line of least squares by its value at the mean of x, or `None` if x does not vary.
    pub fn centered_line(&self) -> Option<Centered> {
        let w = self.line()?.w;
        Some(Centered {
            w,
            x_center: self.x.mean,
            y_center: self.y.mean + (self.y.rest - w * self.x.rest),
        })
    }

    /// Returns the line y = mean y, the best prediction without x.
    pub fn constant(&self) -> Model {
        Model {
            w: 0.0,
            b: self.y.mean,
        }
    }

    /// Returns the standard deviation of x, over n (not n − 1), in units of x.
    pub fn x_deviation(&self) -> f64 {
        (self.x.squares / self.samples as f64).sqrt()
    }

    /// Returns the standard deviation of y, over n (not n − 1), in units of y.
    pub fn y_deviation(&self) -> f64 {
        (self.y.squares / self.samples as f64).sqrt()
    }

    /// Returns the root of the mean squared residual of the line of least squares, in units of y. Cancellation limits it to
    /// 1e-8 of y's deviation.
    pub fn least_deviation(&self) -> f64 {
        let explained = match self.line() {
            Some(line) => line.w * self.products,
            None => 0.0,
        };
        ((self.y.squares - explained).max(0.0) / self.samples as f64).sqrt()
    }
}

impl Sum for Statistics {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), Self::join)
    }
}

impl ColumnStats {
    /// Returns whether the values differ, and by so much that f64 holds the squares of their distances with all digits.
    pub fn varies(&self) -> bool {
        self.least < self.greatest && self.squares >= f64::MIN_POSITIVE / f64::EPSILON
    }

    /// Returns the step between neighbours in f32 at the greatest absolute value, if the range has fewer than 4096 steps.
    /// Rounding to f32 then costs a line its fourth digit.
    pub fn coarse_in_f32(&self) -> Option<f64> {
        let size = self.size() as f32;
        self.coarse(f64::from(size) - f64::from(size.next_down()))
    }

    /// Returns the step between neighbours in f64 at the greatest absolute value, if the range has fewer than 4096 steps.
    /// Values that a file holds with more digits, such as integers above 2^53, were then rounded too much.
    pub fn coarse_in_f64(&self) -> Option<f64> {
        self.coarse(self.size() - self.size().next_down())
    }

    /// Returns the greatest absolute value.
    fn size(&self) -> f64 {
        self.least.abs().max(self.greatest.abs())
    }

    fn coarse(&self, step: f64) -> Option<f64> {
        let range = self.greatest - self.least;
        (range > 0.0 && range < 4096.0 * step && step.is_finite()).then_some(step)
    }
}

/// Returns the CRC-32 of a block's bits, sample by sample: that of a set does not depend on where its blocks begin, which is
/// another place for each number of ranks.
pub(super) fn checksum(block: &Block) -> u32 {
    /// Samples at once: 8 kB, which stay in a core's first cache.
    const MANY: usize = 512;
    let mut samples = [[0.0; 2]; MANY];
    let mut checksum = crc32fast::Hasher::new();
    for (x, y) in block.x.chunks(MANY).zip(block.y.chunks(MANY)) {
        for (sample, (&x, &y)) in samples.iter_mut().zip(x.iter().zip(y)) {
            *sample = [x, y];
        }
        checksum.update(bytemuck::cast_slice(&samples[..x.len()]));
    }
    checksum.finalize()
}

/// Returns the checksum of the bits of both parts, one after the other, by the samples and the checksum of each.
pub(super) fn joined_checksum(one: (u64, u32), other: (u64, u32)) -> u32 {
    let hasher = |(samples, checksum): (u64, u32)| {
        let bytes = samples.wrapping_mul(2 * size_of::<f64>() as u64);
        crc32fast::Hasher::new_with_initial_len(checksum, bytes)
    };
    let mut joined = hasher(one);
    joined.combine(&hasher(other));
    joined.finalize()
}

/// Returns the sums of terms over a block's samples, four at a time: left to itself, the compiler mostly takes one at a time.
#[inline(always)]
pub(super) fn sums<const N: usize>(
    block: &Block,
    terms: impl Fn(f64x4, f64x4) -> [f64x4; N],
) -> [f64; N] {
    let (x, x_rest) = block.x.as_chunks();
    let (y, y_rest) = block.y.as_chunks();
    let mut lanes = [f64x4::ZERO; N];
    for (x, y) in x.iter().zip(y) {
        for (sum, term) in lanes.iter_mut().zip(terms(f64x4::new(*x), f64x4::new(*y))) {
            *sum += term;
        }
    }
    let mut sums = lanes.map(f64x4::reduce_add);
    let rest = x_rest.len();
    if rest > 0 {
        let fill = |values: &[f64]| {
            let mut filled = [values[0]; 4];
            filled[..rest].copy_from_slice(values);
            f64x4::new(filled)
        };
        for (sum, term) in sums.iter_mut().zip(terms(fill(x_rest), fill(y_rest))) {
            *sum += term.to_array()[..rest].iter().sum::<f64>();
        }
    }
    sums
}

/// Returns the least and the greatest value, none of them NaN.
pub(super) fn ends(values: &[f64]) -> (f64, f64) {
    let (fours, rest) = values.as_chunks();
    let mut least = f64x4::splat(f64::INFINITY);
    let mut greatest = -least;
    for values in fours {
        let values = f64x4::new(*values);
        least = least.fast_min(values);
        greatest = greatest.fast_max(values);
    }
    let of = |lanes: f64x4| lanes.to_array().into_iter().chain(rest.iter().copied());
    (
        of(least).fold(f64::INFINITY, f64::min),
        of(greatest).fold(f64::NEG_INFINITY, f64::max),
    )
}

/// A source that computes statistics as an engine loads its samples, unless they are known.
pub struct Observed<S> {
    source: S,
    known: Option<Statistics>,
    blocks: Mutex<BTreeMap<u64, Statistics>>,
}

impl<S: Source> Observed<S> {
    /// Returns the same samples. Nothing is computed if their statistics are `known`.
    pub fn new(source: S, known: Option<Statistics>) -> Self {
        Observed {
            source,
            known,
            blocks: Mutex::default(),
        }
    }

    /// Returns the samples that are observed.
    pub fn inner(&self) -> &S {
        &self.source
    }

    /// Returns the statistics of all samples, if they are known or each sample was read. All ranks call it.
    ///
    /// # Errors
    /// Those of [`Ranks::gather`](crate::ranks::Ranks::gather).
    pub fn statistics(&self) -> Result<Option<Statistics>, Error> {
        if self.known.is_some() {
            return Ok(self.known);
        }
        let blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let all = self.source.samples().div_ceil(BLOCK as u64);
        let mine = (blocks.len() as u64 == all).then(|| blocks.values().copied().sum());
        Ok(gathered(&self.source, mine)?.into_iter().sum())
    }
}

impl<S: Source> Source for Observed<S> {
    fn samples(&self) -> u64 {
        self.source.samples()
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        self.source.read(index, block)?;
        if self.known.is_some() {
            return Ok(());
        }
        let blocks = || self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        // A streamed set is read again in each epoch.
        let seen = blocks().contains_key(&index);
        if !seen {
            let statistics = Statistics::of_block(block);
            blocks().insert(index, statistics);
        }
        Ok(())
    }

    shared_like_source!();
    described_by_source!();
}
