//! Writing Parquet.

use std::io::{self, Write};
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

/// Rows of a row group, which is in memory until it is written: up to 8 MB a column.
const GROUP: usize = 1 << 20;

/// Rows handed to the parquet crate at once, as a copy that stays in the processor's cache.
const BATCH: usize = 1 << 13;

/// Writes a Parquet file of DOUBLE columns without missing values.
pub struct ParquetWriter<W: Write + Send> {
    file: ArrowWriter<W>,
    schema: SchemaRef,
}

impl<W: Write + Send> ParquetWriter<W> {
    pub fn new(out: W, names: &[&str]) -> io::Result<Self> {
        let fields = names
            .iter()
            .map(|name| Field::new(*name, DataType::Float64, false));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            // Numbers that were computed hardly repeat.
            .set_dictionary_enabled(false)
            .set_max_row_group_row_count(Some(GROUP));
        let options = ArrowWriterOptions::new()
            .with_properties(properties.build())
            .with_skip_arrow_metadata(true);
        let file = ArrowWriter::try_new_with_options(out, schema.clone(), options);
        Ok(ParquetWriter {
            file: file.map_err(write_error)?,
            schema,
        })
    }

    /// Adds rows, given as columns of one length.
    pub fn block(&mut self, columns: &[&[f64]]) -> io::Result<()> {
        let rows = columns.first().map_or(0, |column| column.len());
        for start in (0..rows).step_by(BATCH) {
            let part = start..rows.min(start + BATCH);
            let arrays = columns.iter().map(|column| {
                Arc::new(Float64Array::from(column[part.clone()].to_vec())) as ArrayRef
            });
            let batch = RecordBatch::try_new(self.schema.clone(), arrays.collect());
            let written = batch
                .map_err(ParquetError::from)
                .and_then(|batch| self.file.write(&batch));
            written.map_err(write_error)?;
        }
        Ok(())
    }

    /// Writes what is left, and the footer.
    pub fn finish(self) -> io::Result<()> {
        self.file.close().map(drop).map_err(write_error)
    }
}

/// Returns the file's own error from one of the parquet crate.
pub fn write_error(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}
