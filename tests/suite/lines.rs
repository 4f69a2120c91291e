//! The closed form in f64, on data sets whose line of least squares is known exactly.

use crate::common::{self, lines};
use common::{Reference, Samples, all, synthetic};
use fall_line::data::goodness::Goodness;
use fall_line::data::host::Columns;
use fall_line::data::scaling::{Scaled, Scaling};
use fall_line::data::statistics::{Observed, Statistics};
use fall_line::data::{BLOCK, Block, Source};
use fall_line::loss::Loss;
use fall_line::model::{Evaluation, Model};
use lines::golden;

fn statistics(x: &[f64], y: &[f64]) -> Statistics {
    Statistics::of(&Samples::new(x, y), &|_| {}).unwrap()
}

/// Asserts that a value has this number of right digits.
fn assert_digits(what: &str, value: f64, right: f64, digits: i32) {
    let off = ((value - right) / right).abs();
    let near = off <= 0.5 * 10_f64.powi(-digits) || value == right;
    assert!(near, "{what} is {value:?}, not {right:?}: off by {off:e}");
}

/// Both columns have the mean 2/3, which f64 rounds by a third of its last digit.
#[test]
fn the_line_keeps_what_rounding_takes_from_the_means() {
    let values = [0.0, 1.0, 1.0];
    let statistics = statistics(&values, &values);
    let line = statistics.centered_line().unwrap();
    assert_eq!(line.y_center, line.x_center);
    assert_eq!(statistics.line().unwrap(), Model { w: 1.0, b: 0.0 });
}

#[test]
fn the_closed_form_has_twelve_digits_on_every_set() {
    for case in golden() {
        let name = &case.name;
        let statistics = statistics(&case.x, &case.y);
        let line = statistics.line().unwrap();
        assert_digits(&format!("{name}: w"), line.w, case.w, 12);
        assert_digits(&format!("{name}: b"), line.b, case.b, 12);
        assert_digits(name, statistics.x.mean, case.mean_x, 12);
        assert_digits(name, statistics.y.mean, case.mean_y, 12);
        assert_digits(name, statistics.x_deviation(), case.deviation_x, 12);
        let squares = statistics.least_deviation().powi(2);
        // The variance of y cancels in it.
        let slack = 1e-14 * statistics.y_deviation().powi(2);
        assert!(
            (squares - case.mse).abs() <= 1e-12 * case.mse + slack,
            "{name}"
        );
    }
}

#[test]
fn the_goodness_of_a_line_is_right() {
    for case in golden() {
        let source = Samples::new(&case.x, &case.y);
        let statistics = statistics(&case.x, &case.y);
        let line = statistics.line().unwrap();
        let fit = Goodness::of(&source, line, &statistics.y).unwrap();
        // A residual is the difference of numbers of this size.
        let rounding = f64::EPSILON * (line.b.abs() + line.w.abs() * statistics.x.greatest.abs());
        let slack = 1e-12 * fit.rmse + 4.0 * rounding;
        let name = &case.name;
        assert!(
            (fit.rmse - case.mse.sqrt()).abs() <= slack,
            "{name}: {fit:?}"
        );
        assert!(
            fit.mae > 0.3 * fit.rmse && fit.mae <= fit.rmse || case.mse == 0.0,
            "{name}: {fit:?}"
        );
        let explained = fit.r_squared.unwrap();
        assert!((explained - case.r_squared).abs() < 1e-6, "{name}: {fit:?}");
    }
    // Residuals of y = x by hand: 0, 1 and -1 for the targets 0, 0 and 3.
    let source = Samples::new(&[0.0, 1.0, 2.0], &[0.0, 0.0, 3.0]);
    let y = Statistics::of(&source, &|_| {}).unwrap().y;
    let fit = Goodness::of(&source, Model { w: 1.0, b: 0.0 }, &y).unwrap();
    assert_digits("rmse", fit.rmse, (2.0_f64 / 3.0).sqrt(), 15);
    assert_digits("mae", fit.mae, 2.0 / 3.0, 15);
    assert_digits("R²", fit.r_squared.unwrap(), 1.0 - 2.0 / 6.0, 15);
    // A y that does not vary has no variance to explain.
    let flat = Samples::new(&[0.0, 1.0], &[0.1; 2]);
    let y = Statistics::of(&flat, &|_| {}).unwrap().y;
    let fit = Goodness::of(&flat, Model { w: 0.0, b: 0.0 }, &y).unwrap();
    assert_eq!(fit.r_squared, None);
}

/// NIST's NumAcc3 and NumAcc4 have means of 1000000.2 and 10000000.2 and a standard deviation of 0.1 (over n − 1) by
/// construction. f64 holds their last decimal with an error of 1e-9 / 0.1 of the deviation.
#[test]
fn the_mean_and_deviation_of_nearly_equal_values_are_right() {
    for (mean, digits) in [(1e6 + 0.2, 9), (1e7 + 0.2, 8)] {
        let mut x = vec![mean];
        for _ in 0..500 {
            x.extend([mean - 0.1, mean + 0.1]);
        }
        let statistics = statistics(&x, &x);
        assert_digits("mean", statistics.x.mean, mean, 15);
        let deviation = (statistics.x.squares / 1000.0).sqrt();
        assert_digits("deviation", deviation, 0.1, digits);
    }
}

#[test]
fn parts_join_to_the_whole_without_cancellation() {
    let source = synthetic(3 * BLOCK as u64 + 17);
    let Block { x, y } = all(&source);
    let x: Vec<f64> = x.iter().map(|x| 1.7e9 + x).collect();
    let whole = Statistics::of_block(&Block {
        x: x.clone(),
        y: y.clone(),
    });
    let joined = statistics(&x, &y);
    assert_eq!(joined.samples, whole.samples);
    assert_eq!(
        (joined.x.least, joined.x.greatest),
        (whole.x.least, whole.x.greatest)
    );
    assert_eq!(
        (joined.y.least, joined.y.greatest),
        (whole.y.least, whole.y.greatest)
    );
    let (joined_line, line) = (joined.line().unwrap(), whole.line().unwrap());
    assert_digits("w", joined_line.w, line.w, 11);
    assert_digits("b", joined_line.b, line.b, 11);
    assert_digits("squares", joined.x.squares, whole.x.squares, 11);
    // Joining no samples changes nothing.
    assert_eq!(joined.join(Statistics::default()), joined);
    assert_eq!(Statistics::default().join(joined), joined);
}

#[test]
fn statistics_are_observed_once_every_block_was_read() {
    let source = synthetic(2 * BLOCK as u64 + 5);
    let observed = Observed::new(&source, None);
    let mut block = Block::default();
    for index in [2, 0, 2] {
        observed.read(index, &mut block).unwrap();
        assert_eq!(observed.statistics().unwrap(), None);
    }
    observed.read(1, &mut block).unwrap();
    let statistics = Statistics::of(&source, &|_| {}).unwrap();
    assert_eq!(observed.statistics().unwrap(), Some(statistics));
}

#[test]
fn a_column_that_does_not_vary_has_no_line() {
    assert_eq!(statistics(&[0.1; 1000], &[1.0; 1000]).line(), None);
    let flat = statistics(&[1.0, 2.0, 4.0], &[0.1; 3]);
    assert_eq!(flat.line(), Some(Model { w: 0.0, b: 0.1 }));
    // Neighbours in f64 are different values.
    assert!(
        statistics(&[1.0, 1.0_f64.next_up()], &[0.0, 1.0])
            .line()
            .is_some()
    );
}

/// Returns the size of a loss derivative where the mean loss is `mean`.
fn steepness(loss: Loss, mean: f64) -> f64 {
    match loss {
        Loss::Mse | Loss::Huber { .. } => 4.0 * mean.sqrt(),
        Loss::Mae | Loss::LogCosh | Loss::Quantile { .. } => 1.0,
    }
}

#[test]
fn a_line_its_loss_and_its_gradient_are_converted_back_to_the_datas_units() {
    for case in golden() {
        let source = Samples::new(&case.x, &case.y);
        let statistics = statistics(&case.x, &case.y);
        let y_deviation = statistics.y_deviation();
        for loss in Loss::ALL {
            let loss = match loss {
                Loss::Huber { .. } => Loss::Huber { delta: y_deviation },
                other => other,
            };
            if loss == Loss::LogCosh && !(1e-10..1e10).contains(&y_deviation) {
                continue; // log-cosh is not invariant to scale
            }
            let scaling = Scaling::standard(&statistics, loss);
            let inside = all(&Scaled::new(&source, scaling));
            let standard = Statistics::of_block(&inside);
            assert!(standard.x.mean.abs() < 1e-6 && (standard.x_deviation() - 1.0).abs() < 1e-6);
            assert!(standard.y.mean.abs() < 1e-6 * standard.y_deviation().max(1.0));
            if case.mse > 0.0 && loss != Loss::LogCosh {
                assert!(
                    (0.99..2.01).contains(&standard.y_deviation()),
                    "{}",
                    case.name
                );
            }
            // Any line that is not the best one.
            let line = Model {
                w: case.w + y_deviation / case.deviation_x,
                b: case.b + 0.3 * y_deviation - y_deviation / case.deviation_x * case.mean_x,
            };
            let back = scaling.outside(scaling.inside(line));
            assert_digits("w", back.w, line.w, 12);
            assert_digits("b", back.b, line.b, 8);
            let samples = source.samples();
            let there = Reference::exact(
                &Scaled::new(&source, scaling),
                scaling.loss(loss),
                scaling.inside(line),
            );
            let found = scaling.evaluation(loss, there.sums.means(samples));
            let right = Reference::exact(&source, loss, line).sums.means(samples);
            let name = format!("{} {loss}", case.name);
            // In the reference, a residual as large as y's deviation is the difference of numbers of this size.
            let size = line.b.abs() + line.w.abs() * statistics.x.greatest.abs();
            let slack = 1e-9 + 8.0 * f64::EPSILON * size / y_deviation;
            assert!(
                (found.loss - right.loss).abs() <= 2.0 * slack * right.loss,
                "{name}: {found:?} {right:?}"
            );
            let steepest = steepness(loss, right.loss);
            let reach = statistics.x.least.abs().max(statistics.x.greatest.abs());
            assert!(
                (found.db - right.db).abs() <= slack * steepest,
                "{name}: {found:?} {right:?}"
            );
            assert!(
                (found.dw - right.dw).abs() <= slack * steepest * reach,
                "{name}: {found:?} {right:?}"
            );
        }
    }
}

#[test]
fn no_scaling_changes_nothing() {
    let (x, y) = ([1.0_f32, 2.0, 4.0], [3.0_f32, 5.0, 6.0]);
    let source = Columns::new(&x, &y).unwrap();
    let same = all(&Scaled::new(&source, Scaling::NONE));
    assert_eq!((same.x, same.y), (vec![1.0, 2.0, 4.0], vec![3.0, 5.0, 6.0]));
    let line = Model { w: 0.1, b: -0.7 };
    assert_eq!(Scaling::NONE.inside(line), line);
    assert_eq!(Scaling::NONE.outside(line), line);
    let evaluation = Evaluation {
        loss: 0.1,
        dw: 0.2,
        db: -0.3,
    };
    for loss in Loss::ALL {
        assert_eq!(Scaling::NONE.evaluation(loss, evaluation), evaluation);
        assert_eq!(Scaling::NONE.learning_rate(loss, 0.1), 0.1);
    }
}

#[test]
fn the_moments_inside_are_those_of_the_standardised_column() {
    let source = synthetic(1000);
    let statistics = Statistics::of(&source, &|_| {}).unwrap();
    let (mean, square) = Scaling::standard(&statistics, Loss::Mse).moments(&statistics);
    assert!(mean.abs() < 1e-12 && (square - 1.0).abs() < 1e-12);
    let (mean, square) = Scaling::NONE.moments(&statistics);
    let x = all(&source).x;
    assert_digits("mean", mean, x.iter().sum::<f64>() / 1000.0, 12);
    assert_digits(
        "square",
        square,
        x.iter().map(|x| x * x).sum::<f64>() / 1000.0,
        12,
    );
}
