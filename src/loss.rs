//! The loss functions.
//!
//! A residual is always prediction − target.
//!
//! To add a loss:
//!
//! 1. Add a variant to [`Loss`] and to [`Loss::ALL`], with the default of its parameter if it has one.
//! 2. Fill in the arms that the compiler then asks for, all in this file. Nothing else matches over losses: other modules
//!    ask for properties such as [`Loss::degree`] or [`Loss::has_corners`], or iterate over [`Loss::ALL`].
//! 3. Write its formulas three times: in f64 in `Loss::exact_terms`, in f32 without branches as a function below, and in WGSL as
//!    `shaders/loss/NAME.wgsl`. The unit tests and `tests/suite/engines.rs` compare them.

use std::fmt;

use wide::f64x4;

use crate::error::{Error, Setting};

#[cfg(test)]
mod tests;

/// A loss function with its parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// The mean squared residual, without a factor ½.
    Mse,
    /// The mean absolute residual.
    Mae,
    /// Huber's loss (1964): ½r² up to |r| = δ, linear beyond.
    Huber {
        /// The residual from which on the loss is linear, in units of y; > 0.
        delta: f64,
    },
    /// ln cosh r: close to ½r² near 0, and to |r| − ln 2 far out.
    LogCosh,
    /// The quantile loss (Koenker and Bassett 1978), whose minimiser is the τ-quantile of y given x.
    Quantile {
        /// The quantile, between 0 and 1; 0.5 is the median.
        tau: f64,
    },
}

impl Loss {
    /// All losses, with the default of their parameter.
    pub const ALL: [Loss; 5] = [
        Loss::Mse,
        Loss::Mae,
        Loss::Huber { delta: 1.0 },
        Loss::LogCosh,
        Loss::Quantile { tau: 0.5 },
    ];

    /// Returns the name, without the parameter.
    pub fn name(self) -> &'static str {
        match self {
            Loss::Mse => "mse",
            Loss::Mae => "mae",
            Loss::Huber { .. } => "huber",
            Loss::LogCosh => "log-cosh",
            Loss::Quantile { .. } => "quantile",
        }
    }

    /// Returns the other names that the program accepts for the loss.
    pub fn aliases(self) -> &'static [&'static str] {
        match self {
            Loss::Mse => &["l2", "squared"],
            // The line of mae is that of the median.
            Loss::Mae => &["l1", "absolute", "median"],
            Loss::Huber { .. } | Loss::LogCosh | Loss::Quantile { .. } => &[],
        }
    }

    /// Returns the parameter: δ of huber, τ of quantile.
    pub fn parameter(self) -> Option<f64> {
        match self {
            Loss::Mse | Loss::Mae | Loss::LogCosh => None,
            Loss::Huber { delta } => Some(delta),
            Loss::Quantile { tau } => Some(tau),
        }
    }

    /// Returns the setting that holds the parameter.
    pub fn parameter_setting(self) -> Option<Setting> {
        match self {
            Loss::Mse | Loss::Mae | Loss::LogCosh => None,
            Loss::Huber { .. } => Some(Setting::Delta),
            Loss::Quantile { .. } => Some(Setting::Quantile),
        }
    }

    /// Returns the same loss with another parameter, or with its own if `parameter` is `None`.
    ///
    /// # Errors
    /// Those of [`Loss::check`], and [`Setting::Loss`]'s if the loss has no parameter.
    pub fn with_parameter(self, parameter: Option<f64>) -> Result<Self, Error> {
        let Some(value) = parameter else {
            return Ok(self);
        };
        let loss = match self {
            Loss::Mse | Loss::Mae | Loss::LogCosh => {
                return Err(Setting::Loss.error(format!("{self} has no parameter")));
            }
            Loss::Huber { .. } => Loss::Huber { delta: value },
            Loss::Quantile { .. } => Loss::Quantile { tau: value },
        };
        loss.check()?;
        Ok(loss)
    }

    /// Checks that the parameter is in range.
    ///
    /// # Errors
    /// [`Setting::Delta`]'s or [`Setting::Quantile`]'s if it is not.
    pub fn check(self) -> Result<(), Error> {
        self.check_as(|value| value > 0.0 && value.is_finite(), "")
    }

    /// Checks that the parameter is in range in f32, in which the engines compute.
    ///
    /// # Errors
    /// Those of [`Loss::check`].
    pub fn check_for_engine(self) -> Result<(), Error> {
        let in_f32 = |value: f64| value as f32 > 0.0 && (value as f32).is_finite();
        self.check_as(in_f32, ", in f32 too")
    }

    fn check_as(self, fits: fn(f64) -> bool, how: &str) -> Result<(), Error> {
        match self {
            Loss::Huber { delta } if !fits(delta) => {
                Err(Setting::Delta.error(format!("must be above 0 and finite{how}, not {delta}")))
            }
            Loss::Quantile { tau } if !fits(tau) || tau >= 1.0 => {
                Err(Setting::Quantile
                    .error(format!("must be above 0{how}, and below 1, not {tau}")))
            }
            Loss::Mse | Loss::Mae | Loss::Huber { .. } | Loss::LogCosh | Loss::Quantile { .. } => {
                Ok(())
            }
        }
    }

    /// Returns the largest second derivative by the residual, or `None` for a loss with corners.
    pub fn curvature(self) -> Option<f64> {
        match self {
            Loss::Mse => Some(2.0),
            Loss::Huber { .. } | Loss::LogCosh => Some(1.0),
            Loss::Mae | Loss::Quantile { .. } => None,
        }
    }

    /// Returns whether the loss has corners, so that its gradient does not shrink towards the optimum.
    pub fn has_corners(self) -> bool {
        self.curvature().is_none()
    }

    /// Returns the power of y's unit with which the loss grows, or `None` if y must keep its unit.
    ///
    /// Residuals that are k times as large have k to this power times the loss, if δ grows with them. No power fits
    /// log-cosh, which turns from a square into a line at a size of its own.
    pub fn degree(self) -> Option<i32> {
        match self {
            Loss::Mse | Loss::Huber { .. } => Some(2),
            Loss::Mae | Loss::Quantile { .. } => Some(1),
            Loss::LogCosh => None,
        }
    }

    /// Returns the residual, in units of y, at which the loss turns from a square into a line: δ of huber.
    pub fn threshold(self) -> Option<f64> {
        match self {
            Loss::Huber { delta } => Some(delta),
            Loss::Mse | Loss::Mae | Loss::LogCosh | Loss::Quantile { .. } => None,
        }
    }

    /// Returns the loss for residuals that are counted in another unit of y.
    pub fn in_unit(self, unit: f64) -> Self {
        match self {
            Loss::Huber { delta } => Loss::Huber {
                delta: delta / unit,
            },
            Loss::Mse | Loss::Mae | Loss::LogCosh | Loss::Quantile { .. } => self,
        }
    }

    /// Returns the quantile of y given x that the best line is, or `None` if it is another measure of the middle.
    pub fn tau(self) -> Option<f64> {
        match self {
            Loss::Mae => Some(0.5),
            Loss::Quantile { tau } => Some(tau),
            Loss::Mse | Loss::Huber { .. } | Loss::LogCosh => None,
        }
    }

    /// Returns the area under the second derivative as a function of the residual, and its standard deviation. A corner
    /// between slopes of τ − 1 and τ has an area of 1 and no deviation; mae counts as the quantile of 0.5. Returns `None` for
    /// mse, whose is not bounded.
    pub fn bend(self) -> Option<(f64, f64)> {
        match self {
            Loss::Mse => None,
            Loss::Huber { delta } => Some((2.0 * delta, delta / 3.0_f64.sqrt())),
            Loss::LogCosh => Some((2.0, std::f64::consts::PI / 12.0_f64.sqrt())),
            Loss::Mae | Loss::Quantile { .. } => Some((1.0, 0.0)),
        }
    }

    /// Returns whether the best line is that of least squares, which is known in closed form but follows outliers.
    pub fn is_least_squares(self) -> bool {
        match self {
            Loss::Mse => true,
            Loss::Mae | Loss::Huber { .. } | Loss::LogCosh | Loss::Quantile { .. } => false,
        }
    }

    /// Returns the WGSL functions `loss_value` and `loss_derivative`, which are joined to `train.wgsl`.
    pub fn wgsl(self) -> &'static str {
        match self {
            Loss::Mse => include_str!("../shaders/loss/mse.wgsl"),
            Loss::Mae => include_str!("../shaders/loss/mae.wgsl"),
            Loss::Huber { .. } => include_str!("../shaders/loss/huber.wgsl"),
            Loss::LogCosh => include_str!("../shaders/loss/log-cosh.wgsl"),
            Loss::Quantile { .. } => include_str!("../shaders/loss/quantile.wgsl"),
        }
    }

    /// Returns the override constants that the WGSL file declares, with their values.
    pub fn constants(self) -> Vec<(&'static str, f64)> {
        match self {
            Loss::Mse | Loss::Mae | Loss::LogCosh => vec![],
            Loss::Huber { delta } => vec![("DELTA", delta)],
            // 1 − τ in f64: in f32 it would keep few digits if τ is near 1.
            Loss::Quantile { tau } => vec![("OVER", 1.0 - tau), ("UNDER", tau)],
        }
    }

    /// Returns the loss value and loss derivative of one residual, in f64.
    pub fn terms(self, residual: f64) -> (f64, f64) {
        let Exact {
            value, derivative, ..
        } = self.exact_terms(f64x4::splat(residual));
        (value.to_array()[0], derivative.to_array()[0])
    }

    /// Returns the terms of four residuals in f64.
    #[inline(always)]
    pub(crate) fn exact_terms(self, residual: f64x4) -> Exact {
        let of = |value, derivative, curvature| Exact {
            value,
            derivative,
            curvature,
        };
        let zero = f64x4::ZERO;
        match self {
            Loss::Mse => of(residual * residual, residual * 2.0, f64x4::splat(2.0)),
            Loss::Mae => of(residual.abs(), by_sign_of(residual, 1.0, -1.0), zero),
            Loss::Huber { delta } => {
                let limit = f64x4::splat(delta);
                let clamped = residual.max(-limit).min(limit);
                of(
                    clamped * (residual - clamped * 0.5),
                    clamped,
                    residual.abs().simd_le(limit) & f64x4::ONE,
                )
            }
            Loss::LogCosh => exact_log_cosh(residual),
            Loss::Quantile { tau } => of(
                (residual * (1.0 - tau)).max(residual * -tau),
                by_sign_of(residual, 1.0 - tau, -tau),
                zero,
            ),
        }
    }

    /// Hands the visitor the loss's f32 terms, so that the compiler makes a loop of its own for each loss.
    #[inline(always)]
    pub(crate) fn with_terms<V: TermsVisitor>(self, visitor: V) -> V::Output {
        match self {
            Loss::Mse => visitor.visit(mse),
            Loss::Mae => visitor.visit(mae),
            Loss::Huber { delta } => {
                let delta = delta as f32;
                visitor.visit(|residual| huber(residual, delta))
            }
            Loss::LogCosh => visitor.visit(log_cosh),
            Loss::Quantile { tau } => {
                let (over, under) = ((1.0 - tau) as f32, tau as f32);
                // Captured by reference: moved, they cost 5 % of the throughput.
                visitor.visit(|residual| quantile(residual, over, under))
            }
        }
    }
}

impl fmt::Display for Loss {
    /// Writes the name, and the parameter if there is one: `huber 1`, `quantile 0.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parameter() {
            None => f.write_str(self.name()),
            Some(parameter) => write!(f, "{} {parameter}", self.name()),
        }
    }
}

/// A computation with the f32 terms of any loss.
pub(crate) trait TermsVisitor {
    type Output;

    /// Runs the computation with the terms of one loss.
    fn visit(self, terms: impl Fn(f32) -> Terms) -> Self::Output;
}

/// The loss value and loss derivative of one residual, in f32, as the CPU engine computes them.
pub(crate) type Terms = (f32, f32);

/// The terms of four residuals in f64.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exact {
    pub value: f64x4,
    pub derivative: f64x4,
    /// The second derivative; 0 beside a corner.
    pub curvature: f64x4,
}

/// Returns the terms of log-cosh by series below 0.1, where the formulas of the f32 terms would cancel.
///
/// At 0.1 the first term that a series omits is below 1e-16 of the result.
#[inline(always)]
fn exact_log_cosh(residual: f64x4) -> Exact {
    let series = |square: f64x4, terms: &[f64]| {
        let sum = terms.iter().rev();
        sum.fold(f64x4::ZERO, |sum, term| sum * square + *term)
    };
    let size = residual.abs();
    let square = residual * residual;
    let near_value = square * series(square, &LN_COSH);
    let near_derivative = residual * series(square, &TANH);
    let e = (size * -2.0).exp();
    let far_value = size + ((e + 1.0) * 0.5).ln();
    let far_size = (1.0 - e) / (1.0 + e);
    let far_derivative = residual.simd_lt(f64x4::ZERO).select(-far_size, far_size);
    let near = size.simd_lt(f64x4::splat(0.1));
    let derivative = near.select(near_derivative, far_derivative);
    Exact {
        value: near.select(near_value, far_value),
        derivative,
        curvature: 1.0 - derivative * derivative,
    }
}

/// The coefficients of ln cosh r = r² · Σ c r^(2k), and of tanh r = r · Σ c r^(2k).
const LN_COSH: [f64; 6] = [
    1. / 2.,
    -1. / 12.,
    1. / 45.,
    -17. / 2520.,
    31. / 14175.,
    -691. / 935_550.,
];
const TANH: [f64; 7] = [
    1.,
    -1. / 3.,
    2. / 15.,
    -17. / 315.,
    62. / 2835.,
    -1382. / 155_925.,
    21844. / 6_081_075.,
];

/// Returns `above` for residuals above 0, `below` for those below 0, and 0 at 0.
#[inline(always)]
fn by_sign_of(residual: f64x4, above: f64, below: f64) -> f64x4 {
    let zero = f64x4::ZERO;
    residual.simd_gt(zero) & f64x4::splat(above) | residual.simd_lt(zero) & f64x4::splat(below)
}

#[inline(always)]
fn mse(residual: f32) -> Terms {
    (residual * residual, 2.0 * residual)
}

#[inline(always)]
fn mae(residual: f32) -> Terms {
    (residual.abs(), by_sign(residual, 1.0, -1.0))
}

#[inline(always)]
fn huber(residual: f32, delta: f32) -> Terms {
    let clamped = residual.max(-delta).min(delta);
    (clamped * (residual - 0.5 * clamped), clamped)
}

/// Returns the terms of quantile; `over` is 1 − τ, `under` is τ.
#[inline(always)]
fn quantile(residual: f32, over: f32, under: f32) -> Terms {
    (
        (over * residual).max(-under * residual),
        by_sign(residual, over, -under),
    )
}

/// Returns the terms of log-cosh by series, without a branch.
///
/// The formula |r| + ln(1 + e^(−2|r|)) − ln 2 cancels if |r| is small, so Taylor series take over below 0.5. At 0.5 the
/// first term that they omit is below 2e-7 of the result. ln(1 + e) is 2 artanh(e / (2 + e)), whose series needs four
/// terms for e ≤ 1/e.
#[inline(always)]
fn log_cosh(residual: f32) -> Terms {
    let size = residual.abs();
    let square = residual * residual;
    let near_value = square
        * (1. / 2.
            - square
                * (1. / 12.
                    - square
                        * (1. / 45.
                            - square
                                * (17. / 2520.
                                    - square * (31. / 14175. - square * (691. / 935_550.))))));
    let near_derivative = residual
        * (1.
            - square
                * (1. / 3.
                    - square
                        * (2. / 15.
                            - square
                                * (17. / 315.
                                    - square
                                        * (62. / 2835.
                                            - square
                                                * (1382. / 155_925.
                                                    - square * (21844. / 6_081_075.)))))));
    let e = exp_of_negative(-2.0 * size);
    let q = e / (2.0 + e);
    let q2 = q * q;
    let far_value = size - std::f32::consts::LN_2
        + 2.0 * q * (1.0 + q2 * (1. / 3. + q2 * (1. / 5. + q2 * (1. / 7.))));
    let far_derivative = ((1.0 - e) / (1.0 + e)).copysign(residual);
    let near = size < 0.5;
    (
        if near { near_value } else { far_value },
        if near {
            near_derivative
        } else {
            far_derivative
        },
    )
}

/// Returns e^x for x ≤ 0, to about one unit in the last place.
///
/// It has no branch and no call, so that it fills SIMD lanes; libm's exp takes ten times as long here. x = k ln 2 + f with
/// |f| ≤ ½ ln 2. Rounding in the low bits of a large float yields k, and ln 2 has two parts (Cody and Waite). The Taylor
/// series yields e^f, and 2^k goes into the exponent's bits.
#[inline(always)]
fn exp_of_negative(x: f32) -> f32 {
    /// 1.5 · 2^23. Adding it leaves the nearest integer in the low bits of the mantissa.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = x.max(-87.0);
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let k = rounded - ROUND;
    let f = x - k * LN_2_HIGH - k * LN_2_LOW;
    let series = 1.0
        + f * (1.0
            + f * (1. / 2. + f * (1. / 6. + f * (1. / 24. + f * (1. / 120. + f * (1. / 720.))))));
    series * f32::from_bits(rounded.to_bits().wrapping_add(127) << 23)
}

/// Returns `above` for a residual above 0, `below` for one below 0, and 0 at 0.
#[inline(always)]
fn by_sign(residual: f32, above: f32, below: f32) -> f32 {
    if residual > 0.0 {
        above
    } else if residual < 0.0 {
        below
    } else {
        0.0
    }
}
