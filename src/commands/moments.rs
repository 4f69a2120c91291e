//! `fall-line moments`.

use std::process::ExitCode;

use fall_line::data::Source;
use fall_line::error::Error;
use fall_line::part::Part;
use fall_line::table::Request;
use fall_line::{atomic, saved};

use super::open::{files_of, open_files};
use super::set_threads;
use crate::cli::Moments;
use crate::output::progress::Progress;
use crate::output::{self, json};

/// Writes the moments of files.
pub fn moments(args: &Moments) -> Result<ExitCode, Error> {
    if let Some(path) = &args.output {
        atomic::check_writable(path)?;
        let data = files_of(&args.columns, &args.data)?;
        output::refuse_to_replace("--output", path, "the data", data)?;
    }
    set_threads(args.threads)?;
    let request = Request {
        is_part: true,
        ..args.columns.request()
    };
    let file = open_files(&args.data, &args.columns, &request, args.quiet)?;
    let progress = Progress::new("moments", file.samples(), args.quiet);
    let skipped = output::by_reason(&file.skipped);
    let part = Part::of(&file, skipped, &|samples| progress.advance(samples))?;
    drop(progress);
    if part.moments.samples == 0 {
        output::notice(format!(
            "{}: no row can be used, and the part has 0 samples",
            part.data
        ));
    }
    match &args.output {
        Some(path) => {
            saved::write(path, &part.written()?)?;
            if !args.quiet {
                output::wrote(path);
            }
        }
        None => json::print(&part.written()?)?,
    }
    Ok(ExitCode::SUCCESS)
}
