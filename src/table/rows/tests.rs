use super::*;
use crate::error::Row;

/// Rows of which one in `every` is bad from `start` on, for one of two reasons in turn.
struct BadRows {
    rows: u64,
    start: u64,
    every: u64,
}

impl BadRows {
    fn is_bad(&self, row: u64) -> Option<Reason> {
        let past = row.checked_sub(self.start)?;
        (past % self.every == 0).then(|| match past / self.every % 2 {
            0 => Reason::Missing,
            _ => Reason::NotFinite,
        })
    }
}

impl Rows for BadRows {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn read(&self, index: u64, block: &mut Block, bad: &mut Vec<Bad>) -> Result<(), Error> {
        block.clear();
        bad.clear();
        for (row, at) in crate::data::positions(index, self.rows).zip(0..) {
            block.push((row as f64, -(row as f64)));
            bad.extend(self.is_bad(row).map(|reason| Bad {
                at,
                axis: Axis::Y,
                reason,
                value: f64::NAN,
            }));
        }
        Ok(())
    }

    fn row_error(&self, row: u64, bad: Bad) -> RowError {
        RowError {
            file: "a table".to_owned(),
            row: Row::Row(row + 1),
            column: None,
            text: bad.text(),
            reason: bad.reason,
            hint: None,
        }
    }

    fn title(&self) -> String {
        "a table".to_owned()
    }
}

/// Returns all samples.
fn all(source: &dyn Source) -> Block {
    let (mut block, mut all) = (Block::default(), Block::default());
    for index in 0..source.samples().div_ceil(BLOCK as u64) {
        source.read(index, &mut block).unwrap();
        all.x.append(&mut block.x);
        all.y.append(&mut block.y);
    }
    all
}

const ROWS: u64 = 20 * BLOCK as u64 + 7;

#[test]
fn bad_rows_are_counted_and_left_out() {
    // In every block; in some blocks; the last row only; every second row, which leaves half of each block.
    for (start, every) in [(3, 1000), (400_000, 350_001), (ROWS - 1, 1), (0, 2)] {
        let table = BadRows {
            rows: ROWS,
            start,
            every,
        };
        let good: Vec<f64> = (0..ROWS)
            .filter(|row| table.is_bad(*row).is_none())
            .map(|row| row as f64)
            .collect();
        let bad = (ROWS - start).div_ceil(every);
        let (source, skipped) = samples(Box::new(table), true).unwrap();
        let mut counts = BTreeMap::from([(Reason::Missing, bad.div_ceil(2))]);
        if bad > 1 {
            counts.insert(Reason::NotFinite, bad / 2);
        }
        assert_eq!(skipped.counts, counts);
        let first = skipped.first.unwrap();
        assert_eq!(
            (first.row, first.reason),
            (Row::Row(start + 1), Reason::Missing)
        );
        let all = all(&*source);
        assert_eq!(all.x, good);
        assert!(all.x.iter().zip(&all.y).all(|(x, y)| -x == *y));
        assert_eq!(source.title(), "a table");
    }
}

#[test]
fn nothing_is_left_out_without_bad_rows() {
    let table = || BadRows {
        rows: ROWS,
        start: ROWS,
        every: 1,
    };
    for skip_bad in [false, true] {
        let (source, skipped) = samples(Box::new(table()), skip_bad).unwrap();
        assert_eq!(skipped, Skipped::default());
        assert_eq!(all(&*source).x.len() as u64, ROWS);
    }
}

#[test]
fn a_bad_row_is_an_error_of_its_block_unless_bad_rows_are_left_out() {
    let table = BadRows {
        rows: ROWS,
        start: 70_000,
        every: 5,
    };
    let (source, _) = samples(Box::new(table), false).unwrap();
    let mut block = Block::default();
    source.read(0, &mut block).unwrap();
    let error = source.read(1, &mut block).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a table, row 70001: the value is missing"
    );
    assert!(matches!(error, Error::Row(_)), "{error:?}");
}
