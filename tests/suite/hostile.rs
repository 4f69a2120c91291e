//! Drawn sets with rows far off: no line whose loss is above the least one is called converged.
//!
//! `FALL_LINE_SETS=10000 cargo test --release --test suite hostile::` draws more of them.

use std::fmt;

use fall_line::Loss;
use fall_line::data::Block;
use fall_line::engine::{Choice, Storage};
use fall_line::fit::{Fit, Options, Outcome};
use fall_line::model::Model;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::common::{Samples, with_adapters};

/// Sets drawn where the environment names no other number.
const SETS: u64 = 200;

/// A drawn set, and how it is to be fitted.
struct Set {
    samples: Samples,
    loss: Loss,
    words: String,
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.loss, self.words)
    }
}

fn normal(rng: &mut impl Rng) -> f64 {
    let uniforms = (0..12).map(|_| rng.random::<f64>());
    uniforms.sum::<f64>() - 6.0
}

fn cauchy(rng: &mut impl Rng) -> f64 {
    (std::f64::consts::PI * (rng.random::<f64>() - 0.5)).tan()
}

/// Draws the set of a seed: up to `most` rows on a line with noise, of which a few are far off.
fn draw(seed: u64, most: f64) -> Set {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let rows = 10_f64.powf(rng.random_range(1.0..most.log10())) as usize;
    let kinds = [
        "uniform",
        "normal",
        "time",
        "two values",
        "cauchy",
        "counted",
    ];
    let kind = *kinds.choose(rng).unwrap();
    let (slope, level) = (
        *[0.0, 3.0, -1e-3, 250.0].choose(rng).unwrap(),
        *[0.0, 4.0, -1e4].choose(rng).unwrap(),
    );
    let noise = *[1.0, 1e-3, 0.0].choose(rng).unwrap();
    let heavy = rng.random_bool(0.25);
    let mut block = Block::default();
    for row in 0..rows {
        let x = match kind {
            "uniform" => 2.0 * rng.random::<f64>(),
            "normal" => normal(rng),
            "time" => 1.7e9 + 10.0 * row as f64,
            "two values" => f64::from(rng.random_bool(0.3)),
            "cauchy" => cauchy(rng),
            _ => row as f64,
        };
        let center = if kind == "time" { 1.7e9 } else { 0.0 };
        let scatter = if heavy { cauchy(rng) } else { normal(rng) };
        block.push((x, level + slope * (x - center) + noise * scatter));
    }
    let spread = if kind == "time" {
        10.0 * rows as f64
    } else {
        1.0
    };
    let far = [1, 1, 2, 5, 1 + rows / 40].choose(rng).copied().unwrap();
    let size = 10_f64.powf(rng.random_range(3.0..30.0));
    let way = *[
        "code",
        "one way",
        "both ways",
        "on the line",
        "x and y",
        "y",
    ]
    .choose(rng)
    .unwrap();
    for _ in 0..far {
        let at = rng.random_range(0..rows);
        let side = if rng.random_bool(0.5) { -1.0 } else { 1.0 };
        let x = size * spread;
        match way {
            "code" => block.x[at] = x,
            "one way" => block.x[at] = x * (1.0 + rng.random::<f64>()),
            "both ways" => block.x[at] = side * x * rng.random::<f64>(),
            "on the line" => {
                block.x[at] = x * rng.random::<f64>();
                block.y[at] = level + slope * block.x[at];
            }
            "x and y" => {
                block.x[at] = side * x * rng.random::<f64>();
                block.y[at] = x * normal(rng);
            }
            _ => block.y[at] = side * x,
        }
    }
    let losses = [
        Loss::Mae,
        Loss::Huber { delta: 1.0 },
        Loss::Huber { delta: 1e-3 },
        Loss::LogCosh,
        Loss::Quantile { tau: 0.1 },
        Loss::Quantile { tau: 0.5 },
        Loss::Quantile { tau: 0.9 },
        Loss::Mse,
    ];
    Set {
        samples: Samples(block),
        loss: *losses.choose(rng).unwrap(),
        words: format!(
            "set {seed}: {rows} rows, x {kind}, slope {slope}, level {level}, noise {noise} (heavy: {heavy}), {far} far at \
             {size:.1e}, {way}"
        ),
    }
}

/// The numbers of f64 in their order, counted.
fn rank(value: f64) -> i128 {
    let bits = value.to_bits() as i64;
    i128::from(bits ^ (((bits >> 63) as u64) >> 1) as i64)
}

fn ranked(rank: i128) -> f64 {
    let rank = rank as i64;
    f64::from_bits((rank ^ (((rank >> 63) as u64) >> 1) as i64) as u64)
}

/// Returns ℓ(r) and ℓ′(r), by the textbook.
fn terms(loss: Loss, r: f64) -> (f64, f64) {
    match loss {
        Loss::Mse => (r * r, 2.0 * r),
        Loss::Mae => (r.abs(), if r == 0.0 { 0.0 } else { r.signum() }),
        Loss::Huber { delta } if r.abs() <= delta => (0.5 * r * r, r),
        Loss::Huber { delta } => (delta * (r.abs() - 0.5 * delta), delta * r.signum()),
        Loss::LogCosh if r.abs() < 1e-4 => (0.5 * r * r, r),
        Loss::LogCosh => (
            r.abs() + (-2.0 * r.abs()).exp().ln_1p() - 2.0_f64.ln(),
            r.tanh(),
        ),
        Loss::Quantile { tau } if r > 0.0 => ((1.0 - tau) * r, 1.0 - tau),
        Loss::Quantile { tau } => (-tau * r, if r == 0.0 { 0.0 } else { -tau }),
    }
}

fn value(Samples(Block { x, y }): &Samples, loss: Loss, Model { w, b }: Model) -> f64 {
    let values = x.iter().zip(y).map(|(x, y)| terms(loss, w * x + b - y).0);
    values.sum::<f64>() / x.len() as f64
}

/// Returns the position in `low..high` beyond which `rises` holds, for all numbers of f64.
fn bisect(low: f64, high: f64, mut rises: impl FnMut(f64) -> bool) -> f64 {
    let (mut low, mut high) = (rank(low), rank(high));
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if rises(ranked(middle)) {
            high = middle;
        } else {
            low = middle;
        }
    }
    ranked(high)
}

/// Returns the b of least loss for a slope.
fn level(Samples(Block { x, y }): &Samples, loss: Loss, w: f64) -> f64 {
    let mut rests: Vec<f64> = x.iter().zip(y).map(|(x, y)| y - w * x).collect();
    let share = match loss {
        Loss::Mae => 0.5,
        Loss::Quantile { tau } => tau,
        _ => {
            let least = rests.iter().copied().fold(f64::MAX, f64::min);
            let most = rests.iter().copied().fold(f64::MIN, f64::max);
            let slope = |b| {
                rests
                    .iter()
                    .map(|rest| terms(loss, b - rest).1)
                    .sum::<f64>()
            };
            return bisect(least, most, |b| slope(b) >= 0.0);
        }
    };
    let at = ((share * rests.len() as f64).ceil() as usize).max(1) - 1;
    *rests.select_nth_unstable_by(at, f64::total_cmp).1
}

/// Returns the least loss of the lines of all slopes, by searches through all numbers of f64: one for the slope, and for each
/// slope one for the level.
///
/// The least loss over b is convex in w, so a search by thirds finds it, whatever the slopes' sizes.
fn least(samples: &Samples, loss: Loss) -> (f64, Model) {
    let of = |w: f64| {
        let line = Model {
            w,
            b: level(samples, loss, w),
        };
        (value(samples, loss, line), line)
    };
    let (mut low, mut high) = (rank(-1e33), rank(1e33));
    while high - low > 2 {
        let third = (high - low) / 3;
        let [left, right] = [low + third, high - third];
        let [at_left, at_right] = [left, right].map(|at| of(ranked(at)).0);
        // Beyond f64 the loss is no number, and the slope too steep.
        if at_left <= at_right || at_right.is_nan() {
            high = right;
        } else {
            low = left;
        }
    }
    (low..=high)
        .map(|at| of(ranked(at)))
        .min_by(|one, other| one.0.total_cmp(&other.0))
        .unwrap()
}

/// Returns by how much the loss of a line is above the least one, in units of what rounding allows.
fn excess(set: &Set, outcome: &Outcome, line: Model) -> f64 {
    let (least, best) = least(&set.samples, set.loss);
    let setup = &outcome.setup;
    let unit = match outcome.engine.storage {
        Storage::F32 => 2.0_f64.powi(-24),
        Storage::F16 => 2.0_f64.powi(-11),
    };
    let Samples(Block { x, y }) = &set.samples;
    let n = x.len() as f64;
    let inside = |line: Model| {
        let near = x
            .iter()
            .zip(y)
            .filter(|&(&x, &y)| setup.bulk.contains(x, y));
        let near: Vec<_> = near
            .map(|(&x, &y)| setup.scaling.coordinates(x, y))
            .collect();
        // 16 bits are rounded once they are centred.
        let center = |of: fn(&(f64, f64)) -> f64| near.iter().map(of).sum::<f64>() / n;
        let (x_center, y_center) = (center(|at| at.0).abs(), center(|at| at.1).abs());
        let Model { w, b } = setup.scaling.inside(line);
        let size =
            |(x, y): &(f64, f64)| w.abs() * (x.abs() + x_center) + b.abs() + y.abs() + y_center;
        let sizes = near
            .iter()
            .map(|at| 4.0 * unit * size(at) * setup.scaling.y_scale);
        sizes.sum::<f64>()
    };
    // A residual that is rounded by this much, for each: a loss rises by up to its slope times that, and by the square.
    let rounding = |line: Model| {
        let in_f64 = |(x, y): (&f64, &f64)| {
            2.0 * f64::EPSILON * ((line.w * x).abs() + line.b.abs() + y.abs())
        };
        let rounding = (x.iter().zip(y).map(in_f64).sum::<f64>() + inside(line)) / n;
        let slopes = x
            .iter()
            .zip(y)
            .map(|(x, y)| terms(set.loss, line.w * x + line.b - y).1.abs());
        let slope = match set.loss {
            Loss::Mae | Loss::Quantile { .. } => 1.0,
            _ => slopes.fold(0.0, f64::max),
        };
        rounding * (slope + rounding)
    };
    let found = value(&set.samples, set.loss, line);
    let sums = (1e-6 + 2.0 * 2.0_f64.powi(-19)) * found;
    (found - least) / (sums + rounding(line) + rounding(best))
}

#[test]
fn a_line_that_is_not_the_best_is_never_called_converged() {
    let sets = std::env::var("FALL_LINE_SETS").map_or(SETS, |sets| sets.parse().unwrap());
    with_adapters(|adapters| {
        let mut engines = vec![(Choice::Cpu, None, Storage::F32)];
        for index in 0..adapters.len() {
            for storage in [Storage::F32, Storage::F16] {
                engines.push((Choice::Gpu, Some(index.to_string()), storage));
            }
        }
        fit_all(sets, &engines);
    });
}

/// Fits each set on one of the engines, in turn.
fn fit_all(sets: u64, engines: &[(Choice, Option<String>, Storage)]) {
    let (mut wrong, mut doubted, mut fitted, mut seen) = (Vec::new(), 0, 0, 0);
    for seed in 0..sets {
        let most = if seed % 50 == 49 { 300_000.0 } else { 3000.0 };
        let set = draw(seed, most);
        let (engine, adapter, storage) = engines[seed as usize % engines.len()].clone();
        let options = Options {
            loss: set.loss,
            engine,
            adapter,
            storage,
            tune: false,
            history: false,
            ..Options::default()
        };
        let outcome = match Fit::with(&set.samples, options).run() {
            Ok(outcome) => outcome,
            Err(error) => {
                println!("refused: {set:?}: {error}");
                continue;
            }
        };
        fitted += 1;
        if outcome.converged != Some(true) || outcome.warning.is_some() {
            doubted += 1;
            let storage = outcome.engine.storage;
            println!("doubted: {set:?}, {storage}: {:?}", outcome.warning);
            continue;
        }
        // The control: a level that is off by half the typical residual is wrong.
        let off = outcome.quality.goodness.map_or(0.0, |fit| 0.5 * fit.mae);
        let Model { w, b } = outcome.model;
        let is_seen = excess(&set, &outcome, Model { w, b: b + off }) > 1.0;
        seen += u64::from(is_seen);
        let excess = excess(&set, &outcome, outcome.model);
        if excess > 1.0 {
            wrong.push(format!(
                "{excess:.1e} of the bound: {set:?}, {} {}: {:?}",
                outcome.engine.name, outcome.engine.storage, outcome.model
            ));
        }
    }
    println!(
        "{sets} sets, {fitted} fitted, {doubted} doubted, {} wrong; {seen} of the controls seen to be wrong",
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(fitted > sets / 2 && doubted < sets / 20 && seen > fitted / 2);
}
