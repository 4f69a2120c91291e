//! The flags of `bench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgAction, Args};

use fall_line::bench::Contestant;
use fall_line::data::synthetic::Generator;

use super::parse::{at_least_one, duration, seed, threads};
use super::{EXIT_CODES, LossChoice, OnGpu};

const EXAMPLES: &str = "\
Examples:
  fall-line bench --samples 1e3,1e5,1e7
  fall-line bench --engines cpu,gpu --adapter 0 --adapter 1
  fall-line bench --export-json bench.json --plot bench.svg";

#[derive(Debug, Args)]
#[command(
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"),
    allow_negative_numbers = true
)]
pub struct Bench {
    /// Samples
    ///
    /// Sizes to time at, separated by commas.
    #[arg(long, value_name = "N,N,...", default_value = "1e3,1e4,1e5,1e6,1e7,1e8", value_delimiter = ',', action = ArgAction::Set, value_parser = at_least_one)]
    pub samples: Vec<u64>,
    #[command(flatten)]
    pub loss: LossChoice,
    /// cpu-1, cpu, gpu, gpu-batched [default: all]
    ///
    /// cpu-1 runs on one thread, cpu on as many as help. gpu submits one epoch at a time. gpu-batched keeps the line on
    /// the device. Without an adapter, only the CPU engines are timed by default.
    #[arg(long, value_name = "ENGINE,...", value_delimiter = ',', action = ArgAction::Set)]
    pub engines: Vec<Contestant>,
    /// GPU adapter, by index or name [default: best]
    ///
    /// May be given several times.
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub adapter: Vec<String>,
    #[command(flatten)]
    pub on_gpu: OnGpu,
    /// Threads, up to 1024 [default: all cores]
    ///
    /// The cpu engine and the generator run on them.
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
    /// Generator of the samples, on the CPU
    #[arg(
        long,
        value_name = "NAME",
        default_value = "chacha",
        hide_short_help = true
    )]
    pub generator: Generator,
    /// Seed of all draws
    #[arg(
        long,
        value_name = "N",
        default_value = "20",
        value_parser = seed,
        hide_short_help = true
    )]
    pub seed: u64,
    /// Time for each engine and size
    ///
    /// At least so long, such as 500ms, 2s or 1m. Each is timed at least five times.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub min_time: Duration,
    /// Epochs of the time to an answer
    #[arg(long, value_name = "N", default_value = "50", value_parser = at_least_one)]
    pub epochs: u64,
    #[command(flatten)]
    pub files: Files,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct Files {
    /// Write everything to FILE.json
    #[arg(long, value_name = "FILE")]
    pub export_json: Option<PathBuf>,
    /// Write a line per engine and size to FILE.csv
    #[arg(long, value_name = "FILE")]
    pub export_csv: Option<PathBuf>,
    /// Write the tables and the summary to FILE.md
    #[arg(long, value_name = "FILE")]
    pub export_markdown: Option<PathBuf>,
    /// Draw epoch time over size to FILE.png or .svg
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
}
