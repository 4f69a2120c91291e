//! `fall-line bench` under `mpirun`: each number of ranks has its row, whose sums are those of one rank, and one rank prints.
#![cfg(target_os = "linux")]

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::program::{engines, ran, stderr, stdout};
use crate::mpirun::{ended, errors, json_over, mpirun, ran_over, started};

const SHORT: &str = "--runs 2 --min-time 10ms";

/// What a row is: its scaling, its ranks, the samples of all ranks, and those of the rank with the most.
fn case(row: &Value) -> (&str, u64, u64, u64) {
    let number = |name: &str| row[name].as_u64().unwrap();
    (
        row["scaling"].as_str().unwrap(),
        number("ranks"),
        number("all_samples"),
        number("most_samples"),
    )
}

fn median(row: &Value, name: &str) -> f64 {
    row[name]["median"].as_f64().unwrap()
}

/// Checks that the figures of a size go together.
fn check(rows: &[Value]) {
    let alone = median(&rows[0], "epoch_seconds") / rows[0]["samples"].as_f64().unwrap();
    assert_eq!(rows[0]["scaling"], "alone");
    rows.iter().for_each(|row| check_row(row, alone));
}

/// Checks the figures of a row, by the time of one rank for a sample.
fn check_row(row: &Value, alone: f64) {
    assert_eq!(row["disagreement"], Value::Null, "{row}");
    assert_eq!(row["rounds"].as_array().unwrap().len(), 2);
    for name in ["epoch_seconds", "own_seconds", "load_seconds"] {
        let ends = ["low", "median", "high"].map(|end| row[name][end].as_f64().unwrap());
        assert!(0.0 < ends[0] && ends.is_sorted(), "{row}");
    }
    if row["scaling"] == "alone" {
        for name in [
            "gather_seconds",
            "model_seconds",
            "off_model",
            "efficiency",
            "withheld",
        ] {
            assert_eq!(row[name], Value::Null, "{name}: {row}");
        }
        return;
    }
    let most = row["most_samples"].as_f64().unwrap();
    let model = alone * most + median(row, "gather_seconds");
    let close = |name: &str, value: f64| {
        assert!(
            (row[name].as_f64().unwrap() - value).abs() < 1e-12,
            "{name}: {row}"
        );
    };
    close("model_seconds", model);
    close("off_model", median(row, "epoch_seconds") / model - 1.0);
    // Other programs of the machine may be a reason.
    assert_ne!(
        row["efficiency"].is_null(),
        row["withheld"].is_null(),
        "{row}"
    );
}

#[test]
fn every_number_of_ranks_is_timed_and_agrees() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ranks.json");
    let args = format!(
        "bench --engines cpu --samples 3e5,1000 {SHORT} --format json --export-json {}",
        path.display()
    );
    let printed = json_over(3, &args);
    let written: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(printed, written);
    assert_eq!(printed["schema"], "fall-line bench over ranks 1");
    let ranks = printed["ranks"].as_array().unwrap();
    assert_eq!(ranks.len(), 3);
    assert!(
        ranks
            .iter()
            .all(|rank| rank["engine"].as_str().unwrap().starts_with("cpu ("))
    );
    assert!(
        printed["library"].as_str().unwrap().contains("MPI"),
        "{printed}"
    );
    let rows = printed["rows"].as_array().unwrap();
    let cases: Vec<_> = rows.iter().map(case).collect();
    // Ranks take whole blocks of 65,536 samples: 3e5 are 5 blocks, 6e5 are 10, 9e5 are 14, and the last one is not whole.
    let block = 65_536;
    assert_eq!(
        cases,
        [
            ("alone", 1, 1000, 1000),
            ("strong", 2, 1000, 1000),
            ("weak", 2, 2000, 2000),
            ("strong", 3, 1000, 1000),
            ("weak", 3, 3000, 3000),
            ("alone", 1, 300_000, 300_000),
            ("strong", 2, 300_000, 3 * block),
            ("weak", 2, 600_000, 5 * block),
            ("strong", 3, 300_000, 2 * block),
            ("weak", 3, 900_000, 5 * block),
        ]
    );
    rows.chunks(5).for_each(check);
}

#[test]
fn ranks_run_on_adapters_and_every_loss() {
    let flags = "--engines gpu --no-tune --samples 2e5";
    for loss in ["mae", "huber"] {
        let printed = json_over(
            2,
            &format!("bench {flags} --loss {loss} {SHORT} --format json"),
        );
        check(printed["rows"].as_array().unwrap());
        assert_eq!(printed["settings"]["loss"], loss);
        assert!(
            !printed["ranks"][1]["engine"]
                .as_str()
                .unwrap()
                .starts_with("cpu")
        );
    }
    let printed = json_over(
        2,
        &format!("bench {flags} --storage f16 {SHORT} --format json"),
    );
    check(printed["rows"].as_array().unwrap());
    // Two adapters each, if there are two; else one twice.
    let last = engines().len() - 2;
    let printed = json_over(
        2,
        &format!("bench {flags} --adapter 0,0,{last},{last} {SHORT} --format json"),
    );
    check(printed["rows"].as_array().unwrap());
    for rank in 0..2 {
        let engine = printed["ranks"][rank]["engine"].as_str().unwrap();
        let adapters: Vec<&str> = engine.split(" + ").collect();
        assert_eq!(adapters.len(), 2, "{engine}");
        assert_eq!(adapters[0] == adapters[1], last == 0, "{engine}");
    }
}

#[test]
fn one_rank_prints_the_table() {
    let output = ran_over(2, &format!("bench --engines cpu --samples 2e5 {SHORT}"));
    let text = stdout(&output);
    let count = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!(count("machine: "), 1, "{text}");
    assert_eq!(count("samples  scaling  ranks"), 1, "{text}");
    assert_eq!(count("2e5 "), 3, "{text}");
    let errors = stderr(&output);
    let mut warnings: Vec<&str> = errors
        .lines()
        .filter(|line| line.starts_with("warning"))
        .collect();
    let all = warnings.len();
    warnings.dedup();
    assert_eq!(all, warnings.len(), "{errors}");
    // One rank has no others to scale to.
    let alone = ran_over(1, &format!("bench --engines cpu-1 --samples 1000 {SHORT}"));
    assert!(stdout(&alone).contains("cpu-1"));
    assert!(
        ran(&format!(
            "bench --engines cpu-1 --samples 1000 --mpi {SHORT}"
        ))
        .contains("cpu-1")
    );
}

#[test]
fn what_ranks_cannot_do_is_refused_once() {
    for (flags, text) in [
        ("--suite 1", "--suite"),
        ("--epochs 10", "--epochs"),
        ("--wide", "--wide"),
        ("--compare tests/data/none.json", "--compare"),
        ("--export-json a.json --cite", "--cite"),
        ("--export-csv a.csv", "--export-csv"),
        ("--export-markdown a.md", "--export-markdown"),
        ("--plot a.svg", "--plot"),
        ("--engines cpu,gpu", "--engines"),
        ("--engines gpus", "--engines"),
        ("--engines cpu --storage f16", "--storage"),
        ("--engines cpu --adapter 0", "--adapter"),
        ("--engines cpu --export-json a.txt", "--export-json"),
    ] {
        let output = ended(started(mpirun(2, &format!("bench {flags}"))));
        assert_eq!(
            output.status.code(),
            Some(2),
            "{flags}: {}",
            stderr(&output)
        );
        let errors = errors(&output);
        assert_eq!(errors.len(), 1, "{flags}: {errors:?}");
        assert!(errors[0].contains(text), "{flags}: {errors:?}");
        assert_eq!(
            stdout(&output)
                .lines()
                .filter(|line| line.contains("samples"))
                .count(),
            0
        );
    }
    // A disk that is full, which the first rank alone has.
    let args = format!("bench --engines cpu --samples 1000 {SHORT} --export-json /dev/full/a.json");
    let output = ended(started(mpirun(2, &args)));
    assert_ne!(output.status.code(), Some(0));
}
