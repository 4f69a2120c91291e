use super::*;
use crate::error::Row;

fn request(skip_bad: bool) -> Request<'static> {
    Request {
        skip_bad,
        ..Request::default()
    }
}

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
        for (row, at) in positions(index, self.rows).zip(0..) {
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

    fn names(&self) -> [String; 2] {
        ["a", "b"].map(str::to_owned)
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
        let read = AtomicU64::new(0);
        let on_load = |rows| {
            read.fetch_add(rows, Ordering::Relaxed);
        };
        let samples = samples(Box::new(table), &request(true), &on_load).unwrap();
        assert_eq!(read.into_inner(), ROWS);
        let rows =
            |(reason, (rows, first)): (&Reason, &(u64, RowError))| (*reason, *rows, first.row);
        let skipped: Vec<_> = samples.skipped.by_reason.iter().map(rows).collect();
        let mut wanted = vec![(Reason::Missing, bad.div_ceil(2), Row::Row(start + 1))];
        if bad > 1 {
            wanted.push((Reason::NotFinite, bad / 2, Row::Row(start + every + 1)));
        }
        assert_eq!(skipped, wanted);
        assert_eq!(samples.statistics, None);
        let source = samples.source;
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
        let samples = samples(Box::new(table()), &request(skip_bad), &|_| {}).unwrap();
        assert_eq!(samples.skipped, Skipped::default());
        assert_eq!(all(&*samples.source).x.len() as u64, ROWS);
        let statistics = Statistics::of(&*samples.source, &|_| {}).unwrap();
        assert_eq!(samples.statistics, Some(statistics));
    }
}

#[test]
fn the_first_row_that_is_no_sample_is_an_error_but_for_missing_values() {
    let table = BadRows {
        rows: ROWS,
        start: 70_000,
        every: 5,
    };
    let error = samples(Box::new(table), &request(false), &|_| {})
        .err()
        .unwrap();
    assert_eq!(error.to_string(), "a table, row 70006: NaN is not finite");
    assert!(matches!(error, Error::Row(_)), "{error:?}");
}

/// The parts' ends lie within blocks, and some parts are smaller than one.
#[test]
fn joined_rows_are_those_of_the_parts_one_after_the_other() {
    let sizes = [3, 70_000, 1, 0, 2 * BLOCK as u64, 17];
    let parts = sizes.map(|rows| {
        let part = BadRows {
            rows,
            start: 2,
            every: 10,
        };
        Box::new(part) as Box<dyn Rows>
    });
    let mut wanted = Block::default();
    for rows in sizes {
        for row in (0..rows).filter(|row| row % 10 != 2) {
            wanted.push((row as f64, -(row as f64)));
        }
    }
    let joined = Joined::new("all", parts.into());
    assert_eq!(joined.title(), "all: b over a");
    assert_eq!(joined.rows(), sizes.iter().sum::<u64>());
    let samples = samples(Box::new(joined), &request(true), &|_| {}).unwrap();
    let all = all(&*samples.source);
    assert_eq!((all.x, all.y), (wanted.x, wanted.y));
    let (_, first) = &samples.skipped.by_reason[&Reason::Missing];
    assert_eq!(first.row, Row::Row(3));
    // The second part's bad rows begin with its third row, for the other reason with its 13th.
    let (_, first) = &samples.skipped.by_reason[&Reason::NotFinite];
    assert_eq!(first.row, Row::Row(13));
}
