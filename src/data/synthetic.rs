//! Synthetic samples around a known line.

use std::fmt;
use std::ops::Range;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::{Block, Source, positions};
use crate::error::{Error, Setting};
use crate::model::Model;

/// Size of a gross error, upwards, in standard deviations of the noise.
const OUTLIER_DEVIATIONS: f64 = 20.0;

/// The recipe of a synthetic data set: `y = slope*x + intercept + noise * N(0, 1)`, with x uniform in a range and a gross
/// error in some of the samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// The number of samples; at least 1.
    pub samples: u64,
    /// The true w.
    pub slope: f64,
    /// The true b.
    pub intercept: f64,
    /// The standard deviation of the noise, in units of y; not negative.
    pub noise: f64,
    /// The range of x, without its end.
    pub x_range: Range<f64>,
    /// The share of samples with a gross error of 20 noise deviations upwards, in [0, 1].
    pub outliers: f64,
    /// The seed of all draws.
    pub seed: u64,
}

impl Default for Recipe {
    /// Returns the recipe of a million samples of y = 4 + 3x + N(0, 1), x in [0, 2), which the program draws by default.
    fn default() -> Self {
        Recipe {
            samples: 1_000_000,
            slope: 3.0,
            intercept: 4.0,
            noise: 1.0,
            x_range: 0.0..2.0,
            outliers: 0.0,
            seed: 20,
        }
    }
}

impl Recipe {
    /// Checks that the recipe can be followed, in f32 too.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let refuse = |setting: Setting, problem| Err(setting.error(problem));
        let Range { start, end } = self.x_range;
        // A normal draw in f64 is at most 40 deviations from 0.
        let reach = self.intercept.abs()
            + self.slope.abs() * start.abs().max(end.abs())
            + self.noise * (40.0 + OUTLIER_DEVIATIONS)
            + start.abs().max(end.abs());
        if self.samples == 0 {
            refuse(Setting::Samples, "must be at least 1")
        } else if !(start < end && (start as f32) < (end as f32)) {
            refuse(
                Setting::XRange,
                "must begin below its end, by more than f32 can tell apart",
            )
        } else if !(0.0..).contains(&self.noise) {
            refuse(
                Setting::Noise,
                "is a standard deviation and can't be negative",
            )
        } else if !(0.0..=1.0).contains(&self.outliers) {
            refuse(Setting::Outliers, "is a share of the samples, from 0 to 1")
        } else if self.outliers > 0.0 && self.noise == 0.0 {
            refuse(
                Setting::Outliers,
                "is measured in standard deviations of the noise, which must be above 0",
            )
        } else if !(..f64::from(f32::MAX)).contains(&reach) {
            Err(Error::Usage(
                "the samples would be beyond the range of f32 (3.4e38)".to_owned(),
            ))
        } else {
            Ok(())
        }
    }

    /// Returns the sample of a uniform draw from [0, 1) and a standard-normal one.
    ///
    /// The order of operations is that of `4 + 3 * x + randn`, so the digits are NumPy's.
    pub(crate) fn sample(&self, uniform: f64, normal: f64) -> (f64, f64) {
        let Range { start, end } = self.x_range;
        let x = start + (end - start) * uniform;
        (x, self.intercept + self.slope * x + self.noise * normal)
    }

    /// Returns the expected means of x and x².
    pub fn moments(&self) -> (f64, f64) {
        let Range { start, end } = self.x_range;
        (
            0.5 * (start + end),
            (start * start + start * end + end * end) / 3.0,
        )
    }

    /// Returns the expected standard deviation of y without outliers, in units of y.
    pub fn y_deviation(&self) -> f64 {
        let Range { start, end } = self.x_range;
        // The deviation of a uniform variable is its range over √12.
        (self.slope * (end - start) / 12_f64.sqrt()).hypot(self.noise)
    }

    /// Returns the error of an outlier, in units of y.
    pub(crate) fn gross_error(&self) -> f64 {
        OUTLIER_DEVIATIONS * self.noise
    }

    /// Adds gross errors to the samples of block `index`. They are drawn from a stream of their own, so the other samples
    /// are those of the same recipe without outliers.
    pub(crate) fn add_outliers(&self, index: u64, block: &mut Block) {
        if self.outliers > 0.0 {
            let mut draws = stream(self.seed, Stream::Outliers(index));
            for y in &mut block.y {
                if draws.random_bool(self.outliers) {
                    *y += self.gross_error();
                }
            }
        }
    }

    /// Returns the recipe in words: `y = 4 + 3x + N(0, 1)`.
    pub(crate) fn title(&self) -> String {
        let mut title = format!(
            "y = {} {} {}x",
            self.intercept,
            if self.slope < 0.0 { '−' } else { '+' },
            self.slope.abs()
        );
        if self.noise > 0.0 {
            title += &format!(" + N(0, {})", self.noise);
        }
        if self.outliers > 0.0 {
            title += &format!(", {} % outliers", 100.0 * self.outliers);
        }
        title
    }
}

/// A generator of synthetic samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Generator {
    /// ChaCha8, in parallel.
    #[default]
    Chacha,
    /// The exact draws of NumPy's `np.random.seed`, `rand` and `randn`.
    Numpy,
    /// A counter-based generator (Threefry), on the GPU itself or, for the CPU engine, its twin.
    Device,
}

impl Generator {
    /// Returns the generator's name: `chacha`, `numpy`, `device`.
    pub fn name(self) -> &'static str {
        match self {
            Generator::Chacha => "chacha",
            Generator::Numpy => "numpy",
            Generator::Device => "device",
        }
    }
}

/// The origin of a synthetic source.
#[derive(Clone, Debug, PartialEq)]
pub struct Synthetic {
    /// The recipe.
    pub recipe: Recipe,
    /// The generator.
    pub generator: Generator,
    /// The line that training starts from: draws of the same seed.
    pub start: Model,
}

impl fmt::Display for Synthetic {
    /// Writes what the title leaves out: `x in [0, 2), chacha seed 20`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Recipe { x_range, seed, .. } = &self.recipe;
        let Range { start, end } = x_range;
        write!(
            f,
            "x in [{start}, {end}), {} seed {seed}",
            self.generator.name()
        )
    }
}

/// The purpose of a stream of draws. Each is a ChaCha stream of its own number.
enum Stream {
    Samples(u64),
    Outliers(u64),
    Start,
}

fn stream(seed: u64, stream: Stream) -> ChaCha8Rng {
    let mut draws = ChaCha8Rng::seed_from_u64(seed);
    draws.set_stream(match stream {
        Stream::Samples(index) => index,
        Stream::Outliers(index) => 1 << 62 | index,
        Stream::Start => 1 << 63,
    });
    draws
}

/// Returns the default start of training: w and b, both standard-normal draws.
pub fn start(seed: u64) -> Model {
    let mut draws = stream(seed, Stream::Start);
    let w = StandardNormal.sample(&mut draws);
    let b = StandardNormal.sample(&mut draws);
    Model { w, b }
}

/// Samples drawn with ChaCha8: sample i depends on the recipe and i alone.
#[derive(Debug)]
pub struct ChaCha {
    recipe: Recipe,
}

impl ChaCha {
    /// Returns the samples of a recipe.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Usage`] for a recipe that can't be followed.
    pub fn new(recipe: Recipe) -> Result<Self, Error> {
        recipe.check()?;
        Ok(ChaCha { recipe })
    }
}

impl Source for ChaCha {
    fn samples(&self) -> u64 {
        self.recipe.samples
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        let mut draws = stream(self.recipe.seed, Stream::Samples(index));
        block.clear();
        for _ in positions(index, self.recipe.samples) {
            let uniform = draws.random();
            let normal = StandardNormal.sample(&mut draws);
            block.push(self.recipe.sample(uniform, normal));
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
            generator: Generator::Chacha,
            start: start(self.recipe.seed),
        })
    }
}
