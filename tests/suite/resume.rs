//! `--checkpoint` and `--resume`: a run that was broken off ends in the bits of one that was not.

use crate::common::program;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use fall_line::fit::Checkpoint;
use program::{bits, engines, fall_line, json, logged_epochs, ran, reach, refused, run, stderr};
use serde_json::Value;
use tempfile::TempDir;

fn cars() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cars.csv");
    path.display().to_string()
}

#[test]
fn a_run_that_goes_on_ends_in_the_same_bits() {
    let folder = TempDir::new().unwrap();
    let checkpoint = folder.path().join("c.json").display().to_string();
    let cars = cars();
    for engine in engines() {
        for flags in [
            format!("{cars} --learning-rate 0.01"),
            format!("{cars} --loss log-cosh"),
            format!("{cars} --loss quantile --quantile 0.9 --optimizer adam"),
            format!("{cars} --loss huber --optimizer momentum --schedule inverse-time"),
            format!("{cars} --loss mae --optimizer gd"),
            "--samples 3e5 --epochs 60".to_owned(),
            "--samples 3e5 --epochs 60 --sync-every 8".to_owned(),
            "--samples 1e5 --epochs 60 --storage f16 --sync-every 7".to_owned(),
            "--samples 1100000 --epochs 20 --generator device".to_owned(),
            "--samples 3e5 --epochs 20 --device-memory 1200kB".to_owned(),
        ] {
            let gpu = ["sync", "f16", "memory"]
                .iter()
                .any(|part| flags.contains(part));
            if gpu && engine == "--engine cpu" {
                continue;
            }
            let run = format!("train {flags} {engine} --no-tune --format json");
            let unbroken = json(&run);
            // The second --epochs counts; the batch in hand is not whole then, and is done again.
            let broken = run.replace("--epochs 60", "").replace("--epochs 20", "");
            ran(&format!("{broken} -q --epochs 9 --checkpoint {checkpoint}"));
            let on = json(&format!("{run} --resume {checkpoint}"));
            assert_eq!(bits(&on), bits(&unbroken), "{run}");
            assert_ne!(
                bits(&json(&format!("{broken} --epochs 9"))),
                bits(&unbroken)
            );
        }
    }
}

/// From outside, at any moment: what is there is whole, and goes on to the same bits.
#[test]
fn a_run_that_was_killed_goes_on() {
    let folder = TempDir::new().unwrap();
    let args = "train --engine cpu --samples 1e6 --threads 1";
    // More than the run has time for.
    let endless = &format!("{args} --epochs 1e6");
    // How far the checkpoint was when the run was killed after so many epochs.
    let killed = |args: &str, every: &str, after: u64| {
        let checkpoint = folder.path().join(every);
        let mut child = fall_line()
            .args(args.split(' '))
            .args(["--log-every", "1", "--checkpoint-every", every])
            .arg("--checkpoint")
            .arg(&checkpoint)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(reach(&mut lines, after));
        child.kill().unwrap();
        child.wait().unwrap();
        let text = fs::read_to_string(&checkpoint).ok()?;
        let written: Value = serde_json::from_str(&text).unwrap();
        written["content"]["walk"]["epochs"].as_u64()
    };
    let reached = killed(endless, "100", 150).unwrap();
    assert!(reached >= 100 && reached.is_multiple_of(100), "{reached}");
    assert!(killed(endless, "1ms", 300).is_some_and(|soon| soon >= 1));
    assert_eq!(killed(endless, "1h", 20), None);
    // Batches are written whole, after the one in which it was due.
    let batches = "train --engine gpu --samples 1000 --epochs 1e6 --sync-every 100";
    let in_batches = killed(batches, "101", 350).unwrap();
    assert!(
        in_batches >= 200 && in_batches.is_multiple_of(100),
        "{in_batches}"
    );
    // With more threads: sums are the same.
    let args = format!("{args} --epochs {}", reached + 50);
    let on = args.replace("--threads 1", "--threads 3");
    let on = json(&format!(
        "{on} --format json --resume {}",
        folder.path().join("100").display()
    ));
    assert_eq!(bits(&on), bits(&json(&format!("{args} --format json"))));
}

/// Its folder is gone: of a checkpoint meanwhile a warning, and at the end an error, beside the line that was found.
#[test]
fn what_can_not_be_written_in_the_end_is_an_error() {
    for (flags, warned) in [
        ("--checkpoint-every 50 --checkpoint", true),
        ("--save", false),
    ] {
        let folder = TempDir::new().unwrap();
        let (here, gone) = (folder.path().join("here"), folder.path().join("gone"));
        fs::create_dir(&here).unwrap();
        let mut child = fall_line()
            .args("train --engine cpu --samples 1e6 --epochs 3000 --log-every 1".split(' '))
            .args(flags.split(' '))
            .arg(here.join("c.json"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(reach(&mut lines, 1));
        fs::rename(&here, &gone).unwrap();
        assert!(lines.any(|line| line.unwrap().starts_with("w = ")));
        lines.for_each(drop);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{flags}");
        let text = stderr(&output);
        let last = text.lines().last().unwrap();
        assert!(last.starts_with("error: cannot write"), "{text}");
        assert_eq!(text.starts_with("warning: cannot write"), warned, "{text}");
    }
}

/// How the sums were cut is in the checkpoint: what is measured for the run that goes on is nothing to it.
#[test]
fn a_run_goes_on_with_its_tuning() {
    let folder = TempDir::new().unwrap();
    let checkpoint = folder.path().join("c.json").display().to_string();
    // So many that it is measured what suits.
    let train = "train --engine gpu --samples 4e6 --format json";
    let unbroken = json(&format!("{train} --epochs 9"));
    json(&format!("{train} --epochs 4 --checkpoint {checkpoint}"));
    let on = json(&format!(
        "{train} --epochs 9 --no-tune --resume {checkpoint}"
    ));
    assert_eq!(bits(&on), bits(&unbroken));
}

#[test]
fn checkpoints_come_when_they_are_due_and_at_the_end() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("c.json");
    let epochs = || {
        let text = fs::read_to_string(&path).unwrap();
        let written: Value = serde_json::from_str(&text).unwrap();
        written["content"]["walk"]["epochs"].as_u64().unwrap()
    };
    let train = |flags: &str| {
        let args = format!(
            "train --engine cpu --samples 1e4 --checkpoint {} {flags}",
            path.display()
        );
        ran(&args)
    };
    train("--epochs 7 --checkpoint-every 5");
    assert_eq!(epochs(), 7);
    train("--epochs 9 --checkpoint-every 1h");
    assert_eq!(epochs(), 9);
    // One that was done goes on for longer, and says from where.
    let text = train(&format!("--epochs 30 --resume {}", path.display()));
    assert!(text.contains("going on after epoch 9"), "{text}");
    assert_eq!(logged_epochs(&text), [10, 20, 30]);
    assert_eq!(epochs(), 30);
    // One of which nothing is left to run is written all the same.
    let old = folder.path().join("old.json");
    fs::rename(&path, &old).unwrap();
    let text = train(&format!("--epochs 30 --resume {}", old.display()));
    assert!(text.contains("no epoch was left to run"), "{text}");
    assert_eq!(epochs(), 30);
    fs::remove_file(old).unwrap();
    for flag in ["--save", "--history"] {
        // Where a checkpoint may be called anything.
        let old = folder.path().join("old.csv");
        fs::copy(&path, &old).unwrap();
        let text = refused(
            2,
            &format!(
                "train --engine cpu --samples 1e4 --resume {0} {flag} {0}",
                old.display()
            ),
        );
        assert!(text.contains("would replace the checkpoint"), "{text}");
        fs::remove_file(old).unwrap();
    }
    // Nothing else is left in the folder than it and the one before it.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    assert!(Checkpoint::before(&path).is_file());
    refused(2, "train --engine cpu --checkpoint-every 5");
    let text = refused(
        2,
        &format!(
            "train --engine cpu --checkpoint {} --checkpoint-every soon",
            path.display()
        ),
    );
    assert!(text.contains("30s"), "{text}");
}

#[test]
fn a_damaged_or_foreign_checkpoint_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("c.json");
    let train = format!("train {} --loss mae --engine cpu", cars());
    ran(&format!(
        "{train} --epochs 5 -q --checkpoint {}",
        path.display()
    ));
    let resume = |flags: &str| format!("{train} {flags} --resume {}", path.display());
    let good = fs::read_to_string(&path).unwrap();
    // Each other digit of the content, wherever it is, and half a file.
    let content = good.find("\"content\"").unwrap();
    let digits = good
        .char_indices()
        .skip(content)
        .filter(|(_, c)| c.is_ascii_digit());
    for (at, digit) in digits.step_by(97) {
        let other = if digit == '7' { "3" } else { "7" };
        let mut bad = good.clone();
        bad.replace_range(at..at + 1, other);
        fs::write(&path, bad).unwrap();
        let text = refused(3, &resume(""));
        assert!(
            text.contains("damaged") && text.contains("begin anew"),
            "{text}"
        );
    }
    fs::write(&path, &good[..good.len() / 2]).unwrap();
    assert!(refused(3, &resume("")).contains("damaged"));
    // The one before it is offered, if there is one.
    let before = Checkpoint::before(&path);
    fs::write(&before, &good).unwrap();
    let text = refused(3, &resume(""));
    let offer = format!("the one before it is kept as {}", before.display());
    assert!(text.contains(&offer), "{text}");
    // As a power cut leaves it; and none.
    fs::write(&path, "").unwrap();
    assert!(refused(3, &resume("")).contains(&offer));
    fs::remove_file(&path).unwrap();
    assert!(refused(1, &resume("")).contains(&offer));
    // A damaged one does not take its place.
    fs::write(&path, &good[..good.len() / 2]).unwrap();
    let (from, to) = (before.display(), path.display());
    ran(&format!("{train} -q --resume {from} --checkpoint {to}"));
    assert_eq!(fs::read_to_string(&before).unwrap(), good);
    ran(&format!("{train} -q --resume {}", before.display()));
    fs::remove_file(before).unwrap();
    fs::write(&path, "").unwrap();
    assert!(refused(3, &resume("")).contains("not a checkpoint"));
    fs::write(&path, "{\"w\": 3}").unwrap();
    assert!(refused(3, &resume("")).contains("not a checkpoint"));
    fs::write(&path, good.replace("checkpoint 1", "checkpoint 99")).unwrap();
    assert!(refused(3, &resume("")).contains("checkpoint 99"));
    fs::remove_file(&path).unwrap();
    assert!(refused(1, &resume("")).contains("cannot read"));
    fs::write(&path, &good).unwrap();
    ran(&resume("-q"));
    // Of another run: it says in what.
    for (flags, part) in [
        ("--no-standardize", "standardising"),
        ("--tolerance 1e-4", "tolerance"),
        ("--init-w 1", "start"),
        ("--optimizer adam", "optimizer"),
        ("--x dist --y speed", "differs in data, "),
    ] {
        let text = refused(2, &resume(flags));
        assert!(
            text.contains("another run") && text.contains(part),
            "{flags}: {text}"
        );
    }
    let other = |args: &str| {
        let args = format!("train {args} --resume {}", path.display());
        let output = run(&args);
        assert_eq!(output.status.code(), Some(2), "{args}");
        stderr(&output)
    };
    assert!(other(&format!("{} --loss mae --engine gpu", cars())).contains("differs in engine;"));
    assert!(
        other(&format!("{} --loss quantile --engine cpu", cars())).contains("differs in loss;")
    );
    assert!(other("--samples 50 --loss mae --engine cpu").contains("differs in data, "));
}

/// What no other part of the run tells of: it alone is named.
#[test]
fn a_checkpoint_knows_its_samples_and_its_batches() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let checkpoint = at("c.json");
    let is_other = |args: &str, other: &str, what: &str| {
        ran(&format!(
            "train {args} --epochs 8 -q --checkpoint {checkpoint}"
        ));
        let text = refused(2, &format!("train {other} --resume {checkpoint}"));
        assert!(text.contains(&format!("differs in {what};")), "{text}");
    };
    // In another order; integers, of which all sums are exact, so that statistics are the same to the bit.
    let mut rows = ["1,3", "2,5", "3,4", "4,8", "5,7", "6,9", "7,12", "8,16"];
    let mut train = |name: &str| {
        fs::write(at(name), rows.join("\n")).unwrap();
        rows.swap(2, 5);
        format!("{} --engine cpu", at(name))
    };
    is_other(&train("one.csv"), &train("other.csv"), "data");
    // Another sample in the middle, whose block is neither the first nor the last.
    ran(&format!("generate {} --samples 200k", at("one.npy")));
    let mut bytes = fs::read(at("one.npy")).unwrap();
    let middle = bytes.len() - 16 * 100_000;
    bytes[middle + 3] ^= 1;
    fs::write(at("other.npy"), bytes).unwrap();
    let train = |name| {
        let path = at(name);
        format!("{path} --engine cpu --no-standardize --learning-rate 0.1 --init-w 0")
    };
    is_other(&train("one.npy"), &train("other.npy"), "data");
    let gpu = "--engine gpu --samples 1000";
    let every = |batch: u64| format!("{gpu} --sync-every {batch}");
    is_other(&every(4), &every(8), "epochs between read-backs");
    let [half, whole] = ["f16", "f32"].map(|storage| format!("{gpu} --storage {storage}"));
    is_other(&half, &whole, "engine");
}

#[test]
fn the_history_goes_on_too() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    for file in ["h.csv", "h.json"] {
        let train = |flags: &str, history: &str| {
            ran(&format!(
                "train --engine cpu --samples 1e4 -q {flags} --history {}",
                at(history)
            ));
            fs::read_to_string(at(history)).unwrap()
        };
        let unbroken = train("--epochs 20", &format!("unbroken-{file}"));
        fs::write(at("unbroken.other"), unbroken.replace("1", "2")).unwrap();
        let checkpoint = at("c.json");
        train(&format!("--epochs 9 --checkpoint {checkpoint}"), file);
        // Later epochs of another run's end are left out.
        let on = train(&format!("--epochs 20 --resume {checkpoint}"), file);
        assert_eq!(on, unbroken);
        let again = train(&format!("--epochs 20 --resume {checkpoint}"), file);
        assert_eq!(again, unbroken);
        // The checkpoint has it: another run's file is replaced like any other.
        fs::copy(at("unbroken.other"), at(file)).unwrap();
        assert_eq!(
            train(&format!("--epochs 20 --resume {checkpoint}"), file),
            unbroken
        );
        fs::remove_file(at(file)).unwrap();
        assert_eq!(
            train(&format!("--epochs 20 --resume {checkpoint}"), file),
            unbroken
        );
    }
    // Without one in the checkpoint, the history begins with the epochs that are left, and that is told.
    let (checkpoint, file) = (at("none.json"), at("late.csv"));
    let train = "train --engine cpu --samples 1e4";
    ran(&format!("{train} --epochs 9 --checkpoint {checkpoint}"));
    let output = run(&format!(
        "{train} --epochs 20 --resume {checkpoint} --history {file}"
    ));
    assert!(
        stderr(&output).contains("begins with epoch 10"),
        "{output:?}"
    );
    assert_eq!(fs::read_to_string(file).unwrap().lines().count(), 1 + 11);
}

/// The sums of integers are the same in any order, and so are all statistics but their checksum.
#[test]
fn samples_in_another_order_are_other_data() {
    let folder = TempDir::new().unwrap();
    let (data, checkpoint) = (folder.path().join("d.csv"), folder.path().join("c.json"));
    let mut rows: Vec<String> = (0..200_000_u64)
        .map(|i| format!("{},{}\n", i % 1000, (7 * i) % 1013))
        .collect();
    fs::write(&data, rows.concat()).unwrap();
    let train = format!("train {} --engine cpu --epochs 3 -q", data.display());
    ran(&format!("{train} --checkpoint {}", checkpoint.display()));
    ran(&format!("{train} --resume {}", checkpoint.display()));
    rows.swap(100_000, 100_001);
    fs::write(&data, rows.concat()).unwrap();
    let text = refused(2, &format!("{train} --resume {}", checkpoint.display()));
    assert!(text.contains("differs in data;"), "{text}");
}
