//! `fall-line bench`, run as a user would.

use crate::common::program;
use std::fs;
use std::process::{Command, Stdio};

use fall_line::loss::Loss;
use program::{fall_line, interrupt, logged, refused, run, without_adapters};
use serde_json::Value;
use sha2::Digest;
use tempfile::TempDir;

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Runs the program, which has to succeed, and returns what it prints.
fn ran(args: &str) -> String {
    let output = run(args);
    assert!(output.status.success(), "{args}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Returns all adapters and prints them. Fails if there are none.
fn adapters() -> Vec<Value> {
    let adapters: Vec<Value> = serde_json::from_str(&ran("adapters --format json")).unwrap();
    assert!(!adapters.is_empty());
    for adapter in &adapters {
        println!("adapter {} {}", adapter["name"], adapter["backend"]);
    }
    adapters
}

/// Returns `--adapter I` for each adapter.
fn on_all(adapters: &[Value]) -> String {
    let flags = adapters
        .iter()
        .map(|adapter| format!("--adapter {} ", adapter["index"]));
    flags.collect()
}

fn above_0(value: &Value) -> bool {
    value.as_f64().is_some_and(|value| value > 0.0)
}

/// Returns the label of a row: `cpu-1`, `gpu 0`.
fn label(row: &Value) -> String {
    let engine = row["engine"].as_str().unwrap();
    match row["adapter"].as_u64() {
        Some(index) => format!("{engine} {index}"),
        None => engine.to_owned(),
    }
}

#[test]
fn every_engine_at_every_size_is_in_every_export() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let adapters = adapters();
    let stdout = ran(&format!(
        "bench --samples 1e4,100,1e4 --min-time 10ms --runs 3 --epochs 7 --cite {} --export-json {} --export-csv {} \
         --export-markdown {} --plot {}",
        on_all(&adapters),
        at("bench.json").display(),
        at("bench.csv").display(),
        at("bench.md").display(),
        at("bench.svg").display(),
    ));

    let bytes = fs::read(at("bench.json")).unwrap();
    let json: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(json["schema"], "fall-line bench 2");
    let fastest = |samples: u64| {
        let rows = json["rows"].as_array().unwrap().iter();
        let row = rows.filter(|row| row["samples"] == samples).min_by(|a, b| {
            let [a, b] = [a, b].map(|row| row["epoch_seconds"]["median"].as_f64().unwrap());
            a.total_cmp(&b)
        });
        label(row.unwrap())
    };
    // The last line of the terminal stands alone, with the checksum of the file.
    let cited = stdout.lines().last().unwrap();
    let checksum = sha2::Sha256::digest(&bytes);
    let checksum: String = checksum.iter().map(|byte| format!("{byte:02x}")).collect();
    let day = json["date"].as_str().unwrap().split('T').next().unwrap();
    for part in [
        &format!(
            " for an epoch of mse over 1e4 samples with {}",
            fastest(10_000)
        ),
        " interleaved rounds",
        json["machine"]["cpu"].as_str().unwrap(),
        json["command"].as_str().unwrap(),
        day,
        &checksum,
    ] {
        assert!(cited.contains(part), "{part} is not in {cited}");
    }
    let command = json["command"].as_str().unwrap();
    assert!(
        command.starts_with("fall-line bench --samples "),
        "{command}"
    );
    assert!(json["machine"]["load_average"].is_f64());
    // A release build has one.
    assert_eq!(
        json["commit"],
        serde_json::json!(option_env!("FALL_LINE_COMMIT"))
    );
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    assert!(json["machine"]["cpu"].is_string() && json["machine"]["os"].is_string());
    assert!(above_0(&json["machine"]["cores"]) && above_0(&json["machine"]["memory_bytes"]));
    let settings = &json["settings"];
    assert_eq!(settings["samples"], Value::from(vec![100, 10_000]));
    assert_eq!(
        (&settings["loss"], &settings["seed"]),
        (&"mse".into(), &20.into())
    );
    assert_eq!(settings["loss_parameter"], Value::Null);
    assert_eq!(settings["generator"], "chacha");
    assert_eq!(settings["storage"], "f32");
    assert_eq!(settings["min_time_seconds"], 0.01);
    assert_eq!(
        (&settings["runs"], &settings["suite"]),
        (&3.into(), &Value::Null)
    );
    assert_eq!(settings["epochs_to_answer"], 7);
    assert_eq!(
        (&settings["model"]["w"], &settings["model"]["b"]),
        (&(-1.5).into(), &0.5.into())
    );
    assert_eq!(json["adapters"].as_array().unwrap().len(), adapters.len());
    for (there, adapter) in json["adapters"].as_array().unwrap().iter().zip(&adapters) {
        for field in ["index", "name", "backend", "kind", "software", "driver"] {
            assert_eq!(there[field], adapter[field]);
        }
    }

    let rows = json["rows"].as_array().unwrap();
    let on_adapters = 2 * adapters.len();
    // cpu takes one thread for one block, and has no row of its own.
    assert_eq!(rows.len(), 2 * (1 + on_adapters));
    for (at, row) in rows.iter().enumerate() {
        let (size, engine) = (at / (1 + on_adapters), at % (1 + on_adapters));
        let samples = [100, 10_000][size];
        assert_eq!(row["samples"], samples);
        let (name, adapter, threads) = match engine {
            0 => ("cpu-1", Value::Null, Value::from(1)),
            _ => {
                let (kind, adapter) =
                    ((engine - 1) / adapters.len(), (engine - 1) % adapters.len());
                let index = adapters[adapter]["index"].clone();
                (["gpu", "gpu-batched"][kind], index, Value::Null)
            }
        };
        assert_eq!(row["also"] == "cpu", engine == 0, "{row}");
        assert_eq!(row["engine"], name);
        assert_eq!((&row["adapter"], &row["threads"]), (&adapter, &threads));
        assert_eq!(row["storage"], "f32");
        assert_eq!(row["agrees"], true, "{row}");
        assert_eq!(
            (&row["disagreement"], &row["failure"]),
            (&Value::Null, &Value::Null)
        );
        // For y = 4 + 3x + N(0, 1) at w = -1.5, b = 0.5, the mean of (3.5 + 4.5x + noise)² is 71.75.
        let loss = row["evaluation"]["loss"].as_f64().unwrap();
        assert!((60.0..85.0).contains(&loss), "{row}");
        for derivative in ["dw", "db"] {
            let value = row["evaluation"][derivative].as_f64().unwrap();
            assert!((-25.0..-10.0).contains(&value), "{row}");
        }
        let times = &row["epoch_seconds"];
        let of = |times: &Value, name: &str| times[name].as_f64().unwrap();
        let [min, q1, median, q3] = ["min", "q1", "median", "q3"].map(|name| of(times, name));
        assert!(
            0.0 < min && min <= q1 && q1 <= median && median <= q3,
            "{row}"
        );
        // A figure is the median of the rounds, and its ends are those of the rounds; of epochs those of the quartiles.
        let rounds = row["rounds"].as_array().unwrap();
        assert!(matches!(rounds.len(), 3..=6), "{row}");
        // All engines of a size have as many rounds.
        let of_size = rows.iter().filter(|row| row["samples"] == samples);
        let counts = of_size.map(|row| row["rounds"].as_array().unwrap().len());
        assert!(
            counts.into_iter().all(|count| count == rounds.len()),
            "{row}"
        );
        let covers = |figure: &Value, lower: &str, upper: &str| {
            let values = |key| rounds.iter().map(move |round| of(round, key));
            let [low, median, high] = ["low", "median", "high"].map(|key| of(figure, key));
            assert_eq!(low, values(lower).reduce(f64::min).unwrap(), "{row}");
            assert_eq!(high, values(upper).reduce(f64::max).unwrap(), "{row}");
            assert!(low <= median && median <= high, "{row}");
        };
        covers(times, "q1", "q3");
        covers(&row["phases"]["draw"], "draw", "draw");
        for round in rounds {
            let times = round["times"].as_array().unwrap();
            assert!(
                (1..=20).contains(&times.len()) && times.iter().all(above_0),
                "{round}"
            );
        }
        let epochs = times["epochs"].as_u64().unwrap();
        let sum = rounds.iter().map(|round| round["epochs"].as_u64().unwrap());
        assert!(epochs >= 5 && epochs == sum.sum::<u64>(), "{row}");
        // Seldom a figure that can't be true stays, and then its row says so.
        let kernel = row["kernel_seconds"]["median"].as_f64().unwrap_or(0.0);
        let share = row["roof"]["share_of_read"].as_f64().unwrap_or(0.0);
        let impossible = kernel > of(times, "high") || share > 1.1;
        assert_eq!(row["impossible"].is_string(), impossible, "{row}");
        let near =
            |value: &Value, expected: f64| (value.as_f64().unwrap() / expected - 1.0).abs() < 1e-9;
        assert!(near(
            &row["samples_per_second"],
            f64::from(samples) / median
        ));
        assert!(near(
            &row["bytes_per_second"],
            8.0 * f64::from(samples) / median
        ));
        let phases = &row["phases"];
        // One workgroup that trains alone is faster than reading, so it has no roof.
        assert_eq!(row["roof"].is_null(), name == "gpu-batched", "{row}");
        if engine < 1 {
            assert!(above_0(&row["roof"]["read_bytes_per_second"]), "{row}");
        } else {
            for number in [
                "read_bytes_per_second",
                "copy_bytes_per_second",
                "share_of_copy",
            ] {
                assert!(
                    row["roof"].is_null() || above_0(&row["roof"][number]),
                    "{row}"
                );
            }
            assert!(row["kernel_seconds"].is_null() || above_0(&row["kernel_seconds"]["low"]));
            for part in ["device_start", "compile", "load", "readback"] {
                assert!(above_0(&phases[part]["low"]), "{row}");
                covers(&phases[part], part, part);
            }
            assert!(above_0(&phases["load_bytes_per_second"]));
        }
        let [draw, setup, answer] =
            ["draw", "setup", "answer"].map(|name| of(&phases[name], "low"));
        assert!(draw > 0.0 && (setup > 0.0) == (engine >= 1), "{row}");
        assert!(answer >= draw + setup + 7.0 * min, "{row}");
    }
    let page = include_str!("../../docs/bench.md");
    for key in keys(&json) {
        assert!(
            page.contains(&format!("`{key}`")),
            "{key} is not in docs/bench.md"
        );
    }
    let first = &json["speedups"][0];
    assert_eq!(first["faster"], fastest(100));
    // On a machine that is too busy the ratio is withheld.
    for figure in ["ratio", "plus_minus"] {
        assert_eq!(first[figure].is_f64(), first["withheld"].is_null());
    }
    assert_eq!(json["speedups"].as_array().unwrap().len(), 2 * on_adapters);
    // Rows that a busy machine has spoilt are not compared.
    let break_even = &json["break_even"];
    for (key, most) in [("per_epoch", on_adapters), ("to_answer", 2 * on_adapters)] {
        let found = break_even[key].as_array().unwrap().len();
        assert!(found <= most, "{key}: {found}");
    }

    // The CSV holds the same, under the names of the fields.
    let mut csv = csv::Reader::from_path(at("bench.csv")).unwrap();
    let columns = csv.headers().unwrap().clone();
    for column in [
        "samples",
        "evaluation_dw",
        "epoch_seconds_q3",
        "phases_answer_median",
    ] {
        assert!(columns.iter().any(|there| there == column), "{columns:?}");
    }
    let lines: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    assert_eq!(lines.len(), rows.len());
    for (line, row) in lines.iter().zip(rows) {
        let leaf = |name: String, value: &Value| {
            let at = columns.iter().position(|column| column == name);
            let text = &line[at.unwrap_or_else(|| panic!("no column {name}"))];
            match value {
                Value::Null => assert_eq!(text, ""),
                Value::String(value) => assert_eq!(text, value),
                value => assert_eq!(text, value.to_string()),
            }
        };
        let leaves = leaves("", row);
        for column in &columns {
            // A group that is missing is one null in JSON, and several empty fields here.
            let is_of = |(name, value): &&(String, &Value)| {
                value.is_null() && column.starts_with(&format!("{name}_"))
            };
            match leaves.iter().find(|(name, _)| name == column) {
                Some((name, value)) => leaf(name.clone(), value),
                None => assert!(leaves.iter().any(|leaf| is_of(&leaf)), "{column}"),
            }
        }
    }

    // The terminal, Markdown and the plot hold it for people.
    let markdown = fs::read_to_string(at("bench.md")).unwrap();
    let svg = fs::read_to_string(at("bench.svg")).unwrap();
    let words: String = svg.lines().filter(|line| !line.starts_with('<')).collect();
    // Lines of 2 pixels are a curve for each engine, and its line in the legend. The CPU is blue, and cpu-1 dashed.
    let blue = |dashed: bool| {
        let lines = svg.lines().filter(|line| {
            line.contains("#0072B2")
                && line.contains("stroke-width=\"20\"")
                && line.contains("stroke-dasharray") == dashed
        });
        lines.count()
    };
    assert_eq!((blue(false), blue(true)), (2, 2), "{svg}");
    // Quartiles are bars of 3 pixels.
    let bars = svg
        .lines()
        .filter(|line| line.contains("stroke-width=\"30\""));
    assert_eq!(bars.count(), 2 * (2 + on_adapters), "{svg}");
    assert!(words.contains("Time of an epoch, mse") && words.contains("samples"));
    for row in rows {
        let label = label(row);
        assert!(words.contains(&label), "{label}: {words}");
        let samples = ["100", "1e4"][usize::from(row["samples"] == 10_000)];
        let line = |line: &str| {
            let mut fields = line.split(&[' ', '|']).filter(|field| !field.is_empty());
            fields.next() == Some(samples) && line.contains(&format!(" {label} "))
        };
        assert!(stdout.lines().any(line), "{label} at {samples}: {stdout}");
        assert!(
            markdown.lines().any(line),
            "{label} at {samples}: {markdown}"
        );
    }
    for text in [&stdout, &markdown] {
        let ran = format!("1e4 samples: {}", fastest(10_000));
        assert!(text.contains(&ran), "{text}");
        let compared = [" faster than ", "not compared with "];
        assert!(compared.iter().any(|part| text.contains(part)), "{text}");
        // A busy machine may have spoilt all sizes of an adapter.
        let judged = json["break_even"]["per_epoch"].as_array().unwrap();
        let is_judged = |adapter: &&Value| {
            judged
                .iter()
                .any(|one| one["adapter"] == adapter["index"] && one["engine"] == "gpu")
        };
        for adapter in adapters.iter().filter(is_judged) {
            let label = format!("gpu {}", adapter["index"]);
            let wins = format!("{label} wins per epoch ");
            let concluded = |line: &str| {
                line.contains(&wins)
                    || line.contains("the CPU is faster than ") && line.contains(&label)
            };
            assert!(text.lines().any(concluded), "{text}");
            assert!(text.contains(adapter["name"].as_str().unwrap()), "{text}");
            let mark = "software adapter; says nothing about GPU speed";
            assert!(
                text.contains(mark) || adapter["software"] == false,
                "{text}"
            );
        }
    }
    assert!(markdown.contains("To the answer of 7 epochs"), "{markdown}");
}

/// Returns every value of an object by its name in the CSV, but those of single rounds.
fn leaves<'v>(prefix: &str, value: &'v Value) -> Vec<(String, &'v Value)> {
    let fields = value.as_object().unwrap().iter();
    fields
        .filter(|(name, _)| *name != "rounds")
        .flat_map(|(name, value)| match value {
            Value::Object(_) => leaves(&format!("{prefix}{name}_"), value),
            value => vec![(format!("{prefix}{name}"), value)],
        })
        .collect()
}

#[test]
fn the_terminal_has_80_columns_and_wide_has_all() {
    let bench = "bench --samples 100,1e4 --min-time 0s --runs 2 --adapter 0";
    let stdout = ran(bench);
    // The first lines name the machine and its adapters, whose names may be long.
    let mut figures = stdout.lines().skip_while(|line| !line.is_empty());
    assert!(figures.all(|line| line.chars().count() <= 80), "{stdout}");
    assert!(!stdout.contains("read-back"), "{stdout}");
    assert_eq!(stdout.matches("Summary").count(), 1);
    let legend = |column: &str, text: &str| {
        text.lines()
            .any(|line| line.starts_with(&format!("{column:9}  ")))
    };
    for column in ["epoch", "samples/s", "GB/s", "of roof", "±"] {
        assert!(legend(column, &stdout), "{column}: {stdout}");
    }
    let wide = ran(&format!("{bench} --wide"));
    for column in ["quartiles", "min", "load", "read-back", "answer", "±"] {
        assert!(legend(column, &wide), "{column}: {wide}");
    }
}

#[test]
fn json_on_stdout_is_that_of_the_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("b.json");
    let bench = "bench --engines cpu --samples 100 --min-time 0s --runs 2 --format json";
    let stdout = ran(&format!("{bench} --export-json {}", path.display()));
    assert_eq!(stdout, fs::read_to_string(&path).unwrap());
    let json: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(json["rows"][0]["engine"], "cpu");
    assert_eq!(
        (&json["rows"][0]["also"], &json["speedups"]),
        (&Value::Null, &Value::Array(vec![]))
    );
}

/// Writes an export whose times are multiplied with a factor, without spread, and that was quiet.
fn scaled(json: &str, factor: f64, to: &std::path::Path) {
    let mut json: Value = serde_json::from_str(json).unwrap();
    for row in json["rows"].as_array_mut().unwrap() {
        row["others"] = Value::Null;
        let time = row["epoch_seconds"]["median"].as_f64().unwrap() * factor;
        for name in ["median", "low", "high"] {
            row["epoch_seconds"][name] = time.into();
        }
    }
    fs::write(to, json.to_string()).unwrap();
}

#[test]
fn a_comparison_names_what_got_slower_and_ends_with_8() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    // Shorter than 0.2 s, so that no share of other programs is known.
    let bench = "bench --engines cpu --samples 100 --min-time 1ms --runs 2";
    let json = ran(&format!("{bench} --format json"));
    let compare = |flags: &str| {
        let path = at("old.json");
        let compared = || {
            let output = run(&format!("{bench} {flags} --compare {}", path.display()));
            let [stdout, stderr] = [&output.stdout, &output.stderr].map(|bytes| text(bytes));
            (output.status.code(), stdout, stderr)
        };
        // A run that is held up may find the machine too busy, or its own ± too wide.
        let held_up = ["not compared", "1 of 1 time the same"];
        let mut tries = (0..50).map(|_| compared());
        tries
            .find(|(_, stdout, _)| !held_up.iter().any(|text| stdout.contains(text)))
            .unwrap()
    };
    scaled(&json, 1e-4, &at("old.json"));
    let (code, stdout, stderr) = compare("");
    assert_eq!(code, Some(8), "{stdout}{stderr}");
    assert!(
        stderr.contains("error: slower than in ") && stderr.contains("cpu at 100: "),
        "{stderr}"
    );
    assert!(stdout.contains("  slower: cpu at 100: "), "{stdout}");
    assert!(
        stdout.contains("  0 of 1 time the same within both spreads"),
        "{stdout}"
    );
    scaled(&json, 1e4, &at("old.json"));
    let (code, stdout, stderr) = compare("");
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("  faster: cpu at 100: "), "{stdout}");

    let same_file = format!("--export-json {}", at("old.json").display());
    let (code, _, stderr) = compare(&same_file);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(
        stderr.contains("would replace the run of --compare"),
        "{stderr}"
    );

    // Other work, other rows and other files are refused.
    for (flags, code, part) in [
        ("--loss mae", 3, "is of another loss"),
        ("--seed 21", 3, "is of another seed"),
        (
            "--samples 200",
            3,
            "has no time of the same engine and size",
        ),
    ] {
        let (found, _, stderr) = compare(flags);
        assert_eq!(found, Some(code), "{flags}: {stderr}");
        assert!(stderr.contains(part), "{flags}: {stderr}");
    }
    for (content, part) in [
        ("{}", "is not the JSON of a bench"),
        ("{\"schema\": \"fall-line bench 1\"}", "has the schema"),
        ("{\"schema\": \"fall-line bench 2\"}", "is damaged"),
    ] {
        fs::write(at("old.json"), content).unwrap();
        let (code, stdout, stderr) = compare("");
        assert_eq!(code, Some(3), "{content}: {stderr}");
        assert!(
            stderr.contains(part) && stdout.is_empty(),
            "{content}: {stdout}{stderr}"
        );
    }
}

#[test]
fn a_suite_is_fixed() {
    let conflict = [
        "--samples 1e3",
        "--loss mse",
        "--engines cpu",
        "--seed 20",
        "--runs 10",
    ];
    for flag in conflict.iter().chain(&[
        "--min-time 1s",
        "--epochs 50",
        "--storage f32",
        "--threads 2",
        "--no-tune",
    ]) {
        let output = run(&format!("bench --suite 1 {flag}"));
        assert_eq!(output.status.code(), Some(2), "{flag}");
    }
    assert_eq!(run("bench --suite 2").status.code(), Some(2));
    assert_eq!(run("bench --cite").status.code(), Some(2));
}

#[test]
fn losses_and_generators_are_those_of_train() {
    let folder = TempDir::new().unwrap();
    let json = folder.path().join("b.json");
    for (loss, flags, parameter) in Loss::ALL
        .map(|loss| {
            // That of `train` follows from the data.
            let delta = loss.threshold().map(|delta| format!("--delta {delta}"));
            (loss.name(), delta.unwrap_or_default(), loss.parameter())
        })
        .into_iter()
        .chain([
            ("huber", "--delta 2".to_owned(), Some(2.0)),
            (
                "quantile",
                "--quantile 0.9 --generator numpy".to_owned(),
                Some(0.9),
            ),
        ])
    {
        ran(&format!(
            "bench --samples 70k --min-time 0s --engines gpu --loss {loss} {flags} --seed 7 --export-json {}",
            json.display()
        ));
        let json: Value = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
        assert_eq!(json["settings"]["loss"], loss);
        assert_eq!(
            json["settings"]["loss_parameter"],
            serde_json::json!(parameter)
        );
        assert_eq!(json["rows"][0]["agrees"], true);
        assert_eq!(json["rows"].as_array().unwrap().len(), 1);
        // The first epoch of `train` is at the same line, over the same samples.
        let trained = ran(&format!(
            "train --samples 70k --engine cpu --loss {loss} {flags} --seed 7 --init-w -1.5 --init-b 0.5 \
             --epochs 1 --log-every 1"
        ));
        let [_, of_train, ..] = trained.lines().find_map(logged).unwrap();
        let of_bench = json["rows"][0]["evaluation"]["loss"].as_f64().unwrap();
        assert!((of_train - of_bench).abs() < 1e-3, "{of_train} {of_bench}");
    }
}

/// Returns every key of the JSON export except those of an adapter, which `adapters` has too.
fn keys(value: &Value) -> Vec<String> {
    match value {
        Value::Object(object) => object
            .iter()
            .filter(|(key, _)| *key != "adapters")
            .flat_map(|(key, value)| [vec![key.clone()], keys(value)].concat())
            .collect(),
        Value::Array(values) => values.iter().flat_map(keys).collect(),
        _ => vec![],
    }
}

#[test]
fn one_thread_is_one_and_all_are_all() {
    let folder = TempDir::new().unwrap();
    let json = folder.path().join("b.json");
    // From 8e6 samples on, two threads are always faster than one.
    ran(&format!(
        "bench --samples 8e6 --engines cpu-1,cpu --threads 2 --min-time 0s --export-json {}",
        json.display()
    ));
    let json: Value = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    assert_eq!(
        (&json["rows"][0]["threads"], &json["rows"][1]["threads"]),
        (&1.into(), &2.into())
    );
    // The CPU engine's sums have the same bits for any number of threads.
    assert_eq!(json["rows"][0]["evaluation"], json["rows"][1]["evaluation"]);
    assert_eq!(json["break_even"]["per_epoch"], Value::Array(vec![]));
}

#[test]
fn wrong_calls_end_before_anything_runs() {
    for (code, args, part) in [
        (2, "--samples 0", "at least 1"),
        (2, "--samples 1e3,ten", "not a count"),
        (2, "--engines tpu", "cpu-1"),
        (2, "--engines cpu --adapter 0", "--engines gpu"),
        (2, "--min-time soon", "250ms"),
        (2, "--min-time=-1s", "250ms"),
        (2, "--epochs 0", "at least 1"),
        (2, "--runs 1", "2..=1000"),
        (1, "--compare no/such.json", "no/such.json"),
        (2, "--loss mae --delta 2", "--loss huber"),
        (
            2,
            "--export-json b.txt",
            "--export-json b.txt must end in .json",
        ),
        (2, "--export-csv b.json", ".csv"),
        (2, "--export-markdown b.html", ".md or .markdown"),
        (2, "--plot b.gif", ".png or .svg"),
        (2, "--generator numpy --seed 4294967296", "--seed"),
        (
            1,
            "--export-json no/such/folder/b.json",
            "no/such/folder/b.json",
        ),
        (1, "--plot no/such/folder/b.svg", "no/such/folder/b.svg"),
        (1, "--engines cpu --samples 1e3,1e15", "8000000000 MB"),
        (4, "--adapter nosuch", "no adapter matches"),
    ] {
        let output = run(&format!("bench {args}"));
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args}: {errors}");
        assert!(errors.contains(part), "{args}: {errors}");
        let stdout = text(&output.stdout);
        let row = |line: &str| line.trim_start().starts_with("1e3 ");
        assert!(!stdout.lines().any(row), "{args}: {stdout}");
    }
}

#[test]
fn without_an_adapter_the_cpu_engines_are_timed_and_a_notice_says_so() {
    let run = |args: &str| {
        without_adapters()
            .args(["bench", "--samples", "100", "--min-time", "0s"])
            .args(args.split_whitespace())
            .output()
            .unwrap()
    };
    let output = run("");
    assert_eq!(output.status.code(), Some(0));
    let errors = text(&output.stderr);
    assert!(
        errors.contains("no GPU engine is timed: no GPU adapter found"),
        "{errors}"
    );
    let stdout = text(&output.stdout);
    assert!(stdout.contains("cpu-1 = cpu "), "{stdout}");
    assert!(!stdout.contains("gpu"), "{stdout}");
    for asked_for in ["--engines gpu", "--adapter 0"] {
        let output = run(asked_for);
        assert_eq!(output.status.code(), Some(4));
        assert!(text(&output.stderr).contains("mesa-vulkan-drivers"));
    }
}

/// Several adapters are timed alone and together, where each has a block of samples.
#[test]
fn several_adapters_are_timed_together() {
    let adapters = adapters();
    let [one, other] = [0, adapters.len() - 1];
    let folder = TempDir::new().unwrap();
    let json = folder.path().join("b.json");
    if one == other {
        // A second adapter is missing: that is said, and nothing is timed.
        let text = refused(2, "bench --engines gpus --adapter 0");
        assert!(text.contains("at least two adapters"), "{text}");
        return;
    }
    let stdout = ran(&format!(
        "bench --samples 1e4,2e5 --min-time 20ms --runs 3 --no-tune --adapter {one},{other} --export-json {}",
        json.display()
    ));
    let json: Value = serde_json::from_str(&fs::read_to_string(&json).unwrap()).unwrap();
    let rows = json["rows"].as_array().unwrap();
    let together: Vec<&Value> = rows.iter().filter(|row| row["engine"] == "gpus").collect();
    assert_eq!(together.len(), 1);
    assert_eq!(
        (&together[0]["samples"], &together[0]["agrees"]),
        (&200_000.into(), &true.into())
    );
    assert!(above_0(&together[0]["epoch_seconds"]["median"]));
    let scaling = json["scaling"].as_array().unwrap();
    assert_eq!(scaling.len(), 1);
    assert_eq!(
        (&scaling[0]["samples"], &scaling[0]["adapters"]),
        (&200_000.into(), &2.into())
    );
    assert!(
        above_0(&scaling[0]["efficiency"]) || scaling[0]["withheld"].is_string(),
        "{scaling:?}"
    );
    assert!(stdout.contains("2e5 samples on 2 adapters: "), "{stdout}");
}

/// The address space is too small by much, too small by little, or large enough.
#[cfg(target_os = "linux")]
#[test]
fn finished_rows_are_exported_if_memory_runs_out_later() {
    let folder = TempDir::new().unwrap();
    let mut codes = Vec::new();
    let adapters = adapters();
    let software = adapters
        .iter()
        .filter(|adapter| adapter["software"] == true);
    for (at, adapter) in software.enumerate() {
        // That large memory is enough takes long to show: once will do.
        let large = (at == 0).then_some(4000);
        for megabytes in [450, 540].into_iter().chain(large) {
            let json = folder.path().join(format!("{megabytes}.json"));
            let output = Command::new("sh")
                .arg("-c")
                .arg(format!(
                    "ulimit -v {megabytes}000; exec {} bench --samples 1e3,1e7 --min-time 0s --runs 2 --no-tune --engines cpu-1,cpu,gpu --adapter {} \
                     --export-json {}",
                    env!("CARGO_BIN_EXE_fall-line"),
                    adapter["index"],
                    json.display()
                ))
                .output()
                .unwrap();
            let errors = text(&output.stderr);
            let code = output.status.code().unwrap();
            codes.push(code);
            let Ok(json) = fs::read_to_string(&json) else {
                assert_eq!(
                    (code, text(&output.stdout).contains("1e3 ")),
                    (1, false),
                    "{errors}"
                );
                continue;
            };
            let json: Value = serde_json::from_str(&json).unwrap();
            let rows = json["rows"].as_array().unwrap();
            match code {
                // At 1e3 samples cpu is cpu-1.
                0 => assert!(rows.len() == 5 && rows.iter().all(|row| row["agrees"] == true)),
                1 => {
                    assert_eq!(rows.len(), 2, "{errors}");
                    let warnings = json["warnings"].to_string();
                    assert!(warnings.contains("it ended early: 10,000,000 samples need 80 MB"));
                }
                4 => {
                    let failed = rows.iter().find(|row| row["failure"].is_string()).unwrap();
                    let why = failed["failure"].as_str().unwrap();
                    assert!(errors.contains(why) && text(&output.stdout).contains(why));
                    assert_eq!(failed["epoch_seconds"], Value::Null);
                    assert!(above_0(&rows[0]["epoch_seconds"]["median"]));
                }
                _ => panic!("{code}: {errors}"),
            }
        }
    }
    println!("exit codes: {codes:?}");
    assert!(codes.contains(&0) && codes.contains(&1));
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_the_run_at_once_and_leaves_no_file() {
    use std::io::{BufRead, BufReader};
    let folder = TempDir::new().unwrap();
    let mut child = fall_line()
        .args("bench --engines cpu-1,cpu --samples 100,1e7 --min-time 3s --export-json".split(' '))
        .arg(folder.path().join("b.json"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("cpu-1 ")));
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_closed_pipe_ends_no_bench() {
    let folder = TempDir::new().unwrap();
    let export = folder.path().join("b.csv");
    let mut child = fall_line()
        .args("bench --engines cpu --samples 100 --min-time 0s --export-csv".split(' '))
        .arg(&export)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let errors = text(&output.stderr);
    assert!(!errors.contains("error:"), "{errors}");
    assert_eq!(fs::read_to_string(export).unwrap().lines().count(), 2);
}

#[test]
fn an_earlier_run_with_a_time_that_can_not_be_is_damaged() {
    let folder = TempDir::new().unwrap();
    let old = folder.path().join("old.json");
    let bench = "bench --samples 1000 --engines cpu-1 --runs 2 --min-time 0s";
    ran(&format!("{bench} --export-json {}", old.display()));
    let json: Value = serde_json::from_str(&fs::read_to_string(&old).unwrap()).unwrap();
    for time in [-1.0, 0.0, 1e300] {
        let mut damaged = json.clone();
        damaged["rows"][0]["epoch_seconds"]["median"] = time.into();
        fs::write(&old, damaged.to_string()).unwrap();
        let text = refused(3, &format!("{bench} --compare {}", old.display()));
        assert!(text.contains("is damaged: no epoch takes"), "{text}");
    }
}
