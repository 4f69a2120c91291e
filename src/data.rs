//! Data sets: the trait that engines read samples by, and what all sets have in common.

use self::numpy::Numpy;
use self::synthetic::{ChaCha, Generator, Recipe, Synthetic};
use self::threefry::Threefry;
use crate::error::{Axis, Error, Reason};
use crate::model::Centered;

pub mod far;
pub mod goodness;
pub mod host;
pub mod numpy;
pub mod sandwich;
pub mod scaling;
pub mod shape;
pub mod statistics;
pub mod synthetic;
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
/// set never has to be in memory as a whole. Every value is finite, in f32 too.
pub trait Source: Sync {
    /// Returns the number of samples; at least 1.
    fn samples(&self) -> u64;

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
}

/// What numbers for dates or timestamps count since the start of 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// Seconds, without leap seconds.
    Seconds,
    /// Days.
    Days,
}

/// Makes a pointer to a source a source.
macro_rules! forward_source {
    ($pointer:ty) => {
        impl<S: Source + ?Sized> Source for $pointer {
            fn samples(&self) -> u64 {
                (**self).samples()
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
        }
    };
}

forward_source!(&S);
forward_source!(Box<S>);

/// Returns the number of blocks of a source.
///
/// # Errors
/// [`Error::Empty`] if it has no samples.
pub fn blocks(source: &(impl Source + ?Sized)) -> Result<u64, Error> {
    match source.samples() {
        0 => Err(Error::Empty {
            title: source.title(),
        }),
        samples => Ok(samples.div_ceil(BLOCK as u64)),
    }
}

/// Returns all samples, or the 1,048,576 in 16 blocks spread over the source.
///
/// # Errors
/// [`Error::Empty`], and the errors of [`read`].
pub fn some(source: &(impl Source + ?Sized)) -> Result<Block, Error> {
    const MOST: u64 = 16;
    let all = blocks(source)?;
    let taken = all.min(MOST);
    let (mut some, mut block) = (Block::default(), Block::default());
    for at in 0..taken {
        read(source, at * (all - 1) / (taken - 1).max(1), &mut block)?;
        some.x.append(&mut block.x);
        some.y.append(&mut block.y);
    }
    Ok(some)
}

/// Reads a block of a source, and checks it. Engines and statistics read samples by this function only.
///
/// # Errors
/// - [`Error::Block`] if the block has another number of samples than its [`positions`].
/// - [`Error::Value`] if a value is not finite in f32.
/// - The errors of [`Source::read`].
pub fn read(source: &(impl Source + ?Sized), index: u64, block: &mut Block) -> Result<(), Error> {
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
        if !all_fit(values)
            && let Some(at) = values.iter().position(|value| Reason::of(*value).is_some())
        {
            return Err(Error::Value {
                title: source.title(),
                axis,
                position: positions.start + at as u64,
                value: values[at],
            });
        }
    }
    Ok(())
}

/// Returns whether all values are finite in f32.
///
/// Nearly always they are. Without a branch a value, seeing that costs next to nothing.
pub fn all_fit(values: &[f64]) -> bool {
    /// The least number that f32 rounds to infinity: half a unit in the last place above the largest.
    const TOO_LARGE: f64 = f32::MAX as f64 + (1_u128 << 103) as f64;
    values
        .iter()
        .fold(true, |all, value| all & (value.abs() < TOO_LARGE))
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
pub fn positions(index: u64, samples: u64) -> std::ops::Range<u64> {
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
                    all_fit(&[1.0, value]),
                    (value as f32).is_finite(),
                    "{value:e}"
                );
            }
        }
        assert!(!all_fit(&[f64::NAN]) && !all_fit(&[f64::NEG_INFINITY]) && all_fit(&[]));
    }
}
