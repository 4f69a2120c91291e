//! How much host memory training takes. On its own, because the peak is that of all children.
#![cfg(target_os = "linux")]

use std::process::Command;

use nix::sys::resource::{UsageWho, getrusage};

/// The peak of all children so far, in bytes.
fn peak() -> u64 {
    let kibibytes = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
    1024 * kibibytes as u64
}

fn train(args: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_fall-line"))
        .args(["train", "--epochs", "2"])
        .args(args.split(' '))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args}: {text}");
}

/// In order of size, for the peak only ever rises.
#[test]
fn a_data_set_never_stands_in_memory_twice() {
    const MB: u64 = 1_000_000;
    let csv = tempfile::NamedTempFile::with_suffix(".csv").unwrap();
    let rows: String = (0..4_000_000)
        .map(|i| format!("{}.25,{}.5\n", i % 1000, i % 999))
        .collect();
    std::fs::write(csv.path(), rows).unwrap();

    // 32 MB of samples from 49 MB of text, of which little may be held.
    train(&format!(
        "{} --engine cpu --learning-rate 1e-7",
        csv.path().display()
    ));
    let of_csv = peak();
    println!("4e6 samples of CSV on the CPU engine: {} MB", of_csv / MB);
    assert!(of_csv < (32 + 60) * MB);

    train("--engine cpu --samples 2e7");
    let of_cpu = peak();
    println!("2e7 samples on the CPU engine: {} MB", of_cpu / MB);
    assert!(of_cpu < (160 + 60) * MB);

    // The buffers of a software adapter are host memory too: 8 bytes a sample. Above them, 200 MB.
    train("--engine gpu --samples 6e7");
    let of_gpu = peak();
    println!("6e7 samples on the GPU engine: {} MB", of_gpu / MB);
    assert!(of_gpu < (480 + 200) * MB);
}
