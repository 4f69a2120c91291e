use super::*;

/// Rows of which every `every`th from `start` on is bad, for one of two reasons in turn.
struct Table {
    rows: u64,
    start: u64,
    every: u64,
}

impl Table {
    fn is_bad(&self, row: u64) -> Option<Reason> {
        let past = row.checked_sub(self.start)?;
        (past % self.every == 0).then(|| match past / self.every % 2 {
            0 => Reason::Missing,
            _ => Reason::NotFinite,
        })
    }
}

impl Rows for Table {
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

    fn complaint(&self, row: u64, bad: Bad) -> String {
        format!("row {row} {}", bad.reason)
    }

    fn title(&self) -> String {
        "a table".to_owned()
    }
}

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
    // In every block; only in some; only the last row; every second one, and so half a block for each.
    for (start, every) in [(3, 1000), (400_000, 350_001), (ROWS - 1, 1), (0, 2)] {
        let table = Table {
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
        assert_eq!(skipped.first, Some(format!("row {start} has no value")));
        let all = all(&*source);
        assert_eq!(all.x, good);
        assert!(all.x.iter().zip(&all.y).all(|(x, y)| -x == *y));
        assert_eq!(source.title(), "a table");
    }
}

#[test]
fn without_bad_rows_nothing_is_left_out() {
    let table = || Table {
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
fn a_bad_row_is_an_error_unless_it_is_to_be_left_out() {
    let table = Table {
        rows: ROWS,
        start: 70_000,
        every: 5,
    };
    let (source, _) = samples(Box::new(table), false).unwrap();
    let mut block = Block::default();
    source.read(0, &mut block).unwrap();
    let error = source.read(1, &mut block).unwrap_err().to_string();
    assert!(
        error.starts_with("row 70000 has no value; --skip-bad"),
        "{error}"
    );
}
