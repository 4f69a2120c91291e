//! The parts of a file that errors name: its columns, and rows that can't be used.

use std::borrow::Cow;
use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use super::Setting;

/// x or y.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// x.
    X,
    /// y.
    Y,
}

impl Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Axis::X => "x",
            Axis::Y => "y",
        })
    }
}

/// One of the axes, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Axes {
    /// x alone.
    X,
    /// y alone.
    Y,
    /// x and y.
    Both,
}

impl Axes {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Axes::X => "x",
            Axes::Y => "y",
            Axes::Both => "x and which is y",
        }
    }
}

/// Why a row can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Reason {
    /// The value is missing: a null, or an empty field.
    Missing,
    /// The text is not a number.
    NotANumber,
    /// The text is a number in another dress: with thousands separators, a percent or a currency sign.
    Dressed,
    /// The value is infinite, or NaN where that is no sign of a missing one.
    NotFinite,
    /// The value is beyond the range of f64.
    BeyondF64,
    /// The row has more or fewer fields than the first one.
    Fields,
    /// The row's quotes are not those of CSV.
    Quotes,
}

impl Display for Reason {
    /// Writes the reason, for use after the value: `is not a number`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Missing => "is missing",
            Reason::NotANumber => "is not a number",
            Reason::Dressed => "is a number with separators, a percent or a currency sign",
            Reason::NotFinite => "is not finite",
            Reason::BeyondF64 => "is beyond the range of f64 (1.8e308)",
            Reason::Fields => "has another number of fields than the first row",
            Reason::Quotes => "has quotes that are not those of CSV",
        })
    }
}

impl Reason {
    /// Returns why a value can't be used, or `None` if it can.
    pub fn of(value: f64) -> Option<Reason> {
        if value.is_nan() {
            Some(Reason::Missing)
        } else if value.is_infinite() {
            Some(Reason::NotFinite)
        } else {
            None
        }
    }

    /// Returns whether such a row is left out, where `skip_bad` leaves out what is no error of the whole file.
    ///
    /// Rows with missing values always are. Numbers in another dress never are, because they are mostly the largest ones, nor is
    /// a row after which quotes may be of any row.
    pub fn is_left_out(self, skip_bad: bool) -> bool {
        match self {
            Reason::Missing => true,
            Reason::Dressed | Reason::Quotes => false,
            Reason::NotANumber | Reason::NotFinite | Reason::BeyondF64 | Reason::Fields => skip_bad,
        }
    }
}

/// A row of a file that can't be used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowError {
    /// The file.
    pub file: String,
    /// The place of the row.
    pub row: Row,
    /// The column, as the file names it: `column "speed"`; `None` if the fault is not in one column.
    pub column: Option<String>,
    /// The value as it stands in the file, quoted if it is text; empty if nothing stands there.
    pub text: String,
    /// Why it can't be used.
    pub reason: Reason,
    /// A remedy, with the separator that it begins with.
    pub hint: Option<String>,
}

impl Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RowError {
            file,
            row,
            column,
            text,
            reason,
            hint,
        } = self;
        write!(f, "{file}, {row}")?;
        if let Some(column) = column {
            write!(f, ", {column}")?;
        }
        match reason {
            Reason::Fields | Reason::Quotes => write!(f, ": {text}")?,
            Reason::Missing if text.is_empty() => write!(f, ": the value {reason}")?,
            Reason::Missing => write!(f, ": {text} stands for a missing value")?,
            _ => write!(f, ": {text} {reason}")?,
        }
        if self.may_be_header() {
            f.write_str("; the line may name the columns")?;
        }
        f.write_str(hint.as_deref().unwrap_or_default())
    }
}

impl RowError {
    /// Returns whether the row may be a header that was taken for a sample.
    pub fn may_be_header(&self) -> bool {
        self.row == Row::Line(1) && self.reason == Reason::NotANumber && self.hint.is_none()
    }
}

/// The place of a row in a file, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Row {
    /// A line of a text file.
    Line(u64),
    /// A row of a table.
    Row(u64),
}

impl Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Row::Line(line) => write!(f, "line {line}"),
            Row::Row(row) => write!(f, "row {row}"),
        }
    }
}

/// A text that may be read in two ways.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ambiguity {
    /// The file.
    pub file: String,
    /// Its line, from 1.
    pub line: u64,
    /// The text, in quotes.
    pub text: String,
    /// The option that says which.
    pub setting: Setting,
    /// What it may be.
    pub readings: [String; 2],
}

impl Display for Ambiguity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ambiguity {
            file, line, text, ..
        } = self;
        let [one, other] = &self.readings;
        write!(f, "{file}, line {line}: {text} may be {one} or {other}")
    }
}

/// The byte between two columns of a text file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delimiter(pub u8);

impl Display for Delimiter {
    /// Writes `tab`, or the byte in quotes: `';'`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            b'\t' => f.write_str("tab"),
            other => write!(f, "'{}'", char::from(other)),
        }
    }
}

/// A kind of file that holds columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum TableKind {
    /// Text with columns, plain or compressed with gzip or zstd.
    #[default]
    #[cfg_attr(feature = "cli", value(name = "csv"))]
    Text,
    /// Apache Parquet.
    Parquet,
    /// NumPy's NPY.
    Npy,
}

/// A column of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedColumn {
    /// Its name; empty if it has none.
    pub name: String,
    /// `true` if it holds numbers.
    pub numeric: bool,
    /// The first text in it that is no number, in quotes; `None` if that is not known.
    pub example: Option<String>,
}

/// The columns of a file, for an error that lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnList {
    /// The columns, in the file's order.
    pub columns: Vec<NamedColumn>,
    /// Why they have positions and no names, for use after a comma: `without a header`; `None` if they have names.
    pub unnamed: Option<Cow<'static, str>>,
    /// The kind of the file.
    pub kind: TableKind,
}

impl Display for ColumnList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        let why = self.unnamed.as_ref().map(|why| format!(", {why}"));
        write!(f, "its columns are{}: ", why.unwrap_or_default())?;
        for (at, column) in self.columns.iter().enumerate().take(SHOWN) {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{}", at + 1)?;
            if self.unnamed.is_none() {
                write!(f, " {:?}", column.name)?;
            }
            match &column.example {
                _ if column.numeric => {}
                Some(example) => write!(f, " (not numeric: {example})")?,
                None => f.write_str(" (not numeric)")?,
            }
        }
        match self.columns.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
