//! The flags of `bench`.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgAction, Args, value_parser};

use fall_line::bench::Contestant;
use fall_line::data::synthetic::Generator;
use fall_line::engine::{Choice, Storage};
use fall_line::error::Error;
use fall_line::loss::Loss;

use super::parse::{at_least_one, duration, seed, threads};
use super::{EXIT_CODES, Format, LossChoice, OnGpu, OverRanks};

const EXAMPLES: &str = "\
Examples:
  fall-line bench --samples 1e3,1e5,1e7
  fall-line bench --engines cpu,gpu --adapter 0 --adapter 1
  fall-line bench --suite 1 --export-json bench.json --cite
  fall-line bench --suite 1 --compare bench.json
  mpirun -n 4 fall-line bench --samples 1e7,1e8";

#[derive(Clone, Debug, Args)]
#[command(
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"),
    allow_negative_numbers = true
)]
pub struct Bench {
    /// Fixed suite: 1
    ///
    /// The figures of two people compare. Suite 1 is mse at 1e3, 1e5 and 1e7 samples on all engines: 20 rounds and a second each.
    #[arg(long, value_name = "N", value_parser = value_parser!(u8).range(1..=1), conflicts_with_all = ["samples", "named", "engines", "storage", "generator", "seed", "runs", "min_time", "epochs", "threads", "no_tune"])]
    pub suite: Option<u8>,
    /// Samples
    ///
    /// Sizes to time at, separated by commas. [default: 1e3,1e4,1e5,1e6,1e7,1e8; under mpirun 1e6,1e7]
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', action = ArgAction::Set, value_parser = at_least_one)]
    pub samples: Vec<u64>,
    #[command(flatten)]
    pub loss: LossChoice,
    /// cpu-1, cpu, gpu, gpu-batched, gpus [default: all]
    ///
    /// cpu-1 runs on one thread, cpu on as many as help. gpu submits one epoch at a time. gpu-batched keeps the line on
    /// the device. gpus are several adapters that share the samples. Without an adapter, only the CPU engines are timed by default.
    #[arg(long, value_name = "ENGINE,...", value_delimiter = ',', action = ArgAction::Set)]
    pub engines: Vec<Contestant>,
    /// Adapter: index, name, 0,1 or all [default: best]
    ///
    /// May be given several times. Each is timed alone, and all at the same time.
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
    /// Rounds of each size
    ///
    /// In each round every engine has a turn, on samples drawn and loaded anew. ± covers the quartiles of all rounds.
    #[arg(long, value_name = "N", default_value = "20", value_parser = value_parser!(u16).range(2..=1000))]
    pub runs: u16,
    /// Time for each engine and size
    ///
    /// At least so long in all rounds together, such as 500ms, 2s or 1m. Each is timed at least five times.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub min_time: Duration,
    /// Epochs of the time to an answer [default: 50]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub epochs: Option<u64>,
    #[command(flatten)]
    pub files: Files,
    #[command(flatten)]
    pub ranks: OverRanks,
}

impl Bench {
    /// Returns the flags with those that a suite fixes.
    pub fn with_suite(mut self) -> Self {
        if self.suite.is_some() {
            self.samples = vec![1_000, 100_000, 10_000_000];
            self.loss.named = vec![Loss::Mse];
            self.on_gpu.storage = Storage::F32;
            self.generator = Generator::Chacha;
            self.seed = 20;
            self.runs = 20;
            self.min_time = Duration::from_secs(1);
            self.epochs = None;
        }
        self
    }
}

impl Bench {
    /// Returns the engine of each rank.
    ///
    /// # Errors
    /// [`Error::Usage`] for what is timed in one process alone.
    pub fn engine_of_ranks(&self) -> Result<Choice, Error> {
        let files = &self.files;
        let refused = [
            ("--suite", self.suite.is_some()),
            ("--epochs", self.epochs.is_some()),
            ("--wide", files.wide),
            ("--compare", files.compare.is_some()),
            ("--cite", files.cite),
            ("--export-csv", files.export_csv.is_some()),
            ("--export-markdown", files.export_markdown.is_some()),
            ("--plot", files.plot.is_some()),
        ];
        if let Some((flag, _)) = refused.into_iter().find(|(_, given)| *given) {
            return Err(Error::Usage(format!(
                "{flag} is not for a bench over ranks: leave it out, or start one rank"
            )));
        }
        match self.engines[..] {
            [] => Ok(Choice::Auto),
            [Contestant::Cpu] => Ok(Choice::Cpu),
            [Contestant::Gpu] => Ok(Choice::Gpu),
            _ => Err(Error::Usage(
                "--engines takes cpu or gpu over ranks: each rank has one engine".to_owned(),
            )),
        }
    }
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct Files {
    /// Print all columns, for a terminal of 180
    #[arg(long)]
    pub wide: bool,
    /// Format on stdout: text, json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// Say what got slower since FILE.json
    ///
    /// Something that did ends the program with exit code 8. The file is one of --export-json. A figure is slower if it is so beyond both spreads.
    #[arg(long, value_name = "FILE")]
    pub compare: Option<PathBuf>,
    /// End with a sentence to quote
    ///
    /// It names the fastest engine, its speed-up, the machine, and the SHA-256 of the JSON.
    #[arg(long, requires = "export_json", conflicts_with = "format")]
    pub cite: bool,
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
