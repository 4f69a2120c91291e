//! The footer of a Parquet file: its columns and row groups.

use arrow_array::RecordBatch;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowSelection, RowSelector};
use parquet::arrow::{
    FieldLevels, ProjectionMask, parquet_to_arrow_field_levels, parquet_to_arrow_schema,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader,
    ParquetStatisticsPolicy, RowGroupMetaData,
};
use rayon::prelude::*;

use super::numbers::{self, Numbers};
use super::pages::{Chunk, Failure, explain, footer, guarded};
use super::reader::{ColumnReader, GroupPages};
use crate::data::{BLOCK, Time};
use crate::error::{Error, NamedColumn, TableKind};
use crate::table::request::{ColumnChoice, Request};
use crate::table::shared::SharedFile;

/// Bytes that the readers of all threads may hold together.
const TOGETHER: u64 = 256_000_000;
/// Bytes that a reader may hold on any number of threads: a page and a dictionary of two columns, which most programs
/// write of a megabyte, and as much again.
const OF_A_READER: u64 = 8_000_000;

/// One or two columns of a Parquet file.
pub struct ParquetTable {
    name: String,
    file: SharedFile,
    metadata: ParquetMetaData,
    columns: Vec<ParquetColumn>,
    /// The row groups that have rows, in order.
    groups: Vec<Group>,
    rows: u64,
}

/// x or y.
pub struct ParquetColumn {
    /// Its name, with the names of the structs that it is nested in: `point.x`.
    pub name: String,
    /// Its name within a sentence: `column "speed"`.
    pub title: String,
    /// What its numbers count, if it holds dates or timestamps.
    pub time: Option<Time>,
    /// Its position among the file's columns.
    place: usize,
    /// The types that it is read as.
    levels: Vec<FieldLevels>,
}

/// A row group: rows that the file holds column after column.
pub struct Group {
    /// The first of its rows.
    pub first: u64,
    /// The number of its rows, at least 1.
    pub rows: u64,
    /// Its position in the footer.
    place: usize,
}

impl ParquetTable {
    /// Reads the footer and chooses the columns.
    pub fn open(file: SharedFile, name: String, request: &Request) -> Result<Self, Error> {
        let metadata = read_footer(&file).map_err(|error| explain(&name, error))?;
        let columns = choose(&name, &metadata, request)?;

        let mut rows = 0_u64;
        let mut groups = Vec::new();
        for (place, group) in metadata.row_groups().iter().enumerate() {
            let count = rows_of(group, &columns, file.length());
            let count = count.filter(|&count| rows.checked_add(count).is_some());
            let count = count.ok_or_else(|| damaged(&name, "its footer contradicts itself"))?;
            let group = Group {
                first: rows,
                rows: count,
                place,
            };
            rows += count;
            groups.extend(Some(group).filter(|group| group.rows > 0));
        }
        if i64::try_from(rows) != Ok(metadata.file_metadata().num_rows()) {
            return Err(damaged(&name, "its footer contradicts itself"));
        }
        Ok(ParquetTable {
            name,
            file,
            metadata,
            columns,
            groups,
            rows,
        })
    }

    /// Returns the file's name.
    pub fn file(&self) -> &str {
        &self.name
    }

    /// Checks that the file is as it was when it was opened.
    pub fn unchanged(&self) -> Result<(), Error> {
        self.file.unchanged(&self.name)
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Returns x and, unless x is alone, y.
    pub fn columns(&self) -> &[ParquetColumn] {
        &self.columns
    }

    /// Returns the row groups that have rows.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Returns the position in `groups` of the row group that holds a row.
    pub fn group_at(&self, row: u64) -> usize {
        self.groups.partition_point(|group| group.first <= row) - 1
    }

    /// Returns whether the readers of all threads could hold more than [`TOGETHER`].
    ///
    /// # Errors
    /// Fails for a page that is too large for any reader.
    pub fn has_large_pages(&self) -> Result<bool, Error> {
        // Each thread has a reader, and has left one at its previous position.
        let readers = 2 * rayon::current_num_threads() as u64;
        let too_much = |bytes: u64| bytes > OF_A_READER && bytes.saturating_mul(readers) > TOGETHER;
        let large = |group: &Group| {
            let chunks = self.columns.iter().map(|column| {
                let (pages, chunk) = self.chunk(group, column.place, Failure::default());
                (column, pages, chunk)
            });
            let unpacked = chunks.clone().map(|(_, pages, _)| pages.unpacked());
            if !too_much(unpacked.fold(0, u64::saturating_add)) {
                return Ok(false);
            }
            let held = chunks.map(|(column, pages, chunk)| {
                let held = pages.held(chunk);
                held.map_err(|error| self.explain(column, error))
            });
            Ok(too_much(held.sum::<Result<u64, Error>>()?))
        };
        let groups = self.groups.par_iter();
        groups
            .map(large)
            .try_reduce(|| false, |one, other| Ok(one | other))
    }

    /// Returns a reader of a column, from this row of a row group on.
    pub fn reader(&self, group: &Group, column: usize, row: u64) -> Result<ColumnReader, Error> {
        let column = &self.columns[column];
        let failure = Failure::default();
        let pages = GroupPages {
            file: &self.file,
            metadata: &self.metadata,
            group: self.row_group(group),
            failure: failure.clone(),
        };
        let (skipped, left) = (row - group.first, group.first + group.rows - row);
        let selection = (skipped > 0).then(|| {
            let selectors = [
                RowSelector::skip(skipped as usize),
                RowSelector::select(left as usize),
            ];
            RowSelection::from(selectors.to_vec())
        });
        let readers = column.levels.iter().map(|levels| {
            let batch = BLOCK.min(left as usize);
            let selection = selection.clone();
            guarded(|| {
                ParquetRecordBatchReader::try_new_with_row_groups(levels, &pages, batch, selection)
            })
        });
        let readers = readers.collect::<Result<_, _>>();
        let readers = readers.map_err(|error| self.explain(column, failure.or(error)))?;
        Ok(ColumnReader::new(readers, failure))
    }

    /// Hands on all columns, some rows at a time.
    ///
    /// # Errors
    /// Fails if the file can't be read or is damaged. Those of `each`.
    pub fn whole(
        &self,
        each: &mut dyn FnMut(RecordBatch) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let failure = Failure::default();
        let explained = |error| explain(&self.name, failure.or(error));
        let metadata = self.metadata.file_metadata();
        let schema = metadata.schema_descr();
        let levels = guarded(|| {
            let types = parquet_to_arrow_schema(schema, metadata.key_value_metadata())?;
            parquet_to_arrow_field_levels(schema, ProjectionMask::all(), Some(types.fields()))
        });
        let levels = levels.map_err(explained)?;
        for group in &self.groups {
            let pages = GroupPages {
                file: &self.file,
                metadata: &self.metadata,
                group: self.row_group(group),
                failure: failure.clone(),
            };
            let batch = BLOCK.min(group.rows as usize);
            let reader = guarded(|| {
                ParquetRecordBatchReader::try_new_with_row_groups(&levels, &pages, batch, None)
            });
            let mut reader = reader.map_err(explained)?;
            loop {
                let next = guarded(|| reader.next().transpose());
                let Some(columns) = next.map_err(explained)? else {
                    break;
                };
                self.unchanged()?;
                each(columns)?;
            }
        }
        Ok(())
    }

    /// Reads the next `rows` rows of a column, which its row group must have.
    pub fn read(
        &self,
        column: usize,
        reader: &mut ColumnReader,
        rows: usize,
        out: &mut Numbers,
    ) -> Result<(), Error> {
        let column = &self.columns[column];
        let read = reader.read(rows, out);
        if read.map_err(|error| self.explain(column, error))? {
            return Ok(());
        }
        let place = format!("{}, {}", self.name, column.title);
        Err(damaged(&place, "it has fewer values than the footer says"))
    }

    /// Returns the pages of the column at this position of the file, and where they are.
    fn chunk(
        &self,
        group: &Group,
        column: usize,
        failure: Failure,
    ) -> (Chunk, &ColumnChunkMetaData) {
        let metadata = self.row_group(group).column(column);
        (Chunk::new(self.file.clone(), metadata, failure), metadata)
    }

    /// Returns the part of the footer about a row group.
    fn row_group(&self, group: &Group) -> &RowGroupMetaData {
        self.metadata.row_group(group.place)
    }

    /// Turns an error of the parquet crate at a column into one of this library.
    fn explain(&self, column: &ParquetColumn, error: ParquetError) -> Error {
        explain(&format!("{}, {}", self.name, column.title), error)
    }
}

fn read_footer(file: &SharedFile) -> Result<ParquetMetaData, ParquetError> {
    let bytes = footer(file)?;
    let mut options = ParquetMetaDataOptions::new();
    options.set_column_stats_policy(ParquetStatisticsPolicy::SkipAll);
    options.set_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll);
    options.set_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    guarded(|| ParquetMetaDataReader::decode_metadata_with_options(&bytes, Some(&options)))
}

/// Returns x and, unless x is alone, y.
fn choose(
    name: &str,
    metadata: &ParquetMetaData,
    request: &Request,
) -> Result<Vec<ParquetColumn>, Error> {
    let schema = metadata.file_metadata().schema_descr();
    let columns: Vec<NamedColumn> = schema
        .columns()
        .iter()
        .map(|descriptor| NamedColumn {
            name: descriptor.path().string(),
            numeric: numbers::is_numeric(descriptor),
            example: None,
        })
        .collect();
    let all = ColumnChoice {
        kind: TableKind::Parquet,
        file: name,
        columns: &columns,
        unnamed: None,
    };
    let (x, y) = all.choose(request)?;
    let chosen = [Some(x), y].into_iter().flatten();
    chosen
        .map(|place| {
            let title = all.titled(place);
            if !columns[place].numeric {
                let listed = all.list();
                return Err(Error::Data(format!(
                    "{name}: {title} holds no numbers; {listed}"
                )));
            }
            let levels = guarded(|| numbers::levels(schema, place));
            Ok(ParquetColumn {
                name: all.name(place),
                time: numbers::time(&schema.column(place)),
                place,
                levels: levels.map_err(|error| explain(&format!("{name}, {title}"), error))?,
                title,
            })
        })
        .collect()
}

/// Returns the number of a row group's rows, or `None` if the footer contradicts itself or the file's length.
fn rows_of(group: &RowGroupMetaData, columns: &[ParquetColumn], length: u64) -> Option<u64> {
    for column in columns {
        let chunk = group.columns().get(column.place)?;
        let start = chunk
            .dictionary_page_offset()
            .unwrap_or(chunk.data_page_offset());
        let start = u64::try_from(start).ok()?;
        let end = start.checked_add(u64::try_from(chunk.compressed_size()).ok()?)?;
        let complete = chunk.num_values() == group.num_rows() && end <= length;
        if !complete || chunk.file_path().is_some() {
            return None;
        }
    }
    u64::try_from(group.num_rows()).ok()
}

fn damaged(place: &str, what: &str) -> Error {
    Error::Data(format!("{place}: the file is damaged: {what}"))
}
