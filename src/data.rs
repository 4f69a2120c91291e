//! Where samples come from.

use crate::error::Error;

pub mod goodness;
pub mod host;
pub mod numpy;
pub mod scaling;
pub mod statistics;
pub mod synthetic;
pub mod threefry;

/// Samples in a block: what a [`Source`] yields at once. 65,536, so that a block (1 MB in f64) fits
/// a core's second-level cache and a synthetic stream outlives its seeding by far.
pub const BLOCK: usize = 1 << 16;

/// A block of samples in f64, x and y apart.
#[derive(Debug, Default)]
pub struct Block {
    /// The x of each sample.
    pub x: Vec<f64>,
    /// The y of each sample; as long as `x`.
    pub y: Vec<f64>,
}

impl Block {
    /// Forgets the samples, keeps the memory.
    pub fn clear(&mut self) {
        self.x.clear();
        self.y.clear();
    }

    /// Adds one sample.
    pub fn push(&mut self, (x, y): (f64, f64)) {
        self.x.push(x);
        self.y.push(y);
    }
}

/// A data set that yields its samples in f64 by position, any block at any time from any thread, so
/// that every engine and every number of threads sees the same data and the set never has to stand
/// in memory as a whole.
///
/// Every value is finite, in f32 too.
pub trait Source: Sync {
    /// How many samples there are; at least 1.
    fn samples(&self) -> u64;

    /// Replaces what is in `block` by the samples at positions `index * BLOCK` up to the next
    /// block's first or the end of the data set.
    ///
    /// # Errors
    /// Where the samples come from a file: that it can't be read any more, or has changed.
    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error>;

    /// What the data are, for a headline: `y = 4 + 3x + N(0, 1)`, `cars.csv`.
    fn title(&self) -> String;
}

/// The positions that block `index` of a set of `samples` samples covers.
pub fn positions(index: u64, samples: u64) -> std::ops::Range<u64> {
    let first = index * BLOCK as u64;
    first..(first + BLOCK as u64).min(samples)
}

/// Told how many samples (or bytes) more have been loaded, from any thread.
pub type OnLoad<'a> = &'a (dyn Fn(u64) + Sync);
