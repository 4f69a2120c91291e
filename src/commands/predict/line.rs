//! The saved line.

use fall_line::data::Time;
use fall_line::data::uncertainty::{Holds, Uncertainty};
use fall_line::error::{Error, counted};
use fall_line::model::Centered;
use fall_line::saved::{Counts, Saved};

use crate::output;
use crate::output::number::plain;

/// A saved line, and what is wanted of it.
pub struct Line {
    pub line: Centered,
    /// The errors, and what intervals hold, if they are wanted.
    pub interval: Option<(Uncertainty, Holds)>,
    /// The range of x that the line was trained on, if it is known.
    pub range: [f64; 2],
    /// What x counts, if that is known.
    pub counts: Option<Counts>,
}

impl Line {
    pub fn new(saved: &Saved, holds: Option<Holds>) -> Result<Self, Error> {
        let line = saved.line();
        let interval = holds.map(|holds| {
            let errors = saved.errors.filter(|errors| errors.interval(line, 0.0, holds).is_some());
            let errors = errors.ok_or_else(|| {
                Error::Usage(match (holds, saved.errors) {
                    (_, None) => "--interval needs the errors of the line, and the model has none".to_owned(),
                    (Holds::Y, Some(errors)) if errors.at_mean.is_some() => {
                        "--interval=y is for mse and its classical errors; --interval=line holds the line"
                            .to_owned()
                    }
                    _ => "--interval needs a model of this version: train it again".to_owned(),
                })
            });
            errors.map(|errors| (errors, holds))
        });
        Ok(Line {
            line,
            counts: saved.x_counts,
            interval: interval.transpose()?,
            range: saved
                .statistics
                .map_or([f64::NEG_INFINITY, f64::INFINITY], |statistics| {
                    [statistics.x.least, statistics.x.greatest]
                }),
        })
    }

    /// Returns the interval around the prediction at `x`, if intervals are wanted.
    pub fn interval(&self, x: f64) -> Option<[f64; 2]> {
        let (errors, holds) = self.interval?;
        errors.interval(self.line, x, holds)
    }

    /// Returns what x is multiplied with to count what it did in training.
    ///
    /// # Errors
    /// [`Error::Data`] for dates where there were numbers, or the other way round.
    pub fn unit(&self, time: Option<Time>) -> Result<f64, Error> {
        let word = |counts| match counts {
            Counts::Numbers => "numbers",
            Counts::Days | Counts::Seconds => "dates",
        };
        let (Some(trained), given) = (self.counts, Counts::from(time)) else {
            return Ok(1.0);
        };
        trained.per(given).ok_or_else(|| {
            Error::Data(format!(
                "the model was trained on {} as x, and these are {}",
                word(trained),
                word(given)
            ))
        })
    }

    pub fn is_outside(&self, x: f64) -> bool {
        let [least, greatest] = self.range;
        x < least || greatest < x
    }

    /// Warns of predictions outside of the range that the line was trained on, if there are any.
    pub fn tell_outside(&self, outside: u64, all: u64) {
        let [least, greatest] = self.range.map(plain);
        if outside > 0 {
            output::warning(format_args!(
                "{} of {all} outside {least} to {greatest}, the range of x that the line was trained on",
                counted(outside, "prediction"),
            ));
        }
    }
}
