//! The program as a user runs it.

use crate::common::program;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use fall_line::loss::Loss;
use program::{
    engines, fall_line, interrupt, json, logged, logged_epochs, ran, reach, refused, run, stderr,
    stdout, without_adapters,
};
use resvg::tiny_skia::{Pixmap, PremultipliedColorU8};
use serde_json::Value;
use tempfile::TempDir;

/// One line a flag, within 60 lines of 80 columns; `--help` has more.
#[test]
fn the_short_help_fits_a_screen() {
    let help = |args: &str, flag: &str| {
        let output = fall_line()
            .env("COLUMNS", "80")
            .args(args.split_whitespace())
            .arg(flag)
            .output()
            .unwrap();
        assert!(output.status.success(), "{args} {flag}: {output:?}");
        stdout(&output)
    };
    for command in [
        "",
        "train",
        "predict",
        "moments",
        "merge",
        "generate",
        "bench",
        "adapters",
        "tutorial",
        "completions",
        "man",
    ] {
        let short = help(command, "-h");
        assert!(short.lines().count() <= 60, "{command}:\n{short}");
        for line in short.lines() {
            assert!(line.chars().count() <= 80, "{command}: {line}");
            // A description that goes on in the next line stands far to the right.
            assert!(!line.starts_with(&" ".repeat(20)), "{command}: {line}");
        }
        if !["adapters", "tutorial", "completions", "man"].contains(&command) {
            assert!(short.contains("Examples:"), "{short}");
        }
        assert!(help(command, "--help").len() >= short.len(), "{command}");
    }
    let long = help("train", "--help");
    for flag in ["--sync-every", "--checkpoint-every", "--log-every"] {
        assert!(!help("train", "-h").contains(flag));
        assert!(long.contains(flag));
    }
}

/// The script's own lines on stdout, whatever the engine.
#[test]
fn the_tutorial_prints_what_the_script_prints() {
    let golden: Value = serde_json::from_str(include_str!("../golden/tutorial.json")).unwrap();
    let mut cases = golden["cases"].as_array().unwrap().iter();
    let case = cases.find(|case| case["seed"] == 20 && case["samples"] == 100);
    let run = &case.unwrap()["runs"][0];
    assert_eq!(run["loss"], "mse");
    let mut expected = String::new();
    for epoch in run["epochs"].as_array().unwrap() {
        let [loss, w, b] = [1, 2, 3].map(|i| epoch[i].as_f64().unwrap());
        expected += &format!(
            "Epoch {}: Loss = {loss:.4}, w = {w:.4}, b = {b:.4}\n",
            epoch[0]
        );
    }
    let folder = TempDir::new().unwrap();
    let plot = folder.path().join("loss.svg").display().to_string();
    for engine in engines() {
        assert_eq!(ran(&format!("tutorial {engine} --plot {plot}")), expected);
        assert!(fs::read_to_string(&plot).unwrap().contains("<svg"));
        fs::remove_file(&plot).unwrap();
    }
}

/// A run whose reader leaves goes on to its end, and writes its files.
#[cfg(unix)]
#[test]
fn a_closed_pipe_leaves_the_line_and_the_checkpoint() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (line, checkpoint) = (at("line.json"), at("checkpoint.json"));
    for (flags, code) in [
        ("", 0),
        ("--strict --learning-rate 1e-6", 6),
        ("--learning-rate 10 --force", 5),
    ] {
        let mut child = fall_line()
            .args("train --engine cpu --samples 1e5 --epochs 2000 --log-every 1".split(' '))
            .args(["--save", &line, "--checkpoint", &checkpoint])
            .args(flags.split_whitespace())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(reach(&mut lines, 3));
        drop(lines);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{flags}: {output:?}");
        let written = |file: &str| -> Value {
            serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
        };
        if code != 5 {
            assert!(written(&line)["w"].is_f64(), "{flags}");
            let walk = &written(&checkpoint)["content"]["walk"];
            assert_eq!(walk["epochs"], 2000, "{flags}");
            fs::remove_file(&line).unwrap();
        }
        fs::remove_file(&checkpoint).unwrap();
    }
}

/// The four decimals of the NumPy script, from golden/tutorial.py: seed 20, 100 samples.
#[test]
fn the_tutorial_comes_out_digit_by_digit_on_every_engine() {
    let golden: Value = serde_json::from_str(include_str!("../golden/tutorial.json")).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    for seed in [20, 42] {
        let case = cases
            .iter()
            .find(|case| case["seed"] == seed && case["samples"] == 100)
            .unwrap();
        let run = &case["runs"][0];
        assert_eq!(run["loss"], "mse");
        let expected: Vec<String> = run["epochs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|epoch| {
                let [loss, w, b] = [1, 2, 3].map(|i| epoch[i].as_f64().unwrap());
                format!("{} {loss:.4} {w:.4} {b:.4}", epoch[0])
            })
            .collect();
        let last = &run["epochs"][4];
        let result = format!(
            "w = {:.4}, b = {:.4}, loss = {:.4}",
            last[2].as_f64().unwrap(),
            last[3].as_f64().unwrap(),
            run["final_loss"].as_f64().unwrap()
        );
        for engine in engines() {
            let text = ran(&format!(
                "train --generator numpy --samples 100 --seed {seed} {engine}"
            ));
            let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
            let log = text.lines().filter(|line| logged(line).is_some());
            let log: Vec<String> = log.map(words).collect();
            assert!(log[0].starts_with("1 "), "{text}");
            assert_eq!(log[1..], expected, "{engine}");
            assert!(text.lines().any(|line| line == result), "{text}");
        }
    }
}

#[test]
fn train_alone_says_what_ran_and_finds_the_line() {
    let text = ran("train --epochs 300 --log-every 100");
    for part in [
        "engine: ",
        "1,000,000 samples, 8.00 MB",
        "loss:   mse, learning rate 0.1",
        "\nepoch          loss             w             b\n    1 ",
        "\n  100 ",
        "\n  300 ",
        " per epoch, ",
        " GB/s",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let result = json("train --epochs 300 --format json");
    assert!((result["w"].as_f64().unwrap() - 3.0).abs() < 0.01);
    assert!((result["b"].as_f64().unwrap() - 4.0).abs() < 0.01);
    assert!((result["final_loss"].as_f64().unwrap() - 1.0).abs() < 0.01);
}

#[test]
fn json_is_one_object_with_what_was_promised() {
    for engine in engines() {
        let result = json(&format!(
            "train --samples 10k --loss huber --delta 2 --seed 7 --epochs 3 --format json {engine}"
        ));
        let cpu = engine == "--engine cpu";
        assert_eq!(result["engine"]["kind"], if cpu { "cpu" } else { "gpu" });
        assert!(result["engine"]["name"].is_string());
        assert_eq!(result["engine"]["backend"].is_string(), !cpu);
        assert!(result["engine"]["software"].is_boolean());
        assert_eq!(result["loss"], "huber");
        assert_eq!(result["loss_parameter"], 2.0);
        assert_eq!(result["learning_rate"], 0.1);
        assert_eq!(result["data"], "y = 4 + 3x + N(0, 1)");
        assert!(result["start"]["w"].is_f64());
        assert_eq!(result["generator"], "chacha");
        assert_eq!(result["epochs"], 3);
        assert_eq!(result["samples"], 10_000);
        assert_eq!(result["seed"], 7);
        assert_eq!(result["version"], env!("CARGO_PKG_VERSION"));
        for number in ["w", "b", "final_loss"] {
            assert!(result[number].is_f64(), "{result}");
        }
        for number in ["load", "train"] {
            assert!(
                result["seconds"][number].as_f64().unwrap() > 0.0,
                "{result}"
            );
        }
    }
}

#[test]
fn losses_run_on_every_engine_from_every_source() {
    let folder = TempDir::new().unwrap();
    let csv = folder.path().join("line.csv");
    let samples: String = (0..100)
        .map(|i| format!("{},{}\n", i % 10, 2 * (i % 10) + 1))
        .collect();
    fs::write(&csv, samples).unwrap();
    for engine in engines() {
        for loss in Loss::ALL.map(Loss::name) {
            for data in [
                "--samples 1000",
                "--samples 1000 --generator numpy --outliers 0.1",
                csv.to_str().unwrap(),
            ] {
                let args = format!(
                    "train {data} --loss {loss} {engine} --learning-rate 0.005 --format json"
                );
                let result = json(&args);
                let first = json(&format!("{args} --epochs 1"));
                let loss = |result: &Value| result["final_loss"].as_f64().unwrap();
                assert!(loss(&result) < loss(&first), "{args}");
            }
        }
    }
}

/// Every epoch is printed and kept as the host loop does, from batches of any size.
#[test]
fn batches_come_to_the_same_line_and_the_same_history() {
    let folder = TempDir::new().unwrap();
    for engine in engines() {
        if engine == "--engine cpu" {
            continue;
        }
        for data in ["--samples 1000", "--samples 50k --generator numpy"] {
            let run = |batch: &str| {
                let history = folder.path().join("h.csv");
                let result = json(&format!(
                    "train {data} {engine} --epochs 95 --format json --history {} {batch}",
                    history.display()
                ));
                (result, fs::read_to_string(history).unwrap())
            };
            let (known, epochs) = run("");
            assert_eq!(known["sync_every"], 1);
            for (batch, size) in [("--sync-every 10", 10), ("--sync-every 1000", 1000)] {
                let (result, history) = run(batch);
                assert_eq!(result["sync_every"], size);
                assert_eq!(result["epochs"], 95);
                for number in ["w", "b", "final_loss"] {
                    let [is, right] = [&result, &known].map(|r| r[number].as_f64().unwrap());
                    assert!((is - right).abs() < 1e-5, "{engine} {batch}: {is}, {right}");
                }
                assert_eq!(history.lines().count(), epochs.lines().count());
            }
        }
    }
}

#[test]
fn what_only_a_gpu_can_is_refused_on_the_cpu() {
    for flags in ["--sync-every 2", "--storage f16"] {
        let text = refused(2, &format!("train --engine cpu {flags}"));
        assert!(text.contains("choose the GPU engine"), "{text}");
    }
    for engine in engines() {
        if engine != "--engine cpu" {
            let args = format!("train {engine} --storage f16 --generator device");
            assert!(refused(2, &args).contains("another generator"));
        }
    }
    assert!(refused(2, "train --sync-every 0").contains("at least 1"));
    assert!(refused(2, "train --sync-every 1e7").contains("at most 1,000,000"));
}

/// The same samples, drawn by the adapter and by the twin on the CPU; and half the bytes.
#[test]
fn drawing_on_the_device_and_f16_find_the_line() {
    let known = json("train --engine cpu --generator device --format json");
    for engine in engines() {
        let mut runs = vec!["--generator device"];
        if engine != "--engine cpu" {
            runs.push("--generator device --sync-every 25");
        }
        for run in runs {
            let result = json(&format!("train {engine} {run} --format json"));
            for number in ["w", "b", "final_loss"] {
                let [is, right] = [&result, &known].map(|r| r[number].as_f64().unwrap());
                assert!((is - right).abs() < 1e-5, "{engine} {run}: {is}, {right}");
            }
        }
        if engine != "--engine cpu" {
            // The rounding of a y up to 10 is some 2e-3, and that of the line 300 times less.
            let args =
                format!("train {engine} --samples 1e5 --epochs 300 --storage f16 --format json");
            let [half, whole] = [json(&args), json(&args.replace("f16", "f32"))];
            assert_eq!(half["engine"]["storage"], "f16");
            assert_eq!(whole["engine"]["storage"], "f32");
            for number in ["w", "b", "final_loss"] {
                let [half, whole] = [&half, &whole].map(|r| r[number].as_f64().unwrap());
                assert!((half - whole).abs() < 1e-4, "{engine}: {half}, {whole}");
            }
        }
    }
}

/// Large sets are measured once for an adapter; what that found is kept, and small ones don't ask.
#[cfg(target_os = "linux")]
#[test]
fn an_adapter_is_measured_once() {
    let folder = TempDir::new().unwrap();
    let kept = folder.path().join("fall-line/tuning.json");
    let train = |args: &str| {
        let output = fall_line()
            .env("XDG_CACHE_HOME", folder.path())
            .args([
                "train",
                "--engine",
                "gpu",
                "--epochs",
                "1",
                "--log-every",
                "0",
            ])
            .args(args.split_whitespace())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        stderr(&output)
    };
    assert!(!train("--samples 1e6").contains("measured"));
    assert!(!train("--samples 4e6 --no-tune").contains("measured"));
    assert!(!kept.exists());
    let text = train("--samples 4e6");
    assert!(text.contains("measured the best tuning for"), "{text}");
    assert!(text.contains(&kept.display().to_string()), "{text}");
    let first = fs::read(&kept).unwrap();
    assert!(!train("--samples 4e6").contains("measured"));
    assert_eq!(fs::read(&kept).unwrap(), first);
    // A file that can't be read is measured anew, a folder that can't be written is no error.
    fs::write(&kept, "{\"half").unwrap();
    assert!(train("--samples 4e6").contains("measured"));
    fs::remove_dir_all(folder.path().join("fall-line")).unwrap();
    fs::write(folder.path().join("fall-line"), "no folder").unwrap();
    assert!(train("--samples 4e6").contains("not kept in your cache folder"));
}

/// `--engine cpu` is not slowed down by a driver, nor brought down by one.
#[cfg(target_os = "linux")]
#[test]
fn the_cpu_engine_touches_no_driver() {
    let files = |engine: &str| {
        let output = fall_line()
            .env("LD_DEBUG", "files")
            .args(["train", "--samples", "1000", "--quiet", "--engine", engine])
            .output()
            .unwrap();
        assert!(output.status.success());
        stderr(&output)
    };
    let driver = |text: &str| text.contains("libvulkan") || text.contains("libEGL");
    assert!(!driver(&files("cpu")));
    // The control.
    assert!(driver(&files("gpu")));
}

/// One-sided gross errors pull the mean up and leave the median where it is.
#[test]
fn outliers_tell_mse_and_mae_apart() {
    let b = |loss| {
        let args = "train --samples 1e5 --outliers 0.1 --noise 0.1 --slope 0 --init-w 0 --init-b 4 \
                    --x-range -1..1 --epochs 500 --format json --loss";
        json(&format!("{args} {loss}"))["b"].as_f64().unwrap()
    };
    // A tenth of the samples is 20 · 0.1 too high.
    assert!((b("mse") - 4.2).abs() < 0.02);
    assert!((b("mae") - 4.0).abs() < 0.05);
}

#[test]
fn a_csv_trains_by_column_names_and_from_stdin() {
    // Ezekiel (1930), as R's `cars`; lm(dist ~ speed) gives −17.5791 and 3.9324.
    let csv = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cars.csv");
    for engine in engines() {
        let args = format!("--x speed --y dist --format json {engine}");
        let result = json(&format!("train {} {args}", csv.display()));
        assert_eq!(result["samples"], 50);
        let near = |name: &str, value: f64| (result[name].as_f64().unwrap() - value).abs() < 1e-4;
        assert!(near("w", 3.9324) && near("b", -17.5791), "{result}");
        let piped = fall_line()
            .arg("train")
            .arg("-")
            .args(args.split_whitespace())
            .stdin(fs::File::open(&csv).unwrap())
            .output()
            .unwrap();
        let piped: Value = serde_json::from_slice(&piped.stdout).unwrap();
        assert_eq!([&piped["w"], &piped["b"]], [&result["w"], &result["b"]]);
    }
}

#[test]
fn history_holds_every_epoch() {
    let folder = TempDir::new().unwrap();
    let train = |file: &str| {
        let path = folder.path().join(file);
        ran(&format!(
            "train --samples 1000 --epochs 7 --history {}",
            path.display()
        ));
        fs::read_to_string(path).unwrap()
    };
    let csv = train("history.csv");
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "epoch,loss,w,b,dw,db");
    assert_eq!(lines.len(), 8);
    let json: Value = serde_json::from_str(&train("history.JSON")).unwrap();
    for (i, epoch) in json.as_array().unwrap().iter().enumerate() {
        let names = ["epoch", "loss", "w", "b", "dw", "db"];
        let line: Vec<f64> = names
            .iter()
            .map(|name| epoch[name].as_f64().unwrap())
            .collect();
        let of_csv: Vec<f64> = lines[i + 1]
            .split(',')
            .map(|field| field.parse().unwrap())
            .collect();
        assert_eq!(line, of_csv);
        assert_eq!(line[0], i as f64 + 1.0);
    }
    // Whoever may read the folder's other files may read this one.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        let plain = folder.path().join("plain");
        fs::write(&plain, "").unwrap();
        assert_eq!(mode(&folder.path().join("history.csv")), mode(&plain));
    }
}

#[test]
fn plots_are_pictures_with_their_words() {
    let folder = TempDir::new().unwrap();
    for extra in [
        "",
        "--epochs 1",
        "--epochs 5000",
        "--noise 0 --init-w 3 --init-b 4",
    ] {
        let (svg, png) = (
            folder.path().join("loss.svg"),
            folder.path().join("loss.png"),
        );
        for path in [&svg, &png] {
            ran(&format!(
                "train --samples 1000 --plot {} {extra}",
                path.display()
            ));
        }
        let svg = fs::read_to_string(svg).unwrap();
        let words: String = svg.lines().filter(|line| !line.starts_with('<')).collect();
        for word in ["epoch", "loss", "Loss of mse, learning rate"] {
            assert!(words.contains(word), "{word}: {words}");
        }
        // One path for the curve, or one mark for a single epoch, and its sample in the legend.
        assert_eq!(svg.matches("#0072B2").count(), 2, "{svg}");
        assert!(!svg.contains("stroke=\"#FFFFFF\""), "{svg}");
        let png = Pixmap::decode_png(&fs::read(png).unwrap()).unwrap();
        assert_eq!((png.width(), png.height()), (1920, 1080));
        // The curve's blue is there.
        let blue = |pixel: &PremultipliedColorU8| {
            [pixel.red(), pixel.green(), pixel.blue()] == [0, 114, 178]
        };
        assert!(png.pixels().iter().any(blue));
    }
}

/// Each panel is in the picture, whatever the data and however the run ends.
#[test]
fn panels_stand_side_by_side() {
    let folder = TempDir::new().unwrap();
    let cars = format!("{}/tests/data/cars.csv", env!("CARGO_MANIFEST_DIR"));
    let svg = folder.path().join("panels.svg");
    for (args, code, titles) in [
        (
            format!("{cars} --x speed --y dist"),
            0,
            "dist over speed. Loss surface of mse. Loss of mse, learning rate 0.5. Residuals",
        ),
        (
            "--samples 2e4 --loss mae --outliers 0.05".to_owned(),
            0,
            "y over x. Loss surface of mae. Loss of mae, learning rate 0.1. Residuals",
        ),
        (
            "--samples 300 --loss huber --optimizer cutting-plane".to_owned(),
            0,
            "y over x. Loss surface of huber 1. Loss of huber 1, cutting plane. Residuals",
        ),
        // No line was found: the path and the loss show why.
        (
            "--samples 300 --learning-rate 2 --force".to_owned(),
            5,
            "y over x. Loss surface of mse. Loss of mse, learning rate 2",
        ),
    ] {
        for engine in engines() {
            let delta = if args.contains("huber") {
                "--delta 1"
            } else {
                ""
            };
            let output = run(&format!(
                "train {args} {delta} {engine} -q --plot fit,surface,loss,residuals={}",
                svg.display()
            ));
            assert_eq!(output.status.code(), Some(code), "{args}: {output:?}");
            let text = fs::read_to_string(&svg).unwrap();
            assert!(
                text.contains(&format!("<title>{titles}</title>")),
                "{args}: {text}"
            );
            assert!(text.contains("prefers-color-scheme: dark"));
            // Nothing is drawn outside, and nothing that is no number.
            assert!(!text.contains("NaN") && !text.contains("inf"), "{args}");
            assert!(text.len() < 400_000, "{args}: {}", text.len());
        }
    }
    for (plot, problem) in [
        ("fit,los=x.svg", "fit,los=x.svg"),
        ("loss=", "no file after the panels"),
        ("loss=x.gif", "x.gif"),
    ] {
        let text = refused(2, &format!("train --samples 100 --plot {plot}"));
        assert!(text.contains(problem), "{text}");
    }
}

#[test]
fn quiet_leaves_the_result_alone() {
    let output = run("train --samples 1000 --quiet --engine cpu");
    assert_eq!(stderr(&output), "");
    let text = stdout(&output);
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.starts_with("w = "), "{text}");
}

#[test]
fn auto_says_so_where_it_falls_back() {
    let output = run("train --samples 1000 --epochs 1");
    let adapters = json("adapters --format json");
    if adapters[0]["software"] == true {
        let text = stderr(&output);
        assert_eq!(
            text,
            "no hardware GPU: using the CPU engine (--engine gpu uses a software adapter)\n"
        );
        assert!(text.trim_end().len() < 80);
        assert!(stdout(&output).starts_with("engine: cpu"));
    } else {
        assert!(stdout(&output).starts_with("engine: gpu"));
    }
}

#[test]
fn adapters_are_chosen_by_index_and_by_part_of_the_name() {
    let adapters = json("adapters --format json");
    let text = ran("adapters");
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(header.join(" "), "index name backend kind shard limit");
    for adapter in adapters.as_array().unwrap() {
        let name = adapter["name"].as_str().unwrap();
        let start = format!(
            "{} {name} {}",
            adapter["index"],
            adapter["backend"].as_str().unwrap()
        );
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(lines.any(|line| words(line).starts_with(&start)), "{text}");
        let by_index = json(&format!(
            "train --samples 10 --epochs 1 --format json --adapter {}",
            adapter["index"]
        ));
        assert_eq!(by_index["engine"]["name"], name);
        assert_eq!(by_index["engine"]["backend"], adapter["backend"]);
        // The backend tells adapters of one name apart.
        let part = name.split_whitespace().next().unwrap().to_uppercase();
        let backend = adapter["backend"].as_str().unwrap();
        let args = "train --samples 10 --epochs 1 --format json --engine gpu --adapter";
        let by_name = fall_line()
            .args(args.split(' '))
            .arg(format!("{part}, {backend}"))
            .output()
            .unwrap();
        let by_name: Value = serde_json::from_str(&stdout(&by_name)).unwrap();
        assert_eq!(by_name["engine"], by_index["engine"]);
    }
    // All of them have a comma between their parts.
    if adapters.as_array().unwrap().len() > 1 {
        let text = refused(4, "train --adapter ,");
        assert!(text.contains("matches several adapters: 0 "), "{text}");
        for adapter in adapters.as_array().unwrap() {
            assert!(text.contains(adapter["name"].as_str().unwrap()), "{text}");
        }
    }
}

#[test]
fn where_there_is_no_adapter_it_says_how_to_get_one() {
    for args in ["train --samples 10 --engine gpu", "adapters"] {
        let output = without_adapters()
            .args(args.split_whitespace())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(4));
        let text = stderr(&output);
        assert!(text.contains("mesa-vulkan-drivers"), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
    let first = json("adapters --format json")[0]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    let name = first.split_whitespace().next().unwrap();
    let slip = format!("{}{}", &name[..2], &name[3..]);
    let text = refused(4, &format!("train --adapter {slip}"));
    assert!(
        text.contains(&format!("; did you mean \"{name}\"?")),
        "{text}"
    );
    for (value, part) in [
        ("garbage", "WGPU_BACKEND=garbage, which names none of"),
        ("dx12", "WGPU_BACKEND=dx12 leaves"),
    ] {
        let mut none = fall_line();
        none.arg("adapters").env("WGPU_BACKEND", value);
        let output = none.output().unwrap();
        assert_eq!(output.status.code(), Some(4));
        assert!(stderr(&output).contains(part), "{output:?}");
    }
    // As if it were not set.
    let mut all = fall_line();
    all.args(["adapters", "--format", "json"])
        .env("WGPU_BACKEND", "");
    assert_eq!(
        stdout(&all.output().unwrap()),
        ran("adapters --format json")
    );
    let text = refused(4, "train --adapter nosuch");
    assert!(!text.contains("did you mean"), "{text}");
    for adapter in json("adapters --format json").as_array().unwrap() {
        assert!(text.contains(adapter["name"].as_str().unwrap()), "{text}");
    }
    // There is one already.
    assert!(!text.contains("mesa-vulkan-drivers"), "{text}");
    // A version in the name is not an index.
    for wrong in ["99", "15", "0,15", "0,", "0,nosuch"] {
        refused(4, &format!("train --adapter {wrong}"));
    }
}

#[test]
fn wrong_calls_are_usage() {
    for (args, part) in [
        ("train --sampels 10", "--samples"),
        ("train --samples ten", "not a count"),
        ("train --samples 0", "--samples"),
        ("train --epochs 0", "at least 1"),
        ("train --learning-rate -1", "above 0"),
        ("train --learning-rate nan", "finite"),
        ("train --loss l3", "log-cosh"),
        ("train --delta 2", "--loss huber"),
        ("train --loss mae --quantile 0.3", "--loss quantile"),
        ("train --loss quantile --quantile 1", "below 1"),
        ("train --x-range 2..0", "--x-range"),
        ("train --x-range 2", "0..2"),
        ("train --noise -1", "--noise"),
        ("train --outliers 2", "--outliers"),
        ("train --generator numpy --seed 4294967296", "--seed"),
        ("train --x a", ".npy"),
        ("train --x a.npy", "--y is missing"),
        ("train a.csv --samples 10", "--samples"),
        ("train --engine cpu --adapter 0", "--adapter"),
        ("train --threads 0", "at least 1"),
        ("train --threads 1e5", "at most 1024"),
        ("train --samples -1", "not a count"),
        ("train --x-range 0...2", "0..2"),
        ("train --adapter=", "--adapter"),
        ("train --loss huber --delta 1e-50 --engine cpu", "f32"),
        ("train --loss huber --delta 1e39 --engine cpu", "f32"),
        ("train --header no", "<DATA>"),
        ("train --history h.txt", ".csv or .json"),
        ("train --plot p.gif", ".png or .svg"),
        ("nosuch", "nosuch"),
    ] {
        let text = refused(2, args);
        assert!(text.contains(part), "{args}: {text}");
    }
}

#[test]
fn bad_files_have_their_codes() {
    let folder = TempDir::new().unwrap();
    let bad = folder.path().join("bad.csv");
    fs::write(&bad, "a,b\n1,2\n3,x\n").unwrap();
    let text = refused(3, &format!("train {}", bad.display()));
    assert!(
        text.contains("bad.csv, line 3, column \"b\": \"x\""),
        "{text}"
    );
    refused(3, &format!("train {} --x nosuch", bad.display()));
    let text = refused(1, "train no/such.csv");
    assert!(text.contains("no/such.csv"), "{text}");
    // Before a single epoch: nobody trains for an hour to learn that.
    let text = refused(1, "train --samples 1e9 --history no/such/folder/h.csv");
    assert!(text.contains("no/such/folder/h.csv"), "{text}");
    // The user's data are no place for it.
    let text = refused(2, &format!("train {0} --history {0}", bad.display()));
    assert!(text.contains("would replace the data"), "{text}");
    #[cfg(target_os = "linux")]
    {
        let output = fall_line()
            .args(["train", "-", "--history"])
            .arg(&bad)
            .stdin(fs::File::open(&bad).unwrap())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
    }
    // More than any machine has.
    let text = refused(1, "train --engine cpu --samples 1e15");
    assert!(text.contains("8000000000 MB"), "{text}");
}

/// What stands in names and headers is shown on one line, and can't steer the terminal.
#[cfg(unix)]
#[test]
fn strange_names_stay_on_one_line() {
    let text = refused(1, "train no\u{1b}[31m/such.csv");
    assert!(text.contains("no\\u{1b}[31m/such.csv"), "{text}");
    let folder = TempDir::new().unwrap();
    let csv = folder.path().join("x.csv");
    fs::write(&csv, "\"a\nb\",c\n1,2\n2,4\n3,5\n").unwrap();
    let text = ran(&format!("train {} --epochs 1", csv.display()));
    assert!(text.contains("c over a\\nb"), "{text}");
    fs::write(&csv, "a\u{7f},c\n1,2\n2,4\n3,5\n").unwrap();
    let result = json(&format!("train {} --epochs 1 --format json", csv.display()));
    assert_eq!(result["data"], "x.csv: c over a\u{7f}");
}

#[cfg(unix)]
#[test]
fn files_that_are_there_keep_their_place_and_rights() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("real.csv"), "old").unwrap();
    fs::set_permissions(at("real.csv"), fs::Permissions::from_mode(0o600)).unwrap();
    symlink(at("real.csv"), at("link.csv")).unwrap();
    ran(&format!(
        "train --samples 100 --history {}",
        at("link.csv").display()
    ));
    assert!(at("link.csv").is_symlink());
    assert!(
        fs::read_to_string(at("real.csv"))
            .unwrap()
            .starts_with("epoch,")
    );
    let mode = fs::metadata(at("real.csv")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    fs::set_permissions(at("real.csv"), fs::Permissions::from_mode(0o400)).unwrap();
    let args = format!("train --samples 100 --history {}", at("real.csv").display());
    assert!(refused(1, &args).contains("permission denied"));
    fs::create_dir(at("folder.csv")).unwrap();
    let args = format!(
        "train --samples 100 --history {}",
        at("folder.csv").display()
    );
    assert!(refused(1, &args).contains("not a plain file"));
    symlink(at("nowhere"), at("dangling.csv")).unwrap();
    let args = format!(
        "train --samples 100 --history {}",
        at("dangling.csv").display()
    );
    assert!(refused(1, &args).contains("a broken link"));
    fs::remove_file(at("dangling.csv")).unwrap();
    // Nothing else is left behind.
    let mut names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["folder.csv", "link.csv", "real.csv"]);
}

/// As much of a set as is allowed stays on the device, and it is said that the rest does not.
#[test]
fn a_set_passes_through_the_memory_it_is_given() {
    for engine in engines() {
        let train = format!("train {engine} --epochs 5 --format json");
        if engine == "--engine cpu" {
            let text = refused(2, &format!("{train} --device-memory 1GB"));
            assert!(
                text.contains("--device-memory is an option of the GPU engine"),
                "{text}"
            );
            continue;
        }
        let whole = json(&train);
        for (memory, notice) in [
            ("1GiB", ""),
            (
                "3MB",
                "803392 of 1000000 samples don't fit the device's memory: 6.4 MB are uploaded each epoch\n",
            ),
        ] {
            let output = run(&format!("{train} --device-memory {memory}"));
            assert!(output.status.success(), "{}", stderr(&output));
            assert_eq!(stderr(&output), notice);
            let result: Value = serde_json::from_str(&stdout(&output)).unwrap();
            for value in ["w", "b", "final_loss"] {
                let [is, right] = [&result, &whole].map(|result| result[value].as_f64().unwrap());
                assert!(
                    (is - right).abs() < 1e-5,
                    "{engine}, {memory}: {is}, {right}"
                );
            }
        }
        for flags in ["", "--storage f16"] {
            let text = refused(2, &format!("{train} {flags} --device-memory 100kB"));
            assert!(
                text.contains("to stream samples through, not 100000"),
                "{text}"
            );
        }
        let text = refused(2, &format!("{train} --device-memory 3MB --sync-every 2"));
        assert!(text.contains("--sync-every must be 1"), "{text}");
        let text = refused(
            4,
            &format!("{train} --device-memory 3MB --generator device"),
        );
        assert!(text.contains("another generator"), "{text}");
    }
    let text = refused(2, "train --device-memory much");
    assert!(text.contains("not a size such as 100MB or 2GiB"), "{text}");
}

/// GL doesn't report a buffer that it has no memory for: its sums would be of zeros.
#[cfg(unix)]
#[test]
fn an_adapter_out_of_memory_streams_or_says_so_and_walks_no_wrong_line() {
    const TIGHT: u32 = 1300;
    let mut streamed = 0;
    for adapter in json("adapters --format json").as_array().unwrap() {
        if adapter["software"] != true {
            println!("not limited: {}", adapter["name"]);
            continue;
        }
        // 0.8 GB of buffers in an address space that is too small for them by much or by little. In 1000 MB lavapipe itself
        // may find no memory while it makes a device: it doesn't check for that, and crashes in vkCreateDevice.
        for megabytes in [TIGHT, 1700] {
            let program = env!("CARGO_BIN_EXE_fall-line");
            let train = format!(
                "train --samples 1e8 --epochs 1 --adapter {}",
                adapter["index"]
            );
            let output = Command::new("sh")
                .arg("-c")
                .arg(format!(
                    "ulimit -v {megabytes}000; exec {program} {train} --format json"
                ))
                // glibc takes address space for each thread, as many as happen to allocate at once.
                .env("MALLOC_ARENA_MAX", "1")
                .output()
                .unwrap();
            let text = stderr(&output);
            if output.status.success() {
                let result: Value = serde_json::from_slice(&output.stdout).unwrap();
                let off = result["final_loss"].as_f64().unwrap() - 19.8617;
                assert!(off.abs() < 1e-3, "{adapter} in {megabytes} MB: {result}");
                let streams = text.contains("samples don't fit the device's memory");
                assert!(streams || megabytes > TIGHT, "{adapter}: {text}");
                streamed += usize::from(streams);
            } else {
                assert_eq!(stdout(&output), "", "{adapter} in {megabytes} MB");
                assert!(
                    text.contains("error: "),
                    "{adapter} in {megabytes} MB, {}: {text}",
                    output.status
                );
                if megabytes == TIGHT {
                    assert_eq!(output.status.code(), Some(4), "{text}");
                    assert!(text.contains("not enough memory"), "{text}");
                }
            }
        }
    }
    assert!(streamed > 0);
}

#[test]
fn divergence_ends_with_the_last_finite_line_and_the_history() {
    let folder = TempDir::new().unwrap();
    let (history, plot) = (folder.path().join("h.csv"), folder.path().join("h.svg"));
    for engine in engines() {
        let output = run(&format!(
            "train --samples 1000 --learning-rate 10 --force --epochs 1000 --quiet {engine} --history {} --plot {}",
            history.display(),
            plot.display()
        ));
        assert_eq!(output.status.code(), Some(5));
        assert_eq!(stdout(&output), "");
        let text = stderr(&output);
        assert_eq!(text.lines().count(), 1, "{text}");
        let epoch = text.split_once("diverged at epoch ").unwrap().1;
        let epoch: usize = epoch.split(':').next().unwrap().parse().unwrap();
        assert!(text.contains("--learning-rate auto"), "{text}");
        let history = fs::read_to_string(&history).unwrap();
        let last: Vec<&str> = history.lines().last().unwrap().split(',').collect();
        assert_eq!(
            history.lines().count(),
            epoch,
            "a header, and every epoch before"
        );
        assert!(
            text.contains(&format!("w = {}, b = {};", last[2], last[3])),
            "{text} {last:?}"
        );
        assert!(plot.exists());
    }
}

#[test]
fn a_reader_that_leaves_is_no_panic() {
    let folder = TempDir::new().unwrap();
    let [model, data] =
        ["m.json", "x.csv"].map(|name| folder.path().join(name).display().to_string());
    ran(&format!(
        "train --samples 10 --epochs 1 --engine cpu --save {model}"
    ));
    ran(&format!("generate {data} --samples 1e5"));
    for args in [
        "train --samples 1000 --quiet",
        "train --help",
        "completions zsh",
        &format!("predict {model} {data} --x x"),
    ] {
        // The pipe's reading end is closed before anything is written.
        let mut child = fall_line()
            .args(args.split(' '))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args}");
        assert_eq!(stderr(&output), "", "{args}");
    }
}

/// A plot is written though the history can't be, and both are said beside the result.
#[cfg(unix)]
#[test]
fn a_file_that_does_not_fit_loses_no_other() {
    let folder = TempDir::new().unwrap();
    let (history, plot) = (folder.path().join("h.csv"), folder.path().join("p.png"));
    let program = env!("CARGO_BIN_EXE_fall-line");
    // Files of 100 blocks of 512 bytes at the most; the signal that comes with it is ignored.
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!(
            "trap '' XFSZ; ulimit -f 100; exec {program} train --engine cpu --samples 100 --epochs 700 \
             --quiet --history {} --plot {}",
            history.display(),
            plot.display()
        ))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stdout(&output).starts_with("w = "));
    assert!(
        stderr(&output).contains("h.csv: file too large"),
        "{}",
        stderr(&output)
    );
    assert!(!stderr(&output).contains(".fall-line-"));
    assert!(!history.exists());
    assert!(plot.exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let output = fall_line()
        .args(["train", "--samples", "1000", "--quiet"])
        .stdout(
            fs::OpenOptions::new()
                .write(true)
                .open("/dev/full")
                .unwrap(),
        )
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot write to standard output"));
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_after_the_epoch_and_keeps_the_history() {
    use std::io::{BufRead, BufReader};
    let folder = TempDir::new().unwrap();
    let history = folder.path().join("h.csv");
    let mut child = fall_line()
        .args("train --engine cpu --samples 1e6 --epochs 1e5 --log-every 1 --history".split(' '))
        .arg(&history)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(reach(&mut lines, 3));
    interrupt(&child);
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(rest.iter().any(|line| line.starts_with("w = ")), "{rest:?}");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(stderr(&output).contains("interrupted after epoch"));
    let epochs = fs::read_to_string(history).unwrap().lines().count() - 1;
    assert!(stderr(&output).contains(&format!("after epoch {epochs}")));
}

#[test]
fn help_and_version_are_no_errors() {
    assert!(ran("--help").contains("Exit codes"));
    let help = ran("train --help");
    for word in [
        "--samples",
        "--loss",
        "log-cosh",
        "--adapter",
        "[default: 1e6]",
    ] {
        assert!(help.contains(word), "{word}");
    }
    let version = concat!("fall-line ", env!("CARGO_PKG_VERSION"));
    assert_eq!(ran("-V"), format!("{version}\n"));
    let long = ran("--version");
    let lines: Vec<&str> = long.lines().collect();
    assert!(lines[0].starts_with(version), "{long}");
    assert_eq!(lines[1], "features: cli, files, gpu, mpi");
    let backends: Vec<&str> = lines[2]
        .strip_prefix("backends: ")
        .unwrap()
        .split(", ")
        .collect();
    for adapter in json("adapters --format json").as_array().unwrap() {
        let backend = adapter["backend"].as_str().unwrap();
        assert!(backends.contains(&backend), "{backend}: {long}");
    }
}

#[test]
fn an_x_that_does_not_vary_is_refused_and_a_coarse_column_is_told_of() {
    let folder = TempDir::new().unwrap();
    let with = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        format!("train {} --engine cpu --epochs 1", path.display())
    };
    let text = refused(3, &with("constant.csv", "x,y\n5,1\n5,2\n5,3\n"));
    assert!(text.contains("x is 5.0 in every sample"), "{text}");
    let output = run(&(with(
        "time.csv",
        "t,y\n1700000000,1\n1700000900,2\n1700001800,3\n",
    ) + " --no-standardize"));
    let text = stderr(&output);
    assert!(
        text.contains("t runs from 1700000000.0 to 1700001800.0"),
        "{text}"
    );
    assert!(text.contains("steps of 128.0"), "{text}");
}

#[test]
fn bad_rows_are_left_out_counted_and_the_first_is_shown() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("bad.csv");
    fs::write(&path, "x,y\n1,2\n2,\n3,6\nfour,8\n5,10\n").unwrap();
    let args = format!("train {} --engine cpu --epochs 1", path.display());
    let text = refused(3, &args);
    assert!(
        text.contains("line 5, column \"x\": \"four\"") && text.contains("--skip-bad"),
        "{text}"
    );
    let output = run(&(args + " --learning-rate 0.001 --format json --skip-bad"));
    assert!(output.status.success());
    let result: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(result["samples"], 3);
    let text = stderr(&output);
    for part in [
        "left out 2 of 5 rows: 1 where a value is missing (first: ",
        "bad.csv, line 3, column \"y\"), 1 where a value is not a number (first: ",
        "bad.csv, line 5, column \"x\": \"four\")",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn common_names_of_flags_and_losses_are_known() {
    let train = |flags: &str| {
        json(&format!(
            "train --engine cpu --samples 1000 --epochs 3 --format json {flags}"
        ))
    };
    assert_eq!(train("--lr 0.05")["learning_rate"], 0.05);
    for (name, loss) in [
        ("l1", "mae"),
        ("absolute", "mae"),
        ("median", "mae"),
        ("L2", "mse"),
        ("squared", "mse"),
    ] {
        assert_eq!(train(&format!("--loss {name}"))["loss"], loss, "{name}");
    }
    let quantile = train("--loss quantile --quantile 90%");
    assert_eq!(quantile["loss_parameter"], 0.9);
    for number in ["w", "b"] {
        let [percent, share] = ["10%", "0.1"].map(|share| train(&format!("--outliers {share}")));
        assert_eq!(percent[number], share[number]);
    }
    let confidence = train("--standardize --epochs 50 --confidence 99% --tolerance 0.1%");
    assert_eq!(confidence["errors"]["confidence"], 0.99, "{confidence}");
    assert!(ran("train --help").contains("[alias: --lr]"));
}

#[test]
fn a_flag_given_twice_takes_the_last() {
    let result = json(
        "train --engine cpu --samples 10 --samples 20 --epochs 1 --epochs 2 --quiet --quiet --format text --format json",
    );
    assert_eq!(result["samples"], 20);
    assert_eq!(result["epochs"], 2);
    let bench =
        ran("bench --engines cpu --engines cpu-1 --samples 1000 --samples 1e4 --min-time 1ms");
    assert!(bench.contains("cpu-1") && !bench.contains("gpu"), "{bench}");
    assert!(bench.contains("1e4") && !bench.contains("1e3"), "{bench}");
    // Those that may be given several times keep all values.
    let folder = TempDir::new().unwrap();
    let csv = folder.path().join("x.csv");
    fs::write(&csv, "x,y\n1,2\n-1,4\n3,6\n-2,8\n5,10\n6,13\n").unwrap();
    let args = format!(
        "train {} --missing -1 --missing -2 --epochs 1 --engine cpu --format json",
        csv.display()
    );
    assert_eq!(json(&args)["samples"], 4);
}

#[test]
fn a_slip_of_the_finger_is_answered_by_what_was_meant() {
    for (args, meant) in [
        ("train --learnign-rate 1", Some("--learning-rate")),
        ("train --rate 1", Some("--learning-rate")),
        ("train --lrr 0.1", Some("--lr?")),
        ("train --seeds 1", Some("--seed")),
        ("train --colour never", Some("--color")),
        ("train --verbose", None),
        ("train --step 1", None),
        ("bench --engine cpu", Some("--engines")),
        ("bench --json a.json", Some("--export-json")),
        ("--helpp", Some("--help")),
        ("trian", Some("'train'")),
        ("train --loss hubr", Some("a similar value exists: 'huber'")),
    ] {
        let text = refused(2, args);
        assert_eq!(
            text.contains("did you mean") || text.contains("a similar"),
            meant.is_some(),
            "{args}: {text}"
        );
        assert!(
            text.contains(meant.unwrap_or("(see --help)")),
            "{args}: {text}"
        );
        assert!(!text.contains("as a value"), "{args}: {text}");
    }
    let folder = TempDir::new().unwrap();
    let csv = folder.path().join("cars.csv");
    fs::write(&csv, "speed,dist,id\n1,2,1\n2,4,2\n3,7,3\n").unwrap();
    for (column, meant) in [
        ("sped", Some("speed")),
        ("Distt", Some("dist")),
        ("weight", None),
    ] {
        let text = refused(3, &format!("train {} --x id --y {column}", csv.display()));
        match meant {
            Some(meant) => {
                assert!(
                    text.ends_with(&format!("; did you mean \"{meant}\"?\n")),
                    "{text}"
                );
            }
            None => assert!(!text.contains("did you mean"), "{text}"),
        }
    }
}

#[test]
fn the_log_is_an_aligned_table_that_begins_with_the_first_epoch() {
    let text = ran("train --engine cpu --samples 1000 --epochs 35 --seed 3");
    assert_eq!(logged_epochs(&text), [1, 10, 20, 30]);
    let table: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.starts_with("epoch "))
        .take(5)
        .collect();
    let ends = |line: &str| -> Vec<usize> {
        let bytes = line.as_bytes();
        (1..=bytes.len())
            .filter(|&end| {
                bytes[end - 1] != b' ' && bytes.get(end).is_none_or(|&next| next == b' ')
            })
            .collect()
    };
    for line in &table {
        assert_eq!(ends(line), ends(table[0]), "{text}");
    }
    let epochs = |flags: &str| logged_epochs(&ran(&format!("train --engine cpu {flags}")));
    let cars = format!("{}/tests/data/cars.csv", env!("CARGO_MANIFEST_DIR"));
    let file =
        format!("{cars} --x speed --y dist --no-standardize --lr 0.001 --epochs 20 --tolerance 0");
    assert_eq!(epochs(&file), [1, 2, 4, 8, 16]);
    assert_eq!(epochs(&format!("{file} --log-every 7")), [1, 7, 14]);
    let synthetic = "--samples 100 --epochs 9 --log-every";
    assert_eq!(epochs(&format!("{synthetic} auto")), [1, 2, 4, 8]);
    assert_eq!(epochs(&format!("{synthetic} 0")), [0; 0]);
    assert!(refused(2, "train --log-every often").contains("nor auto"));
}

#[test]
fn files_that_were_written_are_named() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let wrote = |args: &str| -> Vec<String> {
        let output = run(args);
        assert!(output.status.success(), "{args}: {}", stderr(&output));
        let text = stderr(&output);
        let lines = text.lines().filter_map(|line| line.strip_prefix("wrote "));
        lines.map(str::to_owned).collect()
    };
    let files = ["h.csv", "loss.svg", "checkpoint", "line.json"].map(at);
    let [history, plot, checkpoint, line] = &files;
    let train = format!(
        "train --engine cpu --samples 1000 --history {history} --plot {plot} --save {line} \
         --checkpoint {checkpoint} --checkpoint-every 5"
    );
    assert_eq!(wrote(&train), files);
    assert_eq!(wrote(&(train + " --quiet")), [""; 0]);
    let generate = format!("generate {} --samples 10", at("x.csv"));
    assert_eq!(wrote(&generate), [at("x.csv")]);
    assert_eq!(wrote(&(generate + " --quiet")), [""; 0]);
    let predict = format!("predict {line} {} --output {}", at("x.csv"), at("p.csv"));
    assert_eq!(wrote(&predict), [at("p.csv")]);
    assert_eq!(wrote(&(predict + " --quiet")), [""; 0]);
    let tutorial = format!("tutorial --engine cpu --plot {}", at("t.png"));
    assert_eq!(wrote(&tutorial), [at("t.png")]);
    let exports = ["b.json", "b.csv", "b.md", "b.svg"].map(at);
    let [json, csv, markdown, picture] = &exports;
    assert_eq!(
        wrote(&format!(
            "bench --engines cpu --samples 1000 --min-time 1ms --export-json {json} --export-csv {csv} \
             --export-markdown {markdown} --plot {picture}"
        )),
        exports
    );
}

#[test]
fn colours_are_for_terminals_or_on_demand() {
    let escapes = |args: &str, flags: &str| {
        let output = fall_line()
            .args(args.split_whitespace())
            .args(flags.split_whitespace())
            .env("NO_COLOR", "1")
            .output()
            .unwrap();
        [stdout(&output), stderr(&output)]
    };
    let train = "train --engine cpu --samples 1000 --epochs 300 --lr 1e-6 --tolerance 1e-9";
    for flags in ["", "--color auto", "--color never"] {
        for text in escapes(train, flags) {
            assert!(!text.contains('\u{1b}'), "{flags}: {text}");
        }
    }
    let [out, err] = escapes(train, "--color always");
    let bold: Vec<&str> = out.lines().filter(|line| line.contains('\u{1b}')).collect();
    assert_eq!(bold.len(), 1, "{out}");
    assert!(bold[0].starts_with("\u{1b}[1mw = "), "{out}");
    assert!(err.contains("\u{1b}[33mwarning:\u{1b}[0m "), "{err}");
    let [_, err] = escapes("--color always train no/such.csv", "");
    assert!(err.contains("\u{1b}[31merror:\u{1b}[0m "), "{err}");
    // A program reads JSON.
    let [out, _] = escapes(
        "train --engine cpu --samples 10 --format json",
        "--color always",
    );
    serde_json::from_str::<Value>(&out).unwrap();
}

#[test]
fn shells_and_man_know_every_subcommand() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = ran(&format!("completions {shell}"));
        for word in [
            "train",
            "predict",
            "learning-rate",
            "cutting-plane",
            "completions",
        ] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    // Each state of the script for bash has its flags.
    let bash = ran("completions bash");
    let states = bash
        .lines()
        .filter_map(|line| line.trim().strip_prefix("cmd=\"")?.strip_suffix('"'));
    for state in states.filter(|state| !state.is_empty()) {
        assert!(bash.contains(&format!("\n        {state})\n")), "{state}");
    }
    refused(2, "completions tcsh");
    let folder = TempDir::new().unwrap();
    let output = run(&format!("man --output {}", folder.path().display()));
    assert!(output.status.success(), "{output:?}");
    for (command, parts) in [
        ("", ["completions", ".SH \"EXIT STATUS\"\n.nf\n0 done\n"]),
        ("train", ["\\-\\-learning\\-rate", "\\-\\-skip\\-bad"]),
        ("bench", [".SH EXAMPLES\n.nf\n", "\\-\\-export\\-json"]),
        ("predict", ["\\-\\-interval", "csv, parquet, npy"]),
        ("moments", ["\\-\\-skip\\-bad", "csv, parquet, npy"]),
        ("merge", ["\\-\\-expect", ".SH EXAMPLES\n.nf\n"]),
    ] {
        let page = ran(&format!("man {command}"));
        let name = format!("fall-line {command}").trim_end().replace(' ', "-");
        for part in [&*format!(".TH {name} 1 "), parts[0], parts[1]] {
            assert!(page.contains(part), "{name}: {part}: {page}");
        }
        let file = fs::read_to_string(folder.path().join(format!("{name}.1"))).unwrap();
        assert_eq!(page, file, "{name}");
    }
    assert!(refused(2, "man nosuch").contains("there are train, predict"));
    let nowhere = refused(1, "man --output no/such");
    assert!(nowhere.contains("fall-line.1"), "{nowhere}");
}

#[test]
fn the_threads_that_are_asked_for_are_used() {
    for threads in ["1", "3"] {
        let plan = json(&format!(
            "train --samples 1e6 --engine cpu --threads {threads} --plan --format json"
        ));
        assert!(
            plan["engine"]["name"]
                .as_str()
                .unwrap()
                .starts_with(threads),
            "{}",
            plan["engine"]
        );
    }
}
