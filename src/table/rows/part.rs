//! A part of a table's rows.

use std::ops::Range;

use super::{Bad, Rows};
use crate::data::{BLOCK, Block, Time};
use crate::error::{Error, RowError};
use crate::table::request::NthPart;

/// The rows of some blocks of a table.
pub struct RowsPart {
    rows: Box<dyn Rows>,
    blocks: Range<u64>,
}

impl RowsPart {
    /// Returns one of several parts of these rows.
    pub fn new(rows: Box<dyn Rows>, part: NthPart) -> Self {
        RowsPart {
            blocks: part.blocks(rows.rows().div_ceil(BLOCK as u64)),
            rows,
        }
    }
}

impl Rows for RowsPart {
    fn rows(&self) -> u64 {
        let [start, end] = [self.blocks.start, self.blocks.end]
            .map(|block| (block * BLOCK as u64).min(self.rows.rows()));
        end - start
    }

    fn read(&self, index: u64, block: &mut Block, bad: &mut Vec<Bad>) -> Result<(), Error> {
        self.rows.read(self.blocks.start + index, block, bad)
    }

    fn row_error(&self, row: u64, bad: Bad) -> RowError {
        self.rows
            .row_error(self.blocks.start * BLOCK as u64 + row, bad)
    }

    fn title(&self) -> String {
        self.rows.title()
    }

    fn names(&self) -> [String; 2] {
        self.rows.names()
    }

    fn time(&self) -> Option<Time> {
        self.rows.time()
    }
}
