//! Synthetic samples that a shader can draw: how they are spread.

mod common;

use common::{all, recipe};
use fall_line::data::synthetic::Recipe;
use fall_line::data::threefry::Threefry;
use fall_line::data::{BLOCK, Block};
use fall_line::error::Error;

const N: usize = 1_000_000;

/// A million samples whose x is the uniform draw and whose y is the normal one.
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

/// Asserts that a mean of so many draws is within five standard errors.
fn near(what: &str, mean: f64, expected: f64, deviation: f64) {
    let errors = (mean - expected) / (deviation / (N as f64).sqrt());
    println!("{what}: {mean:.6}, {errors:.2} standard errors off");
    assert!(errors.abs() < 5.0, "{what}");
}

/// The largest distance between the share of draws below a value and the probability of that.
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

/// Mean, variance, skewness and kurtosis, each as a mean of powers of the standardised draw, whose own
/// variance is E d^2k − (E d^k)².
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

/// The distance of n draws is below 1.95 / √n in 999 of 1000 cases.
#[test]
fn the_draws_are_spread_as_they_should_be() {
    let bound = 1.95 / (N as f64).sqrt();
    let below = |z: f64| 0.5 * libm::erfc(-z / std::f64::consts::SQRT_2);
    for seed in [20, 1 << 32] {
        let Block { x, y } = draws(seed);
        let distances = [kolmogorov_smirnov(&x, |x| x), kolmogorov_smirnov(&y, below)];
        println!("seed {seed}: {distances:?} where {bound} is allowed");
        assert!(distances.iter().all(|&distance| distance < bound));
        // The control: a hundredth of a deviation shows.
        assert!(kolmogorov_smirnov(&y, |y| below(y + 0.01)) > bound);
    }
}

/// Neither x and noise, nor neighbours, nor the same position under the next seed have to do with each
/// other, nor have their squares.
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
            // Around the end, so that there are N pairs.
            let mut later = values.clone();
            later.rotate_left(distance);
            let products = values.iter().zip(&later).map(|(a, b)| a * b);
            near(&what, mean(products), 0.0, 1.0);
            unrelated_sizes(&what, values, &later);
        }
    }
}

/// That the squares of standardised draws are not correlated, which takes their own deviations.
fn unrelated_sizes(what: &str, a: &[f64], b: &[f64]) {
    let deviation = |values: &[f64]| mean(values.iter().map(|v| (v * v - 1.0).powi(2))).sqrt();
    let products = a.iter().zip(b).map(|(a, b)| (a * a - 1.0) * (b * b - 1.0));
    let expected = deviation(a) * deviation(b);
    near(&format!("{what}, squared"), mean(products), 0.0, expected);
}

/// Sample i depends on the recipe and i alone, not on how many follow it.
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
    assert!(matches!(refused, Err(Error::Usage(_))));
}
