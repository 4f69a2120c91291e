//! The library as a Rust program calls it: `fit`, `Fit`, and what they refuse.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::common::on_every_adapter;
use fall_line::data::host::Columns;
use fall_line::data::synthetic::{ChaCha, Recipe};
use fall_line::data::{Block, Source};
use fall_line::engine::Choice;
use fall_line::error::{Error, Setting};
use fall_line::fit::{
    Checkpoint, Doubt, Every, Monitor, Notice, Options, Phase, Rate, Remedy, SIDE,
};
use fall_line::train::{Ended, Optimizer};
use fall_line::{Fit, Loss, Model};
use tempfile::TempDir;

/// Anscombe's first set; its line is y = 3.0001 + 0.50009 x, R² 0.66654 (Anscombe 1973).
const X: [f64; 11] = [10., 8., 13., 9., 11., 14., 6., 4., 12., 7., 5.];
const Y: [f64; 11] = [
    8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68,
];

fn chacha(samples: u64) -> ChaCha {
    ChaCha::new(Recipe {
        samples,
        ..Recipe::default()
    })
    .unwrap()
}

fn assert_anscombe(model: Model) {
    assert!((model.w - 0.500_090_909).abs() < 1e-6, "{model:?}");
    assert!((model.b - 3.000_090_909).abs() < 1e-5, "{model:?}");
}

#[test]
fn two_slices_give_the_line_of_least_squares() {
    let fit = fall_line::fit(&X, &Y).unwrap();
    assert_anscombe(fit.model);
    assert_eq!(fit.converged, Some(true));
    assert_eq!(fit.warning, None);
    assert!((fit.r_squared().unwrap() - 0.666_542).abs() < 1e-6);
    assert!((fit.predict(10.0) - 8.001).abs() < 1e-5);
    assert_anscombe(fit.least_squares().unwrap());
    assert_eq!(fit.history.len() as u64, fit.epochs);
    // Timestamps, which f32 can't tell apart, and f32 slices.
    let times = X.map(|x| x + 1.7e9);
    let line = fall_line::fit(&times, &Y).unwrap().model;
    assert!((line.w - 0.500_090_909).abs() < 1e-6, "{line:?}");
    let [x, y] = [X, Y].map(|values| values.map(|value| value as f32));
    assert_anscombe(fall_line::fit(&x, &y).unwrap().model);
}

#[test]
fn other_losses_find_their_own_line() {
    // With y's of a line and one that is far off, the median line is that line.
    let mut y = X.map(|x| 2.0 * x - 1.0);
    y[3] = 1000.0;
    let columns = Columns::new(&X, &y).unwrap();
    let fit = Fit::new(columns).loss(Loss::Mae).run().unwrap();
    assert_eq!(
        fit.setup.config.descent.optimizer(),
        Optimizer::CuttingPlane
    );
    assert!((fit.model.w - 2.0).abs() < 1e-4, "{:?}", fit.model);
    assert!((fit.model.b + 1.0).abs() < 1e-3, "{:?}", fit.model);
}

#[test]
fn every_engine_fits() {
    on_every_adapter(|adapter| {
        let index = adapter.info().index.to_string();
        let columns = Columns::new(&X, &Y).unwrap();
        let fit = Fit::new(columns).adapter(index).run().unwrap();
        assert_anscombe(fit.model);
        assert_eq!(fit.engine.kind.to_string(), "gpu");
    });
    let columns = Columns::new(&X, &Y).unwrap();
    let fit = Fit::new(columns).engine(Choice::Cpu).run().unwrap();
    assert_eq!(fit.engine.kind.to_string(), "cpu");
}

#[test]
fn a_watcher_sees_every_epoch_and_ends_the_descent() {
    let mut seen = Vec::new();
    let fit = Fit::new(chacha(10_000))
        .engine(Choice::Cpu)
        .on_epoch(|epoch| {
            seen.push(epoch.loss);
            if epoch.loss < 1.3 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .run()
        .unwrap();
    assert_eq!(fit.ended, Ended::BrokenOff);
    assert_eq!(seen.len() as u64, fit.epochs);
    assert!(seen[..seen.len() - 1].iter().all(|loss| *loss >= 1.3));
    assert!(fit.history.last().unwrap().loss < 1.3);
}

/// Counts what it is told of.
#[derive(Default)]
struct Counts {
    loaded: AtomicU64,
    epochs: AtomicU64,
    phase: AtomicU64,
    notices: AtomicU64,
}

impl Monitor for Counts {
    fn begin(&self, phase: Phase, _: u64) {
        self.phase.store(phase as u64, Ordering::Relaxed);
    }

    fn advance(&self, done: u64) {
        if self.phase.load(Ordering::Relaxed) == Phase::Loading as u64 {
            self.loaded.fetch_add(done, Ordering::Relaxed);
        } else if self.phase.load(Ordering::Relaxed) == Phase::Descending as u64 {
            self.epochs.fetch_add(done, Ordering::Relaxed);
        }
    }

    fn notice(&self, notice: &Notice) {
        assert!(notice.is_warning(), "{notice}");
        self.notices.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_monitor_is_told_of_samples_epochs_and_notices() {
    let counts = Counts::default();
    let fit = Fit::new(chacha(200_000))
        .engine(Choice::Cpu)
        .epochs(7)
        .monitor(&counts)
        .run()
        .unwrap();
    assert_eq!(fit.epochs, 7);
    assert_eq!(counts.loaded.into_inner(), 200_000);
    assert_eq!(counts.epochs.into_inner(), 7);
    assert_eq!(counts.notices.into_inner(), 0);
    // Of x in steps of a nanosecond since 1970 f64 keeps no digit below 256.
    let counts = Counts::default();
    let x = [0.0, 1.0, 2.0, 3.0].map(|step: f64| 1.7e18 + 256.0 * step);
    let columns = Columns::new(&x, &Y[..4]).unwrap();
    let fit = Fit::new(columns).engine(Choice::Cpu).monitor(&counts);
    fit.run().unwrap();
    assert_eq!(counts.notices.into_inner(), 1);
}

#[test]
fn a_checkpoint_goes_on_to_the_same_bits() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("c.json");
    let fit = |epochs| Fit::new(chacha(10_000)).engine(Choice::Cpu).epochs(epochs);
    let whole = fit(20).run().unwrap();
    fit(8).checkpoint(&path, Every::Epochs(3)).run().unwrap();
    let checkpoint = Checkpoint::read(&path).unwrap();
    assert_eq!(checkpoint.epochs(), 8);
    let on = fit(20).resume(checkpoint.clone()).run().unwrap();
    assert_eq!(
        (on.model, on.epochs, on.epochs_before),
        (whole.model, 20, 8)
    );
    assert_eq!(on.history, whole.history);
    let other = Fit::new(chacha(10_001))
        .engine(Choice::Cpu)
        .resume(checkpoint)
        .run();
    match other {
        Err(Error::OtherRun { differences, .. }) => assert_eq!(differences[0], "data"),
        other => panic!("{:?}", other.map(|fit| fit.model)),
    }
}

#[test]
fn errors_tell_their_cause_in_fields() {
    let options = Options {
        learning_rate: Some(Rate::Given(3.0)),
        ..Options::default()
    };
    let columns = Columns::new(&X, &Y).unwrap();
    match Fit::with(columns, options).run() {
        Err(Error::LearningRate {
            rate,
            limit,
            suggested,
            ..
        }) => {
            // Standardised x: both curvatures are 2, the limit is 2 / 2, the best rate 2 / (2 + 2).
            assert_eq!(rate, 3.0);
            assert!((limit - 1.0).abs() < 1e-12);
            assert!((suggested - 0.5).abs() < 1e-12);
        }
        other => panic!("{:?}", other.map(|fit| fit.model)),
    }
    for (loss, setting) in [
        (Loss::Huber { delta: 0.0 }, Setting::Delta),
        (Loss::Huber { delta: -1.0 }, Setting::Delta),
        (Loss::Huber { delta: f64::NAN }, Setting::Delta),
        (Loss::Quantile { tau: 1.0 }, Setting::Quantile),
        (Loss::Quantile { tau: 0.0 }, Setting::Quantile),
    ] {
        match Fit::new(chacha(10)).loss(loss).run() {
            Err(Error::Setting { setting: is, .. }) => assert_eq!(is, setting),
            other => panic!("{loss}: {:?}", other.map(|fit| fit.model)),
        }
    }
    let far = Fit::new(chacha(1000)).adapter("no such adapter").run();
    assert!(matches!(far, Err(Error::NoAdapter { .. })));
    assert!(matches!(
        fall_line::fit(&[1.0, 1.0], &[2.0, 3.0]),
        Err(Error::ConstantX { value: 1.0, .. })
    ));
}

#[test]
fn input_is_checked_when_it_is_loaded() {
    assert!(matches!(
        fall_line::fit(&X, &Y[1..]),
        Err(Error::Lengths { x: 11, y: 10 })
    ));
    assert!(matches!(
        fall_line::fit::<f64>(&[], &[]),
        Err(Error::Empty { .. })
    ));
    let mut y = Y;
    y[4] = f64::NAN;
    match fall_line::fit(&X, &y) {
        Err(Error::Value { position: 4, .. }) => {}
        other => panic!("{:?}", other.map(|fit| fit.model)),
    }
}

/// Yields fewer samples than it promises, from one block on.
struct Short(ChaCha, u64);

impl Source for Short {
    fn samples(&self) -> u64 {
        self.0.samples()
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        self.0.read(index, block)?;
        if index >= self.1 {
            block.x.pop();
            block.y.pop();
        }
        Ok(())
    }

    fn title(&self) -> String {
        "a short source".to_owned()
    }
}

#[test]
fn a_source_that_breaks_its_promise_is_an_error_on_every_engine() {
    let fails = |engine, adapter| {
        let options = Options {
            engine,
            adapter,
            standardize: Some(false),
            ..Options::default()
        };
        match Fit::with(Short(chacha(200_000), 2), options).run() {
            // Threads read side by side: either of the short blocks may be found first.
            Err(Error::Block {
                block: 2 | 3,
                promised,
                x,
                ..
            }) => assert_eq!(x, promised - 1),
            other => panic!("{:?}", other.map(|fit| fit.model)),
        }
    };
    fails(Choice::Cpu, None);
    on_every_adapter(|adapter| fails(Choice::Gpu, Some(adapter.info().index.to_string())));
}

#[test]
fn a_doubtful_line_comes_with_what_would_help() {
    let columns = Columns::new(&X, &Y).unwrap();
    let fit = Fit::new(columns)
        .learning_rate(0.001)
        .epochs(3)
        .run()
        .unwrap();
    assert_eq!(fit.converged, Some(false));
    let warning = fit.warning.unwrap();
    assert_eq!(warning.doubt, Doubt::NotConverged);
    assert_eq!(
        warning.remedies,
        [Remedy::AutomaticRate, Remedy::MoreEpochs]
    );
    assert!(!warning.to_string().contains("--"), "{warning}");
}

/// The surface is the loss at each line, its least value is near the found line, and all of the path is within.
#[test]
fn the_loss_surface_is_the_mean_loss_of_each_line() {
    let sets = [
        (chacha(70_001), None),
        // x far from 0: a level is then the line's value at its mean.
        (
            ChaCha::new(Recipe {
                samples: 5000,
                x_range: 2000.0..2020.0,
                outliers: 0.05,
                ..Recipe::default()
            })
            .unwrap(),
            Some(true),
        ),
    ];
    for (source, standardize) in &sets {
        let mut samples = Block::default();
        let mut block = Block::default();
        for index in 0..source.samples().div_ceil(fall_line::data::BLOCK as u64) {
            source.read(index, &mut block).unwrap();
            samples.x.append(&mut block.x);
            samples.y.append(&mut block.y);
        }
        for loss in Loss::ALL {
            let options = Options {
                loss,
                engine: Choice::Cpu,
                standardize: *standardize,
                epochs: Some(60),
                ..Options::default()
            };
            let prepared = Fit::with(source, options).prepare().unwrap();
            let mut loaded = prepared.load().unwrap();
            assert!(loaded.surface(false).unwrap().is_none(), "no epoch");
            let trained = loaded.descend(&mut |_| ControlFlow::Continue(())).unwrap();
            let surface = loaded.surface(false).unwrap().unwrap();
            assert_eq!(surface.losses.len(), SIDE * SIDE);
            let by_moments = loss == Loss::Mse;
            assert_eq!(
                surface.samples,
                if by_moments { 0 } else { source.samples() }
            );
            assert_eq!(surface.x_center == 0.0, standardize.is_none());
            for (column, row) in [(0, 0), (5, 60), (31, 32), (63, 63)] {
                let line = surface.line(column, row);
                let residuals = samples.residuals(line);
                let values = residuals.iter().map(|&residual| loss.terms(residual).0);
                let known = values.sum::<f64>() / residuals.len() as f64;
                let found = surface.losses[row * SIDE + column];
                // In f32 a term is rounded to 2^-24 of the prediction, which is up to 2,000 times the residual's unit.
                let bound = if by_moments { 1e-9 } else { 1e-5 };
                assert!(
                    (found - known).abs() <= bound * known,
                    "{loss}: {found} is not {known}"
                );
            }
            let outcome = loaded.conclude(&trained);
            for epoch in &outcome.history {
                let level = epoch.w * surface.x_center + epoch.b;
                assert!((surface.w[0]..=surface.w[1]).contains(&epoch.w), "{loss}");
                assert!(
                    (surface.level[0]..=surface.level[1]).contains(&level),
                    "{loss}"
                );
            }
        }
    }
}

/// A surface of very many samples is that of a part of them, which is told, and of all where that is asked for.
#[test]
fn a_large_set_stands_for_itself_by_blocks_spread_over_it() {
    let source = chacha(10_400_000);
    let options = Options {
        loss: Loss::Mae,
        engine: Choice::Cpu,
        epochs: Some(2),
        ..Options::default()
    };
    let prepared = Fit::with(&source, options).prepare().unwrap();
    let mut loaded = prepared.load().unwrap();
    loaded.descend(&mut |_| ControlFlow::Continue(())).unwrap();
    let surface = loaded.surface(false).unwrap().unwrap();
    // 80 of 159 blocks, the last of which is ragged.
    assert_eq!(surface.samples, 79 * 65_536 + (10_400_000 - 158 * 65_536));
}
