//! Helpers for tests of files whose rows are read by position.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::{Path, PathBuf};

use fall_line::data::{BLOCK, Block};
use fall_line::error::Error;
use fall_line::table::rows::{Axis, Bad, Reason, Request, Rows};
use fall_line::table::write::{Kind, Writer};
use tempfile::NamedTempFile;

/// Returns the path of a file that another program wrote: see data/make.py.
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

/// Returns the content of the files, according to make.py.
pub fn expected() -> serde_json::Value {
    let text = std::fs::read_to_string(file("columns.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Returns the numbers of a JSON list, `None` for null.
pub fn numbers(list: &serde_json::Value) -> Vec<Option<f64>> {
    let list = list.as_array().unwrap();
    list.iter().map(serde_json::Value::as_f64).collect()
}

/// Returns a request for two columns.
pub fn asked<'a>(x: &'a str, y: &'a str) -> Request<'a> {
    Request {
        x: Some(x),
        y: Some(y),
        ..Request::default()
    }
}

/// Returns a request for x alone.
pub fn alone(x: &str) -> Request<'_> {
    Request {
        x: Some(x),
        x_alone: true,
        ..Request::default()
    }
}

/// Returns all rows, and the bad ones with their positions in the file.
pub fn all(rows: &dyn Rows) -> (Block, Vec<(u64, Bad)>) {
    let (mut all, mut all_bad) = (Block::default(), Vec::new());
    let (mut block, mut bad) = (Block::default(), Vec::new());
    for index in 0..rows.rows().div_ceil(BLOCK as u64) {
        rows.read(index, &mut block, &mut bad).unwrap();
        assert_eq!(block.x.len(), block.y.len());
        let first = index * BLOCK as u64;
        all_bad.extend(bad.iter().map(|&bad| (first + bad.at as u64, bad)));
        all.x.append(&mut block.x);
        all.y.append(&mut block.y);
    }
    assert_eq!(all.x.len() as u64, rows.rows());
    (all, all_bad)
}

/// Returns bad rows without their values, for a comparison that NaN allows.
pub fn what(bad: &[(u64, Bad)]) -> Vec<(u64, usize, Axis, Reason)> {
    let what = |&(row, bad): &(u64, Bad)| (row, bad.at, bad.axis, bad.reason);
    bad.iter().map(what).collect()
}

/// Returns the bits, for a comparison that tells -0 from 0 and one NaN from another.
pub fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Returns a temporary file of a kind, written in blocks of odd lengths.
pub fn written(kind: Kind, names: &[&str], columns: &[&[f64]]) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    let rows = columns[0].len();
    let mut writer = Writer::new(file.reopen().unwrap(), kind, names, rows as u64).unwrap();
    let mut start = 0;
    for length in (0..).map(|i| 1 + i * 7919 % 100_000) {
        let end = rows.min(start + length);
        let block: Vec<&[f64]> = columns.iter().map(|column| &column[start..end]).collect();
        writer.block(&block).unwrap();
        start = end;
        if start == rows {
            break;
        }
    }
    writer.finish().unwrap();
    file
}

/// Returns the text of an error, which must be about the data and on one line.
pub fn refusal<R>(result: Result<R, Error>) -> String {
    let error = result.err().expect("an error");
    assert_eq!(error.exit_code(), 3, "{error:?}");
    let text = error.to_string();
    assert!(!text.contains('\n'), "{text}");
    text
}

/// Returns numbers that are hard to write: every exponent, sign and length.
pub fn hard_numbers(count: usize) -> Vec<f64> {
    let mut numbers = vec![
        0.0,
        -0.0,
        0.1,
        1.0 / 3.0,
        f64::MAX,
        -f64::MIN_POSITIVE,
        f64::from_bits(1),
        16_777_217.0,
        9_007_199_254_740_993.0,
        1e22,
        1e23,
    ];
    let mut state = 20_u64;
    while numbers.len() < count {
        // The multiplier is Knuth's; the top bits vary most.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let number = f64::from_bits(state ^ state >> 29);
        numbers.extend(Some(number).filter(|number| number.is_finite()));
    }
    numbers.truncate(count);
    numbers
}
