//! The line that was found, in words: in `train`, in its report, and in `merge`.

use fall_line::data::Time;
use fall_line::data::statistics::{ColumnStats, Statistics};
use fall_line::fit::{Outcome, Parameter, Uncertainty, Unknown};
use fall_line::model::{Centered, Model};

use crate::output::number::{
    digits, moment, number, percent, period, precise, probability, to_digits_of,
};

/// The size of b, in that of y, from which on the line is told by its value at the center of x.
const FAR: f64 = 1000.0;

/// A line, and what is known of it.
pub struct Found<'a> {
    /// The names of x and y.
    pub names: [&'a str; 2],
    pub model: Model,
    pub centered: Centered,
    pub loss: f64,
    /// What x counts, if it holds dates or timestamps.
    pub time: Option<Time>,
    pub statistics: Option<Statistics>,
    pub uncertainty: Result<Uncertainty, Unknown>,
    /// Whether the errors are those of the line of least squares, and this one has not reached it.
    pub beside_errors: bool,
}

impl<'a> From<&'a Outcome> for Found<'a> {
    fn from(outcome: &'a Outcome) -> Self {
        let [x, y] = &outcome.names;
        Found {
            names: [x, y],
            model: outcome.model,
            centered: outcome.centered,
            loss: outcome.loss,
            time: outcome.time,
            statistics: outcome.statistics,
            uncertainty: outcome.quality.uncertainty,
            beside_errors: outcome.setup.loss.is_least_squares() && outcome.converged != Some(true),
        }
    }
}

impl Found<'_> {
    /// Returns the line and its loss; those of one's own data with the digits that predictions take.
    pub fn line(&self, own: bool) -> String {
        let Model { w, b } = self.model;
        let loss = if own {
            precise(self.loss)
        } else {
            number(self.loss)
        };
        let [w, b] = [w, b].map(|value| self.parameter(value, own));
        format!("w = {w}, b = {b}, loss = {loss}")
    }

    /// Returns w or b of this line or one near it.
    pub fn parameter(&self, value: f64, own: bool) -> String {
        if own {
            digits(value, self.needed())
        } else {
            number(value)
        }
    }

    /// Returns the digits of w and b that give predictions of seven digits of y's deviation: for timestamps most cancel.
    fn needed(&self) -> usize {
        const SEVEN: usize = 7;
        let Some(statistics) = self.statistics else {
            return SEVEN;
        };
        let Some(line) = statistics.line() else {
            return SEVEN;
        };
        let size = (line.w * statistics.x.mean).abs() / statistics.y_deviation();
        SEVEN + size.max(1.0).log10().ceil().min(10.0) as usize
    }

    /// Returns the line as an equation, whose digits follow its errors if they are known.
    pub fn equation(&self) -> String {
        // A name such as 2019 would be read as a number.
        let quoted = |name: &str| match name.parse::<f64>() {
            Ok(_) => format!("{name:?}"),
            Err(_) => name.to_owned(),
        };
        let [x, y] = self.names.map(quoted);
        let errors = self.uncertainty.as_ref().ok();
        let Slope { size, per } = self.slope();
        let w = size * self.centered.w;
        let w_text = to_digits_of(w.abs(), errors.map(|errors| size * errors.w.error));
        let sign = if w < 0.0 { '−' } else { '+' };
        let center = self.centered.x_center;
        match self.time {
            Some(time) => {
                // The line at a whole second or day.
                let at_center = precise(self.centered.predict(center.floor()));
                let center = moment(center, time);
                format!("{y} = {at_center} {sign} {w_text}{per} × ({x} − {center})")
            }
            None if self.is_far() => {
                let at_center = precise(self.centered.y_center);
                format!("{y} = {at_center} {sign} {w_text} × ({x} − {center})")
            }
            None => {
                let b = to_digits_of(self.model.b, errors.map(|errors| errors.b.error));
                format!("{y} = {b} {sign} {w_text} × {x}")
            }
        }
    }

    fn slope(&self) -> Slope {
        match (self.time, self.statistics) {
            (Some(time), Some(Statistics { x, .. })) => {
                let (period, size) = period(x.greatest - x.least, time);
                let per = format!(" per {period}");
                Slope { size, per }
            }
            _ => Slope::NONE,
        }
    }

    /// Returns whether b is far from all y, such as that of timestamps: it has fewer digits than the line.
    fn is_far(&self) -> bool {
        self.statistics.is_some_and(|statistics| {
            self.model.b.abs() > FAR * (statistics.y.least.abs()).max(statistics.y.greatest.abs())
        })
    }

    /// Returns the errors of slope and intercept, or why they are not known.
    pub fn errors(&self) -> Vec<String> {
        let errors = match self.uncertainty {
            Ok(errors) => errors,
            Err(Unknown::NotMeasured) => return Vec::new(),
            Err(why) => return vec![format!("no standard errors: {why}")],
        };
        let of = if self.beside_errors {
            " of the least-squares line"
        } else {
            ""
        };
        let interval = |name: &str, at: Parameter, Slope { size, per }| {
            let show = |value| to_digits_of(size * value, Some(size * at.error));
            let [low, high] = at.interval.map(show);
            format!(
                "{name} {} ± {}{per}{of} ({}: {low} to {high}){}",
                show(at.value),
                show(at.error),
                percent(errors.confidence),
                at.p.map_or_else(String::new, |p| format!(", p {}", probability(p))),
            )
        };
        let mut lines = vec![interval("slope", errors.w, self.slope())];
        if self.time.is_none() && !self.is_far() {
            lines.push(interval("intercept", errors.b, Slope::NONE));
        }
        lines
    }
}

/// The unit of a slope, for people.
struct Slope {
    /// The number of x's units in it.
    size: f64,
    /// The unit in words: ` per day`, or nothing.
    per: String,
}

impl Slope {
    /// That of x and y as they are.
    const NONE: Slope = Slope {
        size: 1.0,
        per: String::new(),
    };
}

/// Returns what is known of the columns.
pub fn columns(statistics: &Statistics, time: Option<Time>) -> [String; 2] {
    let column = |name, column: &ColumnStats, deviation, show: &dyn Fn(f64) -> String| {
        let [least, greatest, mean] = [column.least, column.greatest, column.mean].map(show);
        format!(
            "        {name} from {least} to {greatest}, mean {mean}, standard deviation {deviation}"
        )
    };
    let (x, y) = (&statistics.x, &statistics.y);
    let deviation = statistics.x_deviation();
    let of_x = match time {
        Some(time) => {
            let (period, size) = period(x.greatest - x.least, time);
            let number = precise(deviation / size);
            let plural = if number == "1" { "" } else { "s" };
            let deviation = format!("{number} {period}{plural}");
            column("x", x, deviation, &|value| moment(value, time))
        }
        None => column("x", x, precise(deviation), &precise),
    };
    let of_y = column("y", y, precise(statistics.y_deviation()), &precise);
    [of_x, of_y]
}

/// Returns the share of y's variance that a line explains, and its RMSE.
pub fn fit(r_squared: Option<f64>, rmse: f64) -> String {
    let explained = match r_squared {
        Some(share) if share > -1.0 => format!("R² {share:.6}, "),
        Some(share) => format!("R² {}, ", number(share)),
        None => String::new(),
    };
    format!("{explained}RMSE {}", precise(rmse))
}
