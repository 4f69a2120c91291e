//! The flags of `moments` and `merge`.

use std::path::PathBuf;

use clap::Args;

use super::parse::{at_least_one, share, threads};
use super::{Columns, EXIT_CODES, Format};

const MOMENTS_EXAMPLES: &str = "\
Examples:
  fall-line moments part-7.parquet --x speed --y dist -o part-7.json
  printf '%s\\n' *.csv | xargs -P 4 -I {} fall-line moments {} --x 1 --y 2 -o {}.json";

#[derive(Debug, Args)]
#[command(
    after_help = MOMENTS_EXAMPLES,
    after_long_help = format!("{MOMENTS_EXAMPLES}\n\n{EXIT_CODES}")
)]
pub struct Moments {
    /// Files: text, Parquet or NPY; - is standard input
    ///
    /// Several files, a folder or a pattern such as 'part-*.csv' are one part. A part may have no sample at all.
    #[arg(value_name = "DATA", required_unless_present = "x")]
    pub data: Vec<PathBuf>,
    #[command(flatten)]
    pub columns: Columns,
    /// Write the moments to FILE (JSON), for `fall-line merge`
    ///
    /// Without it they go to standard output.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print only the result, warnings and errors
    #[arg(long, short)]
    pub quiet: bool,
    /// Threads for reading, up to 1024 [default: all cores]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
}

const MERGE_EXAMPLES: &str = "\
Examples:
  fall-line merge part-*.json --expect 128 --save model.json
  fall-line merge monday.json tuesday.json -o both.json";

#[derive(Debug, Args)]
#[command(
    after_help = MERGE_EXAMPLES,
    after_long_help = format!("{MERGE_EXAMPLES}\n\n{EXIT_CODES}")
)]
pub struct Merge {
    /// Files that `fall-line moments` or this command wrote
    ///
    /// A folder stands for the files in it, and a pattern such as 'part-*.json' for those that match.
    #[arg(value_name = "PART.json", required = true)]
    pub parts: Vec<PathBuf>,
    /// Fail unless there are N parts
    ///
    /// Merged files count with all their parts.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub expect: Option<u64>,
    /// Write the moments of all to FILE (JSON)
    ///
    /// They can be merged on, and need not have a line yet.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write the line to FILE (JSON), for `fall-line predict`
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Confidence of the errors' intervals: 0.95, 99%
    #[arg(long, value_name = "SHARE", default_value = "0.95", value_parser = share, hide_short_help = true)]
    pub confidence: f64,
    /// Format of the result: text, json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// Print only the result, warnings and errors
    #[arg(long, short)]
    pub quiet: bool,
}
