//! `fall-line predict`.

use std::process::ExitCode;

use fall_line::data::fit::Fit;
use fall_line::data::rows::Request;
use fall_line::data::statistics::Statistics;
use fall_line::data::{Block, write};
use fall_line::error::Error;
use fall_line::saved::Saved;

use crate::cli::{Format, Predict};
use crate::interrupts::Interrupts;
use crate::open::{open_file, set_threads};
use crate::report::predict::Summary;
use crate::report::table::Table;
use crate::report::{self, file};

pub fn predict(args: &Predict) -> Result<ExitCode, Error> {
    let saved = Saved::read(&args.model)?;
    if let Some(path) = &args.output {
        write::kind(path)?;
        file::check_writable(path)?;
        report::refuse_to_replace_data("--output", path, args.data.as_deref(), &args.columns)?;
        report::refuse_to_replace("--output", path, "the model", &args.model)?;
    }
    set_threads(args.threads)?;
    let request = Request {
        // By the name that it had in training.
        x: args.columns.x.as_deref().or(Some(&saved.units.x)),
        x_alone: true,
        ..args.columns.request()
    };
    let opened = open_file(args.data.as_deref(), &args.columns, &request, args.quiet)?;
    let source = &*opened.source;
    let has_y = args.columns.y.is_some();
    let fit = match has_y {
        false => None,
        true => {
            let statistics = Statistics::of(source, &|_| {})?;
            Some(Fit::of(source, saved.model, &statistics.y)?)
        }
    };
    let prediction = format!("predicted {}", saved.units.y);
    let names = match has_y {
        true => vec![opened.x.as_str(), opened.y.as_str(), &prediction],
        false => vec![opened.x.as_str(), &prediction],
    };
    let columns = |Block { x, y }: Block| {
        let predictions = x.iter().map(|&x| saved.model.predict(x)).collect();
        match has_y {
            true => vec![x, y, predictions],
            false => vec![x, predictions],
        }
    };
    let table = Table {
        source,
        names: &names,
        columns,
        interrupts: &Interrupts::listen()?,
    };
    let code = match (&args.output, args.format) {
        (Some(path), _) => table.write_file(path, args.quiet)?,
        (None, Format::Text) => table.print()?,
        // The summary is what was asked for.
        (None, Format::Json) => ExitCode::SUCCESS,
    };
    // What is interrupted is no table to be counted.
    if code != ExitCode::SUCCESS {
        return Ok(code);
    }
    let summary = Summary::new(&saved, source.samples(), &opened.skipped, fit);
    match args.format {
        Format::Json => report::json::print(&summary)?,
        Format::Text if args.quiet => {}
        Format::Text if args.output.is_some() => report::line(summary)?,
        // Stdout holds the predictions.
        Format::Text => report::notice(summary),
    }
    Ok(code)
}
