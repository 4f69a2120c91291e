//! The flags that help: the one place where an error of the library gets words of the command line.

use fall_line::engine::CpuReason;
use fall_line::error::{Ambiguity, Axes, ColumnList, Error, Reason, RowError, Setting, TableKind};
use fall_line::fit::{Notice, Remedy};

use super::suggest::nearest;

/// Returns an error's text in the words of the command line: options as flags, and the flag that helps.
pub fn text(error: &Error) -> String {
    match error {
        Error::Setting { setting, problem } => format!("{} {problem}", flag(*setting)),
        Error::NoGpuEngine(setting) => format!(
            "{} is for GPU engines, and none is timed: leave it out, or add --engines gpu",
            flag(*setting)
        ),
        other => format!("{other}{}{}", hint(other), meant(other)),
    }
}

/// Returns a notice in the words of the command line.
pub fn notice(notice: &Notice) -> String {
    match notice {
        Notice::CpuInstead(CpuReason::SoftwareOnly { .. }) => {
            format!("{notice} (--engine gpu uses a software adapter)")
        }
        Notice::Coarse { in_f64: false, .. } => format!("{notice} (--standardize)"),
        other => other.to_string(),
    }
}

/// Returns the flag of a remedy.
pub fn remedy(remedy: Remedy) -> String {
    match remedy {
        Remedy::Standardize => "--standardize",
        Remedy::AutomaticRate => "--learning-rate auto",
        Remedy::CuttingPlane => "--optimizer cutting-plane",
        Remedy::MoreEpochs => "more --epochs",
    }
    .to_owned()
}

/// Returns the flag of an option.
fn flag(setting: Setting) -> &'static str {
    match setting {
        Setting::Adapter => "--adapter",
        Setting::CheckpointEvery => "--checkpoint-every",
        Setting::Comment => "--comment",
        Setting::Confidence => "--confidence",
        Setting::DateFormat => "--date-format",
        Setting::Decimal => "--decimal",
        Setting::Delta => "--delta",
        Setting::Delimiter => "--delimiter",
        Setting::DeviceMemory => "--device-memory",
        Setting::Errors => "--errors",
        Setting::Force => "--force",
        Setting::Generator => "--generator",
        Setting::Header => "--header",
        Setting::LearningRate => "--learning-rate",
        Setting::Loss => "--loss",
        Setting::Noise => "--noise",
        Setting::Optimizer => "--optimizer",
        Setting::Outliers => "--outliers",
        Setting::Patience => "--patience",
        Setting::Quantile => "--quantile",
        Setting::Samples => "--samples",
        Setting::Schedule => "--schedule",
        Setting::Seed => "--seed",
        Setting::Shares => "--shares",
        Setting::SkipLines => "--skip-lines",
        Setting::Standardize => "--standardize",
        Setting::Storage => "--storage",
        Setting::SyncEvery => "--sync-every",
        Setting::Tolerance => "--tolerance",
        Setting::X => "--x",
        Setting::XRange => "--x-range",
        Setting::Y => "--y",
        _ => "an option",
    }
}

/// Returns what to add to an error's text, with the separator before it.
fn hint(error: &Error) -> &'static str {
    match error {
        Error::Row(row) if row.may_be_header() => header_hint(row),
        Error::Row(row) if row.reason == Reason::Dressed => {
            "; write plain numbers (--decimal . or --decimal , reads points and commas between thousands)"
        }
        Error::Row(row) if row.reason == Reason::Fields && row.hint.is_some() => {
            " --skip-lines leaves out lines above it"
        }
        Error::Row(row) if row.hint.is_none() && row.reason == Reason::NotANumber => {
            "; --skip-bad leaves such rows out, --missing names a sign of missing values"
        }
        Error::Row(row) if row.hint.is_none() && row.reason.is_left_out(true) => {
            "; --skip-bad leaves such rows out"
        }
        Error::Ambiguous(Ambiguity {
            setting: Setting::DateFormat,
            ..
        }) => "; --date-format says which",
        Error::Ambiguous(_) => "; --decimal , or --decimal . says which",
        Error::Value { value, .. } if value.is_finite() => {
            "; --standardize brings such values into range"
        }
        Error::TooFewSamples {
            first: Some(row), ..
        } => header_hint(row),
        Error::NoColumn { columns, .. } | Error::ColumnsNeeded { columns, .. }
            if is_one_column(columns, TableKind::Text) =>
        {
            "; --delimiter says what separates columns"
        }
        Error::ColumnsNeeded { columns, .. } if is_one_column(columns, TableKind::Npy) => {
            "; --x a.npy --y b.npy reads a column from each of two files"
        }
        Error::ColumnsNeeded { columns, .. } if columns.columns.len() == 1 => "",
        Error::ColumnsNeeded { needed, .. } => match needed {
            Axes::X => "; --x names it",
            Axes::Y => "; --y names it",
            Axes::Both => "; --x and --y name them",
        },
        Error::LearningRate { standardized, .. } => {
            if *standardized {
                " (--learning-rate auto), --schedule adaptive, or --force to watch it diverge"
            } else {
                " (--learning-rate auto), --standardize, --schedule adaptive, or --force to watch it diverge"
            }
        }
        Error::ConstantX {
            digits: Some("f32"),
            ..
        } => "; --standardize casts it later",
        Error::Diverged { .. } | Error::Rose { .. } => {
            "; --learning-rate auto or a smaller one helps, --standardize, or a start nearer to the data"
        }
        _ => "",
    }
}

/// Returns a question that names the column or adapter that was likely meant, with the separator before it, or nothing.
fn meant(error: &Error) -> String {
    let name = match error {
        Error::NoColumn {
            wanted, columns, ..
        } => nearest(wanted, columns.columns.iter().map(|column| &*column.name)),
        Error::NoAdapter {
            wanted: Some(wanted),
            adapters,
            ..
        } => {
            let words = adapters
                .iter()
                .flat_map(|adapter| adapter.split([' ', ',']));
            nearest(wanted, words)
        }
        _ => None,
    };
    name.map_or_else(String::new, |name| format!("; did you mean {name:?}?"))
}

/// Returns the flag that helps if the row may be a header.
fn header_hint(row: &RowError) -> &'static str {
    if row.may_be_header() {
        "; if it does, say --header yes"
    } else {
        ""
    }
}

fn is_one_column(columns: &ColumnList, kind: TableKind) -> bool {
    columns.columns.len() == 1 && columns.kind == kind
}

#[cfg(test)]
mod tests {
    use fall_line::error::{Axis, NamedColumn, Row};

    use super::*;

    fn columns(names: &[&str], kind: TableKind) -> ColumnList {
        let named = |name: &&str| NamedColumn {
            name: (*name).to_owned(),
            numeric: true,
            example: None,
        };
        ColumnList {
            columns: names.iter().map(named).collect(),
            kind,
            ..ColumnList::default()
        }
    }

    fn bad_row(row: Row, hint: Option<&str>) -> RowError {
        RowError {
            file: "cars.csv".to_owned(),
            row,
            column: Some(format!("column of {}", Axis::X)),
            text: "\"x\"".to_owned(),
            reason: Reason::NotANumber,
            hint: hint.map(str::to_owned),
        }
    }

    #[test]
    fn an_error_of_a_file_ends_with_the_flag_that_helps() {
        let file = || "cars.csv".to_owned();
        let needed = |names: &[&str], kind| Error::ColumnsNeeded {
            file: file(),
            needed: Axes::Both,
            columns: columns(names, kind),
        };
        let header = "; the line may name the columns; if it does, say --header yes";
        let first = || bad_row(Row::Line(1), None);
        for (error, end) in [
            (
                needed(&["a", "b", "c"], TableKind::Text),
                "; --x and --y name them",
            ),
            (
                needed(&["a"], TableKind::Text),
                "; --delimiter says what separates columns",
            ),
            (
                needed(&["a"], TableKind::Parquet),
                "has one column, and a line needs x and y",
            ),
            (
                needed(&["a"], TableKind::Npy),
                "; --x a.npy --y b.npy reads a column from each of two files",
            ),
            (
                Error::NoColumn {
                    file: file(),
                    wanted: "b".to_owned(),
                    columns: columns(&["a"], TableKind::Text),
                },
                "; --delimiter says what separates columns",
            ),
            (Error::Row(first()), header),
            (
                Error::Row(bad_row(Row::Line(2), None)),
                "; --skip-bad leaves such rows out, --missing names a sign of missing values",
            ),
            (
                Error::Row(bad_row(Row::Line(2), Some("; a hint"))),
                "; a hint",
            ),
            (
                Error::TooFewSamples {
                    file: file(),
                    samples: 1,
                    least: 2,
                    skipped: 1,
                    first: Some(Box::new(first())),
                },
                header,
            ),
            (
                Setting::Y.error("is the same column as x"),
                "--y is the same column as x",
            ),
        ] {
            let text = text(&error);
            assert!(text.ends_with(end), "{text}");
        }
    }
}
