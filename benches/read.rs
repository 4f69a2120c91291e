//! Time to open a file and to take the statistics of every sample, on all threads: what `train` does before it loads them.
//!
//! `--read FILE X Y [TIMES]` prints the seconds and the totals of each pass; `readers.py` compares them with those of other
//! readers. Without it, a small file is written, read and checked.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use fall_line::data::statistics::{ColumnStats, Statistics};
use fall_line::table::{self, Request};

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

struct Totals {
    samples: u64,
    x: f64,
    y: f64,
}

/// Reads a file and takes the statistics of both columns, which need every value. Opening has taken them if it knows them.
fn read(path: &Path, x: &str, y: &str) -> Totals {
    let request = Request {
        x: Some(x),
        y: Some(y),
        ..Request::default()
    };
    let opened = table::open(path, &request, &|_| {}).unwrap_or_else(|error| panic!("{error}"));
    let of_all = || Statistics::of(&*opened.source, &|_| {});
    let of_all = || of_all().unwrap_or_else(|error| panic!("{error}"));
    let statistics = opened.statistics.unwrap_or_else(of_all);
    let samples = opened.source.samples();
    let sum = |column: ColumnStats| (column.mean + column.rest) * samples as f64;
    Totals {
        samples,
        x: sum(statistics.x),
        y: sum(statistics.y),
    }
}

fn smoke() {
    let mut file = tempfile::NamedTempFile::with_suffix(".csv").expect("a temporary folder");
    let lines: String = (0..100_000)
        .map(|i| format!("{i},note {i},{}\n", i % 7))
        .collect();
    write!(file, "x,note,y\n{lines}").expect("room for a small file");
    let Totals { samples, x, y } = read(file.path(), "x", "y");
    let known_y: f64 = (0..100_000).map(|i| f64::from(i % 7)).sum();
    assert_eq!(samples, 100_000);
    for (sum, known) in [(x, 4_999_950_000.0), (y, known_y)] {
        assert!((sum - known).abs() <= 1e-12 * known, "{sum} is not {known}");
    }
}
