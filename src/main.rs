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

use std::io;
use std::ops::ControlFlow;
use std::panic;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use clap::Parser;
use clap::error::ErrorKind;
use indicatif::HumanCount;

use fall_line::data::Source;
use fall_line::data::csv::Csv;
use fall_line::data::numpy::Numpy;
use fall_line::data::synthetic::{self, ChaCha};
use fall_line::engine::cpu::{self, CpuEngine};
use fall_line::engine::gpu::{GpuEngine, adapter};
use fall_line::engine::{self, Chosen, Engine};
use fall_line::error::Error;
use fall_line::model::Model;
use fall_line::train::{self, Config, Epoch};

use crate::cli::{Cli, Command, Format, Generator, Train};
use crate::report::progress::Progress;

mod cli;
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
        let words: Vec<&str> = text.split_whitespace().collect();
        report::notice(format!(
            "error: a fault in fall-line, please report it: {}",
            words.join(" ")
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
        Command::Adapters { format } => adapters(format),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            // Whoever closed our stdout has read enough, and wants no more lines.
            if !closed_pipe(&error) {
                report::notice(format!("error: {error}"));
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
            let _ = error.print();
        }
        _ => {
            let text = error.to_string();
            let message = text.split("\n\nUsage:").next().unwrap_or(&text);
            let message = message.split("\n\nFor more").next().unwrap_or(message);
            let words: Vec<&str> = message.split_whitespace().collect();
            report::notice(format!("{} (see --help)", words.join(" ")));
        }
    }
    ExitCode::from(error.exit_code() as u8)
}

fn closed_pipe(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
}

fn adapters(format: Format) -> Result<ExitCode, Error> {
    let adapters = adapter::list();
    let infos: Vec<_> = adapters.iter().map(adapter::Adapter::info).collect();
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
    let loss = args.training.loss()?;
    if let Some(path) = &args.output.history {
        report::history::check(path)?;
    }
    if let Some(path) = &args.output.plot {
        report::plot::check(path)?;
    }
    if let Some(threads) = args.engine.threads {
        set_threads(threads)?;
    }
    let quiet = args.output.quiet;
    let chosen = engine::choose(args.engine.engine.into(), args.engine.adapter.as_deref())?;

    let start = Instant::now();
    let (source, drawn) = open(args)?;
    let config = Config {
        epochs: args.training.epochs,
        learning_rate: args.training.learning_rate,
        start: Model {
            w: args.training.init_w.unwrap_or(drawn.w),
            b: args.training.init_b.unwrap_or(drawn.b),
        },
    };
    let loading = Progress::new("loading", source.samples(), quiet);
    let loaded = |samples| loading.advance(samples);
    let (mut engine, description): (Box<dyn Engine>, _) = match chosen {
        Chosen::Gpu(adapter) => (
            Box::new(GpuEngine::new(&adapter, &*source, loss, &loaded)?),
            adapter.info().description(),
        ),
        Chosen::Cpu { notice } => {
            if let Some(notice) = notice.filter(|_| !quiet) {
                report::notice(notice);
            }
            (
                Box::new(CpuEngine::new(&*source, loss, &loaded)?),
                cpu::description(),
            )
        }
    };
    drop(loading);
    let load = start.elapsed();

    let text = args.output.format == Format::Text;
    if text && !quiet {
        let drawn = args.data.is_none().then(|| args.synthetic.drawn());
        report::text::headline(&description, &*source, drawn, loss, &config)?;
    }
    let interrupted = interrupts()?;
    let keeps_history = args.output.history.is_some() || args.output.plot.is_some();
    let mut history: Vec<Epoch> = Vec::new();
    let mut unprinted = Ok(());
    let progress = Progress::new("epochs", config.epochs, quiet);
    let outcome = train::train(&mut *engine, &config, &mut |epoch| {
        if keeps_history {
            history.push(*epoch);
        }
        progress.advance(1);
        let every = args.output.log_every;
        if text && !quiet && every > 0 && epoch.epoch % every == 0 {
            unprinted = progress.aside(|| report::text::epoch(epoch));
        }
        if unprinted.is_err() || interrupted.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    drop(progress);

    // Files first: they hold what was reached, whatever went wrong on the way.
    let title = format!(
        "{}, {}, {} samples",
        loss.name(),
        source.title(),
        HumanCount(source.samples())
    );
    let written = write_files(args, &history, &title);
    let trained = match outcome {
        Ok(trained) => trained,
        Err(error) => {
            if let Err(unwritten) = written {
                report::notice(format!("error: {unwritten}"));
            }
            return Err(error);
        }
    };
    written?;
    unprinted?;
    match args.output.format {
        Format::Text => report::text::result(&trained, source.samples(), load)?,
        Format::Json => report::json::print(&report::json::Result {
            w: trained.model.w,
            b: trained.model.b,
            final_loss: trained.loss,
            loss: loss.name(),
            epochs: trained.epochs,
            samples: source.samples(),
            engine: &description,
            seconds: report::json::Seconds {
                load: load.as_secs_f64(),
                train: trained.time.as_secs_f64(),
            },
            seed: args.synthetic.seed,
            version: env!("CARGO_PKG_VERSION"),
        })?,
    }
    if trained.epochs < config.epochs {
        report::notice(format!("interrupted after epoch {}", trained.epochs));
        return Ok(INTERRUPTED.into());
    }
    Ok(ExitCode::SUCCESS)
}

/// The data set that was asked for, and the w and b that its seed draws to start from.
fn open(args: &Train) -> Result<(Box<dyn Source>, Model), Error> {
    let seed = args.synthetic.seed;
    let quiet = args.output.quiet;
    Ok(match (&args.data, args.synthetic.generator) {
        (Some(path), _) => {
            let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
            let reading = Progress::new("checking bytes", bytes, quiet);
            let (x, y) = (args.csv.x.as_deref(), args.csv.y.as_deref());
            let csv = Csv::open(path, x, y, args.csv.delimiter, &|n| reading.advance(n))?;
            (Box::new(csv), synthetic::start(seed))
        }
        (None, Generator::Chacha) => (
            Box::new(ChaCha::new(args.synthetic.recipe())?),
            synthetic::start(seed),
        ),
        (None, Generator::Numpy) => {
            let drawing = Progress::new("drawing", 2 * args.synthetic.samples, quiet);
            let numpy = Numpy::new(args.synthetic.recipe(), &|n| drawing.advance(n))?;
            let start = numpy.start();
            (Box::new(numpy), start)
        }
    })
}

fn set_threads(threads: u64) -> Result<(), Error> {
    usize::try_from(threads)
        .ok()
        .and_then(|threads| {
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build_global()
                .ok()
        })
        .ok_or_else(|| Error::Usage(format!("--threads {threads}: no such number of threads")))
}

/// A flag that Ctrl-C (or SIGTERM) sets, so that the epoch is finished and files are written. The
/// second Ctrl-C ends the program at once.
fn interrupts() -> Result<&'static AtomicBool, Error> {
    static INTERRUPT: AtomicBool = AtomicBool::new(false);
    ctrlc::set_handler(|| {
        if INTERRUPT.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED.into());
        }
    })
    .map_err(|error| Error::Io {
        doing: "cannot listen for Ctrl-C".to_owned(),
        source: io::Error::other(error),
    })?;
    Ok(&INTERRUPT)
}

/// The history and the plot, where they were asked for.
fn write_files(args: &Train, history: &[Epoch], title: &str) -> Result<(), Error> {
    let write = |path: &Option<_>, write: &dyn Fn(&Path) -> Result<(), Error>| {
        path.as_deref().map_or(Ok(()), write)
    };
    write(&args.output.history, &|path| {
        report::history::write(path, history)
    })?;
    write(&args.output.plot, &|path| {
        report::plot::write(path, history, title)
    })
}
