//! The draws of NumPy's legacy generator (`np.random.seed`), digit by digit.
//!
//! The order is that of the script that many tutorials share:
//!
//! ```python
//! np.random.seed(S)
//! x = 2 * np.random.rand(n, 1)
//! y = 4 + 3 * x + np.random.randn(n, 1)
//! w = np.random.randn(1)
//! b = np.random.randn(1)
//! ```

use rand_mt::Mt;

use super::synthetic::{Generator, Recipe, Synthetic};
use super::{BLOCK, Block, OnLoad, Source, positions};
use crate::error::{Error, Setting};
use crate::model::Model;

/// Maximum number of states kept, for each of x and noise. A state takes 2.5 KB, so all take 20 MB.
const CHECKPOINTS: u64 = 4096;

/// MT19937 with NumPy's doubles and normals on top.
#[derive(Clone, Debug)]
struct Legacy {
    bits: Mt,
    /// The second of the two normals that the polar method makes at a time.
    cached: Option<f64>,
}

impl Legacy {
    fn new(seed: u32) -> Self {
        Legacy {
            bits: Mt::new(seed),
            cached: None,
        }
    }

    /// Draws as `rand()` does: uniform in [0, 1), 53 bits from two words (`legacy_double`).
    fn uniform(&mut self) -> f64 {
        let high = self.bits.next_u32() >> 5;
        let low = self.bits.next_u32() >> 6;
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    /// Draws as `randn()` does, by Marsaglia's polar method (`legacy_gauss`).
    fn normal(&mut self) -> f64 {
        if let Some(normal) = self.cached.take() {
            return normal;
        }
        loop {
            let first = 2.0 * self.uniform() - 1.0;
            let second = 2.0 * self.uniform() - 1.0;
            let square = first * first + second * second;
            if square < 1.0 && square != 0.0 {
                let scale = (-2.0 * square.ln() / square).sqrt();
                self.cached = Some(scale * first);
                return scale * second;
            }
        }
    }
}

/// The synthetic data set that NumPy's legacy generator draws.
///
/// All x come before all noise in one stream, and a normal takes a varying number of words from it. Everything is
/// therefore drawn once at the start, and the generator's state is kept every few blocks.
#[derive(Debug)]
pub struct Numpy {
    recipe: Recipe,
    /// The distance between two kept states, in blocks.
    stride: u64,
    /// The generator before x and before the noise of each block that is a multiple of `stride`.
    states: Vec<(Legacy, Legacy)>,
    start: Model,
}

impl Numpy {
    /// Draws the samples of a recipe once. Calls `on_load` with the number of values as they are drawn, two a sample.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Usage`] for a recipe that can't be followed, or a seed that NumPy does not take.
    pub fn new(recipe: Recipe, on_load: OnLoad) -> Result<Self, Error> {
        Self::with_checkpoints(recipe, CHECKPOINTS, on_load)
    }

    fn with_checkpoints(recipe: Recipe, checkpoints: u64, on_load: OnLoad) -> Result<Self, Error> {
        recipe.check()?;
        let seed = u32::try_from(recipe.seed).map_err(|_| {
            Setting::Seed.error("must be from 0 to 4294967295 for NumPy's generator")
        })?;
        let blocks = recipe.samples.div_ceil(BLOCK as u64);
        let stride = blocks.div_ceil(checkpoints);
        let mut legacy = Legacy::new(seed);
        let mut states_while = |draw: fn(&mut Legacy) -> f64| {
            let mut states = Vec::new();
            for index in 0..blocks {
                if index % stride == 0 {
                    states.push(legacy.clone());
                }
                let positions = positions(index, recipe.samples);
                on_load(positions.end - positions.start);
                for _ in positions {
                    draw(&mut legacy);
                }
            }
            states
        };
        let before_x = states_while(Legacy::uniform);
        let before_noise = states_while(Legacy::normal);
        let w = legacy.normal();
        let b = legacy.normal();
        Ok(Numpy {
            recipe,
            stride,
            states: before_x.into_iter().zip(before_noise).collect(),
            start: Model { w, b },
        })
    }

    /// Returns the start of the script: w and b, the draws after the noise.
    pub fn start(&self) -> Model {
        self.start
    }
}

impl Source for Numpy {
    fn samples(&self) -> u64 {
        self.recipe.samples
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        let (mut x, mut noise) = self.states[(index / self.stride) as usize].clone();
        for _ in 0..index % self.stride * BLOCK as u64 {
            x.uniform();
            noise.normal();
        }
        block.clear();
        for _ in positions(index, self.recipe.samples) {
            block.push(self.recipe.sample(x.uniform(), noise.normal()));
        }
        self.recipe.add_outliers(index, block);
        Ok(())
    }

    fn title(&self) -> String {
        self.recipe.title()
    }

    fn synthetic(&self) -> Option<Synthetic> {
        Some(Synthetic {
            recipe: self.recipe.clone(),
            generator: Generator::Numpy,
            start: self.start,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sets of more than 4096 blocks keep a state for several blocks.
    #[test]
    fn a_state_for_several_blocks_yields_each_of_them() {
        let recipe = Recipe {
            samples: 5 * BLOCK as u64 + 3,
            ..Recipe::default()
        };
        let every = Numpy::new(recipe.clone(), &|_| {}).unwrap();
        let few = Numpy::with_checkpoints(recipe, 2, &|_| {}).unwrap();
        assert_eq!((every.states.len(), few.states.len()), (6, 2));
        assert_eq!(every.start(), few.start());
        let (mut expected, mut block) = (Block::default(), Block::default());
        for index in 0..6 {
            every.read(index, &mut expected).unwrap();
            few.read(index, &mut block).unwrap();
            assert_eq!(block.x, expected.x);
            assert_eq!(block.y, expected.y);
        }
    }
}
