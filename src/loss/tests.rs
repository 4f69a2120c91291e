//! The three copies of a loss's formulas against each other, and its properties against the formulas.

use super::*;

/// All losses with their defaults, and those with a parameter also far from it.
fn losses() -> Vec<Loss> {
    let mut losses = Loss::ALL.to_vec();
    for loss in Loss::ALL {
        let others = [0.001, 0.9, 2.5].map(|parameter| loss.with_parameter(Some(parameter)));
        losses.extend(others.into_iter().flatten());
    }
    losses
}

/// Residuals of both signs from 2^-40 to 2^40, eight to an octave, in f32, and 0.
fn residuals() -> impl Iterator<Item = f32> {
    let sizes = (-320..=320).map(|eighth| (eighth as f32 / 8.0).exp2());
    sizes.flat_map(|size| [size, -size]).chain([0.0])
}

struct Evaluate(Vec<f32>);

impl TermsVisitor for Evaluate {
    type Output = Vec<Terms>;

    fn visit(self, terms: impl Fn(f32) -> Terms) -> Vec<Terms> {
        self.0.into_iter().map(terms).collect()
    }
}

/// The terms in f32 and the residuals that gave them.
fn in_f32(loss: Loss) -> impl Iterator<Item = (f32, Terms)> {
    let terms = loss.with_terms(Evaluate(residuals().collect()));
    residuals().zip(terms)
}

/// The error is up to eight roundings of f32: log-cosh takes that many, the others one or two.
#[test]
fn the_terms_in_f32_are_those_in_f64() {
    for loss in losses() {
        for (residual, (value, derivative)) in in_f32(loss) {
            let (exact_value, exact_derivative) = loss.terms(f64::from(residual));
            for (term, exact) in [(value, exact_value), (derivative, exact_derivative)] {
                let error = (f64::from(term) - exact).abs();
                let bound = 8.0 * f64::from(f32::EPSILON) * exact.abs();
                assert!(error <= bound, "{loss} at {residual:e}: {term}, {exact}");
            }
        }
    }
}

/// The control: terms of another loss, and of another parameter, differ.
#[test]
fn the_terms_of_another_loss_differ() {
    let losses = losses();
    for (at, one) in losses.iter().enumerate() {
        for other in &losses[..at] {
            let differs = in_f32(*one)
                .zip(in_f32(*other))
                .any(|(one, other)| one != other);
            assert!(differs, "{one} and {other}");
        }
    }
}

/// The reference is a central difference in f64, away from corners and from sizes at which it would be rounding.
#[test]
fn the_derivative_is_that_of_the_value() {
    for loss in losses() {
        for residual in residuals().map(f64::from) {
            if !(1e-3..1e3).contains(&residual.abs()) {
                continue;
            }
            let step = 1e-5 * residual.abs();
            let [above, below] = [residual + step, residual - step].map(|at| loss.terms(at).0);
            let slope = (above - below) / (2.0 * step);
            let derivative = loss.terms(residual).1;
            // Across huber's threshold the difference sees a part of both sides.
            let bound = 1e-4 * derivative.abs();
            assert!(
                (slope - derivative).abs() <= bound,
                "{loss} at {residual}: {slope}, {derivative}"
            );
        }
    }
}

#[test]
fn the_curvature_is_the_largest_second_derivative() {
    for loss in losses() {
        let near = 1e-6;
        let slope = (loss.terms(near).1 - loss.terms(-near).1) / (2.0 * near);
        match loss.curvature() {
            // All losses with a curvature are curved most at 0.
            Some(curvature) => assert!((slope - curvature).abs() < 1e-6, "{loss}: {slope}"),
            None => assert!(slope > 1e5, "{loss}: {slope}"),
        }
        assert_eq!(loss.has_corners(), loss.curvature().is_none());
    }
}

#[test]
fn the_degree_is_the_power_by_which_the_loss_grows() {
    for loss in losses() {
        for residual in [-300.0, -1.0, -1e-3, 1e-3, 1.0, 300.0] {
            let in_unit = |unit: f64| loss.in_unit(unit).terms(residual / unit).0;
            let (whole, halves) = (in_unit(1.0), in_unit(0.5));
            match loss.degree() {
                Some(degree) => assert_eq!(halves, whole * 2_f64.powi(degree), "{loss}"),
                None => {
                    let ratio = halves / whole;
                    assert!((2.0..=4.0).contains(&ratio), "{loss}: {ratio}");
                }
            }
        }
    }
}

#[test]
fn the_wgsl_declares_the_constants_that_it_is_given() {
    for loss in losses() {
        let wgsl = loss.wgsl();
        for function in ["loss_value", "loss_derivative"] {
            assert!(wgsl.contains(&format!("fn {function}(")), "{loss}");
        }
        let constants = loss.constants();
        for (name, value) in &constants {
            assert!(wgsl.contains(&format!("override {name}: f32;")), "{loss}");
            assert!(value.is_finite(), "{loss}");
        }
        assert_eq!(wgsl.matches("override ").count(), constants.len(), "{loss}");
    }
}

#[test]
fn a_parameter_out_of_range_is_refused() {
    for loss in Loss::ALL {
        assert!(loss.check().is_ok());
        assert_eq!(loss.with_parameter(None).unwrap(), loss);
        assert_eq!(loss.with_parameter(loss.parameter()).unwrap(), loss);
        assert_eq!(
            loss.parameter().is_some(),
            loss.parameter_setting().is_some()
        );
        // 1e-50 is 0 in f32, and 1e50 is infinite.
        for parameter in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-50, 1e50] {
            let setting = loss.parameter_setting().unwrap_or(Setting::Loss);
            let made = loss.with_parameter(Some(parameter));
            match made.and_then(Loss::check_for_engine) {
                Err(Error::Setting { setting: found, .. }) => assert_eq!(found, setting),
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(Loss::Quantile { tau: 1.0 }.check().is_err());
    assert!(Loss::Huber { delta: 2.0 }.check().is_ok());
}

/// Adds up the growth of the derivative over small steps. Beyond 40 its last part is below 1e-30.
#[test]
fn the_bend_is_the_area_and_deviation_under_the_second_derivative() {
    const STEPS: i32 = 1 << 18;
    for loss in losses() {
        let Some((area, deviation)) = loss.bend() else {
            assert!(loss.is_least_squares());
            continue;
        };
        // Half of mae: its errors are estimated as those of the quantile 0.5.
        let loss = loss.tau().map_or(loss, |tau| Loss::Quantile { tau });
        let step = 40.0 / f64::from(STEPS);
        let (mut sum, mut squares) = (0.0, 0.0);
        for at in -STEPS..STEPS {
            let [from, to] = [at, at + 1].map(|at| f64::from(at) * step);
            let growth = loss.terms(to).1 - loss.terms(from).1;
            sum += growth;
            squares += growth * (0.5 * (from + to)).powi(2);
        }
        assert!((sum - area).abs() < 1e-9, "{loss}: {sum}, {area}");
        let off = (squares / sum).sqrt() - deviation;
        assert!(off.abs() < step, "{loss}: {off:e}");
    }
}
