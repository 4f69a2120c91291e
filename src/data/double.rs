//! Numbers in two f64, some 32 digits: sums of squares keep enough of them for what a good line leaves.
//!
//! They are ours. Crates for them, such as twofloat, have no SIMD lanes. Unless they are built for one machine, each of their
//! fused multiplications is a call of a function.

use std::ops::{Add, Div, Mul, Neg, Sub};

use serde::{Deserialize, Serialize};

/// A number as a sum of two f64, the second at most half a unit in the last place of the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Double {
    /// The number, rounded to f64.
    pub high: f64,
    /// The part that rounding took from it.
    pub low: f64,
}

/// Returns a sum, rounded, and its rounding error (Knuth 1969).
#[inline(always)]
pub(super) fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let of_b = sum - a;
    (sum, (a - (sum - of_b)) + (b - of_b))
}

/// Returns a sum, rounded, and its rounding error, if `a` is the larger in size (Dekker 1971).
#[inline(always)]
fn fast_two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    (sum, b - (sum - a))
}

/// Returns a product, rounded, and its rounding error: by one fused multiplication where the machine has it, else by halves of
/// 26 bits (Dekker 1971). Both are exact, and give the same bits, while the error is no smaller than f64 can hold.
#[inline(always)]
pub(super) fn two_product<const FUSED: bool>(a: f64, b: f64) -> (f64, f64) {
    let product = a * b;
    if FUSED {
        return (product, a.mul_add(b, -product));
    }
    let halves = |value: f64| {
        let wide = 134_217_729.0 * value;
        let high = wide - (wide - value);
        (high, value - high)
    };
    let ((a, a_low), (b, b_low)) = (halves(a), halves(b));
    let error = ((a * b - product) + a * b_low + a_low * b) + a_low * b_low;
    (product, error)
}

impl Double {
    /// Returns the sum of a number and a much smaller one.
    pub(super) fn new(high: f64, low: f64) -> Self {
        let (high, low) = fast_two_sum(high, low);
        Double { high, low }
    }

    /// Returns whether both parts are finite.
    pub fn is_finite(self) -> bool {
        self.high.is_finite() && self.low.is_finite()
    }
}

impl From<f64> for Double {
    fn from(high: f64) -> Self {
        Double { high, low: 0.0 }
    }
}

impl From<u64> for Double {
    /// Takes all 64 bits.
    fn from(count: u64) -> Self {
        let low = count % (1 << 32);
        Double::new((count - low) as f64, low as f64)
    }
}

impl Neg for Double {
    type Output = Self;

    fn neg(self) -> Self {
        Double {
            high: -self.high,
            low: -self.low,
        }
    }
}

/// Rounds to three units of 2⁻¹⁰⁶ (Joldes, Muller and Popescu 2017, algorithm 6).
impl Add for Double {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let (high, error) = two_sum(self.high, other.high);
        let (low, rest) = two_sum(self.low, other.low);
        let (high, error) = fast_two_sum(high, error + low);
        Double::new(high, error + rest)
    }
}

impl Sub for Double {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

/// Rounds to five units of 2⁻¹⁰⁶ (Joldes, Muller and Popescu 2017, algorithm 11).
impl Mul for Double {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let (high, error) = two_product::<false>(self.high, other.high);
        let across = self.high * other.low + self.low * other.high;
        Double::new(high, error + across)
    }
}

/// Rounds to some ten units of 2⁻¹⁰⁶: a quotient in f64, and two corrections by what it leaves.
impl Div for Double {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        let first = self.high / other.high;
        let left = self - other * first.into();
        let second = left.high / other.high;
        let left = left - other * second.into();
        Double::new(first, second) + Double::from(left.high / other.high)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn config() -> ProptestConfig {
        ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::default()
        }
    }

    fn value() -> impl Strategy<Value = f64> {
        (any::<i64>(), -60..60).prop_map(|(digits, power)| digits as f64 * 2_f64.powi(power))
    }

    fn double() -> impl Strategy<Value = Double> {
        (value(), value())
            .prop_map(|(high, low)| Double::from(high) + Double::from(low * 2_f64.powi(-53)))
    }

    /// Any machine computes the same moments of the same samples.
    #[test]
    fn both_products_are_the_same() {
        proptest!(config(), |(a in value(), b in value())| {
            prop_assert_eq!(two_product::<true>(a, b), two_product::<false>(a, b));
        });
    }

    /// What inverse operations give back has as many digits as the operations keep.
    #[test]
    fn operations_keep_their_digits() {
        let unit = 2_f64.powi(-106);
        let near = |a: Double, b: Double, units: f64| {
            let off = (a - b).high.abs();
            prop_assert!(off <= units * unit * b.high.abs(), "{a:?} {b:?}: {off:e}");
            Ok(())
        };
        proptest!(config(), |(a in double(), b in double(), c in value())| {
            prop_assume!(b.high != 0.0 && c != 0.0);
            near((a / b) * b, a, 20.0)?;
            near((a * b) / b, a, 20.0)?;
            let off = ((a + b) - b - a).high.abs();
            prop_assert!(off <= 20.0 * unit * a.high.abs().max(b.high.abs()), "{a:?} {b:?}: {off:e}");
            let product = Double::from(a.high) * Double::from(c);
            prop_assert_eq!((product.high, product.low), two_product::<true>(a.high, c));
        });
    }

    #[test]
    fn counts_of_64_bits_are_exact() {
        for count in [0, 1, (1 << 53) + 1, u64::MAX, u64::MAX - 1] {
            let Double { high, low } = Double::from(count);
            assert_eq!(high as i128 + low as i128, i128::from(count));
        }
    }
}
