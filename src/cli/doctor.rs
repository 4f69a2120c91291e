//! The flags of `doctor`.

use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};

use super::parse::time_limit;
use super::{EXIT_CODES, Format};

const EXAMPLES: &str = "\
Examples:
  fall-line doctor
  fall-line doctor --require hardware
  fall-line doctor --adapter vulkan --format json > doctor.json";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub struct Doctor {
    /// Check one adapter, by index or part of its name [default: all]
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub adapter: Option<String>,
    /// Fail unless such an adapter passes: hardware, software
    #[arg(long, value_name = "KIND")]
    pub require: Option<Required>,
    /// Time that an adapter may take, such as 30s or 2m
    ///
    /// A driver that hangs is ended then. Finding the adapters of an API may take as long.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time_limit)]
    pub timeout: Duration,
    /// Format of the result: text, json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// Runs as a child process. Events go to standard output, and the end of standard input ends it
    #[arg(long, value_name = "TASK", hide = true)]
    pub child: Option<Task>,
}

/// The kind of adapter that has to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Required {
    /// A GPU
    Hardware,
    /// An adapter that computes on the CPU
    Software,
}

/// The task of a child process, on the adapters of the one API that `WGPU_BACKEND` leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Task {
    /// List the adapters
    List,
    /// Examine the adapter whose index `--adapter` says
    Examine,
}

impl Task {
    /// Returns its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Task::List => "list",
            Task::Examine => "examine",
        }
    }
}
