//! What was trained is used, and what would be trained on is written: `--save`, `predict`, `generate`.

use crate::common::program;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use fall_line::data::Block;
use fall_line::table;
use fall_line::table::Request;
use program::{fall_line, interrupt, json, ran, refused, run, stderr, stdout};
use serde_json::Value;
use tempfile::TempDir;

fn cars() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cars.csv");
    path.display().to_string()
}

/// A model of cars, in a folder.
fn saved(folder: &TempDir) -> (String, Value) {
    let path = folder.path().join("model.json").display().to_string();
    ran(&format!("train {} --engine cpu -q --save {path}", cars()));
    let model = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    (path, model)
}

/// Two columns of a file; of an NPY file by position.
fn columns(path: &str, x: &str, y: &str) -> Block {
    let request = Request {
        x: Some(x),
        y: Some(y),
        ..Request::default()
    };
    let opened = table::open(Path::new(path), &request, &|_| {}).unwrap();
    let mut block = Block::default();
    opened.source.read(0, &mut block).unwrap();
    block
}

#[test]
fn a_model_is_saved_with_what_was_promised() {
    let folder = TempDir::new().unwrap();
    let (_, model) = saved(&folder);
    let result = json(&format!("train {} --engine cpu --format json", cars()));
    assert_eq!(model["schema"], "fall-line model 1");
    assert_eq!(model["version"], env!("CARGO_PKG_VERSION"));
    for name in [
        "w",
        "b",
        "loss",
        "loss_parameter",
        "statistics",
        "epochs",
        "converged",
        "data",
    ] {
        assert_eq!(model[name], result[name], "{name}");
    }
    for name in ["baseline_loss", "fit"] {
        assert_eq!(model["metrics"][name], result[name], "{name}");
    }
    assert_eq!(model["metrics"]["loss"], result["final_loss"]);
    let units = serde_json::json!({"x": "speed", "y": "dist", "w": "dist per speed", "b": "dist"});
    assert_eq!(model["units"], units);
    // Also of synthetic samples, and where the device drew them and the host knows nothing of them.
    for flags in [
        "--samples 1000",
        "--samples 2e6 --generator device --engine gpu",
    ] {
        let path = folder.path().join("other.json");
        ran(&format!(
            "train {flags} --loss huber --delta 2 -q --save {}",
            path.display()
        ));
        let model: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(model["loss_parameter"], 2.0);
        assert_eq!(model["statistics"].is_null(), flags.contains("device"));
    }
}

#[test]
fn predictions_are_the_line_in_every_kind_of_file() {
    let folder = TempDir::new().unwrap();
    let (path, model) = saved(&folder);
    let [w, x_center, y_center] =
        ["w", "x_center", "y_center"].map(|key| model[key].as_f64().unwrap());
    let cars_columns = columns(&cars(), "speed", "dist");
    let at = |x| y_center + w * (x - x_center);
    let right: Vec<f64> = cars_columns.x.iter().map(at).collect();
    let b = model["b"].as_f64().unwrap();
    assert!((b - at(&0.0)).abs() < 1e-13 * b.abs());
    for (file, x, prediction) in [
        ("p.csv", "speed", "prediction"),
        ("p.parquet", "speed", "prediction"),
        ("p.npy", "1", "3"),
    ] {
        let out = folder.path().join(file).display().to_string();
        let text = ran(&format!("predict {path} {} -o {out}", cars()));
        assert!(text.starts_with("50 predictions; R² 0.651079"), "{text}");
        let written = columns(&out, x, prediction);
        assert_eq!(written.x, cars_columns.x, "{file}");
        assert_eq!(written.y, right, "{file}");
    }
    // It says how well y is met, where it is known; to stdout where no file is named.
    let output = run(&format!("predict {path} {}", cars()));
    assert!(
        stderr(&output).contains("R² 0.651079, RMSE 15.06886"),
        "{output:?}"
    );
    let text = stdout(&output);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("speed,dist,prediction,residual"));
    let first: Vec<&str> = lines.next().unwrap().split(',').collect();
    // The file's own columns stay as they are.
    assert_eq!(first[..2], ["4", "2"]);
    let [prediction, residual] = [2, 3].map(|at| first[at].parse::<f64>().unwrap());
    assert_eq!([prediction, residual], [at(&4.0), 2.0 - at(&4.0)]);
    assert_eq!(lines.count(), 49);
    let summary = json(&format!("predict {path} {} --y dist --format json", cars()));
    for name in ["rmse", "mae", "r_squared"] {
        let (one, other) = (
            summary["fit"][name].as_f64().unwrap(),
            model["metrics"]["fit"][name].as_f64().unwrap(),
        );
        assert!((one / other - 1.0).abs() < 1e-14, "{name}");
    }
    assert_eq!(stderr(&run(&format!("predict {path} {} -q", cars()))), "");
    // What was left out is counted there too.
    let bad = folder.path().join("bad.csv").display().to_string();
    fs::write(&bad, "speed,dist\n1,2\n,3\nten,4\n5,6\n").unwrap();
    let output = run(&format!("predict {path} {bad} --skip-bad -q --format json"));
    let summary: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(stderr(&output), "");
    // A row without y has a prediction.
    assert_eq!(summary["samples"], 2);
    let skipped = serde_json::json!({"is missing": 1, "is not a number": 1});
    assert_eq!(summary["skipped"], skipped);
    // One x, under another name, from a pipe, beside one that is none.
    let mut child = fall_line()
        .args(["predict", &path, "-", "--x", "v", "--skip-bad"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"v,name\n10,a\n,b\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let text = stdout(&output);
    let predicted = text.strip_prefix("v,name,prediction\n10,a,").unwrap();
    let predicted: f64 = predicted.strip_suffix("\n,b,\n").unwrap().parse().unwrap();
    assert!((predicted / (w * 10.0 + b) - 1.0).abs() < 1e-14, "{text}");
    assert!(
        stderr(&output).contains("no prediction for 1 of 2 rows"),
        "{output:?}"
    );
}

#[test]
fn what_is_no_model_or_no_data_is_said() {
    let folder = TempDir::new().unwrap();
    let (path, _) = saved(&folder);
    let good = fs::read_to_string(&path).unwrap();
    let cars = cars();
    let other = folder.path().join("other.json");
    let with = |text: &str| {
        fs::write(&other, text).unwrap();
        format!("predict {} {cars}", other.display())
    };
    assert!(refused(3, &with("{}")).contains("not a saved model"));
    assert!(refused(3, &with("speed,dist\n")).contains("not a saved model"));
    for length in [good.len() / 2, good.len() - 3] {
        assert!(refused(3, &with(&good[..length])).contains("is damaged"));
    }
    // A byte-order mark, as some editors write it.
    ran(&with(&format!("\u{feff}{good}")));
    assert!(refused(3, &with(&good.replace("model 1", "model 2"))).contains("model 2"));
    assert!(refused(3, &with(&good.replace("\"w\"", "\"v\""))).contains("damaged"));
    assert!(refused(1, &format!("predict nosuch.json {cars}")).contains("cannot read nosuch.json"));
    assert!(refused(3, &format!("predict {path} {cars} --x weight")).contains("\"weight\""));
    assert!(refused(2, &format!("predict {path} {cars} -o p.txt")).contains(".parquet"));
    assert!(refused(2, &format!("predict {path}")).contains("<DATA>"));
    let copy = folder.path().join("cars.csv");
    fs::copy(&cars, &copy).unwrap();
    let text = refused(2, &format!("predict {path} {0} -o {0}", copy.display()));
    assert!(text.contains("would replace the data"), "{text}");
    assert_eq!(fs::read(&copy).unwrap(), fs::read(&cars).unwrap());
    assert!(refused(1, &format!("predict {path} {cars} -o /nosuch/p.csv")).contains("/nosuch"));
    // Nor the model, nor x where it is a file of its own.
    let model = folder.path().join("model.csv");
    fs::copy(&path, &model).unwrap();
    let text = refused(2, &format!("predict {0} {cars} -o {0}", model.display()));
    assert!(text.contains("would replace the model"), "{text}");
    let x = folder.path().join("x.npy");
    fs::copy(&model, &x).unwrap();
    let text = refused(2, &format!("predict {path} --x {0} -o {0}", x.display()));
    assert!(text.contains("would replace the data"), "{text}");
    assert_eq!(fs::read(&x).unwrap(), good.as_bytes());
}

/// What was trained without names is predicted without naming anything.
#[test]
fn columns_without_names_are_found_again() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    ran(&format!("generate {} --samples 100", at("a.npy")));
    fs::write(at("a.csv"), "1,30\n2,50\n3,70\n").unwrap();
    for data in [at("a.npy"), at("a.csv")] {
        let model = at("m.json");
        ran(&format!("train {data} --engine cpu -q --save {model}"));
        let found = ran(&format!("predict {model} {data} -q"));
        let named = ran(&format!("predict {model} {data} -q --x 1"));
        let header = "column 1,column 2,prediction,residual\n";
        assert!(found.starts_with(header), "{found}");
        assert_eq!(found, named);
    }
}

/// The device's own draws differ from its twin's by roundings of the normal draw (draw.rs); the twin is what is
/// written, and what the CPU engine trains on.
#[test]
fn what_is_generated_is_what_would_be_trained_on_bit_for_bit() {
    let folder = TempDir::new().unwrap();
    let descent =
        "--epochs 20 --learning-rate 0.1 --init-w 0 --init-b 0 --engine cpu --format json";
    for generator in ["chacha", "numpy", "device"] {
        let recipe =
            format!("--samples 70000 --slope -2 --outliers 0.01 --seed 7 --generator {generator}");
        let drawn = json(&format!("train {recipe} {descent}"));
        for kind in ["csv", "parquet", "npy"] {
            let path = folder.path().join(format!("{generator}.{kind}"));
            assert_eq!(ran(&format!("generate {} {recipe}", path.display())), "");
            let flags = "--no-standardize --tolerance 0";
            let read = json(&format!("train {} {flags} {descent}", path.display()));
            for name in ["w", "b", "final_loss", "samples", "statistics"] {
                assert_eq!(read[name], drawn[name], "{generator}, {kind}: {name}");
            }
        }
    }
    assert!(refused(2, "generate a.txt").contains(".npy"));
    assert!(refused(2, "generate a.csv --x-range 2..1").contains("--x-range"));
    assert!(refused(1, "generate /nosuch/a.csv").contains("/nosuch"));
}

#[cfg(unix)]
#[test]
fn an_interrupt_leaves_no_half_a_file() {
    let folder = TempDir::new().unwrap();
    let (model, _) = saved(&folder);
    let data = folder.path().join("data.npy").display().to_string();
    ran(&format!("generate {data} --samples 3e6"));
    // A folder of its own, where anything that is left is seen.
    let here = folder.path().join("here");
    fs::create_dir(&here).unwrap();
    let path = here.join("large.csv").display().to_string();
    for args in [
        format!("generate {path} --samples 1e9"),
        format!("predict {model} {data} --x 1 -o {path}"),
    ] {
        let mut child = fall_line()
            .args(args.split(' '))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let begun = || {
            fs::read_dir(&here)
                .unwrap()
                .any(|file| file.unwrap().metadata().unwrap().len() > 1 << 20)
        };
        while !begun() {
            assert!(child.try_wait().unwrap().is_none(), "{args}");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        interrupt(&child);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{args}");
        let text = stderr(&output);
        assert!(text.ends_with("large.csv is not written\n"), "{text}");
        // Predictions that are nowhere are not counted.
        assert_eq!(stdout(&output), "");
        assert_eq!(fs::read_dir(&here).unwrap().count(), 0);
    }
}

/// Columns without names are called by their place, in a model too.
#[test]
fn a_model_of_columns_without_names_finds_them_again() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    fs::write(at("points.csv"), "9,1,5\n9,2,7\n9,3,9\n").unwrap();
    for data in ["points.csv", "points.npy"] {
        if data.ends_with("npy") {
            ran(&format!(
                "generate {} --samples 3 --noise 0 --slope 2 --intercept 3",
                at(data)
            ));
        }
        let [x, y] = if data.ends_with("npy") {
            [1, 2]
        } else {
            [2, 3]
        };
        let (data, model) = (at(data), at("model.json"));
        ran(&format!(
            "train {data} --x {x} --y {y} --engine cpu -q --save {model}"
        ));
        let text = ran(&format!("predict {model} {data} --y {y} --format json"));
        let summary: Value = serde_json::from_str(&text).unwrap();
        assert!(summary["fit"]["rmse"].as_f64().unwrap() < 1e-6, "{summary}");
    }
}

#[test]
fn predictions_beyond_f64_are_told() {
    let folder = TempDir::new().unwrap();
    let (path, mut model) = saved(&folder);
    model["w"] = 1.7e308.into();
    fs::write(&path, model.to_string()).unwrap();
    let args = format!("predict {path} {} --x speed", cars());
    // By the center of x it is another line.
    assert!(refused(3, &args).contains("b is not that of x_center and y_center"));
    // Files of the first release have no center.
    let keys = model.as_object_mut().unwrap();
    assert!(keys.remove("x_center").is_some() && keys.remove("y_center").is_some());
    fs::write(&path, model.to_string()).unwrap();
    let text = stderr(&run(&args));
    assert!(
        text.contains("warning: 50 predictions beyond the range of f64"),
        "{text}"
    );
}

/// b of 1e18 has steps of 256 in f64, ten times the residuals. The center of x keeps the line.
#[test]
fn a_line_far_from_the_origin_keeps_its_digits() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let noise = |i: u32| f64::from(i * 7919 % 101) - 50.0;
    let rows =
        (0..500).map(|i| format!("{},{}\n", 1_700_000_000 + i, 1e9 * f64::from(i) + noise(i)));
    fs::write(
        at("b.csv"),
        "t,bytes\n".to_owned() + &rows.collect::<String>(),
    )
    .unwrap();
    let text = ran(&format!(
        "train {} --engine cpu --save {}",
        at("b.csv"),
        at("m.json")
    ));
    assert!(text.contains("× (t − 1700000249.5)"), "{text}");
    let args = format!(
        "predict {} {} --y bytes --format json",
        at("m.json"),
        at("b.csv")
    );
    let rmse = json(&args)["fit"]["rmse"].as_f64().unwrap();
    assert!(rmse < 30.0, "{rmse}");
}

/// Every row and column stays, in order, so that predictions join back row by row.
#[test]
fn predictions_stand_beside_the_rows_that_they_belong_to() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    // A preamble, dates, decimal commas, gaps, and three files.
    let row = |day: u32| format!("shop {day};{day:02}.03.2024;{},5", 10 + 2 * day);
    let part = |rows: &[String]| format!("Export 7\n\nshop;day;sales\n{}\n", rows.join("\n"));
    fs::create_dir(at("in")).unwrap();
    for (name, days) in [("1.csv", 1..9), ("2.csv", 9..17), ("3.csv", 17..25)] {
        let mut rows: Vec<String> = days.map(row).collect();
        rows.insert(3, "\"closed; \"\"for good\"\"\";;".to_owned());
        rows.insert(5, "late;27.03.2024;NA".to_owned());
        fs::write(at(&format!("in/{name}")), part(&rows)).unwrap();
    }
    let output = run(&format!(
        "train {} --x day --y sales --engine cpu --save {}",
        at("in"),
        at("m.json")
    ));
    let text = stderr(&output);
    assert!(text.contains("columns separated by ';'"), "{text}");
    assert!(
        text.contains("decimal commas") && text.contains("3 files read as one set"),
        "{text}"
    );
    assert!(
        text.contains("left out 6 of 30 rows: 6 where a value is missing (first: "),
        "{text}"
    );
    assert!(stdout(&output).contains("slope 2.0 per day") || stdout(&output).contains("per day"));
    ran(&format!(
        "predict {} {} -o {}",
        at("m.json"),
        at("in"),
        at("p.csv")
    ));
    let written = fs::read_to_string(at("p.csv")).unwrap();
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!(lines[0], "shop,day,sales,prediction,residual");
    assert_eq!(lines.len(), 31);
    assert!(
        lines[1].starts_with("shop 1,01.03.2024,\"12,5\",12.5"),
        "{}",
        lines[1]
    );
    assert_eq!(lines[4], "\"closed; \"\"for good\"\"\",,,,");
    let late: Vec<&str> = lines[6].split(',').collect();
    assert_eq!((late[0], late[2], late[4]), ("late", "NA", ""));
    assert!(
        (late[3].parse::<f64>().unwrap() - 64.5).abs() < 1e-9,
        "{late:?}"
    );
    // Types stay in Parquet: read back, and predicted again.
    ran(&format!(
        "predict {} {} -o {}",
        at("m.json"),
        at("in"),
        at("p.parquet")
    ));
    ran(&format!(
        "predict {} {} -o {}",
        at("m.json"),
        at("p.parquet"),
        at("q.csv")
    ));
    let written = fs::read_to_string(at("q.csv")).unwrap();
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!(
        lines[0],
        "shop,day,sales,prediction,residual,prediction 2,residual 2"
    );
    assert!(
        lines[1].starts_with("shop 1,2024-03-01,12.5,12.5"),
        "{}",
        lines[1]
    );
    assert_eq!(lines[4], "\"closed; \"\"for good\"\"\",,,,,,");
    let refused = refused(
        1,
        &format!("predict {} {} -o {}", at("m.json"), at("in"), at("p.npy")),
    );
    assert!(
        refused.contains("\"shop\" has none: write .csv or .parquet"),
        "{refused}"
    );
}

/// Draper and Smith; checked with statsmodels' `get_prediction(...).summary_frame(alpha=0.05)` for cars at 10 and 30.
#[test]
fn intervals_are_those_of_statsmodels() {
    let folder = TempDir::new().unwrap();
    let (model, _) = saved(&folder);
    for (holds, wanted) in [
        (
            "y",
            [
                [-9.809_600_788, 53.299_586_189],
                [66.865_293_341, 133.921_042_426],
            ],
        ),
        (
            "line",
            [
                [15.461_917_340, 28.028_068_062],
                [87.435_427_452, 113.350_908_315],
            ],
        ),
    ] {
        let at = json(&format!(
            "predict {model} --at 10 --at 30 --interval={holds} --format json"
        ));
        for (found, wanted) in at.as_array().unwrap().iter().zip(wanted) {
            for (end, wanted) in ["lower", "upper"].into_iter().zip(wanted) {
                let end = found[end].as_f64().unwrap();
                assert!((end / wanted - 1.0).abs() < 1e-7, "{holds}: {end} {wanted}");
            }
        }
        assert_eq!(
            (&at[0]["outside"], &at[1]["outside"]),
            (&false.into(), &true.into())
        );
    }
    let output = run(&format!("predict {model} --at 10 --at 30"));
    assert!(
        stdout(&output).starts_with("speed,prediction\n10,21.744"),
        "{output:?}"
    );
    assert!(
        stderr(&output).contains("1 prediction of 2 outside 4 to 25"),
        "{output:?}"
    );
    // The sandwich HC3 leaves a covariance of level and slope.
    let robust = folder.path().join("robust.json").display().to_string();
    ran(&format!(
        "train {} --errors robust --engine cpu -q --save {robust}",
        cars()
    ));
    let at = json(&format!(
        "predict {robust} --at 10 --interval=line --format json"
    ));
    for (end, wanted) in [("lower", 16.958_345_553), ("upper", 26.531_639_849)] {
        let end = at[0][end].as_f64().unwrap();
        assert!((end / wanted - 1.0).abs() < 1e-7, "{end} {wanted}");
    }
    let mae = folder.path().join("mae.json").display().to_string();
    ran(&format!(
        "train {} --loss mae --engine cpu -q --save {mae}",
        cars()
    ));
    assert!(refused(2, &format!("predict {mae} --at 10 --interval")).contains("is for mse and"));
    assert_eq!(
        run(&format!("predict {mae} --at 10 --interval=line"))
            .status
            .code(),
        Some(0)
    );
    // In files, the columns come last.
    let text = ran(&format!("predict {model} {} --interval -q", cars()));
    assert!(
        text.starts_with("speed,dist,prediction,residual,lower,upper\n4,2,"),
        "{text}"
    );
}

/// A set's files may have their columns in any order, and nothing else apart.
#[test]
fn rows_of_several_files_have_the_columns_of_the_first() {
    let folder = TempDir::new().unwrap();
    let (model, _) = saved(&folder);
    let set = |name: &str, texts: [&str; 2]| {
        let path = folder.path().join(name);
        fs::create_dir(&path).unwrap();
        for (at, text) in texts.into_iter().enumerate() {
            fs::write(path.join(format!("{at}.csv")), text).unwrap();
        }
        path.display().to_string()
    };
    let swapped = set(
        "swapped",
        [
            "speed,dist,note\n4,2,a\n7,4,b\n",
            "note,dist,speed\nc,16,8\nd,10,9\n",
        ],
    );
    let rows = ran(&format!("predict {model} {swapped}"));
    let first: Vec<&str> = rows
        .lines()
        .map(|row| row.rsplitn(3, ',').nth(2).unwrap())
        .collect();
    assert_eq!(
        first,
        ["speed,dist,note", "4,2,a", "7,4,b", "8,16,c", "9,10,d"]
    );
    let parquet = folder.path().join("p.parquet").display().to_string();
    ran(&format!("predict {model} {swapped} -q -o {parquet}"));
    let block = columns(&parquet, "speed", "dist");
    assert_eq!(
        (block.x, block.y),
        (vec![4.0, 7.0, 8.0, 9.0], vec![2.0, 4.0, 16.0, 10.0])
    );
    for (name, texts, problem) in [
        (
            "other",
            ["speed,dist\n4,2\n7,4\n", "time,dist,speed\n5,4,2\n6,5,3\n"],
            "same columns",
        ),
        (
            "times",
            [
                "speed,dist\n2024-01-01,1\n2024-01-02,2\n",
                "speed,dist\n2024-01-03 00:00,4\n2024-01-04 00:00,5\n",
            ],
            "times",
        ),
        (
            "signs",
            [
                "speed;dist\n1.500;1\n2.500;2\n",
                "speed;dist\n1.500,5;1\n2,5;2\n",
            ],
            "decimal commas, and the first file",
        ),
    ] {
        let path = set(name, texts);
        for command in [
            format!("train {path} --x speed --y dist"),
            format!("predict {model} {path}"),
        ] {
            if command.starts_with("train") && name == "other" {
                continue;
            }
            let output = run(&command);
            let text = stderr(&output);
            assert_eq!(output.status.code(), Some(3), "{command}: {text}");
            assert!(
                text.contains(problem) || text.contains("trained on numbers"),
                "{command}: {text}"
            );
        }
    }
    // A file of the folder is one of those that are read.
    for name in ["0.csv", "1.csv"] {
        let text = refused(2, &format!("predict {model} {swapped} -o {swapped}/{name}"));
        assert!(text.contains("would replace the data"), "{text}");
    }
    let text = refused(
        2,
        &format!("train {swapped}/*.csv --x speed --y dist --history {swapped}/0.csv"),
    );
    assert!(text.contains("would replace the data"), "{text}");
    let text = refused(1, &format!("predict {model} {swapped} no-such.csv"));
    assert!(
        text.contains("no-such.csv") && !text.contains("4,2,a"),
        "{text}"
    );
    // A file without a header may hold the columns in any order.
    let bare = folder.path().join("bare.csv");
    fs::write(&bare, "1,10\n2,20\n3,30\n").unwrap();
    let text = refused(3, &format!("predict {model} {}", bare.display()));
    assert!(text.contains("no column \"speed\""), "{text}");
}

/// Texts stay as they are in every kind of file, and a y that is no number is told.
#[test]
fn what_is_no_value_is_kept_or_told() {
    let folder = TempDir::new().unwrap();
    let (model, _) = saved(&folder);
    let at = |name: &str| folder.path().join(name).display().to_string();
    let text =
        "speed,dist,code,id\n5,2,7,01234\n6,oops,8,1234567890123456789\n7,4,A7,\n8,12 %,9,x\n";
    fs::write(at("t.csv"), text).unwrap();
    let output = run(&format!(
        "predict {model} {} -o {}",
        at("t.csv"),
        at("t.parquet")
    ));
    let told = stderr(&output);
    assert!(
        told.contains("no residual for 2 rows whose y is no number, such as \"oops\""),
        "{told}"
    );
    let rows = ran(&format!("predict {model} {} -q --x speed", at("t.parquet")));
    let codes: Vec<Vec<&str>> = rows
        .lines()
        .skip(1)
        .map(|row| row.split(',').skip(2).take(2).collect())
        .collect();
    assert_eq!(
        codes,
        [
            ["7", "01234"],
            ["8", "1234567890123456789"],
            ["A7", ""],
            ["9", "x"]
        ]
    );
    let refused_text = refused(
        1,
        &format!("predict {model} {} -o {}", at("t.csv"), at("t.npy")),
    );
    assert!(refused_text.contains("\"code\""), "{refused_text}");
    // A file without rows is none.
    fs::write(at("empty.csv"), "speed,dist\n").unwrap();
    let none = refused(
        3,
        &format!("predict {model} {} -o {}", at("empty.csv"), at("e.parquet")),
    );
    assert!(
        none.contains("0 samples") && !Path::new(&at("e.parquet")).exists(),
        "{none}"
    );
}

/// A line over dates is the same line over dates with times, and none over numbers.
#[test]
fn a_line_over_dates_knows_what_x_counts() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let file = |name: &str, text: &str| {
        fs::write(at(name), text).unwrap();
        at(name)
    };
    let days = file(
        "days.csv",
        "d,y\n2024-03-01,1\n2024-03-02,3\n2024-03-03,5.5\n2024-03-04,7\n",
    );
    let times = file(
        "times.csv",
        "d,y\n2024-03-01 00:00,1\n2024-03-02 00:00,3\n2024-03-03 00:00,5.5\n2024-03-04 00:00,7\n",
    );
    let numbers = file("numbers.csv", "d,y\n1,1\n2,3\n3,5.5\n4,7\n");
    let predictions = |model: &str, data: &str| -> Vec<f64> {
        let rows = ran(&format!("predict {model} {data} -q"));
        let rows = rows.lines().skip(1);
        rows.map(|row| row.split(',').nth(2).unwrap().parse().unwrap())
            .collect()
    };
    let models = [&days, &times, &numbers].map(|data| {
        let model = format!("{data}.json");
        ran(&format!("train {data} -q --engine cpu --save {model}"));
        model
    });
    let [by_days, by_times, by_numbers] = &models;
    let known = predictions(by_days, &days);
    for (model, data) in [
        (by_days, &times),
        (by_times, &days),
        (by_times, &times),
        (by_numbers, &numbers),
    ] {
        for (one, other) in predictions(model, data).iter().zip(&known) {
            assert!((one - other).abs() < 1e-5, "{model} {data}: {one} {other}");
        }
    }
    for (model, data) in [(by_days, &numbers), (by_numbers, &days)] {
        let text = refused(3, &format!("predict {model} {data}"));
        assert!(text.contains("the model was trained on"), "{text}");
    }
    for (model, x) in [
        (by_days, "2024-03-02"),
        (by_times, "2024-03-02"),
        (by_times, "2024-03-02T00:00"),
        (by_numbers, "2"),
    ] {
        let row = ran(&format!("predict {model} --at {x}"));
        let value: f64 = row.trim_end().rsplit(',').next().unwrap().parse().unwrap();
        assert!((value - known[1]).abs() < 1e-5, "{model} {x}: {value}");
    }
    for x in ["NaN", "1e400", "2,5", "soon"] {
        assert!(
            refused(2, &format!("predict {by_numbers} --at {x}")).contains("2024-03-20"),
            "{x}"
        );
    }
}
