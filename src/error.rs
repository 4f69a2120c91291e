//! Errors: a variant for each cause that a caller could act on.
//!
//! The text of each is one line that says what is wrong, where, and what to do. None names a flag of
//! the program: that adds the flag that helps where it prints the error.

use std::fmt::{self, Display};
use std::io;
use std::path::PathBuf;

use crate::model::Model;

/// A failure of the library.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or stream can't be read or written, or the operating system refuses something else.
    #[error("{doing}: {source}")]
    Io {
        /// The operation that failed, with the path: `cannot read cars.csv`.
        doing: String,
        /// The answer of the operating system.
        source: io::Error,
    },
    /// Host memory is too small.
    #[error("{what} need {} MB{}: out of memory", .needed / 1_000_000, of_available(*.available))]
    Memory {
        /// The samples that need the memory: `1000000 samples`.
        what: String,
        /// Bytes needed.
        needed: u64,
        /// Bytes available, if known.
        available: Option<u64>,
    },

    /// The call makes no sense, for a reason that no variant below names.
    #[error("{0}")]
    Usage(String),
    /// An option has a value that is out of range, or that does not go with another one.
    #[error("{setting} {problem}")]
    Setting {
        /// The option at fault.
        setting: Setting,
        /// The problem, for use after the setting's name: `must be at least 1`.
        problem: String,
    },
    /// An option is for GPU engines, and none is timed.
    #[error("{0} is for GPU engines, and none is timed")]
    NoGpuEngine(Setting),
    /// A constant learning rate at which gradient descent does not settle on these data.
    #[error(
        "learning rate {rate} is too large: above {} {optimizer} on {loss} diverges on these data; try {}",
        four_digits(*.limit), four_digits(*.suggested)
    )]
    LearningRate {
        /// The rate that was asked for.
        rate: f64,
        /// The rate from which on the steps grow.
        limit: f64,
        /// The best constant rate for these data.
        suggested: f64,
        /// The optimizer's name.
        optimizer: String,
        /// The loss, with its parameter.
        loss: String,
        /// `true` if the samples are standardised.
        standardized: bool,
    },
    /// A checkpoint belongs to a run with other data or options.
    #[error(
        "{} belongs to another run, which differs in {}; resume with the data and options that it was written with",
        .path.display(), .differences.join(", ")
    )]
    OtherRun {
        /// The checkpoint.
        path: PathBuf,
        /// The names of what differs.
        differences: Vec<String>,
    },

    /// The data can't be used, for a reason that no variant below names.
    #[error("{0}")]
    Data(String),
    /// A file has no column of this name or at this position.
    #[error("{file} has no column {wanted:?}; {columns}")]
    NoColumn {
        /// The file.
        file: String,
        /// The name or position that was asked for.
        wanted: String,
        /// The columns that there are.
        columns: ColumnList,
    },
    /// A file has several columns of this name.
    #[error("{file} has more than one column {wanted:?}; choose by position: {columns}")]
    DuplicateColumn {
        /// The file.
        file: String,
        /// The name that was asked for.
        wanted: String,
        /// The columns that there are.
        columns: ColumnList,
    },
    /// The columns of x and y are not clear without being named.
    #[error("{}", columns_needed(.file, *.needed, .columns))]
    ColumnsNeeded {
        /// The file.
        file: String,
        /// The columns that have to be named.
        needed: Axes,
        /// The columns that there are.
        columns: ColumnList,
    },
    /// A text file separates its columns by something other than the delimiter that it was read with.
    #[error("{file} seems to separate its columns by {suspected}, not by {taken}{}", with_commas(*.decimal_commas))]
    OtherDelimiter {
        /// The file.
        file: String,
        /// The delimiter that the file seems to have.
        suspected: Delimiter,
        /// The delimiter that it was read with.
        taken: Delimiter,
        /// True if the file also writes decimals with commas.
        decimal_commas: bool,
    },
    /// A row holds a value that can't be used.
    #[error("{0}")]
    Row(RowError),
    /// A file has too few rows that can be used.
    #[error("{file} has {}{}{}", counted(*.samples, "sample"), enough_for(*.least), left_out(*.skipped, .first.as_deref()))]
    TooFewSamples {
        /// The file.
        file: String,
        /// The samples that there are.
        samples: u64,
        /// The samples needed.
        least: u64,
        /// Rows left out.
        skipped: u64,
        /// The first of those.
        first: Option<Box<RowError>>,
    },
    /// A data set has no samples.
    #[error("{title}: there are no samples")]
    Empty {
        /// The data set.
        title: String,
    },
    /// Columns that should be of one length are not.
    #[error("x has {x} values and y has {y}: they must be of one length")]
    Lengths {
        /// Values of x.
        x: u64,
        /// Values of y.
        y: u64,
    },
    /// A source yielded another number of samples than it promised.
    #[error(
        "{title}: block {block} has {x} values of x and {y} of y, not {promised} of each as the source promised"
    )]
    Block {
        /// The data set.
        title: String,
        /// The position of the block, from 0.
        block: u64,
        /// The samples that its position promises.
        promised: u64,
        /// Values of x.
        x: u64,
        /// Values of y.
        y: u64,
    },
    /// A source yielded a value that is not finite in f32.
    #[error("{title}: {axis} of sample {position} is {value}, which {}", Reason::of(*.value).unwrap_or(Reason::NotFinite))]
    Value {
        /// The data set.
        title: String,
        /// The axis of the value.
        axis: Axis,
        /// The position of the sample, from 0.
        position: u64,
        /// The value.
        value: f64,
    },
    /// x is the same in every sample, at least to the digits that are computed with.
    #[error("{title}: x is {value:?} in every sample{}; a line needs an x that varies", .digits.map(|digits| format!(", to the digits of {digits}")).unwrap_or_default())]
    ConstantX {
        /// The data set.
        title: String,
        /// The value.
        value: f64,
        /// The number format that makes it so: `f32` or `f64`.
        digits: Option<&'static str>,
    },

    /// No adapter can run the GPU engine, or none is the one that was asked for.
    #[error("{}", no_adapter(.wanted.as_deref(), .adapters))]
    NoAdapter {
        /// Part of the name, or the index, that was asked for.
        wanted: Option<String>,
        /// The adapters that there are, with their index.
        adapters: Vec<String>,
    },
    /// An adapter failed, computed wrong sums, or lacks a feature.
    #[error("{adapter}: {problem}")]
    Gpu {
        /// The adapter: name, backend and kind.
        adapter: String,
        /// The problem.
        problem: String,
    },
    /// An adapter has not enough memory.
    #[error("{adapter}: not enough memory{}{}; use fewer samples{} or the CPU engine", of_needed(*.needed), of_available(*.available), if *.drawn { ", another generator" } else { "" })]
    DeviceMemory {
        /// The adapter: name, backend and kind.
        adapter: String,
        /// Bytes needed, if known.
        needed: Option<u64>,
        /// Bytes available, if known.
        available: Option<u64>,
        /// `true` if the samples are drawn on the device. Those of another generator can be streamed through it.
        drawn: bool,
    },

    /// An engine failed while it was timed.
    #[error("{0}")]
    Failed(String),

    /// The loss, w or b is no longer finite.
    #[error(
        "diverged at epoch {epoch}: {what} is not finite; the last finite line is w = {:?}, b = {:?}",
        .last.w, .last.b
    )]
    Diverged {
        /// The epoch, counted from 1.
        epoch: u64,
        /// `the loss`, `w`, `b`, `the gradient`, or `the loss after its update` if only that of the last epoch is not.
        what: &'static str,
        /// The last model whose w and b are finite.
        last: Model,
    },
    /// The run ended before it had converged.
    #[error("{0}")]
    NotConverged(String),
    /// Engines that hold the same samples computed different sums.
    #[error("{0}")]
    Disagree(String),
}

/// An option of a fit, of synthetic data, or of reading a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Setting {
    /// The adapter of the GPU engine.
    Adapter,
    /// The interval between two checkpoints.
    CheckpointEvery,
    /// δ of the huber loss.
    Delta,
    /// The delimiter of a text file.
    Delimiter,
    /// The device memory for samples.
    DeviceMemory,
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
            Setting::Delta => "the huber loss's δ",
            Setting::Delimiter => "the delimiter",
            Setting::DeviceMemory => "the device memory for samples",
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axes {
    /// x alone.
    X,
    /// y alone.
    Y,
    /// x and y.
    Both,
}

impl Axes {
    fn as_str(self) -> &'static str {
        match self {
            Axes::X => "x",
            Axes::Y => "y",
            Axes::Both => "x and which is y",
        }
    }
}

/// Why a row can't be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The value is missing: a null, or an empty field.
    Missing,
    /// The text is not a number.
    NotANumber,
    /// The value is NaN or infinite.
    NotFinite,
    /// The value is beyond the range of f32.
    BeyondF32,
    /// The row has more or fewer fields than the first one.
    Fields,
}

impl Display for Reason {
    /// Writes the reason, for use after the value: `is not a number`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Missing => "is missing",
            Reason::NotANumber => "is not a number",
            Reason::NotFinite => "is not finite",
            Reason::BeyondF32 => "is beyond the range of f32 (3.4e38)",
            Reason::Fields => "has another number of fields than the first row",
        })
    }
}

impl Reason {
    /// Returns why a value can't be used, or `None` if it can.
    pub fn of(value: f64) -> Option<Reason> {
        if !value.is_finite() {
            Some(Reason::NotFinite)
        } else if !(value as f32).is_finite() {
            Some(Reason::BeyondF32)
        } else {
            None
        }
    }
}

/// A row of a file that can't be used.
#[derive(Clone, Debug, PartialEq)]
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
            Reason::Fields => write!(f, ": {text}")?,
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
        self.row == Row::Line(1) && self.reason != Reason::Fields && self.hint.is_none()
    }
}

/// The place of a row in a file, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TableKind {
    /// Text with a delimiter between columns.
    #[default]
    Text,
    /// Apache Parquet.
    Parquet,
    /// NumPy's NPY.
    Npy,
}

/// A column of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedColumn {
    /// Its name; empty if it has none.
    pub name: String,
    /// `true` if it holds numbers.
    pub numeric: bool,
}

/// The columns of a file, for an error that lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnList {
    /// The columns, in the file's order.
    pub columns: Vec<NamedColumn>,
    /// Why they have positions and no names, for use after a comma: `without a header`; `None` if they have names.
    pub unnamed: Option<&'static str>,
    /// The kind of the file.
    pub kind: TableKind,
    /// A remedy, for the end of the list: `write decimals with points`.
    pub note: Option<&'static str>,
}

impl Display for ColumnList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        let why = self.unnamed.map(|why| format!(", {why}"));
        write!(f, "its columns are{}: ", why.unwrap_or_default())?;
        for (at, column) in self.columns.iter().enumerate().take(SHOWN) {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{}", at + 1)?;
            if self.unnamed.is_none() {
                write!(f, " {:?}", column.name)?;
            }
            if !column.numeric {
                f.write_str(" (not numeric)")?;
            }
        }
        match self.columns.len().saturating_sub(SHOWN) {
            0 => {}
            more => write!(f, " and {more} more")?,
        }
        match self.note {
            None => Ok(()),
            Some(note) => write!(f, "; {note}"),
        }
    }
}

impl Error {
    /// Returns a function that turns the operating system's answer to reading `what`, a path or a place in a file, into
    /// an error.
    pub(crate) fn cannot_read(
        what: &(impl Display + ?Sized),
    ) -> impl Fn(io::Error) -> Error + Copy {
        move |source| Error::Io {
            doing: format!("cannot read {what}"),
            source,
        }
    }

    /// Returns the program's exit code for this error: 1 I/O and memory, 2 options, 3 data, 4 GPU, 5 diverged,
    /// 6 not converged, 7 engines disagree.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Io { .. } | Error::Memory { .. } => 1,
            Error::Usage(_)
            | Error::Setting { .. }
            | Error::NoGpuEngine(_)
            | Error::LearningRate { .. }
            | Error::OtherRun { .. } => 2,
            Error::Data(_)
            | Error::NoColumn { .. }
            | Error::DuplicateColumn { .. }
            | Error::ColumnsNeeded { .. }
            | Error::OtherDelimiter { .. }
            | Error::Row(_)
            | Error::TooFewSamples { .. }
            | Error::Empty { .. }
            | Error::Lengths { .. }
            | Error::Block { .. }
            | Error::Value { .. }
            | Error::ConstantX { .. } => 3,
            Error::NoAdapter { .. }
            | Error::Gpu { .. }
            | Error::DeviceMemory { .. }
            | Error::Failed(_) => 4,
            Error::Diverged { .. } => 5,
            Error::NotConverged(_) => 6,
            Error::Disagree(_) => 7,
        }
    }
}

/// Returns a positive number to four digits, rounded down: a limit is not raised.
fn four_digits(value: f64) -> f64 {
    let unit = 10_f64.powf(value.log10().floor() - 3.0);
    let text = format!("{:.3e}", (value / unit).floor() * unit);
    text.parse().unwrap_or(value)
}

/// Returns `1 sample`, `2 samples`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

fn columns_needed(file: &str, needed: Axes, columns: &ColumnList) -> String {
    if columns.columns.len() == 1 {
        return format!("{file} has one column, and a line needs x and y");
    }
    let needed = needed.as_str();
    format!("{file}: cannot tell which column is {needed}; choose by name or position: {columns}")
}

fn with_commas(decimal_commas: bool) -> &'static str {
    if decimal_commas {
        ", and to write decimals with commas: write them with points"
    } else {
        ""
    }
}

fn enough_for(least: u64) -> &'static str {
    if least > 1 {
        "; a line needs at least two"
    } else {
        ""
    }
}

fn left_out(rows: u64, first: Option<&RowError>) -> String {
    match (rows, first) {
        (_, None) => String::new(),
        (1, Some(first)) => format!("; 1 row was left out: {first}"),
        (rows, Some(first)) => format!("; {rows} rows were left out, the first: {first}"),
    }
}

fn of_needed(bytes: Option<u64>) -> String {
    bytes
        .map(|bytes| format!(": {} MB needed", bytes / 1_000_000))
        .unwrap_or_default()
}

fn of_available(bytes: Option<u64>) -> String {
    bytes
        .map(|bytes| format!(", {} MB available", bytes / 1_000_000))
        .unwrap_or_default()
}

fn no_adapter(wanted: Option<&str>, adapters: &[String]) -> String {
    const REMEDY: &str = "on Debian and Ubuntu, `apt-get install mesa-vulkan-drivers` brings a software adapter; \
         the CPU engine needs none";
    match (wanted, adapters) {
        (Some(wanted), [_, ..]) => format!(
            "no adapter matches {wanted:?}; there are: {}; {REMEDY}",
            adapters.join("; ")
        ),
        _ => {
            let narrowed = match std::env::var("WGPU_BACKEND") {
                Ok(backend) => format!(" among those that WGPU_BACKEND={backend} leaves"),
                Err(_) => String::new(),
            };
            format!("no GPU adapter found{narrowed}; {REMEDY}")
        }
    }
}
