//! The host memory that training takes. The file stands alone because the peak is that of all children.
#![cfg(target_os = "linux")]

use std::io::Write;
use std::process::Command;

use fall_line::data::synthetic::{ChaCha, Recipe};
use fall_line::data::{BLOCK, Block, Source};
use fall_line::table::write::{Kind, Writer};
use nix::sys::resource::{UsageWho, getrusage};
use tempfile::NamedTempFile;

/// Returns the peak of all children so far, in bytes.
fn peak() -> u64 {
    let kibibytes = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
    1024 * kibibytes as u64
}

fn train(args: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_fall-line"))
        .args(["train", "--epochs", "2", "--no-tune"])
        .args(args.split(' '))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args}: {text}");
}

fn adapters() -> Vec<serde_json::Value> {
    let adapters = Command::new(env!("CARGO_BIN_EXE_fall-line"))
        .args(["adapters", "--format", "json"])
        .output()
        .unwrap();
    serde_json::from_slice(&adapters.stdout).unwrap()
}

/// Writes a file of draws, 16 bytes each.
fn drawn(kind: Kind, samples: u64) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    let draws = ChaCha::new(Recipe {
        samples,
        ..Recipe::default()
    })
    .unwrap();
    let mut writer = Writer::new(file.reopen().unwrap(), kind, &["x", "y"], samples).unwrap();
    let mut block = Block::default();
    for index in 0..samples.div_ceil(BLOCK as u64) {
        draws.read(index, &mut block).unwrap();
        writer.block(&[&block.x, &block.y]).unwrap();
    }
    writer.finish().unwrap();
    file
}

/// Runs in order of size, because the peak only ever rises.
#[test]
fn a_data_set_never_stands_in_memory_twice() {
    const MB: u64 = 1_000_000;
    // 360 MB of text in 40 records, of which eight threads would hold all if their number counted. There are 16 MB each of
    // a batch that is parsed, one that is read, what was read beyond it, and that again while it grows.
    let mut csv = NamedTempFile::with_suffix(".csv").unwrap();
    let text = "a".repeat(9_000_000);
    for i in 0..40 {
        writeln!(csv, "{i},{i},\"{text}\"").unwrap();
    }
    train(&format!(
        "{} --x 1 --y 2 --threads 8 --engine cpu --learning-rate 1e-7",
        csv.path().display()
    ));
    let of_long = peak();
    println!("CSV records of 9 MB: {} MB", of_long / MB);
    assert!(of_long < (4 * 17 + 60) * MB);

    let csv = NamedTempFile::with_suffix(".csv").unwrap();
    let samples: String = (0..8_000_000)
        .map(|i| format!("{}.25,{}.5\n", i % 1000, i % 999))
        .collect();
    std::fs::write(csv.path(), samples).unwrap();

    // 64 MB of samples from 98 MB of text, of which little may be held. Half of the 128 MB that they take in f64 is in
    // memory, half in a temporary file.
    train(&format!(
        "{} --engine cpu --learning-rate 1e-7",
        csv.path().display()
    ));
    let of_csv = peak();
    println!("8e6 samples of CSV on the CPU engine: {} MB", of_csv / MB);
    assert!(of_csv < (64 + 64 + 60) * MB);

    train("--engine cpu --samples 2e7");
    let of_cpu = peak();
    println!("2e7 samples on the CPU engine: {} MB", of_cpu / MB);
    assert!(of_cpu < (160 + 60) * MB);

    // 320 MB of a file, and 160 MB of samples.
    let adapters = adapters();
    for kind in [Kind::Npy, Kind::Parquet] {
        let file = drawn(kind, 20_000_000);
        for adapter in &adapters {
            train(&format!(
                "{} --adapter {} --device-memory 40MB",
                file.path().display(),
                adapter["index"]
            ));
            let of_file = peak();
            println!(
                "40 MB of 2e7 samples of {kind:?} on {}: {} MB",
                adapter["name"],
                of_file / MB
            );
            assert!(of_file < (40 + 200) * MB);
        }
    }

    // 480 MB of samples that pass through 40 MB of memory, which is the host's on a software adapter.
    for adapter in &adapters {
        train(&format!(
            "--adapter {} --samples 6e7 --device-memory 40MB",
            adapter["index"]
        ));
        let of_stream = peak();
        println!(
            "40 MB of 6e7 samples on {}: {} MB",
            adapter["name"],
            of_stream / MB
        );
        assert!(of_stream < (40 + 200) * MB || of_stream == of_cpu);
    }

    let before = peak();
    for adapter in &adapters {
        train(&format!("--adapter {} --samples 6e7", adapter["index"]));
        let of_gpu = peak();
        // The buffers of a software adapter are host memory too.
        let buffers = if adapter["software"] == true { 480 } else { 0 };
        println!("6e7 samples on {}: {} MB", adapter["name"], of_gpu / MB);
        assert!(of_gpu < (buffers + 200) * MB || of_gpu == before);
    }
}
