//! The uncertainty of a line: standard errors and confidence intervals of its slope and intercept.

use std::fmt;

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};
use wide::f64x4;

use super::goodness::{Losses, basic};
use super::sandwich::{self, Sandwich, Variances};
use super::statistics::Statistics;
use super::{Block, Source};
use crate::error::Error;
use crate::loss::{Exact, Loss};
use crate::model::Centered;

/// Degrees of freedom from which on Student's t is normal to seven digits; its series converge ever more slowly.
const NORMAL: f64 = 1e7;
/// Degrees of freedom from which on three terms of a series give twelve digits of a quantile.
const MANY: f64 = 1e4;
/// The standard deviation of Epanechnikov's kernel of bandwidth 1: 1 / √5.
const KERNEL_DEVIATION: f64 = 0.447_213_595_499_957_9;
/// The remainder of a leverage below which a sample decides the line alone.
const ALONE: f64 = 1e-12;

/// An estimate of a line's variance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Variance {
    /// For mse: y scatters alike at every x
    Classical,
    /// For any loss: y may scatter more at one x than at another
    ///
    /// HC3 for mse (MacKinnon and White 1985). The sandwich of M-estimators for the other losses (Huber 1967). Mae and quantile
    /// take the density of residuals by a kernel (Powell 1991).
    Robust,
    /// For mae and quantile: what statsmodels' QuantReg prints
    Statsmodels,
}

/// The standard errors of a line, and what follows from them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Uncertainty {
    /// The estimate that they follow from.
    pub estimate: Variance,
    /// The share of samples drawn alike whose interval would hold the true value.
    pub confidence: f64,
    /// The slope.
    pub w: Parameter,
    /// The intercept.
    pub b: Parameter,
    /// The standard deviation of residuals, over n − 2, in units of y; for `mse`.
    pub residual_error: Option<f64>,
    /// n − 2.
    pub degrees_of_freedom: u64,
    /// The line's value at the mean of x; `None` in models of older versions.
    #[serde(default)]
    pub at_mean: Option<Level>,
}

/// The uncertainty of the line's value at the mean of x.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// The mean of x.
    pub x: f64,
    /// The standard error of the line's value there, in units of y.
    pub error: f64,
    /// The covariance of that value and the slope.
    pub covariance: f64,
}

/// What an interval around a prediction holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Holds {
    /// A new y
    Y,
    /// The line that all data would give
    Line,
}

impl Uncertainty {
    /// Returns the interval around the prediction at `x` that holds this with the confidence. `None` for a new y if the loss says
    /// nothing about how y scatters, or if the model is of an older version.
    ///
    /// The variance of the line at a distance d from the mean of x is s² + 2·d·c + d²·s(w)², with the level's error s and its
    /// covariance c with the slope; a new y adds its own (Draper and Smith 1998, 3.1).
    pub fn interval(&self, line: Centered, x: f64, holds: Holds) -> Option<[f64; 2]> {
        let Level {
            x: mean,
            error,
            covariance,
        } = self.at_mean?;
        let scatter = match holds {
            Holds::Y => self.residual_error?,
            Holds::Line => 0.0,
        };
        let distance = x - mean;
        let of_slope = distance * self.w.error;
        let variance = error * error + 2.0 * distance * covariance + of_slope * of_slope;
        let degrees = self.degrees_of_freedom as f64;
        let reach = student_quantile(0.5 + 0.5 * self.confidence, degrees);
        let half = reach * (variance.max(0.0) + scatter * scatter).sqrt();
        let middle = line.predict(x);
        Some([middle - half, middle + half])
    }
}

/// A parameter of the line of least loss, with its uncertainty.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// The parameter.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
    /// The ends of its confidence interval.
    pub interval: [f64; 2],
    /// The parameter in units of its error; `None` if that is 0.
    pub t: Option<f64>,
    /// The probability of so large a t if the parameter were 0; `None` where `t` is.
    pub p: Option<f64>,
}

/// Why a line's uncertainty is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The goodness of fit was not measured, or the samples are not on the host.
    NotMeasured,
    /// There are two samples at most.
    TooFew,
    /// The errors are those of the best line, and this is not known to be it.
    NotConverged,
    /// One sample decides the line alone: its leverage is 1.
    Leverage,
    /// The samples are too few for this quantile: the bandwidth would leave 0 to 1.
    Bandwidth,
    /// The residuals have no scale: most are equal, or none is near 0.
    Scale,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unknown::NotMeasured => "they were not measured",
            Unknown::TooFew => "they take at least three samples",
            Unknown::NotConverged => {
                "they are those of the best line, and the descent has not converged"
            }
            Unknown::Leverage => "one sample decides the line alone",
            Unknown::Bandwidth => "there are too few samples for this quantile",
            Unknown::Scale => "too many residuals are equal, or too few are near 0",
        })
    }
}

/// Returns the uncertainty of a line that is taken for the best for `loss`, by an estimate or the loss's default one. Reads all
/// samples once, on all threads of rayon's pool; `statistics` are theirs. `confidence` lies between 0 and 1.
///
/// # Errors
/// [`Error::Empty`], and the errors of [`read`](super::read). The inner error says why it is not known.
pub fn uncertainty(
    source: &dyn Source,
    statistics: &Statistics,
    loss: Loss,
    estimate: Option<Variance>,
    line: Centered,
    confidence: f64,
) -> Result<Result<Uncertainty, Unknown>, Error> {
    let some = super::some(source)?;
    let estimator = match Estimator::new(&some, statistics, loss, estimate, line) {
        Ok(estimator) => estimator,
        Err(unknown) => return Ok(Err(unknown)),
    };
    let terms = |x, residual, terms| {
        let [v, w, z] = basic(residual, terms);
        let [a, b, c, d, e, f] = estimator.terms(x, residual, terms);
        [v, w, z, a, b, c, d, e, f]
    };
    let [_, _, _, sums @ ..] = Losses::of(source, loss, line, &statistics.y, terms, |_| ())?.sums;
    Ok(estimator.uncertainty(line, sums.into(), confidence))
}

/// Returns the classical uncertainty of the line of least squares by the sum of its residuals' squares. `statistics` are those of
/// the samples, and `confidence` lies between 0 and 1.
///
/// # Errors
/// The reason why it is not known.
pub fn classical(
    statistics: &Statistics,
    line: Centered,
    squares: f64,
    confidence: f64,
) -> Result<Uncertainty, Unknown> {
    let estimator = Estimator::new(&Block::default(), statistics, Loss::Mse, None, line)?;
    let n = estimator.samples;
    let sums = Sandwich {
        // Distances from the mean of x have the sum 0, and their squares in units of the deviation the sum n.
        bread: [n, 0.0, n],
        // Of these, the estimate takes the first alone.
        meat: [squares, 0.0, squares],
    };
    estimator.uncertainty(line, sums, confidence)
}

/// An estimator of a line's errors. It is made by some of the samples, and then takes sums over all.
pub(crate) struct Estimator {
    estimate: Variance,
    loss: Loss,
    x_mean: f64,
    x_deviation: f64,
    /// 1 / `x_deviation`.
    unit: f64,
    samples: f64,
    /// `None` if the loss itself is as wide.
    kernel: Option<Kernel>,
}

/// Epanechnikov's kernel, times what the loss's derivative rises by around 0.
#[derive(Clone, Copy, Debug)]
struct Kernel {
    /// 1 / the distance from the line up to which samples count for the density of residuals, in 1 / units of y.
    unit: f64,
    /// The kernel at 0.
    height: f64,
}

impl Kernel {
    fn new(bandwidth: f64, area: f64) -> Self {
        Kernel {
            unit: 1.0 / bandwidth,
            height: 0.75 * area / bandwidth,
        }
    }

    #[inline(always)]
    fn density(self, residual: f64x4) -> f64x4 {
        let off = residual * self.unit;
        (1.0 - off * off).max(f64x4::ZERO) * self.height
    }
}

impl Estimator {
    /// Returns the estimator of the errors of `line`, the best one for `loss`. `some` are [some](super::some) of the samples,
    /// and `statistics` those of all.
    pub fn new(
        some: &Block,
        statistics: &Statistics,
        loss: Loss,
        estimate: Option<Variance>,
        line: Centered,
    ) -> Result<Self, Unknown> {
        if statistics.samples <= 2 {
            return Err(Unknown::TooFew);
        }
        let default = if loss.is_least_squares() {
            Variance::Classical
        } else {
            Variance::Robust
        };
        let mut estimator = Estimator {
            estimate: estimate.unwrap_or(default),
            loss,
            x_mean: statistics.x.mean,
            x_deviation: statistics.x_deviation(),
            unit: 1.0 / statistics.x_deviation(),
            samples: statistics.samples as f64,
            kernel: None,
        };
        let Some((area, deviation)) = loss.bend() else {
            return Ok(estimator);
        };
        let tau = loss.tau().unwrap_or(0.5);
        let Some(share) = hall_sheather(estimator.samples, tau) else {
            // A loss that bends by itself needs no kernel.
            return if deviation > 0.0 {
                Ok(estimator)
            } else {
                Err(Unknown::Bandwidth)
            };
        };
        let mut residuals = Residuals(some.residuals(line));
        let bandwidth = if estimate == Some(Variance::Statsmodels) {
            let scale = (residuals.quantile(0.75) - residuals.quantile(0.25)) / 1.34;
            let scale = scale.min(statistics.y_deviation());
            scale * (quantile(tau + share) - quantile(tau - share))
        } else {
            // The residuals themselves say how far so many of them reach, whatever their distribution.
            let [below, above] = [tau - share, tau + share];
            // Residuals are predictions less targets, so their quantiles are those of 1 − τ.
            let reach = residuals.quantile(1.0 - below) - residuals.quantile(1.0 - above);
            0.5 * reach
        };
        if bandwidth * KERNEL_DEVIATION > deviation {
            estimator.kernel = Some(Kernel::new(bandwidth, area));
        } else if deviation == 0.0 {
            return Err(Unknown::Scale);
        }
        Ok(estimator)
    }

    /// Returns the terms of a sandwich for four samples, by their residuals from the best line and the loss's terms there.
    #[inline(always)]
    pub(crate) fn terms(&self, x: f64x4, residual: f64x4, terms: Exact) -> [f64x4; 6] {
        let distance = (x - self.x_mean) * self.unit;
        if self.loss.is_least_squares() {
            let left = match self.estimate {
                Variance::Robust => {
                    let left = 1.0 - (1.0 + distance * distance) * (1.0 / self.samples);
                    // With 0 the quotient is not finite, so that no variance comes of it.
                    left.simd_ge(f64x4::splat(ALONE)) & left
                }
                Variance::Classical | Variance::Statsmodels => f64x4::ONE,
            };
            return sandwich::terms(distance, f64x4::ONE, residual / left);
        }
        let slope = match self.loss.tau() {
            // A residual of 0 counts as one above, as statsmodels has it.
            Some(tau) => 1.0 - tau - (residual.simd_lt(f64x4::ZERO) & f64x4::ONE),
            None => terms.derivative,
        };
        let curvature = match self.kernel {
            Some(kernel) => kernel.density(residual),
            None => terms.curvature,
        };
        sandwich::terms(distance, curvature, slope)
    }

    /// Returns the uncertainty of the best line by the sums over all samples. They may be those of a line beside it. `confidence`
    /// lies between 0 and 1.
    pub fn uncertainty(
        &self,
        line: Centered,
        mut sums: Sandwich,
        confidence: f64,
    ) -> Result<Uncertainty, Unknown> {
        let n = self.samples;
        let degrees = n - 2.0;
        let mut factor = n / degrees;
        let mut residual_error = None;
        if self.loss.is_least_squares() {
            let [squares, ..] = sums.meat;
            if self.estimate == Variance::Classical {
                residual_error = Some((squares / degrees).sqrt());
                sums.meat = sums.bread.map(|sum| sum * squares / degrees);
            }
            factor = 1.0;
        } else if self.estimate == Variance::Statsmodels {
            let density = sums.bread[0] / n;
            sums.bread = [n * density, 0.0, n * density];
            factor = 1.0;
        }
        let unknown = if self.loss.is_least_squares() {
            Unknown::Leverage
        } else {
            Unknown::Scale
        };
        let Variances { of, between } = sums.variances().ok_or(unknown)?;
        let lever = self.x_mean / self.x_deviation;
        let w_error = (factor * of.w.max(0.0)).sqrt() / self.x_deviation;
        let variance_b = of.b - 2.0 * lever * between + lever * lever * of.w;
        let b_error = (factor * variance_b.max(0.0)).sqrt();
        let reach = student_quantile(0.5 + 0.5 * confidence, degrees);
        let parameter = |value: f64, error: f64| {
            let t = (error > 0.0).then(|| value / error);
            Parameter {
                value,
                error,
                interval: [value - reach * error, value + reach * error],
                t,
                p: t.map(|t| 2.0 * student_share(-t.abs(), degrees)),
            }
        };
        Ok(Uncertainty {
            estimate: self.estimate,
            confidence,
            w: parameter(line.w, w_error),
            b: parameter(line.model().b, b_error),
            residual_error,
            degrees_of_freedom: degrees as u64,
            at_mean: Some(Level {
                x: self.x_mean,
                error: (factor * of.b.max(0.0)).sqrt(),
                covariance: factor * between / self.x_deviation,
            }),
        })
    }
}

/// Returns the quantile of Student's t; for many degrees of freedom by the series of Cornish and Fisher (Abramowitz and Stegun
/// 1964, 26.7.5).
fn student_quantile(share: f64, degrees: f64) -> f64 {
    match StudentsT::new(0.0, 1.0, degrees) {
        Ok(student) if degrees < MANY => student.inverse_cdf(share),
        _ => {
            let z = quantile(share);
            let square = z * z;
            let first = z * (square + 1.0) / 4.0;
            let second = z * ((5.0 * square + 16.0) * square + 3.0) / 96.0;
            z + (first + second / degrees) / degrees
        }
    }
}

/// Returns the share of Student's t below a value.
pub fn student_share(value: f64, degrees: f64) -> f64 {
    match StudentsT::new(0.0, 1.0, degrees) {
        Ok(student) if degrees < NORMAL => student.cdf(value),
        _ => Normal::standard().cdf(value),
    }
}

/// Returns the quantile of the normal distribution.
fn quantile(share: f64) -> f64 {
    Normal::standard().inverse_cdf(share)
}

/// Returns the bandwidth of Hall and Sheather (1988) in shares of the samples, for an interval of 95 %; `None` if it leaves 0
/// to 1.
fn hall_sheather(samples: f64, tau: f64) -> Option<f64> {
    let z = quantile(tau);
    let density = (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let share = samples.powf(-1.0 / 3.0)
        * quantile(0.975).powf(2.0 / 3.0)
        * (1.5 * density * density / (2.0 * z * z + 1.0)).cbrt();
    (tau - share > 0.0 && tau + share < 1.0).then_some(share)
}

/// Residuals of a line.
struct Residuals(Vec<f64>);

impl Residuals {
    /// Returns a quantile; between two residuals it is on the line between them, as NumPy has it.
    fn quantile(&mut self, share: f64) -> f64 {
        let position = share * (self.0.len() - 1) as f64;
        let at = position.floor() as usize;
        let (_, &mut below, beyond) = self.0.select_nth_unstable_by(at, f64::total_cmp);
        let above = beyond.iter().copied().min_by(f64::total_cmp);
        below + position.fract() * (above.unwrap_or(below) - below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From 1e7 degrees of freedom on the shares are those of the normal distribution, which differs in the eighth digit.
    #[test]
    fn a_quantile_has_its_share_below() {
        for degrees in [1.0, 3.0, 50.0, 9_999.0, 1e4, 1e6, 9e6, 1e9] {
            for share in [0.6, 0.9, 0.975, 0.9995] {
                let found = student_share(student_quantile(share, degrees), degrees);
                let error = (found - share).abs();
                assert!(error < 1e-8, "{share} of {degrees}: {error:e}");
            }
        }
    }
}
