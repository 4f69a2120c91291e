//! `fall-line train` over people's own columns: the right line the first time, and how right it is.

#[path = "common/program.rs"]
mod program;

use std::fs;
use std::path::Path;

use program::{engines, json, ran, refused, run, stderr, stdout};
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
    // What is printed is enough to predict by: the digits that cancel are there.
    let line = text.lines().find(|line| line.starts_with("w = ")).unwrap();
    let mut shown = line
        .split([',', '='])
        .skip(1)
        .step_by(2)
        .map(|text| text.trim().parse::<f64>().unwrap());
    let (w, b) = (shown.next().unwrap(), shown.next().unwrap());
    let (time, _) = samples[700];
    let right = mean_y
        + number(
            &json(&format!("train {path} --engine cpu --format json")),
            "w",
        ) * x(time);
    assert!((w * time as f64 + b - right).abs() < 0.05, "{line}");
}

/// The losses there from an exact method, by golden/optima.py.
#[test]
fn the_defaults_find_the_optimum_of_every_loss_on_every_engine() {
    let golden: Value = serde_json::from_str(include_str!("golden/optima.json")).unwrap();
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
    let rate = |factor: f64| format!("--learning-rate {}", factor * limit);
    let text = refused(2, &train(&rate(1.0001)));
    for part in [
        format!("{limit:.4e}"),
        format!("({best:.4e})"),
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
    for samples in ["1e4", "1e7"] {
        let text = refused(
            2,
            &format!("train --samples {samples} --engine cpu --learning-rate 0.5"),
        );
        assert!(text.contains("not below 4.5"), "{text}");
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
        assert!(text.contains("--optimizer"), "{text}");
    }
    let text = refused(2, "train --engine gpu --generator device --standardize");
    assert!(text.contains("--generator"), "{text}");
    json("train --engine cpu --generator device --standardize --samples 1e4 --format json");
}

/// What the README shows is what comes out.
#[test]
fn the_readme_shows_what_comes_out() {
    let readme = include_str!("../README.md");
    let shown = readme
        .split("```")
        .find(|block| block.contains("data:   cars.csv"))
        .unwrap();
    let text = ran(&format!("train {} --x speed --y dist --engine cpu", cars()));
    assert!(text.contains(shown.trim()), "{text}");
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
    // Timestamps as they are: the loss falls no more, far above that of the line.
    let folder = TempDir::new().unwrap();
    let path = write_day(&folder);
    let output = run(&format!(
        "train {path} --engine cpu --no-standardize --strict -q"
    ));
    assert_eq!(output.status.code(), Some(6), "{output:?}");
    let text = stderr(&output);
    assert!(
        text.contains("lines of a lower one") && text.contains("--standardize"),
        "{text}"
    );
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
    // A run that would be refused has no plan.
    refused(2, "train --plan --learning-rate 1 --engine cpu");
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
