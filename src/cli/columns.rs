//! The flags of a file's columns, in `train`, `predict` and `moments`.

use std::path::{Path, PathBuf};

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};
use fall_line::error::TableKind;
use fall_line::table::Request;

use super::parse::*;

/// The columns of x and y in a file, in `train`, `predict` and `moments`.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Your own data")]
pub struct Columns {
    /// Column of x, by name or by position from 1
    ///
    /// A file needs neither --x nor --y if its columns are called so, or if just two are numeric. Without DATA, --x and --y are
    /// .npy files of one column each.
    #[arg(long, value_name = "COL")]
    pub x: Option<String>,
    /// Column of y, by name or by position from 1
    #[arg(long, value_name = "COL")]
    pub y: Option<String>,
    /// Leave out rows that can't be used
    ///
    /// They are counted by reason. Without it, the first such row is an error that names it. Rows with a missing value are
    /// always left out.
    #[arg(long)]
    pub skip_bad: bool,
    /// Sign of a missing value, besides empty, NA, NaN and null
    ///
    /// A number stands for any way to write it: -9999 for -9999.0 too. Several are separated by commas, or given one by one.
    #[arg(
        long,
        value_name = "TEXT,...",
        value_delimiter = ',',
        allow_hyphen_values = true,
        hide_short_help = true
    )]
    pub missing: Vec<String>,
    /// Format of the file: csv, parquet, npy [default: by its first bytes]
    #[arg(long, value_name = "FORMAT", requires = "data", hide_short_help = true)]
    pub input_format: Option<TableKind>,
    /// Separator of a text file's columns: one character, tab or space [default: detected]
    ///
    /// A space stands for any number of spaces and tabs. Commas, semicolons, tabs, vertical bars and blanks are detected.
    #[arg(long, value_name = "CHAR", value_parser = delimiter, requires = "data", hide_short_help = true)]
    pub delimiter: Option<u8>,
    /// Header of a text file: its first line names the columns
    #[arg(
        long,
        default_value = "auto",
        requires = "data",
        hide_short_help = true
    )]
    pub header: HeaderChoice,
    /// Lines of a text file to leave out before its table
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        requires = "data",
        hide_short_help = true
    )]
    pub skip_lines: u64,
    /// Mark of the lines of a text file that are comments [default: #]
    #[arg(long, value_name = "MARK", requires = "data", hide_short_help = true, value_parser = NonEmptyStringValueParser::new())]
    pub comment: Option<String>,
    /// Sign before decimals in a text file: . or , [default: detected]
    ///
    /// The other one may part thousands.
    #[arg(long, value_name = "SIGN", value_parser = decimal, requires = "data", hide_short_help = true)]
    pub decimal: Option<u8>,
    /// Format of dates in a text file, as strftime has it: %d/%m/%Y [default: detected]
    #[arg(long, value_name = "FORMAT", requires = "data", hide_short_help = true)]
    pub date_format: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HeaderChoice {
    /// Yes if none of its fields is a number, or if it holds a name that --x or --y asks for
    Auto,
    /// The first line names the columns
    Yes,
    /// The first line is a sample
    No,
}

impl Columns {
    /// Returns the files that are read: DATA, or without it those of the columns.
    pub fn files<'a>(&'a self, data: &'a [PathBuf]) -> impl Iterator<Item = &'a Path> {
        let own = [&self.x, &self.y].into_iter().flatten().map(Path::new);
        let own = own.filter(|_| data.is_empty());
        data.iter().map(PathBuf::as_path).chain(own)
    }

    /// Returns what to look for in a file.
    pub fn request(&self) -> Request<'_> {
        Request {
            x: self.x.as_deref(),
            y: self.y.as_deref(),
            x_of_model: false,
            y_of_model: false,
            x_alone: false,
            is_part: false,
            skip_bad: self.skip_bad,
            missing: &self.missing,
            kind: self.input_format,
            delimiter: self.delimiter,
            header: match self.header {
                HeaderChoice::Auto => None,
                HeaderChoice::Yes => Some(true),
                HeaderChoice::No => Some(false),
            },
            skip_lines: self.skip_lines,
            comment: self.comment.as_deref(),
            decimal: self.decimal,
            date_format: self.date_format.as_deref(),
            ranks: None,
        }
    }
}
