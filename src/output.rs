//! Output of all commands: lines, notices, progress, numbers, pictures.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::Path;
use std::sync::OnceLock;

use anstream::ColorChoice;
use anstyle::{AnsiColor, Style};
use fall_line::atomic;
use fall_line::error::{Error, Reason, counted, grouped};
use fall_line::ranks::launcher::Launcher;
use fall_line::table::rows::Skipped;

pub mod advice;
pub mod history;
pub mod interrupts;
pub mod json;
pub mod number;
pub mod plot;
pub mod progress;
pub mod sample_table;
pub mod shown;
pub mod suggest;

const BOLD: Style = Style::new().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const RED: Style = AnsiColor::Red.on_default();

/// What errors begin with, where nothing else is printed.
static MUTE: OnceLock<String> = OnceLock::new();

/// Prints nothing from here on but errors and [`own_warning`]s, which begin with the name of this rank: the first one tells.
pub fn mute(rank: String) {
    let _ = MUTE.set(rank);
}

/// Returns whether nothing but errors is printed.
pub fn is_mute() -> bool {
    MUTE.get().is_some()
}

/// Sets whether output is coloured: always, never, or on a terminal without `NO_COLOR`.
pub fn set_color(color: clap::ColorChoice) {
    match color {
        // Open MPI gives its ranks a terminal, whatever its own output is.
        clap::ColorChoice::Auto if Launcher::find().is_some() => ColorChoice::Never,
        clap::ColorChoice::Auto => ColorChoice::Auto,
        clap::ColorChoice::Always => ColorChoice::Always,
        clap::ColorChoice::Never => ColorChoice::Never,
    }
    .write_global();
}

/// Writes one line to stdout.
///
/// # Errors
/// [`Error::Io`] if it can't be written: the disk is full.
pub fn line(text: impl Display) -> Result<(), Error> {
    stdout(&printable(&text.to_string()))
}

/// Writes lines to stdout.
pub fn lines(texts: impl IntoIterator<Item = impl Display>) -> Result<(), Error> {
    texts.into_iter().try_for_each(line)
}

/// Writes the line that everything was done for to stdout, in bold.
pub fn result(text: impl Display) -> Result<(), Error> {
    let text = printable(&text.to_string());
    print(anstream::stdout().lock(), &format!("{BOLD}{text}{BOLD:#}"))
}

/// Writes text and a line feed to stdout as they are.
pub fn stdout(text: &str) -> Result<(), Error> {
    print(io::stdout().lock(), text)
}

/// Writes text and a line feed. A reader who is gone is no error: the run goes on, and writes its files.
fn print(mut out: impl Write, text: &str) -> Result<(), Error> {
    if is_mute() {
        return Ok(());
    }
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(cannot_print),
    }
}

/// Returns whether the reader of standard output has left. It has read enough, and wants no more.
pub fn reader_left(error: &Error) -> bool {
    let Error::Io { doing, source } = error else {
        return false;
    };
    doing == TO_STDOUT && source.kind() == io::ErrorKind::BrokenPipe
}

/// What an error of standard output could not do.
const TO_STDOUT: &str = "cannot write to standard output";

pub fn cannot_print(source: io::Error) -> Error {
    Error::Io {
        doing: TO_STDOUT.to_owned(),
        source,
    }
}

/// Writes one line to stderr. A reader who is gone is no reason to stop.
pub fn notice(text: impl Display) {
    if is_mute() {
        return;
    }
    let _ = io::stderr().write_all(format!("{}\n", message(text)).as_bytes());
}

/// Writes a warning to stderr, on one line.
pub fn warning(text: impl Display) {
    if is_mute() {
        return;
    }
    labelled(YELLOW, "warning", text);
}

/// Writes a warning of what only this rank knows to stderr, on one line.
pub fn own_warning(text: impl Display) {
    labelled(YELLOW, "warning", of_rank(text));
}

/// Writes an error to stderr, on one line.
pub fn error(error: &Error) {
    failure(advice::text(error));
}

/// Writes the text of an error to stderr, on one line.
pub fn failure(text: impl Display) {
    labelled(RED, "error", of_rank(text));
}

/// Returns a text behind the name of this rank, unless that is the first one.
fn of_rank(text: impl Display) -> String {
    let rank = MUTE.get().map_or("", String::as_str);
    format!("{rank}{text}")
}

fn labelled(style: Style, label: &str, text: impl Display) {
    let line = format!("{style}{label}:{style:#} {}\n", message(text));
    let mut stderr = anstream::stderr();
    if stderr.current_choice() == ColorChoice::Never {
        // In one piece: several ranks may write to one terminal.
        let line = anstream::adapter::strip_str(&line).to_string();
        let _ = io::stderr().write_all(line.as_bytes());
    } else {
        let _ = stderr.write_all(line.as_bytes());
    }
}

/// Returns a message as one line of bounded length: a name in it may be as long as a file.
fn message(text: impl Display) -> String {
    shortened(printable(&text.to_string()), 4000)
}

/// Writes to stderr which file was written.
pub fn wrote(path: &Path) {
    notice(format!("wrote {}", path.display()));
}

/// Writes to stderr which files were written, unless `quiet`, and the errors of the others. Returns the first error's exit code.
pub fn written<'a>(
    files: impl IntoIterator<Item = Result<&'a Path, Error>>,
    quiet: bool,
) -> Option<u8> {
    let mut failed = None;
    for file in files {
        match file {
            Ok(_) if quiet => {}
            Ok(path) => wrote(path),
            Err(unwritten) => {
                error(&unwritten);
                failed.get_or_insert(unwritten.exit_code());
            }
        }
    }
    failed
}

/// Returns text on one line without control characters, whatever a file's name or header holds.
pub fn printable(text: &str) -> String {
    shown(text, "")
}

/// Returns text with escapes in place of all characters that are neither harmless nor in `kept`.
pub fn shown(text: &str, kept: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmless(c) || kept.contains(c) {
            shown.push(c);
        } else {
            shown.extend(c.escape_default());
        }
    }
    shown
}

/// Returns whether a terminal and a picture show a character where it stands. Not so control characters, marks that turn the
/// direction of text or have no width, and what XML can't hold.
pub fn is_harmless(c: char) -> bool {
    !c.is_control()
        && !matches!(
            c,
            '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
        )
}

/// Returns at most so many letters of a text, and an ellipsis if there are more.
pub fn shortened(mut text: String, most: usize) -> String {
    if let Some((at, _)) = text.char_indices().nth(most) {
        text.truncate(at);
        text.push('…');
    }
    text
}

/// Returns a text of several lines as one.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Checks that a file to be written is none of those that are read.
pub fn refuse_to_replace(
    flag: &str,
    path: &Path,
    what: &str,
    read: impl IntoIterator<Item = impl AsRef<Path>>,
) -> Result<(), Error> {
    if read
        .into_iter()
        .any(|read| atomic::same(path, read.as_ref()))
    {
        return Err(Error::Usage(format!(
            "{flag} {} would replace {what}",
            path.display()
        )));
    }
    Ok(())
}

/// Returns what was done with how many rows, and why with an example of each reason, if there are any: `left out 2 of 9 rows`.
pub fn about_skipped(done: &str, skipped: &Skipped, samples: u64) -> Option<String> {
    let reasons = skipped.by_reason.iter();
    let reasons: Vec<String> = reasons
        .map(|(reason, (rows, first))| {
            let what = match reason {
                Reason::Fields | Reason::Quotes => "the row",
                _ => "a value",
            };
            let place = format!("{}, {}", first.file, first.row);
            let place = match &first.column {
                Some(column) => format!("{place}, {column}"),
                None => place,
            };
            let text = match reason {
                Reason::Missing | Reason::Fields | Reason::Quotes => String::new(),
                _ => format!(": {}", first.text),
            };
            format!(
                "{} where {what} {reason} (first: {place}{text})",
                grouped(*rows)
            )
        })
        .collect();
    let rows = skipped.rows();
    (rows > 0).then(|| {
        format!(
            "{done} {} of {}: {}",
            grouped(rows),
            counted(rows + samples, "row"),
            reasons.join(", ")
        )
    })
}

/// Says what was done with rows, if there are any.
pub fn tell_skipped(done: &str, skipped: &Skipped, samples: u64) {
    if let Some(text) = about_skipped(done, skipped, samples) {
        notice(text);
    }
}

/// Returns why rows were left out, and how many.
pub fn by_reason(skipped: &Skipped) -> BTreeMap<String, u64> {
    let reasons = skipped.by_reason.iter();
    reasons
        .map(|(reason, (rows, _))| (reason.to_string(), *rows))
        .collect()
}
