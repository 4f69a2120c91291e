//! Errors: a variant for each cause that a caller could act on.
//!
//! The text of each is one line that says what is wrong, where, and what to do. None names a flag of
//! the program: that adds the flag that helps where it prints the error.

use std::fmt::Display;
use std::io;
use std::path::PathBuf;

pub use self::file::*;
pub use self::setting::Setting;
use crate::model::Model;

mod file;
mod setting;

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
    #[error("{what} need {}{}: out of memory", megabytes(*.needed), of_available(*.available))]
    Memory {
        /// The samples that need the memory: `1000000 samples`.
        what: String,
        /// Bytes needed.
        needed: u64,
        /// Bytes available, if known.
        available: Option<u64>,
    },

    /// A rank of a job is lost, or the library that connects the ranks failed.
    #[error("{0}")]
    Ranks(String),

    /// Another rank of the job has ended with an error, which it tells itself.
    #[error("rank {rank} has ended with an error")]
    OtherRank {
        /// The rank.
        rank: usize,
        /// Its exit code.
        code: u8,
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
    /// A number or date of a text file may be read in two ways.
    #[error("{0}")]
    Ambiguous(Ambiguity),
    /// A row holds a value that can't be used.
    #[error("{0}")]
    Row(RowError),
    /// A file has too few rows that can be used.
    #[error("{file} {} {}{}{}", has(.file), counted(*.samples, "sample"), enough_for(*.least), left_out(*.skipped, .first.as_deref()))]
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
    /// A source yielded a value that is not finite, or not in f32, as an engine needs it.
    #[error("{title}: {axis} of sample {position} is {value}, which is {}", if .value.is_finite() { "beyond the range of f32 (3.4e38)" } else { "not finite" })]
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
    #[error("{}", no_adapter(.wanted.as_deref(), .adapters, .backends.as_deref()))]
    NoAdapter {
        /// Part of the name, or the index, that was asked for.
        wanted: Option<String>,
        /// The adapters that there are, with their index.
        adapters: Vec<String>,
        /// The value of `WGPU_BACKEND`, which leaves out adapters of other backends.
        backends: Option<String>,
    },
    /// Several adapters are meant by a name.
    #[error("{wanted:?} matches several adapters: {}; name one by its index, or with its backend", .adapters.join("; "))]
    ManyAdapters {
        /// The name that was asked for.
        wanted: String,
        /// The adapters that it matches, with their index.
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
    /// A device was lost: its driver was reset or updated, or the adapter was removed.
    #[error(
        "{adapter}: the device was lost{}; look for its driver, {driver}, in the system's log, or use another adapter or the CPU engine",
        if .reason.is_empty() { String::new() } else { format!(": {}", .reason) }
    )]
    DeviceLost {
        /// The adapter: name, backend and kind.
        adapter: String,
        /// The driver's name and version.
        driver: String,
        /// The reason that the driver gives, if any.
        reason: String,
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

    /// An engine failed while it was timed, or an adapter failed its examination.
    #[error("{0}")]
    Failed(String),

    /// The loss, w or b is no longer finite.
    #[error("diverged at epoch {epoch}: {what} is not finite{}", last_finite(.last))]
    Diverged {
        /// The epoch, counted from 1.
        epoch: u64,
        /// `the loss`, `w`, `b`, `the gradient`, or `the loss after its update` if only that of the last epoch is not.
        what: &'static str,
        /// The last model whose w and b are finite, in the coordinates of the descent. Outside them they may overflow.
        last: Model,
    },
    /// Descent at a constant rate ended above its first loss, though within the range of f64.
    #[error(
        "diverged: the loss has risen from {first:.4e} to {last:.4e} over {}; the learning rate is too large",
        counted(*epochs, "epoch")
    )]
    Rose {
        /// The epochs.
        epochs: u64,
        /// The loss before the first epoch.
        first: f64,
        /// The loss after the last one.
        last: f64,
    },
    /// The run ended before it had converged.
    #[error("{0}")]
    NotConverged(String),
    /// Engines that hold the same samples computed different sums.
    #[error("{0}")]
    Disagree(String),
    /// An engine is slower than it was, beyond the spreads of both figures.
    #[error("{0}")]
    Slower(String),
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

    /// Returns the program's exit code: 1 I/O, memory and ranks, 2 options, 3 data, 4 GPU, 5 diverged,
    /// 6 not converged, 7 engines disagree, 8 slower than before.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Io { .. } | Error::Memory { .. } | Error::Ranks(_) => 1,
            Error::OtherRank { code, .. } => *code,
            Error::Usage(_)
            | Error::Setting { .. }
            | Error::NoGpuEngine(_)
            | Error::LearningRate { .. }
            | Error::OtherRun { .. } => 2,
            Error::Data(_)
            | Error::NoColumn { .. }
            | Error::DuplicateColumn { .. }
            | Error::ColumnsNeeded { .. }
            | Error::Ambiguous(_)
            | Error::Row(_)
            | Error::TooFewSamples { .. }
            | Error::Empty { .. }
            | Error::Lengths { .. }
            | Error::Block { .. }
            | Error::Value { .. }
            | Error::ConstantX { .. } => 3,
            Error::NoAdapter { .. }
            | Error::ManyAdapters { .. }
            | Error::Gpu { .. }
            | Error::DeviceLost { .. }
            | Error::DeviceMemory { .. }
            | Error::Failed(_) => 4,
            Error::Diverged { .. } | Error::Rose { .. } => 5,
            Error::NotConverged(_) => 6,
            Error::Disagree(_) => 7,
            Error::Slower(_) => 8,
        }
    }
}

/// Returns a positive number to four digits, rounded down: a limit is not raised.
fn four_digits(value: f64) -> f64 {
    let unit = 10_f64.powf(value.log10().floor() - 3.0);
    let text = format!("{:.3e}", (value / unit).floor() * unit);
    text.parse().unwrap_or(value)
}

/// Returns `1 sample`, `2,000 samples`.
pub fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(count))
}

/// Returns a number with a comma before each three digits.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn columns_needed(file: &str, needed: Axes, columns: &ColumnList) -> String {
    if columns.columns.len() == 1 {
        return format!("{file} has one column, and a line needs x and y");
    }
    let needed = needed.as_str();
    format!("{file}: cannot tell which column is {needed}; choose by name or position: {columns}")
}

/// Returns the verb of a file, or of `2 files`.
fn has(file: &str) -> &'static str {
    if file.ends_with(" files") {
        "have"
    } else {
        "has"
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

/// Returns bytes in MB, or in kB if that would be 0.
fn megabytes(bytes: u64) -> String {
    match bytes / 1_000_000 {
        0 => format!("{} kB", bytes.div_ceil(1000)),
        megabytes => format!("{megabytes} MB"),
    }
}

fn of_needed(bytes: Option<u64>) -> String {
    bytes
        .map(|bytes| format!(": {} needed", megabytes(bytes)))
        .unwrap_or_default()
}

fn of_available(bytes: Option<u64>) -> String {
    bytes
        .map(|bytes| format!(", {} available", megabytes(bytes)))
        .unwrap_or_default()
}

fn no_adapter(wanted: Option<&str>, adapters: &[String], backends: Option<&str>) -> String {
    const REMEDY: &str = "on Debian and Ubuntu, `apt-get install mesa-vulkan-drivers` brings a software adapter; \
         the CPU engine needs none";
    match (wanted, adapters) {
        (Some(wanted), [_, ..]) => format!(
            "no adapter matches {wanted:?}; there are: {}",
            adapters.join("; ")
        ),
        _ => {
            let narrowed = backends.map_or(String::new(), |backends| {
                format!(" among those that WGPU_BACKEND={backends} leaves")
            });
            format!("no GPU adapter found{narrowed}; {REMEDY}")
        }
    }
}

fn last_finite(last: &Model) -> String {
    if last.w.is_finite() && last.b.is_finite() {
        format!(
            "; the last finite line is w = {:?}, b = {:?}",
            last.w, last.b
        )
    } else {
        String::new()
    }
}
