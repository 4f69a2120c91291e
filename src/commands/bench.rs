//! `fall-line bench`.

use std::process::ExitCode;

use fall_line::bench::choose::choose;
use fall_line::bench::{self, Plan};
use fall_line::data::synthetic::Recipe;
use fall_line::engine::Storage;
use fall_line::engine::gpu::tune::cache;
use fall_line::error::Error;

use self::export::Settings;
use self::report::Report;
use super::open::synthetic_source;
use super::set_threads;
use crate::cli::Bench;
use crate::interrupts::Interrupts;
use crate::output;

mod export;
mod plot;
mod report;
mod table;

pub fn bench(args: &Bench) -> Result<ExitCode, Error> {
    let loss = args.loss.get()?;
    export::check_files(&args.files)?;
    set_threads(args.threads)?;
    let chosen = choose(&args.engines, &args.adapter)?;
    chosen.notice.iter().for_each(output::notice);
    if chosen.adapters.is_empty() && args.on_gpu.storage == Storage::F16 {
        return Err(Error::Usage(
            "--storage f16 is for GPU engines, and none is timed: leave it out, or add gpu to --engines"
                .to_owned(),
        ));
    }
    let mut samples = args.samples.clone();
    samples.sort_unstable();
    samples.dedup();
    let largest = samples.last().copied().unwrap_or_default();
    let adapters = chosen.adapters.into_iter().map(|adapter| {
        let tuning =
            (!args.on_gpu.no_tune).then(|| cache::tuning(&adapter, largest, output::notice));
        (adapter, tuning)
    });
    let plan = Plan {
        adapters: adapters.collect(),
        samples,
        loss,
        kinds: chosen.kinds,
        storage: args.on_gpu.storage,
        min_time: args.min_time,
        epochs_to_answer: args.epochs,
    };
    let interrupts = Interrupts::listen()?;
    interrupts.end_at_once();
    let mut report = Report::begin(&plan, Settings::new(args, &plan))?;
    let draw = |samples| {
        let recipe = Recipe {
            samples,
            seed: args.seed,
            ..Recipe::default()
        };
        synthetic_source(args.generator, recipe, false)
    };
    let outcome = bench::run(&plan, &draw, &report::progress, &mut |row| report.row(row));
    // What was timed is reported, whatever went wrong after it.
    let Some(document) = report.end(outcome.as_ref().err())? else {
        return outcome.map(|()| ExitCode::SUCCESS);
    };
    let unwritten = interrupts.held(|| document.write_files(&args.files));
    unwritten.iter().for_each(output::error);
    outcome?;
    bench::verdict(&document.rows)?;
    Ok(match unwritten.first() {
        Some(unwritten) => unwritten.exit_code().into(),
        None => ExitCode::SUCCESS,
    })
}
