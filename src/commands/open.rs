//! The data that a command works on.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use fall_line::atomic;
use fall_line::data::synthetic::{Generator, Recipe};
use fall_line::data::{self, Source};
use fall_line::error::Error;
use fall_line::table::whole::Each;
use fall_line::table::{self, OpenedFile, ReadText, Request};

use crate::cli::{Columns, Predict};
use crate::output::{self, progress::Progress};

/// Opens the columns of files, or without `data` of files of their own, which the flags of the columns then name.
pub fn open_files(
    data: &[PathBuf],
    flags: &Columns,
    request: &Request,
    quiet: bool,
) -> Result<OpenedFile, Error> {
    let reading = Reading::new(&files_of(flags, data)?, quiet);
    let on_load = |n| reading.advance(n);
    let file = if data.is_empty() {
        let (x, y) = pair_of(flags, request)?;
        table::open_pair(&x, y.as_deref(), request, &on_load)?
    } else {
        table::open_all(data, request, &on_load)?
    };
    drop(reading);
    if !quiet {
        tell_notes(&file.source.title(), &file.notes);
        output::tell_skipped("left out", &file.skipped, file.all_samples);
    }
    Ok(file)
}

/// Says what is not usual in files.
pub fn tell_notes(title: &str, notes: &[String]) {
    if !notes.is_empty() {
        output::notice(format!("{title}: {}", notes.join("; ")));
    }
}

/// Hands on all rows of the files that `predict` is to read, with all their columns: `typed` if they are not to be text.
pub fn read_whole(
    args: &Predict,
    request: &Request,
    typed: bool,
    each: Each,
) -> Result<ReadText, Error> {
    if args.data.is_empty() {
        let (x, y) = pair_of(&args.columns, request)?;
        return table::read_whole_pair(&x, y.as_deref(), request, each);
    }
    let quiet = args.quiet || args.output.is_none();
    let reading = Reading::new(&files_of(&args.columns, &args.data)?, quiet);
    let on_load = |n| reading.advance(n);
    table::read_whole(&args.data, request, typed, &on_load, each)
}

/// The progress of reading files, and the wait for the first bytes.
struct Reading {
    progress: Progress,
    waiting: Waiting,
}

impl Reading {
    fn new(files: &[PathBuf], quiet: bool) -> Self {
        Reading {
            progress: Progress::new("reading", bytes_of(files), quiet),
            waiting: Waiting::new(files),
        }
    }

    /// Ends the wait, and moves the bar by so many bytes.
    fn advance(&self, bytes: u64) {
        self.waiting.end();
        self.progress.advance(bytes);
    }
}

/// The wait for the first bytes of a pipe, which is told if it lasts: nobody may ever write to it.
struct Waiting(Mutex<Option<Sender<()>>>);

impl Waiting {
    /// The time after which the wait is told.
    const LONG: Duration = Duration::from_secs(5);

    /// Begins the wait, if one of the files is not a plain file.
    fn new(files: &[PathBuf]) -> Self {
        let is_pipe = |path: &&PathBuf| {
            let path = if *path == Path::new("-") {
                Path::new("/dev/stdin")
            } else {
                path
            };
            std::fs::metadata(path).is_ok_and(|file| !file.is_file() && !file.is_dir())
        };
        let sender = files.iter().find(is_pipe).map(|path| {
            let (sender, receiver): (_, Receiver<()>) = channel();
            let name = match path.to_string_lossy() {
                name if name == "-" => "standard input".to_owned(),
                name => name.into_owned(),
            };
            let tell = move || {
                if receiver.recv_timeout(Self::LONG) == Err(RecvTimeoutError::Timeout) {
                    output::notice(format!(
                        "waiting for data from {name}; Ctrl-C ends the wait"
                    ));
                }
            };
            // Without a thread to spare, nothing is told.
            let _ = thread::Builder::new().spawn(tell);
            sender
        });
        Waiting(Mutex::new(sender))
    }

    /// Ends the wait: there are bytes.
    fn end(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Returns the files that are read: those that DATA stands for, or without it those of the columns.
pub fn files_of(flags: &Columns, data: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let files: Vec<PathBuf> = flags.files(data).map(Path::to_owned).collect();
    if data.is_empty() {
        Ok(files)
    } else {
        table::listed(&files)
    }
}

/// Returns the bytes of files. The length of a pipe is not known.
fn bytes_of(files: &[PathBuf]) -> u64 {
    files
        .iter()
        .map(|path| std::fs::metadata(path).map_or(0, |file| file.len()))
        .sum()
}

/// Returns the NPY files of one column each that the flags of the columns name.
fn pair_of(flags: &Columns, request: &Request) -> Result<(PathBuf, Option<PathBuf>), Error> {
    let path = |flag: &str, given: &Option<String>| match given {
        Some(name) if atomic::ending(Path::new(name)) == "npy" => Ok(PathBuf::from(name)),
        Some(name) => Err(Error::Usage(format!(
            "--{flag} {name} is a column, and no DATA is given: name the file too, or give --{flag} an .npy file of its own"
        ))),
        None => Err(Error::Usage(format!(
            "without DATA, --x and --y are .npy files of their own, and --{flag} is missing"
        ))),
    };
    let x = path("x", &flags.x)?;
    let y = if flags.y.is_none() && request.x_alone {
        None
    } else {
        Some(path("y", &flags.y)?)
    };
    Ok((x, y))
}

/// Draws synthetic samples.
pub fn synthetic_source(
    generator: Generator,
    recipe: Recipe,
    quiet: bool,
) -> Result<Box<dyn Source>, Error> {
    let drawing = Progress::new("drawing", 2 * recipe.samples, quiet);
    data::draw(recipe, generator, &|n| drawing.advance(n))
}
