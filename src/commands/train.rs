//! `fall-line train`.

use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use fall_line::data::host::Memory;
use fall_line::data::ranked::Ranked;
use fall_line::data::stretch::Stretch;
use fall_line::data::{BLOCK, Source};
use fall_line::error::Error;
use fall_line::fit::{Checkpoint, Fit, Loaded, Outcome, Prepared};
use fall_line::ranks::mpi;
use fall_line::saved;
use fall_line::table::rows::Skipped;
use fall_line::table::{NthPart, Request};
use fall_line::train::{Ended, Epoch, Trained};

use self::log::Log;
use self::terminal::Terminal;
use super::open::{open_files, synthetic_source};
use super::ranks::Team;
use super::{set_threads, watch};
use crate::cli::{Format, Panel, SurfaceSamples, Train};
use crate::output::interrupts::Interrupts;
use crate::output::{self, history};

mod compare;
mod files;
mod json;
mod log;
mod page;
mod plan;
pub mod plot;
pub mod report;
pub mod terminal;

/// The exit code of shells for a program that SIGTERM ended.
const TERMINATED: u8 = 143;

pub fn train(args: &Train) -> Result<ExitCode, Error> {
    let team = Team::open(&args.ranks)?;
    if team.is_several() {
        args.check_for_ranks()?;
    }
    let code = train_over(args, &team)?;
    // One that ended with an error says so here.
    team.ranks().gather(&[])?;
    team.finish()?;
    Ok(code)
}

/// Does the part of this rank.
fn train_over(args: &Train, team: &Team) -> Result<ExitCode, Error> {
    let terminal = Terminal::new(args.output.quiet);
    let runs = args.runs()?;
    if runs.len() > 1 {
        return compare::compare(args, &runs, team, &terminal);
    }
    let job = prepare(args, team, &terminal)?;
    if args.training.plan {
        plan::print(args, &job.prepared)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut loaded = load(args, &job)?;
    let interrupts = terminal.listen()?;
    let (trained, printed) = descend(args, &job, &mut loaded);
    let own;
    let args = if team.is_first() {
        args
    } else {
        own = args.without_files();
        &own
    };
    // From here on the first Ctrl-C cuts short what is not needed, and the next one ends the program.
    let code = interrupts.deferred(|| conclude(args, &job, loaded, trained, interrupts))?;
    printed.map(|()| code)
}

/// A run that the command line asks for, ready to be loaded.
struct Job<'a> {
    prepared: Prepared<'a>,
    /// Rows left out of a file.
    skipped: Skipped,
    /// The time it took to open the data.
    opening: Duration,
    terminal: &'a Terminal,
    team: &'a Team,
}

impl Job<'_> {
    /// Returns what runs, on what, and how.
    fn headline(&self, loaded: &Loaded) -> Vec<String> {
        report::headline(&self.prepared, loaded.engine(), loaded.epochs_before())
    }

    /// Returns what a report tells beside its pictures.
    fn told(&self, headline: Vec<String>, ended: Result<&Outcome, &Error>) -> page::Told {
        let samples = self.prepared.source().samples();
        page::Told {
            headline,
            skipped: output::about_skipped("left out", &self.skipped, samples),
            warnings: match ended {
                Ok(outcome) if outcome.ended != Ended::BrokenOff => warnings(outcome),
                _ => Vec::new(),
            },
            error: ended.err().map(output::advice::text),
        }
    }
}

/// Checks the files to be written, opens the data, and resolves the options.
fn prepare<'a>(args: &Train, team: &'a Team, terminal: &'a Terminal) -> Result<Job<'a>, Error> {
    if team.is_first() {
        files::check(args)?;
    }
    let resume = args.checkpoints.resume.as_deref();
    let resume = resume.map(Checkpoint::read).transpose()?;
    let mut options = args.options(resume)?;
    if !team.is_first() {
        options.checkpoint = None;
    }
    set_threads(team.threads(args.engine.threads))?;
    // Before the data are read: a mistyped adapter is told at once.
    watch(options.engine)?;
    let engine = team.engine(options.choose_engine()?, options.adapter.is_some())?;
    if !(engine.is_gpu() || args.has_files() || args.training.plan) {
        // Before hours of drawing.
        let of_rank = args.synthetic.recipe().samples / team.ranks().size() as u64;
        Memory::new(of_rank.saturating_mul(team.here() as u64))?;
    }
    let start = Instant::now();
    let (source, skipped) = open(args, team)?;
    let opening = start.elapsed();
    let prepared = Fit::with(source, options)
        .monitor(terminal)
        .prepare_for(engine)?;
    terminal.end_phase();
    if args.training.strict && !prepared.setup().may_converge() {
        return Err(Error::Usage(
            "--strict needs a --tolerance above 0, such as 1e-9: without one no epoch counts as idle"
                .to_owned(),
        ));
    }
    Ok(Job {
        prepared,
        skipped,
        opening,
        terminal,
        team,
    })
}

/// Opens the data of this rank, and returns the rows that all ranks left out.
fn open<'a>(args: &Train, team: &'a Team) -> Result<(Box<dyn Source + 'a>, Skipped), Error> {
    let quiet = args.output.quiet;
    if args.has_files() {
        let request = Request {
            ranks: Some(team.ranks()),
            ..args.columns.request()
        };
        let file = open_files(&args.data, &args.columns, &request, quiet)?;
        let skipped = file.skipped.clone();
        if !team.is_several() {
            return Ok((Box::new(file), skipped));
        }
        return Ok((Box::new(Ranked::new(file, team.ranks())?), skipped));
    }
    let synthetic = &args.synthetic;
    let source = synthetic_source(synthetic.generator, synthetic.recipe(), quiet)?;
    if !team.is_several() {
        return Ok((source, Skipped::default()));
    }
    let blocks = NthPart::of(team.ranks()).blocks(source.samples().div_ceil(BLOCK as u64));
    let source = Ranked::new(Stretch::new(source, blocks), team.ranks())?;
    Ok((Box::new(source), Skipped::default()))
}

/// Loads the samples, and prints what runs.
fn load<'j>(args: &Train, job: &'j Job) -> Result<Loaded<'j>, Error> {
    let loaded = job.prepared.load()?;
    job.terminal.end_phase();
    if args.output.talks() {
        output::lines(job.headline(&loaded))?;
    }
    Ok(loaded)
}

/// Descends, and prints some of the epochs. The second result tells if they can't be printed: the descent goes on.
fn descend(
    args: &Train,
    job: &Job,
    loaded: &mut Loaded,
) -> (Result<Trained, Error>, Result<(), Error>) {
    let mut log = Log::new(args.log_every(), job.prepared.setup().config.epochs);
    let mut printed = Ok(());
    let trained = loaded.descend(&mut |epoch| {
        if printed.is_ok() && log.shows(epoch) {
            printed = job.terminal.aside(|| log.print(epoch));
        }
        ControlFlow::Continue(())
    });
    job.terminal.end_phase();
    (trained, printed)
}

/// Writes the files, prints the result, and returns the exit code. What can be written is, whatever else fails.
fn conclude(
    args: &Train,
    job: &Job,
    mut loaded: Loaded,
    trained: Result<Trained, Error>,
    interrupts: &Interrupts,
) -> Result<ExitCode, Error> {
    let history = args.output.history.as_deref();
    let history = history.map(|path| history::write(path, loaded.history()).map(|()| path));
    let mut written: Vec<Result<&Path, Error>> = history.into_iter().collect();
    let surface = if args.panels().contains(&Panel::Surface) {
        let surface = loaded.surface(args.output.surface == SurfaceSamples::Exact);
        job.terminal.end_phase();
        surface.unwrap_or_else(|error| {
            written.push(Err(error));
            None
        })
    } else {
        None
    };
    let headline = job.headline(&loaded);
    let draw = |epochs: &[Epoch], ended: Result<&Outcome, &Error>| {
        let run = plot::Run {
            name: "",
            source: job.prepared.source(),
            setup: job.prepared.setup(),
            epochs,
            outcome: ended.ok(),
            surface: surface.as_ref(),
        };
        let output = &args.output;
        let plot = output
            .plot
            .as_ref()
            .map(|plot| plot::write(&plot.path, args.panels(), &[run]).map(|()| &*plot.path));
        let page = output.report.as_deref().map(|path| {
            let told = job.told(headline.clone(), ended);
            page::write(path, &run, told).map(|()| path)
        });
        plot.into_iter().chain(page)
    };
    if let Err(error) = &trained {
        written.extend(draw(loaded.history(), Err(error)));
    }
    let ended = trained.and_then(|trained| {
        let mut outcome = loaded.conclude(&trained);
        outcome.load += job.opening;
        written.extend(draw(&outcome.history, Ok(&outcome)));
        let checkpoint = args.checkpoints.checkpoint.as_deref();
        if outcome.errors.is_empty() {
            written.extend(checkpoint.map(Ok));
        }
        written.extend(outcome.errors.drain(..).map(Err));
        if let Some(path) = args.output.save.as_deref() {
            written.push(saved::write(path, &outcome.saved()).map(|()| path));
        }
        finish(args, job, &outcome, interrupts)
    });
    let failed = output::written(written, args.output.quiet);
    if let Some(code) = failed.filter(|_| job.team.is_several()) {
        // The others may wait for this rank.
        mpi::abort(code);
    }
    match failed {
        Some(failed) if ended.is_ok() => Ok(failed.into()),
        _ => ended,
    }
}

/// Prints the result, and whether it is the line that was asked for.
fn finish(
    args: &Train,
    job: &Job,
    outcome: &Outcome,
    interrupts: &Interrupts,
) -> Result<ExitCode, Error> {
    match args.output.format {
        Format::Text => report::result(args, outcome),
        Format::Json => output::json::print(&json::Result::new(args, &job.skipped, outcome)),
    }?;
    // Another rank may have had the signal.
    let by_others = outcome.ended == Ended::BrokenOff && job.team.is_several();
    let code = interrupts.exit_code();
    if let Some(code) = code.or(by_others.then(|| ExitCode::from(TERMINATED))) {
        let checkpoints = &args.checkpoints;
        let lost = match &checkpoints.resume {
            Some(path) if checkpoints.checkpoint.is_none() => format!(
                "; {} stays as it was: without --checkpoint, this run writes none",
                path.display()
            ),
            _ => String::new(),
        };
        output::notice(format!("interrupted after epoch {}{lost}", outcome.epochs));
        return Ok(code);
    }
    let mut warnings = warnings(outcome);
    let not_converged = args.training.strict && outcome.converged == Some(false);
    let error = warnings.pop_if(|_| not_converged && outcome.warning.is_some());
    warnings.iter().for_each(output::warning);
    match error {
        Some(text) => Err(Error::NotConverged(text)),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Returns the reasons not to believe a line; a doubt about the descent comes last.
fn warnings(outcome: &Outcome) -> Vec<String> {
    let cautions = outcome.quality.cautions.iter().map(ToString::to_string);
    let doubt = outcome.warning.iter();
    cautions
        .chain(doubt.map(|warning| warning.text(output::advice::remedy)))
        .collect()
}
