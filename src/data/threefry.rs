//! Synthetic samples from a counter, which a shader can draw too.
//!
//! Sample i needs no draw before it. Its random words are a cipher of its position with the seed as the key: Threefry-2x32
//! of 20 rounds (J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
//! `shaders/draw.wgsl` draws the same words, and computes in f32 what this file computes in f64.

use std::ops::Range;

use super::synthetic::{self, Generator, Recipe, Synthetic};
use super::{BLOCK, Block, Source, positions};
use crate::error::Error;

/// The upper bits of a word that make a uniform draw. f32 holds every multiple of 2^-24 in [0, 1).
const UNIFORM_BITS: u32 = 24;

/// Samples drawn with Threefry: sample i depends on the recipe and i alone.
#[derive(Debug)]
pub struct Threefry {
    recipe: Recipe,
    /// The position of the first sample.
    first: u64,
}

impl Threefry {
    /// Returns the samples of a recipe.
    ///
    /// # Errors
    /// [`Error::Setting`] or [`Error::Usage`] for a recipe that can't be followed.
    pub fn new(recipe: Recipe) -> Result<Self, Error> {
        recipe.check()?;
        Ok(Threefry { recipe, first: 0 })
    }

    /// Returns the samples of a range of blocks, which there are.
    pub fn part(mut self, blocks: Range<u64>) -> Self {
        let end = (blocks.end * BLOCK as u64).min(self.recipe.samples);
        let first = blocks.start * BLOCK as u64;
        self.first += first;
        self.recipe.samples = end - first;
        self
    }

    /// Returns the recipe.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Returns the sample at a position below 2^63.
    pub(crate) fn sample(&self, position: u64) -> (f64, f64) {
        let key = halves(self.recipe.seed);
        let [low, high] = halves(position);
        let [first, second] = threefry(key, [low, high]);
        let (x, mut y) = self.recipe.sample(uniform(first), normal(second));
        let threshold = outlier_threshold(&self.recipe);
        if threshold > 0 && threefry(key, [low, high | 1 << 31])[0] >> 1 < threshold {
            y += self.recipe.gross_error();
        }
        (x, y)
    }
}

impl Source for Threefry {
    fn samples(&self) -> u64 {
        self.recipe.samples
    }

    fn first(&self) -> u64 {
        self.first
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        block.clear();
        for position in positions(index, self.recipe.samples) {
            block.push(self.sample(self.first + position));
        }
        Ok(())
    }

    fn title(&self) -> String {
        self.recipe.title()
    }

    fn synthetic(&self) -> Option<Synthetic> {
        Some(Synthetic {
            recipe: self.recipe.clone(),
            generator: Generator::Device,
            start: synthetic::start(self.recipe.seed),
        })
    }
}

/// Returns a seed or a position as the cipher takes it: the lower word, then the upper one.
pub(crate) fn halves(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

/// Returns the recipe's share of outliers, in units of 2^-31. With 31 bits, a share of 1 fits u32 too.
pub(crate) fn outlier_threshold(recipe: &Recipe) -> u32 {
    (recipe.outliers * f64::from(1_u32 << 31)).round() as u32
}

/// Returns the cipher of a counter: Threefry-2x32 of 20 rounds.
fn threefry(key: [u32; 2], counter: [u32; 2]) -> [u32; 2] {
    const ROTATIONS: [[u32; 4]; 2] = [[13, 15, 26, 6], [17, 29, 16, 24]];
    let keys = [key[0], key[1], key[0] ^ key[1] ^ 0x1bd1_1bda];
    let mut a = counter[0].wrapping_add(keys[0]);
    let mut b = counter[1].wrapping_add(keys[1]);
    for four in 0..5 {
        for rotation in ROTATIONS[four % 2] {
            a = a.wrapping_add(b);
            b = b.rotate_left(rotation) ^ a;
        }
        a = a.wrapping_add(keys[(four + 1) % 3]);
        b = b
            .wrapping_add(keys[(four + 2) % 3])
            .wrapping_add(four as u32 + 1);
    }
    [a, b]
}

/// Returns a uniform draw from [0, 1), exact in f32.
fn uniform(word: u32) -> f64 {
    f64::from(word >> (32 - UNIFORM_BITS)) / f64::from(1_u32 << UNIFORM_BITS)
}

/// The w at which the inverse normal changes from one polynomial to the other.
pub(crate) const SPLIT: f32 = 5.5;
/// The subtrahend of w in `CENTRAL`: the middle of its range.
pub(crate) const CENTRAL_MIDDLE: f32 = 2.75;
/// The subtrahend of √w in `TAIL`: about the middle of its range.
pub(crate) const TAIL_MIDDLE: f32 = 3.5;
/// Coefficients of √2 · erfinv(x) / x in w − 2.75, for w up to 5.5, the highest power first.
pub(crate) const CENTRAL: [f32; 9] = [
    1.8439275e-8,
    4.9990075e-7,
    -3.883041e-6,
    -1.242451e-5,
    0.00029655936,
    -0.0014707722,
    -0.0071230945,
    0.34553623,
    2.2101185,
];
/// Coefficients of √2 · erfinv(x) / x in √w − 3.5, for w from 5.5 to 21.49, the smallest tail.
pub(crate) const TAIL: [f32; 9] = [
    1.0277707e-5,
    -0.00027406422,
    0.00075839815,
    -0.0010215072,
    0.001458599,
    -0.0028946875,
    0.004652312,
    1.4246325,
    4.7170887,
];

/// Returns a standard-normal draw. One bit of the word is the sign, and 31 bits k are the probability t of a draw further
/// out on either side.
///
/// t is (k + ½) / 2^31: from 2^-32, which is 6.3 deviations, to 1 − 2^-32. The draw is ±√2 · erfinv(x) with x = 1 − t.
/// That is x times a polynomial in w = −ln(1 − x²), or in √w further out, as M. Giles has it ("Approximating the erfinv
/// function", GPU Computing Gems, Jade Edition, 2011). His polynomials end at w = 16, and their error at the ends of these
/// tails is 4e-4 of the draw. The polynomials here are minimax fits over the whole range. Their relative error is at most
/// 2.2e-7 with coefficients in f32.
fn normal(word: u32) -> f64 {
    let odd = word << 1 | 1;
    let unit = 0.5_f64.powi(32);
    // Both are exact; 1 − t would round.
    let (t, x) = (f64::from(odd) * unit, f64::from(odd.wrapping_neg()) * unit);
    let w = -(t * (1.0 + x)).ln();
    let ratio = if w <= f64::from(SPLIT) {
        polynomial(&CENTRAL, w - f64::from(CENTRAL_MIDDLE))
    } else {
        polynomial(&TAIL, w.sqrt() - f64::from(TAIL_MIDDLE))
    };
    let size = ratio * x;
    if word >> 31 == 0 { size } else { -size }
}

fn polynomial(coefficients: &[f32; 9], at: f64) -> f64 {
    let add = |sum: f64, &coefficient: &f32| sum * at + f64::from(coefficient);
    coefficients.iter().fold(0.0, add)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers are those of Random123, Salmon's own implementation.
    #[test]
    fn the_cipher_gives_the_known_answers() {
        for (counter, key, answer) in [
            ([0, 0], [0, 0], [0x6b20_0159, 0x99ba_4efe]),
            ([!0, !0], [!0, !0], [0x1cb9_96fc, 0xbb00_2be7]),
            (
                [0x243f_6a88, 0x85a3_08d3],
                [0x1319_8a2e, 0x0370_7344],
                [0xc492_3a9c, 0x483d_f7a0],
            ),
        ] {
            assert_eq!(threefry(key, counter), answer);
        }
    }

    #[test]
    fn a_uniform_draw_is_exact_in_f32_and_below_1() {
        for (word, draw) in [
            (0, 0.0),
            (0xff, 0.0),
            (0x100, 0.5_f64.powi(24)),
            (0x8000_0000, 0.5),
            (!0, 1.0 - 0.5_f64.powi(24)),
        ] {
            assert_eq!(uniform(word), draw);
            assert_eq!(f64::from(draw as f32), draw);
        }
    }

    /// Checks draws against libm's erf and erfc over the whole range, densest at both ends. The error of z is the error of
    /// its probability over twice the density.
    #[test]
    fn a_normal_draw_has_a_relative_error_below_2_5e_7() {
        let mut worst = 0.0_f64;
        for i in 0..=300_000 {
            // k from 0 and from 2^31 − 1, in equal ratios.
            let k = (31.0 * f64::from(i) / 300_000.0).exp2() as u32 - 1;
            for k in [k, (1 << 31) - 1 - k] {
                let z = normal(k);
                let t = (f64::from(k) + 0.5) * 0.5_f64.powi(31);
                let at = z / std::f64::consts::SQRT_2;
                let beyond = if t < 0.5 {
                    libm::erfc(at) - t
                } else {
                    (1.0 - t) - libm::erf(at)
                };
                let density = (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
                worst = worst.max((beyond / (2.0 * density * z)).abs());
                assert_eq!(normal(k | 1 << 31), -z);
            }
        }
        println!("greatest relative error: {worst:e}");
        assert!(worst < 2.5e-7, "{worst:e}");
    }

    #[test]
    fn normal_draws_are_those_of_scipy() {
        // A word k, or k with the upper bit set, and -norm.ppf((k + 0.5) / 2**32) with that sign.
        const GOLDEN: [(u32, f64); 10] = [
            (0x0000_0000, 6.3379577545537895),
            (0x0000_0001, 6.166429517819751),
            (0x0000_ffff, 4.169571062244236),
            (0x0400_0000, 2.153874691093316),
            (0x2000_0000, 1.150349379810483),
            (0x4000_0000, 0.6744897498297384),
            (0x7fff_0000, 3.8247820300080895e-05),
            (0x8000_0000, -6.3379577545537895),
            (0x9234_5678, -1.4675657314922321),
            (0xe000_0000, -0.3186393636573689),
        ];
        for (word, draw) in GOLDEN {
            let off = normal(word) / draw - 1.0;
            assert!(off.abs() < 2.5e-7, "{word:#x}: {off:e}");
        }
    }
}
