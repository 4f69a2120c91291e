//! Data sets: the trait that engines read samples by, and what all sets have in common.

use std::ops::Range;

use serde::Serialize;
use serde::de::DeserializeOwned;

use self::moments::Moments;
use self::numpy::Numpy;
use self::statistics::Statistics;
use self::synthetic::{ChaCha, Generator, Recipe, Synthetic};
use self::threefry::Threefry;
use crate::error::{Axis, Error};
use crate::model::Centered;
use crate::ranks::{Alone, Ranks, gather_values};

pub mod double;
pub mod far;
pub mod goodness;
pub mod host;
pub mod moments;
pub mod numpy;
pub mod ranked;
pub mod sandwich;
pub mod scaling;
pub mod shape;
pub mod statistics;
pub mod stretch;
pub mod synthetic;
pub mod thinned;
pub mod threefry;
pub mod uncertainty;

/// Samples in a block, which a [`Source`] yields at once.
///
/// A block of 65,536 samples (1 MB in f64) fits a core's second-level cache. It is also long enough to hide the cost of
/// seeding a synthetic stream.
pub const BLOCK: usize = 1 << 16;

/// A block of samples in f64, x and y in arrays of their own.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// The x of each sample.
    pub x: Vec<f64>,
    /// The y of each sample; as long as `x`.
    pub y: Vec<f64>,
}

impl Block {
    /// Removes the samples, and keeps the memory.
    pub fn clear(&mut self) {
        self.x.clear();
        self.y.clear();
    }

    /// Returns the residuals of a line, prediction less target.
    pub fn residuals(&self, line: Centered) -> Vec<f64> {
        let samples = self.x.iter().zip(&self.y);
        samples.map(|(&x, &y)| line.predict(x) - y).collect()
    }

    /// Adds one sample.
    pub fn push(&mut self, (x, y): (f64, f64)) {
        self.x.push(x);
        self.y.push(y);
    }
}

/// A data set that yields its samples in f64 by position.
///
/// Any thread may read any block at any time. Every engine and every number of threads therefore sees the same data, and a
/// set never has to be in memory as a whole. Every value is finite. An engine needs values that are finite in f32, unless they
/// are standardised before.
pub trait Source: Sync {
    /// Returns the number of samples; at least 1.
    fn samples(&self) -> u64;

    /// Returns the position of the first sample in the data set that this is a part of: a [`Stretch`](stretch::Stretch), or
    /// that of a rank.
    fn first(&self) -> u64 {
        0
    }

    /// Returns the ranks that share the data set. This source has the samples of one of them, those of the others follow in
    /// the order of ranks, and what is computed in f64 over a source is over all of them.
    fn ranks(&self) -> &dyn Ranks {
        &Alone
    }

    /// Returns the number of samples of all ranks.
    fn all_samples(&self) -> u64 {
        self.samples()
    }

    /// Replaces the content of `block` with the samples at the [`positions`] that block `index` covers.
    ///
    /// # Errors
    /// Fails if a file can't be read any more, has changed, or holds a value that can't be used.
    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error>;

    /// Returns the data in words, for a headline: `y = 4 + 3x + N(0, 1)`, `cars.csv`.
    fn title(&self) -> String;

    /// Returns the names of x and y.
    fn names(&self) -> [String; 2] {
        ["x", "y"].map(str::to_owned)
    }

    /// Returns what x counts, if it holds dates or timestamps.
    fn time(&self) -> Option<Time> {
        None
    }

    /// Returns how the samples are drawn, if they are synthetic.
    fn synthetic(&self) -> Option<Synthetic> {
        None
    }

    /// Returns the samples' statistics, if they are known without reading them.
    fn statistics(&self) -> Option<Statistics> {
        None
    }

    /// Returns the samples' moments, if they are known without reading them.
    fn moments(&self) -> Option<Moments> {
        None
    }
}

/// What numbers for dates or timestamps count since the start of 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// Seconds, without leap seconds.
    Seconds,
    /// Days.
    Days,
}

/// Describes a source by the one that it wraps, `self.source`.
macro_rules! described_by_source {
    () => {
        fn title(&self) -> String {
            self.source.title()
        }

        fn names(&self) -> [String; 2] {
            self.source.names()
        }

        fn time(&self) -> Option<$crate::data::Time> {
            self.source.time()
        }

        fn synthetic(&self) -> Option<$crate::data::synthetic::Synthetic> {
            self.source.synthetic()
        }
    };
}
pub(crate) use described_by_source;

/// Shares a source among the ranks of the one that it wraps, `self.source`, which has as many samples.
macro_rules! shared_like_source {
    () => {
        fn first(&self) -> u64 {
            self.source.first()
        }

        fn ranks(&self) -> &dyn $crate::ranks::Ranks {
            self.source.ranks()
        }

        fn all_samples(&self) -> u64 {
            self.source.all_samples()
        }
    };
}
pub(crate) use shared_like_source;

/// Makes a pointer to a source a source.
macro_rules! forward_source {
    ($pointer:ty) => {
        impl<S: Source + ?Sized> Source for $pointer {
            fn samples(&self) -> u64 {
                (**self).samples()
            }

            fn first(&self) -> u64 {
                (**self).first()
            }

            fn ranks(&self) -> &dyn Ranks {
                (**self).ranks()
            }

            fn all_samples(&self) -> u64 {
                (**self).all_samples()
            }

            fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
                (**self).read(index, block)
            }

            fn title(&self) -> String {
                (**self).title()
            }

            fn names(&self) -> [String; 2] {
                (**self).names()
            }

            fn time(&self) -> Option<Time> {
                (**self).time()
            }

            fn synthetic(&self) -> Option<Synthetic> {
                (**self).synthetic()
            }

            fn statistics(&self) -> Option<Statistics> {
                (**self).statistics()
            }

            fn moments(&self) -> Option<Moments> {
                (**self).moments()
            }
        }
    };
}

forward_source!(&S);
forward_source!(Box<S>);

/// Returns the number of blocks of a source. A rank may have none.
///
/// # Errors
/// [`Error::Empty`] if all ranks together have no samples.
pub fn blocks(source: &(impl Source + ?Sized)) -> Result<u64, Error> {
    if source.all_samples() == 0 {
        return Err(Error::Empty {
            title: source.title(),
        });
    }
    Ok(source.samples().div_ceil(BLOCK as u64))
}

/// Returns what the ranks of a source have to hand over, in their order.
///
/// # Errors
/// Those of [`Ranks::gather`].
pub(crate) fn gathered<T: Serialize + DeserializeOwned>(
    source: &(impl Source + ?Sized),
    mine: T,
) -> Result<Vec<T>, Error> {
    gather_values(source.ranks(), mine)
}

/// Returns all samples, or the 1,048,576 in 16 blocks spread over those of all ranks: the same for any number of ranks.
///
/// # Errors
/// [`Error::Empty`], and the errors of [`read`] and [`Ranks::gather`].
pub fn some(source: &(impl Source + ?Sized)) -> Result<Block, Error> {
    const MOST: u64 = 16;
    blocks(source)?;
    let samples = source.all_samples();
    let all = samples.div_ceil(BLOCK as u64);
    let taken = all.min(MOST);
    let mut some = Block::default();
    for at in 0..taken {
        let wanted = positions(at * (all - 1) / (taken - 1).max(1), samples);
        append(source, wanted, &mut some)?;
    }
    let mut of_ranks = gathered(source, (some.x, some.y))?.into_iter();
    let (mut x, mut y) = of_ranks.next().unwrap_or_default();
    for (of_rank_x, of_rank_y) in of_ranks {
        x.extend(of_rank_x);
        y.extend(of_rank_y);
    }
    Ok(Block { x, y })
}

/// Adds those of the samples at some positions in the data set that a source has to a block.
fn append(
    source: &(impl Source + ?Sized),
    wanted: Range<u64>,
    some: &mut Block,
) -> Result<(), Error> {
    let first = source.first();
    let own = |position: u64| position.clamp(first, first + source.samples()) - first;
    let (start, end) = (own(wanted.start), own(wanted.end));
    let mut block = Block::default();
    for index in start / BLOCK as u64..end.div_ceil(BLOCK as u64) {
        read(source, index, &mut block)?;
        let at = positions(index, source.samples());
        let taken = start.max(at.start)..end.min(at.end);
        let taken = (taken.start - at.start) as usize..(taken.end - at.start) as usize;
        some.x.extend_from_slice(&block.x[taken.clone()]);
        some.y.extend_from_slice(&block.y[taken]);
    }
    Ok(())
}

/// Reads a block of a source, and checks it. What computes in f64 reads samples by this function only.
///
/// # Errors
/// - [`Error::Block`] if the block has another number of samples than its [`positions`].
/// - [`Error::Value`] if a value is not finite.
/// - The errors of [`Source::read`].
pub fn read(source: &(impl Source + ?Sized), index: u64, block: &mut Block) -> Result<(), Error> {
    read_below(source, index, block, f64::INFINITY)
}

/// Reads a block like [`read`], for an engine, which computes in f32.
///
/// # Errors
/// Those of [`read`]. Also [`Error::Value`] if f32 rounds a value to infinity.
pub fn read_for_engine(
    source: &(impl Source + ?Sized),
    index: u64,
    block: &mut Block,
) -> Result<(), Error> {
    read_below(source, index, block, BEYOND_F32)
}

/// The least number that f32 rounds to infinity: half a unit in the last place above the largest.
const BEYOND_F32: f64 = f32::MAX as f64 + (1_u128 << 103) as f64;

/// Reads a block whose values have to be smaller than `limit` in size.
fn read_below(
    source: &(impl Source + ?Sized),
    index: u64,
    block: &mut Block,
    limit: f64,
) -> Result<(), Error> {
    source.read(index, block)?;
    let positions = positions(index, source.samples());
    let promised = positions.end - positions.start;
    let [x, y] = [block.x.len() as u64, block.y.len() as u64];
    if [x, y] != [promised; 2] {
        return Err(Error::Block {
            title: source.title(),
            block: index,
            promised,
            x,
            y,
        });
    }
    for (axis, values) in [(Axis::X, &block.x), (Axis::Y, &block.y)] {
        if !all_below(values, limit)
            && let Some(at) = values.iter().position(|value| !all_below(&[*value], limit))
        {
            return Err(Error::Value {
                title: source.title(),
                axis,
                position: source.first() + positions.start + at as u64,
                value: values[at],
            });
        }
    }
    Ok(())
}

/// Returns whether all values are finite.
pub fn all_finite(values: &[f64]) -> bool {
    all_below(values, f64::INFINITY)
}

/// Returns whether all values are smaller in size, and none is NaN.
///
/// Nearly always they are. Without a branch a value, seeing that costs next to nothing.
fn all_below(values: &[f64], limit: f64) -> bool {
    values
        .iter()
        .fold(true, |all, value| all & (value.abs() < limit))
}

/// Returns the synthetic samples of a recipe. Calls `on_load` with the number of values that are drawn in advance: two a
/// sample for NumPy's generator, none for others.
///
/// # Errors
/// [`Error::Setting`] or [`Error::Usage`] for a recipe that can't be followed.
pub fn draw(
    recipe: Recipe,
    generator: Generator,
    on_load: OnLoad,
) -> Result<Box<dyn Source>, Error> {
    Ok(match generator {
        Generator::Chacha => Box::new(ChaCha::new(recipe)?),
        Generator::Numpy => Box::new(Numpy::new(recipe, on_load)?),
        Generator::Device => Box::new(Threefry::new(recipe)?),
    })
}

/// Returns the positions that block `index` of a set of `samples` samples covers.
pub fn positions(index: u64, samples: u64) -> Range<u64> {
    let first = index * BLOCK as u64;
    first..(first + BLOCK as u64).min(samples)
}

/// A function that is called from any thread with the number of samples (or bytes) that were loaded since.
pub type OnLoad<'a> = &'a (dyn Fn(u64) + Sync);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_fits_where_f32_holds_it() {
        let limit = f64::from(f32::MAX);
        for value in [
            0.0,
            limit,
            limit.next_up(),
            limit * (1.0 + 2.0_f64.powi(-25)),
            f64::MAX,
        ] {
            for value in [value, value.next_up(), value.next_down(), -value] {
                assert_eq!(
                    all_below(&[1.0, value], BEYOND_F32),
                    (value as f32).is_finite(),
                    "{value:e}"
                );
            }
        }
        assert!(!all_finite(&[f64::NAN]) && !all_finite(&[f64::NEG_INFINITY]));
        assert!(all_finite(&[]) && all_finite(&[f64::MAX]));
    }
}
