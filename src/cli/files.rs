//! The flags of `predict` and `generate`.

use std::path::PathBuf;

use clap::Args;

use super::parse::threads;
use super::{Columns, EXIT_CODES, Format, Synthetic};

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES, allow_negative_numbers = true)]
pub struct Predict {
    /// The line: what `train --save` wrote
    #[arg(value_name = "MODEL.json")]
    pub model: PathBuf,
    /// CSV, TSV, Parquet or NPY file with x, - for standard input
    #[arg(value_name = "DATA", required_unless_present = "x")]
    pub data: Option<PathBuf>,
    #[command(flatten)]
    pub columns: Columns,
    /// Write x, y where it is given, and the prediction to FILE.csv, FILE.parquet or FILE.npy
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How to print how many there are and how well the line fits; json does that in place of printing the predictions
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// Print the result and errors, nothing else
    #[arg(long, short)]
    pub quiet: bool,
    /// Threads of reading, up to 1024 [default: all cores]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
}

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES, allow_negative_numbers = true)]
pub struct Generate {
    /// FILE.csv, FILE.parquet or FILE.npy
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub synthetic: Synthetic,
    /// Print errors, nothing else
    #[arg(long, short)]
    pub quiet: bool,
    /// Threads of drawing, up to 1024 [default: all cores]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
}
