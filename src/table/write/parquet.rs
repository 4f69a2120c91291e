//! Writing Parquet.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Compression, Repetition, Type as Physical};
use parquet::data_type::DoubleType;
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

/// Rows of a row group, in which column stands after column: so many are held until they are written, 8 MB a column.
const GROUP: usize = 1 << 20;

/// A Parquet file of DOUBLE columns.
pub(super) struct ParquetWriter<W: Write + Send> {
    file: SerializedFileWriter<W>,
    /// The rows of the row group in hand.
    columns: Vec<Vec<f64>>,
}

impl<W: Write + Send> ParquetWriter<W> {
    pub(super) fn new(out: W, names: &[&str]) -> io::Result<Self> {
        let begun = || {
            let fields = names
                .iter()
                .map(|name| {
                    let column = Type::primitive_type_builder(name, Physical::DOUBLE);
                    let column = column.with_repetition(Repetition::REQUIRED);
                    column.build().map(Arc::new)
                })
                .collect::<Result<_>>()?;
            let schema = Type::group_type_builder("schema").with_fields(fields);
            let properties = WriterProperties::builder()
                .set_compression(Compression::SNAPPY)
                // Numbers that were computed hardly repeat.
                .set_dictionary_enabled(false)
                .build();
            SerializedFileWriter::new(out, Arc::new(schema.build()?), Arc::new(properties))
        };
        Ok(ParquetWriter {
            file: begun().map_err(of_parquet)?,
            columns: vec![Vec::new(); names.len()],
        })
    }

    pub(super) fn block(&mut self, columns: &[&[f64]]) -> io::Result<()> {
        let rows = columns.first().map_or(0, |column| column.len());
        let mut written = 0;
        while written < rows {
            let room = GROUP - self.held();
            let end = rows.min(written + room);
            for (held, column) in self.columns.iter_mut().zip(columns) {
                held.extend_from_slice(&column[written..end]);
            }
            written = end;
            if self.held() == GROUP {
                self.group().map_err(of_parquet)?;
            }
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        let finished = || {
            if self.held() > 0 {
                self.group()?;
            }
            self.file.close().map(drop)
        };
        finished().map_err(of_parquet)
    }

    fn held(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }

    /// Writes the row group in hand.
    fn group(&mut self) -> Result<()> {
        let mut group = self.file.next_row_group()?;
        for held in &mut self.columns {
            if let Some(mut column) = group.next_column()? {
                column.typed::<DoubleType>().write_batch(held, None, None)?;
                column.close()?;
            }
            held.clear();
        }
        group.close().map(drop)
    }
}

/// The parquet crate's errors in writing are those of the file.
fn of_parquet(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}
