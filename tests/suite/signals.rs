//! Signals, and processes that are killed: nothing is lost or half written, and nothing is left behind.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use tempfile::TempDir;

use crate::common::program::{
    bits, fall_line, json, logged_epochs, ran, reach, run, send, stderr, stdout,
};

/// Runs that are killed where the environment names no other number.
const KILLS: u64 = 6;

/// A command whose signals have their defaults, also if the tests were started by `nohup`.
fn with_default_signals() -> Command {
    let mut command = Command::new("env");
    command
        .arg("--default-signal=INT,TERM,HUP")
        .arg(env!("CARGO_BIN_EXE_fall-line"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Starts a command, and waits until its log shows an epoch.
fn in_epoch(command: &mut Command, epoch: u64) -> Child {
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(reach(&mut lines, epoch));
    // Whoever reads the log goes on to.
    std::thread::spawn(move || lines.for_each(drop));
    child
}

#[test]
fn a_signal_ends_training_after_its_epoch_with_all_files() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        let args = "train --engine cpu --samples 1e6 --epochs 1e5 --log-every 1";
        let mut command = with_default_signals();
        command.args(args.split(' '));
        for file in ["history.csv", "checkpoint.json", "save.json"] {
            let (flag, _) = file.split_once('.').unwrap();
            command.arg(format!("--{flag}")).arg(at(file));
        }
        let child = in_epoch(&mut command, 3);
        send(&child, signal);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{signal}: {output:?}");
        let text = stderr(&output);
        let history = fs::read_to_string(at("history.csv")).unwrap();
        let epochs = history.lines().count() - 1;
        assert!(
            text.contains(&format!("interrupted after epoch {epochs}\n")),
            "{text}"
        );
        let read = |name| -> Value {
            serde_json::from_str(&fs::read_to_string(at(name)).unwrap()).unwrap()
        };
        assert_eq!(read("save.json")["epochs"], epochs);
        let content = &read("checkpoint.json")["content"];
        assert_eq!(content["walk"]["epochs"], epochs);
        assert_eq!(content["history"].as_array().unwrap().len(), epochs);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "{text}");

        // The line is not where it was to end, and a run that goes on writes the checkpoint only if it is asked to.
        assert_eq!(read("save.json")["converged"], false);
        let predicted = run(&format!("predict {} --at 1", at("save.json").display()));
        let warning = format!("had not converged after {epochs} epochs");
        assert!(stderr(&predicted).contains(&warning), "{predicted:?}");
        let mut command = with_default_signals();
        command.args(args.split(' ')).arg("--resume");
        command.arg(at("checkpoint.json"));
        let child = in_epoch(&mut command, epochs as u64 + 3);
        send(&child, signal);
        let text = stderr(&child.wait_with_output().unwrap());
        assert!(text.contains("checkpoint.json stays as it was"), "{text}");
    }
}

/// In a call of a driver that never comes back, the first signal has no effect.
#[cfg(debug_assertions)]
#[test]
fn a_second_signal_ends_the_program_at_once() {
    let hangs = || {
        let mut command = with_default_signals();
        command
            .args("train --adapter 0 --samples 1e5 --epochs 1e5 --log-every 1".split(' '))
            .env("FALL_LINE_FAULT", "hang:40");
        command
    };
    // The epoch before the one that never ends.
    let ended = hangs().env("FALL_LINE_GPU_TIMEOUT", "1").output().unwrap();
    let last = *logged_epochs(&stdout(&ended)).last().unwrap();
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let mut child = in_epoch(&mut hangs(), last);
        // Signals that come at the same moment are one.
        while child.try_wait().unwrap().is_none() {
            send(&child, signal);
            sleep(Duration::from_millis(50));
        }
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let text = stderr(&output);
        assert!(!text.contains("interrupted after epoch"), "{text}");
    }
}

#[test]
fn a_signal_that_is_ignored_from_the_start_stays_ignored() {
    let mut command = Command::new("env");
    command
        .arg("--ignore-signal=HUP")
        .arg(env!("CARGO_BIN_EXE_fall-line"))
        .args("train --engine cpu --samples 1e6 --epochs 60 --log-every 1 --threads 1".split(' '))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = in_epoch(&mut command, 2);
    send(&child, "HUP");
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn what_a_killed_program_leaves_is_removed_by_the_next_one() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("big.csv");
    let names = || -> Vec<String> {
        let entries = fs::read_dir(folder.path()).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    let mut child = fall_line()
        .args(["generate", "--samples", "1e9"])
        .arg(&path)
        .spawn()
        .unwrap();
    let start = Instant::now();
    while names().is_empty() {
        assert!(start.elapsed() < Duration::from_secs(60));
        sleep(Duration::from_millis(5));
    }
    // While it lives, its file is its own.
    let small = folder.path().join("small.csv");
    ran(&format!("generate {} --samples 10", small.display()));
    assert!(names().iter().any(|name| name.starts_with(".fall-line-")));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(names().iter().any(|name| name.starts_with(".fall-line-")));
    // A file that is held is of a program that lives. One of another name is somebody else's.
    let held = folder.path().join(".fall-line-abc123.tmp");
    fs::write(folder.path().join(".fall-line-notes"), "mine").unwrap();
    let lock = File::create(&held).unwrap();
    lock.lock().unwrap();
    ran(&format!("generate {} --samples 10", small.display()));
    let mut left = names();
    left.sort();
    assert_eq!(
        left,
        [".fall-line-abc123.tmp", ".fall-line-notes", "small.csv"]
    );
    drop(lock);
    ran(&format!("generate {} --samples 10", small.display()));
    let mut left = names();
    left.sort();
    assert_eq!(left, [".fall-line-notes", "small.csv"]);
}

/// `FALL_LINE_KILLS=200 cargo test --test suite signals::` kills more of them.
#[test]
fn a_run_killed_at_any_moment_goes_on_to_the_same_bits_with_its_whole_history() {
    let kills = std::env::var("FALL_LINE_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let mut rng = StdRng::seed_from_u64(20);
    let ways = [
        "--samples 1e5",
        "--samples 1e5 --optimizer adam",
        "--samples 1e5 --loss mae --optimizer cutting-plane",
        "--samples 1e5 --adapter 0",
        "--samples 2e4 --adapter 0 --sync-every 10",
        "--samples 1e5 --loss huber --schedule adaptive",
    ];
    let (mut early, mut late) = (0, 0);
    for kill in 0..kills {
        let way = ways[kill as usize % ways.len()];
        let args = format!("train {way} --epochs 100 --tolerance 0 --no-tune --format json");
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let files = |history: &str| {
            format!(
                "--history {} --checkpoint {} --checkpoint-every 1",
                at(history),
                at("c.json")
            )
        };
        let (whole, time) = run_timed(&format!("{args} {}", files("whole.csv")));
        fs::remove_file(at("c.json")).unwrap();
        let mut child = fall_line()
            .args(format!("{args} {}", files("h.csv")).split(' '))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        sleep(time.mul_f64(rng.random_range(0.0..1.1)));
        child.kill().unwrap();
        child.wait().unwrap();
        let resume = if Path::new(&at("c.json")).exists() {
            late += 1;
            format!("--resume {}", at("c.json"))
        } else {
            early += 1;
            String::new()
        };
        let on = json(format!("{args} {resume} {}", files("h.csv")).trim());
        assert_eq!(bits(&on), bits(&whole), "{args}");
        let [one, other] = ["h.csv", "whole.csv"].map(|name| fs::read_to_string(at(name)).unwrap());
        assert!(
            one == other,
            "{args}: the history has a hole, or is another one"
        );
        // Nothing but the files and the checkpoint before the last.
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 4, "{args}");
    }
    println!("{kills} kills: {late} after a checkpoint, {early} before");
}

/// Returns the result of a run, and the time that it took.
fn run_timed(args: &str) -> (Value, Duration) {
    let start = Instant::now();
    (json(args), start.elapsed())
}
