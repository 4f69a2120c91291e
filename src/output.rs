//! Everything that speaks to a person: results on stdout, notices and progress on stderr, files.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;

use fall_line::atomic;
use fall_line::data::Source;
use fall_line::error::Error;
use fall_line::loss::Loss;
use fall_line::table::rows::Skipped;
use fall_line::train::Epoch;
use indicatif::HumanCount;

use crate::cli::{Output, Train};

mod advice;
pub mod history;
pub mod interrupts;
pub mod json;
pub mod number;
pub mod plot;
pub mod progress;
pub mod sample_table;

/// Writes one line to stdout.
///
/// # Errors
/// [`Error::Io`] where it can't be written: a full disk, or nobody who reads.
pub fn line(text: impl Display) -> Result<(), Error> {
    stdout(&printable(&text.to_string()))
}

/// Writes text and a line's end to stdout as it is.
pub fn stdout(text: &str) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")
        .and_then(|()| stdout.flush())
        .map_err(cannot_print)
}

fn cannot_print(source: io::Error) -> Error {
    Error::Io {
        doing: "cannot write to standard output".to_owned(),
        source,
    }
}

/// Writes one line to stderr. That nobody may be reading there is no reason to stop.
pub fn notice(text: impl Display) {
    let _ = writeln!(io::stderr(), "{}", printable(&text.to_string()));
}

/// Text on one line that leaves a terminal alone, whatever stands in a file's name or header.
pub fn printable(text: &str) -> String {
    let escape = |c: char| match c.is_control() {
        true => c.escape_default().collect(),
        false => c.to_string(),
    };
    text.chars().map(escape).collect()
}

/// A text of several lines as one.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Writes an error to stderr, on one line.
pub fn error(error: &Error) {
    notice(format!("error: {}", advice::text(error)));
}

/// That the files that are asked for can be written, and none of them replaces another, or what is read.
pub fn check_files(args: &Train) -> Result<(), Error> {
    let Output {
        history,
        plot,
        save,
        ..
    } = &args.output;
    let checkpoint = &args.checkpoints.checkpoint;
    let written = [
        ("--history", history, Some(history::ENDINGS)),
        ("--plot", plot, Some(plot::ENDINGS)),
        ("--save", save, None),
        ("--checkpoint", checkpoint, None),
    ];
    for (at, (flag, path, endings)) in written.iter().enumerate() {
        let Some(path) = path else {
            continue;
        };
        match endings {
            Some(endings) => atomic::check(flag, path, endings)?,
            None => atomic::check_writable(path)?,
        }
        refuse_to_replace(
            flag,
            path,
            "the data",
            args.columns.files(args.data.as_deref()),
        )?;
        if *flag != "--checkpoint" {
            let resume = args.checkpoints.resume.as_deref();
            refuse_to_replace(flag, path, "the checkpoint of --resume", resume)?;
        }
        for (other, there, _) in &written[..at] {
            let there = there
                .as_deref()
                .filter(|there| atomic::same_place(there, path));
            if there.is_some() {
                return Err(Error::Usage(format!(
                    "{flag} {} would replace what {other} writes",
                    path.display()
                )));
            }
        }
    }
    Ok(())
}

/// That a file that is to be written is none of those that are read.
pub fn refuse_to_replace<'a>(
    flag: &str,
    path: &Path,
    what: &str,
    read: impl IntoIterator<Item = &'a Path>,
) -> Result<(), Error> {
    match read.into_iter().any(|read| atomic::same(path, read)) {
        false => Ok(()),
        true => Err(Error::Usage(format!(
            "{flag} {} would replace {what}",
            path.display()
        ))),
    }
}

/// That rows were left out, if any were.
pub fn skipped(skipped: &Skipped) -> Option<String> {
    let first = skipped.first.as_ref()?;
    let counts = skipped.counts.iter();
    let reasons: Vec<String> = counts
        .map(|(reason, count)| format!("{count} where one {reason}"))
        .collect();
    let all: u64 = skipped.counts.values().sum();
    let plural = if all == 1 { "" } else { "s" };
    Some(format!(
        "left out {all} row{plural}: {}; the first: {first}",
        reasons.join(", ")
    ))
}

/// Writes the files that are asked for, each whether or not another could be; what could not is
/// returned.
pub fn write_files(
    output: &Output,
    epochs: &[Epoch],
    loss: Loss,
    source: &dyn Source,
) -> Vec<Error> {
    let history = output
        .history
        .as_deref()
        .map(|path| history::write(path, epochs));
    let plot = output.plot.as_deref().map(|path| {
        let (title, samples) = (source.title(), HumanCount(source.samples()));
        crate::commands::train::plot::write(
            path,
            epochs,
            &format!("{loss}, {title}, {samples} samples"),
        )
    });
    [history, plot]
        .into_iter()
        .flatten()
        .filter_map(Result::err)
        .collect()
}
