//! What `train` tells a person, in lines: on the terminal, and in a report.

use std::time::Duration;

use fall_line::data::Time;
use fall_line::data::goodness::Goodness;
use fall_line::data::statistics::{ColumnStats, Statistics};
use fall_line::engine::{Description, Storage};
use fall_line::error::{Error, counted};
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

/// Returns what runs, on what, and how.
pub fn headline(prepared: &Prepared, engine: &Description, epochs_before: u64) -> Vec<String> {
    let mut lines = self::engine(engine);
    lines.extend(data(prepared, engine.storage));
    lines.push(loss(prepared.setup(), epochs_before));
    lines
}

/// Returns what is minimised, and how.
pub fn loss(setup: &Setup, epochs_before: u64) -> String {
    let Model { w, b } = setup.start;
    let most = if setup.may_converge() { "up to " } else { "" };
    let goes_on = match epochs_before {
        0 => String::new(),
        before => format!(", going on after epoch {}", HumanCount(before)),
    };
    format!(
        "loss:   {}, {most}{} epochs from w = {}, b = {}{}{goes_on}",
        descent(setup),
        HumanCount(setup.config.epochs),
        number(w),
        number(b),
        batches(setup),
    )
}

/// Returns how many epochs stay on the device at a time, for use after the descent.
pub fn batches(setup: &Setup) -> String {
    match setup.config.sync_every {
        1 => String::new(),
        every => format!(", {} at a time on the device", HumanCount(every)),
    }
}

/// Returns what computes: one line, and one more for each of several adapters.
pub fn engine(engine: &Description) -> Vec<String> {
    if engine.shares.is_empty() {
        return vec![format!("engine: {}, {}", engine.kind, named(engine))];
    }
    let adapters = counted(engine.shares.len() as u64, "adapter");
    let head = format!("engine: {}, {adapters} at the same time", engine.kind);
    let shares = engine.shares.iter().map(|share| {
        let samples = counted(share.samples, "sample");
        format!("        {samples} on {}", named(&share.engine))
    });
    [head].into_iter().chain(shares).collect()
}

/// Returns an adapter, or threads, in words.
fn named(engine: &Description) -> String {
    let mut name = engine.name.clone();
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

/// Returns what the data are, and for one's own data what is known of the columns.
pub fn data(prepared: &Prepared, storage: Storage) -> Vec<String> {
    let source = prepared.source();
    let samples = source.samples();
    let synthetic = source.synthetic();
    let drawn = match &synthetic {
        Some(synthetic) => format!(", {synthetic}"),
        None => String::new(),
    };
    let mut lines = vec![format!(
        "data:   {}{drawn}, {} samples, {}",
        source.title(),
        HumanCount(samples),
        DecimalBytes(storage.bytes_per_sample() * samples),
    )];
    if let Some(statistics) = prepared.statistics().filter(|_| synthetic.is_none()) {
        lines.extend(columns(&statistics, source.time()));
    }
    lines
}

fn columns(statistics: &Statistics, time: Option<Time>) -> [String; 2] {
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
            let deviation = format!("{} {period}s", precise(deviation / size));
            column("x", x, deviation, &|value| moment(value, time))
        }
        None => column("x", x, precise(deviation), &precise),
    };
    let of_y = column("y", y, precise(statistics.y_deviation()), &precise);
    [of_x, of_y]
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
    let own = args.has_files();
    if talks && outcome.converged == Some(true) {
        line(format!("converged at epoch {}", HumanCount(outcome.epochs)))?;
    }
    output::result(found(outcome, own))?;
    if talks {
        output::lines(quality(outcome, own))?;
        line(speed(outcome))?;
        if own {
            line(equation(outcome))?;
        }
        if own || !outcome.setup.loss.is_least_squares() {
            output::lines(errors(outcome))?;
        }
    }
    Ok(())
}

/// Returns the line and its loss; those of one's own data with the digits that predictions take.
pub fn found(outcome: &Outcome, own: bool) -> String {
    let Model { w, b } = outcome.model;
    let loss = if own {
        precise(outcome.loss)
    } else {
        number(outcome.loss)
    };
    let [w, b] = [w, b].map(|value| parameter(value, outcome, own));
    format!("w = {w}, b = {b}, loss = {loss}")
}

fn parameter(value: f64, outcome: &Outcome, own: bool) -> String {
    if own {
        digits(value, needed(outcome))
    } else {
        number(value)
    }
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

/// Returns how good the line is: beside the true one, that of least squares, and the mean of y.
pub fn quality(outcome: &Outcome, own: bool) -> Vec<String> {
    let quality = &outcome.quality;
    let mut lines = Vec::new();
    if let Some(Model { w, b }) = quality.true_line {
        lines.push(format!("drawn around:  w = {w}, b = {b}"));
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
        let [w, b] = [w, b].map(|value| parameter(value, outcome, own));
        lines.push(format!(
            "least squares: w = {w}{of_w}, b = {b}{of_b}{distance}"
        ));
    }
    if let Some(goodness) = &quality.goodness {
        let baseline = match quality.baseline_loss {
            Some(loss) => format!("; baseline (mean of y): loss {}", precise(loss)),
            None => String::new(),
        };
        lines.push(format!("fit:           {}{baseline}", fit(goodness)));
    }
    lines
}

/// Returns the line as an equation, whose digits follow its errors if they are known.
pub fn equation(outcome: &Outcome) -> String {
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
    match outcome.time {
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

/// Returns the errors of slope and intercept, or why they are not known.
pub fn errors(outcome: &Outcome) -> Vec<String> {
    let errors = match outcome.quality.uncertainty {
        Ok(errors) => errors,
        Err(Unknown::NotMeasured) => return Vec::new(),
        Err(why) => return vec![format!("no standard errors: {why}")],
    };
    let of = if outcome.setup.loss.is_least_squares() && outcome.converged != Some(true) {
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
    let mut lines = vec![interval("slope", errors.w, Slope::of(outcome))];
    if outcome.time.is_none() && !is_far(outcome) {
        lines.push(interval("intercept", errors.b, Slope::NONE));
    }
    lines
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

/// Returns how long an epoch, the load and the descent took.
pub fn speed(outcome: &Outcome) -> String {
    let load = time(outcome.load);
    let epochs = outcome.epochs - outcome.epochs_before;
    if epochs == 0 {
        return format!("no epoch was left to run; load {load}");
    }
    let seconds = outcome.train.as_secs_f64() / epochs as f64;
    let bytes = outcome.engine.storage.bytes_per_sample() * outcome.samples;
    format!(
        "{} per epoch, {:.1} GB/s; load {load}, train {}",
        time(Duration::from_secs_f64(seconds)),
        bytes as f64 / seconds / 1e9,
        time(outcome.train),
    )
}
