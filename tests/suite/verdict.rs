//! Whether `fall-line train` found the line that was asked for: it says so, or warns, and loses nothing.

use crate::common::program;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use program::{fall_line, interrupt, json, ran, refused, run, stderr, stdout};
use serde_json::Value;
use tempfile::TempDir;

fn cars() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cars.csv");
    path.display().to_string()
}

/// A file of samples.
fn file(folder: &TempDir, name: &str, rows: impl Iterator<Item = String>) -> String {
    let path = folder.path().join(name);
    fs::write(&path, "x,y\n".to_owned() + &rows.collect::<String>()).unwrap();
    path.display().to_string()
}

/// What is left of y then is rounding, which no descent makes less of.
#[test]
fn a_line_through_all_samples_is_found() {
    let folder = TempDir::new().unwrap();
    for (samples, slope) in [(2, 3.0), (10, 7.0), (50, 7.0), (50, -0.3)] {
        let rows = (0..samples).map(|i| format!("{i},{}\n", slope * f64::from(i) + 2.0));
        let path = file(&folder, "exact.csv", rows);
        for loss in ["mse", "mae", "quantile", "huber", "log-cosh"] {
            for flags in ["", "--optimizer gd"] {
                let args = format!(
                    "train {path} --loss {loss} {flags} --engine cpu --strict --format json"
                );
                let result = json(&args);
                assert_eq!(result["converged"], true, "{args}");
                for (name, right) in [("w", slope), ("b", 2.0)] {
                    let off = (result[name].as_f64().unwrap() - right).abs();
                    assert!(off < 1e-5 * slope.abs(), "{args}: {result}");
                }
            }
        }
    }
}

/// Of a loss with corners the steps of a constant rate end in going to and fro, which is no convergence.
#[test]
fn standing_still_is_not_enough() {
    for flags in [
        "--loss mae --learning-rate 100",
        "--loss quantile --quantile 0.9 --learning-rate 30",
        "--loss huber --no-standardize --optimizer gd --learning-rate 1e-9",
    ] {
        let args = format!("train {} {flags} --engine cpu -q", cars());
        let output = run(&args);
        assert!(output.status.success(), "{args}");
        let text = stderr(&output);
        assert!(
            text.starts_with("warning: ") && text.contains("--optimizer cutting-plane"),
            "{args}: {text}"
        );
        assert_eq!(run(&(args + " --strict")).status.code(), Some(6));
    }
    // And where they end well, it is.
    let result = json(&format!(
        "train {} --loss mae --optimizer gd --engine cpu --format json",
        cars()
    ));
    assert_eq!(result["converged"], true);
    assert!((result["least_loss"].as_f64().unwrap() - 11.276).abs() < 1e-4);
}

#[test]
fn a_loss_that_rises_is_told_of() {
    let output = run("train --engine cpu --samples 1e4 --learning-rate 0.5 --force -q");
    assert!(output.status.success());
    assert!(stderr(&output).contains("the loss has risen"), "{output:?}");
    assert_eq!(stderr(&run("train --engine cpu --samples 1e4 -q")), "");
    let output = run(&format!(
        "train {} --engine cpu --epochs 1 --learning-rate 0.1",
        cars()
    ));
    assert!(
        stderr(&output).contains("not converged after 1 epoch;"),
        "{output:?}"
    );
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    let cars = cars();
    for (args, part) in [
        (format!("{cars} --strict --tolerance 0"), "--strict"),
        ("--patience 3".to_owned(), "--patience"),
        (format!("{cars} --loss mae --force"), "--force"),
        (format!("{cars} --learning-rate 1"), "too large: above"),
        (
            format!("{cars} --optimizer cutting-plane --learning-rate auto"),
            "--learning-rate",
        ),
        (format!("{cars} --plan --resume c.json"), "--plan"),
    ] {
        let text = refused(2, &format!("train {args} --engine cpu"));
        assert!(text.contains(part), "{args}: {text}");
    }
    // A batch keeps the line on the device, which a streamed set does not: a plan says so as the run would.
    let args = "--samples 1e6 --engine gpu --device-memory 2MB --sync-every 10 --no-tune";
    assert!(refused(2, &format!("train {args} --plan")).contains("--sync-every"));
    assert!(refused(2, &format!("train {args}")).contains("--sync-every"));
    // A rate asks for steps.
    let result = json(&format!(
        "train {cars} --loss mae --learning-rate auto --engine cpu --format json"
    ));
    assert_eq!(
        [&result["optimizer"], &result["schedule"]],
        ["gd", "adaptive"]
    );
}

/// Whatever becomes of stdout.
#[cfg(target_os = "linux")]
#[test]
fn a_model_is_saved_whoever_reads() {
    let folder = TempDir::new().unwrap();
    let model = folder.path().join("m.json");
    for format in ["text", "json"] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = fall_line()
            .args([
                "train",
                &cars(),
                "--engine",
                "cpu",
                "-q",
                "--format",
                format,
                "--save",
            ])
            .arg(&model)
            .stdout(full)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let saved: Value = serde_json::from_str(&fs::read_to_string(&model).unwrap()).unwrap();
        assert_eq!(saved["converged"], true);
        fs::remove_file(&model).unwrap();
    }
}

/// A run that is broken off has its line and its files, without what takes another reading.
#[cfg(unix)]
#[test]
fn an_interrupt_keeps_the_line() {
    let folder = TempDir::new().unwrap();
    let model = folder.path().join("m.json");
    let checkpoint = folder.path().join("c.json");
    let child = fall_line()
        .args("train --engine cpu --samples 1e6 --epochs 1e6 --format json --checkpoint-every 1 --checkpoint".split(' '))
        .arg(&checkpoint)
        .arg("--save")
        .arg(&model)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !checkpoint.exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let result: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let saved: Value = serde_json::from_str(&fs::read_to_string(&model).unwrap()).unwrap();
    assert_eq!(saved["w"], result["w"]);
    // What is not known is null, not left out.
    assert!(result.as_object().unwrap().contains_key("fit") && result["fit"].is_null());
    assert!(saved["metrics"].as_object().unwrap().contains_key("fit"));
}

#[test]
fn files_that_are_read_are_not_replaced() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let checkpoint = at("c.json");
    ran(&format!(
        "train {} --engine cpu --epochs 2 -q --tolerance 0 --checkpoint {checkpoint}",
        cars()
    ));
    let written = fs::read(&checkpoint).unwrap();
    let text = refused(
        2,
        &format!(
            "train {} --engine cpu --resume {checkpoint} --save {checkpoint}",
            cars()
        ),
    );
    assert!(text.contains("would replace the checkpoint"), "{text}");
    assert_eq!(fs::read(&checkpoint).unwrap(), written);
    ran(&format!("generate {} --samples 10", at("xy.npy")));
    ran(&format!(
        "train {} --engine cpu -q --save {}",
        at("xy.npy"),
        at("m.json")
    ));
    let predict = format!("predict {} {}", at("m.json"), at("xy.npy"));
    assert!(
        refused(2, &format!("{predict} -o {}", at("xy.npy"))).contains("would replace the data")
    );
    fs::copy(at("m.json"), at("m.csv")).unwrap();
    let predict = format!("predict {} {}", at("m.csv"), at("xy.npy"));
    assert!(
        refused(2, &format!("{predict} -o {}", at("m.csv"))).contains("would replace the model")
    );
    let predict = format!("predict {} --x {}", at("m.json"), at("xy.npy"));
    assert!(
        refused(2, &format!("{predict} -o {}", at("xy.npy"))).contains("would replace the data")
    );
}

/// Integers above 2^53 are rounded to f64 as they are read.
#[test]
fn columns_that_f64_is_too_coarse_for_are_told_of() {
    let folder = TempDir::new().unwrap();
    let rows = |step: u64| move |i: u64| format!("{},{}\n", (1_u64 << 60) + step * i, 2 * i);
    let path = file(&folder, "huge.csv", (0..1000).map(rows(1)));
    let text = stderr(&run(&format!("train {path} --engine cpu")));
    assert!(text.contains("f64 has steps of 256.0"), "{text}");
    let path = file(&folder, "one.csv", (0..50).map(rows(1)));
    let text = refused(3, &format!("train {path} --engine cpu"));
    assert!(text.contains("to the digits of f64"), "{text}");
    let path = file(&folder, "far.csv", (0..1000).map(rows(1 << 20)));
    assert_eq!(stderr(&run(&format!("train {path} --engine cpu"))), "");
    let tiny = (1..9).map(|i| format!("{i}e-200,{i}\n"));
    let text = refused(
        3,
        &format!("train {} --engine cpu", file(&folder, "tiny.csv", tiny)),
    );
    assert!(text.contains("larger units"), "{text}");
}
