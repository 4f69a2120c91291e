//! Files of samples: text, Parquet and NPY.

use std::io::{self, Read};
use std::mem;
use std::path::{Path, PathBuf};

pub use self::csv::ReadText;
use self::csv::value::Missing;
pub use self::csv::value::iso_time;
pub use self::files::listed;
use self::input::Input;
use self::kind::{FileKind, READABLE};
use self::npy::Npy;
pub use self::opened::OpenedFile;
use self::parquet::Parquet;
pub use self::request::{NthPart, Request};
use self::rows::{Joined, Rows, RowsPart, Samples, WithMissing, enough};
use self::set::{
    Texts, named, notes_of, of_another_kind, one_set, same_columns, same_names, same_time,
};
use self::shared::SharedFile;
use self::store::cannot_copy;
use self::whole::{Each, Whole, WholeRows};
use crate::data::OnLoad;
use crate::error::{Error, TableKind};
use crate::ranks::gather_values;

mod csv;
mod divided;
mod files;
mod gzip;
mod input;
mod kind;
pub mod npy;
mod opened;
pub mod parquet;
mod request;
pub mod rows;
mod set;
mod shared;
pub mod store;
pub mod whole;
pub mod write;

/// Opens a file of any kind: text with columns, plain or compressed with gzip or zstd, Parquet or NPY. A folder or a pattern
/// such as `part-*.csv` stands for the files in it: see [`open_all`].
///
/// `-` is standard input. A pipe that is not text is first copied to an unnamed temporary file. `on_load` gets the number
/// of bytes that each read takes from the file.
///
/// # Errors
/// - [`Error::Io`] if a file can't be read.
/// - [`Error::Setting`] for an option that goes with another kind of file.
/// - [`Error::NoColumn`], [`Error::DuplicateColumn`] and [`Error::ColumnsNeeded`] if x and y can't be found.
/// - [`Error::TooFewSamples`] if there are fewer than two, or none if only x is read.
/// - [`Error::Row`] for a row that can't be used.
/// - [`Error::Ambiguous`] and [`Error::Data`] for content that can't be used.
pub fn open(path: &Path, request: &Request, on_load: OnLoad) -> Result<OpenedFile, Error> {
    open_all(&[path.to_owned()], request, on_load)
}

/// Opens files as one set: their rows one after the other, in the order of the paths, and by name within a folder or a
/// pattern. x and y are columns of the same names in each.
///
/// # Errors
/// Those of [`open`]. Also [`Error::Data`] if the files are of several kinds or their columns differ.
pub fn open_all(
    paths: &[PathBuf],
    request: &Request,
    on_load: OnLoad,
) -> Result<OpenedFile, Error> {
    let files = listed(paths)?;
    let name = named(paths);
    request.check_files(&files)?;
    let mut opened = match divided::open(&files, &name, request, on_load)? {
        Some(opened) => opened,
        None => open_whole(&files, &name, request, on_load)?,
    };
    opened.notes.extend(one_set(&files));
    joined(opened, &name, request)
}

/// Adds what other ranks have of the files, and checks that it is enough.
fn joined(mut opened: OpenedFile, name: &str, request: &Request) -> Result<OpenedFile, Error> {
    opened.all_samples = opened.source.samples();
    if let Some(ranks) = request.several() {
        let mine = (opened.all_samples, mem::take(&mut opened.skipped));
        opened.all_samples = 0;
        for (samples, skipped) in gather_values(ranks, mine)? {
            opened.all_samples += samples;
            opened.skipped.join(skipped);
        }
    }
    enough(name, opened.all_samples, &opened.skipped, request)?;
    Ok(opened)
}

/// Opens files to the end of each. A part of the samples is taken from all.
fn open_whole(
    files: &[PathBuf],
    name: &str,
    request: &Request,
    on_load: OnLoad,
) -> Result<OpenedFile, Error> {
    let mut texts = Texts::default();
    let mut tables = Vec::new();
    for (at, path) in files.iter().enumerate() {
        let Some((input, kind)) = input(path, files, request, on_load)? else {
            continue;
        };
        match kind {
            TableKind::Parquet => {
                let bytes = input.left();
                let table = open_as(input, request, Parquet::from_file)?;
                tables.push(Table::of(table, bytes));
            }
            TableKind::Npy => {
                let bytes = input.left();
                let table = open_as(input, request, Npy::from_file)?;
                tables.push(Table::of(table, bytes));
            }
            TableKind::Text => {
                // Spark leaves files with a header alone, too. A part may be one, if there is no other file to read.
                let is_alone = at + 1 == files.len() && texts.read.is_empty();
                let request = Request {
                    is_part: request.is_part && is_alone,
                    ..*request
                };
                unless_empty(texts.read(input, &request), files)?;
            }
        }
        if !tables.is_empty() && !texts.read.is_empty() {
            return Err(of_another_kind(path, &files[0]));
        }
    }
    if tables.is_empty() {
        texts.opened(name, request)
    } else {
        opened(name, tables, request, on_load)
    }
}

/// Hands on all rows of files with all their columns, in the order of [`open_all`], and x and y beside them. The columns of a
/// text are text, or `typed` by their values. Rows without x are handed on too.
///
/// # Errors
/// Those of [`open_all`], and those of `each`.
pub fn read_whole(
    paths: &[PathBuf],
    request: &Request,
    typed: bool,
    on_load: OnLoad,
    each: Each,
) -> Result<ReadText, Error> {
    let files = listed(paths)?;
    let mut all: Option<ReadText> = None;
    let (mut schema, mut all_notes) = (None, Vec::new());
    let mut first_kind = None;
    for path in &files {
        let Some((input, kind)) = input(path, &files, request, on_load)? else {
            continue;
        };
        if *first_kind.get_or_insert(kind) != kind {
            return Err(of_another_kind(path, &files[0]));
        }
        let name = input.name.clone();
        let several = files.len() > 1;
        let each: Each = &mut |mut rows: WholeRows| {
            if several {
                let first =
                    schema.get_or_insert_with(|| whole::optional(rows.columns.schema_ref()));
                rows.columns = whole::aligned(&name, &rows.columns, first)?;
            }
            each(rows)
        };
        let read = match kind {
            TableKind::Parquet => {
                whole(open_as(input, request, Parquet::from_file)?, request, each)?
            }
            TableKind::Npy => whole(open_as(input, request, Npy::from_file)?, request, each)?,
            TableKind::Text => {
                let read = read_text(input, |name, text| {
                    csv::whole::read(name, text, request, typed, each)
                });
                match unless_empty(read, &files)? {
                    Some(read) => read,
                    None => continue,
                }
            }
        };
        match &mut all {
            None => {
                all_notes = read.notes.clone();
                all = Some(read);
            }
            Some(all) => {
                same_columns(&name, &read, all)?;
                all.skipped.join(read.skipped);
                all.notes.extend(notes_of(&name, read.notes, &all_notes));
            }
        }
    }
    let mut all = all.ok_or_else(|| Error::Data("no file has rows below its header".to_owned()))?;
    all.notes.extend(one_set(&files));
    Ok(all)
}

/// Hands on all rows of NPY files of one column each, like [`read_whole`].
///
/// # Errors
/// Those of [`open_pair`], and those of `each`.
pub fn read_whole_pair(
    x: &Path,
    y: Option<&Path>,
    request: &Request,
    each: Each,
) -> Result<ReadText, Error> {
    whole(pair(x, y)?, request, each)
}

/// Hands on all rows of a table.
fn whole(table: impl Whole, request: &Request, each: Each) -> Result<ReadText, Error> {
    let (skipped, unusable) = whole::rows_of(&table, request, each)?;
    Ok(ReadText {
        skipped,
        names: table.names(),
        title: table.title(),
        time: table.time(),
        notes: unusable.note().into_iter().collect(),
        styles: Default::default(),
    })
}

/// Opens NPY files of one column each. Without `y`, only x is read. The request's columns mean nothing.
///
/// # Errors
/// The errors of [`Npy::open_pair`], or without `y` those of [`Npy::open`].
pub fn open_pair(
    x: &Path,
    y: Option<&Path>,
    request: &Request,
    on_load: OnLoad,
) -> Result<OpenedFile, Error> {
    let files: Vec<&Path> = [Some(x), y].into_iter().flatten().collect();
    request.check_files(&files)?;
    let bytes = files.iter().copied().map(bytes_of).sum();
    let name = x.display().to_string();
    let opened = opened(&name, vec![Table::of(pair(x, y)?, bytes)], request, on_load)?;
    joined(opened, &name, request)
}

/// Opens NPY files of one column each, or of x alone.
fn pair(x: &Path, y: Option<&Path>) -> Result<Npy, Error> {
    match y {
        Some(y) => Npy::open_pair(x, y),
        None => {
            let request = Request {
                x_alone: true,
                ..Request::default()
            };
            Npy::open(x, &request)
        }
    }
}

/// Returns the length of a file, or 0 if that is not known.
fn bytes_of(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

/// Opens one of the files, and finds its kind: the one that was asked for, or that its first bytes tell. `None` for an empty one
/// among several, as Spark leaves them.
fn input<'a>(
    path: &Path,
    files: &[PathBuf],
    request: &Request,
    on_load: OnLoad<'a>,
) -> Result<Option<(Input<'a>, TableKind)>, Error> {
    let input = Input::open(path, on_load)?;
    let name = &input.name;
    let kind = match (request.kind, input.kind) {
        (Some(kind), _) => kind,
        (None, FileKind::Parquet) => TableKind::Parquet,
        (None, FileKind::Npy) => TableKind::Npy,
        (None, FileKind::Gzip | FileKind::Zstd | FileKind::Text) => TableKind::Text,
        (None, FileKind::Foreign(what)) => {
            return Err(Error::Data(format!("{name} is {what}; {READABLE}")));
        }
    };
    if let Some(setting) = request.of_text().filter(|_| kind != TableKind::Text) {
        let what = match kind {
            TableKind::Npy => FileKind::Npy.described(),
            _ => FileKind::Parquet.described(),
        };
        return Err(setting.error(format!(
            "is for text files, and {name} is {what}: leave it out"
        )));
    }
    match (input.is_empty, files.len()) {
        (true, 1) => Err(Error::Data(format!("{name} is empty"))),
        (true, _) => Ok(None),
        (false, _) => Ok(Some((input, kind))),
    }
}

/// Reads a text, and checks that nobody wrote to its file meanwhile.
fn read_text<'a, T>(
    input: Input<'a>,
    read: impl FnOnce(&str, Box<dyn Read + Send + 'a>) -> Result<T, Error>,
) -> Result<T, Error> {
    let (name, file) = (input.name.clone(), input.seekable.clone());
    let read = read(&name, input.text()?);
    if let Some(file) = file {
        file.unchanged(&name)?;
    }
    read
}

/// Returns what was read of a text, or `None` for one with a header alone among several files.
fn unless_empty<T>(read: Result<T, Error>, files: &[PathBuf]) -> Result<Option<T>, Error> {
    match read {
        Err(Error::TooFewSamples { samples: 0, .. }) if files.len() > 1 => Ok(None),
        read => read.map(Some),
    }
}

/// A table whose rows are read by position.
struct Table {
    name: String,
    names: [String; 2],
    rows: Box<dyn Rows>,
    /// Bytes of the file that are still to be read.
    bytes: u64,
}

impl Table {
    fn of(rows: impl Rows + 'static, bytes: u64) -> Self {
        Table {
            bytes,
            name: rows.title(),
            names: rows.names(),
            rows: Box::new(rows),
        }
    }
}

/// Opens a file whose rows are read by position.
fn open_as<R>(
    input: Input,
    request: &Request,
    open: impl FnOnce(SharedFile, String, &Request) -> Result<R, Error>,
) -> Result<R, Error> {
    let Input {
        name,
        seekable,
        mut bytes,
        ..
    } = input;
    let file = match seekable {
        Some(file) => file,
        // A pipe is read only once, from its start to its end.
        None => tempfile::tempfile()
            .and_then(|mut copy| io::copy(&mut bytes, &mut copy).map(|_| copy))
            .and_then(SharedFile::new)
            .map_err(cannot_copy(&name))?,
    };
    open(file, name, request)
}

/// Returns the samples of tables, which `name` stands for, one after the other.
fn opened(
    name: &str,
    mut tables: Vec<Table>,
    request: &Request,
    on_load: OnLoad,
) -> Result<OpenedFile, Error> {
    for table in &tables[1..] {
        same_names(&table.name, &table.names, &tables[0].names)?;
        same_time(&table.name, table.rows.time(), tables[0].rows.time())?;
    }
    let [x, y] = tables[0].names.clone();
    let bytes: u64 = tables.iter().map(|table| table.bytes).sum();
    let rows: Box<dyn Rows> = if tables.len() == 1 {
        tables.swap_remove(0).rows
    } else {
        Box::new(Joined::new(
            name,
            tables.into_iter().map(|table| table.rows).collect(),
        ))
    };
    request.agree(rows.rows())?;
    let rows = match request.part() {
        Some(part) => Box::new(RowsPart::new(rows, part)),
        None => rows,
    };
    let time = rows.time();
    let all = rows.rows().max(1) as f64;
    let on_rows = &|rows: u64| on_load((rows as f64 / all * bytes as f64) as u64);
    let rows = WithMissing {
        rows,
        missing: Missing::new(request.missing),
    };
    let Samples {
        source,
        skipped,
        statistics,
        moments,
    } = rows::samples(Box::new(rows), request, on_rows)?;
    Ok(OpenedFile {
        source,
        x,
        y,
        time,
        all_samples: 0,
        skipped,
        notes: Vec::new(),
        statistics,
        moments,
    })
}
