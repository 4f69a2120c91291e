//! A part of a data set that is spread over it.

use super::{BLOCK, Block, Source, described_by_source};
use crate::error::Error;

/// One block of so many of a source, from the first on.
pub struct Thinned<'a> {
    source: &'a dyn Source,
    every: u64,
}

impl<'a> Thinned<'a> {
    /// Returns one block of `every` of a source.
    pub fn new(source: &'a dyn Source, every: u64) -> Self {
        Thinned { source, every }
    }
}

impl Source for Thinned<'_> {
    fn samples(&self) -> u64 {
        let (all, block) = (self.source.samples(), BLOCK as u64);
        let blocks = all.div_ceil(block).div_ceil(self.every);
        // Only the last block may lack samples.
        let last = blocks.saturating_sub(1) * self.every * block;
        blocks.saturating_sub(1) * block + (all - last).min(block)
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        self.source.read(index * self.every, block)
    }

    described_by_source!();
}
