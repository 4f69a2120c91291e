//! What `train` tells a person, in lines: on the terminal, and in a report.

use std::time::Duration;

use fall_line::data::goodness::Goodness;
use fall_line::engine::{Description, Share, Storage};
use fall_line::error::{Error, counted};
use fall_line::fit::{Outcome, Prepared, Setup, Uncertainty};
use fall_line::model::Model;
use fall_line::train::{Optimizer, Schedule};
use indicatif::{DecimalBytes, HumanCount};

use crate::cli::Train;
use crate::commands::found::{self, Found, columns};
use crate::output::number::{digits, number, plain, precise, time, to_digits_of};
use crate::output::{self, line};

/// Returns what runs, on what, and how.
pub fn headline(prepared: &Prepared, engine: &Description, epochs_before: u64) -> Vec<String> {
    let mut lines = self::engine(engine, prepared.source().ranks().size());
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

/// Returns what computes: one line, and more for several adapters or ranks.
pub fn engine(engine: &Description, ranks: usize) -> Vec<String> {
    if ranks > 1 {
        let head = format!("engine: {}, {}", engine.kind, counted(ranks as u64, "rank"));
        let on = |share: &Share| named(&share.engine);
        let alike = engine.shares.chunk_by(|one, other| on(one) == on(other));
        let lines = alike.map(|ranks| {
            let samples = ranks.iter().map(|rank| rank.samples).sum();
            if samples == 0 {
                return format!(
                    "        {} without samples",
                    counted(ranks.len() as u64, "rank")
                );
            }
            let together = match ranks.len() {
                1 => format!("1 rank on {}", on(&ranks[0])),
                count => format!(
                    "{}, each on {}, together",
                    counted(count as u64, "rank"),
                    on(&ranks[0])
                ),
            };
            format!("        {together} with {}", counted(samples, "sample"))
        });
        return [head].into_iter().chain(lines).collect();
    }
    if engine.shares.is_empty() {
        return vec![format!("engine: {}, {}", engine.kind, named(engine))];
    }
    let adapters = counted(engine.shares.len() as u64, "adapter");
    let all = if engine.shares.len() > 1 {
        " at the same time"
    } else {
        ""
    };
    let head = format!("engine: {}, {adapters}{all}", engine.kind);
    let shares = engine.shares.iter().map(|share| {
        let samples = counted(share.samples, "sample");
        format!("        {samples} on {}", named(&share.engine))
    });
    [head].into_iter().chain(shares).collect()
}

/// Returns an adapter, or threads, in words.
pub fn named(engine: &Description) -> String {
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
    let samples = source.all_samples();
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
    let found = Found::from(outcome);
    output::result(found.line(own))?;
    if talks {
        output::lines(quality(outcome, own))?;
        line(speed(outcome))?;
        if own {
            line(found.equation())?;
        }
        if own || !outcome.setup.loss.is_least_squares() {
            output::lines(found.errors())?;
        }
    }
    Ok(())
}

/// Returns how good the line is: beside the true one, that of least squares, and the mean of y.
pub fn quality(outcome: &Outcome, own: bool) -> Vec<String> {
    let (quality, found) = (&outcome.quality, Found::from(outcome));
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
        let [w, b] = [w, b].map(|value| found.parameter(value, own));
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

/// Returns the goodness of fit in words.
pub fn fit(fit: &Goodness) -> String {
    let of_squares = found::fit(fit.r_squared, fit.rmse);
    format!("{of_squares}, MAE {}", precise(fit.mae))
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
