//! Samples far off, which stay out of an engine: in f32 they would cost all others their digits.

use std::ops::Range;

use rayon::prelude::*;

use super::statistics::Statistics;
use super::{Block, Source, gathered, read};
use crate::error::Error;

/// The distance from the median beyond which a value is far off, in median distances.
const FAR: f64 = 4096.0;
/// One sample of so many may be summed apart from the others.
const ONE_IN: u64 = 16;
/// So many samples may be summed apart in small sets too, up to a quarter of all.
const SOME: u64 = 16;

/// The ranges of x and y that the bulk of the samples lies in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bulk {
    /// The least and the greatest x.
    pub x: [f64; 2],
    /// The least and the greatest y.
    pub y: [f64; 2],
}

impl Bulk {
    /// The ranges that hold any samples.
    pub const ALL: Bulk = Bulk { x: ANY, y: ANY };

    /// Returns the ranges around the medians of samples that reach 4096 times as far as half the samples.
    pub fn of(samples: &Block) -> Self {
        Bulk {
            x: range(&samples.x),
            y: range(&samples.y),
        }
    }

    /// Returns these ranges with any y.
    pub fn with_any_y(self) -> Self {
        Bulk { y: ANY, ..self }
    }

    /// Returns whether a sample is not far off. NaN counts as near; [`read`] refuses it.
    pub fn contains(&self, x: f64, y: f64) -> bool {
        let beyond = |[least, greatest]: [f64; 2], value| value < least || greatest < value;
        !beyond(self.x, x) && !beyond(self.y, y)
    }
}

/// The range of any value.
const ANY: [f64; 2] = [f64::NEG_INFINITY, f64::INFINITY];

/// Returns the range around the median that reaches 4096 times as far as half the values: half of those that differ from
/// the median, if most don't.
fn range(values: &[f64]) -> [f64; 2] {
    let middle = median(values.to_vec());
    let distances: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    let mut scale = median(distances.clone());
    if scale == 0.0 {
        scale = median(distances.into_iter().filter(|&size| size > 0.0).collect());
    }
    if scale == 0.0 {
        return ANY;
    }
    [middle - FAR * scale, middle + FAR * scale]
}

/// Returns the median, the upper of two middle values, or 0 if there are no values.
pub fn median(mut values: Vec<f64>) -> f64 {
    let middle = values.len() / 2;
    if values.is_empty() {
        0.0
    } else {
        *values.select_nth_unstable_by(middle, f64::total_cmp).1
    }
}

/// The samples of a set, those far off apart from the others.
#[derive(Clone, Debug)]
pub struct FarAndNear {
    /// The ranges of the others.
    pub bulk: Bulk,
    /// The statistics of the others.
    pub statistics: Statistics,
    /// x and y of those far off, in the set's order.
    pub far: Vec<(f64, f64)>,
    /// Those of this rank among them.
    pub own: Range<usize>,
}

impl FarAndNear {
    /// Reads all samples once, on all threads of rayon's pool, and finds those outside of `bulk`. `all` has the statistics of
    /// all samples. Returns `None` if there are none, or too many for the host.
    ///
    /// # Errors
    /// [`Error::Empty`], and the errors of [`read`].
    pub fn of(source: &dyn Source, bulk: Bulk, all: &Statistics) -> Result<Option<Self>, Error> {
        if bulk.contains(all.x.least, all.y.least) && bulk.contains(all.x.greatest, all.y.greatest)
        {
            return Ok(None);
        }
        let most = (all.samples / ONE_IN).max(SOME.min(all.samples / 4));
        let blocks = (0..super::blocks(source)?)
            .into_par_iter()
            .map_init(
                Default::default,
                |(block, near): &mut (Block, Block), index| {
                    read(source, index, block)?;
                    near.clear();
                    let mut far = Vec::new();
                    for sample in block.x.iter().copied().zip(block.y.iter().copied()) {
                        if bulk.contains(sample.0, sample.1) {
                            near.push(sample);
                        } else if far.len() as u64 <= most {
                            far.push(sample);
                        }
                    }
                    Ok((Statistics::of_block(near), far))
                },
            )
            .collect::<Result<Vec<_>, Error>>()?;
        let joined = |parts: Vec<(Statistics, Vec<(f64, f64)>)>| {
            let (statistics, far): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
            let statistics: Statistics = statistics.into_iter().sum();
            (statistics, far.concat())
        };
        let mine = joined(blocks);
        let own = mine.1.len();
        // Very many are told by their number alone.
        let counts = gathered(source, own as u64)?;
        if !(1..=most).contains(&counts.iter().sum()) {
            return Ok(None);
        }
        let before = counts.iter().take(source.ranks().rank()).sum::<u64>() as usize;
        let (statistics, far) = joined(gathered(source, mine)?);
        Ok(statistics.x.varies().then_some(FarAndNear {
            bulk,
            statistics,
            far,
            own: before..before + own,
        }))
    }
}
