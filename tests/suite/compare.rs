//! Lists of losses and of learning rates: each run is what it is alone, and all stand side by side.

use crate::common::program;
use std::fs;

use program::{json, ran, refused, run, stderr, stdout};
use serde_json::Value;
use tempfile::TempDir;

const DATA: &str = "train --engine cpu --samples 3000 --outliers 0.05 --epochs 150";

/// The columns of a table's row.
fn row<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    let rows = text.lines().map(|line| line.split_whitespace().collect());
    rows.into_iter()
        .find(|row: &Vec<&str>| row.first() == Some(&name))
        .unwrap_or_else(|| panic!("{name}: {text}"))
}

#[test]
fn each_run_of_a_list_is_what_it_is_alone() {
    for (list, flags) in [
        (
            "--loss mse,mae,huber,log-cosh,quantile --quantile 0.5",
            vec![
                "--loss mse",
                "--loss mae",
                "--loss huber",
                "--loss log-cosh",
                "--loss quantile --quantile 0.5",
            ],
        ),
        (
            "--lr 0.01,0.1,auto",
            vec!["--lr 0.01", "--lr 0.1", "--lr auto"],
        ),
    ] {
        let all = json(&format!("{DATA} {list} --format json"));
        let all = all.as_array().unwrap();
        assert_eq!(all.len(), flags.len());
        for (one, flag) in all.iter().zip(flags) {
            let alone = json(&format!("{DATA} {flag} --format json"));
            for key in [
                "w",
                "b",
                "final_loss",
                "loss",
                "loss_parameter",
                "learning_rate",
                "epochs",
            ] {
                assert_eq!(one[key], alone[key], "{flag}, {key}");
            }
        }
        // The table has the same lines, and their means under each loss.
        let text = ran(&format!("{DATA} {list}"));
        for one in all {
            let name = match list.contains("--loss") {
                true => one["loss"].as_str().unwrap().to_owned(),
                false if one["learning_rate"] == 0.01 || one["learning_rate"] == 0.1 => {
                    one["learning_rate"].to_string()
                }
                false => "auto".to_owned(),
            };
            let row = row(&text, &name);
            assert_eq!(
                row[1],
                format!("{:.4}", one["w"].as_f64().unwrap()),
                "{text}"
            );
            assert_eq!(row[3], one["epochs"].to_string(), "{text}");
        }
    }
}

/// The mean under a loss is least for the line of that loss: the table shows at a glance whom outliers lead away.
#[test]
fn the_table_has_the_loss_of_each_line_under_each_loss() {
    let text = ran(&format!(
        "{DATA} --epochs 3000 --standardize --loss mse,mae,huber --lr auto"
    ));
    let means: Vec<Vec<f64>> = ["mse", "mae", "huber"]
        .iter()
        .map(|name| {
            row(&text, name)[4..]
                .iter()
                .map(|mean| mean.parse().unwrap())
                .collect()
        })
        .collect();
    for (loss, own) in means.iter().enumerate() {
        for other in &means {
            assert!(own[loss] <= other[loss], "{text}");
        }
    }
    assert!(
        means[1][0] > 1.001 * means[0][0] && means[0][1] > 1.01 * means[1][1],
        "{text}"
    );
    assert!(text.contains("drawn around:"), "{text}");
}

#[test]
fn files_of_several_runs_have_names_of_their_own() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let output = run(&format!(
        "{DATA} --loss mse,mae --save {} --history {} --plot fit,loss,surface={}",
        at("{loss}.json"),
        at("{loss}.csv"),
        at("all.svg")
    ));
    assert!(output.status.success(), "{output:?}");
    for loss in ["mse", "mae"] {
        let saved: Value =
            serde_json::from_str(&fs::read_to_string(at(&format!("{loss}.json"))).unwrap())
                .unwrap();
        assert_eq!(saved["loss"], loss);
        assert_eq!(
            fs::read_to_string(at(&format!("{loss}.csv")))
                .unwrap()
                .lines()
                .count(),
            151
        );
    }
    let picture = fs::read_to_string(at("all.svg")).unwrap();
    assert!(
        picture
            .contains("<title>y over x. Losses. Loss surface of mse. Loss surface of mae</title>"),
        "{picture}"
    );
    let written = stderr(&output);
    assert_eq!(
        written
            .lines()
            .filter(|line| line.starts_with("wrote "))
            .count(),
        5,
        "{written}"
    );
    for (flags, problem) in [
        (
            "--loss mse,mae --save line.json",
            "put {loss} into its name",
        ),
        (
            "--lr 0.1,0.2 --history {loss}.csv",
            "put {rate} into its name",
        ),
        ("--loss mse,mae --lr 0.1,0.2", "not both"),
        ("--loss mse,l2", "mse is in the list twice"),
        ("--loss mse,mae --plan", "one loss"),
        (
            "--loss mse,mae --delta 2",
            "belongs to --loss huber, not to --loss mse,mae",
        ),
    ] {
        let text = refused(2, &format!("train --samples 100 {flags}"));
        assert!(text.contains(problem), "{text}");
    }
    assert!(refused(2, "bench --loss mse,mae").contains("--loss takes one loss here"));
}

/// A rate that is too large is seen beside the others, and the run ends with its code.
#[test]
fn a_descent_that_diverges_stands_beside_the_others() {
    let output = run("train --engine cpu --samples 1000 --lr 0.1,2 --force --epochs 40");
    assert_eq!(output.status.code(), Some(5));
    let (text, told) = (stdout(&output), stderr(&output));
    assert_eq!(row(&text, "2")[1], "diverged", "{text}");
    let alone = json("train --engine cpu --samples 1000 --lr 0.1 --epochs 40 --format json");
    assert_eq!(
        row(&text, "0.1")[1],
        format!("{:.4}", alone["w"].as_f64().unwrap()),
        "{text}"
    );
    assert_eq!(row(&text, "0.1")[3], "40", "{text}");
    assert!(told.contains("error: 2: diverged"), "{told}");
    let strict = run("train --engine cpu --samples 1000 --lr 0.1,0.2 --epochs 5 --strict");
    assert_eq!(strict.status.code(), Some(6), "{strict:?}");
}
