//! The uncertainty of a line: standard errors and confidence intervals of its slope and intercept.

use std::fmt;

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::Source;
use super::goodness::residuals;
use super::sandwich::{Sandwich, Slice, Variances};
use super::statistics::Statistics;
use crate::error::Error;
use crate::loss::Loss;
use crate::model::Centered;

/// Degrees of freedom from which on Student's t is normal to seven digits; its series converge ever more slowly.
const NORMAL: f64 = 1e7;
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

/// An estimator of a line's errors. It is made before the samples are read, and asked for the part of each.
pub struct Estimator {
    estimate: Variance,
    loss: Loss,
    line: Centered,
    x_mean: f64,
    x_deviation: f64,
    samples: f64,
    /// The distance from the line up to which samples count for the density of residuals, in units of y, and the rise of the
    /// loss's derivative around 0. `None` if the loss itself is as wide.
    kernel: Option<(f64, f64)>,
}

impl Estimator {
    /// Returns the estimator of the errors of `line`, the best one for `loss`.
    ///
    /// # Errors
    /// Those of [`read`](super::read). The inner error says why there is none.
    pub fn new(
        source: &dyn Source,
        statistics: &Statistics,
        loss: Loss,
        estimate: Option<Variance>,
        line: Centered,
    ) -> Result<Result<Self, Unknown>, Error> {
        if statistics.samples <= 2 {
            return Ok(Err(Unknown::TooFew));
        }
        let default = if loss.is_least_squares() {
            Variance::Classical
        } else {
            Variance::Robust
        };
        let mut estimator = Estimator {
            estimate: estimate.unwrap_or(default),
            loss,
            line,
            x_mean: statistics.x.mean,
            x_deviation: statistics.x_deviation(),
            samples: statistics.samples as f64,
            kernel: None,
        };
        let Some((area, deviation)) = loss.bend() else {
            return Ok(Ok(estimator));
        };
        let tau = loss.tau().unwrap_or(0.5);
        let Some(share) = hall_sheather(estimator.samples, tau) else {
            return Ok(Err(Unknown::Bandwidth));
        };
        let residuals = Residuals::new(source, line)?;
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
            estimator.kernel = Some((bandwidth, area));
        } else if deviation == 0.0 {
            return Ok(Err(Unknown::Scale));
        }
        Ok(Ok(estimator))
    }

    /// Returns the part of a sample.
    pub fn slice(&self, x: f64, y: f64) -> Slice {
        let distance = (x - self.x_mean) / self.x_deviation;
        let residual = self.line.predict(x) - y;
        let slope = match self.loss.tau() {
            // A residual of 0 counts as one above, as statsmodels has it.
            Some(tau) if residual < 0.0 => -tau,
            Some(tau) => 1.0 - tau,
            None => self.loss.terms(residual).1,
        };
        let (slope, curvature) = if self.loss.is_least_squares() {
            let left = match self.estimate {
                Variance::Robust => 1.0 - (1.0 + distance * distance) / self.samples,
                Variance::Classical | Variance::Statsmodels => 1.0,
            };
            // Not finite, so that no variance comes of it.
            let left = if left < ALONE { 0.0 } else { left };
            (residual / left, 1.0)
        } else if let Some((bandwidth, area)) = self.kernel {
            let off = residual / bandwidth;
            // Epanechnikov's kernel, times what the derivative of the loss rises by.
            let density = if off.abs() < 1.0 {
                0.75 * (1.0 - off * off) / bandwidth
            } else {
                0.0
            };
            (slope, area * density)
        } else {
            (slope, self.loss.second_derivative(residual))
        };
        Slice {
            distance,
            curvature,
            slope,
        }
    }

    /// Returns the uncertainty by the sums over all samples. `confidence` lies between 0 and 1.
    pub fn uncertainty(&self, mut sums: Sandwich, confidence: f64) -> Result<Uncertainty, Unknown> {
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
        let w_error = (factor * of.w).sqrt() / self.x_deviation;
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
            w: parameter(self.line.w, w_error),
            b: parameter(self.line.model().b, b_error),
            residual_error,
            degrees_of_freedom: degrees as u64,
        })
    }
}

/// Returns the quantile of Student's t.
fn student_quantile(share: f64, degrees: f64) -> f64 {
    match StudentsT::new(0.0, 1.0, degrees) {
        Ok(student) if degrees < NORMAL => student.inverse_cdf(share),
        _ => quantile(share),
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

/// Residuals of a line, in order.
struct Residuals(Vec<f64>);

impl Residuals {
    fn new(source: &dyn Source, line: Centered) -> Result<Self, Error> {
        let mut residuals = residuals(source, line)?;
        residuals.sort_unstable_by(f64::total_cmp);
        Ok(Residuals(residuals))
    }

    /// Returns a quantile; between two residuals it is on the line between them, as NumPy has it.
    fn quantile(&self, share: f64) -> f64 {
        let position = share * (self.0.len() - 1) as f64;
        let below = position.floor() as usize;
        let above = (below + 1).min(self.0.len() - 1);
        self.0[below] + position.fract() * (self.0[above] - self.0[below])
    }
}
