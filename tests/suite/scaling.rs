//! Samples that are scaled, shifted or put in another order: the line changes as it must, except for rounding. Checked for
//! random sets, in closed form and by training, on the CPU engine and every adapter.

use crate::common::{self, standard};
use common::{Reference, Samples, on_every_adapter};
use fall_line::data::scaling::Scaling;
use fall_line::data::statistics::Statistics;
use fall_line::data::{Block, Source};
use fall_line::engine::Engine;
use fall_line::engine::cpu::CpuEngine;
use fall_line::engine::gpu::adapter::Adapter;
use fall_line::engine::gpu::{GpuEngine, Options};
use fall_line::loss::Loss;
use fall_line::model::Model;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseResult, TestRunner};
use standard::Standard;

/// Returns random sets: a line, and noise from none to as much as the line rises.
fn sets() -> impl Strategy<Value = Samples> {
    let samples = prop::collection::vec((-1.0..1.0, -1.0..1.0), 3..60);
    let noise = prop_oneof![1 => Just(0.0), 4 => (-6.0..1.0).prop_map(|e| 10_f64.powf(e))];
    let line = (-10.0..10.0, -10.0..10.0);
    (samples, noise, line)
        .prop_map(|(samples, noise, (w, b))| {
            let mut block = Block::default();
            for (x, z) in samples {
                block.push((x, w * x + b + noise * z));
            }
            Samples(block)
        })
        .prop_filter("a line needs an x that varies", |samples| {
            let statistics = Statistics::of_block(&samples.0);
            statistics.x_deviation() > 0.1 && statistics.y_deviation() > 1e-3
        })
}

/// Returns factors of either sign, from 1e-6 to 1e6.
fn factors() -> impl Strategy<Value = f64> {
    (prop::bool::ANY, -6.0..6.0).prop_map(|(negative, e)| {
        let size = 10_f64.powf(e);
        if negative { -size } else { size }
    })
}

/// A loss with corners; δ is given as a share of the noise.
#[derive(Clone, Copy, Debug)]
enum Corners {
    Mae,
    Huber { share: f64 },
    Quantile { tau: f64 },
}

fn corners() -> impl Strategy<Value = Corners> {
    prop_oneof![
        Just(Corners::Mae),
        (0.1..3.0).prop_map(|share| Corners::Huber { share }),
        (0.05..0.95).prop_map(|tau| Corners::Quantile { tau }),
    ]
}

impl Corners {
    fn of(self, samples: &Samples) -> Loss {
        match self {
            Corners::Mae => Loss::Mae,
            Corners::Huber { share } => {
                let statistics = Statistics::of_block(&samples.0);
                let noise = statistics
                    .least_deviation()
                    .max(1e-6 * statistics.y_deviation());
                Loss::Huber {
                    delta: share * noise,
                }
            }
            Corners::Quantile { tau } => Loss::Quantile { tau },
        }
    }
}

/// The change x ← a x + s and y ← c y + t of samples, with the change that follows for a line and a loss.
#[derive(Clone, Copy, Debug)]
struct Change {
    a: f64,
    c: f64,
    s: f64,
    t: f64,
}

impl Change {
    const NONE: Change = Change {
        a: 1.0,
        c: 1.0,
        s: 0.0,
        t: 0.0,
    };

    fn samples(&self, Samples(Block { x, y }): &Samples) -> Samples {
        let x: Vec<f64> = x.iter().map(|x| self.a * x + self.s).collect();
        let y: Vec<f64> = y.iter().map(|y| self.c * y + self.t).collect();
        Samples(Block { x, y })
    }

    fn line(&self, Model { w, b }: Model) -> Model {
        let w = w * self.c / self.a;
        Model {
            w,
            b: self.c * b - w * self.s + self.t,
        }
    }

    /// Returns the error that a line may have after the change, from its error before.
    fn off(&self, Model { w, b }: Model) -> Model {
        let w = w * (self.c / self.a).abs();
        Model {
            w,
            b: self.c.abs() * b + w * self.s.abs(),
        }
    }

    /// Returns the loss of the new samples that corresponds to `loss` of the old ones, and the factor of its values.
    fn loss(&self, loss: Loss) -> (Loss, f64) {
        let size = self.c.abs();
        match loss {
            Loss::Huber { delta } => (
                Loss::Huber {
                    delta: size * delta,
                },
                size * size,
            ),
            // Samples above the line are now below it.
            Loss::Quantile { tau } if self.c < 0.0 => (Loss::Quantile { tau: 1.0 - tau }, size),
            Loss::Quantile { .. } | Loss::Mae => (loss, size),
            Loss::Mse | Loss::LogCosh => panic!("{loss} has no corners"),
        }
    }
}

/// The engine: that of an adapter, or the CPU engine for `None`.
type On<'a> = Option<&'a Adapter>;

fn engine<'a>(on: On, source: &'a dyn Source, loss: Loss) -> Box<dyn Engine + 'a> {
    match on {
        None => Box::new(CpuEngine::new(source, loss, &|_| {}).unwrap()),
        Some(adapter) => {
            let options = Options::default();
            Box::new(GpuEngine::new(adapter, source, loss, &options, &|_| {}).unwrap())
        }
    }
}

/// The lines of least squares, each with its possible error.
struct Lines {
    closed: (Model, Model),
    trained: (Model, Model),
}

impl Lines {
    /// Computes the lines. Let u = 2^-53, X and Y the greatest |x| and |y|, and s and r the deviations of x and y.
    ///
    /// The samples are rounded to u X and u Y. By Cauchy and Schwarz, that moves Σ (x − mean)(y − mean) by up to
    /// n u (X r + Y s), and Σ (x − mean)² by up to n u 2 X s. Their terms are rounded, multiplied and added up in about 20
    /// roundings, of sums that are at most n s r and n s². The error of w = Σxy / Σxx, where |w| s ≤ r, is therefore at most
    /// u (40 r + Y + 3 X r / s) / s. The error of b = mean y − w · mean x is X times that, and about 50 roundings of Y and
    /// w X.
    ///
    /// Training ends where the gradient's sums are 0 to 2e-6 of Σ|term| (see common). That is a mean of |2 r′ x′| or |2 r′|,
    /// at most twice the deviation that the line leaves, over the curvature, 2. The deviation counts as at least f32's share
    /// of y's: a smaller one is not known more precisely.
    fn new(on: On, source: &Samples) -> Self {
        let standard = Standard::new(source, Loss::Mse);
        let statistics = &standard.statistics;
        let u = 0.5 * f64::EPSILON;
        let greatest = |ends: [f64; 2]| ends[0].abs().max(ends[1].abs());
        let x = greatest([statistics.x.least, statistics.x.greatest]);
        let y = greatest([statistics.y.least, statistics.y.greatest]);
        let (s, r) = (statistics.x_deviation(), statistics.y_deviation());
        let closed = statistics.line().unwrap();
        let w = u * (40.0 * r + y + 3.0 * x * r / s) / s;
        let b = x * w + 50.0 * u * (y + closed.w.abs() * x);
        let off = Model { w, b };

        let inside = standard.inside();
        let mut engine = engine(on, &inside, standard.loss());
        let (_, trained) = standard.train(&mut *engine, &standard.gd());
        let left = statistics
            .least_deviation()
            .max(r * f64::from(f32::EPSILON));
        let more = 2e-6 * left;
        let trained_off = Model {
            w: w + more / s,
            b: b + more + x * more / s,
        };
        Lines {
            closed: (closed, off),
            trained: (trained, trained_off),
        }
    }

    fn become_after(&self, after: &Lines, change: Change) -> TestCaseResult {
        for (what, (from, from_off), (to, to_off)) in [
            ("closed form", self.closed, after.closed),
            ("trained", self.trained, after.trained),
        ] {
            let (right, off) = (change.line(from), change.off(from_off));
            let (off_w, off_b) = ((to.w - right.w).abs(), (to.b - right.b).abs());
            let near = off_w <= off.w + to_off.w && off_b <= off.b + to_off.b;
            prop_assert!(near, "{what}: {from:?} became {to:?}, not {right:?}");
        }
        Ok(())
    }
}

/// Returns the least mean loss that the cutting plane finds, and its possible error.
///
/// The error is 1e-6 of the loss, 1e-7 of a residual's parts if all samples are on a line (see optima.rs), and f64's
/// rounding of the parts here.
fn least(on: On, samples: &Samples, loss: Loss) -> (f64, f64) {
    let standard = Standard::new(samples, loss);
    let inside = standard.inside();
    let mut engine = engine(on, &inside, standard.loss());
    let (trained, line) = standard.train(&mut *engine, &standard.cutting_plane());
    let mean = |source: &dyn Source, line| {
        let sums = Reference::exact(source, Loss::Mae, line).sums;
        sums.loss / samples.samples() as f64
    };
    let zero = Model { w: 0.0, b: 0.0 };
    // The mean of |y′|, plus a bound of the mean of |w′ x′| + |b′|.
    let inside = mean(&standard.inside(), zero) + trained.model.w.abs() + trained.model.b.abs();
    let steepest = match loss {
        Loss::Huber { delta } => delta,
        Loss::Mae | Loss::Quantile { .. } => 1.0,
        Loss::Mse | Loss::LogCosh => panic!("{loss} has no corners"),
    };
    let Scaling { y_scale, .. } = standard.scaling;
    let Statistics { x, .. } = standard.statistics;
    let outside = mean(samples, zero) + line.w.abs() * x.least.abs().max(x.greatest) + line.b.abs();
    let rounding = 1e-7 * y_scale * inside + 8.0 * f64::EPSILON * outside;
    let found = Reference::exact(samples, loss, line).sums.loss / samples.samples() as f64;
    (found, 1e-6 * found + steepest * rounding)
}

fn check_line(on: On, before: &Samples, after: &Samples, change: Change) -> TestCaseResult {
    Lines::new(on, before).become_after(&Lines::new(on, after), change)
}

fn check_least(
    on: On,
    before: &Samples,
    after: &Samples,
    change: Change,
    loss: Loss,
) -> TestCaseResult {
    let (was, was_off) = least(on, before, loss);
    let (loss_after, factor) = change.loss(loss);
    let (is, is_off) = least(on, after, loss_after);
    let near = (is - factor * was).abs() <= is_off + factor * was_off;
    prop_assert!(
        near,
        "{loss}, {was}, became {loss_after}, {is}, not {}",
        factor * was
    );
    Ok(())
}

/// Checks random values on the CPU engine, and fewer of them on every adapter.
fn check<S: Strategy>(values: S, check: impl Fn(On, S::Value) -> TestCaseResult) {
    let run = |cases, on: On| {
        let config = ProptestConfig {
            cases,
            failure_persistence: None,
            ..ProptestConfig::default()
        };
        let result = TestRunner::new(config).run(&values, |value| check(on, value));
        let on = on.map_or("cpu".to_owned(), |adapter| adapter.info().to_string());
        result.unwrap_or_else(|error| panic!("{on}: {error}"));
    };
    run(ON_THE_CPU, None);
    on_every_adapter(|adapter| run(ON_AN_ADAPTER, Some(&adapter)));
}

const ON_THE_CPU: u32 = 500;
const ON_AN_ADAPTER: u32 = 5;

fn scalings() -> impl Strategy<Value = Change> {
    (factors(), factors()).prop_map(|(a, c)| Change {
        a,
        c,
        ..Change::NONE
    })
}

fn shifts() -> impl Strategy<Value = Change> {
    (factors(), factors()).prop_map(|(s, t)| Change {
        s,
        t,
        ..Change::NONE
    })
}

#[test]
fn a_scaled_x_and_y_scale_the_line() {
    check((sets(), scalings()), |on, (samples, change)| {
        check_line(on, &samples, &change.samples(&samples), change)
    });
}

#[test]
fn a_shifted_x_and_y_move_the_intercept_alone() {
    check((sets(), shifts()), |on, (samples, change)| {
        check_line(on, &samples, &change.samples(&samples), change)
    });
}

#[test]
fn the_least_loss_with_corners_scales_with_the_samples() {
    check(
        (sets(), scalings(), corners()),
        |on, (samples, change, corners)| {
            let loss = corners.of(&samples);
            check_least(on, &samples, &change.samples(&samples), change, loss)
        },
    );
}

#[test]
fn the_least_loss_with_corners_is_that_of_shifted_samples() {
    check(
        (sets(), shifts(), corners()),
        |on, (samples, change, corners)| {
            let loss = corners.of(&samples);
            check_least(on, &samples, &change.samples(&samples), change, loss)
        },
    );
}

/// Returns sets, each with itself in another order.
fn shuffled() -> impl Strategy<Value = (Samples, Samples)> {
    sets().prop_flat_map(|samples| {
        let Block { x, y } = &samples.0;
        let pairs: Vec<(f64, f64)> = x.iter().copied().zip(y.iter().copied()).collect();
        let in_order = pairs.clone();
        (Just(in_order), Just(pairs).prop_shuffle()).prop_map(|(one, other)| {
            let [one, other] = [one, other].map(|pairs| {
                let mut block = Block::default();
                pairs.into_iter().for_each(|pair| block.push(pair));
                Samples(block)
            });
            (one, other)
        })
    })
}

#[test]
fn the_order_of_samples_changes_only_the_rounding() {
    check(
        (shuffled(), corners()),
        |on, ((samples, other), corners)| {
            check_line(on, &samples, &other, Change::NONE)?;
            check_least(on, &samples, &other, Change::NONE, corners.of(&samples))
        },
    );
}
