//! How large the pages of a column are by their headers, which is looked at before a page is loaded: the parquet crate
//! takes as much memory as a header says, and tells nobody what it says.
//!
//! Headers are of Thrift's compact protocol: <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use parquet::basic::{Compression, Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::schema::types::ColumnDescriptor;

use crate::table::shared::{ReadFrom, SharedFile};

/// Bytes that loading a page may take, packed and unpacked. Most programs write pages of a megabyte; this leaves 100 MB
/// to the rest of a program that is to stay below 500.
const LARGEST: u64 = 400_000_000;

/// Bytes beyond what its values take that a page may have: what stands before them, and blocks that are filled up.
const SLACK: u64 = 1 << 20;

/// The pages of a column chunk.
pub(in crate::table::parquet) struct Chunk {
    file: SharedFile,
    limits: Limits,
    largest: Arc<Largest>,
}

/// Bytes that the largest page seen so far takes, and the largest dictionary.
#[derive(Debug, Default)]
struct Largest {
    page: AtomicU64,
    dictionary: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Bytes of a page.
    page: u64,
    /// Those that a value may have in it; none where it may have any number.
    value: Option<u64>,
    /// Whether a page is there twice while it is unpacked.
    packed: bool,
    /// A dictionary's bytes when it is decoded, as a multiple of those in the file.
    decoded: u64,
}

impl Chunk {
    /// Refuses pages that are larger than `page` bytes, unpacked.
    pub(in crate::table::parquet) fn new(
        file: SharedFile,
        chunk: &ColumnChunkMetaData,
        column: &ColumnDescriptor,
        page: u64,
    ) -> Self {
        // The second: what is no plain number is decoded to 32 bytes and more, of at least 4 in the file.
        let (width, decoded) = match column.physical_type() {
            Type::BOOLEAN => (Some(1), 1),
            Type::INT32 | Type::FLOAT => (Some(4), 1),
            Type::INT64 | Type::DOUBLE => (Some(8), 1),
            Type::INT96 => (Some(12), 1),
            Type::FIXED_LEN_BYTE_ARRAY => (u64::try_from(column.type_length()).ok(), 16),
            Type::BYTE_ARRAY => (None, 8),
        };
        Chunk {
            file,
            limits: Limits {
                page,
                // Encodings take less, but for what can't be made smaller; and which values are there, a few bits.
                value: width.map(|width| 2 * width + 4),
                packed: chunk.compression() != Compression::UNCOMPRESSED,
                decoded,
            },
            largest: Arc::default(),
        }
    }

    /// Bytes that who reads on from page to page holds at the most, as far as the headers were read.
    pub(in crate::table::parquet) fn held(&self) -> u64 {
        let Largest { page, dictionary } = &*self.largest;
        page.load(Ordering::Relaxed) + dictionary.load(Ordering::Relaxed)
    }
}

impl Length for Chunk {
    fn len(&self) -> u64 {
        self.file.length()
    }
}

impl ChunkReader for Chunk {
    type T = HeaderFirst;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(HeaderFirst {
            bytes: self.file.get_read(start)?,
            checked: false,
            limits: self.limits,
            largest: self.largest.clone(),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.file.get_bytes(start, length)
    }
}

/// The bytes of a page from its header on: whoever reads any begins with that.
pub(in crate::table::parquet) struct HeaderFirst {
    bytes: BufReader<ReadFrom>,
    checked: bool,
    limits: Limits,
    largest: Arc<Largest>,
}

impl Read for HeaderFirst {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if !self.checked {
            let header = Header::parse(self.bytes.fill_buf()?)
                .ok_or_else(|| io::Error::other("a page's header is none"))?;
            header.check(self.limits, &self.largest)?;
            self.checked = true;
        }
        self.bytes.read(bytes)
    }
}

/// What a page's header says.
#[derive(Debug, Default, PartialEq)]
struct Header {
    dictionary: bool,
    /// Bytes.
    unpacked: u64,
    packed: u64,
    /// None where it is another kind of page.
    values: Option<u64>,
}

impl Header {
    /// Its first fields, which stand there in the order of their numbers; none where they don't.
    fn parse(mut bytes: &[u8]) -> Option<Self> {
        const I32: u8 = 5;
        const STRUCT: u8 = 12;
        /// That of dictionaries.
        const DICTIONARY_HEADER: u8 = 7;
        let mut header = Header::default();
        let (mut field, mut seen) = (0, 0);
        loop {
            let byte = bytes.split_off_first()?;
            // From the field before to this one.
            let step = byte >> 4;
            field += step;
            match (step, byte & 0x0f) {
                (0, _) => return None,
                (_, I32) => {
                    let value = zigzag(&mut bytes)?;
                    match field {
                        2 => header.unpacked = u64::try_from(value).ok()?,
                        3 => header.packed = u64::try_from(value).ok()?,
                        // The kind, which the struct tells too, and a checksum.
                        _ => {}
                    }
                    seen += 1;
                }
                (_, STRUCT) if seen >= 3 => {
                    header.dictionary = field == DICTIONARY_HEADER;
                    if *bytes.first()? == 0x10 | I32 {
                        bytes.split_off_first();
                        header.values = Some(u64::try_from(zigzag(&mut bytes)?).ok()?);
                    }
                    return Some(header);
                }
                _ => return None,
            }
        }
    }

    fn check(&self, limits: Limits, largest: &Largest) -> io::Result<()> {
        let most_of_values = limits.value.zip(self.values);
        let damaged = |what| Err(io::Error::new(io::ErrorKind::InvalidData, what));
        if most_of_values.is_some_and(|(of_one, values)| self.unpacked > SLACK + of_one * values) {
            return damaged("a page is larger than its values can be");
        }
        if self.unpacked > limits.page {
            return damaged("a page is larger than its column");
        }
        let loading = self.unpacked + if limits.packed { self.packed } else { 0 };
        let decoded = if self.dictionary {
            limits.decoded * self.unpacked
        } else {
            0
        };
        if loading + decoded > LARGEST {
            let text = format!(
                "it has a page of {} MB, of which {} MB would be in memory at once, where {} MB may be; write the file \
                 anew with smaller pages or row groups",
                self.unpacked / 1_000_000,
                (loading + decoded) / 1_000_000,
                LARGEST / 1_000_000,
            );
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
        }
        let kind = if self.dictionary {
            &largest.dictionary
        } else {
            &largest.page
        };
        kind.fetch_max(loading + decoded, Ordering::Relaxed);
        Ok(())
    }
}

/// An integer: seven bits a byte, the lowest first, and of those the first the sign.
fn zigzag(bytes: &mut &[u8]) -> Option<i64> {
    let mut value = 0_u64;
    for shift in (0..35).step_by(7) {
        let byte = bytes.split_off_first()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A data page of 1000 bytes unpacked, 300 packed, with a checksum, of 70 values.
    const PAGE: [u8; 16] = [
        0x15, 0x00, 0x15, 0xd0, 0x0f, 0x15, 0xd8, 0x04, 0x15, 0x01, 0x1c, 0x15, 0x8c, 0x01, 0x15,
        0x00,
    ];

    #[test]
    fn a_header_is_read() {
        let header = Header {
            dictionary: false,
            unpacked: 1000,
            packed: 300,
            values: Some(70),
        };
        assert_eq!(Header::parse(&PAGE), Some(header));
        // Cut short, and with a length below 0.
        for length in 0..14 {
            assert_eq!(Header::parse(&PAGE[..length]), None);
        }
        let mut negative = PAGE;
        negative[3] |= 1;
        assert_eq!(Header::parse(&negative), None);
        // Without the checksum, as a dictionary: its struct is the seventh field.
        let dictionary = [&PAGE[..8], &[0x4c, 0x15, 0x8c, 0x01]].concat();
        let header = Header::parse(&dictionary).unwrap();
        assert_eq!((header.dictionary, header.values), (true, Some(70)));
    }
}
