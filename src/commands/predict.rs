//! `fall-line predict`.

use std::collections::BTreeMap;
use std::fmt;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use fall_line::atomic;
use fall_line::data::Block;
use fall_line::data::goodness::Goodness;
use fall_line::data::statistics::Statistics;
use fall_line::error::{Error, counted};
use fall_line::model::Model;
use fall_line::saved::Saved;
use fall_line::table::{OpenedFile, Request, write};
use serde::Serialize;

use super::open::open_file;
use super::set_threads;
use crate::cli::{Format, Predict};
use crate::output;
use crate::output::interrupts::Interrupts;
use crate::output::sample_table::SampleTable;

/// Writes a prediction for each sample of a file, and a summary.
pub fn predict(args: &Predict) -> Result<ExitCode, Error> {
    let saved = Saved::read(&args.model)?;
    check_output(args)?;
    set_threads(args.threads)?;
    let request = Request {
        // The column has the name that it had in training.
        x: args.columns.x.as_deref().or(Some(&saved.units.x)),
        x_alone: true,
        ..args.columns.request()
    };
    let opened = open_file(args.data.as_deref(), &args.columns, &request, args.quiet)?;
    let fit = if args.columns.y.is_some() {
        let statistics = Statistics::of(&*opened.source, &|_| {})?;
        let fit = Goodness::of(&*opened.source, saved.line(), &statistics.y)?;
        Some(fit)
    } else {
        None
    };
    let code = write_predictions(args, &saved, &opened)?;
    if code != ExitCode::SUCCESS {
        return Ok(code);
    }
    let summary = Summary {
        model: saved.model,
        samples: opened.source.samples(),
        skipped: output::by_reason(&opened.skipped),
        fit,
        version: env!("CARGO_PKG_VERSION"),
    };
    match args.format {
        Format::Json => output::json::print(&summary)?,
        Format::Text if args.output.is_some() => output::line(summary)?,
        // Stdout holds the predictions.
        Format::Text if !args.quiet => output::notice(summary),
        Format::Text => {}
    }
    Ok(code)
}

/// Checks that the predictions can be written and replace nothing that is read.
fn check_output(args: &Predict) -> Result<(), Error> {
    let Some(path) = &args.output else {
        return Ok(());
    };
    write::kind(path)?;
    atomic::check_writable(path)?;
    let data = args.columns.files(args.data.as_deref());
    output::refuse_to_replace("--output", path, "the data", data)?;
    output::refuse_to_replace("--output", path, "the model", [args.model.as_path()])
}

/// Writes the predictions to a file or to stdout.
fn write_predictions(
    args: &Predict,
    saved: &Saved,
    opened: &OpenedFile,
) -> Result<ExitCode, Error> {
    let prediction = format!("predicted {}", saved.units.y);
    let has_y = args.columns.y.is_some();
    let names = if has_y {
        vec![opened.x.as_str(), opened.y.as_str(), &prediction]
    } else {
        vec![opened.x.as_str(), &prediction]
    };
    let overflowed = AtomicU64::new(0);
    let line = saved.line();
    let columns = |Block { x, y }: Block| {
        let predictions: Vec<f64> = x.iter().map(|&x| line.predict(x)).collect();
        let infinite = predictions.iter().filter(|value| !value.is_finite());
        overflowed.fetch_add(infinite.count() as u64, Ordering::Relaxed);
        if has_y {
            vec![x, y, predictions]
        } else {
            vec![x, predictions]
        }
    };
    let table = SampleTable {
        source: &*opened.source,
        names: &names,
        columns,
        interrupts: &Interrupts::listen()?,
    };
    let code = match (&args.output, args.format) {
        (Some(path), _) => table.write_file(path, args.quiet),
        (None, Format::Text) => table.print(),
        // Only the summary was asked for.
        (None, Format::Json) => Ok(ExitCode::SUCCESS),
    }?;
    let overflowed = overflowed.into_inner();
    if overflowed > 0 {
        output::notice(format_args!(
            "warning: {} beyond the range of f64: the line is too steep for these x",
            counted(overflowed, "prediction"),
        ));
    }
    Ok(code)
}

/// The number of predictions, and how well they fit if y is known.
#[derive(Debug, Serialize)]
struct Summary {
    /// The line.
    #[serde(flatten)]
    model: Model,
    samples: u64,
    /// Rows left out, by reason.
    skipped: BTreeMap<String, u64>,
    /// Goodness of the fit; `None` if no y was asked for.
    fit: Option<Goodness>,
    version: &'static str,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&counted(self.samples, "prediction"))?;
        match self.fit {
            Some(fit) => write!(f, "; {}", crate::commands::train::report::fit(&fit)),
            None => Ok(()),
        }
    }
}
