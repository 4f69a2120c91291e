//! The numbers of a Parquet file's columns, for files whose pages are so large that few can be held.

use std::io;
use std::ops::Range;

use super::cursor::Out;
use super::pages::guarded;
use super::table::Table;
use crate::data::BLOCK;
use crate::error::Error;
use crate::table::shared::SharedFile;
use crate::table::store::cannot_copy;

/// Columns in f64 in an unnamed temporary file, which is gone with the program; all x and then all y.
pub(super) struct Copy {
    file: SharedFile,
    rows: u64,
    columns: u64,
}

/// In the copy, of what is missing: a NaN that is not the one of values that are no numbers.
const MISSING: f64 = f64::from_bits(f64::NAN.to_bits() ^ 1);

const BYTES: u64 = size_of::<f64>() as u64;

impl Copy {
    /// Each column is read once, page after page.
    pub(super) fn of(table: &Table) -> Result<Self, Error> {
        let cannot_copy = cannot_copy(table.file());
        let file = tempfile::tempfile().and_then(SharedFile::new);
        let file = file.map_err(&cannot_copy)?;
        let (mut numbers, mut missing) = (Vec::new(), Vec::new());
        let mut position = 0;
        for (at, column) in table.columns().iter().enumerate() {
            for (place, group) in table.groups().iter().enumerate() {
                let mut decoder = table.decoder(place, at)?;
                let mut left = group.rows;
                while left > 0 {
                    let rows = left.min(BLOCK as u64) as usize;
                    numbers.clear();
                    missing.clear();
                    let read = guarded(|| decoder.read(rows, &mut numbers, &mut missing));
                    if table.known(column, read)? < rows {
                        return Err(table.too_short(column));
                    }
                    for number in numbers.iter_mut().filter(|number| number.is_nan()) {
                        *number = f64::NAN;
                    }
                    for &at in &missing {
                        numbers[at] = MISSING;
                    }
                    let bytes: &[u8] = bytemuck::cast_slice(&numbers);
                    file.write_all_at(bytes, position).map_err(&cannot_copy)?;
                    position += bytes.len() as u64;
                    left -= rows as u64;
                }
            }
        }
        Ok(Copy {
            file,
            rows: table.rows(),
            columns: table.columns().len() as u64,
        })
    }

    /// Adds these rows of the columns that there are to `columns`, x first.
    pub(super) fn read(&self, rows: Range<u64>, columns: &mut [Out]) -> io::Result<()> {
        for ((numbers, missing), column) in columns.iter_mut().zip(0..self.columns) {
            let first = numbers.len();
            numbers.resize(first + (rows.end - rows.start) as usize, 0.0);
            let bytes = bytemuck::cast_slice_mut(&mut numbers[first..]);
            self.file
                .read_exact_at(bytes, BYTES * (column * self.rows + rows.start))?;
            let is_missing = |at: &usize| numbers[*at].to_bits() == MISSING.to_bits();
            missing.extend((first..numbers.len()).filter(is_missing));
        }
        Ok(())
    }
}
