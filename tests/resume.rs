//! `--checkpoint` and `--resume`: a run that was broken off ends in the bits of one that was not.

#[path = "common/program.rs"]
mod program;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use program::{engines, fall_line, json, ran, refused, stderr};
use serde_json::Value;
use tempfile::TempDir;

/// What the bits of a run show in: the line, its loss, and how many epochs it took.
fn bits(result: &Value) -> Vec<String> {
    let names = ["w", "b", "final_loss", "epochs", "converged"];
    names.map(|name| result[name].to_string()).to_vec()
}

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
            ran(&format!(
                "{broken} -q --epochs 11 --checkpoint {checkpoint}"
            ));
            let on = json(&format!("{run} --resume {checkpoint}"));
            assert_eq!(bits(&on), bits(&unbroken), "{run}");
            assert_ne!(
                bits(&json(&format!("{broken} --epochs 11"))),
                bits(&unbroken)
            );
        }
    }
}

/// From outside, at any moment: what is there is whole, and goes on to the same bits.
#[test]
fn a_run_that_was_killed_goes_on() {
    let folder = TempDir::new().unwrap();
    let checkpoint = folder.path().join("c.json");
    let args = "train --engine cpu --samples 1e6 --epochs 400 --threads 1 --format json";
    let unbroken = json(args);
    let mut child = fall_line()
        .args(args.split(' '))
        .args(["--checkpoint-every", "1", "--checkpoint"])
        .arg(&checkpoint)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !checkpoint.exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let text = fs::read_to_string(&checkpoint).unwrap();
    let reached = &serde_json::from_str::<Value>(&text).unwrap()["content"]["walk"]["epochs"];
    assert!((1..400).contains(&reached.as_u64().unwrap()), "{reached}");
    // With more threads: sums are the same.
    let on = args.replace("--threads 1", "--threads 3");
    let on = json(&format!("{on} --resume {}", checkpoint.display()));
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
    assert!(
        !text.contains("epoch 9:") && text.contains("epoch 10:"),
        "{text}"
    );
    assert_eq!(epochs(), 30);
    let text = train(&format!("--epochs 30 --resume {}", path.display()));
    assert!(text.contains("no epoch was left to run"), "{text}");
    // Nothing else is left in the folder.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
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
            text.contains("damaged") && text.contains("without --resume"),
            "{text}"
        );
    }
    fs::write(&path, &good[..good.len() / 2]).unwrap();
    assert!(refused(3, &resume("")).contains("damaged"));
    fs::write(&path, "").unwrap();
    assert!(refused(3, &resume("")).contains("no checkpoint"));
    fs::write(&path, "{\"w\": 3}").unwrap();
    assert!(refused(3, &resume("")).contains("train --checkpoint writes one"));
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
        ("--x dist --y speed", "data"),
    ] {
        let text = refused(2, &resume(flags));
        assert!(
            text.contains("of another run") && text.contains(part),
            "{flags}: {text}"
        );
    }
    let other = |args: &str| {
        let args = format!("train {args} --resume {}", path.display());
        let output = program::run(&args);
        assert_eq!(output.status.code(), Some(2), "{args}");
        stderr(&output)
    };
    assert!(other(&format!("{} --loss mae --engine gpu", cars())).contains("engine"));
    assert!(other(&format!("{} --loss quantile --engine cpu", cars())).contains("loss"));
    assert!(other("--samples 50 --loss mae --engine cpu").contains("data"));
    // The same samples in another order.
    let text = fs::read_to_string(cars()).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.swap(3, 40);
    let swapped = folder.path().join("cars.csv");
    fs::write(&swapped, lines.join("\n")).unwrap();
    assert!(other(&format!("{} --loss mae --engine cpu", swapped.display())).contains("data"));
}
