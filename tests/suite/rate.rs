//! Curvature and learning rates, against the losses themselves and over real engines.

use crate::common;
use std::f64::consts::PI;
use std::ops::ControlFlow;

use common::{Reference, all, on_every_engine, recipe, synthetic};
use fall_line::data::statistics::Statistics;
use fall_line::data::synthetic::{ChaCha, Recipe};
use fall_line::data::{Block, Source};
use fall_line::engine::Engine;
use fall_line::error::Error;
use fall_line::loss::Loss;
use fall_line::model::Model;
use fall_line::train::rate::Curvature;
use fall_line::train::{Config, Descent, Trained, Walk, train};

const START: Model = Model { w: -1.5, b: 0.5 };
/// The losses with a curvature. Residuals of about 1 lie on both sides of this δ.
const SMOOTH: [Loss; 3] = [Loss::Mse, Loss::Huber { delta: 1.0 }, Loss::LogCosh];

fn config(start: Model, learning_rate: f64) -> Config {
    Config {
        epochs: 100,
        start,
        sync_every: 1,
        descent: Descent::gd(learning_rate),
        stop: None,
    }
}

/// Returns the result and the loss of each epoch.
fn walk(engine: &mut dyn Engine, config: &Config) -> Result<(Trained, Vec<f64>), Error> {
    let mut losses = Vec::new();
    let trained = train(engine, config, &mut Walk::new(config), &mut |epoch, _| {
        losses.push(epoch.loss);
        ControlFlow::Continue(())
    })?;
    Ok((trained, losses))
}

/// Returns samples close to a line. Near it all residuals stay below 0.1, which is small for every loss.
fn nearly_a_line() -> ChaCha {
    ChaCha::new(Recipe {
        noise: 1e-3,
        ..recipe(20_000)
    })
    .unwrap()
}

/// Returns the curvature from the means over the samples.
fn curvature(loss: Loss, Block { x, .. }: &Block) -> Curvature {
    let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / x.len() as f64;
    let squared = mean(&mut x.iter().map(|x| x * x));
    Curvature::new(loss, mean(&mut x.iter().copied()), squared).unwrap()
}

#[test]
fn the_curvature_matches_trace_and_determinant_of_the_matrix() {
    for (mean, squared) in [(0.0, 1.0), (1.0, 4.0 / 3.0), (1e4, 1e8 + 1.0), (-3.0, 9.0)] {
        let Curvature { least, greatest } = Curvature::new(Loss::Mse, mean, squared).unwrap();
        // The trace and the determinant of 2 · [[squared, mean], [mean, 1]].
        let (trace, determinant) = (2.0 * (squared + 1.0), 4.0 * (squared - mean * mean));
        assert!((least + greatest - trace).abs() <= 1e-15 * trace);
        assert!((least * greatest - determinant).abs() <= 1e-14 * trace);
        for loss in [Loss::Huber { delta: 3.0 }, Loss::LogCosh] {
            let half = Curvature::new(loss, mean, squared).unwrap();
            assert_eq!(
                (half.least, half.greatest),
                (0.5 * least, 0.5 * greatest),
                "{loss}"
            );
        }
    }
    for loss in [Loss::Mae, Loss::Quantile { tau: 0.1 }] {
        assert_eq!(Curvature::new(loss, 0.0, 1.0), None);
    }
}

/// Each epoch shrinks the distance by (greatest − least) / (greatest + least), which is 0.87 for x in [0, 2), so 200
/// epochs leave 1e-12. The rest is the rounding of the gradient over the least curvature. The rounding is up to 2e-6 of
/// the mean of |2 r x| or |2 r| (see common).
#[test]
fn the_best_rate_finds_the_closed_form() {
    let source = synthetic(100_003);
    let samples = all(&source);
    let n = samples.x.len() as f64;
    let mean = |of: &dyn Fn(f64, f64) -> f64| {
        let pairs = samples.x.iter().zip(&samples.y);
        pairs.map(|(&x, &y)| of(x, y)).sum::<f64>() / n
    };
    let (mean_x, mean_y) = (mean(&|x, _| x), mean(&|_, y| y));
    let w = mean(&|x, y| (x - mean_x) * (y - mean_y)) / mean(&|x, _| (x - mean_x).powi(2));
    let b = mean_y - w * mean_x;
    let curvature = curvature(Loss::Mse, &samples);
    let bound = 2e-6 * mean(&|x, y| 2.0 * (w * x + b - y).abs() * (x + 1.0)) / curvature.least;
    assert!(bound < 3e-5);
    on_every_engine(&source, Loss::Mse, |name, engine| {
        let config = Config {
            epochs: 200,
            ..config(START, curvature.best())
        };
        let Model { w: our_w, b: our_b } = walk(engine, &config).unwrap().0.model;
        assert!((our_w - w).abs() < bound, "{name}: {our_w}, {w}");
        assert!((our_b - b).abs() < bound, "{name}: {our_b}, {b}");
    });
}

/// Along the steepest direction, each epoch multiplies the distance by 1 − rate · curvature: by −0.98 a hundredth below
/// the limit, and by −1.02 a hundredth above it.
#[test]
fn the_limit_is_where_the_loss_begins_to_grow() {
    let source = nearly_a_line();
    let samples = all(&source);
    let start = Model { w: 3.01, b: 4.01 };
    for loss in [Loss::Mse, Loss::Huber { delta: 1.0 }, Loss::LogCosh] {
        let limit = curvature(loss, &samples).limit();
        on_every_engine(&source, loss, |name, engine| {
            let mut end = |share: f64| {
                let (trained, losses) = walk(engine, &config(start, share * limit)).unwrap();
                trained.loss / losses[0]
            };
            let (below, above) = (end(0.99), end(1.01));
            println!("{name}, {loss}: {below}, {above}");
            // 0.98^200 = 0.018 and 1.02^200 = 52, each times this direction's share of the first loss.
            assert!(below < 0.1, "{name}, {loss}: {below}");
            assert!(above > 10.0, "{name}, {loss}: {above}");
        });
    }
}

#[test]
fn mse_diverges_above_the_limit() {
    let source = synthetic(1000);
    let limit = curvature(Loss::Mse, &all(&source)).limit();
    on_every_engine(&source, Loss::Mse, |name, engine| {
        let mut end = |share: f64| {
            let config = Config {
                epochs: 10_000,
                ..config(START, share * limit)
            };
            walk(engine, &config)
        };
        assert!(end(0.99).is_ok(), "{name}");
        assert!(matches!(end(1.01), Err(Error::Diverged { .. })), "{name}");
    });
}

/// Returns the second derivative of the loss along a direction, by differences in f64. With steps of 1e-3 the fourth
/// derivative adds 1e-7 and rounding 1e-9.
fn second_difference(source: &dyn Source, loss: Loss, at: Model, direction: f64) -> f64 {
    const STEP: f64 = 1e-3;
    let along = |step: f64| {
        let line = Model {
            w: at.w + step * direction.cos(),
            b: at.b + step * direction.sin(),
        };
        Reference::exact(source, loss, line).sums.loss / source.samples() as f64
    };
    (along(STEP) - 2.0 * along(0.0) + along(-STEP)) / (STEP * STEP)
}

/// One of 180 directions lies within 0.5° of the steepest, which is 1e-4 of the curvature.
#[test]
fn the_curvature_matches_second_differences_of_the_losses() {
    let ends = |source: &dyn Source, loss, at| {
        let curved = (0..180).map(|degree| {
            let direction = f64::from(degree) * PI / 180.0;
            second_difference(source, loss, at, direction)
        });
        curved.fold((f64::INFINITY, 0.0_f64), |(least, greatest), here| {
            (least.min(here), greatest.max(here))
        })
    };
    for loss in SMOOTH {
        // The curvature holds if every residual is small. For log-cosh, 1 − tanh² of 0.03 is a thousandth less than 1.
        let source = nearly_a_line();
        let known = curvature(loss, &all(&source));
        let (least, greatest) = ends(&source, loss, Model { w: 3.01, b: 4.01 });
        println!("{loss}: {least}, {greatest}, {known:?}");
        assert!((greatest / known.greatest - 1.0).abs() < 2e-3, "{loss}");
        assert!((least / known.least - 1.0).abs() < 5e-3, "{loss}");
        // The curvature is an upper bound for other residuals, and exact for mse.
        let source = synthetic(20_000);
        let known = curvature(loss, &all(&source));
        for at in [START, Model { w: 3.0, b: 4.0 }, Model { w: 9.0, b: -5.0 }] {
            let (least, greatest) = ends(&source, loss, at);
            println!("{loss} at {at:?}: {least}, {greatest}");
            assert!(greatest < 1.001 * known.greatest, "{loss} at {at:?}");
            match loss {
                Loss::Mse => assert!((least / known.least - 1.0).abs() < 2e-3, "{at:?}"),
                _ => assert!(greatest < 0.9 * known.greatest, "{loss} at {at:?}"),
            }
        }
    }
}

/// The start is equally far along the flattest and the steepest direction. 20 epochs at the best rate leave ((greatest
/// − least) / (greatest + least))^20 = 0.06 of both. At a tenth less, 0.88^20 = 0.08 of the one is left; at a tenth
/// more, 1.06^20 = 3 times the other.
#[test]
fn no_other_rate_is_as_fast_as_the_best() {
    let source = nearly_a_line();
    let statistics = Statistics::of(&source, &|_| {}).unwrap();
    let line = statistics.line().unwrap();
    let mean = statistics.x.mean;
    let square = mean * mean + statistics.x_deviation().powi(2);
    for loss in SMOOTH {
        let curvature = Curvature::new(loss, mean, square).unwrap();
        let Curvature { least, greatest } = curvature;
        // The first row of the matrix yields the steepest direction. The flattest is perpendicular.
        let factor = if loss == Loss::Mse { 2.0 } else { 1.0 };
        let (sin, cos) = (greatest / factor - square).atan2(mean).sin_cos();
        let start = Model {
            w: line.w + 0.01 * (cos - sin),
            b: line.b + 0.01 * (sin + cos),
        };
        // The greater of the distances left along the two.
        let left = |Model { w, b }: Model| {
            let (w, b) = (w - line.w, b - line.b);
            (w * cos + b * sin).abs().max((b * cos - w * sin).abs()) / 0.01
        };
        let shrinks = ((greatest - least) / (greatest + least)).powi(20);
        on_every_engine(&source, loss, |name, engine| {
            let mut after = |share: f64| {
                let config = Config {
                    epochs: 20,
                    ..config(start, share * curvature.best())
                };
                left(walk(engine, &config).unwrap().0.model)
            };
            let [slower, best, faster] = [0.9, 1.0, 1.1].map(&mut after);
            let what = format!("{name}, {loss}: {slower}, {best}, {faster}, not {shrinks}");
            println!("{what}");
            // The engine's rounding is 2e-6 of residuals of 0.02, and the least curvature of 0.15 makes it 3e-7: 3e-5
            // of the distance of 0.01. The curvature of log-cosh differs slightly.
            assert!((best - shrinks).abs() < 0.01 * shrinks, "{what}");
            assert!(slower > 1.2 * best && faster > 10.0 * best, "{what}");
        });
    }
}

/// A step lowers the loss by at least rate · (1 − rate C / 2) times the squared gradient if the curvature is at most C.
/// The loss may rise by the rounding of f32 only, up to 2e-6 of it.
#[test]
fn no_loss_rises_below_the_limit() {
    let source = synthetic(20_000);
    let samples = all(&source);
    for loss in [SMOOTH[0], SMOOTH[1], SMOOTH[2], Loss::Huber { delta: 0.1 }] {
        let limit = curvature(loss, &samples).limit();
        on_every_engine(&source, loss, |name, engine| {
            let (_, losses) = walk(engine, &config(START, 0.99 * limit)).unwrap();
            for pair in losses.windows(2) {
                assert!(
                    pair[1] <= pair[0] * (1.0 + 2e-6),
                    "{name}, {loss}: {pair:?}"
                );
            }
            assert!(losses[99] < 0.9 * losses[0], "{name}, {loss}");
        });
    }
}
