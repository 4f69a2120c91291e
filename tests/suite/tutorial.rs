//! The draws, and fifty epochs in f64, compared with NumPy digit by digit. The values are from golden/tutorial.py.

use crate::common;
use std::ops::ControlFlow;

use common::{all, on_every_engine, recipe};
use fall_line::data::Source;
use fall_line::data::numpy::Numpy;
use fall_line::data::synthetic::Recipe;
use fall_line::loss::Loss;
use fall_line::train::{Config, Descent, Epoch, Walk, train};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    seed: u64,
    samples: u64,
    /// The first and the last x.
    x: [f64; 2],
    y: [f64; 2],
    sum_x: f64,
    sum_y: f64,
    /// w and b.
    start: [f64; 2],
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    loss: String,
    epochs: Vec<(u64, f64, f64, f64)>,
    final_loss: f64,
}

fn golden() -> Vec<Case> {
    let golden: Golden = serde_json::from_str(include_str!("../golden/tutorial.json")).unwrap();
    assert_eq!(golden.cases.len(), 4 * 5);
    for case in &golden.cases {
        let losses: Vec<&str> = case.runs.iter().map(|run| run.loss.as_str()).collect();
        assert_eq!(losses, Loss::ALL.map(Loss::name));
    }
    golden.cases
}

fn numpy(case: &Case) -> Numpy {
    let recipe = Recipe {
        seed: case.seed,
        ..recipe(case.samples)
    };
    Numpy::new(recipe, &|_| {}).unwrap()
}

/// Returns whether values are equal except for the last bits, where logarithms of C libraries and orders of sums differ.
fn near(ours: f64, numpys: f64) -> bool {
    (ours - numpys).abs() <= 1e-14 * numpys.abs()
}

#[test]
fn the_draws_are_those_of_numpy() {
    for case in golden() {
        let source = numpy(&case);
        let drawn = all(&source);
        let what = format!("seed {}, {} samples", case.seed, case.samples);
        assert_eq!(drawn.x.len() as u64, case.samples, "{what}");
        // x needs no logarithm, so it is equal to the bit.
        assert_eq!([drawn.x[0], *drawn.x.last().unwrap()], case.x, "{what}");
        for (ours, numpys) in [
            (drawn.y[0], case.y[0]),
            (*drawn.y.last().unwrap(), case.y[1]),
            (source.start().w, case.start[0]),
            (source.start().b, case.start[1]),
        ] {
            assert!(near(ours, numpys), "{what}: {ours} is not {numpys}");
        }
        assert!((drawn.x.iter().sum::<f64>() - case.sum_x).abs() < 1e-11 * case.sum_x);
        assert!((drawn.y.iter().sum::<f64>() - case.sum_y).abs() < 1e-11 * case.sum_y);
    }
}

#[test]
fn blocks_are_the_same_in_any_order() {
    let source = numpy(&Case {
        samples: 200_001,
        ..golden().pop().unwrap()
    });
    let forwards = all(&source);
    let mut block = Default::default();
    for index in [3, 0, 2, 1, 3] {
        source.read(index, &mut block).unwrap();
        let first = (index << 16) as usize;
        assert_eq!(block.x, forwards.x[first..first + block.x.len()]);
        assert_eq!(block.y, forwards.y[first..first + block.y.len()]);
    }
}

#[test]
fn fifty_epochs_follow_those_of_numpy_in_f64() {
    for case in golden() {
        let source = numpy(&case);
        for run in &case.runs {
            let loss = Loss::ALL
                .into_iter()
                .find(|loss| loss.name() == run.loss)
                .unwrap();
            on_every_engine(&source, loss, |name, engine| {
                let what = format!("{name}: {}, seed {}, {}", run.loss, case.seed, case.samples);
                let mut epochs: Vec<Epoch> = Vec::new();
                let config = Config {
                    epochs: 50,
                    descent: Descent::gd(0.1),
                    stop: None,
                    sync_every: 1,
                    start: source.start(),
                };
                let trained = train(engine, &config, &mut Walk::new(&config), &mut |epoch, _| {
                    epochs.push(*epoch);
                    ControlFlow::Continue(())
                })
                .unwrap();
                // f32 rounds every residual by about 2^-23 of a prediction below 16: 2e-6. An epoch
                // adds the learning rate times that to w and b, and later ones shrink it. For mae and
                // quantile, it matters that no residual of these runs is within 2e-6 of 0, where its
                // sign would change.
                let same = |ours: f64, numpys: f64, of: &str| {
                    let off = (ours - numpys).abs();
                    assert!(off <= 5e-6, "{what}: {of} is {ours}, not {numpys}");
                };
                for &(epoch, loss, w, b) in &run.epochs {
                    let ours = epochs[epoch as usize - 1];
                    assert_eq!(ours.epoch, epoch);
                    same(ours.loss, loss, "loss");
                    same(ours.w, w, "w");
                    same(ours.b, b, "b");
                }
                same(trained.loss, run.final_loss, "final loss");
            });
        }
    }
}
