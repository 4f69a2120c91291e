//! A user's file, whatever it holds.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

use self::gzip::Gzip;
use self::npy::Npy;
use self::parquet::Parquet;
use self::rows::{Request, Rows, Skipped, enough};
use crate::data::{Block, OnLoad, Source};
use crate::error::Error;

mod columns;
mod csv;
mod gzip;
pub mod npy;
pub mod parquet;
pub mod rows;
mod shared;
pub mod store;
pub mod write;

/// What a file came to.
pub struct Opened {
    /// The samples.
    pub source: Box<dyn Source>,
    /// The name of the column of x.
    pub x: String,
    /// That of y; empty where only x is read.
    pub y: String,
    /// The rows that were left out, where that was asked for.
    pub skipped: Skipped,
}

impl Source for Opened {
    fn samples(&self) -> u64 {
        self.source.samples()
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        self.source.read(index, block)
    }

    fn title(&self) -> String {
        self.source.title()
    }

    fn names(&self) -> [String; 2] {
        [self.x.clone(), self.y.clone()]
    }
}

/// What a file is by its first bytes, wherever they say so: the name is not asked.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Parquet,
    Npy,
    Gzip,
    Zstd,
    Text,
    /// Of which nothing is read: what it is.
    Foreign(&'static str),
}

/// For the end of an error: what to do with another kind of file.
const READ: &str = "save it as CSV (gzip or zstd may pack it), Parquet or NPY";

/// Bytes that tell the kind.
const MAGIC: usize = 6;

impl Kind {
    fn of(head: &[u8]) -> Self {
        // Frames that decoders skip may come before others.
        if matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]) {
            return Kind::Zstd;
        }
        [
            (&b"PAR1"[..], Kind::Parquet),
            (b"\x93NUMPY", Kind::Npy),
            (b"\x1f\x8b", Kind::Gzip),
            (b"\x28\xb5\x2f\xfd", Kind::Zstd),
            (
                b"PK\x03\x04",
                Kind::Foreign("a ZIP archive, as NPZ and XLSX files are"),
            ),
            (b"BZh", Kind::Foreign("packed by bzip2")),
            (b"\xfd7zXZ\0", Kind::Foreign("packed by xz")),
            (b"ARROW1", Kind::Foreign("an Arrow or Feather file")),
            (b"FEA1", Kind::Foreign("a Feather file")),
            (b"\x89HDF", Kind::Foreign("an HDF5 file")),
            (b"SQLite", Kind::Foreign("an SQLite database")),
        ]
        .into_iter()
        .find(|(magic, _)| head.starts_with(magic))
        .map_or(Kind::Text, |(_, kind)| kind)
    }

    /// For use after "is".
    fn named(self) -> &'static str {
        match self {
            Kind::Parquet => "a Parquet file",
            Kind::Npy => "an NPY file",
            Kind::Gzip => "gzipped",
            Kind::Zstd => "packed by zstd",
            Kind::Text => "a text file",
            Kind::Foreign(what) => what,
        }
    }
}

/// Opens a file of any kind: text with a delimiter, plain or packed by gzip or zstd, Parquet or NPY. `-` is standard
/// input; a pipe that is no text is first copied to an unnamed temporary file. `on_load` is told of the
/// bytes that are read here, as they lie in the file: all of a text or a pipe.
///
/// # Errors
/// [`Error::Io`] where the file can't be read; [`Error::Usage`] for what goes with another kind of file only;
/// [`Error::Data`] where it is no file of these kinds, has not the columns or too few samples: two, or one where x is
/// all that is needed. A bad row is an error at once in a text file, in others when its block is read.
pub fn open(path: &Path, request: &Request, on_load: OnLoad) -> Result<Opened, Error> {
    let input = Input::open(path, on_load)?;
    let name = input.name.clone();
    let opened = match input.kind {
        Kind::Parquet => table(input, request, Parquet::from_file, Parquet::columns)?,
        Kind::Npy => table(input, request, Npy::from_file, Npy::columns)?,
        Kind::Gzip | Kind::Zstd | Kind::Text => csv::read(&name, input.text()?, request)?,
        Kind::Foreign(what) => return Err(Error::Data(format!("{name} is {what}; {READ}"))),
    };
    enough(&name, opened.source.samples(), &opened.skipped, request)?;
    Ok(opened)
}

/// The samples of a file whose rows are read by position, which `open` opens; `columns` are the names of x and y.
fn table<R: Rows + 'static>(
    input: Input,
    request: &Request,
    open: impl FnOnce(File, String, &Request) -> Result<R, Error>,
    columns: impl FnOnce(&R) -> (String, String),
) -> Result<Opened, Error> {
    let Input {
        name,
        kind,
        whole,
        mut bytes,
    } = input;
    for (flag, given) in [
        ("--header", request.header.is_some()),
        ("--delimiter", request.delimiter.is_some()),
    ] {
        if given {
            return Err(Error::Usage(format!(
                "{flag} is for text files, and {name} is {}: leave it out",
                kind.named(),
            )));
        }
    }
    let file = match whole {
        Some(file) => file,
        // A pipe is read only once, from its start to its end.
        None => tempfile::tempfile()
            .and_then(|mut copy| io::copy(&mut bytes, &mut copy).map(|_| copy))
            .map_err(cannot_copy(&name))?,
    };
    let rows = open(file, name, request)?;
    let (x, y) = columns(&rows);
    let (source, skipped) = rows::samples(Box::new(rows), request.skip_bad)?;
    Ok(Opened {
        source,
        x,
        y,
        skipped,
    })
}

/// That there is no room for a copy.
fn cannot_copy(name: &str) -> impl Fn(io::Error) -> Error {
    move |source| Error::Io {
        doing: format!(
            "cannot copy {name} to a temporary file in {} (TMPDIR names another folder)",
            std::env::temp_dir().display(),
        ),
        source,
    }
}

/// A file of which the first bytes were read.
struct Input<'a> {
    name: String,
    kind: Kind,
    /// The file itself, where it can be read at any position, not only from its start to its end.
    whole: Option<File>,
    /// All of it, the first bytes included.
    bytes: Box<dyn Read + Send + 'a>,
}

impl<'a> Input<'a> {
    fn open(path: &Path, on_load: OnLoad<'a>) -> Result<Self, Error> {
        let piped = path == Path::new("-");
        let name = if piped {
            "standard input".to_owned()
        } else {
            path.display().to_string()
        };
        let cannot_read = Error::cannot_read(&name);
        let file = match piped {
            true => standard_input(),
            false => File::open(path).map(Some),
        };
        let file = file.map_err(cannot_read)?;
        let whole = file.as_ref().map(whole).transpose().map_err(cannot_read)?;
        let file: Box<dyn Read + Send> = match file {
            Some(file) => Box::new(file),
            None => Box::new(io::stdin()),
        };
        let counted = Counted { file, on_load };
        let (head, bytes) = peek(counted).map_err(cannot_read)?;
        if head.is_empty() {
            return Err(Error::Data(format!("{name} is empty")));
        }
        Ok(Input {
            kind: Kind::of(&head),
            name,
            whole: whole.flatten(),
            bytes: Box::new(bytes),
        })
    }

    /// The text, unpacked.
    fn text(self) -> Result<Box<dyn Read + Send + 'a>, Error> {
        let Input {
            name, kind, bytes, ..
        } = self;
        let cannot_unpack = |source| Error::Io {
            doing: format!("cannot unpack {name}"),
            source,
        };
        // What a decoder asks for at once.
        let packed = BufReader::with_capacity(1 << 17, bytes);
        let unpacked: Box<dyn Read + Send> = match kind {
            Kind::Gzip => Box::new(Gzip::new(packed)),
            Kind::Zstd => Box::new(zstd::Decoder::with_buffer(packed).map_err(cannot_unpack)?),
            Kind::Text | Kind::Parquet | Kind::Npy | Kind::Foreign(_) => {
                return Ok(Box::new(packed));
            }
        };
        let (head, text) = peek(unpacked).map_err(cannot_unpack)?;
        match Kind::of(&head) {
            Kind::Text => Ok(Box::new(text)),
            inner => Err(Error::Data(format!(
                "{name} is {}, and what is in it is {}: unpack it first",
                kind.named(),
                inner.named(),
            ))),
        }
    }
}

/// Standard input as a file, where it is one: `< cars.parquet`.
fn standard_input() -> io::Result<Option<File>> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        let input = io::stdin().as_fd().try_clone_to_owned()?;
        Ok(Some(File::from(input)))
    }
    #[cfg(not(unix))]
    Ok(None)
}

/// Another handle of a file that can be read at any position, and of which nobody read before.
fn whole(mut file: &File) -> io::Result<Option<File>> {
    if file.metadata()?.is_file() && file.stream_position()? == 0 {
        return file.try_clone().map(Some);
    }
    Ok(None)
}

/// The first bytes, and all of them again.
fn peek<R: Read>(mut bytes: R) -> io::Result<(Vec<u8>, impl Read + use<R>)> {
    let mut head = Vec::new();
    bytes.by_ref().take(MAGIC as u64).read_to_end(&mut head)?;
    Ok((head.clone(), io::Cursor::new(head).chain(bytes)))
}

/// Tells of the bytes that are read.
struct Counted<'a> {
    file: Box<dyn Read + Send>,
    on_load: OnLoad<'a>,
}

impl Read for Counted<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(bytes)?;
        (self.on_load)(read as u64);
        Ok(read)
    }
}
