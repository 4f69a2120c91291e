//! The program: parse, then one arm a subcommand.

#![cfg_attr(
    not(test),
    warn(
        clippy::expect_used,
        clippy::print_stderr,
        clippy::print_stdout,
        clippy::unwrap_used
    )
)]

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::panic;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use clap::Parser;
use clap::error::ErrorKind;

use fall_line::bench::choose::choose;
use fall_line::bench::{self, Plan};
use fall_line::data::synthetic::Recipe;
use fall_line::engine::gpu::adapter::{self, Adapter};
use fall_line::engine::{self, Chosen, Engine};
use fall_line::error::Error;
use fall_line::train::{self, Config, Ended, Epoch, Trained, Walk};

use crate::cli::{Bench, Cli, Command, Format, Output, StorageChoice, Train};
use crate::interrupts::Interrupts;
use crate::open::{load, open, set_threads, synthetic_source, tuning};
use crate::report::bench::Report;
use crate::report::bench::export::Settings;
use crate::report::progress::Progress;

mod cli;
mod interrupts;
mod open;
mod report;

/// What shells say of a program that SIGINT ended.
const INTERRUPTED: u8 = 130;
/// What Rust programs end with after a panic.
const FAULT: u8 = 101;

/// What a panic said.
static PANIC: Mutex<String> = Mutex::new(String::new());

fn main() -> ExitCode {
    quiet_layer();
    // A panic is kept, not printed: wgpu panics where a device was lost, which the GPU engine catches
    // and returns as an error. Any other one is a fault of ours, and is one line like every error.
    panic::set_hook(Box::new(|panic| {
        *PANIC.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
    }));
    panic::catch_unwind(run).unwrap_or_else(|_| {
        let text = PANIC.lock().unwrap_or_else(PoisonError::into_inner);
        report::notice(format!(
            "error: a fault in fall-line, please report it: {}",
            report::one_line(&text)
        ));
        ExitCode::from(FAULT)
    })
}

fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let done = match cli.command {
        Command::Train(args) => train(&args),
        Command::Bench(args) => bench(&args),
        Command::Adapters { format } => adapters(format),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            // Whoever closed our stdout has read enough, and wants no more lines.
            if !closed_pipe(&error) {
                report::error(&error);
            }
            error.exit_code().into()
        }
    }
}

/// Mesa's Vulkan layer that picks a default device asks Wayland for help, which complains on stderr
/// where nobody is logged in: under CI, in a container. Adapters are chosen here by other means.
#[allow(
    unsafe_code,
    reason = "no thread runs yet that could read the environment"
)]
fn quiet_layer() {
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: the first thing main does, on its only thread.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
}

/// What clap has to say: help as it is, an error on one line.
fn usage(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            if error.print().and_then(|()| io::stdout().flush()).is_err() {
                return ExitCode::from(1);
            }
        }
        _ => {
            let text = error.to_string();
            let message = text.split("\n\nUsage:").next().unwrap_or(&text);
            let message = message.split("\n\nFor more").next().unwrap_or(message);
            let message = message.replace("\n\n  tip:", ";");
            report::notice(format!("{} (see --help)", report::one_line(&message)));
        }
    }
    ExitCode::from(error.exit_code() as u8)
}

fn closed_pipe(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
}

fn adapters(format: Format) -> Result<ExitCode, Error> {
    let adapters = adapter::list();
    let infos: Vec<_> = adapters.iter().map(Adapter::info).collect();
    if infos.is_empty() {
        return Err(adapter::none());
    }
    match format {
        Format::Text => report::text::adapters(&infos)?,
        Format::Json => report::json::print(&infos)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn train(args: &Train) -> Result<ExitCode, Error> {
    let Train {
        training, output, ..
    } = args;
    let loss = training.loss.get()?;
    report::check_files(output, args.data.as_deref())?;
    if let Some(threads) = args.engine.threads {
        set_threads(threads)?;
    }
    let chosen = engine::choose(args.engine.engine.into(), args.engine.adapter.as_deref())?;
    if let Chosen::Cpu { .. } = chosen {
        args.refuse_what_a_gpu_alone_can()?;
    }

    let start = Instant::now();
    let (source, drawn) = open(args)?;
    let config = training.config(drawn);
    let (mut engine, description) = load(chosen, &*source, loss, args)?;
    let load = start.elapsed();
    if output.talks() {
        let drawn = args.data.is_none().then(|| args.synthetic.drawn());
        report::text::headline(
            &description,
            &*source,
            drawn,
            loss,
            &config,
            training.learning_rate,
        )?;
    }

    let interrupts = Interrupts::listen()?;
    let (history, outcome) = walk(&mut *engine, &config, output, &interrupts);
    // Files first: they hold what was reached, whatever went wrong on the way.
    let unwritten = interrupts.held(|| report::write_files(output, &history, loss, &*source));
    let result = outcome.and_then(|trained| {
        let samples = source.samples();
        match output.format {
            Format::Text => {
                report::text::result(&trained)?;
                if output.talks() {
                    report::text::speed(&description, &trained, samples, load)?;
                }
            }
            Format::Json => report::json::print(&report::json::Result {
                w: trained.model.w,
                b: trained.model.b,
                final_loss: trained.loss,
                loss: loss.name(),
                loss_parameter: loss.parameter(),
                learning_rate: training.learning_rate,
                start: config.start,
                data: source.title(),
                generator: args.data.is_none().then(|| args.synthetic.generator.name()),
                epochs: trained.epochs,
                sync_every: config.sync_every,
                samples,
                engine: &description,
                seconds: report::json::Seconds {
                    load: load.as_secs_f64(),
                    train: trained.time.as_secs_f64(),
                },
                seed: args.synthetic.seed,
                version: env!("CARGO_PKG_VERSION"),
            })?,
        }
        Ok(trained)
    });
    unwritten.iter().for_each(report::error);
    match (result?, unwritten.first()) {
        (_, Some(unwritten)) => Ok(unwritten.exit_code().into()),
        (trained, None) if trained.ended == Ended::BrokenOff => {
            report::notice(format!("interrupted after epoch {}", trained.epochs));
            Ok(INTERRUPTED.into())
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn bench(args: &Bench) -> Result<ExitCode, Error> {
    let loss = args.loss.get()?;
    report::bench::export::check_files(&args.files)?;
    if let Some(threads) = args.threads {
        set_threads(threads)?;
    }
    let chosen = choose(&args.engines, &args.adapter)?;
    chosen.notice.iter().for_each(report::notice);
    if chosen.adapters.is_empty() && args.on_gpu.storage == StorageChoice::F16 {
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
        let tuning = tuning(&adapter, largest, args.on_gpu.no_tune, false);
        (adapter, tuning)
    });
    let plan = Plan {
        adapters: adapters.collect(),
        samples,
        loss,
        kinds: chosen.kinds,
        storage: args.on_gpu.storage.into(),
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
        Ok(synthetic_source(args.generator, recipe, false)?.0)
    };
    let outcome = bench::run(&plan, &draw, &report::bench::progress, &mut |row| {
        report.row(row)
    });
    // What was timed is reported, whatever went wrong after it.
    let Some(document) = report.end(outcome.as_ref().err())? else {
        return outcome.map(|()| ExitCode::SUCCESS);
    };
    let unwritten = interrupts.held(|| document.write_files(&args.files));
    unwritten.iter().for_each(report::error);
    outcome?;
    bench::verdict(&document.rows)?;
    Ok(match unwritten.first() {
        Some(unwritten) => unwritten.exit_code().into(),
        None => ExitCode::SUCCESS,
    })
}

/// Trains, telling of every so many epochs; Ctrl-C ends it after the epoch in hand. Every epoch where a
/// file wants them, and what it came to.
fn walk(
    engine: &mut dyn Engine,
    config: &Config,
    output: &Output,
    interrupts: &Interrupts,
) -> (Vec<Epoch>, Result<Trained, Error>) {
    let keeps_history = output.history.is_some() || output.plot.is_some();
    let mut history = Vec::new();
    let mut printed = Ok(());
    let progress = Progress::new("epochs", config.epochs, output.quiet);
    let outcome = train::train(engine, config, &mut Walk::new(config), &mut |epoch, _| {
        if keeps_history {
            history.push(*epoch);
        }
        progress.advance(1);
        let every = output.log_every;
        if output.talks() && every > 0 && epoch.epoch % every == 0 {
            printed = progress.aside(|| report::text::epoch(epoch));
        }
        if printed.is_err() || interrupts.came() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    (
        history,
        outcome.and_then(|trained| printed.map(|()| trained)),
    )
}
