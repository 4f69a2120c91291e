//! The program: parses the command line, then runs a subcommand.

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
use std::panic;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use clap::CommandFactory;
use clap::error::ErrorKind;
use fall_line::ranks::mpi;

use crate::cli::{Cli, Command};

mod cli;
mod commands;
mod last_words;
mod output;

/// The exit code of Rust programs after a panic.
const FAULT: u8 = 101;

/// The message of a panic.
static PANIC: Mutex<String> = Mutex::new(String::new());

fn main() -> ExitCode {
    quiet_layer();
    last_words::share_memory_pools();
    // A panic is kept, not printed. wgpu panics if a device is lost, which the GPU engine catches and returns as an error.
    // Any other panic is a fault of ours, and is one line like every error.
    panic::set_hook(Box::new(|panic| {
        *PANIC.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
    }));
    panic::catch_unwind(run).unwrap_or_else(|_| {
        let text = PANIC.lock().unwrap_or_else(PoisonError::into_inner);
        let text = output::one_line(&text);
        // wgpu panics at some answers of drivers that it does not expect.
        let place = text.replace('\\', "/");
        if place.contains("/wgpu") || place.contains("/naga") {
            output::failure(format!(
                "a GPU driver failed, or lacks memory: use --engine cpu or another adapter: {text}"
            ));
            mpi::abort(last_words::ADAPTER_FAILED);
            return ExitCode::from(last_words::ADAPTER_FAILED);
        }
        output::failure(format!("a fault in fall-line, please report it: {text}"));
        mpi::abort(FAULT);
        ExitCode::from(FAULT)
    })
}

fn run() -> ExitCode {
    let cli = match Cli::parse_args() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    output::set_color(cli.color);
    let done = match cli.command {
        Command::Train(args) => commands::train::train(&args),
        Command::Predict(args) => commands::predict::predict(&args),
        Command::Moments(args) => commands::moments::moments(&args),
        Command::Merge(args) => commands::merge::merge(&args),
        Command::Generate(args) => commands::generate::generate(&args),
        Command::Bench(args) => commands::bench::bench(*args),
        Command::Tutorial(args) => commands::tutorial::tutorial(&args),
        Command::Adapters { format } => commands::adapters::adapters(format),
        Command::Doctor(args) => commands::doctor::doctor(&args),
        Command::Completions { shell } => commands::completions::completions(shell),
        Command::Man { page, output } => commands::man::man(page.as_deref(), output.as_deref()),
    };
    match done {
        Ok(code) => code,
        Err(error) if output::reader_left(&error) => ExitCode::SUCCESS,
        Err(error) => {
            commands::ranks::failed(&error);
            error.exit_code().into()
        }
    }
}

/// Turns off Mesa's Vulkan layer that picks a default device: this program chooses adapters itself.
///
/// The layer asks Wayland, which complains on stderr if nobody is logged in: in CI, in a container.
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

/// Prints what clap has to say: help as it is, an error on one line.
fn usage(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            match error.print().and_then(|()| io::stdout().flush()) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    output::error(&output::cannot_print(error));
                    return ExitCode::from(1);
                }
                _ => {}
            }
        }
        _ => {
            let text = error.to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            let message = text.split("\n\nUsage:").next().unwrap_or(text);
            let message = message.split("\n\nFor more").next().unwrap_or(message);
            let (message, tip) = message.split_once("\n\n  tip:").unwrap_or((message, ""));
            let args: Vec<String> = std::env::args_os()
                .map(|arg| arg.to_string_lossy().into_owned())
                .collect();
            let mut program = Cli::command();
            program.build();
            let tip = match output::suggest::flag(error, &program, &args) {
                Some(meant) => meant,
                None if tip.is_empty() => String::new(),
                None => format!(";{tip}"),
            };
            let message = output::one_line(&format!("{message}{tip}"));
            output::failure(format!("{message} (see --help)"));
        }
    }
    ExitCode::from(error.exit_code() as u8)
}
