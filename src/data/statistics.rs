//! What one pass over a data set tells of it, in f64: the line of least squares among it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{BLOCK, Block, OnLoad, Source};
use crate::error::Error;
use crate::model::Model;

/// Sums side by side, so that a compiler can keep them in SIMD registers: f64 additions may not be reordered.
const LANES: usize = 8;

/// Counts, means and sums of products of a data set's samples.
///
/// Those of parts add up to those of the whole without cancellation (Chan, Golub and LeVeque 1983), always in the same
/// order: the same data give the same bits for any number of threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// How many samples.
    pub samples: u64,
    /// Of x.
    pub x: Column,
    /// Of y.
    pub y: Column,
    /// Σ (x − mean x)·(y − mean y).
    pub products: f64,
    /// CRC-32 of the samples' bits, block by block, of each all x and then all y: means are the same for samples in another
    /// order.
    pub checksum: u32,
}

/// One column's part of [`Statistics`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// The mean, in the column's units.
    pub mean: f64,
    /// What rounding took from the mean: without it the means of two blocks of timestamps differ by it.
    pub rest: f64,
    /// Σ (value − mean)².
    pub squares: f64,
    /// The least value.
    pub least: f64,
    /// The greatest value.
    pub greatest: f64,
}

impl Statistics {
    /// Reads all samples once, on all threads of rayon's pool, telling `on_load` of them.
    ///
    /// # Errors
    /// What [`Source::read`] says.
    pub fn of(source: &dyn Source, on_load: OnLoad) -> Result<Self, Error> {
        let blocks = (0..source.samples().div_ceil(BLOCK as u64))
            .into_par_iter()
            .map_init(Block::default, |block, index| {
                super::read(source, index, block)?;
                on_load(block.x.len() as u64);
                Ok(Self::of_block(block))
            })
            .collect::<Result<Vec<_>, Error>>()?;
        Ok(blocks.into_iter().fold(Self::default(), Self::join))
    }

    /// Of one block.
    pub fn of_block(block: &Block) -> Self {
        let samples = block.x.len();
        let (Some(&x0), Some(&y0)) = (block.x.first(), block.y.first()) else {
            return Self::default();
        };
        // As distances from the first value: the mean of 1e5 timestamps has digits to lose.
        let n = samples as f64;
        let [x, y] = sums(block, |x, y| [x - x0, y - y0]);
        let (x_mean, y_mean) = (x0 + x / n, y0 + y / n);
        // The means are rounded, so the distances from them don't add up to 0; what they do add up to is taken off.
        let [x, y, xx, yy, xy] = sums(block, |x, y| {
            let (x, y) = (x - x_mean, y - y_mean);
            [x, y, x * x, y * y, x * y]
        });
        let column = |values: &[f64], mean, distance: f64, squares: f64| {
            let (least, greatest) = ends(values);
            Column {
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

    /// Of both parts together.
    pub fn join(self, other: Self) -> Self {
        if self.samples == 0 {
            return other;
        }
        if other.samples == 0 {
            return self;
        }
        let (a, b) = (self.samples as f64, other.samples as f64);
        let share = b / (a + b);
        let apart = |one: Column, other: Column| (other.mean - one.mean) + (other.rest - one.rest);
        let column = |one: Column, other: Column| {
            let apart = apart(one, other);
            let moved = one.rest + share * apart;
            let mean = one.mean + moved;
            Column {
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
            checksum: joined(self, other),
        }
    }

    /// The line of least squares, in closed form; none where x does not vary.
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

    /// The line y = mean y: what to predict for one who knows no x.
    pub fn constant(&self) -> Model {
        Model {
            w: 0.0,
            b: self.y.mean,
        }
    }

    /// The standard deviation of x, over all samples (not n − 1), in units of x.
    pub fn x_deviation(&self) -> f64 {
        (self.x.squares / self.samples as f64).sqrt()
    }

    /// Likewise of y.
    pub fn y_deviation(&self) -> f64 {
        (self.y.squares / self.samples as f64).sqrt()
    }

    /// The root of the mean squared residual that the line of least squares leaves, in units of y. Where next to none
    /// is left it is known to 1e-8 of y's deviation only.
    pub fn least_deviation(&self) -> f64 {
        let explained = match self.line() {
            Some(line) => line.w * self.products,
            None => 0.0,
        };
        ((self.y.squares - explained).max(0.0) / self.samples as f64).sqrt()
    }
}

impl Column {
    /// Whether there are two values in it, so far apart that f64 holds the square of their distance.
    pub fn varies(&self) -> bool {
        self.least < self.greatest && self.squares > 0.0
    }

    /// The distance of neighbours in f32 at the greatest size, if fewer than 4096 of them lie between the ends: rounding
    /// then costs a line its fourth digit.
    pub fn coarse_in_f32(&self) -> Option<f64> {
        let size = self.size() as f32;
        self.coarse(f64::from(size) - f64::from(size.next_down()))
    }

    /// Likewise in f64: values that a file holds with more digits, integers above 2^53 among them, have lost theirs.
    pub fn coarse_in_f64(&self) -> Option<f64> {
        self.coarse(self.size() - self.size().next_down())
    }

    fn size(&self) -> f64 {
        self.least.abs().max(self.greatest.abs())
    }

    fn coarse(&self, step: f64) -> Option<f64> {
        let range = self.greatest - self.least;
        (range > 0.0 && range < 4096.0 * step).then_some(step)
    }
}

fn checksum(block: &Block) -> u32 {
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(bytemuck::cast_slice(&block.x));
    checksum.update(bytemuck::cast_slice(&block.y));
    checksum.finalize()
}

/// Of the bits of both parts, one after the other.
fn joined(one: Statistics, other: Statistics) -> u32 {
    let of = |part: Statistics| {
        let bytes = part.samples * 2 * size_of::<f64>() as u64;
        crc32fast::Hasher::new_with_initial_len(part.checksum, bytes)
    };
    let mut joined = of(one);
    joined.combine(&of(other));
    joined.finalize()
}

/// The sums of some terms over a block's samples.
fn sums<const N: usize>(block: &Block, terms: impl Fn(f64, f64) -> [f64; N]) -> [f64; N] {
    let mut lanes = [[0.0; LANES]; N];
    let (x, y) = (block.x.chunks_exact(LANES), block.y.chunks_exact(LANES));
    let rest = x.remainder().iter().zip(y.remainder());
    for (x, y) in x.zip(y) {
        for lane in 0..LANES {
            for (sum, term) in lanes.iter_mut().zip(terms(x[lane], y[lane])) {
                sum[lane] += term;
            }
        }
    }
    for (lane, (&x, &y)) in rest.enumerate() {
        for (sum, term) in lanes.iter_mut().zip(terms(x, y)) {
            sum[lane] += term;
        }
    }
    lanes.map(|lanes| lanes.iter().sum())
}

/// The least and the greatest value.
fn ends(values: &[f64]) -> (f64, f64) {
    let mut least = [f64::INFINITY; LANES];
    let mut greatest = [f64::NEG_INFINITY; LANES];
    for values in values.chunks(LANES) {
        for (lane, &value) in values.iter().enumerate() {
            least[lane] = least[lane].min(value);
            greatest[lane] = greatest[lane].max(value);
        }
    }
    (
        least.into_iter().fold(f64::INFINITY, f64::min),
        greatest.into_iter().fold(f64::NEG_INFINITY, f64::max),
    )
}

/// A source whose statistics come with the first reading of it, unless they are known: an engine's, while it loads.
pub struct Observed<S> {
    source: S,
    known: Option<Statistics>,
    blocks: Mutex<BTreeMap<u64, Statistics>>,
}

impl<S: Source> Observed<S> {
    /// Returns the same samples. Computes nothing if their statistics are `known`.
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

    /// Returns the statistics of all samples, if they are known or each sample was read.
    pub fn statistics(&self) -> Option<Statistics> {
        if self.known.is_some() {
            return self.known;
        }
        let blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let all = self.source.samples().div_ceil(BLOCK as u64);
        (blocks.len() as u64 == all).then(|| {
            blocks
                .values()
                .copied()
                .fold(Statistics::default(), Statistics::join)
        })
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
        // A streamed set is read again each epoch.
        let seen = blocks().contains_key(&index);
        if !seen {
            let statistics = Statistics::of_block(block);
            blocks().insert(index, statistics);
        }
        Ok(())
    }

    fn title(&self) -> String {
        self.source.title()
    }

    fn names(&self) -> [String; 2] {
        self.source.names()
    }

    fn synthetic(&self) -> Option<super::synthetic::Synthetic> {
        self.source.synthetic()
    }
}
