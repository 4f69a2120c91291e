//! `fall-line merge`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;

use fall_line::data::statistics::Statistics;
use fall_line::error::{Error, counted, grouped};
use fall_line::fit::{Caution, LeastSquares, Uncertainty, check_confidence};
use fall_line::loss::Loss;
use fall_line::model::Model;
use fall_line::part::{Part, Parts};
use fall_line::{atomic, saved, table};
use serde::Serialize;

use super::found::{Found, columns, fit};
use super::train::terminal::Terminal;
use crate::cli::{Format, Merge};
use crate::output::number::precise;
use crate::output::{self, json, line, lines};

/// Merges parts, and prints the line of their samples.
pub fn merge(args: &Merge) -> Result<ExitCode, Error> {
    let paths = table::listed(&args.parts)?;
    check(args, &paths)?;
    let parts = Parts::read(&paths)?;
    expect(args.expect, &parts)?;
    for [one, other] in parts.duplicates() {
        output::warning(format_args!(
            "{} and {} hold the same samples, which count twice",
            one.display(),
            other.display()
        ));
    }
    let merged = parts.merge()?;
    if let Some(path) = &args.output {
        saved::write(path, &merged.written()?)?;
        if !args.quiet {
            output::wrote(path);
        }
    }
    let found = match LeastSquares::of(&merged, args.confidence, &Terminal::new(args.quiet)) {
        // The moments were asked for, and may be merged with others that have a line.
        Err(error @ (Error::TooFewSamples { .. } | Error::ConstantX { .. }))
            if args.output.is_some() && args.save.is_none() && args.format == Format::Text =>
        {
            output::notice(format_args!("no line yet: {error}"));
            return Ok(ExitCode::SUCCESS);
        }
        found => found?,
    };
    if let Some(path) = &args.save {
        saved::write(path, &found.saved(&merged))?;
        if !args.quiet {
            output::wrote(path);
        }
    }
    match args.format {
        Format::Text => print(args, &merged, &found)?,
        Format::Json => json::print(&MergeResult::new(&merged, &found))?,
    }
    found.cautions.iter().for_each(output::warning);
    Ok(ExitCode::SUCCESS)
}

/// Checks the files that are read, at these paths, and those that are written.
fn check(args: &Merge, paths: &[PathBuf]) -> Result<(), Error> {
    check_confidence(args.confidence)?;
    let mut seen = BTreeSet::new();
    for path in paths {
        if let Ok(there) = path.canonicalize()
            && !seen.insert(there)
        {
            let name = path.display();
            return Err(Error::Usage(format!("{name} is given twice")));
        }
    }
    let written = [("--output", &args.output), ("--save", &args.save)];
    for (flag, path) in written {
        let Some(path) = path else { continue };
        atomic::check_writable(path)?;
        output::refuse_to_replace(flag, path, "a part", paths)?;
    }
    if let [(_, Some(output)), (_, Some(save))] = written
        && atomic::same_place(output, save)
    {
        let name = save.display();
        return Err(Error::Usage(format!(
            "--save {name} would replace what --output writes"
        )));
    }
    Ok(())
}

/// Checks the number of parts.
fn expect(expected: Option<u64>, parts: &Parts) -> Result<(), Error> {
    let found = parts.count();
    match expected {
        Some(expected) if expected != found => Err(Error::Data(format!(
            "there {} {}, and {} {} expected",
            if found == 1 { "is" } else { "are" },
            counted(found, "part"),
            grouped(expected),
            if expected == 1 { "is" } else { "are" },
        ))),
        _ => Ok(()),
    }
}

/// Prints the line, and unless it is to be quiet what it is of and how good it is.
fn print(args: &Merge, merged: &Part, found: &LeastSquares) -> Result<(), Error> {
    let told = Found {
        names: [&merged.x, &merged.y],
        model: found.line.model(),
        centered: found.line,
        loss: found.loss,
        time: merged.x_counts.time(),
        statistics: Some(found.statistics),
        uncertainty: found.uncertainty,
        beside_errors: false,
    };
    if args.quiet {
        return output::result(told.line(true));
    }
    let samples = merged.moments.samples;
    let skipped = merged.skipped_rows();
    if skipped > 0 {
        let reasons = merged.skipped.iter();
        let reasons: Vec<String> = reasons
            .map(|(reason, rows)| format!("{reason}: {}", grouped(*rows)))
            .collect();
        output::notice(format_args!(
            "left out {} of {} ({})",
            grouped(skipped),
            counted(skipped.saturating_add(samples), "row"),
            reasons.join(", ")
        ));
    }
    line(format!(
        "data:   {}, {}",
        merged.data,
        counted(samples, "sample")
    ))?;
    lines(columns(&found.statistics, told.time))?;
    output::result(told.line(true))?;
    line(format!(
        "fit:           {}; baseline (mean of y): loss {}",
        fit(found.r_squared, found.rmse),
        precise(found.baseline_loss)
    ))?;
    line(told.equation())?;
    lines(told.errors())
}

/// The output of `fall-line merge --format json`: its keys mean what they mean in that of `train`.
#[derive(Debug, Serialize)]
struct MergeResult<'a> {
    #[serde(flatten)]
    model: Model,
    final_loss: f64,
    baseline_loss: f64,
    fit: Fit,
    errors: Option<Uncertainty>,
    /// Why they are not known.
    errors_missing: Option<String>,
    warnings: Vec<Warning>,
    x_center: f64,
    y_center: f64,
    loss: &'static str,
    data: &'a str,
    /// The columns.
    x: &'a str,
    y: &'a str,
    samples: u64,
    /// The parts, those in merged files included.
    parts: u64,
    /// Rows left out, by reason.
    skipped: &'a BTreeMap<String, u64>,
    statistics: Statistics,
    version: &'static str,
}

#[derive(Debug, Serialize)]
struct Fit {
    rmse: f64,
    r_squared: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Warning {
    code: &'static str,
    text: String,
}

impl From<&Caution> for Warning {
    fn from(caution: &Caution) -> Self {
        Warning {
            code: caution.code(),
            text: caution.to_string(),
        }
    }
}

impl<'a> MergeResult<'a> {
    fn new(merged: &'a Part, found: &LeastSquares) -> Self {
        MergeResult {
            model: found.line.model(),
            final_loss: found.loss,
            baseline_loss: found.baseline_loss,
            fit: Fit {
                rmse: found.rmse,
                r_squared: found.r_squared,
            },
            errors: found.uncertainty.ok(),
            errors_missing: found.uncertainty.err().map(|why| why.to_string()),
            warnings: found.cautions.iter().map(Warning::from).collect(),
            x_center: found.line.x_center,
            y_center: found.line.y_center,
            loss: Loss::Mse.name(),
            data: &merged.data,
            x: &merged.x,
            y: &merged.y,
            samples: merged.moments.samples,
            parts: merged.parts,
            skipped: &merged.skipped,
            statistics: found.statistics,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}
