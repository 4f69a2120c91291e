//! `fall-line predict --at`.

use std::process::ExitCode;

use fall_line::error::Error;
use fall_line::saved::Saved;
use fall_line::table::iso_time;
use serde::Serialize;

use super::line::Line;
use crate::cli::{Format, Predict};
use crate::output;

/// Prints predictions at values of x.
pub fn at(args: &Predict, saved: &Saved, line: &Line) -> Result<ExitCode, Error> {
    let predictions: Vec<At> = args
        .at
        .iter()
        .map(|text| {
            let x = at_x(text, line)?;
            let [lower, upper] = line.interval(x).map_or([None; 2], |ends| ends.map(Some));
            Ok(At {
                x,
                prediction: line.line.predict(x),
                lower,
                upper,
                outside: line.is_outside(x),
            })
        })
        .collect::<Result<_, Error>>()?;
    if args.format == Format::Json {
        output::json::print(&predictions)?;
    } else {
        let ends = if line.interval.is_some() {
            ",lower,upper"
        } else {
            ""
        };
        output::line(format_args!("{},prediction{ends}", saved.units.x))?;
        for at in &predictions {
            let ends = [at.lower, at.upper]
                .into_iter()
                .flatten()
                .map(|end| format!(",{end}"));
            output::line(format_args!(
                "{},{}{}",
                at.x,
                at.prediction,
                ends.collect::<String>()
            ))?;
        }
    }
    let outside = predictions.iter().filter(|at| at.outside).count() as u64;
    line.tell_outside(outside, predictions.len() as u64);
    Ok(ExitCode::SUCCESS)
}

/// Returns the x of a text: a number, or a date where the line was trained on dates.
fn at_x(text: &str, line: &Line) -> Result<f64, Error> {
    let number = text.parse::<f64>().ok().filter(|x| x.is_finite());
    let date = || {
        let (x, time) = iso_time(text)?;
        Some(line.unit(Some(time)).map(|unit| x * unit))
    };
    number.map(Ok).or_else(date).unwrap_or_else(|| {
        Err(Error::Usage(format!(
            "--at {text} is not a finite number, nor a date such as 2024-03-20"
        )))
    })
}

/// A prediction at one x.
#[derive(Debug, Serialize)]
struct At {
    x: f64,
    prediction: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lower: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upper: Option<f64>,
    /// `true` if x is outside of the range that the line was trained on.
    outside: bool,
}
