//! A column of a row group, read block after block.

use std::mem;

use arrow_array::{Array, ArrayRef};
use arrow_schema::ArrowError;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowGroups};
use parquet::column::page::{PageIterator, PageReader};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::serialized_reader::SerializedPageReader;

use super::claims::CheckedPages;
use super::numbers::{self, Numbers};
use super::pages::{Chunk, Failure, guarded};
use crate::table::shared::SharedFile;

/// Reads a column of a row group in order.
///
/// Each reader ends with its row group: a column chunk with too few values then can't shift those of the next.
pub struct ColumnReader {
    /// One for each type that the column is read as.
    readers: Vec<ParquetRecordBatchReader>,
    /// Rows that were decoded and not read yet, in each of these types.
    pending: Vec<ArrayRef>,
    failure: Failure,
}

impl ColumnReader {
    /// Reads columns of one name in several types.
    pub fn new(readers: Vec<ParquetRecordBatchReader>, failure: Failure) -> Self {
        ColumnReader {
            readers,
            pending: Vec::new(),
            failure,
        }
    }

    /// Adds the next `rows` numbers to `out`; returns whether there are so many.
    pub fn read(&mut self, rows: usize, out: &mut Numbers) -> Result<bool, ParquetError> {
        let read = guarded(|| self.read_unguarded(rows, out));
        read.map_err(|error| self.failure.or(error))
    }

    fn read_unguarded(&mut self, rows: usize, out: &mut Numbers) -> Result<bool, ArrowError> {
        let mut left = rows;
        while left > 0 {
            if self.pending.is_empty() {
                let batches = self.readers.iter_mut().filter_map(Iterator::next);
                let columns = batches.map(|batch| batch.map(|batch| batch.column(0).clone()));
                self.pending = columns.collect::<Result<_, ArrowError>>()?;
            }
            let Some(decoded) = self.pending.iter().map(Array::len).min() else {
                return Ok(false);
            };
            let taken = left.min(decoded);
            let slice = |from, length| {
                let slices = self.pending.iter().map(|array| array.slice(from, length));
                slices.collect::<Vec<_>>()
            };
            let (next, rest) = if taken < decoded {
                (slice(0, taken), slice(taken, decoded - taken))
            } else {
                (mem::take(&mut self.pending), Vec::new())
            };
            self.pending = rest;
            numbers::append(next, out)?;
            left -= taken;
        }
        Ok(true)
    }
}

/// The pages of a row group.
pub struct GroupPages<'a> {
    /// The file.
    pub file: &'a SharedFile,
    /// The file's footer.
    pub metadata: &'a ParquetMetaData,
    /// The part of the footer about the row group.
    pub group: &'a RowGroupMetaData,
    /// The place for failures of reading.
    pub failure: Failure,
}

impl RowGroups for GroupPages<'_> {
    fn num_rows(&self) -> usize {
        self.group.num_rows() as usize
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>, ParquetError> {
        let metadata = self.group.column(column);
        let chunk = Chunk::new(self.file.clone(), metadata, self.failure.clone());
        let pages = SerializedPageReader::new(chunk.into(), metadata, self.num_rows(), None)?;
        let pages = CheckedPages::new(pages, metadata.column_descr());
        Ok(Box::new(OnePageReader(Some(Box::new(pages)))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(std::iter::once(self.group))
    }

    fn metadata(&self) -> &ParquetMetaData {
        self.metadata
    }
}

/// The only page reader of a column.
struct OnePageReader(Option<Box<dyn PageReader>>);

impl Iterator for OnePageReader {
    type Item = Result<Box<dyn PageReader>, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(Ok)
    }
}

impl PageIterator for OnePageReader {}
