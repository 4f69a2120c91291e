//! Moments of a data set's samples, in numbers of two f64: they hold the line of least squares, its fit and its errors.

use std::iter::Sum;

use multiversion::multiversion;
use multiversion::target::target_cfg_f;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::double::{Double, two_product, two_sum};
use super::statistics::{ColumnStats, Statistics, checksum, ends, joined_checksum, sums};
use super::uncertainty::{self, Uncertainty, Unknown};
use super::{BLOCK, Block, OnLoad, Source};
use crate::error::Error;
use crate::model::Centered;

/// Counts, means and sums of products of a data set's samples, to some 28 digits.
///
/// The moments of parts, from any machine, add up to those of the whole without cancellation (Chan, Golub and LeVeque 1983).
/// Rounding takes so little that the line, its fit and its errors are the same however the samples are split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// The number of samples.
    pub samples: u64,
    /// The moments of x.
    pub x: ColumnMoments,
    /// The moments of y.
    pub y: ColumnMoments,
    /// Σ (x − mean x)·(y − mean y).
    pub products: Double,
    /// CRC-32 of the samples' bits, as [`Statistics`] has it: the mark of a part.
    pub checksum: u32,
}

/// The moments of one column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ColumnMoments {
    /// The mean, in the column's units.
    pub mean: Double,
    /// Σ (value − mean)².
    pub squares: Double,
    /// The least value.
    pub least: f64,
    /// The greatest value.
    pub greatest: f64,
}

impl Moments {
    /// Reads all samples once, on all threads of rayon's pool. Calls `on_load` with their number as they are read. A source may
    /// be empty here.
    ///
    /// # Errors
    /// The errors of [`read`](super::read).
    pub fn of(source: &dyn Source, on_load: OnLoad) -> Result<Self, Error> {
        let blocks = (0..source.samples().div_ceil(BLOCK as u64))
            .into_par_iter()
            .map_init(Block::default, |block, index| {
                super::read(source, index, block)?;
                on_load(block.x.len() as u64);
                Ok(Self::of_block(block))
            })
            .collect::<Result<Vec<_>, Error>>()?;
        Ok(blocks.into_iter().sum())
    }

    /// Returns the moments of one block.
    pub fn of_block(block: &Block) -> Self {
        let (Some(&x0), Some(&y0)) = (block.x.first(), block.y.first()) else {
            return Self::default();
        };
        let samples = block.x.len() as u64;
        // Any center near the means will do: the sums of distances correct it.
        let [x, y] = sums(block, |x, y| [x - x0, y - y0]);
        let center = [x0 + x / samples as f64, y0 + y / samples as f64];
        let [x, y, xx, yy, xy] = distances(&block.x, &block.y, center);
        let n = Double::from(samples);
        let column = |values: &[f64], center: f64, distance: Double, squares: Double| {
            let (least, greatest) = ends(values);
            ColumnMoments {
                mean: Double::from(center) + distance / n,
                squares: at_least_zero(squares - distance * distance / n),
                least,
                greatest,
            }
        };
        Moments {
            samples,
            x: column(&block.x, center[0], x, xx),
            y: column(&block.y, center[1], y, yy),
            products: xy - x * y / n,
            checksum: checksum(block),
        }
    }

    /// Returns the moments of both parts together.
    pub fn join(self, other: Self) -> Self {
        if self.samples == 0 {
            return other;
        }
        if other.samples == 0 {
            return self;
        }
        let samples = self.samples + other.samples;
        let share = Double::from(other.samples) / Double::from(samples);
        let weight = Double::from(self.samples) * share;
        let column = |one: ColumnMoments, other: ColumnMoments| {
            let apart = other.mean - one.mean;
            let joined = ColumnMoments {
                mean: one.mean + share * apart,
                squares: one.squares + other.squares + weight * (apart * apart),
                least: one.least.min(other.least),
                greatest: one.greatest.max(other.greatest),
            };
            (joined, apart)
        };
        let (x, x_apart) = column(self.x, other.x);
        let (y, y_apart) = column(self.y, other.y);
        Moments {
            samples,
            x,
            y,
            products: self.products + other.products + weight * (x_apart * y_apart),
            checksum: joined_checksum(
                (self.samples, self.checksum),
                (other.samples, other.checksum),
            ),
        }
    }

    /// Returns the same in f64.
    pub fn statistics(&self) -> Statistics {
        let column = |column: ColumnMoments| ColumnStats {
            mean: column.mean.high,
            rest: column.mean.low,
            squares: column.squares.high,
            least: column.least,
            greatest: column.greatest,
        };
        Statistics {
            samples: self.samples,
            x: column(self.x),
            y: column(self.y),
            products: self.products.high,
            checksum: self.checksum,
        }
    }

    /// Returns the line of least squares by its value at the mean of x, or `None` if x does not vary.
    pub fn line(&self) -> Option<Centered> {
        if !self.statistics().x.varies() {
            return None;
        }
        let w = self.products / self.x.squares;
        let Double { high, low } = self.x.mean;
        Some(Centered {
            w: w.high,
            x_center: high,
            y_center: (self.y.mean - w * low.into()).high,
        })
    }

    /// Returns Σ residual² of the line of least squares, or of the mean of y if x does not vary.
    pub fn residual_squares(&self) -> f64 {
        let explained = match self.line() {
            Some(_) => self.products * self.products / self.x.squares,
            None => Double::default(),
        };
        at_least_zero(self.y.squares - explained).high
    }

    /// Returns the classical uncertainty of the line of least squares, or why it is not known. `confidence` lies between 0 and 1.
    pub fn uncertainty(&self, confidence: f64) -> Result<Uncertainty, Unknown> {
        let line = self.line().ok_or(Unknown::Leverage)?;
        let squares = self.residual_squares();
        uncertainty::classical(&self.statistics(), line, squares, confidence)
    }

    /// Returns whether all numbers are finite: the squares of values beyond 1e150 are not.
    pub fn is_finite(&self) -> bool {
        let column = |column: &ColumnMoments| column.mean.is_finite() && column.squares.is_finite();
        column(&self.x) && column(&self.y) && self.products.is_finite()
    }
}

impl Sum for Moments {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), Self::join)
    }
}

fn at_least_zero(value: Double) -> Double {
    if value.high < 0.0 {
        return Double::default();
    }
    value
}

/// The number of sums side by side: one AVX-512 register, two of AVX2, four of SSE2 or NEON.
const LANES: usize = 8;
/// The number of terms that a lane adds up before its sum is rounded to two f64.
const RUN: usize = 128;

/// Returns the sums of the distances dx and dy from a center, of dx², dy² and dx·dy.
///
/// A lane keeps what rounding takes from each addition and product in another f64 (Ogita, Rump and Oishi 2005, Dot2). Over a run
/// of 128 terms that one is off by at most (128·2⁻⁵³)² = 2e-28 of Σ|term|, and some 1e-30 in practice.
///
/// It is compiled for each instruction set; the best one is chosen at run time. All give the same bits.
#[multiversion(targets(
    "x86_64+avx512f+avx512dq+avx512vl+fma",
    "x86_64+avx2+fma",
    "aarch64+neon"
))]
fn distances(x: &[f64], y: &[f64], center: [f64; 2]) -> [Double; 5] {
    if cfg!(target_arch = "aarch64") || target_cfg_f!(target_feature = "fma") {
        distances_by::<true>(x, y, center)
    } else {
        distances_by::<false>(x, y, center)
    }
}

#[inline(always)]
fn distances_by<const FUSED: bool>(x: &[f64], y: &[f64], center: [f64; 2]) -> [Double; 5] {
    let mut sums = [[Double::default(); LANES]; 5];
    for (x, y) in x.chunks(LANES * RUN).zip(y.chunks(LANES * RUN)) {
        let (mut high, mut low) = ([[0.0; LANES]; 5], [[0.0; LANES]; 5]);
        let mut add = |lane: usize, x: f64, y: f64| {
            let (dx, x_rest) = two_sum(x, -center[0]);
            let (dy, y_rest) = two_sum(y, -center[1]);
            // The products of the rests are beyond 32 digits.
            let product = |a, a_rest, b, b_rest| {
                let (product, error) = two_product::<FUSED>(a, b);
                (product, error + (a * b_rest + b * a_rest))
            };
            let terms = [
                (dx, x_rest),
                (dy, y_rest),
                product(dx, x_rest, dx, x_rest),
                product(dy, y_rest, dy, y_rest),
                product(dx, x_rest, dy, y_rest),
            ];
            for (at, (term, rest)) in terms.into_iter().enumerate() {
                let (sum, error) = two_sum(high[at][lane], term);
                high[at][lane] = sum;
                low[at][lane] += error + rest;
            }
        };
        let (whole_x, rest_x) = x.as_chunks::<LANES>();
        let (whole_y, rest_y) = y.as_chunks::<LANES>();
        for (x, y) in whole_x.iter().zip(whole_y) {
            for lane in 0..LANES {
                add(lane, x[lane], y[lane]);
            }
        }
        for (lane, (&x, &y)) in rest_x.iter().zip(rest_y).enumerate() {
            add(lane, x, y);
        }
        for ((sums, high), low) in sums.iter_mut().zip(high).zip(low) {
            for ((sum, high), low) in sums.iter_mut().zip(high).zip(low) {
                *sum = *sum + (Double::from(high) + Double::from(low));
            }
        }
    }
    sums.map(|lanes| {
        lanes
            .into_iter()
            .fold(Double::default(), |all, lane| all + lane)
    })
}
