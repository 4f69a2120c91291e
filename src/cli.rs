//! Every flag, its meaning and its default. No I/O.

use std::ops::Range;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

use fall_line::data::synthetic::Recipe;
use fall_line::engine::gpu::program::Storage;
use fall_line::error::{Error, Setting};
use fall_line::loss::Loss;

pub use self::bench::{Bench, Files};
pub use self::files::{Generate, Predict};
use self::parse::*;
pub use self::parse::{Every, Rate};
pub use self::train::{Columns, Output, Train};

mod bench;
mod files;
mod parse;
mod train;

/// Fit y = w*x + b to very many samples by gradient descent, on a GPU or the CPU.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 I/O, 2 usage, 3 bad data, 4 GPU, 5 diverged, \
                          6 not converged (--strict), 7 engines disagree, 130 interrupted";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fit a line to two columns of a file, or to synthetic data
    Train(Box<Train>),
    /// Predict y with a line that train --save wrote, and say how well where y is known
    Predict(Box<Predict>),
    /// Write the synthetic data that train would draw to a file
    Generate(Box<Generate>),
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
#[command(next_help_heading = "Synthetic data")]
pub struct Synthetic {
    /// How many samples: 1e8, 250k, 10M and 1_000_000 are understood
    #[arg(long, value_name = "N", default_value = "1e6", value_parser = count)]
    pub samples: u64,
    /// The true w
    #[arg(long, value_name = "W", default_value = "3", value_parser = finite)]
    pub slope: f64,
    /// The true b
    #[arg(long, value_name = "B", default_value = "4", value_parser = finite)]
    pub intercept: f64,
    /// Standard deviation of the normal noise on y
    #[arg(long, value_name = "SD", default_value = "1", value_parser = finite)]
    pub noise: f64,
    /// Where x lies, uniformly, the end left out
    #[arg(long, value_name = "A..B", default_value = "0..2", value_parser = range, allow_hyphen_values = true)]
    pub x_range: Range<f64>,
    /// Share of samples with a gross error of 20 noise deviations upwards
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = finite)]
    pub outliers: f64,
    /// Who draws: chacha in parallel, numpy the exact draws of np.random.seed, rand and randn, device a counter-based generator (Threefry) on the GPU itself, or its twin on the CPU
    #[arg(long, default_value = "chacha")]
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
    /// Returns the loss with its parameter. A parameter of another loss is refused, not ignored.
    pub fn get(&self) -> Result<Loss, Error> {
        let mut loss = self.named;
        for (setting, given) in [
            (Setting::Delta, self.delta),
            (Setting::Quantile, self.quantile),
        ] {
            if given.is_some() && loss.parameter_setting() != Some(setting) {
                let mut losses = Loss::ALL.into_iter();
                let owner = losses.find(|loss| loss.parameter_setting() == Some(setting));
                return Err(setting.error(format!(
                    "belongs to --loss {}, not to --loss {}",
                    owner.unwrap_or(loss).name(),
                    loss.name()
                )));
            }
            loss = loss.with_parameter(given)?;
        }
        Ok(loss)
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
