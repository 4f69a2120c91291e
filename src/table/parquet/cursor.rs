//! A place in a Parquet file, from where one reads on.

use super::numbers::Decode;
use super::pages::guarded;
use super::table::Table;
use crate::error::Error;

/// Decoders of both columns that stand at one row.
pub(super) struct Cursor {
    /// The row group that they are in, its place in the table's list.
    group: usize,
    decoders: Vec<Box<dyn Decode>>,
    row: u64,
}

/// Where the numbers of a column go, and the places among them of those that are missing.
pub(super) type Out<'a> = (&'a mut Vec<f64>, &'a mut Vec<usize>);

impl Cursor {
    /// At the start of the row group that holds `row`.
    pub(super) fn new(table: &Table, row: u64) -> Result<Self, Error> {
        let group = table.group_at(row);
        Ok(Cursor {
            group,
            decoders: (0..table.columns().len())
                .map(|column| table.decoder(group, column))
                .collect::<Result<_, Error>>()?,
            row: table.groups()[group].first,
        })
    }

    /// The next row that it reads.
    pub(super) fn row(&self) -> u64 {
        self.row
    }

    /// How many rows of its row group are still to come.
    fn left(&self, table: &Table) -> u64 {
        let group = &table.groups()[self.group];
        group.first + group.rows - self.row
    }

    /// Goes on to `row`, which is not behind it. Pages before it are passed over unread.
    pub(super) fn advance(&mut self, table: &Table, row: u64) -> Result<(), Error> {
        if row - self.row > self.left(table) || self.left(table) == 0 && row > self.row {
            *self = Cursor::new(table, row)?;
        }
        let rows = (row - self.row) as usize;
        if rows > 0 {
            for (decoder, column) in self.decoders.iter_mut().zip(table.columns()) {
                let skipped = guarded(|| decoder.skip(rows));
                if table.known(column, skipped)? < rows {
                    return Err(table.too_short(column));
                }
            }
            self.row = row;
        }
        Ok(())
    }

    /// Reads `rows` rows, which the file must have, and adds them to `columns`.
    pub(super) fn read(
        &mut self,
        table: &Table,
        rows: usize,
        columns: &mut [Out],
    ) -> Result<(), Error> {
        let mut wanted = rows;
        while wanted > 0 {
            if self.left(table) == 0 {
                *self = Cursor::new(table, self.row)?;
            }
            let rows = (wanted as u64).min(self.left(table)) as usize;
            let decoders = self.decoders.iter_mut().zip(table.columns());
            for ((decoder, column), (numbers, missing)) in decoders.zip(columns.iter_mut()) {
                let read = guarded(|| decoder.read(rows, numbers, missing));
                if table.known(column, read)? < rows {
                    return Err(table.too_short(column));
                }
            }
            self.row += rows as u64;
            wanted -= rows;
        }
        Ok(())
    }
}
