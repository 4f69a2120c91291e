//! `--format text`: what `train` tells a person.

use std::time::Duration;

use fall_line::data::goodness::Goodness;
use fall_line::data::scaling::Scaling;
use fall_line::data::statistics::{ColumnStats, Statistics};
use fall_line::engine::Description;
use fall_line::engine::gpu::program::Storage;
use fall_line::error::Error;
use fall_line::loss::Loss;
use fall_line::model::Model;
use fall_line::train::{Descent, Ended, Epoch, Optimizer, Schedule, Trained};
use indicatif::{DecimalBytes, HumanCount};

use crate::cli::Train;
use crate::open::Opened;
use crate::output::number::{digits, number, plain, precise, time};
use crate::output::{line, notice};
use crate::run::Run;
use crate::run::outcome::Outcome;
use crate::run::setup::Setup;

/// What runs, on what, and how.
pub fn headline(run: &Run) -> Result<(), Error> {
    let (engine, setup) = (&run.engine, run.setup);
    line(format!("engine: {}", named(engine)))?;
    data(
        run.args,
        run.opened,
        engine.storage,
        run.statistics.as_ref(),
    )?;
    let Model { w, b } = setup.start;
    let epochs = setup.config.epochs;
    let most = if setup.may_converge() { "up to " } else { "" };
    let goes_on = match run.epochs_before {
        0 => String::new(),
        before => format!(", going on after epoch {}", HumanCount(before)),
    };
    line(format!(
        "loss:   {}, {most}{} epochs from w = {}, b = {}{}{goes_on}",
        descent(setup),
        HumanCount(epochs),
        number(w),
        number(b),
        batches(setup),
    ))
}

pub fn batches(setup: &Setup) -> String {
    match setup.config.sync_every {
        1 => String::new(),
        every => format!(", {} at a time on the device", HumanCount(every)),
    }
}

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

/// What the data are, and what is known of the columns of files.
pub fn data(
    args: &Train,
    opened: &Opened,
    storage: Storage,
    statistics: Option<&Statistics>,
) -> Result<(), Error> {
    let source = &*opened.source;
    let samples = source.samples();
    let drawn = match args.has_files() {
        true => String::new(),
        false => format!(", {}", args.synthetic.drawn()),
    };
    line(format!(
        "data:   {}{drawn}, {} samples, {}",
        source.title(),
        HumanCount(samples),
        DecimalBytes(storage.bytes_per_sample() * samples),
    ))?;
    if let Some(statistics) = statistics.filter(|_| args.has_files()) {
        line(column("x", &statistics.x, statistics.x_deviation()))?;
        line(column("y", &statistics.y, statistics.y_deviation()))?;
    }
    Ok(())
}

fn column(name: &str, column: &ColumnStats, deviation: f64) -> String {
    format!(
        "        {name} from {} to {}, mean {}, deviation {}",
        precise(column.least),
        precise(column.greatest),
        precise(column.mean),
        precise(deviation),
    )
}

/// The loss, and how it is descended.
pub fn descent(setup: &Setup) -> String {
    let mut text = setup.loss.to_string();
    match (setup.config.descent, setup.learning_rate) {
        (
            Descent::Steps {
                optimizer,
                schedule,
                ..
            },
            Some(learning_rate),
        ) => {
            if optimizer != Optimizer::Gd {
                text += &format!(", {}", optimizer.name());
            }
            text += &match learning_rate.auto {
                true => format!(", learning rate {} (auto)", number(learning_rate.rate)),
                false => format!(", learning rate {}", plain(learning_rate.rate)),
            };
            if schedule != Schedule::Constant {
                text += &format!(", {}", schedule.name());
            }
        }
        _ => text += ", cutting plane",
    }
    if setup.scaling != Scaling::NONE {
        text += ", standardised";
    }
    text
}

/// One epoch.
pub fn epoch(epoch: &Epoch, of_files: bool) -> Result<(), Error> {
    let show = if of_files { precise } else { number };
    line(format!(
        "epoch {}: loss = {}, w = {}, b = {}",
        epoch.epoch,
        show(epoch.loss),
        show(epoch.w),
        show(epoch.b)
    ))
}

/// The line found, and unless it is to be quiet how it ended, how far it is from the truth, and how fast that was.
pub fn result(run: &Run, outcome: &Outcome, trained: &Trained) -> Result<(), Error> {
    let talks = run.args.output.talks();
    if talks && outcome.converged == Some(true) {
        line(format!("converged at epoch {}", HumanCount(outcome.epochs)))?;
    }
    let show = |value| match run.args.has_files() {
        true => digits(value, needed(run)),
        false => number(value),
    };
    let Model { w, b } = outcome.model;
    let loss = match run.args.has_files() {
        true => precise(outcome.final_loss),
        false => number(outcome.final_loss),
    };
    line(format!("w = {}, b = {}, loss = {loss}", show(w), show(b)))?;
    if talks {
        truth(outcome, &show)?;
        speed(run, trained)?;
    }
    Ok(())
}

/// Digits of w and b that it takes for predictions of seven, as seen from y's deviation: those of timestamps cancel.
fn needed(run: &Run) -> usize {
    const SEVEN: usize = 7;
    let Some(statistics) = run.statistics else {
        return SEVEN;
    };
    let Some(line) = statistics.line() else {
        return SEVEN;
    };
    let size = (line.w * statistics.x.mean).abs() / statistics.y_deviation();
    SEVEN + size.max(1.0).log10().ceil().min(10.0) as usize
}

/// Whether that is the line that was asked for: a warning where not, with what would help, or with `--strict` an error.
pub fn verdict(
    run: &Run,
    outcome: &Outcome,
    ended: Ended,
    first_loss: Option<f64>,
) -> Result<(), Error> {
    let (args, setup) = (run.args, run.setup);
    let epochs = match outcome.epochs {
        1 => "1 epoch".to_owned(),
        epochs => format!("{} epochs", HumanCount(epochs)),
    };
    let what = match (outcome.converged, ended) {
        // A cutting plane starts where the line is about to be; of equal losses f32 sums tell either as the greater.
        _ if setup.learning_rate.is_some()
            && first_loss.is_some_and(|first| outcome.final_loss > 1.00001 * first) =>
        {
            format!("the loss has risen over {epochs}")
        }
        (Some(false), Ended::Converged) => {
            format!("the loss falls no more after {epochs}, but there are lines of a lower one")
        }
        (Some(false), _) => format!("not converged after {epochs}"),
        (Some(true) | None, _) => return Ok(()),
    };
    let mut helps = Vec::new();
    if !args.standardizes() && !args.draws_on_the_device() {
        helps.push("--standardize");
    }
    if setup.learning_rate.is_some_and(|learning| !learning.auto) {
        helps.push("--learning-rate auto");
    }
    if setup.learning_rate.is_some() && setup.loss != Loss::Mse {
        helps.push("--optimizer cutting-plane");
    }
    if ended == Ended::OutOfEpochs && outcome.converged.is_some() {
        helps.push("more --epochs");
    }
    let helps = match helps.is_empty() {
        true => String::new(),
        false => format!("; {} would help", helps.join(" or ")),
    };
    let text = what + &helps;
    if args.training.strict && outcome.converged == Some(false) {
        return Err(Error::NotConverged(text));
    }
    notice(format!("warning: {text}"));
    Ok(())
}

fn truth(outcome: &Outcome, show: &dyn Fn(f64) -> String) -> Result<(), Error> {
    let truth = &outcome.truth;
    if let Some(Model { w, b }) = truth.true_line {
        line(format!("drawn around:  w = {w}, b = {b}"))?;
    }
    if let Some(Model { w, b }) = truth.least_squares {
        let off = match truth.distance {
            Some(distance) => format!(
                "; w is off by {:.1e}, b by {:.1e}",
                distance.w.abs(),
                distance.b.abs()
            ),
            None => " (the line of mse)".to_owned(),
        };
        line(format!(
            "least squares: w = {}, b = {}{off}",
            show(w),
            show(b)
        ))?;
    }
    if let Some(of_line) = &truth.fit {
        let baseline = match truth.baseline_loss {
            Some(loss) => format!("; predicting the mean of y has loss {}", precise(loss)),
            None => String::new(),
        };
        line(format!("fit:           {}{baseline}", fit(of_line)))?;
    }
    Ok(())
}

/// How well a line fits.
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

/// How fast.
fn speed(run: &Run, trained: &Trained) -> Result<(), Error> {
    let load = time(run.load);
    let epochs = trained.epochs - run.epochs_before;
    if epochs == 0 {
        return line(format!("no epoch was left to run; load {load}"));
    }
    let seconds = trained.time.as_secs_f64() / epochs as f64;
    let bytes = run.engine.storage.bytes_per_sample() * run.opened.source.samples();
    line(format!(
        "{} per epoch, {:.1} GB/s; load {load}, train {}",
        time(Duration::from_secs_f64(seconds)),
        bytes as f64 / seconds / 1e9,
        time(trained.time),
    ))
}
