//! The flags that help: the one place where an error of the library gets words of the command line.

use fall_line::error::{Axes, Error, Setting};

/// Returns an error's text in the words of the command line: options as flags, and the flag that helps.
pub fn text(error: &Error) -> String {
    match error {
        Error::Setting { setting, problem } => format!("{} {problem}", flag(*setting)),
        Error::NoGpuEngine(setting) => format!(
            "{} is for GPU engines, and none is timed: leave it out, or add --engines gpu",
            flag(*setting)
        ),
        other => format!("{other}{}", hint(other)),
    }
}

/// Returns the flag of an option.
fn flag(setting: Setting) -> &'static str {
    match setting {
        Setting::Adapter => "--adapter",
        Setting::Delta => "--delta",
        Setting::Delimiter => "--delimiter",
        Setting::DeviceMemory => "--device-memory",
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
        Error::Row(row) if row.hint.is_none() => "; --skip-bad leaves such rows out",
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
        Error::Diverged { .. } => {
            "; --learning-rate auto or a smaller one helps, --standardize, or a start nearer to the data"
        }
        _ => "",
    }
}
