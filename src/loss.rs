//! The loss functions: the one place where a loss is added.
//!
//! A loss is a variant here, the arms that the compiler then asks for, and a file under
//! `shaders/loss/` with the same two formulas in WGSL. Everything else iterates over [`Loss::ALL`].
//!
//! `residual` is always prediction − target.

use std::fmt;

/// A loss function with its parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// Mean squared residual, without a factor ½.
    Mse,
    /// Mean absolute residual.
    Mae,
    /// Huber (1964): ½r² up to |r| = δ, a line beyond.
    Huber {
        /// Where the line begins, in units of y; > 0.
        delta: f64,
    },
    /// ln cosh r: like ½r² near 0, like |r| − ln 2 far out.
    LogCosh,
    /// Koenker and Bassett (1978): its minimiser is the τ-quantile of y given x.
    Quantile {
        /// The quantile, in (0, 1); 0.5 is the median.
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

    /// The name that `--loss` takes.
    pub fn name(self) -> &'static str {
        match self {
            Loss::Mse => "mse",
            Loss::Mae => "mae",
            Loss::Huber { .. } => "huber",
            Loss::LogCosh => "log-cosh",
            Loss::Quantile { .. } => "quantile",
        }
    }

    /// The WGSL functions `loss_value` and `loss_derivative`, joined to `train.wgsl`.
    pub fn wgsl(self) -> &'static str {
        match self {
            Loss::Mse => include_str!("../shaders/loss/mse.wgsl"),
            Loss::Mae => include_str!("../shaders/loss/mae.wgsl"),
            Loss::Huber { .. } => include_str!("../shaders/loss/huber.wgsl"),
            Loss::LogCosh => include_str!("../shaders/loss/log-cosh.wgsl"),
            Loss::Quantile { .. } => include_str!("../shaders/loss/quantile.wgsl"),
        }
    }

    /// The override constants that the WGSL file declares, with their values.
    pub fn constants(self) -> Vec<(&'static str, f64)> {
        match self {
            Loss::Mse | Loss::Mae | Loss::LogCosh => vec![],
            Loss::Huber { delta } => vec![("DELTA", delta)],
            // 1 − τ in f64: in f32 it would have few digits left where τ is near 1.
            Loss::Quantile { tau } => vec![("OVER", 1.0 - tau), ("UNDER", tau)],
        }
    }

    /// Loss value and loss derivative of one residual, in f64.
    pub(crate) fn terms(self, residual: f64) -> (f64, f64) {
        let size = residual.abs();
        match self {
            Loss::Mse => (residual * residual, 2.0 * residual),
            Loss::Mae if residual == 0.0 => (0.0, 0.0),
            Loss::Mae => (size, residual.signum()),
            Loss::Huber { delta } => {
                let clamped = residual.clamp(-delta, delta);
                (clamped * (residual - 0.5 * clamped), clamped)
            }
            Loss::LogCosh => {
                // ln cosh r = ln(1 + 2 sinh²(r/2)), whose squares would overflow far out.
                let value = match size < 1.0 {
                    true => (2.0 * (0.5 * residual).sinh().powi(2)).ln_1p(),
                    false => size + (-2.0 * size).exp().ln_1p() - std::f64::consts::LN_2,
                };
                (value, residual.tanh())
            }
            Loss::Quantile { .. } if residual == 0.0 => (0.0, 0.0),
            Loss::Quantile { tau } if residual > 0.0 => ((1.0 - tau) * residual, 1.0 - tau),
            Loss::Quantile { tau } => (-tau * residual, -tau),
        }
    }

    /// Returns whether the loss has corners: a gradient that does not shrink towards the optimum.
    pub fn has_corners(self) -> bool {
        matches!(self, Loss::Mae | Loss::Quantile { .. })
    }

    /// δ of huber, τ of quantile.
    pub fn parameter(self) -> Option<f64> {
        match self {
            Loss::Mse | Loss::Mae | Loss::LogCosh => None,
            Loss::Huber { delta } => Some(delta),
            Loss::Quantile { tau } => Some(tau),
        }
    }
}

impl fmt::Display for Loss {
    /// The name, and the parameter where there is one: `huber 1`, `quantile 0.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parameter() {
            None => f.write_str(self.name()),
            Some(parameter) => write!(f, "{} {parameter}", self.name()),
        }
    }
}

/// Loss value and loss derivative of one residual, in f32, as the CPU engine computes them.
pub(crate) type Terms = (f32, f32);

#[inline(always)]
pub(crate) fn mse(residual: f32) -> Terms {
    (residual * residual, 2.0 * residual)
}

#[inline(always)]
pub(crate) fn mae(residual: f32) -> Terms {
    (residual.abs(), by_sign(residual, 1.0, -1.0))
}

#[inline(always)]
pub(crate) fn huber(residual: f32, delta: f32) -> Terms {
    let clamped = residual.max(-delta).min(delta);
    (clamped * (residual - 0.5 * clamped), clamped)
}

/// `over` is 1 − τ, `under` is τ.
#[inline(always)]
pub(crate) fn quantile(residual: f32, over: f32, under: f32) -> Terms {
    (
        (over * residual).max(-under * residual),
        by_sign(residual, over, -under),
    )
}

/// Where |residual| is small, ln cosh r = |r| + ln(1 + e^(−2|r|)) − ln 2 cancels to nothing, so the
/// Taylor series stand there; at 0.5 their first term left out is below 2e-7 of the result.
/// ln(1 + e) is 2 artanh(e / (2 + e)), whose series needs four terms for e ≤ 1/e.
#[inline(always)]
pub(crate) fn log_cosh(residual: f32) -> Terms {
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

/// e^x for x ≤ 0, to about one unit in the last place, without a branch or a call so that it fills
/// SIMD lanes (libm's exp takes ten times as long here).
///
/// x = k ln 2 + f with |f| ≤ ½ ln 2; k by rounding in the low bits of a large float, ln 2 in two
/// parts (Cody and Waite), e^f by the Taylor series, 2^k put into the exponent's bits.
#[inline(always)]
fn exp_of_negative(x: f32) -> f32 {
    /// 1.5 · 2^23: adding it leaves the nearest integer in the mantissa's low bits.
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

/// `above` where the residual is over 0, `below` where it is under, 0 at 0.
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
