//! Time to open a file and to read every sample of it once, on all threads.
//!
//! `--read FILE X Y [TIMES]` prints the seconds and the totals of each pass; `readers.py` compares them with those of other
//! readers. Without it, a small file is written, read and checked.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use fall_line::data::statistics::{ColumnStats, Statistics};
use fall_line::data::{BLOCK, Block};
use fall_line::table::{self, Request};
use rayon::prelude::*;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.iter().position(|arg| arg == "--read") {
        Some(at) => {
            let [file, x, y, times @ ..] = &args[at + 1..] else {
                panic!("--read FILE X Y [TIMES]");
            };
            // cargo adds --bench.
            let times = times.first().and_then(|times| times.parse().ok());
            for _ in 0..times.unwrap_or(1) {
                let start = Instant::now();
                let read = read(Path::new(file), x, y);
                let Totals { samples, x, y } = read;
                let seconds = start.elapsed().as_secs_f64();
                println!("{seconds} {samples} {x} {y}");
            }
        }
        None => smoke(),
    }
}

#[derive(Debug, PartialEq)]
struct Totals {
    samples: u64,
    x: f64,
    y: f64,
}

/// Reads a file and returns the sums of both columns, which need every value.
fn read(path: &Path, x: &str, y: &str) -> Totals {
    let request = Request {
        x: Some(x),
        y: Some(y),
        ..Request::default()
    };
    let opened = table::open(path, &request, &|_| {}).unwrap_or_else(|error| panic!("{error}"));
    let samples = opened.source.samples();
    // Opening has read the samples if it knows their statistics.
    if let Some(Statistics { x, y, .. }) = opened.statistics {
        let sum = |column: ColumnStats| (column.mean + column.rest) * samples as f64;
        return Totals {
            samples,
            x: sum(x),
            y: sum(y),
        };
    }
    let sums: Vec<(f64, f64)> = (0..samples.div_ceil(BLOCK as u64))
        .into_par_iter()
        .map_init(Block::default, |block, index| {
            let read = opened.source.read(index, block);
            read.unwrap_or_else(|error| panic!("{error}"));
            (sum(&block.x), sum(&block.y))
        })
        .collect();
    Totals {
        samples,
        x: sums.iter().map(|sum| sum.0).sum(),
        y: sums.iter().map(|sum| sum.1).sum(),
    }
}

/// Returns the sum of values, in lanes. Adding them one after the other takes longer than reading some files.
fn sum(values: &[f64]) -> f64 {
    let (groups, rest) = values.as_chunks::<16>();
    let mut lanes = [0.0; 16];
    for group in groups {
        for (lane, value) in lanes.iter_mut().zip(group) {
            *lane += value;
        }
    }
    lanes.iter().chain(rest).sum()
}

fn smoke() {
    let mut file = tempfile::NamedTempFile::with_suffix(".csv").expect("a temporary folder");
    let lines: String = (0..100_000)
        .map(|i| format!("{i},note {i},{}\n", i % 7))
        .collect();
    write!(file, "x,note,y\n{lines}").expect("room for a small file");
    let expected = Totals {
        samples: 100_000,
        x: 4_999_950_000.0,
        y: (0..100_000).map(|i| f64::from(i % 7)).sum(),
    };
    assert_eq!(read(file.path(), "x", "y"), expected);
}
