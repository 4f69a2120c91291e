//! The flags of `train`.

use std::path::{Path, PathBuf};

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use fall_line::engine;
use fall_line::error::Error;
use fall_line::table::Request;
use fall_line::train::{Descent, Schedule};

use super::parse::*;
use super::{EXIT_CODES, Format, Generator, LossChoice, OnGpu, StorageChoice, Synthetic};

/// What describes synthetic data, and says nothing of a file.
const SYNTHETIC: [&str; 7] = [
    "samples",
    "slope",
    "intercept",
    "noise",
    "x_range",
    "outliers",
    "generator",
];

#[derive(Debug, Args)]
#[command(
    after_help = EXIT_CODES,
    allow_negative_numbers = true,
    // Without DATA they are files.
    mut_arg("x", |x| x.conflicts_with_all(SYNTHETIC)),
    mut_arg("y", |y| y.conflicts_with_all(SYNTHETIC)),
)]
pub struct Train {
    /// CSV, TSV, Parquet or NPY file to fit, - for standard input; text may be gzip or zstd [default: synthetic data]
    #[arg(value_name = "DATA", conflicts_with_all = SYNTHETIC)]
    pub data: Option<PathBuf>,

    #[command(flatten)]
    pub columns: Columns,
    #[command(flatten)]
    pub synthetic: Synthetic,
    #[command(flatten)]
    pub training: Training,
    #[command(flatten)]
    pub descent: Steps,
    #[command(flatten)]
    pub engine: Engine,
    #[command(flatten)]
    pub checkpoints: Checkpoints,
    #[command(flatten)]
    pub output: Output,
}

/// Where x and y stand in a file, in `train` and in `predict`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Your own data")]
pub struct Columns {
    /// Column of x: its name, or its position from 1; without DATA an .npy file of its own [default: of the only two numeric columns]
    #[arg(long, value_name = "COL")]
    pub x: Option<String>,
    /// Column of y, likewise
    #[arg(long, value_name = "COL")]
    pub y: Option<String>,
    /// Whether a text file's first line names the columns; auto: where none of its fields is a number, or where it holds a name asked for
    #[arg(long, default_value = "auto", requires = "data")]
    pub header: HeaderChoice,
    /// What separates a text file's columns: one character, or tab [default: , or tab where the name ends in .tsv]
    #[arg(long, value_name = "CHAR", value_parser = delimiter, requires = "data")]
    pub delimiter: Option<u8>,
    /// Leave out rows that are no samples, count them by reason and show the first, instead of refusing the file
    #[arg(long)]
    pub skip_bad: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HeaderChoice {
    Auto,
    Yes,
    No,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Training")]
pub struct Training {
    #[command(flatten)]
    pub loss: LossChoice,
    /// Passes over all samples at the most, each with one update [default: 50; of files 2000]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub epochs: Option<u64>,
    /// End where the loss falls by no more than this share for so many epochs (see --patience); 0: never, but a cutting plane where it leaves no line [default: 0; of files 1e-9]
    #[arg(long, value_name = "SHARE", value_parser = not_negative)]
    pub tolerance: Option<f64>,
    /// For how many epochs nothing has to improve [default: 10 for gd at a constant rate, else 100]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub patience: Option<u64>,
    /// Make it an error, exit code 6, not to have converged; --tolerance is then 1e-9 for synthetic data too
    #[arg(long)]
    pub strict: bool,
    /// Centre and scale x, and take mean, trend and scale off y, in f64 before they are cast to f32; all results are in the data's units [default for files]
    #[arg(long, overrides_with = "no_standardize")]
    pub standardize: bool,
    /// Train on the columns as they are [default for synthetic data]
    #[arg(long, overrides_with = "standardize")]
    pub no_standardize: bool,
    /// w before the first epoch [default: a normal draw; of standardised data 0]
    #[arg(long, value_name = "W", value_parser = finite)]
    pub init_w: Option<f64>,
    /// b before the first epoch [default: a normal draw; of standardised data the mean of y]
    #[arg(long, value_name = "B", value_parser = finite)]
    pub init_b: Option<f64>,
    /// Read the data, print how they would be trained on and what memory that would take, and leave it at that
    #[arg(long, conflicts_with = "resume")]
    pub plan: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Descent")]
pub struct Steps {
    /// How w and b get from one epoch to the next: gd by learning rate × gradient, momentum by keeping 0.9 of the step before, adam by its running moments, cutting-plane to the centre of all lines that no epoch has ruled out, without any rate [default: gd; of files and for other losses than mse cutting-plane, unless a flag of steps is given]
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(Descent::NAMES).map(way))]
    pub optimizer: Option<Way>,
    /// What the gradient is multiplied by, or auto: the best constant step that the data allow [default: 0.1; of files auto]
    #[arg(long, value_name = "RATE|auto", value_parser = rate)]
    pub learning_rate: Option<Rate>,
    /// How the learning rate changes: adaptive halves it where the loss rises, and keeps the best line [default: constant, for mae and quantile at rate auto adaptive]
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(Schedule::ALL.map(Schedule::name)).try_map(schedule))]
    pub schedule: Option<Schedule>,
    /// Go on with a learning rate above that beyond which descent is not stable
    #[arg(long)]
    pub force: bool,
    /// Epochs a read-back, up to 1,000,000; above 1 the line stays on the GPU meanwhile, for gd at a constant rate only
    #[arg(long, value_name = "K", default_value = "1", value_parser = batch)]
    pub sync_every: u64,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EngineChoice {
    Auto,
    Gpu,
    Cpu,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Checkpoints")]
pub struct Checkpoints {
    /// Keep what it takes to go on in FILE (JSON), written anew now and then and at the end
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// How often: after so many epochs (1000), or after so long (30s, 5m)
    #[arg(long, value_name = "N|TIME", default_value = "1m", value_parser = every, requires = "checkpoint")]
    pub checkpoint_every: Every,
    /// Go on from a checkpoint, of the same data and the same flags; --history goes on too
    #[arg(long, value_name = "FILE")]
    pub resume: Option<PathBuf>,
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
    /// Write the line and how well it fits to FILE (JSON), for `fall-line predict`
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// How to print the result
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// Print the result, that it is not right where that is known, and errors; nothing else
    #[arg(long, short)]
    pub quiet: bool,
}

impl Columns {
    /// The files that are read: DATA, or without it those of the columns.
    pub fn files<'a>(&'a self, data: Option<&'a Path>) -> impl Iterator<Item = &'a Path> {
        let own = [&self.x, &self.y].into_iter().flatten().map(Path::new);
        let own = own.filter(move |_| data.is_none());
        data.into_iter().chain(own)
    }

    /// What to look for in a file.
    pub fn request(&self) -> Request<'_> {
        Request {
            x: self.x.as_deref(),
            y: self.y.as_deref(),
            x_alone: false,
            delimiter: self.delimiter,
            header: match self.header {
                HeaderChoice::Auto => None,
                HeaderChoice::Yes => Some(true),
                HeaderChoice::No => Some(false),
            },
            skip_bad: self.skip_bad,
        }
    }
}

impl Train {
    /// Whether the samples come from files.
    pub fn has_files(&self) -> bool {
        self.data.is_some() || self.columns.x.is_some() || self.columns.y.is_some()
    }

    /// Whether engines see standardised samples.
    pub fn standardizes(&self) -> bool {
        let Training {
            standardize,
            no_standardize,
            ..
        } = self.training;
        standardize || self.has_files() && !no_standardize
    }

    /// Whether the GPU engine is to draw the samples itself.
    pub fn draws_on_the_device(&self) -> bool {
        !self.has_files() && self.synthetic.generator == Generator::Device
    }

    /// What an engine whose samples never are on the host would have to ignore.
    pub fn refuse_what_the_host_alone_can(&self) -> Result<(), Error> {
        match self.draws_on_the_device() && self.standardizes() {
            false => Ok(()),
            true => Err(Error::Usage(
                "--standardize needs the samples on the host, and --generator device draws them on the GPU: take another \
                 --generator, or leave it out"
                    .to_owned(),
            )),
        }
    }

    /// What the CPU engine would have to ignore.
    pub fn refuse_what_a_gpu_alone_can(&self) -> Result<(), Error> {
        let flag = if self.descent.sync_every > 1 {
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

impl Steps {
    /// Whether something is said that steps along the gradient alone have.
    pub fn are_asked_for(&self) -> bool {
        self.learning_rate.is_some() || self.schedule.is_some() || self.sync_every > 1
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
