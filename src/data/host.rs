//! Samples that stand in host memory already.

use super::{Block, Source, positions};
use crate::error::Error;

/// Samples in f32, as an engine holds them: another engine that loads them gets the same bits.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a> {
    /// The x of each sample.
    pub x: &'a [f32],
    /// The y of each sample; as long as `x`.
    pub y: &'a [f32],
}

impl Source for Columns<'_> {
    fn samples(&self) -> u64 {
        self.x.len() as u64
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        let positions = positions(index, self.samples());
        let range = positions.start as usize..positions.end as usize;
        block.clear();
        block
            .x
            .extend(self.x[range.clone()].iter().map(|&x| f64::from(x)));
        block.y.extend(self.y[range].iter().map(|&y| f64::from(y)));
        Ok(())
    }

    fn title(&self) -> String {
        "samples in memory".to_owned()
    }
}
