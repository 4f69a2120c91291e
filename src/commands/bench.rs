//! `fall-line bench`.

use std::process::ExitCode;

use fall_line::bench::choose::{Lineup, choose};
use fall_line::bench::{self, BenchPlan, Tunable};
use fall_line::data::Source;
use fall_line::data::synthetic::Recipe;
use fall_line::engine::Storage;
use fall_line::engine::gpu::adapter::Adapter;
use fall_line::engine::gpu::tune::cache;
use fall_line::error::{Error, Setting};

use self::report::{Detail, Report};
use self::settings::Settings;
use super::open::synthetic_source;
use super::ranks::Team;
use super::set_threads;
use crate::cli::{Bench, Format};
use crate::last_words::watch_drivers;
use crate::output;
use crate::output::interrupts::Interrupts;

mod cite;
mod export;
mod past;
mod plot;
mod ranks;
mod report;
mod sentences;
mod settings;
mod table;

/// The sizes that are timed by default.
const SAMPLES: [u64; 6] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/// The epochs of the time to an answer by default.
const EPOCHS: u64 = 50;

/// Times the engines of this process, or over the ranks that a launcher started.
pub fn bench(args: Bench) -> Result<ExitCode, Error> {
    let team = Team::open(&args.ranks)?;
    let code = if team.is_several() {
        ranks::bench(&args, &team)?
    } else {
        contest(args)?
    };
    team.finish()?;
    Ok(code)
}

/// Chooses the engines, times them, reports each result, and writes the files.
fn contest(args: Bench) -> Result<ExitCode, Error> {
    let args = args.with_suite();
    export::check_files(&args.files)?;
    if let Some(path) = &args.files.export_json {
        let earlier = args.files.compare.as_deref();
        output::refuse_to_replace("--export-json", path, "the run of --compare", earlier)?;
    }
    let plan = plan(&args)?;
    let settings = Settings::new(&args, &plan);
    let past = args
        .files
        .compare
        .as_deref()
        .map(|path| past::read(path, &settings));
    let past = past.transpose()?;
    let detail = match (args.files.format, args.files.wide) {
        (Format::Json, _) => Detail::None,
        (Format::Text, false) => Detail::Narrow,
        (Format::Text, true) => Detail::Wide,
    };
    let interrupts = Interrupts::listen()?;
    interrupts.exit_on_next();
    let mut report = Report::begin(&plan, settings, detail)?;
    let outcome = bench::run(
        &plan,
        &|samples| draw(&args, samples),
        &report::progress,
        &mut |rows| report.rows(rows),
    );
    // Results are reported whatever went wrong after them.
    let Some(document) = report.end(outcome.as_ref().err())? else {
        return outcome.map(|()| ExitCode::SUCCESS);
    };
    let json = document.json()?;
    if detail == Detail::None {
        output::stdout(&json)?;
    }
    let written = interrupts.deferred(|| document.write_files(&args.files, &json));
    let failed = output::written(written, false);
    outcome?;
    bench::verdict(&document.rows)?;
    let compared = past.map_or(Ok(()), |past| past.compare(&document, detail));
    // The sentence names the file that was written.
    if args.files.cite && failed.is_none() {
        output::result(cite::sentence(&document, &json))?;
    }
    compared?;
    Ok(failed.map_or(ExitCode::SUCCESS, ExitCode::from))
}

/// Draws samples by the default recipe.
fn draw(args: &Bench, samples: u64) -> Result<Box<dyn Source>, Error> {
    let recipe = Recipe {
        samples,
        seed: args.seed,
        ..Recipe::default()
    };
    synthetic_source(args.generator, recipe, false)
}

/// Returns the sizes to time at, in order: those that are asked for, or else these.
fn sizes(args: &Bench, default: &[u64]) -> Vec<u64> {
    let mut samples = args.samples.clone();
    if samples.is_empty() {
        samples = default.to_vec();
    }
    samples.sort_unstable();
    samples.dedup();
    samples
}

/// Returns adapters with their tunings for sets of up to `largest` samples, which are measured if that wasn't done before. `None`
/// asks for no tuning.
fn tuned(adapters: Vec<Adapter>, largest: Option<u64>) -> Vec<Tunable> {
    let tuned = |adapter| {
        let tuning = largest.map(|largest| cache::tuning(&adapter, largest, output::notice));
        (adapter, tuning)
    };
    adapters.into_iter().map(tuned).collect()
}

/// Chooses what to time, and measures the tuning of each adapter.
fn plan(args: &Bench) -> Result<BenchPlan, Error> {
    let loss = args.loss.get()?;
    set_threads(args.threads)?;
    watch_drivers()?;
    let Lineup {
        contestants,
        adapters,
        notice,
    } = choose(&args.engines, &args.adapter)?;
    notice.iter().for_each(output::notice);
    if adapters.is_empty() && args.on_gpu.storage == Storage::F16 {
        return Err(Error::NoGpuEngine(Setting::Storage));
    }
    let samples = sizes(args, &SAMPLES);
    let largest = samples.last().copied().unwrap_or_default();
    let tune = !args.on_gpu.no_tune;
    Ok(BenchPlan {
        adapters: tuned(adapters, tune.then_some(largest)),
        samples,
        loss,
        contestants,
        storage: args.on_gpu.storage,
        runs: args.runs.into(),
        min_time: args.min_time,
        epochs_to_answer: args.epochs.unwrap_or(EPOCHS),
    })
}
