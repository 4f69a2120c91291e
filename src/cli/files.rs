//! The flags of `predict` and `generate`.

use std::path::PathBuf;

use clap::Args;

use super::parse::threads;
use super::{Columns, EXIT_CODES, Format, Synthetic};

const PREDICT_EXAMPLES: &str = "\
Examples:
  fall-line predict model.json new.csv -o predicted.csv
  fall-line predict model.json cars.csv --y dist --format json
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
    /// CSV, TSV, Parquet or NPY file with x; - reads standard input
    #[arg(value_name = "DATA", required_unless_present = "x")]
    pub data: Option<PathBuf>,
    #[command(flatten)]
    pub columns: Columns,
    /// Write to FILE.csv, FILE.parquet or FILE.npy
    ///
    /// Columns: x, y if --y names it, and the prediction. Without --output they go to standard output as CSV.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
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
