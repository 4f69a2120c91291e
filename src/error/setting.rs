//! The options that errors name.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use super::Error;

/// An option of a fit, of synthetic data, or of reading a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Setting {
    /// The adapter of the GPU engine.
    Adapter,
    /// The interval between two checkpoints.
    CheckpointEvery,
    /// The mark of comments in a text file.
    Comment,
    /// The confidence of intervals.
    Confidence,
    /// The format of dates in a text file.
    DateFormat,
    /// The byte before decimals in a text file.
    Decimal,
    /// δ of the huber loss.
    Delta,
    /// The delimiter of a text file.
    Delimiter,
    /// The device memory for samples.
    DeviceMemory,
    /// The estimate of the errors.
    Errors,
    /// The consent to a learning rate above its limit.
    Force,
    /// The generator of synthetic data.
    Generator,
    /// The header of a text file.
    Header,
    /// The learning rate.
    LearningRate,
    /// The loss.
    Loss,
    /// The standard deviation of synthetic noise.
    Noise,
    /// The optimizer.
    Optimizer,
    /// The share of synthetic outliers.
    Outliers,
    /// Epochs without improvement before a run ends.
    Patience,
    /// τ of the quantile loss.
    Quantile,
    /// The number of synthetic samples.
    Samples,
    /// The learning rate's schedule.
    Schedule,
    /// The seed of synthetic data.
    Seed,
    /// The shares of several adapters.
    Shares,
    /// The lines before a text file's table.
    SkipLines,
    /// The standardising of samples.
    Standardize,
    /// The storage format of samples on a GPU.
    Storage,
    /// Epochs between two read-backs.
    SyncEvery,
    /// The relative improvement of the loss that counts.
    Tolerance,
    /// The column, or the file, of x.
    X,
    /// The range of synthetic x.
    XRange,
    /// The column, or the file, of y.
    Y,
}

impl Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Setting::Adapter => "the adapter",
            Setting::CheckpointEvery => "the interval of checkpoints",
            Setting::Comment => "the mark of comments",
            Setting::Confidence => "the confidence",
            Setting::DateFormat => "the format of dates",
            Setting::Decimal => "the sign before decimals",
            Setting::Delta => "the huber loss's δ",
            Setting::Delimiter => "the delimiter",
            Setting::DeviceMemory => "the device memory for samples",
            Setting::Errors => "the estimate of the errors",
            Setting::Force => "ignoring the learning rate's limit",
            Setting::Generator => "the generator",
            Setting::Header => "the header option",
            Setting::LearningRate => "the learning rate",
            Setting::Loss => "the loss",
            Setting::Noise => "the noise",
            Setting::Optimizer => "the optimizer",
            Setting::Outliers => "the share of outliers",
            Setting::Patience => "the patience",
            Setting::Quantile => "the quantile loss's τ",
            Setting::Samples => "the number of samples",
            Setting::Schedule => "the schedule",
            Setting::Seed => "the seed",
            Setting::Shares => "the shares of the adapters",
            Setting::SkipLines => "the number of lines to skip",
            Setting::Standardize => "standardising",
            Setting::Storage => "the storage format",
            Setting::SyncEvery => "the number of epochs between read-backs",
            Setting::Tolerance => "the tolerance",
            Setting::X => "the column of x",
            Setting::XRange => "the range of x",
            Setting::Y => "the column of y",
        })
    }
}

impl Setting {
    /// Returns the error that this setting has a problem, worded for use after the setting's name.
    pub fn error(self, problem: impl Into<String>) -> Error {
        Error::Setting {
            setting: self,
            problem: problem.into(),
        }
    }
}
