//! Cautions: reasons not to believe a line, though it is the best one.

use std::fmt;

use crate::data::far::median;
use crate::data::shape::{Bend, Farthest};
use crate::data::statistics::Statistics;
use crate::data::uncertainty::{Uncertainty, student_share};
use crate::data::{Block, Source};
use crate::error::{Error, grouped};
use crate::loss::Loss;
use crate::model::Centered;
use crate::train::{self, DELTA_IN_NOISE, DEVIATION_OF_MEDIAN, RobustStart};

/// The probability below which a finding is not put down to chance.
const CHANCE: f64 = 1e-3;
/// The share of what a line leaves that a parabola has to take to be worth a word.
const BENT: f64 = 0.05;
/// The leverage from which on a sample counts for more than all others.
const HALF: f64 = 0.5;
/// The probability of the slope above which nothing shows that y depends on x.
const NO_RELATION: f64 = 0.05;
/// Standard deviations of the bulk's noise beyond which a sample is off the line: normal noise has two in 1e9.
const OFF: f64 = 6.0;
/// The share of samples off the line from which on they are worth a word.
const OFF_SHARE: f64 = 1e-3;

/// The residuals below which log-cosh is half their square to 1e-3, and above which it is their size to 1 %.
const SMALL: f64 = 0.08;
const LARGE: f64 = 70.0;

/// A reason not to believe a line.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Caution {
    /// The data curve.
    Curved {
        /// The share of the squares that the line leaves which a parabola would take.
        share: f64,
        /// The probability of such a share if the data did not curve.
        p: f64,
    },
    /// Nothing shows that y depends on x.
    NoRelation {
        /// The probability of so large a slope if there were none.
        p: f64,
    },
    /// One sample decides the slope.
    OneSample {
        /// Its position among the samples, counted from 1.
        sample: u64,
        /// Its x.
        x: f64,
        /// The slope of least squares without it.
        slope_without: f64,
    },
    /// Most residuals are so small or so large in y's unit that the loss is no other than mse or mae.
    Unit {
        /// The loss.
        loss: Loss,
        /// The loss that it is like.
        like: Loss,
        /// The median absolute residual.
        residual: f64,
    },
    /// Samples far off the line lead the line of least squares away from the others.
    Outliers {
        /// Their share, in the samples looked at.
        share: f64,
        /// The samples looked at.
        samples: u64,
        /// The slope of the huber loss over these.
        robust_slope: f64,
    },
}

impl Caution {
    /// Returns the name of the kind, which stays the same from version to version.
    pub fn code(&self) -> &'static str {
        match self {
            Caution::Curved { .. } => "curved",
            Caution::NoRelation { .. } => "no-relation",
            Caution::OneSample { .. } => "one-sample",
            Caution::Unit { .. } => "unit",
            Caution::Outliers { .. } => "outliers",
        }
    }
}

impl fmt::Display for Caution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Caution::Curved { share, p } => write!(
                f,
                "the data curve: a parabola would explain {:.0} % of what the line leaves (p {}); fit a part of x's range, or \
                 a transformed column",
                100.0 * share,
                if *p < 1e-16 {
                    "< 1e-16".to_owned()
                } else {
                    format!("{p:.0e}")
                },
            ),
            Caution::NoRelation { p } => {
                write!(
                    f,
                    "nothing shows that y depends on x: a slope of 0 would do (p {p:.2})"
                )
            }
            Caution::OneSample {
                sample,
                x,
                slope_without,
            } => write!(
                f,
                "sample {}, at x = {x}, decides the slope alone: without it the slope of least squares is {}{}",
                grouped(*sample),
                five_digits(*slope_without),
                if *sample == 1 {
                    "; is the first line of the file a header?"
                } else {
                    ""
                }
            ),
            Caution::Unit {
                loss,
                like,
                residual,
            } => write!(
                f,
                "{loss} is like {like} here: it turns from one into the other at a residual of about 1, and these are about \
                 {residual:.1e}; give y in another unit, or use the huber loss, which follows the data"
            ),
            Caution::Outliers {
                share,
                samples,
                robust_slope,
            } => write!(
                f,
                "{:.2} % of samples (of {} looked at) lie far off the line, and lead it away from the others: the \
                 huber loss gives a slope of {}",
                100.0 * share,
                grouped(*samples),
                five_digits(*robust_slope),
            ),
        }
    }
}

fn five_digits(value: f64) -> String {
    if !(1e-3..1e6).contains(&value.abs()) {
        return format!("{value:.4e}");
    }
    let decimals = usize::try_from(4 - value.abs().log10().floor() as i32).unwrap_or(0);
    format!("{value:.decimals$}")
}

/// Returns the cautions that the residuals of least squares call for. `some` are [some](crate::data::some) of the samples, and `found`
/// is the line of the fit.
///
/// # Errors
/// Those of [`read`](crate::data::read).
pub(super) fn of_shape(
    source: &dyn Source,
    some: &Block,
    statistics: &Statistics,
    uncertainty: Option<&Uncertainty>,
    found: Centered,
) -> Result<Vec<Caution>, Error> {
    let mut cautions = Vec::new();
    let chance = |t: f64, degrees| 2.0 * student_share(-t, degrees);
    if let Some(Bend { share, degrees, t }) = Bend::of(some) {
        let p = chance(t, degrees);
        if share > BENT && p < CHANCE {
            cautions.push(Caution::Curved { share, p });
        }
    }
    let farthest = Farthest::of(statistics);
    if let Some(line) = statistics.line()
        && farthest.leverage > HALF
        && let Some(without) = farthest.without(source)?
    {
        // A loss that the sample did not lead away is none of its business.
        let moved = (found.w - without.slope).abs() > 0.5 * (line.w - without.slope).abs();
        if chance(without.t, without.degrees) < CHANCE && moved {
            cautions.push(Caution::OneSample {
                sample: without.position + 1,
                x: farthest.x,
                slope_without: without.slope,
            });
        }
    }
    let one_decides = |caution: &Caution| matches!(caution, Caution::OneSample { .. });
    if !cautions.iter().any(one_decides) {
        cautions.extend(uncertainty.and_then(no_relation));
    }
    Ok(cautions)
}

/// Returns the caution that a slope may be 0.
pub(super) fn no_relation(uncertainty: &Uncertainty) -> Option<Caution> {
    let p = uncertainty.w.p.filter(|&p| p > NO_RELATION)?;
    Some(Caution::NoRelation { p })
}

/// Returns the caution that the loss, whose unit is that of y, is no other than mse or mae for residuals of the median size.
/// `some` are [some](crate::data::some) of the samples.
pub(super) fn unit(loss: Loss, some: &Block, line: Centered) -> Option<Caution> {
    if loss.degree().is_some() {
        return None;
    }
    let sizes = some.residuals(line).into_iter().map(f64::abs);
    let residual = median(sizes.collect());
    let like = match residual {
        0.0 => return None,
        ..SMALL => Loss::Mse,
        LARGE.. => Loss::Mae,
        _ => return None,
    };
    Some(Caution::Unit {
        loss,
        like,
        residual,
    })
}

/// Returns the caution that samples far off lead the line of least squares away, by a robust line through some thousand
/// of `some`, which are [some](crate::data::some) of the samples.
pub(super) fn outliers(
    some: &Block,
    statistics: &Statistics,
    errors: &Uncertainty,
) -> Result<Option<Caution>, Error> {
    let samples = train::sample(some);
    let Some(least_squares) = statistics.centered_line() else {
        return Ok(None);
    };
    let start = RobustStart::of(samples.clone(), Loss::Mae, None)?;
    let noise = DEVIATION_OF_MEDIAN * start.scale;
    let n = samples.x.len() as f64;
    if noise <= 0.0 || n < 10.0 {
        return Ok(None);
    }
    let Block { x, y } = &samples;
    let off = x
        .iter()
        .zip(y)
        .filter(|&(&x, &y)| (start.centered.predict(x) - y).abs() > OFF * noise);
    let share = off.count() as f64 / n;
    if share < OFF_SHARE {
        return Ok(None);
    }
    let robust = RobustStart::of(
        samples,
        Loss::Huber {
            delta: DELTA_IN_NOISE * noise,
        },
        None,
    )?
    .centered;
    // The errors of the robust line over the samples looked at, and those of least squares over all.
    let level = noise / n.sqrt();
    let slope = level / statistics.x_deviation();
    let x_mean = statistics.x.mean;
    let of_level = errors.residual_error.unwrap_or(noise) / (statistics.samples as f64).sqrt();
    let differs =
        |distance: f64, error: f64, sampled: f64| distance.abs() > error.max(4.0 * sampled);
    let led_away = differs(robust.w - least_squares.w, errors.w.error, slope)
        || differs(
            robust.predict(x_mean) - least_squares.y_center,
            of_level,
            level,
        );
    Ok(led_away.then_some(Caution::Outliers {
        share,
        samples: n as u64,
        robust_slope: robust.w,
    }))
}
