//! Descents over real engines: interrupted walks that continue, and convergence.

use crate::common;
use std::ops::ControlFlow;

use common::{on_every_adapter, on_every_engine, recipe, synthetic};
use fall_line::data::synthetic::{ChaCha, Recipe};
use fall_line::engine::Engine;
use fall_line::engine::cpu::CpuEngine;
use fall_line::engine::gpu::{GpuEngine, Options};
use fall_line::loss::Loss;
use fall_line::model::Model;
use fall_line::train::{
    Config, Descent, Ended, Epoch, Optimizer, Schedule, Stop, Trained, Walk, train,
};

const START: Model = Model { w: -1.5, b: 0.5 };

fn config(descent: Descent) -> Config {
    Config {
        epochs: 40,
        start: START,
        sync_every: 1,
        descent,
        stop: Some(Stop::default()),
    }
}

/// Returns every optimizer with every schedule, and the cutting plane.
fn descents() -> Vec<Descent> {
    let mut descents = vec![Descent::CuttingPlane {
        reach: Model { w: 2.0, b: 1.0 },
        tolerance: Model::both(1e-6),
        exact: false,
    }];
    for optimizer in [Optimizer::Gd, Optimizer::Momentum, Optimizer::Adam] {
        for (schedule, learning_rate) in [
            (Schedule::Constant, 0.05),
            (Schedule::InverseTime, 0.1),
            // A step so long that it has to be taken back.
            (Schedule::Adaptive, 3.0),
        ] {
            descents.push(Descent::Steps {
                optimizer,
                schedule,
                learning_rate,
            });
        }
    }
    descents
}

fn uninterrupted(engine: &mut dyn Engine, config: &Config) -> (Trained, Vec<Epoch>, Walk) {
    let mut walk = Walk::new(config);
    let mut seen = Vec::new();
    let trained = train(engine, config, &mut walk, &mut |epoch, _| {
        seen.push(*epoch);
        ControlFlow::Continue(())
    });
    (trained.unwrap(), seen, walk)
}

/// Interrupts training after an epoch, and continues from the JSON of the walk at that point.
fn interrupted(
    engine: &mut dyn Engine,
    config: &Config,
    after: u64,
) -> (Trained, Vec<Epoch>, Walk) {
    let mut seen = Vec::new();
    let mut kept = None;
    let mut walk = Walk::new(config);
    let first = train(engine, config, &mut walk, &mut |epoch, walk| {
        seen.push(*epoch);
        if epoch.epoch < after {
            return ControlFlow::Continue(());
        }
        kept = Some(serde_json::to_string(walk).unwrap());
        ControlFlow::Break(())
    })
    .unwrap();
    assert_eq!(first.epochs, after);
    let kept = kept.unwrap();
    let mut walk: Walk = serde_json::from_str(&kept).unwrap();
    assert_eq!(serde_json::to_string(&walk).unwrap(), kept);
    let trained = train(engine, config, &mut walk, &mut |epoch, _| {
        seen.push(*epoch);
        ControlFlow::Continue(())
    });
    (trained.unwrap(), seen, walk)
}

/// Checks that all but the time is the same to the bit.
fn same(one: &(Trained, Vec<Epoch>, Walk), other: &(Trained, Vec<Epoch>, Walk), what: &str) {
    let ends = |trained: Trained| (trained.model, trained.loss, trained.epochs, trained.ended);
    assert_eq!(ends(one.0), ends(other.0), "{what}");
    assert_eq!(one.1, other.1, "{what}");
    assert_eq!(one.2, other.2, "{what}");
}

#[test]
fn an_interrupted_walk_ends_in_the_same_bits() {
    let source = synthetic(1001);
    let losses = [Loss::Mse, Loss::Mae, Loss::LogCosh];
    for loss in losses {
        let mut engine = CpuEngine::new(&source, loss, &|_| {}).unwrap();
        for descent in descents() {
            let config = config(descent);
            let whole = uninterrupted(&mut engine, &config);
            for after in 1..=whole.0.epochs {
                let parts = interrupted(&mut engine, &config, after);
                same(&whole, &parts, &format!("{loss}, {descent:?}, {after}"));
            }
        }
    }
}

/// Each descent is interrupted once, in the middle; batches at the end of each batch.
#[test]
fn an_interrupted_walk_ends_in_the_same_bits_on_every_adapter() {
    // One workgroup can train the smaller set alone; the larger one takes many.
    for samples in [1001, 100_003] {
        let source = synthetic(samples);
        on_every_adapter(|adapter| {
            let mut gpu =
                GpuEngine::new(&adapter, &source, Loss::Mse, &Options::default(), &|_| {}).unwrap();
            for descent in descents() {
                let config = config(descent);
                let whole = uninterrupted(&mut gpu, &config);
                let parts = interrupted(&mut gpu, &config, whole.0.epochs / 2);
                same(&whole, &parts, &format!("{}: {descent:?}", adapter.info()));
            }
            let batches = Config {
                sync_every: 12,
                stop: None,
                ..config(Descent::gd(0.05))
            };
            let whole = uninterrupted(&mut gpu, &batches);
            for after in [12, 24, 36, 40] {
                let parts = interrupted(&mut gpu, &batches, after);
                same(&whole, &parts, &format!("{}: {after}", adapter.info()));
            }
        });
    }
}

/// Slow descents, fast ones and momentum that swings all stop neither too early nor never, with sums in f32.
///
/// The slowest gains 1.2 % of what is left per epoch, 70 % in a hundred epochs. If that no longer shows in f32, at 1e-7
/// of the loss, 2e-7 are left.
#[test]
fn the_default_stop_waits_for_the_optimum() {
    // U(−√3, √3) has mean 0 and standard deviation 1, like standardised data.
    let root = 3_f64.sqrt();
    let source = ChaCha::new(Recipe {
        x_range: -root..root,
        ..recipe(100_003)
    })
    .unwrap();
    on_every_engine(&source, Loss::Mse, |name, engine| {
        let mut run = |optimizer, learning_rate, epochs| {
            let config = Config {
                epochs,
                start: Model::ZERO,
                ..config(Descent::Steps {
                    optimizer,
                    schedule: Schedule::Constant,
                    learning_rate,
                })
            };
            uninterrupted(engine, &config).0
        };
        let optimum = run(Optimizer::Gd, 0.5, 1000).loss;
        for (optimizer, rate) in [
            (Optimizer::Gd, 0.3),
            (Optimizer::Gd, 0.03),
            (Optimizer::Gd, 0.003),
            (Optimizer::Momentum, 0.3),
            (Optimizer::Momentum, 0.03),
            (Optimizer::Momentum, 0.003),
            (Optimizer::Adam, 0.1),
            (Optimizer::Adam, 0.01),
        ] {
            let trained = run(optimizer, rate, 10_000);
            let excess = trained.loss / optimum - 1.0;
            let what = format!(
                "{name}: {optimizer:?}, {rate}: {} epochs, {excess:e}",
                trained.epochs
            );
            println!("{what}");
            assert_eq!(trained.ended, Ended::Converged, "{what}");
            assert!(excess < 1e-6, "{what}");
        }
    });
}
