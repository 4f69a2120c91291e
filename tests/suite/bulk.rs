//! The line of the bulk of the samples, however far off some are, against the exact one of golden/bulk.py on every
//! engine.

use crate::common::{self, golden, program, standard};
use common::{Samples, on_every_engine};
use fall_line::data::scaling::Scaling;
use fall_line::data::statistics::Statistics;
use fall_line::data::{BLOCK, Block, Source, positions};
use fall_line::error::{Error, Setting};
use fall_line::loss::Loss;
use fall_line::model::Model;
use fall_line::train::RobustStart;
use golden::uniform;
use serde::Deserialize;
use standard::Standard;

#[derive(Deserialize)]
struct Golden {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    recipe: Recipe,
    /// The standard deviation of the bulk's noise.
    noise: f64,
    /// The first and last x, the first and last y.
    ends: [f64; 4],
    lines: Vec<Line>,
}

#[derive(Debug, Deserialize)]
struct Recipe {
    samples: u64,
    seed: u64,
    /// The share of samples far off; 0 for a single one.
    share: f64,
    /// The y of samples far off.
    far: f64,
    /// The x of the middle sample; 0 to leave it.
    far_x: f64,
}

#[derive(Deserialize)]
struct Line {
    loss: String,
    parameter: Option<f64>,
    w: f64,
    b: f64,
}

impl Line {
    fn loss(&self) -> Loss {
        golden::loss(&self.loss, self.parameter)
    }
}

impl Case {
    fn samples(&self) -> Samples {
        let mut block = Block::default();
        let recipe = &self.recipe;
        for position in 0..recipe.samples {
            let uniform = |draw| uniform(recipe.seed, draw, position);
            let x = 2.0 * uniform(0);
            let noise = (2..14).map(uniform).sum::<f64>() - 6.0;
            let y = 2.0 * x + 1.0 + self.noise * noise;
            let is_far =
                uniform(1) < recipe.share || recipe.share == 0.0 && position == recipe.samples / 3;
            let moved = recipe.far_x > 0.0 && position == recipe.samples / 2;
            block.push((
                if moved { recipe.far_x } else { x },
                if is_far { recipe.far } else { y },
            ));
        }
        let Block { x, y } = &block;
        assert_eq!(self.ends, [x[0], x[x.len() - 1], y[0], y[y.len() - 1]]);
        Samples(block)
    }
}

fn golden() -> Vec<Case> {
    let golden: Golden = serde_json::from_str(include_str!("../golden/bulk.json")).unwrap();
    assert_eq!(golden.cases.len(), 11);
    golden.cases
}

/// Returns the scale of the residuals: their median distance from their median, which is 0.6745 for normal noise of
/// standard deviation 1.
///
/// It is that of the noise, unless a far x leads the line away from the bulk.
fn deviation(Samples(Block { x, y }): &Samples, line: Model) -> f64 {
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let residuals: Vec<f64> = x.iter().zip(y).map(|(&x, y)| line.predict(x) - y).collect();
    let middle = median(residuals.clone());
    median(residuals.iter().map(|r| (r - middle).abs()).collect()) / 0.6745
}

/// The line is within 1e-4 of the residuals' scale at x = 1, the middle of the bulk, and one standard deviation of x,
/// 0.58, beside it.
///
/// The cutting plane's tolerance is 0.67 / 16384 of the scale for each of w and b, and the rounding of gradients adds
/// 4e-6 of it. Losses can't tell: that of y = 1e28 alone is rounded by 1e18 times the noise.
#[test]
fn samples_far_off_do_not_move_the_line_of_the_bulk() {
    for case in golden() {
        assert_eq!(case.lines.len(), 7);
        let samples = case.samples();
        for exact in &case.lines {
            let loss = exact.loss();
            let (w, b) = (exact.w, exact.b);
            let deviation = deviation(&samples, Model { w, b });
            if case.recipe.far_x == 0.0 {
                assert!(
                    (0.9..1.2).contains(&(deviation / case.noise)),
                    "{deviation}"
                );
            }
            let standard = Standard::new(&samples, loss);
            on_every_engine(&standard.inside(), standard.loss(), |engine, on| {
                let (trained, Model { w, b }) = standard.train(on, &standard.cutting_plane());
                let error_w = 0.58 * (w - exact.w) / deviation;
                let error_middle = (w + b - exact.w - exact.b) / deviation;
                let Recipe {
                    share, far, far_x, ..
                } = case.recipe;
                let what = format!(
                    "{loss}, {share} at {far:e}, x {far_x}, {engine}: {} epochs, errors {error_w:.1e} and {error_middle:.1e}",
                    trained.epochs
                );
                println!("{what}");
                assert!(
                    error_w.abs() <= 1e-4 && error_middle.abs() <= 1e-4,
                    "{what}"
                );
                assert!(trained.epochs <= 60, "{what}");
            });
        }
    }
}

/// The program prints 8 digits of a line from a file; the noise leaves 6 of them.
#[test]
fn the_program_finds_the_line_of_the_bulk() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("far.csv");
    let mut cases = golden().into_iter();
    let case = cases.find(|case| case.recipe.far == 1e6).unwrap();
    let Samples(Block { x, y }) = &case.samples();
    let rows = x.iter().zip(y).map(|(x, y)| format!("{x},{y}\n"));
    std::fs::write(&path, rows.collect::<String>()).unwrap();
    for engine in program::engines() {
        for exact in &case.lines {
            let mut flags = format!("--loss {}", exact.loss);
            for (setting, flag) in [
                (Setting::Delta, "--delta"),
                (Setting::Quantile, "--quantile"),
            ] {
                if exact.loss().parameter_setting() == Some(setting) {
                    flags += &format!(" {flag} {}", exact.parameter.unwrap());
                }
            }
            let path = path.display();
            let found = program::json(&format!("train {path} {flags} {engine} --format json"));
            assert_eq!(found["converged"], true, "{found}");
            for (name, exact) in [("w", exact.w), ("b", exact.b)] {
                let error = found[name].as_f64().unwrap() - exact;
                assert!(
                    error.abs() < 3e-4 * case.noise,
                    "{flags} {engine}: {name} is {error:e} from the exact one"
                );
            }
        }
    }
}

/// Samples with one in 50 far off, y in steps that repeat every 256 samples, and x sorted.
struct Large;

impl Source for Large {
    fn samples(&self) -> u64 {
        2_000_000
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        block.clear();
        for position in positions(index, self.samples()) {
            let x = position as f64 / self.samples() as f64;
            let noise = (position % 256) as f64 / 256.0 - 0.5;
            let far = position % 50 == 7;
            block.push((x, if far { 1e20 } else { 3.0 - 2.0 * x + noise }));
        }
        Ok(())
    }

    fn title(&self) -> String {
        "a large set".to_owned()
    }
}

/// The noise is uniform and 1 wide. The median of 4,000 samples has an error of 1 / (2 √4000) = 0.008, at the ends
/// twice that. The 2 % far off, all above, move it by 0.01. The median distance from it is 0.25.
#[test]
fn a_robust_start_is_the_line_of_the_bulk_of_all_blocks() {
    assert!(Large.samples() > 16 * BLOCK as u64);
    let RobustStart { line, scale, .. } = RobustStart::new(&Large, Loss::Mae).unwrap();
    for (x, y) in [(0.0, 3.0), (1.0, 1.0)] {
        let error = line.predict(x) - y;
        assert!((-0.04..0.06).contains(&error), "{error} at {x}");
    }
    assert!((0.23..0.28).contains(&scale), "{scale}");
}

/// Most samples lie on a line to the digits of f64. The scale is then 2^-24 of that of y, and 0 if y does not vary.
#[test]
fn a_robust_start_of_samples_on_a_line_is_that_line() {
    let x: Vec<f64> = (0..100).map(f64::from).collect();
    let on = |w: f64, far: f64| {
        let mut y: Vec<f64> = x.iter().map(|x| w * x + 0.1).collect();
        y[17] = far;
        Samples::new(&x, &y)
    };
    for loss in [Loss::Mae, Loss::Quantile { tau: 0.9 }] {
        let RobustStart { line, scale, .. } = RobustStart::new(&on(0.3, 1e30), loss).unwrap();
        assert!((line.w - 0.3).abs() < 1e-14, "{line:?}");
        assert!((line.b - 0.1).abs() < 1e-12, "{line:?}");
        assert!((1e-8..1e-6).contains(&scale), "{scale}");
    }
    let RobustStart { line, scale, .. } = RobustStart::new(&on(0.0, 0.1), Loss::Mae).unwrap();
    assert_eq!((line, scale), (Model { w: 0.0, b: 0.1 }, 0.0));
}

/// The samples are the same in each unit, and their line is the least squares line of 3 - 2x with a wave on it.
#[test]
fn a_robust_start_does_not_depend_on_the_unit_of_x() {
    let start = |unit: f64| {
        let x: Vec<f64> = (0..500).map(|i| f64::from(i) / 250.0 - 1.0).collect();
        let y: Vec<f64> = x.iter().map(|x| 3.0 - 2.0 * x + (9.0 * x).sin()).collect();
        let x: Vec<f64> = x.iter().map(|x| unit * x).collect();
        RobustStart::new(&Samples::new(&x, &y), Loss::Mae).unwrap()
    };
    let known = start(1.0);
    assert!((known.line.b - 3.0).abs() < 0.2, "{known:?}");
    for unit in [1e-12, 1e12] {
        let found = start(unit);
        for (found, known) in [
            (found.line.w * unit, known.line.w),
            (found.line.b, known.line.b),
            (found.scale, known.scale),
        ] {
            // The tolerance of the fit is 2^-20 of the residuals.
            assert!((found - known).abs() < 1e-5, "{unit}: {found} {known}");
        }
    }
}

/// y is 1 for three samples of five and -1 for the others, at any x. The mean is 0.2, so that residuals are -0.8 and 1.2: most
/// are at their median, from which the distance is 0.
#[test]
fn the_scale_of_residuals_is_at_least_a_64th_of_the_median_residual() {
    let x: Vec<f64> = (0..1000).map(|i| f64::from(i / 5)).collect();
    let y: Vec<f64> = (0..1000).map(|i| [1.0, -1.0][i % 5 / 3]).collect();
    let RobustStart { line, scale, .. } =
        RobustStart::new(&Samples::new(&x, &y), Loss::Mse).unwrap();
    assert!(
        line.w.abs() < 1e-6 && (line.b - 0.2).abs() < 1e-5,
        "{line:?}"
    );
    assert!((scale / (0.8 / 64.0) - 1.0).abs() < 1e-4, "{scale}");
}

/// The unit of y and the loss decide which y f32 can hold.
#[test]
fn sizes_beyond_f32_are_refused() {
    let x: Vec<f64> = (0..1000).map(f64::from).collect();
    let of = |size: f64, far: f64| {
        let mut y: Vec<f64> = x.iter().map(|x| size * (x * 7.0 % 10.0)).collect();
        y[500] = far;
        Samples::new(&x, &y)
    };
    let robust = |samples: &Samples, loss| {
        let statistics = Statistics::of(samples, &|_| {}).unwrap();
        let RobustStart { line, scale, .. } = RobustStart::new(samples, loss).unwrap();
        Scaling::robust(&statistics, loss, line, scale)
    };
    let refused = |samples: &Samples, loss| robust(samples, loss).unwrap_err();
    for delta in [1e-32, 1e34] {
        match refused(&of(1.0, 1.0), Loss::Huber { delta }) {
            Error::Setting {
                setting: Setting::Delta,
                problem,
            } => {
                assert!(problem.starts_with("1e"), "{problem}");
                assert!(problem.contains("too far from"), "{problem}");
                assert!(problem.contains("use one between"), "{problem}");
            }
            other => panic!("{other:?}"),
        }
    }
    for (samples, why) in [
        (of(1e-17, 0.0), "y is too small for the log-cosh loss"),
        (of(1.0, 3e38), "some y are so far off"),
    ] {
        match refused(&samples, Loss::LogCosh) {
            Error::Data(text) => assert!(text.contains(why) && text.contains("huber"), "{text}"),
            other => panic!("{other:?}"),
        }
    }
    // Everything in between can be trained on, even if the sum is 1000 times the largest f32.
    for (samples, loss) in [
        (of(1e-14, 0.0), Loss::LogCosh),
        (of(1.0, 1e30), Loss::LogCosh),
        (of(1e-30, 3e38), Loss::Mae),
        (of(1.0, 3e38), Loss::Huber { delta: 1e-20 }),
        (of(1.0, 3e38), Loss::Huber { delta: 1e20 }),
    ] {
        assert!(robust(&samples, loss).is_ok());
        let standard = Standard::new(&samples, loss);
        on_every_engine(&standard.inside(), standard.loss(), |engine, on| {
            let (trained, line) = standard.train(on, &standard.cutting_plane());
            assert!(trained.loss > 0.0, "{engine}: {trained:?}, {line:?}");
        });
    }
}
