//! The pages of a Parquet column: read by position, and measured before the parquet crate trusts their headers.

use std::io::{self, Read};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};

use super::shapes::{FILE, PAGE};
use super::thrift::{self, Fault};
use crate::error::Error;
use crate::table::shared::SharedFile;

/// Bytes that loading a page or a footer may take. Most programs write pages of a megabyte. This leaves 100 MB to the rest
/// of a program that is to stay below 500.
pub const LARGEST: u64 = 400_000_000;

/// Bytes of a page that no column is too small for.
const SMALL: u64 = 8_000_000;

/// Bytes read first to find a page's header, which usually takes 30, and more with statistics.
const HEADER: u64 = 512;
/// Maximum bytes of a page's header.
const LONGEST_HEADER: u64 = 1 << 24;

/// The pages of a column in one row group.
#[derive(Clone)]
pub struct Chunk {
    file: SharedFile,
    /// Bytes of all pages, unpacked.
    unpacked: u64,
    /// `true` if pages are compressed.
    packed: bool,
    failure: Failure,
}

/// The first failure of reading a file. The parquet crate passes on no more than its text.
#[derive(Clone, Default)]
pub struct Failure(Arc<Mutex<Option<io::Error>>>);

/// The part of a page's header that says how large the page is.
struct PageHeader {
    bytes: Bytes,
    is_dictionary: bool,
    /// Bytes.
    unpacked: u64,
    /// Bytes.
    packed: u64,
}

impl Failure {
    /// Keeps an error and returns it for the parquet crate.
    fn keep(&self, error: io::Error) -> ParquetError {
        let kind = error.kind();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        ParquetError::External(Box::new(io::Error::from(kind)))
    }

    /// Returns the error that was kept, or else `error`.
    pub fn or(&self, error: ParquetError) -> ParquetError {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        kept.map_or(error, ParquetError::from)
    }
}

impl Chunk {
    pub fn new(file: SharedFile, chunk: &ColumnChunkMetaData, failure: Failure) -> Self {
        Chunk {
            file,
            unpacked: u64::try_from(chunk.uncompressed_size()).unwrap_or(0),
            packed: chunk.compression() != Compression::UNCOMPRESSED,
            failure,
        }
    }

    /// Returns the bytes of all pages, unpacked, as the footer says.
    pub fn unpacked(&self) -> u64 {
        self.unpacked
    }

    /// Returns the bytes that a reader holds: the largest page while it is loaded, and the dictionary. Reads all page
    /// headers.
    ///
    /// # Errors
    /// Fails for a page that is too large.
    pub fn held(&self, chunk: &ColumnChunkMetaData) -> Result<u64, ParquetError> {
        let (mut start, length) = chunk.byte_range();
        let end = start.saturating_add(length);
        let (mut page, mut dictionary) = (0, 0);
        while start < end {
            let header = self.header(start)?;
            let largest = if header.is_dictionary {
                &mut dictionary
            } else {
                &mut page
            };
            *largest = header.loading(self.packed).max(*largest);
            start = start.saturating_add(header.bytes.len() as u64 + header.packed);
        }
        Ok(page + dictionary)
    }

    /// Reads the header of the page at `start`.
    fn header(&self, start: u64) -> io::Result<PageHeader> {
        let rest = self.file.length().saturating_sub(start);
        let mut length = HEADER;
        loop {
            let mut bytes = vec![0; length.min(rest) as usize];
            self.file.read_exact_at(&mut bytes, start)?;
            match thrift::measure(&bytes, PAGE) {
                Ok(found) => {
                    bytes.truncate(found.length);
                    let header = PageHeader::new(bytes.into(), &found.fields)
                        .ok_or_else(|| damaged("a page's header is invalid"))?;
                    header.check(self)?;
                    return Ok(header);
                }
                Err(Fault::Short) if length < rest.min(LONGEST_HEADER) => length *= 8,
                Err(Fault::Short) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(Fault::Invalid) => return Err(damaged("a page's header is invalid")),
            }
        }
    }
}

impl PageHeader {
    /// Returns `None` for sizes that are negative or beyond 32 bits: the parquet crate takes their lowest 32.
    fn new(bytes: Bytes, fields: &[(i64, i64)]) -> Option<Self> {
        let size = |wanted| {
            let field = fields.iter().rfind(|(field, _)| *field == wanted);
            let size = i32::try_from(field.map_or(0, |(_, value)| *value)).ok()?;
            u64::try_from(size).ok()
        };
        Some(PageHeader {
            bytes,
            is_dictionary: fields.iter().any(|(field, _)| *field == 7),
            unpacked: size(2)?,
            packed: size(3)?,
        })
    }

    /// Returns the bytes in memory while the page is loaded; a dictionary stands there a second time, decoded.
    fn loading(&self, packed: bool) -> u64 {
        let copies = if self.is_dictionary { 2 } else { 1 };
        copies * self.unpacked + if packed { self.packed } else { 0 }
    }

    fn check(&self, chunk: &Chunk) -> io::Result<()> {
        if self.unpacked > chunk.unpacked.max(SMALL) {
            return Err(damaged("a page is larger than its column"));
        }
        let loading = self.loading(chunk.packed);
        if loading <= LARGEST {
            return Ok(());
        }
        let text = format!(
            "loading a page of {} MB takes {} MB of memory, and the limit is {} MB; rewrite the file with smaller pages or \
             row groups",
            self.unpacked / 1_000_000,
            loading / 1_000_000,
            LARGEST / 1_000_000,
        );
        Err(io::Error::new(io::ErrorKind::FileTooLarge, text))
    }
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Length for Chunk {
    fn len(&self) -> u64 {
        self.file.length()
    }
}

impl ChunkReader for Chunk {
    type T = HeaderReader;

    fn get_read(&self, start: u64) -> Result<HeaderReader, ParquetError> {
        Ok(HeaderReader {
            chunk: self.clone(),
            start,
            header: None,
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        // The length is limited: the footer's to the file, a page's to its column by the footer.
        let mut bytes = vec![0; length];
        let read = self.file.read_exact_at(&mut bytes, start);
        read.map_err(|error| self.failure.keep(error))?;
        Ok(bytes.into())
    }
}

/// The bytes of a page's header. They are read when they are asked for: the parquet crate also takes a reader at a page's
/// content, which it leaves alone.
pub struct HeaderReader {
    chunk: Chunk,
    start: u64,
    header: Option<io::Cursor<Bytes>>,
}

impl Read for HeaderReader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let header = match &mut self.header {
            Some(header) => header,
            None => {
                let header = self.chunk.header(self.start).map_err(|error| {
                    let kind = error.kind();
                    self.chunk.failure.keep(error);
                    kind
                })?;
                self.header.insert(io::Cursor::new(header.bytes))
            }
        };
        match header.read(bytes)? {
            // The parquet crate takes the end of a file for bytes that it has skipped.
            0 if !bytes.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
            read => Ok(read),
        }
    }
}

/// Reads the bytes of a Parquet file's footer, which are one struct of a size that can be held.
pub fn footer(file: &SharedFile) -> io::Result<Vec<u8>> {
    const MAGIC: &[u8] = b"PAR1";
    let mut tail = [0; 8];
    let end = file.length().checked_sub(tail.len() as u64);
    let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
    file.read_exact_at(&mut tail, end)?;
    let ([length @ .., _, _, _, _], magic) = (tail, &tail[4..]);
    if magic == b"PARE" {
        return Err(damaged("its footer is encrypted"));
    }
    if magic != MAGIC {
        return Err(damaged("it does not end with PAR1"));
    }
    let length = u32::from_le_bytes(length).into();
    let start = end.checked_sub(length);
    let start = start.ok_or_else(|| damaged("its footer is longer than the file"))?;
    if length > LARGEST {
        let text = format!("its footer takes {} MB", length / 1_000_000);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, start)?;
    match thrift::measure(&bytes, FILE) {
        Ok(_) => Ok(bytes),
        Err(Fault::Short) => Err(damaged("its footer is incomplete")),
        Err(Fault::Invalid) => Err(damaged("its footer is invalid")),
    }
}

/// Turns an error of the parquet crate, at this place of a file, into one of this library.
pub fn explain(place: &str, error: ParquetError) -> Error {
    let what = match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            // Decompressors have I/O errors too, but not from the operating system.
            Ok(source) if source.raw_os_error().is_some() => {
                return Error::cannot_read(place)(*source);
            }
            Ok(large) if large.kind() == io::ErrorKind::FileTooLarge => {
                return Error::Data(format!("{place}: {large}"));
            }
            Ok(short) if short.kind() == io::ErrorKind::UnexpectedEof => {
                "it is cut short".to_owned()
            }
            Ok(other) => other.to_string(),
            Err(other) => other.to_string(),
        },
        other => other.to_string(),
    };
    let mut what = what.lines().next().unwrap_or_default();
    for prefix in [
        "Parquet argument error: ",
        "External: ",
        "Arrow: ",
        "Parquet error: ",
        "EOF: ",
    ] {
        what = what.strip_prefix(prefix).unwrap_or(what);
    }
    Error::Data(match what.strip_prefix("NYI: ") {
        Some(what) => format!("{place}: this is not supported: {what}"),
        None => format!("{place}: the file is damaged, or not a Parquet file: {what}"),
    })
}

/// Calls the parquet crate, and turns its panics at damaged pages into errors.
pub fn guarded<T, E: Into<ParquetError>>(
    decode: impl FnOnce() -> Result<T, E>,
) -> Result<T, ParquetError> {
    // After a panic nothing of it is used again.
    match panic::catch_unwind(AssertUnwindSafe(decode)) {
        Ok(decoded) => decoded.map_err(Into::into),
        Err(_) => Err(ParquetError::General("it can't be decoded".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error() {
        let wrong: Result<(), _> =
            guarded(|| -> Result<_, ParquetError> { panic!("this panic is wanted") });
        assert!(wrong.unwrap_err().to_string().contains("can't be decoded"));
        assert_eq!(guarded(|| Ok::<_, ParquetError>(1)).unwrap(), 1);
    }
}
