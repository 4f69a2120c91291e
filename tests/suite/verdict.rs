//! Whether `fall-line train` found the line that was asked for: it says so, or warns, and loses nothing.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use fall_line::Loss;
use fall_line::data::Block;
use fall_line::engine::Choice;
use fall_line::fit::{Fit, Options};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::common::{Samples, program};
use program::{engines, fall_line, interrupt, json, ran, refused, run, stderr, stdout};
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
        for loss in ["mse", "mae", "quantile", "huber --delta 1", "log-cosh"] {
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
        "--loss mae --learning-rate 30",
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
    // Of plain descent it is divergence, whether or not a number overflows.
    let text = refused(
        5,
        "train --engine cpu --samples 1e4 --learning-rate 0.5 --force -q",
    );
    assert!(text.contains("the loss has risen from"), "{text}");
    // Momentum may overshoot for a while.
    let output = run(
        "train --engine cpu --samples 1e4 --learning-rate 2 --force --optimizer momentum --epochs 5 -q",
    );
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
    assert!(text.contains("smaller units"), "{text}");
}

/// Returns the mean loss of `w` and `b` over samples, by the textbook's formulas with δ = 1 and τ = ½.
fn loss_of(loss: &str, samples: &[(f64, f64)], w: f64, b: f64) -> f64 {
    let value = |r: f64| match loss {
        "mse" => r * r,
        "mae" => r.abs(),
        "quantile" => 0.5 * r.abs(),
        "huber" if r.abs() <= 1.0 => 0.5 * r * r,
        "huber" => r.abs() - 0.5,
        _ => r.abs() + (-2.0 * r.abs()).exp().ln_1p() - 2.0_f64.ln(),
    };
    let values = samples.iter().map(|(x, y)| value(w * x + b - y));
    values.sum::<f64>() / samples.len() as f64
}

/// One x in 20,000 is a code for a missing value. It leads every line away, and the bulk keeps its digits.
#[test]
fn a_far_x_leaves_the_bulk_its_digits() {
    let folder = TempDir::new().unwrap();
    for far in [999_999_999.0, -1e12, 1e20] {
        let x = |i: u32| {
            if i == 10_002 {
                far
            } else {
                f64::from(i * 7919 % 20_000) / 1e4
            }
        };
        let y = |i: u32| 3.0 * f64::from(i * 7919 % 20_000) / 1e4 + f64::from(i * 7 % 1000) / 500.0;
        let samples: Vec<(f64, f64)> = (0..20_000).map(|i| (x(i), y(i))).collect();
        let rows = samples.iter().map(|(x, y)| format!("{x:e},{y}\n"));
        let path = file(&folder, "far.csv", rows);
        for engine in engines() {
            for loss in ["mse", "mae", "huber", "quantile", "log-cosh"] {
                let delta = if loss == "huber" { "--delta 1" } else { "" };
                let args =
                    format!("train {path} --loss {loss} {delta} {engine} --strict --format json");
                let output = run(&args);
                assert!(output.status.success(), "{args}: {}", stderr(&output));
                let told = stderr(&output).contains("1 of 20,000 samples lie");
                assert_eq!(told, loss != "mse", "{args}: {}", stderr(&output));
                let result: Value = serde_json::from_str(&stdout(&output)).unwrap();
                let [w, b, printed] =
                    ["w", "b", "final_loss"].map(|key| result[key].as_f64().unwrap());
                let exact = loss_of(loss, &samples, w, b);
                assert!(
                    (printed - exact).abs() < 1e-9 * exact,
                    "{args}: {printed} for {exact}"
                );
                // The slope through the far x and a level near the middle y: nothing is better, to what f32 sums resolve.
                let level = |b: f64| (b, loss_of(loss, &samples, (y(10_002) - b) / far, b));
                let levels = (0..200).map(|i| f64::from(i) * 0.05);
                let best = levels
                    .map(level)
                    .min_by(|one, other| one.1.total_cmp(&other.1));
                let (b, least) = best.unwrap();
                assert!(
                    exact < least * (1.0 + 2e-6),
                    "{args}: {exact} above {least} at {b}"
                );
            }
        }
    }
    // A batch keeps the line on the device.
    let path = folder.path().join("far.csv");
    for engine in engines().into_iter().skip(1) {
        let args = format!(
            "train {} --loss huber {engine} --sync-every 5",
            path.display()
        );
        assert!(refused(2, &args).contains("too far off for f32"));
    }
}

/// y of 123456789.123 is 123456792 in f32, and all residuals seem to be 0.
#[test]
fn what_f32_rounds_away_is_told() {
    let folder = TempDir::new().unwrap();
    let rows = (0..50).map(|i| format!("{},123456789.123\n", f64::from(i * 31 % 50) / 50.0));
    let path = file(&folder, "constant.csv", rows);
    let args = format!("train {path} --no-standardize --engine cpu --strict --format json");
    let output = run(&args);
    assert_eq!(output.status.code(), Some(6), "{}", stdout(&output));
    let text = stderr(&output);
    assert!(
        text.contains("f32 can't hold") && text.contains("--standardize would help"),
        "{text}"
    );
    assert_eq!(
        json(&format!("train {path} --engine cpu --strict --format json"))["final_loss"],
        0.0
    );
}

/// The squares of such y are 0 or have few digits in f64.
#[test]
fn too_small_a_y_is_refused_like_such_an_x() {
    let folder = TempDir::new().unwrap();
    for size in ["e-300", "e-160"] {
        let rows = (0..50).map(|i| format!("{i},{}{size}\n", 3 * i + i % 2));
        let text = refused(
            3,
            &format!("train {} --engine cpu", file(&folder, "y.csv", rows)),
        );
        assert!(
            text.contains("y runs from 0.0 to") && text.contains("smaller units"),
            "{text}"
        );
        let rows = (0..50).map(|i| format!("{i}{size},{i}\n"));
        let text = refused(
            3,
            &format!("train {} --engine cpu", file(&folder, "x.csv", rows)),
        );
        assert!(text.contains("x runs from 0.0 to"), "{text}");
    }
}

/// Returns the least mean loss of the lines through two samples, one of which is the best (Koenker and Bassett 1978).
fn least_of_vertices(tau: f64, samples: &[(f64, f64)]) -> f64 {
    let value = |w: f64, b: f64| {
        let residuals = samples.iter().map(|(x, y)| w * x + b - y);
        let losses = residuals.map(|r| if r > 0.0 { (1.0 - tau) * r } else { -tau * r });
        losses.sum::<f64>() / samples.len() as f64
    };
    let pairs = samples
        .iter()
        .enumerate()
        .flat_map(|(at, one)| samples[..at].iter().map(move |other| (one, other)));
    let lines = pairs
        .filter(|((x, _), (other, _))| x != other)
        .map(|((x, y), (x1, y1))| {
            let w = (y1 - y) / (x1 - x);
            value(w, y - w * x)
        });
    lines.fold(f64::MAX, f64::min)
}

/// The line of mae and quantile goes through two samples, so the shares above and below it are right.
#[test]
fn the_line_of_a_quantile_is_exact() {
    let folder = TempDir::new().unwrap();
    let noise = |i: u32| f64::from(i * 7919 % 1009) / 500.0;
    let sets: [Vec<(f64, f64)>; 3] = [
        (0..120)
            .map(|i| (f64::from(i), 2.0 * f64::from(i) + noise(i)))
            .collect(),
        // Seven of ten y are 0.
        (0..200)
            .map(|i| (f64::from(i % 40), if i % 10 < 7 { 0.0 } else { noise(i) }))
            .collect(),
        // Counts: many samples on each line.
        (0..150)
            .map(|i| (f64::from(i % 7), f64::from(i * 31 % 5)))
            .collect(),
    ];
    for samples in sets {
        let rows = samples.iter().map(|(x, y)| format!("{x},{y}\n"));
        let path = file(&folder, "set.csv", rows);
        for tau in [0.1, 0.5, 0.9] {
            let least = least_of_vertices(tau, &samples);
            for engine in engines() {
                let args = format!(
                    "train {path} --loss quantile --quantile {tau} {engine} --strict --format json"
                );
                let result = json(&args);
                let [w, b, loss] =
                    ["w", "b", "final_loss"].map(|key| result[key].as_f64().unwrap());
                assert!(
                    (loss - least).abs() <= 1e-13 * least,
                    "{args}: {loss} for {least}"
                );
                let off = |(x, y): &(f64, f64)| w * x + b - y;
                let close = |r: &f64| r.abs() <= 1e-12;
                let residuals: Vec<f64> = samples.iter().map(off).collect();
                let n = samples.len() as f64;
                let on = residuals.iter().filter(|r| close(r)).count() as f64 / n;
                let below = residuals.iter().filter(|r| **r > 0.0 && !close(r)).count() as f64 / n;
                assert!(
                    on >= 2.0 / n && below <= tau + 1e-12 && below + on >= tau - 1e-12,
                    "{args}: {below}, {on}"
                );
            }
        }
    }
}

/// Beyond 2^20 samples the line through samples is not measured again: what changes is computed. Its shares are exact all the
/// same, and its measures those of a sum in f64.
#[test]
fn the_line_of_many_samples_is_exact() {
    let rng = &mut ChaCha8Rng::seed_from_u64(11);
    let mut block = Block::default();
    for _ in 0..1_200_000 {
        let x = rng.random_range(-3.0..5.0);
        let noise: f64 = StandardNormal.sample(rng);
        block.push((x, 2.0 - 3.0 * x + noise.exp()));
    }
    let samples = Samples(block);
    for (loss, tau) in [(Loss::Mae, 0.5), (Loss::Quantile { tau: 0.9 }, 0.9)] {
        let options = Options {
            loss,
            engine: Choice::Cpu,
            ..Options::default()
        };
        let outcome = Fit::with(&samples, options).run().unwrap();
        let Samples(Block { x, y }) = &samples;
        let n = x.len() as f64;
        let off = |(x, y): (&f64, &f64)| outcome.predict(*x) - y;
        let residuals: Vec<f64> = x.iter().zip(y).map(off).collect();
        let on = residuals.iter().filter(|r| r.abs() < 1e-13).count() as f64;
        let above = residuals.iter().filter(|r| **r >= 1e-13).count() as f64;
        assert!(
            on >= 2.0 && above <= tau * n && tau * n <= above + on,
            "{loss}: {above}, {on}"
        );
        // Both sums are right by the two samples on the line: no x decides the share of those below it.
        let with_x = x.iter().zip(&residuals);
        let tilt: f64 = with_x
            .map(|(x, r)| if *r < 0.0 { -tau * x } else { (1.0 - tau) * x })
            .sum();
        assert!(tilt.abs() <= 10.0, "{loss}: {tilt}");
        let mean = |of: &dyn Fn(f64) -> f64| residuals.iter().map(|r| of(*r)).sum::<f64>() / n;
        let goodness = outcome.quality.goodness.unwrap();
        let right = match loss {
            Loss::Mae => mean(&f64::abs),
            _ => mean(&|r| if r > 0.0 { (1.0 - tau) * r } else { -tau * r }),
        };
        for (found, right) in [
            (outcome.loss, right),
            (goodness.mae, mean(&f64::abs)),
            (goodness.rmse, mean(&|r| r * r).sqrt()),
        ] {
            assert!(
                (found / right - 1.0).abs() < 1e-12,
                "{loss}: {found} for {right}"
            );
        }
    }
}
