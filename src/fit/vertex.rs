//! The exact line of losses with corners: the best one passes through samples (Koenker and Bassett 1978).

use rayon::prelude::*;

use crate::data::{self, Block, Source};
use crate::error::Error;
use crate::loss::Loss;
use crate::model::{Centered, Model};

/// The samples nearest to the line that are kept of each block, and of all.
const NEAREST: usize = 48;
/// The lines through two of them that are looked at in full.
const LINES: usize = 4;

/// A sample and its residual, for all that are equal to it.
#[derive(Clone, Copy, Debug)]
struct Near {
    x: f64,
    y: f64,
    residual: f64,
    /// The number of such samples.
    weight: f64,
}

/// Returns the lines through two of the samples nearest to `found` that promise the lowest loss, the best one first. All other
/// samples count as if they stayed on their side of the line.
///
/// # Errors
/// Those of [`read`](data::read).
pub(super) fn vertices(
    source: &dyn Source,
    loss: Loss,
    found: Centered,
) -> Result<Vec<Centered>, Error> {
    let blocks = (0..data::blocks(source)?)
        .into_par_iter()
        .map_init(Block::default, |block, index| {
            data::read(source, index, block)?;
            Ok(of_block(block, loss, found))
        })
        .collect::<Result<Vec<_>, Error>>()?;
    let (mut near, mut gradient) = (Vec::new(), Model::ZERO);
    for (nearest, of_block) in blocks {
        near.extend(nearest);
        gradient = gradient + of_block;
    }
    let near = nearest(near);
    for at in &near {
        gradient = gradient - slope(loss, found, *at);
    }
    let promised = |line: Centered| {
        let step = Model {
            w: line.w - found.w,
            b: line.predict(found.x_center) - found.y_center,
        };
        let losses = near
            .iter()
            .map(|at| at.weight * loss.terms(line.predict(at.x) - at.y).0);
        losses.sum::<f64>() + gradient.dot(step)
    };
    Ok(lowest(&near, promised))
}

/// Returns the lines through two samples that promise the lowest loss, the best one first.
fn lowest(near: &[Near], promised: impl Fn(Centered) -> f64) -> Vec<Centered> {
    let mut lines = Vec::new();
    for (at, one) in near.iter().enumerate() {
        for other in &near[..at] {
            let line = Centered {
                // No slope of -0.
                w: (other.y - one.y) / (other.x - one.x) + 0.0,
                x_center: one.x,
                y_center: one.y,
            };
            let value = promised(line);
            // Two samples of one x have no line.
            if value.is_finite() {
                lines.push((value, line));
            }
        }
    }
    lines.sort_by(|one, other| one.0.total_cmp(&other.0));
    // Many samples on one line give the same line many times.
    lines.dedup_by(|other, one| {
        let [low, high] = [one.1.x_center, other.1.x_center + 1.0];
        [low, high].iter().all(|&x| {
            let (one, other) = (one.1.predict(x), other.1.predict(x));
            (one - other).abs() <= 1e-14 * (one.abs() + other.abs())
        })
    });
    lines
        .into_iter()
        .take(LINES)
        .map(|(_, line)| line)
        .collect()
}

/// Returns the nearest samples of a block, and the sum of all samples' slopes.
fn of_block(block: &Block, loss: Loss, found: Centered) -> (Vec<Near>, Model) {
    let samples = block.x.iter().zip(&block.y);
    let residuals: Vec<f64> = samples
        .clone()
        .map(|(&x, &y)| found.predict(x) - y)
        .collect();
    let near = |(&residual, (&x, &y)): (&f64, (&f64, &f64))| Near {
        x,
        y,
        residual,
        weight: 1.0,
    };
    let slopes = residuals.iter().zip(samples.clone());
    let gradient = slopes.fold(Model::ZERO, |sum, at| sum + slope(loss, found, near(at)));
    let mut sizes: Vec<f64> = residuals.iter().map(|residual| residual.abs()).collect();
    let mut most = 4 * NEAREST;
    loop {
        let is_part = most < sizes.len();
        let farthest = if is_part {
            *sizes.select_nth_unstable_by(most, f64::total_cmp).1
        } else {
            f64::INFINITY
        };
        let of_near = residuals.iter().zip(samples.clone());
        let of_near = of_near.filter(|(residual, _)| residual.abs() <= farthest);
        let nearest = nearest(of_near.map(near).collect());
        // Many may be equal.
        if nearest.len() == NEAREST || !is_part {
            return (nearest, gradient);
        }
        most *= 16;
    }
}

/// Returns the derivative of a sample's loss by the slope and by the level at the line's center.
fn slope(loss: Loss, found: Centered, at: Near) -> Model {
    let derivative = at.weight * loss.terms(at.residual).1;
    Model {
        w: derivative * (at.x - found.x_center),
        b: derivative,
    }
}

/// Returns the samples with the smallest residuals, equal ones as one, in an order that does not depend on the number of threads.
fn nearest(mut near: Vec<Near>) -> Vec<Near> {
    near.sort_unstable_by(|one, other| {
        let size = one.residual.abs().total_cmp(&other.residual.abs());
        size.then(one.x.total_cmp(&other.x))
            .then(one.y.total_cmp(&other.y))
    });
    near.dedup_by(|other, one| {
        let equal = (one.x, one.y) == (other.x, other.y);
        if equal {
            one.weight += other.weight;
        }
        equal
    });
    near.truncate(NEAREST);
    near
}
