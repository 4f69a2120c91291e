//! The bytes of a file or of standard input.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

use super::gzip::Gzip;
use super::kind::{FileKind, MAGIC};
use super::shared::SharedFile;
use crate::data::OnLoad;
use crate::error::Error;
use crate::fault::{self, Fault};

/// Bytes that a decompressor asks for at once.
const PACKED_BUFFER: usize = 1 << 17;

/// A file whose kind is known.
pub struct Input<'a> {
    /// The path, or `standard input`.
    pub name: String,
    /// The kind, by the first bytes.
    pub kind: FileKind,
    /// True if it holds nothing.
    pub is_empty: bool,
    /// The file itself; `None` if it can only be read from its start to its end.
    pub seekable: Option<SharedFile>,
    /// All bytes, the first ones included.
    pub bytes: Box<dyn Read + Send + 'a>,
}

impl<'a> Input<'a> {
    /// Opens a file, or standard input for `-`. Calls `on_load` with the number of bytes of each read.
    ///
    /// # Errors
    /// [`Error::Io`] if it can't be read, [`Error::Data`] if it is empty.
    pub fn open(path: &Path, on_load: OnLoad<'a>) -> Result<Self, Error> {
        let is_standard_input = path == Path::new("-");
        let name = if is_standard_input {
            "standard input".to_owned()
        } else {
            path.display().to_string()
        };
        let cannot_read = Error::cannot_read(&name);
        let file = if is_standard_input {
            standard_input()
        } else {
            File::open(path).map(Some)
        };
        let file = file.map_err(cannot_read)?;
        let seekable = file.as_ref().map(seekable).transpose();
        let seekable = seekable.map_err(cannot_read)?.flatten();
        // From now on a change is noticed.
        let seekable = seekable
            .map(SharedFile::new)
            .transpose()
            .map_err(cannot_read)?;
        let file: Box<dyn Read + Send> = match file {
            Some(file) => Box::new(file),
            None => Box::new(io::stdin()),
        };
        let (head, bytes) = peek(CountedReader { file, on_load }).map_err(cannot_read)?;
        Ok(Input {
            kind: FileKind::of(&head),
            is_empty: head.is_empty(),
            name,
            seekable,
            bytes: Box::new(bytes),
        })
    }

    /// Returns the bytes that are still to be read by position.
    pub fn left(&self) -> u64 {
        let head = MAGIC as u64;
        self.seekable
            .as_ref()
            .map_or(0, |file| file.length().saturating_sub(head))
    }

    /// Returns the text, decompressed if it has to be.
    ///
    /// # Errors
    /// [`Error::Io`] if it can't be decompressed, [`Error::Data`] if the result is not a text file.
    pub fn text(self) -> Result<Box<dyn Read + Send + 'a>, Error> {
        let Input {
            name, kind, bytes, ..
        } = self;
        let cannot_decompress = |source| Error::Io {
            doing: format!("cannot decompress {name}"),
            source,
        };
        let packed = BufReader::with_capacity(PACKED_BUFFER, bytes);
        let unpacked: Box<dyn Read + Send> = match kind {
            FileKind::Gzip => Box::new(Gzip::new(packed)),
            FileKind::Zstd => {
                let mut unpacked = zstd::Decoder::with_buffer(packed).map_err(cannot_decompress)?;
                // zstd --long=31 looks back over 2 GB; only what a file asks for is taken.
                unpacked.window_log_max(31).map_err(cannot_decompress)?;
                Box::new(unpacked)
            }
            FileKind::Text | FileKind::Parquet | FileKind::Npy | FileKind::Foreign(_) => {
                return Ok(Box::new(packed));
            }
        };
        let (head, text) = peek(unpacked).map_err(cannot_decompress)?;
        match FileKind::of(&head) {
            FileKind::Text => Ok(Box::new(text)),
            inner => Err(Error::Data(format!(
                "{name} is {}, and its content is {}: decompress it first",
                kind.described(),
                inner.described(),
            ))),
        }
    }
}

/// Returns standard input as a file, because it may be one: `< cars.parquet`.
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

/// Returns another handle of a file that can be read at any position and was not read from before.
fn seekable(mut file: &File) -> io::Result<Option<File>> {
    if file.metadata()?.is_file() && file.stream_position()? == 0 {
        return file.try_clone().map(Some);
    }
    Ok(None)
}

/// Returns the first bytes, and a reader that yields them again before the others.
fn peek<R: Read>(mut bytes: R) -> io::Result<(Vec<u8>, impl Read + use<R>)> {
    let mut head = Vec::new();
    bytes.by_ref().take(MAGIC as u64).read_to_end(&mut head)?;
    Ok((head.clone(), io::Cursor::new(head).chain(bytes)))
}

/// A reader that reports how many bytes are read.
struct CountedReader<'a> {
    file: Box<dyn Read + Send>,
    on_load: OnLoad<'a>,
}

impl Read for CountedReader<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        fault::point(Fault::Read)?;
        let read = self.file.read(bytes)?;
        (self.on_load)(read as u64);
        Ok(read)
    }
}
