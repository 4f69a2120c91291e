//! `--format text`: what `train` tells a person.

use std::time::Duration;

use fall_line::data::Time;
use fall_line::data::goodness::Goodness;
use fall_line::data::statistics::{ColumnStats, Statistics};
use fall_line::engine::{Description, Storage};
use fall_line::error::Error;
use fall_line::fit::{Outcome, Parameter, Prepared, Setup, Uncertainty, Unknown};
use fall_line::model::Model;
use fall_line::train::{Optimizer, Schedule};
use indicatif::{DecimalBytes, HumanCount};

use crate::cli::Train;
use crate::output::number::{
    digits, moment, number, percent, period, plain, precise, probability, time, to_digits_of,
};
use crate::output::{self, line};

/// The size of b, in that of y, from which on the line is told by its value at the center of x.
const FAR: f64 = 1000.0;

/// Prints what runs, on what, and how.
pub fn headline(
    prepared: &Prepared,
    engine: &Description,
    epochs_before: u64,
) -> Result<(), Error> {
    line(format!("engine: {}", named(engine)))?;
    data(prepared, engine.storage)?;
    loss(prepared.setup(), epochs_before)
}

/// Prints what is minimised, and how.
pub fn loss(setup: &Setup, epochs_before: u64) -> Result<(), Error> {
    let Model { w, b } = setup.start;
    let most = if setup.may_converge() { "up to " } else { "" };
    let goes_on = match epochs_before {
        0 => String::new(),
        before => format!(", going on after epoch {}", HumanCount(before)),
    };
    line(format!(
        "loss:   {}, {most}{} epochs from w = {}, b = {}{}{goes_on}",
        descent(setup),
        HumanCount(setup.config.epochs),
        number(w),
        number(b),
        batches(setup),
    ))
}

/// Returns how many epochs stay on the device at a time, for use after the descent.
pub fn batches(setup: &Setup) -> String {
    match setup.config.sync_every {
        1 => String::new(),
        every => format!(", {} at a time on the device", HumanCount(every)),
    }
}

/// Returns the engine in words.
pub fn named(engine: &Description) -> String {
    let mut name = format!("{}, {}", engine.kind, engine.name);
    if let Some(backend) = &engine.backend {
        name += &format!(", {backend}");
    }
    if engine.software {
        name += ", software adapter";
    }
    if engine.storage != Storage::F32 {
        name += &format!(", storage {}", engine.storage);
    }
    name
}

/// Prints what the data are, and for one's own data what is known of the columns.
pub fn data(prepared: &Prepared, storage: Storage) -> Result<(), Error> {
    let source = prepared.source();
    let samples = source.samples();
    let synthetic = source.synthetic();
    let drawn = match &synthetic {
        Some(synthetic) => format!(", {synthetic}"),
        None => String::new(),
    };
    line(format!(
        "data:   {}{drawn}, {} samples, {}",
        source.title(),
        HumanCount(samples),
        DecimalBytes(storage.bytes_per_sample() * samples),
    ))?;
    match prepared.statistics() {
        Some(statistics) if synthetic.is_none() => columns(&statistics, source.time()),
        _ => Ok(()),
    }
}

fn columns(statistics: &Statistics, time: Option<Time>) -> Result<(), Error> {
    let column = |name, column: &ColumnStats, deviation, show: &dyn Fn(f64) -> String| {
        let [least, greatest, mean] = [column.least, column.greatest, column.mean].map(show);
        line(format!(
            "        {name} from {least} to {greatest}, mean {mean}, standard deviation {deviation}"
        ))
    };
    let (x, y) = (&statistics.x, &statistics.y);
    let deviation = statistics.x_deviation();
    match time {
        Some(time) => {
            let (period, size) = period(x.greatest - x.least, time);
            let deviation = format!("{} {period}s", precise(deviation / size));
            column("x", x, deviation, &|value| moment(value, time))?;
        }
        None => column("x", x, precise(deviation), &precise)?,
    }
    column("y", y, precise(statistics.y_deviation()), &precise)
}

/// Returns the loss and its descent in words.
pub fn descent(setup: &Setup) -> String {
    let mut text = match setup.loss.threshold() {
        Some(delta) if setup.delta_in_noise => {
            format!("huber, δ = {} from the data", precise(delta))
        }
        _ => setup.loss.to_string(),
    };
    match setup.learning_rate {
        Some(learning_rate) => {
            if setup.config.descent.optimizer() != Optimizer::Gd {
                text += &format!(", {}", setup.config.descent.optimizer());
            }
            text += &if learning_rate.auto {
                format!(", learning rate {} (auto)", number(learning_rate.rate))
            } else {
                format!(", learning rate {}", plain(learning_rate.rate))
            };
            if let Some(schedule) = setup.config.descent.schedule()
                && schedule != Schedule::Constant
            {
                text += &format!(", {}", schedule);
            }
        }
        None => text += ", cutting plane",
    }
    if setup.standardized {
        text += ", standardised";
    }
    text
}

/// Prints the line, and unless it is to be quiet how the run ended, how good the line is, and how fast it was found.
pub fn result(args: &Train, outcome: &Outcome) -> Result<(), Error> {
    let talks = args.output.talks();
    if talks && outcome.converged == Some(true) {
        line(format!("converged at epoch {}", HumanCount(outcome.epochs)))?;
    }
    let own = args.has_files();
    let show = |value| {
        if own {
            digits(value, needed(outcome))
        } else {
            number(value)
        }
    };
    let Model { w, b } = outcome.model;
    let loss = if own {
        precise(outcome.loss)
    } else {
        number(outcome.loss)
    };
    output::result(format!("w = {}, b = {}, loss = {loss}", show(w), show(b)))?;
    if talks {
        quality(outcome, &show)?;
        speed(outcome)?;
        if own {
            equation(outcome)?;
        }
        if own || !outcome.setup.loss.is_least_squares() {
            errors(outcome)?;
        }
    }
    Ok(())
}

/// Returns the digits of w and b that give predictions of seven digits of y's deviation: for timestamps most cancel.
fn needed(outcome: &Outcome) -> usize {
    const SEVEN: usize = 7;
    let Some(statistics) = outcome.statistics else {
        return SEVEN;
    };
    let Some(line) = statistics.line() else {
        return SEVEN;
    };
    let size = (line.w * statistics.x.mean).abs() / statistics.y_deviation();
    SEVEN + size.max(1.0).log10().ceil().min(10.0) as usize
}

fn quality(outcome: &Outcome, show: &dyn Fn(f64) -> String) -> Result<(), Error> {
    let quality = &outcome.quality;
    if let Some(Model { w, b }) = quality.true_line {
        line(format!("drawn around:  w = {w}, b = {b}"))?;
    }
    if let Some(Model { w, b }) = quality.least_squares {
        let distance = match quality.distance {
            Some(distance) => format!(
                "; w is {} from it, b {}",
                digits(distance.w.abs(), 2),
                digits(distance.b.abs(), 2)
            ),
            None => " (the line of mse)".to_owned(),
        };
        let [of_w, of_b] = match &quality.uncertainty {
            Ok(Uncertainty { w, b, .. })
                if quality.distance.is_some() && quality.true_line.is_some() =>
            {
                [w, b].map(|at| format!(" ± {}", to_digits_of(at.error, Some(at.error))))
            }
            _ => Default::default(),
        };
        line(format!(
            "least squares: w = {}{of_w}, b = {}{of_b}{distance}",
            show(w),
            show(b)
        ))?;
    }
    if let Some(goodness) = &quality.goodness {
        let baseline = match quality.baseline_loss {
            Some(loss) => format!("; baseline (mean of y): loss {}", precise(loss)),
            None => String::new(),
        };
        line(format!("fit:           {}{baseline}", fit(goodness)))?;
    }
    Ok(())
}

/// Prints the line as an equation, whose digits follow its errors if they are known.
fn equation(outcome: &Outcome) -> Result<(), Error> {
    // A name such as 2019 would be read as a number.
    let quoted = |name: &String| match name.parse::<f64>() {
        Ok(_) => format!("{name:?}"),
        Err(_) => name.clone(),
    };
    let [x, y] = outcome.names.each_ref().map(quoted);
    let errors = outcome.quality.uncertainty.as_ref().ok();
    let Slope { size, per } = Slope::of(outcome);
    let w = size * outcome.centered.w;
    let w_text = to_digits_of(w.abs(), errors.map(|errors| size * errors.w.error));
    let sign = if w < 0.0 { '−' } else { '+' };
    let center = outcome.centered.x_center;
    line(match outcome.time {
        Some(time) => {
            // The line at a whole second or day.
            let at_center = precise(outcome.predict(center.floor()));
            let center = moment(center, time);
            format!("{y} = {at_center} {sign} {w_text}{per} × ({x} − {center})")
        }
        None if is_far(outcome) => {
            let at_center = precise(outcome.centered.y_center);
            format!("{y} = {at_center} {sign} {w_text} × ({x} − {center})")
        }
        None => {
            let b = to_digits_of(outcome.model.b, errors.map(|errors| errors.b.error));
            format!("{y} = {b} {sign} {w_text} × {x}")
        }
    })
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

    fn of(outcome: &Outcome) -> Self {
        match (outcome.time, outcome.statistics) {
            (Some(time), Some(Statistics { x, .. })) => {
                let (period, size) = period(x.greatest - x.least, time);
                let per = format!(" per {period}");
                Slope { size, per }
            }
            _ => Slope::NONE,
        }
    }
}

/// Returns whether b is far from all y, such as that of timestamps: it has fewer digits than the line.
fn is_far(outcome: &Outcome) -> bool {
    outcome.statistics.is_some_and(|statistics| {
        outcome.model.b.abs() > FAR * (statistics.y.least.abs()).max(statistics.y.greatest.abs())
    })
}

/// Prints the errors of slope and intercept, or why they are not known.
fn errors(outcome: &Outcome) -> Result<(), Error> {
    let errors = match outcome.quality.uncertainty {
        Ok(errors) => errors,
        Err(Unknown::NotMeasured) => return Ok(()),
        Err(why) => return line(format!("no standard errors: {why}")),
    };
    let of = if outcome.setup.loss.is_least_squares() && outcome.converged != Some(true) {
        " of the least-squares line"
    } else {
        ""
    };
    let interval = |name: &str, at: Parameter, Slope { size, per }| {
        let show = |value| to_digits_of(size * value, Some(size * at.error));
        let [low, high] = at.interval.map(show);
        line(format!(
            "{name} {} ± {}{per}{of} ({}: {low} to {high}){}",
            show(at.value),
            show(at.error),
            percent(errors.confidence),
            at.p.map_or_else(String::new, |p| format!(", p {}", probability(p))),
        ))
    };
    interval("slope", errors.w, Slope::of(outcome))?;
    if outcome.time.is_none() && !is_far(outcome) {
        interval("intercept", errors.b, Slope::NONE)?;
    }
    Ok(())
}

/// Returns the goodness of fit in words.
pub fn fit(fit: &Goodness) -> String {
    let explained = match fit.r_squared {
        Some(share) if share > -1.0 => format!("R² {share:.6}, "),
        Some(share) => format!("R² {}, ", number(share)),
        None => String::new(),
    };
    format!(
        "{explained}RMSE {}, MAE {}",
        precise(fit.rmse),
        precise(fit.mae)
    )
}

fn speed(outcome: &Outcome) -> Result<(), Error> {
    let load = time(outcome.load);
    let epochs = outcome.epochs - outcome.epochs_before;
    if epochs == 0 {
        return line(format!("no epoch was left to run; load {load}"));
    }
    let seconds = outcome.train.as_secs_f64() / epochs as f64;
    let bytes = outcome.engine.storage.bytes_per_sample() * outcome.samples;
    line(format!(
        "{} per epoch, {:.1} GB/s; load {load}, train {}",
        time(Duration::from_secs_f64(seconds)),
        bytes as f64 / seconds / 1e9,
        time(outcome.train),
    ))
}
