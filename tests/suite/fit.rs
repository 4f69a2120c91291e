//! `fall-line train` over people's own columns: the right line the first time, and how right it is.

use crate::common::program;
use std::fs;
#[cfg(unix)]
use std::io::{BufRead, BufReader};
use std::path::Path;
#[cfg(unix)]
use std::process::Stdio;

#[cfg(unix)]
use program::fall_line;
use program::{engines, interrupt, json, ran, reach, refused, run, stderr, stdout};
use serde_json::Value;
use tempfile::TempDir;

/// Ezekiel (1930), as R's `cars`.
fn cars() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cars.csv");
    path.display().to_string()
}

fn number(result: &Value, name: &str) -> f64 {
    let pointer = format!("/{}", name.replace('.', "/"));
    let value = result.pointer(&pointer).and_then(Value::as_f64);
    value.unwrap_or_else(|| panic!("no {name} in {result}"))
}

/// That numbers of a result are within a share of what they should be.
fn assert_near(result: &Value, share: f64, right: &[(&str, f64)]) {
    for &(name, right) in right {
        let value = number(result, name);
        let off = ((value - right) / right).abs();
        assert!(off <= share, "{name} is {value:?}, not {right:?}: {result}");
    }
}

/// A sample a minute, for a day of 2023: what it says in the file, x exactly.
fn day() -> Vec<(u64, f64)> {
    let load = |i: u64| {
        let i = i as f64;
        120.0 + 0.09 * i + 20.0 * (i / 37.0).sin() + 7.0 * (1.7 * i).sin()
    };
    (0..1441)
        .map(|i| (1_700_006_400 + 60 * i, load(i)))
        .collect()
}

fn write_day(folder: &TempDir) -> String {
    let path = folder.path().join("day.csv");
    let rows = day()
        .into_iter()
        .map(|(time, load)| format!("{time},{load}\n"));
    fs::write(&path, "time,load\n".to_owned() + &rows.collect::<String>()).unwrap();
    path.display().to_string()
}

/// In f32 a day of timestamps has 675 values that differ: whoever casts them first finds another line.
#[test]
fn a_day_of_timestamps_comes_out_to_six_digits_on_every_engine() {
    let folder = TempDir::new().unwrap();
    let (path, history) = (write_day(&folder), folder.path().join("h.csv"));
    let samples = day();
    let n = samples.len() as f64;
    // From the middle, an integer: nothing is rounded before it is small.
    let middle = 1_700_049_600.0;
    let x = |time: u64| time as f64 - middle;
    let mean_y = samples.iter().map(|sample| sample.1).sum::<f64>() / n;
    let sum =
        |term: &dyn Fn(f64, f64) -> f64| samples.iter().map(|&(t, y)| term(x(t), y)).sum::<f64>();
    let w = sum(&|x, y| x * (y - mean_y)) / sum(&|x, _| x * x);
    let b = mean_y - w * middle;
    let mse = sum(&|x, y| (w * x - (y - mean_y)).powi(2)) / n;
    for engine in engines() {
        let result = json(&format!(
            "train {path} --x time --y load --format json {engine} --history {}",
            history.display()
        ));
        let right = [("w", w), ("b", b), ("final_loss", mse), ("least_loss", mse)];
        assert_near(&result, 5e-7, &right);
        assert_near(
            &result,
            1e-12,
            &[("least_squares.w", w), ("least_squares.b", b)],
        );
        assert_eq!(result["converged"], true);
        // The epochs too are in the data's units: the first from the flat line, the last at the line itself.
        let history = fs::read_to_string(&history).unwrap();
        let epochs: Vec<Vec<f64>> = history
            .lines()
            .skip(1)
            .map(|line| {
                line.split(',')
                    .map(|field| field.parse().unwrap())
                    .collect()
            })
            .collect();
        let (first, last) = (&epochs[0], epochs.last().unwrap());
        let variance = sum(&|_, y| (y - mean_y).powi(2)) / n;
        let dw = samples
            .iter()
            .map(|&(t, y)| 2.0 * (mean_y - y) * t as f64)
            .sum::<f64>()
            / n;
        for (value, right) in [
            (first[1], variance),
            (last[1], mse),
            (last[2], w),
            (last[3], b),
        ] {
            assert!((value / right - 1.0).abs() < 5e-6, "{value}, not {right}");
        }
        // The mean residual is right to 2^-24 of their mean size, which x then multiplies.
        let size = samples
            .iter()
            .map(|&(t, y)| 2.0 * (mean_y - y).abs() * t as f64)
            .sum::<f64>()
            / n;
        let rounding = 0.5_f64.powi(24) * size;
        assert!(
            (first[4] - dw).abs() < rounding && last[4].abs() < rounding,
            "{first:?}, {last:?}"
        );
        assert!(dw.abs() > 100.0 * rounding, "{dw}, {rounding}");
    }
    let text = ran(&format!("train {path} --engine cpu"));
    assert!(text.contains("converged at epoch"), "{text}");
    assert!(text.contains("x from 1700006400 to 1700092800"), "{text}");
    // What is printed is enough to predict by: of w·x and b, which nearly cancel, half of a millionth of y's deviation
    // is rounded off each.
    let line = text.lines().find(|line| line.starts_with("w = ")).unwrap();
    let mut shown = line
        .split([',', '='])
        .skip(1)
        .step_by(2)
        .map(|text| text.trim().parse::<f64>().unwrap());
    let (w, b) = (shown.next().unwrap(), shown.next().unwrap());
    let exact = json(&format!("train {path} --engine cpu --format json"));
    let time = samples[700].0 as f64;
    let right = number(&exact, "w") * time + number(&exact, "b");
    let deviation = (sum(&|_, y| (y - mean_y).powi(2)) / n).sqrt();
    assert!((w * time + b - right).abs() < 1e-6 * deviation, "{line}");
}

/// The losses there from an exact method, by golden/optima.py.
#[test]
fn the_defaults_find_the_optimum_of_every_loss_on_every_engine() {
    let golden: Value = serde_json::from_str(include_str!("../golden/optima.json")).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    let of_cars = cases.iter().find(|case| case["recipe"].is_null()).unwrap();
    for engine in engines() {
        for optimum in of_cars["optima"].as_array().unwrap() {
            let name = optimum["loss"].as_str().unwrap();
            let parameter = match (name, optimum["parameter"].as_f64()) {
                (_, None) => String::new(),
                ("huber", Some(delta)) => format!("--delta {delta}"),
                (_, Some(tau)) => format!("--quantile {tau}"),
            };
            let args = format!(
                "train {} --loss {name} {parameter} {engine} --format json",
                cars()
            );
            let result = json(&args);
            let off = number(&result, "final_loss") / number(optimum, "optimum") - 1.0;
            assert!((-1e-6..1e-6).contains(&off), "{args}: {off:e}");
            assert_eq!(result["converged"], true, "{args}");
            assert!(number(&result, "epochs") < 100.0, "{args}");
        }
    }
}

/// Of R: summary(lm(dist ~ speed, cars)), var(dist) over n.
#[test]
fn beside_the_result_stands_how_right_it_is() {
    let result = json(&format!("train {} --engine cpu --format json", cars()));
    assert_near(
        &result,
        1e-6,
        &[
            ("least_squares.w", 3.932_408_759_124_09),
            ("least_squares.b", -17.579_094_890_511),
            ("fit.r_squared", 0.651_079_380_758_252),
            ("fit.rmse", (11_353.521_051_094_9_f64 / 50.0).sqrt()),
            ("baseline_loss", 650.7796),
            ("statistics.x.mean", 15.4),
            ("statistics.y.mean", 42.98),
        ],
    );
    for name in ["distance.w", "distance.b"] {
        assert!(number(&result, name).abs() < 1e-5, "{result}");
    }
    // From the flat line through the mean of y.
    assert_eq!(result["start"], serde_json::json!({"w": 0.0, "b": 42.98}));
    assert_eq!(result["x"], "speed");
    assert_eq!(result["optimizer"], "gd");
    assert_eq!(result["true_line"], Value::Null);
    // Of another loss the closed form is no target.
    let mae = json(&format!(
        "train {} --loss mae --engine cpu --format json",
        cars()
    ));
    assert_eq!(mae["distance"], Value::Null);
    assert_eq!(mae["optimizer"], "cutting-plane");
    assert!(number(&mae, "fit.mae") <= number(&result, "fit.mae"));
    let drawn = json("train --samples 1e4 --engine cpu --format json --slope -2 --intercept 7");
    assert_near(
        &drawn,
        1e-15,
        &[("true_line.w", -2.0), ("true_line.b", 7.0)],
    );
    assert!((number(&drawn, "least_squares.w") + 2.0).abs() < 0.1);
    assert_eq!(drawn["converged"], Value::Null);
    assert_eq!(drawn["epochs"], 50);
    // More than are read before they are loaded, and those that never are on the host.
    let many = json("train --samples 1100000 --engine cpu --format json");
    assert!((number(&many, "least_squares.w") - 3.0).abs() < 0.01);
    let device = json("train --samples 1100000 --engine gpu --generator device --format json");
    assert_eq!(device["least_squares"], Value::Null);
    assert_near(&device, 1e-15, &[("true_line.w", 3.0)]);
    let folder = TempDir::new().unwrap();
    let bad = folder.path().join("bad.csv");
    fs::write(&bad, "x,y\n1,2\n2,\n3,6\nfour,8\n5,\n").unwrap();
    let output = run(&format!(
        "train {} --engine cpu --skip-bad -q --format json",
        bad.display()
    ));
    assert_eq!(stderr(&output), "");
    let result: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let skipped = serde_json::json!({"is missing": 2, "is not a number": 1});
    assert_eq!(result["skipped"], skipped);
    let text = ran(&format!("train {} --engine cpu", cars()));
    for part in [
        "R² 0.651079",
        "RMSE 15.06886",
        "least squares: w = 3.9324",
        "loss 650.7796",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// λ of 2·[[mean x², mean x], [mean x, 1]], by its trace and determinant: cars' x has mean 15.4 and mean square 264.56.
#[test]
fn a_rate_above_the_limit_is_refused_and_auto_is_the_best() {
    let (trace, determinant) = (2.0 * 265.56, 4.0 * (264.56 - 15.4 * 15.4));
    let greatest = 0.5 * (trace + f64::sqrt(trace * trace - 4.0 * determinant));
    let limit = 2.0 / greatest;
    let best = 2.0 / trace;
    let train = |flags: &str| format!("train {} --engine cpu --no-standardize {flags}", cars());
    // Four digits, so that what is shown is no larger than it is.
    let down = |rate: f64| (rate * 1e6).floor() / 1e6;
    let rate = |factor: f64| format!("--learning-rate {}", factor * limit);
    let text = refused(2, &train(&rate(1.0001)));
    for part in [
        format!("above {}", down(limit)),
        format!("try {} (--learning-rate auto)", down(best)),
        "--force".to_owned(),
        "--standardize".to_owned(),
        "--schedule adaptive".to_owned(),
    ] {
        assert!(text.contains(&part), "{part}: {text}");
    }
    let auto = json(&train("--format json"));
    assert_near(
        &auto,
        1e-9,
        &[("learning_rate", best), ("learning_rate_limit", limit)],
    );
    // Just below it the loss falls to its end, above it rises for ever.
    let below = json(&train(
        &(rate(0.99) + " --epochs 30k --tolerance 0 --format json"),
    ));
    assert_near(&below, 1e-3, &[("w", 3.9324), ("b", -17.5791)]);
    let text = refused(
        5,
        &train(&(rate(1.01) + " --force --epochs 100k --tolerance 0 -q")),
    );
    assert!(text.contains("--learning-rate auto"), "{text}");
    // A schedule that takes steps back bears any; the heavy ball bears 1.9 times as much; other losses half the curvature.
    ran(&train(&(rate(3.0) + " --schedule adaptive")));
    let momentum = json(&train("--optimizer momentum --format json"));
    assert_near(&momentum, 1e-9, &[("learning_rate_limit", 1.9 * limit)]);
    for loss in ["huber", "log-cosh"] {
        let flags = format!("--loss {loss} --optimizer gd --format json");
        assert_near(
            &json(&train(&flags)),
            1e-9,
            &[("learning_rate_limit", 2.0 * limit)],
        );
    }
    // Standardised, the curvature is 2 along both.
    let standardised = json(&format!("train {} --engine cpu --format json", cars()));
    assert_near(
        &standardised,
        1e-9,
        &[("learning_rate", 0.5), ("learning_rate_limit", 1.0)],
    );
    // Synthetic x between 0 and 2: few are looked at, many are what they are drawn to.
    let limit = |mean: f64, square: f64| 2.0 / (1.0 + square + (square - 1.0).hypot(2.0 * mean));
    let of = |samples: &str| {
        json(&format!(
            "train --samples {samples} --engine cpu --epochs 1 --format json"
        ))
    };
    for (samples, n) in [("1e4", 1e4), ("1M", 1e6)] {
        let few = of(samples);
        let mean = number(&few, "statistics.x.mean");
        let square = number(&few, "statistics.x.squares") / n + mean * mean;
        let right = [("learning_rate_limit", limit(mean, square))];
        assert_near(&few, 1e-9, &right);
    }
    let right = [("learning_rate_limit", limit(1.0, 4.0 / 3.0))];
    assert_near(&of("2e6"), 1e-12, &right);
    for samples in ["1e4", "1e7"] {
        let text = refused(
            2,
            &format!("train --samples {samples} --engine cpu --learning-rate 0.5"),
        );
        assert!(text.contains("too large: above 0.45"), "{text}");
    }
    // The default rate is no better than a given one.
    let text = refused(2, "train --samples 1e4 --x-range 0..10 --engine cpu");
    assert!(text.contains("learning rate 0.1 is too large"), "{text}");
    // Where there is no curvature y's deviation is the measure, and mae's steps are to shrink.
    let deviation = 650.7796_f64.sqrt();
    for (flags, rate, schedule) in [
        ("--optimizer adam", 0.1 * deviation, "constant"),
        ("--loss mae --optimizer gd", 0.5 * deviation, "adaptive"),
    ] {
        let result = json(&format!(
            "train {} --engine cpu {flags} --format json",
            cars()
        ));
        assert_near(&result, 1e-9, &[("learning_rate", rate)]);
        assert_eq!(result["schedule"], schedule, "{flags}");
        assert_eq!(result["learning_rate_limit"], Value::Null, "{flags}");
    }
}

/// Also of standardised data the last line is one of the data's.
#[test]
fn what_diverges_ends_with_the_line_that_the_history_ends_with() {
    let folder = TempDir::new().unwrap();
    let history = folder.path().join("h.csv");
    let text = refused(
        5,
        &format!(
            "train {} --engine cpu --learning-rate 3 --force --tolerance 0 -q --history {}",
            cars(),
            history.display()
        ),
    );
    let history = fs::read_to_string(history).unwrap();
    let last: Vec<&str> = history.lines().last().unwrap().split(',').collect();
    let line = format!("w = {}, b = {};", last[2], last[3]);
    assert!(text.contains(&line), "{text}: {line}");
}

/// One epoch from w = 0, b = 0, of which all is known: Σ over cars' 50 rows is 770 of x, 2149 of y, 124903 of y², 38482 of x·y,
/// and every y is 2 at least. Engines see other columns, where y is divided by 8.
#[test]
fn an_epoch_is_told_and_a_given_rate_is_taken_in_the_units_of_the_data() {
    let folder = TempDir::new().unwrap();
    let history = folder.path().join("h.csv");
    let (n, rate) = (50.0, 0.25);
    let of_mse = [124_903.0 / n, -2.0 * 38_482.0 / n, -2.0 * 2149.0 / n];
    let of_mae = [2149.0 / n, -770.0 / n, -1.0];
    let of_huber = [2149.0 / n - 0.5, -770.0 / n, -1.0];
    for (flags, [loss, dw, db], step) in [
        ("", of_mse, -rate * of_mse[2]),
        ("--loss mae", of_mae, rate),
        ("--loss huber --delta 1", of_huber, rate),
        ("--loss mae --optimizer adam", of_mae, rate),
    ] {
        let result = json(&format!(
            "train {} --engine cpu --init-w 0 --init-b 0 --learning-rate {rate} --epochs 1 {flags} --format json \
             --history {}",
            cars(),
            history.display()
        ));
        let text = fs::read_to_string(&history).unwrap();
        let epoch: Vec<f64> = text
            .lines()
            .last()
            .unwrap()
            .split(',')
            .map(|field| field.parse().unwrap())
            .collect();
        // At the mean of x standardised lines have b' alone, and so has the step. 50 terms of f32: within 2^-20 of their
        // size.
        let (w, b) = (number(&result, "w"), number(&result, "b"));
        let moved = w * (770.0 / n) + b;
        for (value, right) in [
            (epoch[1], loss),
            (epoch[4], dw),
            (epoch[5], db),
            (moved, step),
        ] {
            assert!(
                (value / right - 1.0).abs() < 1e-6,
                "{flags}: {value}, not {right}: {text}"
            );
        }
        assert_eq!([epoch[2], epoch[3]], [w, b], "{flags}");
    }
}

#[test]
fn every_optimizer_and_schedule_gets_there() {
    let right = [("w", 3.932_408_759), ("b", -17.579_094_89)];
    for engine in engines() {
        for flags in [
            "--optimizer gd",
            "--optimizer momentum",
            "--optimizer adam",
            "--optimizer cutting-plane",
            "--schedule inverse-time",
            "--schedule adaptive",
            "--schedule adaptive --learning-rate 50",
            "--standardize --sync-every 16",
            "--storage f16",
        ] {
            if engine == "--engine cpu" && (flags.contains("sync") || flags.contains("f16")) {
                continue;
            }
            let result = json(&format!("train {} {flags} {engine} --format json", cars()));
            assert_eq!(result["converged"], true, "{flags}");
            let share = match flags {
                "--optimizer gd" | "--standardize --sync-every 16" => 2e-6,
                // The others end by the loss, which f32 sums tell to 2^-22, and so the line to the root of that; and f16
                // rounds the samples themselves, to 11 bits.
                _ => 2e-3,
            };
            assert_near(&result, share, &right);
        }
    }
    // What the device can't do by itself, and what makes no sense.
    for flags in [
        "--engine gpu --sync-every 4 --optimizer momentum",
        "--engine gpu --sync-every 4 --schedule adaptive",
        "--engine cpu --optimizer cutting-plane --learning-rate 0.1",
        "--engine gpu --loss mae --optimizer cutting-plane --sync-every 2",
    ] {
        let text = refused(2, &format!("train {} {flags}", cars()));
        assert!(text.contains("optimizer"), "{text}");
    }
    // One sample has no deviation to scale by.
    let text = refused(3, "train --engine cpu --samples 1 --standardize");
    assert!(text.contains("an x that varies"), "{text}");
    let text = refused(2, "train --engine gpu --generator device --standardize");
    assert!(text.contains("another generator"), "{text}");
    json("train --engine cpu --generator device --standardize --samples 1e4 --format json");
}

/// What the README shows is what comes out.
#[test]
fn the_readme_shows_what_comes_out() {
    let readme = include_str!("../../README.md");
    let shown = |part: &str| {
        let mut blocks = readme.split("```");
        blocks.find(|block| block.contains(part)).unwrap().trim()
    };
    let text = ran("train --engine cpu");
    // Threads and times differ.
    let differs = |line: &&str| line.starts_with("engine: ") || line.contains(" per epoch, ");
    for line in shown("drawn around").lines().filter(|line| !differs(line)) {
        assert!(
            text.lines().any(|printed| printed == line),
            "{line}: {text}"
        );
    }
    let text = ran(&format!("train {} --x speed --y dist --engine cpu", cars()));
    assert!(text.contains(shown("dist = ")), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("sales.json").display().to_string();
    let exports = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/exports");
    ran(&format!(
        "train {exports} --x day --y sales --engine cpu -q --save {model}"
    ));
    let rows = ran(&format!("predict {model} {exports} -q"));
    for line in shown("prediction,residual").lines() {
        assert!(rows.lines().any(|row| row == line), "{line}: {rows}");
    }
}

#[test]
fn it_says_whether_it_converged() {
    let train = |flags: &str| run(&format!("train {} --engine cpu {flags}", cars()));
    let output = train("");
    assert!(
        stdout(&output).contains("converged at epoch 1"),
        "{output:?}"
    );
    assert_eq!(stderr(&output), "");
    // Epochs that are too few: a warning, an error where that is wished, nothing where nobody asked.
    let output = train("--epochs 2 --learning-rate 0.01");
    assert!(output.status.success());
    assert!(!stdout(&output).contains("converged"), "{output:?}");
    let text = stderr(&output);
    for part in [
        "warning: not converged after 2 epochs",
        "--learning-rate auto",
        "--epochs",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let output = train("--epochs 2 --learning-rate 0.01 --strict -q");
    assert_eq!(output.status.code(), Some(6));
    assert!(
        stderr(&output).starts_with("error: not converged after 2 epochs"),
        "{output:?}"
    );
    assert!(stdout(&output).starts_with("w = "), "{output:?}");
    assert_eq!(
        stderr(&train("--epochs 2 --learning-rate 0.01 --tolerance 0")),
        ""
    );
    let quiet = stderr(&train("--epochs 2 --learning-rate 0.01 -q"));
    assert!(quiet.starts_with("warning: not converged"), "{quiet}");
    assert_eq!(
        run("train --engine cpu --samples 1e4 --strict -q")
            .status
            .code(),
        Some(6)
    );
    // Patience and tolerance are what they say: a loss that falls by half is idle for who wants more.
    let epochs = |flags: &str| {
        let output = train(&format!("{flags} --format json"));
        number(&serde_json::from_str(&stdout(&output)).unwrap(), "epochs")
    };
    assert_eq!(epochs("--patience 30") - epochs("--patience 3"), 27.0);
    assert_eq!(
        epochs("--tolerance 0.99 --patience 1 --learning-rate 0.01"),
        2.0
    );
    // Slow steps over x as it is look like none, with a third of the loss still to gain.
    let output = train("--no-standardize --tolerance 1e-3 --patience 2 --format json");
    let result: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let share = number(&result, "final_loss") / number(&result, "least_loss");
    assert!((1.2..1.8).contains(&share), "{share}");
    assert_eq!(result["converged"], false);
    assert!(
        stderr(&output).contains("there are better lines"),
        "{output:?}"
    );
    // A cutting plane knows without a tolerance.
    let output = train("--loss mae --tolerance 0 --strict");
    assert!(stdout(&output).contains("converged at epoch"), "{output:?}");
    // Timestamps as they are: the loss falls no more, far above that of the line.
    let folder = TempDir::new().unwrap();
    // A y that does not vary leaves nothing to go for, by whatever way.
    let flat = folder.path().join("flat.csv");
    fs::write(&flat, "x,y\n1,5\n2,5\n4,5\n").unwrap();
    for flags in [
        "",
        "--loss mae",
        "--loss mae --optimizer gd",
        "--optimizer adam",
    ] {
        let result = json(&format!(
            "train {} --engine cpu {flags} --format json",
            flat.display()
        ));
        let ends = ["w", "b", "converged"].map(|name| result[name].to_string());
        assert_eq!(ends, ["0.0", "5.0", "true"], "{flags}");
    }
    let path = write_day(&folder);
    let output = run(&format!(
        "train {path} --engine cpu --no-standardize --strict -q"
    ));
    assert_eq!(output.status.code(), Some(6), "{output:?}");
    let text = stderr(&output);
    assert!(
        text.contains("there are better lines") && text.contains("--standardize"),
        "{text}"
    );
}

/// Who breaks off knows that there was more to gain.
#[cfg(unix)]
#[test]
fn an_interrupted_run_is_no_failure_to_converge() {
    let args =
        "train --engine cpu --samples 1e6 --epochs 1e6 --learning-rate 1e-6 --strict --log-every 1";
    let mut child = fall_line()
        .args(args.split(' '))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(reach(&mut lines, 3));
    interrupt(&child);
    lines.for_each(drop);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let text = stderr(&output);
    assert!(text.starts_with("interrupted after epoch"), "{text}");
}

#[test]
fn a_plan_takes_nothing_and_says_what_would_be() {
    for engine in engines() {
        // More than any memory holds.
        let args = format!("train --samples 1e12 --plan {engine}");
        let text = ran(&args);
        for part in [
            "1,000,000,000,000 samples",
            "learning rate of 0.4586",
            "fits:   no",
        ] {
            assert!(text.contains(part), "{args}: {part}: {text}");
        }
        assert_eq!(json(&(args + " --format json"))["fits"], false);
        let small = json(&format!("train {} --plan {engine} --format json", cars()));
        assert_eq!(small["fits"], true);
        assert_near(
            &small,
            1e-6,
            &[
                ("learning_rate.rate", 0.5),
                ("learning_rate.limit", 1.0),
                ("scaling.x_center", 15.4),
                ("least_squares.w", 3.932_408_759),
            ],
        );
    }
    let plan = json("train --samples 1e8 --plan --engine gpu --device-memory 100MB --format json");
    assert_eq!(plan["fits"], false);
    let placement = &plan["memory"]["gpu"]["placement"];
    assert!(number(placement, "device_bytes") <= 1e8);
    assert_eq!(
        number(placement, "resident") + number(placement, "streamed"),
        1e8
    );
    assert_eq!(
        number(placement, "epoch_bytes"),
        8.0 * number(placement, "streamed")
    );
    let text = ran(&format!("train {} --plan --engine cpu", cars()));
    assert!(text.contains("standardised: (x − 15.4) / 5.23"), "{text}");
    // A run that would be refused has no plan.
    refused(2, "train --plan --learning-rate 1 --engine cpu");
}

/// Known before the first epoch, and nothing that is there is lost.
#[test]
fn no_file_is_written_over_the_data_or_another() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    fs::copy(cars(), at("cars.csv")).unwrap();
    for (flags, part) in [
        (format!("--history {}", at("cars.csv")), "the data"),
        (format!("--save {}", at("cars.csv")), "the data"),
        (format!("--checkpoint {}", at("cars.csv")), "the data"),
        (
            format!("--save {0} --checkpoint {0}", at("new.json")),
            "what --save writes",
        ),
        (
            format!("--history {0} --save {0}", at("new.csv")),
            "what --history writes",
        ),
    ] {
        let text = refused(2, &format!("train {} --engine cpu {flags}", at("cars.csv")));
        assert!(text.contains(&format!("would replace {part}")), "{text}");
    }
    for flag in ["--save", "--checkpoint"] {
        let text = refused(
            1,
            &format!("train --engine cpu --samples 1e9 {flag} /nosuch/a.json"),
        );
        assert!(text.contains("/nosuch"), "{text}");
    }
    assert_eq!(fs::read(at("cars.csv")).unwrap(), fs::read(cars()).unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Two arrays of their own: one in f32, one in big-endian f64.
#[test]
fn two_npy_files_are_x_and_y() {
    let folder = TempDir::new().unwrap();
    let array = |name: &str, kind: &str, bytes: Vec<u8>, rows: usize| {
        let text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({rows},), }}\n");
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend((text.len() as u16).to_le_bytes());
        file.extend(text.as_bytes());
        file.extend(bytes);
        let path = folder.path().join(name);
        fs::write(&path, file).unwrap();
        path.display().to_string()
    };
    let x = array(
        "x.npy",
        "<f4",
        (0..100).flat_map(|i| (i as f32).to_le_bytes()).collect(),
        100,
    );
    let y = array(
        "y.npy",
        ">f8",
        (0..100)
            .flat_map(|i| (5.0 - 2.0 * f64::from(i)).to_be_bytes())
            .collect(),
        100,
    );
    for engine in engines() {
        let result = json(&format!("train --x {x} --y {y} {engine} --format json"));
        assert_near(
            &result,
            1e-6,
            &[("w", -2.0), ("b", 5.0), ("samples", 100.0)],
        );
        assert_eq!(result["x"], "x.npy");
    }
    let short = array("short.npy", "<f4", vec![0; 40], 10);
    assert!(refused(3, &format!("train --engine cpu --x {x} --y {short}")).contains("100"));
    assert!(refused(2, &format!("train --engine cpu --x {x}")).contains("--y is missing"));
    assert!(refused(2, &format!("train --engine cpu --x {x} --y load")).contains("DATA"));
    let text = refused(2, &format!("train --engine cpu --x {x} --y {y} --save {x}"));
    assert!(text.contains("would replace the data"), "{text}");
    refused(
        2,
        &format!("train --engine cpu --x {x} --y {y} --samples 10"),
    );
}
