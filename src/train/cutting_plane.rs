//! The cutting-plane method with centres of gravity, in two dimensions.
//!
//! The losses are convex in (w, b), so what an epoch learns at one line p is true of every line q:
//! loss(q) ≥ loss(p) + gradient(p) · (q − p). Once a loss of L is known, half-planes rule out every line where that
//! is not below L, and what all epochs leave is a convex polygon, which holds every line that is better. The next
//! epoch tries its centre of gravity. A cut through there takes 1 − 1/e = 0.63 of the area to be left at the most
//! (Grünbaum 1960), and the loss that can still be gained shrinks by the root of that an epoch (Levin 1965, Newman 1965):
//! whatever the samples are, for losses with corners as for smooth ones, without a learning rate. Where nothing is left,
//! no line is better.

use serde::{Deserialize, Serialize};

use super::polygon::Polygon;
use super::walk::Seen;
use crate::model::Model;

/// The share of the loss that f32 sums can't tell for certain: two roundings of the total to f32, and the terms' own,
/// which mostly average out. A line is looked for that is better by more than this, and by more than the tolerance.
const UNCERTAIN: f64 = 1.0 / (1 << 22) as f64;
/// Likewise, of how far a cut's loss lies above the best: the rounding of sums whose samples are far from the line,
/// which would else shift the cut by more than the best loss is certain to.
const UNCERTAIN_FAR: f64 = 1e-6;
/// What the box grows by.
const GROWTH: f64 = 4.0;
/// How often it grows before what it holds nothing of is taken not to be: 4^10 = 1e6 boxes further out. A line that is
/// better by 1e-6 of the loss is then found where its way from the best one is no longer than 4e6 boxes: a quarter of the
/// way gains a quarter of that, which is more than what is uncertain. No more often, for the corners of so large a
/// box have as many digits less.
const BEYOND: usize = 10;

/// What the epochs so far have ruled out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct CuttingPlane {
    /// The middle of the box.
    start: Model,
    /// Half its sides.
    reach: Model,
    /// Each line tried.
    cuts: Vec<Seen>,
    /// Whether no line is left to try.
    done: bool,
}

impl CuttingPlane {
    pub(super) fn new(start: Model, reach: Model) -> Self {
        CuttingPlane {
            start,
            reach,
            cuts: Vec::new(),
            done: false,
        }
    }

    /// Whether no line is better than the best by more than the tolerance and f32's rounding.
    pub(super) fn done(&self) -> bool {
        self.done
    }

    /// The line to try after `seen`, rounded to f32 as the engine will; the best one where none is left.
    pub(super) fn next(&mut self, seen: Seen, best: Seen, tolerance: f64) -> Model {
        self.cuts.push(seen);
        // Near its sides the box may be what keeps the best line from being found.
        while (best.model.w - self.start.w).abs() > 0.5 * self.reach.w
            || (best.model.b - self.start.b).abs() > 0.5 * self.reach.b
        {
            self.grow();
        }
        let mut left = self.left(best, tolerance).centroid();
        // As it may be where it is so small that there is nothing to gain within it.
        for _ in 0..BEYOND {
            if left.is_some() {
                break;
            }
            self.grow();
            left = self.left(best, tolerance).centroid();
        }
        let next = left
            .map(|[w, b]| {
                rounded(Model {
                    w: best.model.w + w,
                    b: best.model.b + b,
                })
            })
            .filter(|next| next.w.is_finite() && next.b.is_finite())
            // Else f32 knows no line there that is new.
            .filter(|next| self.cuts.iter().all(|cut| cut.model != *next));
        self.done = next.is_none();
        next.unwrap_or(best.model)
    }

    fn grow(&mut self) {
        self.reach.w *= GROWTH;
        self.reach.b *= GROWTH;
    }

    /// The lines that may be better than the best one, as seen from there, so that a small rest keeps its digits.
    fn left(&self, best: Seen, tolerance: f64) -> Polygon {
        let low = [
            self.start.w - self.reach.w - best.model.w,
            self.start.b - self.reach.b - best.model.b,
        ];
        let high = [
            self.start.w + self.reach.w - best.model.w,
            self.start.b + self.reach.b - best.model.b,
        ];
        let mut left = Polygon::rectangle(low, high);
        let level = best.at.loss * (1.0 - tolerance.max(UNCERTAIN));
        for cut in &self.cuts {
            let at = [cut.model.w - best.model.w, cut.model.b - best.model.b];
            let above = (cut.at.loss - level) * (1.0 - UNCERTAIN_FAR);
            let gradient = [cut.at.dw, cut.at.db];
            left.cut(gradient, gradient[0] * at[0] + gradient[1] * at[1] - above);
        }
        left
    }
}

/// As an engine rounds it.
pub(super) fn rounded(model: Model) -> Model {
    Model {
        w: f64::from(model.w as f32),
        b: f64::from(model.b as f32),
    }
}
