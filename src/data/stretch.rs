//! A part of a data set.

use std::ops::Range;

use super::{BLOCK, Block, Source, described_by_source};
use crate::error::Error;

/// The samples of a range of blocks of a source.
pub struct Stretch<S> {
    source: S,
    blocks: Range<u64>,
}

impl<S: Source> Stretch<S> {
    /// Returns the samples of `blocks`, which the source has.
    pub fn new(source: S, blocks: Range<u64>) -> Self {
        Stretch { source, blocks }
    }
}

impl<S: Source> Source for Stretch<S> {
    fn samples(&self) -> u64 {
        let [start, end] = [self.blocks.start, self.blocks.end]
            .map(|block| (block * BLOCK as u64).min(self.source.samples()));
        end - start
    }

    fn first(&self) -> u64 {
        self.source.first() + self.blocks.start * BLOCK as u64
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        self.source.read(self.blocks.start + index, block)
    }

    described_by_source!();
}

/// Divides `blocks` blocks by weights, in the order of these. Each weight has at least one block, as long as there are
/// enough; those without any are left out.
pub fn divide(blocks: u64, weights: &[f64]) -> Vec<Range<u64>> {
    let count = (weights.len() as u64).min(blocks);
    let weights = &weights[..count as usize];
    let whole: f64 = weights.iter().sum();
    let (mut start, mut sum) = (0, 0.0);
    let ranges = weights.iter().zip(1..).map(|(weight, nth)| {
        sum += weight;
        let end = (blocks as f64 * (sum / whole)).round() as u64;
        // One for each of those that follow.
        let end = end.clamp(start + 1, blocks - (count - nth));
        let range = start..if nth == count { blocks } else { end };
        start = end;
        range
    });
    ranges.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::synthetic::{ChaCha, Recipe};
    use crate::data::{self};

    #[test]
    fn parts_are_the_whole_in_order() {
        for (blocks, weights) in [
            (1, &[1.0, 1.0][..]),
            (2, &[1.0, 1e9]),
            (3, &[1e9, 1.0, 1.0]),
            (7, &[0.5]),
            (1000, &[1.0, 2.0, 7.0]),
            (1 << 40, &[1.0, 1.0, 1.0]),
        ] {
            let ranges = divide(blocks, weights);
            assert_eq!(ranges.len() as u64, blocks.min(weights.len() as u64));
            let mut next = 0;
            for range in &ranges {
                assert!(range.start == next && range.end > next, "{ranges:?}");
                next = range.end;
            }
            assert_eq!(next, blocks, "{ranges:?}");
        }
        assert_eq!(
            divide(1000, &[1.0, 2.0, 7.0]),
            [0..100, 100..300, 300..1000]
        );
    }

    #[test]
    fn a_part_has_the_samples_at_its_positions() {
        let samples = 3 * BLOCK as u64 + 5;
        let whole = ChaCha::new(Recipe {
            samples,
            ..Recipe::default()
        })
        .unwrap();
        let part = Stretch::new(&whole, 1..4);
        assert_eq!(part.samples(), samples - BLOCK as u64);
        assert_eq!(Stretch::new(&part, 2..3).first(), 3 * BLOCK as u64);
        let (mut one, mut other) = (Block::default(), Block::default());
        for index in 0..3 {
            data::read(&part, index, &mut one).unwrap();
            data::read(&whole, index + 1, &mut other).unwrap();
            assert!(one.x == other.x && one.y == other.y);
        }
    }
}
