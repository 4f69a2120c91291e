//! The flags of `predict` and `generate`.

use std::path::PathBuf;

use clap::Args;
use fall_line::data::uncertainty::Holds;

use super::parse::threads;
use super::{Columns, EXIT_CODES, Format, Synthetic};

const PREDICT_EXAMPLES: &str = "\
Examples:
  fall-line predict model.json new.csv -o predicted.csv
  fall-line predict model.json --at 20 --at 35 --interval
  cat new.csv | fall-line predict model.json - | head";

#[derive(Debug, Args)]
#[command(
    after_help = PREDICT_EXAMPLES,
    after_long_help = format!("{PREDICT_EXAMPLES}\n\n{EXIT_CODES}"),
    allow_negative_numbers = true
)]
pub struct Predict {
    /// The line: a file that `train --save` wrote
    #[arg(value_name = "MODEL.json")]
    pub model: PathBuf,
    /// Files with x: text, Parquet or NPY; - is standard input
    #[arg(value_name = "DATA", required_unless_present_any = ["x", "at"], conflicts_with = "at")]
    pub data: Vec<PathBuf>,
    #[command(flatten)]
    pub columns: Columns,
    /// Predict at this x, instead of reading files
    ///
    /// May be given several times. For a line over dates, x may be one: 2024-03-20.
    #[arg(long, value_name = "X", conflicts_with_all = ["x", "output"], allow_hyphen_values = true)]
    pub at: Vec<String>,
    /// Write to FILE.csv, FILE.parquet or FILE.npy
    ///
    /// The file has all columns of DATA, then `prediction`, `residual` (y less the prediction) if DATA has y, and `lower` and
    /// `upper` with --interval. Without --output they go to standard output as CSV.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Add the interval that holds a new y, or the line
    ///
    /// It holds with the confidence that the model was trained with. y, the default, is for mse.
    #[arg(long, value_name = "OF", num_args = 0..=1, default_missing_value = "y", require_equals = true)]
    pub interval: Option<Holds>,
    /// Format of the summary: text, json
    ///
    /// json prints it in place of the predictions.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// Print only the result and errors
    #[arg(long, short)]
    pub quiet: bool,
    /// Threads for reading, up to 1024 [default: all cores]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
}

const GENERATE_EXAMPLES: &str = "\
Examples:
  fall-line generate samples.csv --samples 1000
  fall-line generate samples.parquet --samples 1e7 --outliers 0.1
  fall-line generate tutorial.npy --samples 100 --generator numpy";

#[derive(Debug, Args)]
#[command(
    after_help = GENERATE_EXAMPLES,
    after_long_help = format!("{GENERATE_EXAMPLES}\n\n{EXIT_CODES}"),
    allow_negative_numbers = true
)]
pub struct Generate {
    /// FILE.csv, FILE.parquet or FILE.npy
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub synthetic: Synthetic,
    /// Print only errors
    #[arg(long, short)]
    pub quiet: bool,
    /// Threads for drawing, up to 1024 [default: all cores]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
}
