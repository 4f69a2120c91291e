//! The exact line of losses with corners: the best one passes through samples (Koenker and Bassett 1978).

use serde::{Deserialize, Serialize};
use wide::f64x4;

use crate::data::Block;
use crate::loss::Loss;
use crate::model::{Centered, Model};
use crate::train::least;

/// The samples around the line that are kept at least, if there are as many.
const KEPT: usize = 4096;
/// The samples of a block that are kept at most, and those of all blocks that may be more.
const MOST_OF_BLOCK: usize = 128;
const MOST: usize = 1 << 16;
/// Turns that are tried at most.
const TURNS: usize = 200;
/// Samples on a line about which it is turned, at most.
const PIVOTS: usize = 16;
/// The share of a sample's y by which it may be off a line through it.
const ROUNDING: f64 = 8.0 * f64::EPSILON;

/// A search for the best line, near one that a descent ended at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search {
    loss: Loss,
    found: Centered,
    /// The distance from `found` up to which samples are kept. Those beyond count as if they stayed on their side.
    reach: f64,
    /// The samples of a block that are kept at most.
    most: usize,
}

/// The samples that a search keeps of some blocks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    near: Vec<Near>,
    /// `true` if no sample within reach was left out.
    whole: bool,
}

impl FromIterator<Kept> for Kept {
    fn from_iter<I: IntoIterator<Item = Kept>>(blocks: I) -> Self {
        let (mut near, mut whole) = (Vec::new(), true);
        for mut block in blocks {
            near.append(&mut block.near);
            whole &= block.whole;
        }
        Kept { near, whole }
    }
}

/// A sample near the line, for all that are equal to it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Near {
    x: f64,
    y: f64,
    residual: f64,
    /// The number of such samples.
    weight: f64,
}

/// A better line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vertex {
    /// The line.
    pub line: Centered,
    /// The sum of the samples' losses, less that at the line found.
    pub change: f64,
    /// `true` if no sample that is not among those kept changes sides, so that no line is better.
    pub is_best: bool,
}

impl Search {
    /// Returns a search near `found`, which is `tolerance` off the best line at most, if the descent went well. `some` are
    /// [some](crate::data::some) of the `samples`.
    pub fn new(some: &Block, samples: u64, loss: Loss, found: Centered, tolerance: f64) -> Self {
        let kept = KEPT as f64 * some.x.len() as f64 / samples as f64;
        let mut sizes = some.residuals(found);
        sizes.iter_mut().for_each(|size| *size = size.abs());
        let reach = if samples > KEPT as u64 {
            let (_, size, _) = sizes.select_nth_unstable_by(kept.ceil() as usize, f64::total_cmp);
            size.max(8.0 * tolerance)
        } else {
            f64::INFINITY
        };
        let blocks = samples.div_ceil(crate::data::BLOCK as u64) as usize;
        Search {
            loss,
            found,
            reach,
            most: (MOST / blocks).max(MOST_OF_BLOCK),
        }
    }

    /// Returns a sample if it is within reach.
    fn near(&self, x: f64, y: f64) -> Option<Near> {
        let residual = self.found.predict(x) - y;
        (residual.abs() <= self.reach).then_some(Near {
            x,
            y,
            residual,
            weight: 1.0,
        })
    }

    /// Returns the samples that are kept of a block.
    pub fn kept(&self, block: &Block) -> Kept {
        let mut near = Vec::new();
        // Most fours have none.
        for (x, y) in block.x.chunks(4).zip(block.y.chunks(4)) {
            if let (Ok(x), Ok(y)) = (x.try_into(), y.try_into()) {
                let off = self.found.predict_lanes(f64x4::new(x)) - f64x4::new(y);
                if off.abs().simd_gt(f64x4::splat(self.reach)).all() {
                    continue;
                }
            }
            near.extend(x.iter().zip(y).filter_map(|(&x, &y)| self.near(x, y)));
        }
        let whole = join_equals(&mut near, self.most);
        Kept { near, whole }
    }

    /// Returns the line of the least loss if it is better than the one found. `gradient` is the sum of the derivatives of all
    /// samples' losses by slope and level, at the line's center, and `ends` are the least and the greatest x.
    ///
    /// It moves the line to its best level, where it passes through a sample, then turns it about samples that it passes
    /// through, as long as the loss falls. The loss is convex, so a line that no such turn betters is the best one.
    pub fn best(&self, kept: Kept, mut gradient: Model, ends: [f64; 2]) -> Option<Vertex> {
        let Kept { mut near, whole } = kept;
        join_equals(&mut near, usize::MAX);
        for at in &near {
            let derivative = at.weight * self.loss.terms(at.residual).1;
            gradient = gradient
                - Model {
                    w: derivative * (at.x - self.found.x_center),
                    b: derivative,
                };
        }
        let change = |line: Centered| {
            let value = |residual: f64| self.loss.terms(residual).0;
            let changes = near
                .iter()
                .map(|at| at.weight * (value(line.predict(at.x) - at.y) - value(at.residual)));
            changes.sum::<f64>() + gradient.dot(self.found.step_to(line))
        };
        let about = |pivot: &Near| {
            let slope = gradient.w + gradient.b * (self.found.x_center - pivot.x);
            let parts = near
                .iter()
                .map(|at| (at.x - pivot.x, at.y - pivot.y, at.weight));
            let (w, other) = least(self.loss, slope, parts)?;
            let line = Centered {
                // No slope of -0.
                w: w + 0.0,
                x_center: pivot.x,
                y_center: pivot.y,
            };
            Some((line, change(line), near[other]))
        };
        let levels = near.iter().map(|at| (1.0, -at.residual, at.weight));
        let (mut line, mut lowest) = (self.found, 0.0);
        let mut pivots = on(line, &near);
        pivots.push(near[least(self.loss, gradient.b, levels)?.1]);
        for _ in 0..TURNS {
            let Some(pivot) = pivots.pop() else { break };
            let Some((turned, value, other)) = about(&pivot) else {
                continue;
            };
            if value < lowest {
                (line, lowest) = (turned, value);
                // The other one last, so that it comes first.
                pivots = on(line, &near);
                pivots.push(other);
            }
        }
        let off = ends.map(|x| (line.predict(x) - self.found.predict(x)).abs());
        (lowest < 0.0).then_some(Vertex {
            line,
            change: lowest,
            is_best: whole && off.iter().all(|off| *off <= self.reach),
        })
    }
}

/// Returns samples that a line passes through: all, or some spread over them.
fn on(line: Centered, near: &[Near]) -> Vec<Near> {
    let is_on = |at: &&Near| {
        let size = at.y.abs() + line.y_center.abs();
        (line.predict(at.x) - at.y).abs() <= ROUNDING * size
    };
    let mut on: Vec<Near> = near.iter().filter(is_on).copied().collect();
    on.sort_unstable_by(|one, other| one.x.total_cmp(&other.x));
    let step = on.len().div_ceil(PIVOTS).max(1);
    on.into_iter().step_by(step).collect()
}

/// Makes one of equal samples, and keeps those with the smallest residuals. Returns whether all are kept. Their order does not
/// depend on the number of threads.
fn join_equals(near: &mut Vec<Near>, most: usize) -> bool {
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
    let whole = near.len() <= most;
    near.truncate(most);
    near.shrink_to_fit();
    whole
}
