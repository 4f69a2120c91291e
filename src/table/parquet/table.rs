//! What the footer of a Parquet file says: where the pages of the two columns are.

use std::fs::File;
use std::sync::Arc;

use parquet::column::page::PageReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
    RowGroupMetaData,
};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::ColumnDescPtr;
use rayon::prelude::*;

use super::numbers::{Decode, Numbers};
use super::pages::sizes::Chunk;
use super::pages::{Checked, explain, guarded};
use crate::error::{Error, NamedColumn, TableKind};
use crate::table::request::{ColumnChoice, Request};
use crate::table::shared::SharedFile;

/// Bytes that the cursors of all threads may hold together, where pages are larger than usual.
const TOGETHER: u64 = 256_000_000;
/// Bytes that a cursor may hold on any number of threads: a page and a dictionary of either column, which most programs
/// write of a megabyte, and as much again.
const OF_A_CURSOR: u64 = 8_000_000;

/// One or two columns of a file.
pub(super) struct Table {
    name: String,
    file: SharedFile,
    columns: Vec<Chosen>,
    /// Those with rows, in order.
    groups: Vec<Group>,
    rows: u64,
}

/// x or y.
pub(super) struct Chosen {
    pub(super) name: String,
    /// What errors call it: `column "speed"`.
    pub(super) title: String,
    descriptor: ColumnDescPtr,
    numbers: Numbers,
}

/// A row group: rows of which the file holds column after column.
pub(super) struct Group {
    /// The first of its rows.
    pub(super) first: u64,
    /// How many; at least 1.
    pub(super) rows: u64,
    /// Where the columns are, x first.
    chunks: Vec<ColumnChunkMetaData>,
}

impl Table {
    pub(super) fn open(file: File, name: String, request: &Request) -> Result<Self, Error> {
        let file = SharedFile::new(file).map_err(Error::cannot_read(&name))?;
        let mut options = ParquetMetaDataOptions::new();
        options.set_column_stats_policy(ParquetStatisticsPolicy::SkipAll);
        options.set_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll);
        options.set_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
        let reader = ParquetMetaDataReader::new().with_metadata_options(Some(options));
        let footer = guarded(|| reader.parse_and_finish(&file));
        let footer = footer.map_err(|error| explain(&name, error))?;

        let descriptors = footer.file_metadata().schema_descr().columns();
        let columns: Vec<NamedColumn> = descriptors
            .iter()
            .map(|descriptor| NamedColumn {
                name: descriptor.path().string(),
                numeric: Numbers::of(descriptor).is_some(),
            })
            .collect();
        let all = ColumnChoice {
            file: &name,
            columns: &columns,
            unnamed: None,
            kind: TableKind::Parquet,
            note: None,
        };
        let (x, y) = all.choose(request)?;
        let places: Vec<usize> = [Some(x), y].into_iter().flatten().collect();
        let columns = places
            .iter()
            .map(|&at| {
                let numbers = Numbers::of(&descriptors[at]).ok_or_else(|| {
                    let (title, listed) = (all.titled(at), all.list());
                    Error::Data(format!("{name}: {title} holds no numbers; {listed}"))
                })?;
                Ok(Chosen {
                    name: all.name(at),
                    title: all.titled(at),
                    descriptor: descriptors[at].clone(),
                    numbers,
                })
            })
            .collect::<Result<_, Error>>()?;

        let mut rows = 0;
        let mut groups = Vec::new();
        for group in footer.row_groups() {
            let group = Group::new(group, &places, rows, file.length())
                .ok_or_else(|| damaged(&name, "its footer contradicts itself"))?;
            rows += group.rows;
            groups.extend(Some(group).filter(|group| group.rows > 0));
        }
        if i64::try_from(rows) != Ok(footer.file_metadata().num_rows()) {
            return Err(damaged(&name, "its footer contradicts itself"));
        }
        Ok(Table {
            name,
            file,
            columns,
            groups,
            rows,
        })
    }

    pub(super) fn file(&self) -> &str {
        &self.name
    }

    /// That the file is what it was when it was opened.
    pub(super) fn unchanged(&self) -> Result<(), Error> {
        self.file.unchanged(&self.name)
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// x and, unless x is alone, y.
    pub(super) fn columns(&self) -> &[Chosen] {
        &self.columns
    }

    pub(super) fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The place in `groups` of the row group that holds a row.
    pub(super) fn group_at(&self, row: u64) -> usize {
        self.groups.partition_point(|group| group.first <= row) - 1
    }

    /// Whether the cursors of all threads could hold more than [`TOGETHER`], because pages are large.
    pub(super) fn has_large_pages(&self) -> Result<bool, Error> {
        // Each thread has one, and has left one where it was before.
        let cursors = 2 * rayon::current_num_threads() as u64;
        let too_much = |bytes: u64| bytes > OF_A_CURSOR && bytes.saturating_mul(cursors) > TOGETHER;
        let groups = self.groups.par_iter().enumerate();
        groups
            .map(|(place, group)| {
                let columns: u64 = group.chunks.iter().map(unpacked).sum();
                Ok(too_much(columns) && too_much(self.held(place)?))
            })
            .try_reduce(|| false, |one, other| Ok(one | other))
    }

    /// Bytes that a cursor holds in a row group at the most, by the headers of its pages.
    fn held(&self, group: usize) -> Result<u64, Error> {
        let columns = self.columns.iter().enumerate();
        columns
            .map(|(at, column)| {
                let (chunk, mut pages) = self.pages(group, at)?;
                let passed = guarded(|| {
                    while pages.peek_next_page()?.is_some() {
                        pages.skip_next_page()?;
                    }
                    Ok(())
                });
                self.known(column, passed)?;
                Ok(chunk.held())
            })
            .sum()
    }

    fn pages(
        &self,
        group: usize,
        column: usize,
    ) -> Result<(Arc<Chunk>, SerializedPageReader<Chunk>), Error> {
        let Group { rows, chunks, .. } = &self.groups[group];
        let (rows, chunk, column) = (*rows as usize, &chunks[column], &self.columns[column]);
        let most = unpacked(chunk).max(OF_A_CURSOR);
        let bytes = Chunk::new(self.file.clone(), chunk, &column.descriptor, most);
        let bytes = Arc::new(bytes);
        let pages = SerializedPageReader::new(bytes.clone(), chunk, rows, None);
        Ok((bytes, self.known(column, pages)?))
    }

    /// What decodes a column of a row group from its first row on.
    pub(super) fn decoder(&self, group: usize, column: usize) -> Result<Box<dyn Decode>, Error> {
        let (_, pages) = self.pages(group, column)?;
        let Chosen {
            descriptor,
            numbers,
            ..
        } = &self.columns[column];
        let pages = Box::new(Checked::new(pages, descriptor));
        Ok(numbers.decode(descriptor.clone(), pages))
    }

    /// What the parquet crate came to with a column, or its error in the user's words.
    pub(super) fn known<T>(
        &self,
        column: &Chosen,
        found: Result<T, ParquetError>,
    ) -> Result<T, Error> {
        found.map_err(|error| explain(&format!("{}, {}", self.name, column.title), error))
    }

    /// That a column of a row group has fewer values than the footer says.
    pub(super) fn too_short(&self, column: &Chosen) -> Error {
        let place = format!("{}, {}", self.name, column.title);
        damaged(&place, "it has fewer values than the footer says")
    }
}

impl Group {
    /// None where what the footer says can't be.
    fn new(group: &RowGroupMetaData, places: &[usize], first: u64, length: u64) -> Option<Self> {
        let rows = u64::try_from(group.num_rows()).ok()?;
        let chunks = places
            .iter()
            .map(|&at| {
                let chunk = group.columns().get(at)?.clone();
                let start = chunk
                    .dictionary_page_offset()
                    .unwrap_or(chunk.data_page_offset());
                let start = u64::try_from(start).ok()?;
                let end = start.checked_add(u64::try_from(chunk.compressed_size()).ok()?)?;
                let whole = chunk.num_values() == group.num_rows() && end <= length;
                (whole && chunk.file_path().is_none()).then_some(chunk)
            })
            .collect::<Option<_>>()?;
        first.checked_add(rows)?;
        Some(Group {
            first,
            rows,
            chunks,
        })
    }
}

/// Bytes of a column's pages, unpacked, as the footer has it.
fn unpacked(chunk: &ColumnChunkMetaData) -> u64 {
    chunk.uncompressed_size().try_into().unwrap_or(0)
}

fn damaged(place: &str, what: &str) -> Error {
    Error::Data(format!("{place}: the file is damaged: {what}"))
}
