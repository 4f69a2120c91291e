//! Files of samples: text, Parquet and NPY.

use std::fs::File;
use std::io;
use std::path::Path;

use self::input::Input;
use self::kind::{FileKind, READABLE};
use self::npy::Npy;
pub use self::opened::OpenedFile;
use self::parquet::Parquet;
pub use self::request::Request;
use self::rows::{Rows, enough};
use self::store::cannot_copy;
use crate::data::OnLoad;
use crate::error::{Error, Setting};

mod csv;
mod gzip;
mod input;
mod kind;
pub mod npy;
mod opened;
pub mod parquet;
mod request;
pub mod rows;
mod shared;
pub mod store;
pub mod write;

/// Opens a file of any kind: text with a delimiter, plain or compressed with gzip or zstd, Parquet or NPY.
///
/// `-` is standard input. A pipe that is not text is first copied to an unnamed temporary file. `on_load` gets the number
/// of bytes that each read takes from the file. That is all of a text or a pipe; blocks of other files are read later.
///
/// # Errors
/// - [`Error::Io`] if the file can't be read.
/// - [`Error::Setting`] for an option that goes with another kind of file.
/// - [`Error::NoColumn`], [`Error::DuplicateColumn`] and [`Error::ColumnsNeeded`] if x and y can't be found.
/// - [`Error::TooFewSamples`] if there are fewer than two, or none if only x is read.
/// - [`Error::Row`] for a row that can't be used: at once in a text file, in others when its block is read.
/// - [`Error::OtherDelimiter`] and [`Error::Data`] for content that can't be used.
pub fn open(path: &Path, request: &Request, on_load: OnLoad) -> Result<OpenedFile, Error> {
    let input = Input::open(path, on_load)?;
    let name = input.name.clone();
    let opened = match input.kind {
        FileKind::Parquet => open_table(input, request, Parquet::from_file, Parquet::columns)?,
        FileKind::Npy => open_table(input, request, Npy::from_file, Npy::columns)?,
        FileKind::Gzip | FileKind::Zstd | FileKind::Text => {
            csv::read(&name, input.text()?, request)?
        }
        FileKind::Foreign(what) => {
            return Err(Error::Data(format!("{name} is {what}; {READABLE}")));
        }
    };
    enough(&name, opened.source.samples(), &opened.skipped, request)?;
    Ok(opened)
}

/// Opens NPY files of one column each. Without `y`, only x is read. `skip_bad` leaves out rows that can't be used.
///
/// # Errors
/// The errors of [`Npy::open_pair`], or without `y` those of [`Npy::open`].
pub fn open_pair(x: &Path, y: Option<&Path>, skip_bad: bool) -> Result<OpenedFile, Error> {
    let npy = match y {
        Some(y) => Npy::open_pair(x, y)?,
        None => {
            let request = Request {
                x_alone: true,
                ..Request::default()
            };
            Npy::open(x, &request)?
        }
    };
    let names = npy.columns();
    opened(npy, names, skip_bad)
}

/// Opens a file whose rows are read by position; `columns` returns the names of x and y.
fn open_table<R: Rows + 'static>(
    input: Input,
    request: &Request,
    open: impl FnOnce(File, String, &Request) -> Result<R, Error>,
    columns: impl FnOnce(&R) -> (String, String),
) -> Result<OpenedFile, Error> {
    let Input {
        name,
        kind,
        seekable,
        mut bytes,
    } = input;
    for (setting, given) in [
        (Setting::Header, request.header.is_some()),
        (Setting::Delimiter, request.delimiter.is_some()),
    ] {
        if given {
            return Err(setting.error(format!(
                "is for text files, and {name} is {}: leave it out",
                kind.described(),
            )));
        }
    }
    let file = match seekable {
        Some(file) => file,
        // A pipe is read only once, from its start to its end.
        None => tempfile::tempfile()
            .and_then(|mut copy| io::copy(&mut bytes, &mut copy).map(|_| copy))
            .map_err(cannot_copy(&name))?,
    };
    let rows = open(file, name, request)?;
    let names = columns(&rows);
    opened(rows, names, request.skip_bad)
}

fn opened(
    rows: impl Rows + 'static,
    (x, y): (String, String),
    skip_bad: bool,
) -> Result<OpenedFile, Error> {
    let time = rows.time();
    let (source, skipped) = rows::samples(Box::new(rows), skip_bad)?;
    Ok(OpenedFile {
        source,
        x,
        y,
        time,
        skipped,
    })
}
