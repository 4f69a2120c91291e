//! Synthetic samples that a shader can draw: their distribution, and the draws of adapters.

use crate::common;
use common::{Reference, all, on_every_adapter, recipe};
use fall_line::data::synthetic::Recipe;
use fall_line::data::threefry::Threefry;
use fall_line::data::{BLOCK, Block, Source};
use fall_line::engine::Engine;
use fall_line::engine::gpu::{GpuEngine, Options};
use fall_line::error::{Error, Setting};
use fall_line::loss::Loss;
use fall_line::model::{Model, Sums};

const N: usize = 1_000_000;

/// Returns a million samples whose x is the uniform draw and whose y is the normal one.
fn draws(seed: u64) -> Block {
    let plain = Recipe {
        slope: 0.0,
        intercept: 0.0,
        x_range: 0.0..1.0,
        seed,
        ..recipe(N as u64)
    };
    all(&Threefry::new(plain).unwrap())
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    values.sum::<f64>() / N as f64
}

/// Asserts that a mean of [`N`] draws is within five standard errors.
fn near(what: &str, mean: f64, expected: f64, deviation: f64) {
    let errors = (mean - expected) / (deviation / (N as f64).sqrt());
    println!("{what}: {mean:.6}, {errors:.2} standard errors off");
    assert!(errors.abs() < 5.0, "{what}");
}

/// Returns the largest distance between the share of draws below a value and the probability of that.
fn kolmogorov_smirnov(values: &[f64], probability: impl Fn(f64) -> f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let apart = |(i, &value): (usize, &f64)| {
        let expected = probability(value);
        (expected - i as f64 / n).max((i + 1) as f64 / n - expected)
    };
    sorted.iter().enumerate().map(apart).fold(0.0, f64::max)
}

/// Compares mean, variance, skewness and kurtosis, each as a mean of powers of the standardised draw. Its own variance is
/// E d^2k − (E d^k)².
#[test]
fn the_moments_are_those_of_the_distributions() {
    for seed in [20, 21, u64::MAX] {
        let Block { x, y } = draws(seed);
        // A uniform draw from ±√3: E d^k = 3^(k/2) / (k + 1) for even k.
        let uniform = |power: i32| match power % 2 {
            0 => 3.0_f64.powi(power / 2) / f64::from(power + 1),
            _ => 0.0,
        };
        let normal = |power: i32| match power % 2 {
            0 => (1..power).step_by(2).map(f64::from).product(),
            _ => 0.0,
        };
        let standardised: Vec<f64> = x.iter().map(|x| (x - 0.5) * 12.0_f64.sqrt()).collect();
        near_moments(&format!("seed {seed}, uniform"), &standardised, uniform);
        near_moments(&format!("seed {seed}, normal"), &y, normal);
    }
}

fn near_moments(what: &str, draws: &[f64], moment: impl Fn(i32) -> f64) {
    for power in 1..=4 {
        let mean = mean(draws.iter().map(|d| d.powi(power)));
        let deviation = (moment(2 * power) - moment(power).powi(2)).sqrt();
        near(
            &format!("{what}, power {power}"),
            mean,
            moment(power),
            deviation,
        );
    }
}

/// The distance for n draws is below 1.95 / √n in 999 of 1000 cases.
#[test]
fn the_draws_have_the_right_distribution() {
    let bound = 1.95 / (N as f64).sqrt();
    let below = |z: f64| 0.5 * libm::erfc(-z / std::f64::consts::SQRT_2);
    for seed in [20, 1 << 32] {
        let Block { x, y } = draws(seed);
        let distances = [kolmogorov_smirnov(&x, |x| x), kolmogorov_smirnov(&y, below)];
        println!("seed {seed}: {distances:?} where {bound} is allowed");
        assert!(distances.iter().all(|&distance| distance < bound));
        // The negative control: a hundredth of a deviation shows.
        assert!(kolmogorov_smirnov(&y, |y| below(y + 0.01)) > bound);
    }
}

/// x and noise, neighbours, and the same position under the next seed are not correlated, and neither are their squares.
#[test]
fn the_draws_are_independent() {
    let (first, second) = (draws(20), draws(21));
    let x = |block: &Block| -> Vec<f64> {
        let standardised = block.x.iter().map(|x| (x - 0.5) * 12.0_f64.sqrt());
        standardised.collect()
    };
    let (x, other_x) = (x(&first), x(&second));
    let (y, other_y) = (&first.y, &second.y);
    for (what, a, b) in [
        ("x and noise", &x, y),
        ("x and the next seed's", &x, &other_x),
        ("noise and the next seed's", y, other_y),
    ] {
        let pairs = || a.iter().zip(b);
        near(what, mean(pairs().map(|(a, b)| a * b)), 0.0, 1.0);
        unrelated_sizes(what, a, b);
    }
    for distance in [1, 2, 4, 256, 1024, BLOCK] {
        for (what, values) in [("x", &x), ("noise", y)] {
            let what = format!("{what} and that {distance} further on");
            // Rotated, so that there are N pairs.
            let mut later = values.clone();
            later.rotate_left(distance);
            let products = values.iter().zip(&later).map(|(a, b)| a * b);
            near(&what, mean(products), 0.0, 1.0);
            unrelated_sizes(&what, values, &later);
        }
    }
}

/// Asserts that the squares of standardised draws are not correlated, by their own deviations.
fn unrelated_sizes(what: &str, a: &[f64], b: &[f64]) {
    let deviation = |values: &[f64]| mean(values.iter().map(|v| (v * v - 1.0).powi(2))).sqrt();
    let products = a.iter().zip(b).map(|(a, b)| (a * a - 1.0) * (b * b - 1.0));
    let expected = deviation(a) * deviation(b);
    near(&format!("{what}, squared"), mean(products), 0.0, expected);
}

/// Sample i depends on the recipe and i alone, not on the number of samples.
#[test]
fn a_longer_set_begins_with_the_shorter_one() {
    let of = |samples| all(&Threefry::new(recipe(samples)).unwrap());
    let (short, long) = (of(BLOCK as u64 + 7), of(3 * BLOCK as u64));
    assert_eq!(short.x, long.x[..short.x.len()]);
    assert_eq!(short.y, long.y[..short.y.len()]);
    assert_ne!(long.x[..BLOCK], long.x[BLOCK..2 * BLOCK]);
}

#[test]
fn outliers_are_their_share_and_leave_the_others_alone() {
    let n = 200_000;
    let of = |outliers| {
        let recipe = Recipe {
            outliers,
            ..recipe(n)
        };
        all(&Threefry::new(recipe).unwrap())
    };
    let clean = of(0.0);
    for share in [1e-3, 0.1, 1.0] {
        let dirty = of(share);
        assert_eq!(clean.x, dirty.x);
        let moved = clean.y.iter().zip(&dirty.y).filter(|(a, b)| a != b);
        assert!(moved.clone().all(|(clean, dirty)| *dirty == clean + 20.0));
        let expected = share * n as f64;
        let deviation = (expected * (1.0 - share)).sqrt();
        assert!((moved.count() as f64 - expected).abs() <= 5.0 * deviation);
    }
}

#[test]
fn a_recipe_that_cannot_be_followed_is_refused() {
    let refused = Threefry::new(recipe(0));
    match refused {
        Err(Error::Setting { setting, .. }) => assert_eq!(setting, Setting::Samples),
        other => panic!("{other:?}"),
    }
}

/// The samples of a source, with each y higher by a constant.
struct Higher<'a>(&'a Threefry, f64);

impl Source for Higher<'_> {
    fn samples(&self) -> u64 {
        self.0.samples()
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        self.0.read(index, block)?;
        block.y.iter_mut().for_each(|y| *y += self.1);
        Ok(())
    }

    fn title(&self) -> String {
        self.0.title()
    }
}

/// Returns the largest distance of the sums over an adapter's own draws from those over the twin's, if its x are the twin's
/// and its y within `off`.
///
/// The losses are convex, so a derivative lies between those at y's ends. A loss value differs by no more than the steeper
/// of these allows. x is not negative here.
fn slack(source: &Threefry, loss: Loss, model: Model, off: f64) -> Sums {
    let at = |by| Reference::new(&Higher(source, by), loss, model);
    let (low, middle, high) = (at(-off), at(0.0), at(off));
    let db = low.sums.db - high.sums.db;
    Sums {
        loss: off * (middle.sizes.db + db),
        dw: low.sums.dw - high.sums.dw,
        db,
    }
}

#[test]
fn an_engine_that_draws_agrees_with_the_reference() {
    let dirty = Recipe {
        outliers: 0.05,
        ..recipe(300_007)
    };
    for recipe in [recipe(1), recipe(100_003), dirty] {
        // y is within 20 roundings of its parts: 4, 3 · 2, 6.34 deviations of noise, and gross errors.
        let parts = 4.0 + 3.0 * 2.0 + 6.34 + if recipe.outliers > 0.0 { 20.0 } else { 0.0 };
        let off = parts * 20.0 / f64::from(1 << 23);
        let source = Threefry::new(recipe).unwrap();
        for loss in Loss::ALL {
            let expected = [(0.0, 0.0), (3.01, 3.98)].map(|(w, b)| {
                let model = Model { w, b };
                let reference = Reference::new(&source, loss, model);
                (model, reference, slack(&source, loss, model, off))
            });
            on_every_adapter(|adapter| {
                let mut engine =
                    GpuEngine::drawn(&adapter, &source, loss, &Options::default()).unwrap();
                assert_eq!(engine.samples(), source.samples());
                for (model, Reference { sums, sizes }, slack) in &expected {
                    let drawn = engine.evaluate(*model).unwrap();
                    for (part, drawn, sum, size, slack) in [
                        ("loss", drawn.loss, sums.loss, sizes.loss, slack.loss),
                        ("dw", drawn.dw, sums.dw, sizes.dw, slack.dw),
                        ("db", drawn.db, sums.db, sizes.db, slack.db),
                    ] {
                        let (off, allowed) = ((drawn - sum).abs(), 2e-6 * size + slack);
                        println!(
                            "{} of {} samples, {part} at {model:?} on {}: off by {:.1e} of Σ|term|, \
                             where {:.1e} is allowed",
                            loss.name(),
                            source.samples(),
                            adapter.info(),
                            off / size,
                            allowed / size,
                        );
                        assert!(off <= allowed, "{part} is {drawn}, not {sum}");
                    }
                }
            });
        }
    }
}

/// The negative control: the next seed's samples do not pass for these.
#[test]
fn another_seeds_sums_differ() {
    let source = |seed| {
        let recipe = Recipe {
            seed,
            ..recipe(1_000_003)
        };
        Threefry::new(recipe).unwrap()
    };
    let model = Model { w: 3.01, b: 3.98 };
    let reference = Reference::new(&source(20), Loss::Mse, model);
    let slack = slack(&source(20), Loss::Mse, model, 4e-5);
    on_every_adapter(|adapter| {
        let mut engine =
            GpuEngine::drawn(&adapter, &source(21), Loss::Mse, &Options::default()).unwrap();
        let off = (engine.evaluate(model).unwrap().loss - reference.sums.loss).abs();
        assert!(off > 2e-6 * reference.sizes.loss + slack.loss);
    });
}
