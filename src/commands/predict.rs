//! `fall-line predict`.

use std::process::ExitCode;

use fall_line::data::Block;
use fall_line::data::goodness::Goodness;
use fall_line::data::statistics::Statistics;
use fall_line::error::Error;
use fall_line::saved::Saved;
use fall_line::table::Request;
use fall_line::table::write;

use super::open::open_file;
use super::predict_summary::Summary;
use super::set_threads;
use crate::cli::{Format, Predict};
use crate::interrupts::Interrupts;
use crate::output;
use crate::output::sample_table::Table;
use fall_line::atomic;

pub fn predict(args: &Predict) -> Result<ExitCode, Error> {
    let saved = Saved::read(&args.model)?;
    if let Some(path) = &args.output {
        write::kind(path)?;
        atomic::check_writable(path)?;
        let data = args.columns.files(args.data.as_deref());
        output::refuse_to_replace("--output", path, "the data", data)?;
        output::refuse_to_replace("--output", path, "the model", [args.model.as_path()])?;
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
            Some(Goodness::of(source, saved.model, &statistics.y)?)
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
    if code != ExitCode::SUCCESS {
        return Ok(code);
    }
    let summary = Summary::new(&saved, source.samples(), &opened.skipped, fit);
    match args.format {
        Format::Json => output::json::print(&summary)?,
        Format::Text if args.output.is_some() => output::line(summary)?,
        // Stdout holds the predictions.
        Format::Text if !args.quiet => output::notice(summary),
        Format::Text => {}
    }
    Ok(code)
}
