//! Reasons not to believe a line: good sets give none, and planted faults are found.
//!
//! `FALL_LINE_SETS=2000 cargo test --release --test suite cautions:: -- --show-output` draws more sets and prints the shares.

use fall_line::Loss;
use fall_line::data::Block;
use fall_line::engine::Choice;
use fall_line::fit::{Fit, Options};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use serde_json::Value;

use crate::common::{Samples, program};
use program::{run, stderr, stdout};

const LOSSES: [Loss; 4] = [
    Loss::Mse,
    Loss::Mae,
    Loss::Huber { delta: 1.345 },
    Loss::LogCosh,
];

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(rng)
}

/// Draws x from 0 to 10 and y = 4 + 3x + noise of deviation 1.
fn good(rng: &mut ChaCha8Rng, rows: usize) -> Block {
    let mut block = Block::default();
    for _ in 0..rows {
        let x = rng.random_range(0.0..10.0);
        block.push((x, 4.0 + 3.0 * x + normal(rng)));
    }
    block
}

/// Returns the codes of the warnings.
fn codes(block: Block, loss: Loss) -> Vec<&'static str> {
    let options = Options {
        loss,
        engine: Choice::Cpu,
        history: false,
        ..Options::default()
    };
    let outcome = Fit::with(Samples(block), options).run().unwrap();
    let doubts = outcome.warning.iter().map(|warning| warning.doubt.code());
    let cautions = outcome
        .quality
        .cautions
        .iter()
        .map(|caution| caution.code());
    doubts.chain(cautions).collect()
}

fn sets() -> u64 {
    std::env::var("FALL_LINE_SETS").map_or(200, |sets| sets.parse().unwrap())
}

/// The errors belong to the best line. At another one they tell nothing of the slope.
#[test]
fn a_descent_that_has_not_arrived_denies_no_relation() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("exact.csv");
    let rows: String = (0..200).map(|x| format!("{x},{}\n", 2 * x + 1)).collect();
    std::fs::write(&path, format!("x,y\n{rows}")).unwrap();
    for loss in ["mae", "huber", "log-cosh", "quantile"] {
        let result = program::json(&format!(
            "train {} --loss {loss} --learning-rate 1e-6 --epochs 3 --engine cpu --format json",
            path.display()
        ));
        let warnings = result["warnings"].as_array().unwrap();
        assert_eq!(warnings[0]["code"], "not-converged", "{loss}");
        let denied = warnings
            .iter()
            .any(|warning| warning["code"] == "no-relation");
        assert!(!denied, "{loss}: {warnings:?}");
        assert!(result["errors"].is_null());
    }
}

/// Draws x as sizes and prices are, from exp N(0, 1), and y = 3x + noise of deviation x.
fn growing(rng: &mut ChaCha8Rng, rows: usize) -> Block {
    let mut block = Block::default();
    for _ in 0..rows {
        let x = normal(rng).exp();
        block.push((x, 3.0 * x + x * normal(rng)));
    }
    block
}

/// At most 1 % of good sets get a warning of any kind; of fewer sets two more than that may.
#[test]
fn good_sets_give_no_warning() {
    for (at, loss) in (0..).zip(LOSSES) {
        let mut warned = 0;
        for seed in 0..sets() {
            let rng = &mut ChaCha8Rng::seed_from_u64(seed + 1_000_000 * at);
            let rows = *[20, 50, 200, 1000, 5000].get(seed as usize % 5).unwrap();
            let found = codes(good(rng, rows), loss);
            warned += u64::from(!found.is_empty());
            if !found.is_empty() {
                println!("{loss}, {rows} rows, set {seed}: {found:?}");
            }
        }
        println!("{loss}: {warned} of {} good sets warned of", sets());
        assert!(
            warned <= sets() / 100 + if sets() < 2000 { 2 } else { 0 },
            "{loss}"
        );
    }
}

/// Noise that grows with x is no curve. Its far values are outliers of mse all the same.
#[test]
fn noise_that_grows_is_no_curve() {
    let mut warned = 0;
    for seed in 0..sets() {
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        let rows = *[100, 300, 1000].get(seed as usize % 3).unwrap();
        warned += u64::from(codes(growing(rng, rows), Loss::Mse).contains(&"curved"));
    }
    println!(
        "{warned} of {} sets whose noise grows called curved",
        sets()
    );
    assert!(warned <= sets() / 100 + if sets() < 2000 { 2 } else { 0 });
}

/// A fault planted in good sets of 100 to 1,000 rows.
struct Fault {
    code: &'static str,
    words: &'static str,
    plant: fn(&mut ChaCha8Rng, &mut Block),
    losses: &'static [Loss],
}

const FAULTS: [Fault; 8] = [
    Fault {
        code: "curved",
        words: "a parabola that reaches 4 standard deviations of the noise at the ends",
        plant: |_, block| {
            for (x, y) in block.x.iter().zip(&mut block.y) {
                *y += 4.0 * (x / 5.0 - 1.0).powi(2);
            }
        },
        losses: &LOSSES,
    },
    Fault {
        code: "one-sample",
        words: "one x, 10 times as far off as all others together",
        plant: |_, block| block.x[17] = 100.0 * block.x.len() as f64,
        losses: &LOSSES,
    },
    Fault {
        code: "one-sample",
        words: "a code for a missing x",
        plant: |_, block| block.x[17] = 999_999_999.0,
        losses: &[Loss::Mse],
    },
    Fault {
        code: "outliers",
        words: "2 % of y 100 too high",
        plant: |rng, block| {
            for at in 0..block.y.len() / 50 {
                let _: f64 = rng.random();
                block.y[at * 50 + 7] += 100.0;
            }
        },
        losses: &[Loss::Mse],
    },
    Fault {
        code: "outliers",
        words: "y ten times too high in 3 % of samples",
        plant: |_, block| {
            for at in 0..block.y.len() / 33 {
                block.y[at * 33 + 5] *= 10.0;
            }
        },
        losses: &[Loss::Mse],
    },
    Fault {
        code: "unit",
        words: "y in a unit a thousand times as large",
        plant: |_, block| block.y.iter_mut().for_each(|y| *y /= 1000.0),
        losses: &[Loss::LogCosh],
    },
    Fault {
        code: "unit",
        words: "y in a unit a thousand times as small",
        plant: |_, block| block.y.iter_mut().for_each(|y| *y *= 1000.0),
        losses: &[Loss::LogCosh],
    },
    Fault {
        code: "no-relation",
        words: "y that is noise; one set in 20 has a slope by chance",
        plant: |rng, block| block.y.iter_mut().for_each(|y| *y = normal(rng)),
        losses: &LOSSES,
    },
];

/// 99 % of planted faults are found; of pure noise 95 %, less three standard deviations of the share.
#[test]
fn planted_faults_are_found() {
    for fault in FAULTS {
        for &loss in fault.losses {
            let mut found = 0;
            for seed in 0..sets() {
                let rng = &mut ChaCha8Rng::seed_from_u64(seed);
                let rows = *[100, 300, 1000].get(seed as usize % 3).unwrap();
                let mut block = good(rng, rows);
                (fault.plant)(rng, &mut block);
                found += u64::from(codes(block, loss).contains(&fault.code));
            }
            println!("{loss}: {found} of {} found of {}", sets(), fault.words);
            let n = sets() as f64;
            let least = match fault.code {
                "no-relation" => 0.95 * n - 3.0 * (0.05 * 0.95 * n).sqrt(),
                _ => 0.99 * n,
            };
            assert!(found as f64 >= least, "{loss}, {}: {found}", fault.words);
        }
    }
}

/// One line on stderr for each, and the same in JSON.
#[test]
fn the_program_warns() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("bent.csv").display().to_string();
    let rows = (0..100).map(|i| format!("{i},{}\n", i * i + i % 7));
    std::fs::write(&path, "x,y\n".to_owned() + &rows.collect::<String>()).unwrap();
    for engine in program::engines() {
        let output = run(&format!("train {path} {engine} -q --strict"));
        assert!(output.status.success(), "{output:?}");
        let text = stderr(&output);
        assert!(
            text.starts_with("warning: the data curve: a parabola would explain 100 %"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 1, "{text}");
        let output = run(&format!("train {path} {engine} --format json"));
        let result: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(result["warnings"][0]["code"], "curved");
        assert!(text.contains(result["warnings"][0]["text"].as_str().unwrap()));
    }
}
