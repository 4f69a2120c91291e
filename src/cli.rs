//! Every flag, its meaning and its default. No I/O.

use std::ops::Range;
use std::path::PathBuf;

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

use fall_line::data::rows::Request;
use fall_line::data::synthetic::Recipe;
use fall_line::engine;
use fall_line::engine::gpu::program::Storage;
use fall_line::error::Error;
use fall_line::loss::Loss;
use fall_line::model::Model;
use fall_line::train::{Config, Descent};

pub use self::bench::{Bench, Files};
use self::parse::*;

mod bench;
mod parse;

/// Fit y = w*x + b to very many samples by gradient descent, on a GPU or the CPU.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 I/O, 2 usage, 3 bad data, 4 GPU, 5 diverged, \
                          7 engines disagree, 130 interrupted";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fit a line to two columns of a file, or to synthetic data
    Train(Box<Train>),
    /// Time every engine at several sizes against each other and the machine's own limits
    Bench(Box<Bench>),
    /// List the adapters that the GPU engine can run on, the best first
    Adapters {
        /// How to print the list
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: Format,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES, allow_negative_numbers = true)]
pub struct Train {
    /// CSV, TSV, Parquet or NPY file to fit, - for standard input; text may be gzip or zstd [default: synthetic data]
    #[arg(value_name = "DATA")]
    pub data: Option<PathBuf>,

    #[command(flatten)]
    pub csv: Csv,
    #[command(flatten)]
    pub synthetic: Synthetic,
    #[command(flatten)]
    pub training: Training,
    #[command(flatten)]
    pub engine: Engine,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Your own data")]
pub struct Csv {
    /// Column of x: header name, or position from 1 [default: of the only two numeric columns]
    #[arg(long, value_name = "COL", requires = "data")]
    pub x: Option<String>,
    /// Column of y, likewise
    #[arg(long, value_name = "COL", requires = "data")]
    pub y: Option<String>,
    /// Whether the first line names the columns; auto: where none of its fields is a number, or where it holds a name asked for
    #[arg(long, default_value = "auto", requires = "data")]
    pub header: HeaderChoice,
    /// What separates the columns: one character, or tab [default: ,]
    #[arg(long, value_name = "CHAR", value_parser = delimiter, requires = "data")]
    pub delimiter: Option<u8>,
    /// Leave out rows that are no samples, and say how many and why, instead of refusing the file
    #[arg(long, requires = "data")]
    pub skip_bad: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HeaderChoice {
    Auto,
    Yes,
    No,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Synthetic data")]
pub struct Synthetic {
    /// How many samples: 1e8, 250k, 10M and 1_000_000 are understood
    #[arg(long, value_name = "N", default_value = "1e6", value_parser = count, conflicts_with = "data")]
    pub samples: u64,
    /// The true w
    #[arg(long, value_name = "W", default_value = "3", value_parser = finite, conflicts_with = "data")]
    pub slope: f64,
    /// The true b
    #[arg(long, value_name = "B", default_value = "4", value_parser = finite, conflicts_with = "data")]
    pub intercept: f64,
    /// Standard deviation of the normal noise on y
    #[arg(long, value_name = "SD", default_value = "1", value_parser = finite, conflicts_with = "data")]
    pub noise: f64,
    /// Where x lies, uniformly, the end left out
    #[arg(long, value_name = "A..B", default_value = "0..2", value_parser = range, allow_hyphen_values = true, conflicts_with = "data")]
    pub x_range: Range<f64>,
    /// Share of samples with a gross error of 20 noise deviations upwards
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = finite, conflicts_with = "data")]
    pub outliers: f64,
    /// Who draws: chacha in parallel, numpy the exact draws of np.random.seed, rand and randn, device a counter-based generator (Threefry) on the GPU itself, or its twin on the CPU
    #[arg(long, default_value = "chacha", conflicts_with = "data")]
    pub generator: Generator,
    /// What all draws follow from, w and b at the start among them
    #[arg(long, value_name = "N", default_value = "20", value_parser = seed)]
    pub seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Generator {
    Chacha,
    Numpy,
    Device,
}

/// The loss of `train` and of `bench`.
#[derive(Debug, Args)]
pub struct LossChoice {
    /// Loss function
    #[arg(long = "loss", value_name = "LOSS", default_value = "mse", ignore_case = true, value_parser = PossibleValuesParser::new(Loss::ALL.map(Loss::name)).try_map(named))]
    pub named: Loss,
    /// Where the huber loss turns into a line, in units of y [default: 1]
    #[arg(long, value_name = "DELTA", value_parser = positive_in_f32)]
    pub delta: Option<f64>,
    /// Which quantile the quantile loss fits, between 0 and 1 [default: 0.5]
    #[arg(long, value_name = "TAU", value_parser = share)]
    pub quantile: Option<f64>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Training")]
pub struct Training {
    #[command(flatten)]
    pub loss: LossChoice,
    /// Passes over all samples, each with one update
    #[arg(long, value_name = "N", default_value = "50", value_parser = at_least_one)]
    pub epochs: u64,
    /// What the gradient is multiplied by
    #[arg(long, value_name = "RATE", default_value = "0.1", value_parser = positive)]
    pub learning_rate: f64,
    /// Epochs a read-back, up to 1,000,000; above 1 the line stays on the GPU meanwhile, which the CPU engine refuses
    #[arg(long, value_name = "K", default_value = "1", value_parser = batch)]
    pub sync_every: u64,
    /// w before the first epoch [default: a normal draw]
    #[arg(long, value_name = "W", value_parser = finite)]
    pub init_w: Option<f64>,
    /// b before the first epoch [default: a normal draw]
    #[arg(long, value_name = "B", value_parser = finite)]
    pub init_b: Option<f64>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Engine")]
pub struct Engine {
    /// Who computes: auto takes a hardware GPU where there is one, else the CPU
    #[arg(long, default_value = "auto")]
    pub engine: EngineChoice,
    /// GPU adapter: part of its name, or its index in `fall-line adapters`
    #[arg(long, value_name = "NAME|INDEX", value_parser = NonEmptyStringValueParser::new())]
    pub adapter: Option<String>,
    #[command(flatten)]
    pub on_gpu: OnGpu,
    /// Device memory that samples may take: 100MB, 2GiB; what doesn't fit is uploaded again each epoch [default: what the GPU gives]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub device_memory: Option<u64>,
    /// Threads of the CPU engine and of loading, up to 1024 [default: all cores]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
}

/// What the GPU engine can be told, in `train` and in `bench`.
#[derive(Debug, Args)]
pub struct OnGpu {
    /// How x and y stand in the GPU's memory: f32, or f16, half the bytes and 3 digits a value; the data are read twice
    #[arg(long, default_value = "f32")]
    pub storage: StorageChoice,
    /// Don't measure what suits the adapter, take the built-in workgroups
    #[arg(long)]
    pub no_tune: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StorageChoice {
    F32,
    F16,
}

impl From<StorageChoice> for Storage {
    fn from(choice: StorageChoice) -> Self {
        match choice {
            StorageChoice::F32 => Storage::F32,
            StorageChoice::F16 => Storage::F16,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EngineChoice {
    Auto,
    Gpu,
    Cpu,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// Print every N-th epoch; 0 for none
    #[arg(long, value_name = "N", default_value = "10", value_parser = count)]
    pub log_every: u64,
    /// Write epoch, loss, w, b, dw, db of every epoch to FILE.csv or FILE.json
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// Draw the loss over the epochs to FILE.png or FILE.svg
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
    /// How to print the result
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// Print the result and errors, nothing else
    #[arg(long, short)]
    pub quiet: bool,
}

impl Csv {
    pub fn request(&self) -> Request<'_> {
        Request {
            x: self.x.as_deref(),
            y: self.y.as_deref(),
            delimiter: self.delimiter,
            header: match self.header {
                HeaderChoice::Auto => None,
                HeaderChoice::Yes => Some(true),
                HeaderChoice::No => Some(false),
            },
            skip_bad: self.skip_bad,
            x_alone: false,
        }
    }
}

impl Generator {
    pub fn name(self) -> &'static str {
        match self {
            Generator::Chacha => "chacha",
            Generator::Numpy => "numpy",
            Generator::Device => "device",
        }
    }
}

impl Synthetic {
    pub fn recipe(&self) -> Recipe {
        Recipe {
            samples: self.samples,
            slope: self.slope,
            intercept: self.intercept,
            noise: self.noise,
            x_range: self.x_range.clone(),
            outliers: self.outliers,
            seed: self.seed,
        }
    }

    /// What else to say of the draws beside the line's formula.
    pub fn drawn(&self) -> String {
        let (name, Range { start, end }) = (self.generator.name(), &self.x_range);
        format!("x in [{start}, {end}), {name} seed {}", self.seed)
    }
}

impl LossChoice {
    /// The loss with its parameter; a parameter of another loss is refused, not ignored.
    pub fn get(&self) -> Result<Loss, Error> {
        let stray = |flag: &str, of: &str| {
            Err(Error::Usage(format!(
                "{flag} belongs to --loss {of}, not to --loss {}",
                self.named.name()
            )))
        };
        match (self.named, self.delta, self.quantile) {
            (Loss::Huber { delta }, given, None) => Ok(Loss::Huber {
                delta: given.unwrap_or(delta),
            }),
            (Loss::Quantile { tau }, None, given) => Ok(Loss::Quantile {
                tau: given.unwrap_or(tau),
            }),
            (loss, None, None) => Ok(loss),
            (Loss::Huber { .. }, _, Some(_)) | (_, None, Some(_)) => {
                stray("--quantile", "quantile")
            }
            (_, Some(_), _) => stray("--delta", "huber"),
        }
    }
}

impl Training {
    /// How to train, from the drawn line or the one given.
    pub fn config(&self, drawn: Model) -> Config {
        Config {
            epochs: self.epochs,
            descent: Descent::gd(self.learning_rate),
            stop: None,
            sync_every: self.sync_every,
            start: Model {
                w: self.init_w.unwrap_or(drawn.w),
                b: self.init_b.unwrap_or(drawn.b),
            },
        }
    }
}

impl Train {
    /// Whether the GPU engine is to draw the samples itself.
    pub fn draws_on_the_device(&self) -> bool {
        self.data.is_none() && self.synthetic.generator == Generator::Device
    }

    /// What the CPU engine would have to ignore.
    pub fn refuse_what_a_gpu_alone_can(&self) -> Result<(), Error> {
        let flag = if self.training.sync_every > 1 {
            "--sync-every above 1"
        } else if self.engine.on_gpu.storage == StorageChoice::F16 {
            "--storage f16"
        } else if self.engine.device_memory.is_some() {
            "--device-memory"
        } else {
            return Ok(());
        };
        Err(Error::Usage(format!(
            "{flag} is for the GPU engine, and this is the CPU engine: add --engine gpu, or leave it out"
        )))
    }
}

impl Output {
    /// Whether epochs and the headline are printed, not the result alone.
    pub fn talks(&self) -> bool {
        self.format == Format::Text && !self.quiet
    }
}

impl From<EngineChoice> for engine::Choice {
    fn from(choice: EngineChoice) -> Self {
        match choice {
            EngineChoice::Auto => engine::Choice::Auto,
            EngineChoice::Gpu => engine::Choice::Gpu,
            EngineChoice::Cpu => engine::Choice::Cpu,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn without_flags_the_recipe_is_the_default() {
        let cli = Cli::try_parse_from(["fall-line", "train"]).unwrap();
        let Command::Train(train) = cli.command else {
            panic!("{cli:?}");
        };
        assert_eq!(train.synthetic.recipe(), Recipe::default());
    }
}
