//! Every flag, its meaning and its default. No I/O.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use clap::builder::{
    NonEmptyStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser,
};
use clap::{
    ArgAction, Args, ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum,
};
use clap_complete::Shell;

use fall_line::data::synthetic::{Generator, Recipe};
use fall_line::engine::gpu::adapter;
use fall_line::engine::{Choice, Storage};
use fall_line::error::{Error, Setting};
use fall_line::loss::Loss;

pub use self::bench::{Bench, Files};
pub use self::columns::Columns;
pub use self::doctor::{Doctor, Required, Task};
pub use self::files::{Generate, Predict};
pub use self::moments::{Merge, Moments};
use self::parse::*;
pub use self::train::{LogEvery, Panel, SurfaceSamples, Train};

mod bench;
mod columns;
mod doctor;
mod files;
mod moments;
mod parse;
mod train;

/// Fits a line y = w*x + b to your two columns or to synthetic data, by gradient descent on a GPU or the CPU.
#[derive(Debug, Parser)]
#[command(
    version,
    long_version = LONG_VERSION.as_str(),
    max_term_width = 100,
    args_override_self = true,
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}")
)]
pub struct Cli {
    /// Colours on a terminal: auto, always, never
    ///
    /// auto leaves them out if NO_COLOR is set.
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_short_help = true
    )]
    pub color: ColorChoice,
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  fall-line tutorial                           the NumPy tutorial
  fall-line train cars.csv --x speed --y dist  the line through two columns
  fall-line bench --samples 1e5,1e7            the GPU against the CPU";

/// The version, the commit of a release build, and what is compiled in.
static LONG_VERSION: LazyLock<String> = LazyLock::new(|| {
    let commit = match option_env!("FALL_LINE_COMMIT") {
        Some(commit) => format!(" ({commit})"),
        None => String::new(),
    };
    format!(
        "{}{commit}\nfeatures: cli, files, gpu, mpi\nbackends: {}",
        env!("CARGO_PKG_VERSION"),
        adapter::backends().join(", ")
    )
});

pub const EXIT_CODES: &str = "Exit codes: 0 done, 1 I/O, 2 usage, 3 bad data, 4 GPU, 5 diverged, \
                          6 not converged (--strict), 7 engines disagree, 8 slower (--compare),\n\
                          128 + n ended by signal n (130 Ctrl-C, 143 SIGTERM, 129 SIGHUP)";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fit a line to two columns of a file, or to synthetic data
    Train(Box<Train>),
    /// Predict y with a saved line
    ///
    /// The line is a file that train --save wrote. If y is known, the output says how well the line fits.
    Predict(Box<Predict>),
    /// Compute the moments of a part of a set, to be merged
    ///
    /// Moments are counts, means, squares and products. Those of all parts hold the line of mse, its errors and its fit, so that any
    /// scheduler can spread the parts over machines.
    Moments(Box<Moments>),
    /// Merge moments, and print the line of mse with its errors and fit
    ///
    /// The order of the parts does not matter.
    Merge(Merge),
    /// Write synthetic data to a file: the samples that train draws
    Generate(Box<Generate>),
    /// Time the engines against each other and the machine's limits
    Bench(Box<Bench>),
    /// List the adapters that the GPU engine can run on, best first
    Adapters {
        /// Format of the list: text, json
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: Format,
    },
    /// Check that the adapters compute right, each in a process of its own
    ///
    /// Sums whose answers are known run on every adapter, within seconds. A driver that crashes or hangs is a row of the
    /// table. The exit code is 4 if an adapter fails, or none is there.
    Doctor(Doctor),
    /// Run the NumPy tutorial's script, digit by digit
    ///
    /// The script draws 100 samples of y = 4 + 3x + noise by np.random.seed(20). It runs 50 epochs of gradient descent on
    /// mse at a learning rate of 0.1, and prints every tenth.
    Tutorial(Tutorial),
    /// Print a script that completes this program's flags in a shell
    ///
    /// For example: fall-line completions bash > ~/.local/share/bash-completion/completions/fall-line
    Completions {
        /// Shell: bash, zsh, fish, elvish, powershell
        #[arg(value_name = "SHELL")]
        shell: Shell,
    },
    /// Print a page of the manual, or write all to a folder
    ///
    /// For example: fall-line man train | man -l -
    Man {
        /// Subcommand that the page is of [default: the program itself]
        #[arg(value_name = "COMMAND", conflicts_with = "output")]
        page: Option<String>,
        /// Folder of all pages
        #[arg(long, short, value_name = "FOLDER")]
        output: Option<PathBuf>,
    },
}

#[derive(Clone, Debug, Args)]
pub struct Tutorial {
    /// Engine: auto, gpu, cpu
    #[arg(long, default_value = "auto")]
    pub engine: Choice,
    /// GPU adapter, by index or part of its name
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub adapter: Option<String>,
    /// Draw the loss over the epochs to FILE.png or FILE.svg
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Lines for a person
    Text,
    /// One object for a program
    Json,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Synthetic data")]
pub struct Synthetic {
    /// Samples: 1e8, 250k, 10M, 1_000_000
    #[arg(long, value_name = "N", default_value = "1e6", value_parser = count)]
    pub samples: u64,
    /// True w
    #[arg(long, value_name = "W", default_value = "3", value_parser = finite, hide_short_help = true)]
    pub slope: f64,
    /// True b
    #[arg(long, value_name = "B", default_value = "4", value_parser = finite, hide_short_help = true)]
    pub intercept: f64,
    /// Standard deviation of the noise on y
    #[arg(long, value_name = "SD", default_value = "1", value_parser = finite)]
    pub noise: f64,
    /// Range of x, uniform, without its end
    #[arg(long, value_name = "A..B", default_value = "0..2", value_parser = range, allow_hyphen_values = true, hide_short_help = true)]
    pub x_range: Range<f64>,
    /// Share of samples with a gross error
    ///
    /// The error is 20 standard deviations of the noise, upwards. A share is a number such as 0.1, or a percentage such as 10%.
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    pub outliers: f64,
    /// Generator: chacha, numpy, device
    #[arg(long, value_name = "NAME", default_value = "chacha")]
    pub generator: Generator,
    /// Seed of all draws
    ///
    /// The line before the first epoch is among them.
    #[arg(long, value_name = "N", default_value = "20", value_parser = seed)]
    pub seed: u64,
}

/// The loss of `train` and of `bench`.
#[derive(Clone, Debug, Args)]
pub struct LossChoice {
    /// mse, mae, huber, log-cosh, quantile
    ///
    /// l2 and squared are mse; l1, absolute and median are mae. `train` takes a list, `mse,mae`, and compares the lines.
    #[arg(long = "loss", value_name = "LOSS", default_value = "mse", ignore_case = true, value_delimiter = ',', action = ArgAction::Set, value_parser = PossibleValuesParser::new(Loss::ALL.map(|loss| PossibleValue::new(loss.name()).aliases(loss.aliases()))).try_map(named))]
    pub named: Vec<Loss>,
    /// δ of huber, in units of y [default: by the data]
    ///
    /// The loss is quadratic for residuals up to δ, and linear beyond. The default is 1.345 standard deviations of the noise,
    /// as 1.4826 times the median distance from the median line tells them; in `bench` it is 1.
    #[arg(long, value_name = "DELTA", value_parser = positive)]
    pub delta: Option<f64>,
    /// τ of the quantile loss, in (0, 1) [default: 0.5]
    #[arg(long, value_name = "TAU", value_parser = quantile)]
    pub quantile: Option<f64>,
}

/// The options of the GPU engine, in `train` and in `bench`.
#[derive(Clone, Debug, Args)]
pub struct OnGpu {
    /// Storage format on the GPU
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "f32",
        hide_short_help = true
    )]
    pub storage: Storage,
    /// Use the built-in workgroups instead of measuring what suits the adapter
    ///
    /// The measurement is kept in the user's cache folder.
    #[arg(long, hide_short_help = true)]
    pub no_tune: bool,
}

/// The ranks of a job that a launcher started.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Ranks")]
pub struct OverRanks {
    /// Open MPI even where no launcher such as mpirun started the program
    #[arg(long, hide_short_help = true)]
    pub mpi: bool,
    /// Time after which a rank without a sign of life is lost: 60s, 5m
    ///
    /// The job then ends, and names the rank. A rank that is only busy gives signs of life.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time_limit, hide_short_help = true)]
    pub rank_timeout: Duration,
}

impl Cli {
    /// Parses the command line. `-h` lists no possible values: its one line a flag names them.
    pub fn parse_args() -> Result<Self, clap::Error> {
        let mut command = Cli::command();
        if std::env::args_os().any(|arg| arg == "-h") {
            command = command.mut_subcommands(|command| {
                command.mut_args(|arg| {
                    let takes_values = arg.get_action().takes_values();
                    arg.hide_possible_values(takes_values)
                })
            });
        }
        Cli::from_arg_matches(&command.try_get_matches()?)
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
}

impl LossChoice {
    /// Returns the loss with its parameter.
    ///
    /// # Errors
    /// Those of [`LossChoice::all`], and [`Error::Usage`] for a list of losses.
    pub fn get(&self) -> Result<Loss, Error> {
        match self.all()?[..] {
            [loss] => Ok(loss),
            _ => Err(Error::Usage("--loss takes one loss here".to_owned())),
        }
    }

    /// Returns the losses with their parameters.
    ///
    /// # Errors
    /// [`Error::Setting`] for the parameter of another loss, and for one that is out of range.
    pub fn all(&self) -> Result<Vec<Loss>, Error> {
        let given = |setting| match setting {
            Setting::Delta => self.delta,
            Setting::Quantile => self.quantile,
            _ => None,
        };
        for setting in [Setting::Delta, Setting::Quantile] {
            let has_it = |loss: &Loss| loss.parameter_setting() == Some(setting);
            if given(setting).is_some() && !self.named.iter().any(has_it) {
                let owner = Loss::ALL.into_iter().find(has_it).map_or("", Loss::name);
                let names: Vec<&str> = self.named.iter().map(|loss| loss.name()).collect();
                return Err(setting.error(format!(
                    "belongs to --loss {owner}, not to --loss {}",
                    names.join(",")
                )));
            }
        }
        let with_parameter =
            |loss: &Loss| loss.with_parameter(loss.parameter_setting().and_then(given));
        self.named.iter().map(with_parameter).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_consistent() {
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
