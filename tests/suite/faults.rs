//! The n-th write, read, buffer, submit or map fails, for n = 1, 2, 3 and so on until a run succeeds: what is left is whole, and
//! the message is right.
//!
//! `FALL_LINE_FAULT` exists in builds with debug assertions alone.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::program::{bits, engines, fall_line, json, ran, stderr, stdout};

/// More operations than any run here has.
const MOST: u64 = 2000;

/// Runs with the n-th operation of a kind failing. `which` is `3`, or `3+` for all from the third on.
fn with_fault(args: &str, kind: &str, which: &str) -> Output {
    fall_line()
        .args(args.split(' '))
        .env("FALL_LINE_FAULT", format!("{kind}:{which}"))
        .output()
        .unwrap()
}

/// Runs with the first, the second and so on failing, until a run is not `hit` by its fault any more. Returns the number of
/// those that were.
fn each_fault(args: &str, kind: &str, mut hit: impl FnMut(u64, &Output) -> bool) -> u64 {
    (1..MOST)
        .find(|n| !hit(*n, &with_fault(args, kind, &n.to_string())))
        .expect("a run without a fault")
        - 1
}

/// Checks that a run ended with an exit code and one line, and returns the line.
fn one_line(output: &Output, code: i32) -> String {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    let errors: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    assert_eq!(errors.len(), 1, "{text}");
    errors[0].to_owned()
}

/// The ways of a descent, each of which has another kind of state, and of the samples: all resident, or streamed.
const DESCENTS: [&str; 4] = [
    "--samples 50000 --epochs 4",
    "--samples 50000 --epochs 6 --sync-every 3",
    "--samples 50000 --epochs 6 --loss mae --optimizer cutting-plane",
    "--samples 300000 --epochs 3 --device-memory 1MiB",
];

#[test]
fn a_lost_device_is_replaced_and_changes_no_bit() {
    for engine in &engines()[1..] {
        for descent in DESCENTS {
            let args = format!("train {descent} {engine} --format json");
            let unbroken = bits(&json(&args));
            let lost = each_fault(&args, "submit", |n, output| {
                let text = stderr(output);
                let told = text.matches("a new device takes over").count();
                assert!(output.status.success(), "{args}, submit {n}: {text}");
                let result: Value = serde_json::from_str(&stdout(output)).unwrap();
                assert_eq!(bits(&result), unbroken, "{args}, submit {n}");
                assert!(told <= 1, "{text}");
                told == 1
            });
            println!("{args}: {lost} submits");
            assert!(lost >= 4, "{lost}");
        }
    }
}

#[test]
fn a_device_that_is_lost_again_ends_the_run_with_a_checkpoint() {
    let folder = TempDir::new().unwrap();
    let checkpoint = folder.path().join("c.json");
    for engine in &engines()[1..] {
        // With a fault in each submit from one in the middle on, no epoch is done between two losses.
        let args = format!("train --samples 50000 --epochs 40 {engine}");
        let output = with_fault(
            &format!("{args} --checkpoint {}", checkpoint.display()),
            "submit",
            "20+",
        );
        let error = one_line(&output, 4);
        assert!(error.contains("the device was lost"), "{error}");
        assert!(
            error.contains("llvmpipe") || !error.contains("software"),
            "{error}"
        );
        let on = json(&format!(
            "{args} --format json --resume {}",
            checkpoint.display()
        ));
        assert_eq!(bits(&on), bits(&json(&format!("{args} --format json"))));
        assert!(on["epochs_before"].as_u64().is_some_and(|n| n > 0), "{on}");
    }
}

#[test]
fn a_buffer_or_mapping_that_is_refused_is_an_error_or_streamed() {
    for engine in &engines()[1..] {
        for descent in DESCENTS {
            let args = format!("train {descent} {engine} --format json");
            let unbroken = json(&args);
            let refused = each_fault(&args, "buffer", |n, output| {
                if output.status.success() {
                    // Samples that are streamed are added up in other parts.
                    let result: Value = serde_json::from_str(&stdout(output)).unwrap();
                    let [one, other] = [&result, &unbroken].map(|run| run["w"].as_f64().unwrap());
                    assert!(
                        (one - other).abs() < 1e-4,
                        "{args}, buffer {n}: {one} {other}"
                    );
                    let [now, then] = [&result, &unbroken].map(|run| &run["engine"]["resident"]);
                    return now != then;
                }
                let error = one_line(output, 4);
                assert!(error.contains("not enough memory: "), "{error}");
                assert!(error.contains("B needed"), "{error}");
                true
            });
            let failed = each_fault(&args, "map", |_, output| {
                !output.status.success() && {
                    let error = one_line(output, 4);
                    assert!(
                        error.contains("software adapter: ") || error.contains("GPU: "),
                        "{error}"
                    );
                    true
                }
            });
            println!("{args}: {refused} buffers, {failed} mappings");
            assert!(refused >= 1 && failed >= 3);
        }
    }
}

/// Returns the content of each file of a folder, by name.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn a_full_disk_leaves_every_file_old_or_new() {
    const OLD: &[u8] = b"old";
    let data = TempDir::new().unwrap();
    let at = |name: &str| data.path().join(name).display().to_string();
    let (csv, model) = (at("d.csv"), at("m.json"));
    ran(&format!("generate {csv} --samples 3000"));
    ran(&format!("train {csv} --engine cpu -q --save {model}"));
    for (command, names) in [
        ("generate @a.csv --samples 3000", &["a.csv"][..]),
        ("generate @a.npy --samples 3000", &["a.npy"]),
        ("generate @a.parquet --samples 3000", &["a.parquet"]),
        (&format!("predict {model} {csv} -o @a.csv"), &["a.csv"]),
        (
            &format!(
                "train {csv} --engine cpu -q --save @a.json --history @h.csv --checkpoint @c.json --plot @p.svg"
            ),
            &["a.json", "h.csv", "c.json", "p.svg"],
        ),
        (
            &format!("train {csv} --engine cpu -q --report @r.html"),
            &["r.html"],
        ),
    ] {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name);
        let args = command.replace('@', &format!("{}/", folder.path().display()));
        let fill = || {
            for entry in fs::read_dir(folder.path()).unwrap() {
                fs::remove_file(entry.unwrap().path()).unwrap();
            }
            for name in names {
                fs::write(path(name), OLD).unwrap();
            }
        };
        fill();
        ran(&args);
        let new = contents(folder.path());
        let mut hit = |n: u64, output: &Output| {
            let left = contents(folder.path());
            for (name, content) in &left {
                let whole = new.iter().find(|(other, _)| other == name);
                let (_, whole) =
                    whole.unwrap_or_else(|| panic!("{args}, write {n}: {name} is left"));
                // Reports hold the time and the version of the run; they are whole if they end.
                let is_new = content == whole
                    || (name == "r.html" && content.trim_ascii_end().ends_with(b"</html>"));
                assert!(content == OLD || is_new, "{args}, write {n}: {name}");
            }
            let ended = output.status.success();
            if !ended {
                assert_eq!(output.status.code(), Some(1), "{output:?}");
            }
            let text = stderr(output);
            if !text.contains("No space left") {
                assert!(ended, "{text}");
                fill();
                return false;
            }
            assert!(text.contains("cannot write "), "{text}");
            assert!(text.lines().count() <= 1 + names.len(), "{text}");
            fill();
            true
        };
        fill();
        let failed = each_fault(&args, "write", &mut hit);
        println!("{command}: {failed} writes");
        assert!(failed >= 5, "{failed}");
        // A disk that stays full.
        for n in [1, 2, 5, failed] {
            fill();
            let output = with_fault(&args, "write", &format!("{n}+"));
            assert!(hit(n, &output), "{output:?}");
            assert_eq!(output.status.code(), Some(1));
        }
    }
}

#[test]
fn a_read_that_fails_is_an_error_with_the_name_of_the_file() {
    let folder = TempDir::new().unwrap();
    for name in ["d.csv", "d.npy", "d.parquet"] {
        let path = folder.path().join(name);
        ran(&format!("generate {} --samples 3000", path.display()));
        let args = format!("train {} --engine cpu --epochs 3 -q", path.display());
        let failed = each_fault(&args, "read", |_, output| {
            !output.status.success() && {
                let error = one_line(output, 1);
                assert!(
                    error.contains("cannot read") && error.contains(name),
                    "{error}"
                );
                true
            }
        });
        println!("{name}: {failed} reads");
        assert!(failed >= 2, "{failed}");
    }
}

#[test]
fn a_driver_that_never_comes_back_ends_the_program() {
    for engine in &engines()[1..] {
        let output = fall_line()
            .args(format!("train --samples 50000 --epochs 40 {engine}").split(' '))
            .env("FALL_LINE_FAULT", "hang:9")
            .env("FALL_LINE_GPU_TIMEOUT", "0.5")
            .output()
            .unwrap();
        let error = one_line(&output, 4);
        assert!(error.contains("its driver, "), "{error}");
        assert!(
            error.contains("does not answer") && error.contains("than 0.5"),
            "{error}"
        );
    }
}
