//! Certified and classic data sets, trained on every engine as the program trains on a file.
//!
//! `cargo test --test certified every_set -- --nocapture` shows a table: set, engine, right digits of w and of b, epochs.

use crate::common::{self, lines, standard};
use std::f64::consts::TAU;

use common::{Reference, Samples, on_every_engine};
use fall_line::data::Block;
use fall_line::data::goodness::Goodness;
use fall_line::loss::Loss;
use fall_line::model::Model;
use lines::{Case, golden};
use standard::Standard;

/// Returns the number of right digits of a value as NIST counts them: −log₁₀ of its relative error, up to 16. If 0 is right,
/// the error is taken as a share of `unit`.
fn digits(value: f64, right: f64, unit: f64) -> f64 {
    let size = if right == 0.0 { unit } else { right.abs() };
    let digits = -((value - right).abs() / size).log10();
    // f64::min would turn NaN into 16.
    if digits > 16.0 { 16.0 } else { digits }
}

/// Returns the right digits of w and b. Their units are the deviation of y over that of x, and the deviation of y.
fn digits_of(line: Model, right: Model, standard: &Standard) -> [f64; 2] {
    let y = standard.statistics.y_deviation();
    let x = standard.statistics.x_deviation();
    [digits(line.w, right.w, y / x), digits(line.b, right.b, y)]
}

/// Prints a line of the table.
fn print(set: &str, engine: &str, [w, b]: [f64; 2], epochs: u64) {
    println!("{set:<22} {engine:<62} {w:>5.1} {b:>5.1} {epochs:>6}");
}

/// Returns a set with a slope of exactly 0: y = x² over −3 to 3, whose mean is 4.
fn parabola() -> Case {
    let x: Vec<f64> = (-3..=3).map(f64::from).collect();
    let y: Vec<f64> = x.iter().map(|x| x * x).collect();
    Case {
        name: "a parabola".to_owned(),
        mean_x: 0.0,
        mean_y: 4.0,
        deviation_x: 2.0,
        w: 0.0,
        b: 4.0,
        mse: 12.0,
        r_squared: 0.0,
        x,
        y,
    }
}

/// Plain gradient descent at the best rate. Its first epoch already lands as near as f32 sums can tell. Timestamps are the
/// hardest for b, which is then w times 1.7e9 and has the digits of w.
#[test]
fn every_set_has_its_digits_on_every_engine() {
    for case in golden().into_iter().chain([parabola()]) {
        let samples = case.samples();
        let standard = Standard::new(&samples, Loss::Mse);
        let right = Model {
            w: case.w,
            b: case.b,
        };
        let closed = standard.statistics.line().unwrap();
        print(
            &case.name,
            "closed form",
            digits_of(closed, right, &standard),
            0,
        );
        on_every_engine(&standard.inside(), standard.loss(), |engine, on| {
            let (trained, line) = standard.train(on, &standard.gd());
            let [w, b] = digits_of(line, right, &standard);
            print(&case.name, engine, [w, b], trained.epochs);
            let of_b = if case.name.starts_with("timestamps") {
                6.0
            } else {
                4.0
            };
            assert!(w >= 6.0 && b >= of_b, "{} on {engine}: {line:?}", case.name);
        });
    }
}

/// The trend, which the closed form would subtract, is left in y. y is then rounded to f32 where it is large, not where it
/// is a residual, so Norris' b has only 3.9 digits.
#[test]
fn descent_alone_finds_the_trend() {
    for case in golden() {
        let samples = case.samples();
        let mut standard = Standard::new(&samples, Loss::Mse);
        standard.scaling.trend = 0.0;
        let right = Model {
            w: case.w,
            b: case.b,
        };
        on_every_engine(&standard.inside(), standard.loss(), |engine, on| {
            let (trained, line) = standard.train(on, &standard.gd());
            let [w, b] = digits_of(line, right, &standard);
            print(&case.name, engine, [w, b], trained.epochs);
            // At mean x, the line is within 2^-22 of y: its error there is a mean of roundings of 2^-25 each.
            let off = line.predict(case.mean_x) - right.predict(case.mean_x);
            let size = case
                .y
                .iter()
                .map(|y| (y - case.mean_y).abs())
                .fold(0.0, f64::max);
            let rounding = size / f64::from(1 << 22) + f64::EPSILON * (line.w * case.mean_x).abs();
            assert!(
                w >= 6.0 && off.abs() <= rounding,
                "{} on {engine}: {line:?}, off by {off:e} of {rounding:e}",
                case.name
            );
        });
    }
}

/// Returns the set of this name.
fn case(name: &str) -> Case {
    let mut cases = golden().into_iter();
    cases.find(|case| case.name == name).unwrap()
}

/// Norris is NIST's only certified set of a line with an intercept. Of its other Statistical Reference Datasets for linear
/// regression, Pontius, Wampler and Filip are polynomials, Longley has six regressors, and NoInt1 and NoInt2 have no
/// intercept.
#[test]
fn norris_is_as_nist_certifies_it() {
    let certified = Model {
        w: 1.00211681802045,
        b: -0.262323073774029,
    };
    let samples = case("norris").samples();
    let standard = Standard::new(&samples, Loss::Mse);
    let closed = standard.statistics.line().unwrap();
    let [w, b] = digits_of(closed, certified, &standard);
    assert!(w >= 12.0 && b >= 12.0, "{closed:?}: {w} {b}");
    // The residual standard deviation, over n − 2, and R².
    let fit = Goodness::of(&samples, closed, &standard.statistics.y).unwrap();
    let deviation = fit.rmse * (36.0 / 34.0_f64).sqrt();
    assert!(digits(deviation, 0.884796396144373, 1.0) >= 12.0, "{fit:?}");
    let r_squared = fit.r_squared.unwrap();
    assert!(digits(r_squared, 0.999993745883712, 1.0) >= 12.0, "{fit:?}");
    on_every_engine(&standard.inside(), standard.loss(), |engine, on| {
        let (_, line) = standard.train(on, &standard.gd());
        let [w, b] = digits_of(line, certified, &standard);
        assert!(w >= 6.0 && b >= 4.0, "{engine}: {line:?}: {w} {b}");
    });
}

/// The control: f32 has steps of 128 s at 1.7e9. A day's timestamps that are not centred first lose the digits that the
/// tests above ask for.
#[test]
fn timestamps_in_f32_have_too_few_digits() {
    let Case { x, y, w, b, .. } = case("timestamps of a day");
    let x: Vec<f64> = x.iter().map(|&x| f64::from(x as f32)).collect();
    let samples = Samples::new(&x, &y);
    let standard = Standard::new(&samples, Loss::Mse);
    let line = standard.statistics.line().unwrap();
    let [w, b] = digits_of(line, Model { w, b }, &standard);
    assert!(w < 6.0 && b < 6.0, "{line:?}: {w} {b}");
}

/// Returns the line through two of the samples that has the least mean absolute residual. No other line has a smaller one
/// (Koenker and Bassett 1978).
fn least_absolute(samples: &Samples) -> (f64, Model) {
    let Block { x, y } = &samples.0;
    let mut best = (f64::INFINITY, Model { w: 0.0, b: 0.0 });
    for i in 0..x.len() {
        for j in (0..x.len()).filter(|&j| x[j] != x[i]) {
            let w = (y[j] - y[i]) / (x[j] - x[i]);
            let line = Model {
                w,
                b: y[i] - w * x[i],
            };
            let loss = Reference::exact(samples, Loss::Mae, line).sums.loss / x.len() as f64;
            if loss < best.0 {
                best = (loss, line);
            }
        }
    }
    best
}

/// Anscombe's third set is y = 4.01 + 0.345 x, rounded to hundredths, and one sample far above. The samples of its six even x
/// are exactly on that line, which is the best by the mean absolute residual, with a loss of 0.387.
///
/// The cutting plane ends within 1e-6 of the least loss (see optima.rs). The distance from the best line is
/// √((error of w · x's deviation)² + (error at x's mean)²). The loss rises by at least 0.137 per unit of it, by convexity.
/// The distance is therefore at most 2.8e-6.
#[test]
fn the_least_absolute_residuals_find_the_line_of_anscombes_third_set() {
    let samples = case("anscombe 3").samples();
    let (least, line) = least_absolute(&samples);
    let certified = Model { w: 0.345, b: 4.01 };
    assert!(digits(line.w, certified.w, 1.0) > 12.0 && digits(line.b, certified.b, 1.0) > 12.0);
    let standard = Standard::new(&samples, Loss::Mae);
    let (mean, deviation) = (
        standard.statistics.x.mean,
        standard.statistics.x_deviation(),
    );
    let mae = |line| Reference::exact(&samples, Loss::Mae, line).sums.loss / 11.0;
    let rises = (0..1000).map(|direction| {
        let (sin, cos) = (f64::from(direction) * TAU / 1000.0).sin_cos();
        // A short way, so that samples rounded by up to 0.005 stay on their side.
        let w = certified.w + 1e-3 * cos / deviation;
        let b = certified.b + 1e-3 * sin - (w - certified.w) * mean;
        (mae(Model { w, b }) - least) / 1e-3
    });
    let rise = rises.fold(f64::INFINITY, f64::min);
    assert!((0.137..0.138).contains(&rise), "{rise}");
    let off = 1e-6 * least / rise;
    on_every_engine(&standard.inside(), standard.loss(), |engine, on| {
        let (trained, line) = standard.train(on, &standard.cutting_plane());
        print(
            "anscombe 3, mae",
            engine,
            digits_of(line, certified, &standard),
            trained.epochs,
        );
        let off_w = (line.w - certified.w) * deviation;
        let off_b = line.b - certified.b + (line.w - certified.w) * mean;
        assert!(off_w.hypot(off_b) <= off, "{engine}: {line:?}");
        let above = mae(line) / least - 1.0;
        assert!((-1e-12..=1e-6).contains(&above), "{engine}: {above}");
    });
}
