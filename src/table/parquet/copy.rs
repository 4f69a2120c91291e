//! The numbers of a Parquet file's columns in a temporary file, for pages so large that few fit in memory.

use std::io;
use std::ops::Range;

use super::numbers::Numbers;
use super::table::ParquetTable;
use crate::data::BLOCK;
use crate::error::Error;
use crate::table::shared::SharedFile;
use crate::table::store::cannot_copy;

/// Columns in f64 in an unnamed temporary file, which vanishes with the program; all x and then all y.
pub struct ParquetCopy {
    file: SharedFile,
    rows: u64,
}

/// A missing value in the copy: a NaN with other bits than the NaN of values that are not a number.
const MISSING: f64 = f64::from_bits(f64::NAN.to_bits() ^ 1);

const BYTES: u64 = size_of::<f64>() as u64;

impl ParquetCopy {
    /// Reads each column once, page after page, so that one page is in memory at a time.
    pub fn new(table: &ParquetTable) -> Result<Self, Error> {
        let cannot_copy = cannot_copy(table.file());
        let file = tempfile::tempfile().and_then(SharedFile::new);
        let file = file.map_err(&cannot_copy)?;
        let mut numbers = Numbers::default();
        let mut position = 0;
        for column in 0..table.columns().len() {
            for group in table.groups() {
                let mut reader = table.reader(group, column, group.first)?;
                let mut left = group.rows;
                while left > 0 {
                    let rows = left.min(BLOCK as u64) as usize;
                    let Numbers { values, missing } = &mut numbers;
                    values.clear();
                    missing.clear();
                    table.read(column, &mut reader, rows, &mut numbers)?;
                    let bytes = marked(&mut numbers);
                    file.write_all_at(bytes, position).map_err(&cannot_copy)?;
                    position += bytes.len() as u64;
                    left -= rows as u64;
                }
            }
        }
        Ok(ParquetCopy {
            file,
            rows: table.rows(),
        })
    }

    /// Adds these rows of a column to `out`.
    pub fn read(&self, column: usize, rows: Range<u64>, out: &mut Numbers) -> io::Result<()> {
        let Numbers { values, missing } = out;
        let first = values.len();
        values.resize(first + (rows.end - rows.start) as usize, 0.0);
        let bytes = bytemuck::cast_slice_mut(&mut values[first..]);
        let start = column as u64 * self.rows + rows.start;
        self.file.read_exact_at(bytes, BYTES * start)?;
        let is_missing = |at: &usize| values[*at].to_bits() == MISSING.to_bits();
        missing.extend((first..values.len()).filter(is_missing));
        Ok(())
    }
}

/// Returns the bytes of the numbers, with [`MISSING`] for missing ones.
fn marked(numbers: &mut Numbers) -> &[u8] {
    let Numbers { values, missing } = numbers;
    for value in values.iter_mut().filter(|value| value.is_nan()) {
        *value = f64::NAN;
    }
    for &at in missing.iter() {
        values[at] = MISSING;
    }
    bytemuck::cast_slice(values)
}
