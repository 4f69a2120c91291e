//! `fall-line predict`.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;

use fall_line::atomic;
use fall_line::data::goodness::Goodness;
use fall_line::error::{Error, counted};
use fall_line::model::Model;
use fall_line::saved::Saved;
use fall_line::table::whole::WholeRows;
use fall_line::table::write::{self, Kind, WholeWriter};
use fall_line::table::{ReadText, Request};
use serde::Serialize;

use self::at::at;
use self::beside::Predictions;
use self::line::Line;
use super::open::{files_of, read_whole, tell_notes};
use super::set_threads;
use crate::cli::{Format, Predict};
use crate::output;
use crate::output::interrupts::Interrupts;
use crate::output::shown::Shown;

mod at;
mod beside;
mod line;

/// Writes the rows of files with a prediction for each, and a summary.
pub fn predict(args: &Predict) -> Result<ExitCode, Error> {
    let saved = Saved::read(&args.model)?;
    if saved.converged == Some(false) {
        output::warning(format_args!(
            "the line of {} had not converged after {}",
            args.model.display(),
            counted(saved.epochs, "epoch")
        ));
    }
    let line = Line::new(&saved, args.interval)?;
    if !args.at.is_empty() {
        return at(args, &saved, &line);
    }
    let kind = check_output(args)?;
    set_threads(args.threads)?;
    let mut predictions = Predictions::new(line);
    let interrupts = Interrupts::listen()?;
    let mut read = None;
    let stopped: Box<dyn Fn(io::Error) -> Error + Sync> = match &args.output {
        Some(path) => Box::new(atomic::cannot_write(path)),
        None => Box::new(output::cannot_print),
    };
    let mut write_to = |out: &mut (dyn Write + Send), kind| {
        let mut table = WholeWriter::new(out, kind);
        let mut write = |rows: WholeRows| {
            if interrupts.interrupted() {
                return Err(stopped(io::ErrorKind::Interrupted.into()));
            }
            table.write(&predictions.beside(rows)?).map_err(&stopped)
        };
        read = Some(read_whole(
            args,
            &request(args, &saved),
            kind != Kind::Csv,
            &mut write,
        ));
        match read {
            // The reason is told below.
            Some(Err(_)) => Err(io::ErrorKind::Interrupted.into()),
            _ => table.finish(),
        }
    };
    let written = match (&args.output, args.format) {
        (Some(path), _) => atomic::write(path, |out| write_to(out, kind)),
        (None, Format::Text) => {
            let stdout = io::stdout();
            let mut out: Box<dyn Write + Send> = if stdout.is_terminal() {
                Box::new(Shown::new(stdout))
            } else {
                Box::new(BufWriter::new(stdout))
            };
            let written = write_to(&mut *out, Kind::Csv).and_then(|()| out.flush());
            written.map_err(&stopped)
        }
        // Only the summary was asked for.
        (None, Format::Json) => write_to(&mut io::sink(), Kind::Csv).map_err(&stopped),
    };
    if let Some(code) = interrupts.exit_code() {
        output::notice(match &args.output {
            Some(path) => format!("interrupted: {} is not written", path.display()),
            None => "interrupted: there would be more".to_owned(),
        });
        return Ok(code);
    }
    let read = match read {
        Some(read) => read?,
        None => return written.map(|()| ExitCode::SUCCESS),
    };
    written?;
    if let Some(path) = args.output.as_deref().filter(|_| !args.quiet) {
        output::wrote(path);
    }
    summarize(args, &saved, &predictions, &read)
}

/// Returns what to look for in the files: the columns have the names that they had in training.
fn request<'a>(args: &'a Predict, saved: &'a Saved) -> Request<'a> {
    let Predict { columns, .. } = args;
    Request {
        x: columns.x.as_deref().or(Some(&saved.units.x)),
        x_of_model: columns.x.is_none(),
        y: columns.y.as_deref().or(Some(&saved.units.y)),
        y_of_model: columns.y.is_none(),
        x_alone: true,
        ..columns.request()
    }
}

/// Checks that the predictions can be written and replace nothing that is read. Returns the kind of the output.
fn check_output(args: &Predict) -> Result<Kind, Error> {
    let Some(path) = &args.output else {
        return Ok(Kind::Csv);
    };
    let kind = write::kind(path)?;
    atomic::check_writable(path)?;
    let data = files_of(&args.columns, &args.data)?;
    output::refuse_to_replace("--output", path, "the data", data)?;
    output::refuse_to_replace("--output", path, "the model", [&args.model])?;
    Ok(kind)
}

/// Prints what was predicted, and warns of what it may not be worth.
fn summarize(
    args: &Predict,
    saved: &Saved,
    predictions: &Predictions,
    read: &ReadText,
) -> Result<ExitCode, Error> {
    if !args.quiet {
        tell_notes(&read.title, &read.notes);
        output::tell_skipped("no prediction for", &read.skipped, predictions.rows);
    }
    if predictions.overflowed > 0 {
        output::warning(format_args!(
            "{} beyond the range of f64: the line is too steep for these x",
            counted(predictions.overflowed, "prediction"),
        ));
    }
    if !args.quiet {
        predictions
            .line
            .tell_outside(predictions.outside, predictions.rows);
    }
    let summary = Summary {
        model: saved.model,
        samples: predictions.rows,
        skipped: output::by_reason(&read.skipped),
        outside: predictions.outside,
        fit: predictions.goodness(),
        version: env!("CARGO_PKG_VERSION"),
    };
    match args.format {
        Format::Json => output::json::print(&summary)?,
        Format::Text if args.output.is_some() => output::line(summary)?,
        // Stdout holds the predictions.
        Format::Text if !args.quiet => output::notice(summary),
        Format::Text => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// The number of predictions, and how well they fit if y is known.
#[derive(Debug, Serialize)]
struct Summary {
    /// The line.
    #[serde(flatten)]
    model: Model,
    samples: u64,
    /// Rows left out or without a prediction, by reason.
    skipped: BTreeMap<String, u64>,
    /// Predictions outside of the range of x that the line was trained on.
    outside: u64,
    /// Goodness of the fit; `None` if no y is known.
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
