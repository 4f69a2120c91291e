//! Synthetic samples: their streams and their distribution.

use crate::common;
use common::{all, recipe, synthetic};
use fall_line::data::statistics::ColumnStats;
use fall_line::data::synthetic::{ChaCha, Recipe, start};
use fall_line::data::{BLOCK, Block, Source};

/// Sample i depends only on the recipe and i, not on the number of samples after it.
#[test]
fn a_longer_set_begins_with_the_shorter_one() {
    let short = all(&synthetic(BLOCK as u64 + 7));
    let long = all(&synthetic(3 * BLOCK as u64));
    assert_eq!(short.x, long.x[..short.x.len()]);
    assert_eq!(short.y, long.y[..short.y.len()]);
}

#[test]
fn blocks_seeds_and_the_start_are_streams_of_their_own() {
    let source = synthetic(3 * BLOCK as u64);
    let (mut first, mut second) = (Block::default(), Block::default());
    source.read(0, &mut first).unwrap();
    source.read(1, &mut second).unwrap();
    assert_ne!(first.x, second.x);
    let other = ChaCha::new(Recipe {
        seed: 21,
        ..recipe(1)
    })
    .unwrap();
    assert_ne!(all(&other).x[0], first.x[0]);
    assert_eq!(start(20), start(20));
    assert_ne!(start(20).w, start(20).b);
    assert_ne!(start(20), start(21));
}

/// Means and deviations within five standard errors, at a million samples.
#[test]
fn the_samples_follow_the_recipe() {
    let n = 1_000_000.0_f64;
    let Block { x, y } = all(&ChaCha::new(Recipe {
        slope: -2.5,
        intercept: 7.0,
        noise: 0.5,
        x_range: -1.0..3.0,
        ..recipe(1_000_000)
    })
    .unwrap());
    assert!(x.iter().all(|x| (-1.0..3.0).contains(x)));
    let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / n;
    let x_mean = mean(&mut x.iter().copied());
    let x_variance = mean(&mut x.iter().map(|x| (x - x_mean).powi(2)));
    // A uniform variate over a width of 4 has variance 4² / 12.
    assert!((x_mean - 1.0).abs() < 5.0 * (16.0_f64 / 12.0 / n).sqrt());
    assert!((x_variance - 16.0 / 12.0).abs() < 5.0 * (16.0 / 12.0) / n.sqrt());
    let noise: Vec<f64> = x.iter().zip(&y).map(|(x, y)| y - (7.0 - 2.5 * x)).collect();
    let noise_mean = mean(&mut noise.iter().copied());
    let noise_variance = mean(&mut noise.iter().map(|e| e * e));
    assert!(noise_mean.abs() < 5.0 * 0.5 / n.sqrt());
    assert!((noise_variance - 0.25).abs() < 5.0 * 0.25 * (2.0 / n).sqrt());
    // The noise does not depend on x.
    let covariance = mean(&mut x.iter().zip(&noise).map(|(x, e)| (x - x_mean) * e));
    assert!(covariance.abs() < 5.0 * (16.0_f64 / 12.0 * 0.25 / n).sqrt());
}

#[test]
fn outliers_have_their_share_and_leave_other_samples_unchanged() {
    let n = 200_000;
    let clean = all(&synthetic(n));
    let dirty = all(&ChaCha::new(Recipe {
        outliers: 0.1,
        ..recipe(n)
    })
    .unwrap());
    assert_eq!(clean.x, dirty.x);
    let moved = clean.y.iter().zip(&dirty.y).filter(|(a, b)| a != b);
    assert!(moved.clone().all(|(clean, dirty)| *dirty == clean + 20.0));
    let expected = 0.1 * n as f64;
    let deviation = (expected * 0.9).sqrt();
    assert!((moved.count() as f64 - expected).abs() < 5.0 * deviation);
}

#[test]
fn recipes_that_cannot_be_followed_are_refused() {
    for bad in [
        Recipe {
            samples: 0,
            ..recipe(1)
        },
        Recipe {
            noise: -1.0,
            ..recipe(1)
        },
        Recipe {
            x_range: 2.0..2.0,
            ..recipe(1)
        },
        Recipe {
            x_range: 1e9..1e9 + 1.0,
            ..recipe(1)
        },
        Recipe {
            outliers: 1.5,
            ..recipe(1)
        },
        Recipe {
            outliers: 0.1,
            noise: 0.0,
            ..recipe(1)
        },
        Recipe {
            slope: 1e38,
            x_range: 0.0..10.0,
            ..recipe(1)
        },
    ] {
        let text = format!("{bad:?}");
        let error = ChaCha::new(bad).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{text}: {error:?}");
    }
}

/// At 1e9 the steps of f32 are 64 wide, and at 2^60 those of f64 are 256 wide.
#[test]
fn a_range_of_fewer_than_4096_steps_is_coarse() {
    let column = |least: f64, greatest: f64| ColumnStats {
        least,
        greatest,
        ..ColumnStats::default()
    };
    for (least, steps, coarse) in [
        (1e9 - 64.0 * 4095.0, 64.0, true),
        (1e9 - 64.0 * 4096.0, 64.0, false),
        (1e9, 64.0, false),
    ] {
        let found = column(least, 1e9).coarse_in_f32();
        assert_eq!(found, coarse.then_some(steps), "{least}");
        let found = column(-1e9, -least).coarse_in_f32();
        assert_eq!(found, coarse.then_some(steps), "-{least}");
    }
    let large = 2.0_f64.powi(60);
    // Below 2^60 the steps are half as wide.
    let found = column(large - 1000.0, large).coarse_in_f64();
    assert_eq!(found, Some(128.0));
    assert_eq!(column(0.0, large).coarse_in_f64(), None);
    // Beyond f32 there are no steps.
    assert_eq!(column(1e39, 1.001e39).coarse_in_f32(), None);
}
