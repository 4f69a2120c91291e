//! The pages of a Parquet file: read by position, and looked at before the parquet crate trusts them.

use std::io::{self, BufReader};
use std::panic::{self, AssertUnwindSafe};

use bytes::Bytes;
use parquet::basic::{Encoding, Type};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use parquet::schema::types::ColumnDescriptor;

use crate::error::Error;
use crate::table::shared::{ReadFrom, SharedFile};

pub(super) mod sizes;

/// Bytes read at once where a page's header is.
const HEADER: usize = 512;

impl Length for SharedFile {
    fn len(&self) -> u64 {
        self.length()
    }
}

impl ChunkReader for SharedFile {
    type T = BufReader<ReadFrom>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        // A page's header takes some 30 bytes, with statistics some more.
        Ok(BufReader::with_capacity(HEADER, self.from(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        // No longer than the file: the footer's lengths were held against the file's, pages' are against the footer's.
        let mut bytes = vec![0; length];
        self.read_exact_at(&mut bytes, start)?;
        Ok(bytes.into())
    }
}

/// Pages of which the parquet crate panics at hardly any: what it takes for granted is checked first.
pub(super) struct Checked<P> {
    pages: P,
    /// The bytes of a value, where all have as many and each row has one.
    width: Option<u64>,
    /// Whether a dictionary has come by.
    dictionary: bool,
}

impl<P: PageReader> Checked<P> {
    pub(super) fn new(pages: P, column: &ColumnDescriptor) -> Self {
        let width = match column.physical_type() {
            Type::INT32 | Type::FLOAT => Some(4),
            Type::INT64 | Type::DOUBLE => Some(8),
            Type::FIXED_LEN_BYTE_ARRAY => u64::try_from(column.type_length()).ok(),
            _ => None,
        };
        Checked {
            pages,
            width: width.filter(|_| column.max_def_level() == 0),
            dictionary: false,
        }
    }

    fn check(&mut self, page: &Page) -> Result<(), ParquetError> {
        let damaged = |what: &str| Err(ParquetError::General(what.to_owned()));
        if page.is_dictionary_page() {
            self.dictionary = true;
        } else if !self.dictionary
            && matches!(
                page.encoding(),
                Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY
            )
        {
            return damaged("a page refers to a dictionary that is not there");
        }
        if let Page::DataPageV2 {
            buf,
            def_levels_byte_len,
            rep_levels_byte_len,
            ..
        } = page
            && u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len) > buf.len() as u64
        {
            return damaged("a page is shorter than its levels");
        }
        if page.encoding() == Encoding::BYTE_STREAM_SPLIT
            && let Some(width) = self.width
            && page.buffer().len() as u64 != u64::from(page.num_values()) * width
        {
            return damaged("a page is not as long as its values");
        }
        Ok(())
    }
}

impl<P: PageReader> PageReader for Checked<P> {
    fn get_next_page(&mut self) -> Result<Option<Page>, ParquetError> {
        let page = self.pages.get_next_page()?;
        page.iter().try_for_each(|page| self.check(page))?;
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>, ParquetError> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<(), ParquetError> {
        // Of a dictionary that is passed over the pages keep where it is.
        self.dictionary |= matches!(self.pages.peek_next_page()?, Some(page) if page.is_dict);
        self.pages.skip_next_page()
    }

    fn supports_deferred_dictionary(&self) -> bool {
        self.pages.supports_deferred_dictionary()
    }

    fn take_deferred_dictionary(&mut self) -> Result<Option<Page>, ParquetError> {
        self.pages.take_deferred_dictionary()
    }

    fn at_record_boundary(&mut self) -> Result<bool, ParquetError> {
        self.pages.at_record_boundary()
    }
}

impl<P: PageReader> Iterator for Checked<P> {
    type Item = Result<Page, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

/// The parquet crate's errors in the user's words, after the place that they are about.
pub(super) fn explain(place: &str, error: ParquetError) -> Error {
    let what = match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            // What decompresses has such errors too, but not from the operating system.
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
        ParquetError::General(what) | ParquetError::EOF(what) => what,
        ParquetError::NYI(what) => {
            let what = one_line(&what);
            return Error::Data(format!("{place}: this is not supported: {what}"));
        }
        other => other.to_string(),
    };
    Error::Data(format!(
        "{place}: the file is damaged, or no Parquet file: {}",
        one_line(&what)
    ))
}

/// What the parquet crate does with a column; of damages that are not [`Checked`] it may panic.
pub(super) fn guarded<T>(
    decode: impl FnOnce() -> Result<T, ParquetError>,
) -> Result<T, ParquetError> {
    // Whatever it was about is not used again.
    panic::catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(ParquetError::General("it can't be decoded".to_owned())))
}

fn one_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
