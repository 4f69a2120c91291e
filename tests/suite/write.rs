//! Writers of tables.

use crate::common::rows;
use std::io;
use std::path::Path;

use fall_line::data::{BLOCK, Block};
use fall_line::error::Error;
use fall_line::table;
use fall_line::table::Request;
use fall_line::table::write::{Kind, Writer, kind};
use rows::{bits, hard_numbers, written};

const KINDS: [Kind; 3] = [Kind::Csv, Kind::Parquet, Kind::Npy];

#[test]
fn the_extension_names_the_kind() {
    let of = |path: &str| kind(Path::new(path));
    assert_eq!(of("a.csv").unwrap(), Kind::Csv);
    assert_eq!(of("a.b/c.PARQUET").unwrap(), Kind::Parquet);
    assert_eq!(of("a.csv.npy").unwrap(), Kind::Npy);
    for path in ["a", "a.txt", ".csv", "npy"] {
        match of(path) {
            Err(Error::Usage(text)) => {
                assert_eq!(text, format!("{path} must end in .csv, .parquet or .npy"));
            }
            other => panic!("{path}: {other:?}"),
        }
    }
}

/// Returns the number of significant digits.
fn digits(number: &str) -> usize {
    let mantissa = number.split(['e', 'E']).next().unwrap();
    let digits = mantissa.replace(['.', '-'], "");
    digits.trim_matches('0').len()
}

/// An independent reader reads numbers beyond f32, and our own reads the rest.
#[test]
fn csv_reads_back_bit_for_bit() {
    let x = hard_numbers(30_000);
    let y: Vec<f64> = x.iter().rev().copied().collect();
    let file = written(Kind::Csv, &["x, \"the first\"", "y"], &[&x, &y]);
    let text = std::fs::read_to_string(file.path()).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("\"x, \"\"the first\"\"\",y"));
    let (mut read_x, mut read_y) = (Vec::new(), Vec::new());
    for line in lines {
        let (x, y) = line.split_once(',').unwrap();
        // Rust's shortest form has as few digits.
        let number: f64 = x.parse().unwrap();
        assert_eq!(digits(x), digits(&format!("{number:e}")), "{x}");
        read_x.push(x.parse().unwrap());
        read_y.push(y.parse().unwrap());
    }
    assert_eq!(bits(&read_x), bits(&x));
    assert_eq!(bits(&read_y), bits(&y));

    let x: Vec<f64> = x.into_iter().filter(|x| (*x as f32).is_finite()).collect();
    let x = x.repeat(4);
    assert!(x.len() > BLOCK);
    let file = written(Kind::Csv, &["x", "y"], &[&x, &x]);
    let request = Request {
        x: Some("x"),
        y: Some("y"),
        ..Request::default()
    };
    let csv = table::open(file.path(), &request, &|_| {}).unwrap().source;
    let (mut block, mut read) = (Block::default(), Vec::new());
    for index in 0..csv.samples().div_ceil(BLOCK as u64) {
        csv.read(index, &mut block).unwrap();
        read.append(&mut block.x);
    }
    assert_eq!(bits(&read), bits(&x));
}

#[test]
fn csv_keeps_values_that_are_not_finite() {
    let file = written(
        Kind::Csv,
        &["x"],
        &[&[f64::NAN, f64::INFINITY, -f64::INFINITY]],
    );
    let text = std::fs::read_to_string(file.path()).unwrap();
    assert_eq!(text, "x\nNaN\ninf\n-inf\n");
}

#[test]
fn a_table_has_the_announced_shape() {
    for kind in KINDS {
        let begin = |rows| Writer::new(io::sink(), kind, &["x", "y"], rows).unwrap();
        let column = [1.0, 2.0];
        begin(0).finish().unwrap();
        assert!(
            begin(3).block(&[&column]).is_err(),
            "{kind:?}: a column too few"
        );
        let three = [&column[..]; 3];
        assert!(
            begin(3).block(&three).is_err(),
            "{kind:?}: a column too many"
        );
        let uneven = [&column[..], &column[..1]];
        assert!(begin(3).block(&uneven).is_err(), "{kind:?}: of two lengths");
        assert!(
            begin(1).block(&[&column[..]; 2]).is_err(),
            "{kind:?}: a row too many"
        );
        let mut writer = begin(3);
        writer.block(&[&column[..]; 2]).unwrap();
        let error = writer.finish().unwrap_err();
        assert_eq!(
            error.to_string(),
            "the table lacks 1 of its rows",
            "{kind:?}"
        );
    }
}

/// A writer with room for this many bytes.
struct Full(usize);

impl io::Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let written = bytes.len().min(self.0);
        self.0 -= written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_reported() {
    let numbers = hard_numbers(30_000);
    for kind in KINDS {
        // The last one fits into a buffer, so the fault shows only at the end.
        for (room, rows) in [(0, 30_000), (3, 30_000), (100_000, 30_000), (3, 2)] {
            let write = || {
                let mut writer = Writer::new(Full(room), kind, &["x"], rows as u64)?;
                writer.block(&[&numbers[..rows]])?;
                writer.finish()
            };
            let error = write().unwrap_err();
            assert_eq!(
                error.kind(),
                io::ErrorKind::StorageFull,
                "{kind:?}, {room}: {error:?}"
            );
        }
    }
}
