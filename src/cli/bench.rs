//! The flags of `bench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use fall_line::bench::Contestant;

use super::parse::{at_least_one, duration, seed, threads};
use super::{EXIT_CODES, Generator, LossChoice, OnGpu};

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES, allow_negative_numbers = true)]
pub struct Bench {
    /// Sample counts, separated by commas
    #[arg(long, value_name = "N,N,...", default_value = "1e3,1e4,1e5,1e6,1e7,1e8", value_delimiter = ',', value_parser = at_least_one)]
    pub samples: Vec<u64>,
    #[command(flatten)]
    pub loss: LossChoice,
    /// Engines to time [default: all, those on a GPU if there is an adapter]
    #[arg(long, value_name = "ENGINE,...", value_delimiter = ',')]
    pub engines: Vec<Contestant>,
    /// GPU adapter: part of its name, or its index in `fall-line adapters`; several times for several [default: the best]
    #[arg(long, value_name = "NAME|INDEX", value_parser = NonEmptyStringValueParser::new())]
    pub adapter: Vec<String>,
    #[command(flatten)]
    pub on_gpu: OnGpu,
    /// Threads of the cpu engine and of drawing, up to 1024 [default: all cores]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
    /// Who draws the samples, on the CPU
    #[arg(long, default_value = "chacha")]
    pub generator: Generator,
    /// What all draws follow from
    #[arg(long, value_name = "N", default_value = "20", value_parser = seed)]
    pub seed: u64,
    /// For how long each engine is timed at each size, and five times at the least: 500ms, 2s, 1m
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub min_time: Duration,
    /// The epochs of the time to an answer
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
    /// Write a line for each engine and size to FILE.csv
    #[arg(long, value_name = "FILE")]
    pub export_csv: Option<PathBuf>,
    /// Write the tables and what follows from them to FILE.md
    #[arg(long, value_name = "FILE")]
    pub export_markdown: Option<PathBuf>,
    /// Draw the time of an epoch over the sample count to FILE.png or FILE.svg
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
}
