//! The flags of `train`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgAction, Args, ValueEnum};

use fall_line::engine::Choice;
use fall_line::error::{Error, Setting};
use fall_line::fit::{Checkpoint, Every, Options, Rate, Variance};
use fall_line::train::{DELTA_IN_NOISE, Optimizer, Schedule, TOLERANCE};

use super::parse::*;
use super::{Columns, EXIT_CODES, Format, LossChoice, OnGpu, OverRanks, Synthetic};

/// The flags of synthetic data, which say nothing of a file.
const SYNTHETIC: [&str; 7] = [
    "samples",
    "slope",
    "intercept",
    "noise",
    "x_range",
    "outliers",
    "generator",
];

const EXAMPLES: &str = "\
Examples:
  fall-line train cars.csv --x speed --y dist --save model.json
  fall-line train cars.csv --x speed --y dist --plot fit,surface=cars.svg
  fall-line train --samples 1e8 --engine gpu
  fall-line train --outliers 0.1 --loss mae --epochs 500";

#[derive(Clone, Debug, Args)]
#[command(
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"),
    allow_negative_numbers = true,
    // Without DATA they are files.
    mut_arg("x", |x| x.conflicts_with_all(SYNTHETIC)),
    mut_arg("y", |y| y.conflicts_with_all(SYNTHETIC)),
)]
pub struct Train {
    /// Files: text, Parquet or NPY; - is standard input [default: synthetic]
    ///
    /// Several files, a folder or a pattern such as 'part-*.csv' are one set. Text may be packed by gzip or zstd. The format is
    /// detected from a file's first bytes.
    #[arg(value_name = "DATA", conflicts_with_all = SYNTHETIC)]
    pub data: Vec<PathBuf>,

    #[command(flatten)]
    pub columns: Columns,
    #[command(flatten)]
    pub training: Training,
    #[command(flatten)]
    pub descent: Descent,
    #[command(flatten)]
    pub engine: Engine,
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub checkpoints: Checkpoints,
    #[command(flatten)]
    pub ranks: OverRanks,
    #[command(flatten)]
    pub synthetic: Synthetic,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Training")]
pub struct Training {
    #[command(flatten)]
    pub loss: LossChoice,
    /// Estimate of the line's errors: classical, robust, statsmodels
    ///
    /// [default: classical for mse, robust for the other losses]
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub errors: Option<Variance>,
    /// Confidence of the errors' intervals: 0.95, 99%
    #[arg(long, value_name = "SHARE", default_value = "0.95", value_parser = share, hide_short_help = true)]
    pub confidence: f64,
    /// Maximum passes over the data [default: 50; files: 2000]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub epochs: Option<u64>,
    /// Relative improvement of the loss below which an epoch counts as idle
    ///
    /// The run ends after --patience idle epochs. At 0 it never ends early, except for a cutting plane that leaves no
    /// better line. [default: 0; 1e-9 for files]
    #[arg(long, value_name = "SHARE", value_parser = tolerance, hide_short_help = true)]
    pub tolerance: Option<f64>,
    /// Stop after this many idle epochs in succession
    ///
    /// [default: 10 for gd at a constant rate, else 100]
    #[arg(long, value_name = "N", value_parser = at_least_one, hide_short_help = true)]
    pub patience: Option<u64>,
    /// Exit with code 6 if the run has not converged
    ///
    /// --tolerance is then 1e-9 for synthetic data too.
    #[arg(long)]
    pub strict: bool,
    /// Standardise the data in f64 before they are cast to f32 [default for files]
    ///
    /// x is centred and scaled; mean, trend and scale are taken off y. All results are in the data's units.
    #[arg(long, overrides_with = "no_standardize", hide_short_help = true)]
    pub standardize: bool,
    /// Train on the columns as they are [default for synthetic data]
    #[arg(long, overrides_with = "standardize", hide_short_help = true)]
    pub no_standardize: bool,
    /// w before the first epoch
    ///
    /// [default: a normal draw; 0 for standardised data]
    #[arg(long, value_name = "W", value_parser = finite, hide_short_help = true)]
    pub init_w: Option<f64>,
    /// b before the first epoch
    ///
    /// [default: a normal draw; the mean of y for standardised data]
    #[arg(long, value_name = "B", value_parser = finite, hide_short_help = true)]
    pub init_b: Option<f64>,
    /// Show what a run would do and take, and stop
    ///
    /// Reads the data for their statistics, and says what memory a run would take.
    #[arg(long, conflicts_with = "resume")]
    pub plan: bool,
    /// Also show how a run over N ranks would scale, each on a machine or adapter like this one
    ///
    /// The time is computed by a model, from speeds that are measured here on some of the samples.
    #[arg(long, value_name = "N", requires = "plan", value_parser = at_least_one, hide_short_help = true)]
    pub ranks: Option<u64>,
    /// Time of a gather over these ranks, as `bench` under mpirun measures it: 20us
    ///
    /// [default: 50 µs for each doubling of the ranks, and their bytes at 10 Gbit/s; an assumption]
    #[arg(long, value_name = "TIME", requires = "ranks", value_parser = time_limit, hide_short_help = true)]
    pub gather: Option<Duration>,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Descent")]
pub struct Descent {
    /// Optimizer: gd, momentum, adam, cutting-plane
    ///
    /// [default: gd; cutting-plane for a file and a loss other than mse, unless a learning rate, a schedule or
    /// --sync-every is given]
    #[arg(long, value_name = "NAME")]
    pub optimizer: Option<Optimizer>,
    /// Rate [default: 0.1; files: auto]
    ///
    /// auto is the best constant learning rate that the data allow. A list, `0.01,0.1`, compares the descents.
    #[arg(long, visible_alias = "lr", value_name = "RATE", value_delimiter = ',', action = ArgAction::Set, value_parser = rate)]
    pub learning_rate: Vec<Rate>,
    /// Schedule of the learning rate
    ///
    /// [default: constant; adaptive for mae and quantile at the automatic rate]
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub schedule: Option<Schedule>,
    /// Accept a learning rate at which the descent diverges
    #[arg(long, hide_short_help = true)]
    pub force: bool,
    /// Epochs between two read-backs, up to 1,000,000
    ///
    /// Above 1, the line stays on the GPU in between. For gd at a constant rate only.
    #[arg(long, value_name = "K", default_value = "1", value_parser = batch, hide_short_help = true)]
    pub sync_every: u64,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Engine")]
pub struct Engine {
    /// Engine: auto, gpu, cpu
    ///
    /// auto is a hardware GPU if there is one, else the CPU.
    #[arg(long, default_value = "auto")]
    pub engine: Choice,
    /// GPU adapter, by index or name; several: 0,1 or all
    ///
    /// `fall-line adapters` lists them. A name may be a part of one, a backend or a kind. all are the adapters of the best one's API.
    /// Several share the samples, and compute at the same time.
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub adapter: Option<String>,
    /// Shares of the samples on several adapters, in any unit: 3,1
    ///
    /// [default: by their measured speeds; equal for fewer than 4e6 samples, or with --no-tune]
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', action = ArgAction::Set, value_parser = positive, hide_short_help = true)]
    pub shares: Option<Vec<f64>>,
    #[command(flatten)]
    pub on_gpu: OnGpu,
    /// Device memory for samples: 100MB, 2GiB
    ///
    /// The rest is uploaded again each epoch. [default: what the GPU gives]
    #[arg(long, value_name = "SIZE", value_parser = size, hide_short_help = true)]
    pub device_memory: Option<u64>,
    /// Threads for reading and for the CPU engine, up to 1024 [default: all cores]
    #[arg(long, value_name = "N", value_parser = threads, hide_short_help = true)]
    pub threads: Option<usize>,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Checkpoints")]
pub struct Checkpoints {
    /// Write a checkpoint (JSON) now and then, and at the end
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub checkpoint: Option<PathBuf>,
    /// Epochs (1000) or time (30s, 5m) between two checkpoints
    ///
    /// By time, writing takes about a twentieth of the run at most: the file grows with --history.
    #[arg(long, value_name = "N|TIME", default_value = "1m", value_parser = every, requires = "checkpoint", hide_short_help = true)]
    pub checkpoint_every: Every,
    /// Go on from a checkpoint, with the same data and flags
    ///
    /// --history goes on too.
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub resume: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// Draw the run to FILE.png or FILE.svg: loss, fit, surface, residuals
    ///
    /// `--plot loss,fit=FILE` names the panels. The default is fit for files, and loss for synthetic data.
    #[arg(long, value_name = "[PANEL,...=]FILE", value_parser = plot)]
    pub plot: Option<Plot>,
    /// Write what ran, the line and all pictures to FILE.html, one page
    ///
    /// The page needs no network. Its loss surface can be played with: losses, learning rates and starts on these data.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Samples of the loss surface: auto, exact
    ///
    /// auto takes all samples up to 1e7, and beyond that as many in blocks spread over the data. The surface of mse follows
    /// from the moments of all samples.
    #[arg(
        long,
        value_name = "NAME",
        default_value = "auto",
        hide_short_help = true
    )]
    pub surface: SurfaceSamples,
    /// Write every epoch to FILE.csv or FILE.json
    ///
    /// Columns: epoch, loss, w, b, dw, db.
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// Write the line to FILE (JSON), for `fall-line predict`
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Print the first epoch and every N-th, or auto; 0: none [default: 10; files: auto]
    ///
    /// auto prints the epochs 1, 2, 4, 8 and so on.
    #[arg(long, value_name = "N|auto", value_parser = log_every, hide_short_help = true)]
    pub log_every: Option<LogEvery>,
    /// Format of the result: text, json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// Print only the result, warnings and errors
    #[arg(long, short)]
    pub quiet: bool,
}

/// A picture: its panels, which default to what suits the data, and its file.
#[derive(Clone, Debug)]
pub struct Plot {
    pub panels: Option<Vec<Panel>>,
    pub path: PathBuf,
}

/// The samples that a loss surface is computed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SurfaceSamples {
    /// At most 1e7
    Auto,
    /// All
    Exact,
}

/// A panel of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Panel {
    Loss,
    Fit,
    Surface,
    Residuals,
}

/// The epochs that the log shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogEvery {
    /// 1, 2, 4, 8 and so on.
    Auto,
    /// The first one and every so many; none at 0.
    Epochs(u64),
}

impl LogEvery {
    /// Returns whether the log shows this epoch.
    pub fn shows(self, epoch: u64) -> bool {
        match self {
            LogEvery::Auto => epoch.is_power_of_two(),
            LogEvery::Epochs(0) => false,
            LogEvery::Epochs(every) => epoch == 1 || epoch.is_multiple_of(every),
        }
    }
}

impl Train {
    /// Returns whether the samples come from files.
    pub fn has_files(&self) -> bool {
        !self.data.is_empty() || self.columns.x.is_some() || self.columns.y.is_some()
    }

    /// Returns the same without the files that the first rank writes.
    pub fn without_files(&self) -> Self {
        let mut args = self.clone();
        args.output.plot = None;
        args.output.history = None;
        args.output.save = None;
        args.checkpoints.checkpoint = None;
        args
    }

    /// Checks that one run can be done by several ranks.
    ///
    /// # Errors
    /// [`Error::Usage`] for a list, for what shows all samples, and for standard input, which one rank alone has.
    pub fn check_for_ranks(&self) -> Result<(), Error> {
        let draws_samples = |panel: &&Panel| **panel != Panel::Loss;
        let standard_input = self.data.iter().any(|path| path == Path::new("-"));
        let refused = [
            ("a list of losses or rates", self.runs()?.len() > 1),
            ("--report", self.output.report.is_some()),
            (
                "--plot of samples or of a surface (--plot loss=FILE goes)",
                self.panels().iter().any(|panel| draws_samples(&panel)),
            ),
            ("standard input", standard_input),
            ("--plan (with --ranks N for a job)", self.training.plan),
        ];
        if self.engine.shares.is_some() {
            return Err(Setting::Shares.error("are for one process: ranks have equal shares"));
        }
        match refused.into_iter().find(|(_, asked)| *asked) {
            Some((what, _)) => Err(Error::Usage(format!(
                "{what} needs all samples in one process: leave it out, or start one rank"
            ))),
            None => Ok(()),
        }
    }

    /// Returns the runs that are asked for: one for each loss or each learning rate, by its name if there are several.
    ///
    /// # Errors
    /// [`Error::Usage`] for two lists, and for a file that every run would write.
    pub fn runs(&self) -> Result<Vec<(String, Train)>, Error> {
        let losses = self.training.loss.all()?;
        let rates = &self.descent.learning_rate;
        let (mark, names): (_, Vec<String>) = match (losses.len(), rates.len()) {
            (1, 0 | 1) => return Ok(vec![(String::new(), self.clone())]),
            (1, _) => {
                let name = |rate: &Rate| match rate {
                    Rate::Auto => "auto".to_owned(),
                    Rate::Given(rate) => rate.to_string(),
                };
                ("{rate}", rates.iter().map(name).collect())
            }
            (_, 0 | 1) => (
                "{loss}",
                losses.iter().map(|loss| loss.name().to_owned()).collect(),
            ),
            _ => {
                return Err(Error::Usage(
                    "--loss or --learning-rate may be a list, not both".to_owned(),
                ));
            }
        };
        let alone = [
            ("--plan", self.training.plan),
            ("--resume", self.checkpoints.resume.is_some()),
            ("--report", self.output.report.is_some()),
        ];
        if let Some((flag, _)) = alone.into_iter().find(|(_, given)| *given) {
            return Err(Error::Usage(format!(
                "{flag} is for one loss and one learning rate"
            )));
        }
        let all = names.len();
        let named = |(at, name): (usize, String)| {
            if names[..at].contains(&name) {
                return Err(Error::Usage(format!("{name} is in the list twice")));
            }
            let mut run = self.clone();
            if mark == "{loss}" {
                let loss = losses[at];
                let keeps = |setting| loss.parameter_setting() == Some(setting);
                let choice = &mut run.training.loss;
                choice.named = vec![loss];
                choice.delta = choice.delta.filter(|_| keeps(Setting::Delta));
                choice.quantile = choice.quantile.filter(|_| keeps(Setting::Quantile));
            } else {
                run.descent.learning_rate = vec![rates[at]];
            }
            let output = &mut run.output;
            for (flag, path) in [
                ("--save", &mut output.save),
                ("--history", &mut output.history),
                ("--checkpoint", &mut run.checkpoints.checkpoint),
            ] {
                if let Some(path) = path {
                    let text = path.to_string_lossy().replace(mark, &name);
                    if Path::new(&text) == *path {
                        return Err(Error::Usage(format!(
                            "each of {all} runs would write {flag} {text}: put {mark} into its name"
                        )));
                    }
                    *path = text.into();
                }
            }
            Ok((name, run))
        };
        names.iter().cloned().enumerate().map(named).collect()
    }

    /// Returns the panels of the picture; none without one.
    pub fn panels(&self) -> &[Panel] {
        match &self.output.plot {
            None => &[],
            Some(plot) => match &plot.panels {
                Some(panels) => panels,
                None if self.has_files() => &[Panel::Fit],
                None => &[Panel::Loss],
            },
        }
    }

    /// Returns the epochs that the log shows: none unless it is printed.
    pub fn log_every(&self) -> LogEvery {
        let default = if self.has_files() {
            LogEvery::Auto
        } else {
            LogEvery::Epochs(10)
        };
        match self.output.talks() {
            true => self.output.log_every.unwrap_or(default),
            false => LogEvery::Epochs(0),
        }
    }

    /// Returns the options of the fit.
    ///
    /// # Errors
    /// [`Error::Usage`] for flags that contradict each other.
    pub fn options(&self, resume: Option<Checkpoint>) -> Result<Options, Error> {
        let Train {
            training,
            descent,
            engine,
            checkpoints,
            output,
            synthetic,
            ..
        } = self;
        let on_gpu = &engine.on_gpu;
        let standardize = if training.standardize {
            Some(true)
        } else {
            training.no_standardize.then_some(false)
        };
        let strict = training.strict.then_some(TOLERANCE);
        let draws = output.plot.is_some() || output.report.is_some();
        let mut loss = training.loss.get()?;
        let delta_in_noise = loss.threshold().is_some() && training.loss.delta.is_none();
        if delta_in_noise {
            loss = loss.with_parameter(Some(DELTA_IN_NOISE))?;
        }
        Ok(Options {
            loss,
            delta_in_noise,
            optimizer: descent.optimizer,
            learning_rate: descent.learning_rate.first().copied(),
            schedule: descent.schedule,
            force: descent.force,
            sync_every: descent.sync_every,
            epochs: training.epochs,
            tolerance: training.tolerance.or(strict),
            patience: training.patience,
            standardize,
            start_w: training.init_w,
            start_b: training.init_b,
            seed: synthetic.seed,
            engine: engine.engine,
            adapter: engine.adapter.clone(),
            shares: engine.shares.clone(),
            storage: on_gpu.storage,
            tune: !on_gpu.no_tune,
            device_memory: engine.device_memory,
            history: output.history.is_some() || draws,
            // One's own data may hold anything. Drawn samples are as the recipe says, and drawing them again takes time.
            measure: self.has_files()
                || output.talks()
                || draws
                || output.format == Format::Json
                || output.save.is_some(),
            variance: training.errors,
            confidence: training.confidence,
            checkpoint: checkpoints.checkpoint.clone(),
            checkpoint_every: checkpoints.checkpoint_every,
            resume,
        })
    }
}

impl Output {
    /// Returns whether the headline and epochs are printed, not the result alone.
    pub fn talks(&self) -> bool {
        self.format == Format::Text && !self.quiet
    }
}
