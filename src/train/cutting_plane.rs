//! The cutting-plane method with centres of gravity, in two dimensions.
//!
//! The losses are convex in (w, b), so what an epoch learns at one line p is true of every line q:
//! loss(q) ≥ loss(p) + gradient(p) · (q − p). Once a loss of L is known, half-planes rule out every line where that
//! is not below L, and what all epochs leave is a convex polygon, which holds every line that is better. The next
//! epoch tries its centre of gravity. A cut through there takes 1 − 1/e = 0.63 of the area to be left at the most
//! (Grünbaum 1960), and the loss that can still be gained shrinks by the root of that an epoch (Levin 1965, Newman 1965):
//! whatever the samples are, for losses with corners as for smooth ones, without a learning rate. Where nothing is left,
//! no line is better by more than what is certain of a loss.
//!
//! That is not yet the line: where a few samples are far off, what they add to the loss is more than all others can
//! gain. Their gradient is not: it is bounded, as all terms are, and f32 sums of such terms are good to 1e-6 of what
//! they are among the others. So the plane goes on to cut by gradients, through the lines that were tried themselves,
//! until what is left is narrow, or no gradient says where to go.

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
/// The share of it that an f32 sum of losses is off by at the worst, as engines are tested to: what differs by more
/// differs for certain.
const ROUNDING: f64 = 1.0 / (1 << 19) as f64;
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
    /// Whether gradients alone tell lines apart.
    by_gradient: bool,
    /// Whether no line is left to try.
    done: bool,
}

impl CuttingPlane {
    pub(super) fn new(start: Model, reach: Model) -> Self {
        CuttingPlane {
            start,
            reach,
            cuts: Vec::new(),
            by_gradient: false,
            done: false,
        }
    }

    /// Whether no line is better than the best, as far as the tolerance and f32 tell.
    pub(super) fn done(&self) -> bool {
        self.done
    }

    /// Whether no line has a loss that is lower for certain, and gradients alone tell.
    pub(super) fn by_gradient(&self) -> bool {
        self.by_gradient
    }

    /// The line to try after `seen`, rounded to f32 as the engine will; the best one where none is left. Where the
    /// tolerance is below what f32 tells of the loss, none is left only when the best line is known to `fine`.
    pub(super) fn next(&mut self, seen: Seen, tolerance: f64, fine: Model) -> Model {
        self.cuts.push(seen);
        let mut next = self.next_by_loss(tolerance, 0);
        self.by_gradient = next.is_none() && tolerance <= UNCERTAIN;
        if self.by_gradient {
            next = self.next_by_gradient(fine);
        }
        let next = next.or_else(|| self.next_by_loss(tolerance, BEYOND));
        self.done = next.is_none();
        next.unwrap_or(self.best(seen).model)
    }

    /// The line with the lowest loss. Among those whose losses f32 can't tell apart, once gradients alone tell: one
    /// whose gradient says nothing any more, else the last one, for the later, the nearer. `seen` where none was tried.
    pub(super) fn best(&self, seen: Seen) -> Seen {
        let lowest = |one: Seen, other: &Seen| match other.at.loss < one.at.loss {
            true => *other,
            false => one,
        };
        let first = self.cuts.first().copied().unwrap_or(seen);
        let lowest = self.cuts.iter().fold(first, lowest);
        if !self.by_gradient {
            return lowest;
        }
        let level = lowest.at.loss * (1.0 + UNCERTAIN);
        let like = || self.cuts.iter().rev().filter(|cut| cut.at.loss <= level);
        let flat = like().find(|cut| is_flat(cut));
        flat.or(like().next()).copied().unwrap_or(lowest)
    }

    /// The middle of the lines that may be better by more than what is certain of the loss, in boxes that grow up to so
    /// many times: it may be as it is so small that there is nothing to gain within it.
    fn next_by_loss(&mut self, tolerance: f64, beyond: usize) -> Option<Model> {
        let mut grown = self.clone();
        let best = self.best(self.cuts.last().copied()?);
        // Near its sides the box may be what keeps the best line from being found.
        while (best.model.w - grown.start.w).abs() > 0.5 * grown.reach.w
            || (best.model.b - grown.start.b).abs() > 0.5 * grown.reach.b
        {
            grown.grow();
        }
        for _ in 0..=beyond {
            let middle = grown.better(best, tolerance).centroid();
            if let Some(next) = middle.and_then(|middle| self.new_line(best, middle)) {
                self.reach = grown.reach;
                return Some(next);
            }
            grown.grow();
        }
        None
    }

    /// The middle of the lines that gradients leave, none where that is the best one.
    fn next_by_gradient(&mut self, fine: Model) -> Option<Model> {
        let best = self.best(self.cuts.last().copied()?);
        if is_flat(&best) {
            return None;
        }
        let (mut left, mut ends) = self.left(best)?;
        let start = |from: &Self| {
            let Model { w, b } = from.start;
            [w - best.model.w, b - best.model.b]
        };
        // All in a box's outer half: what is beyond may be as good.
        while (0..2).any(|i| {
            let reach = 0.5 * [self.reach.w, self.reach.b][i];
            let start = start(self)[i];
            ends[i][0] > start + reach || ends[i][1] < start - reach
        }) {
            self.grow();
            (left, ends) = self.left(best)?;
        }
        let far = ends.map(|[low, high]| high.max(-low));
        if far[0] <= fine.w && far[1] <= fine.b {
            return None;
        }
        self.new_line(best, left.centroid()?)
    }

    /// The line in f32 that is so far from the best one, unless f32 knows none there that is new.
    fn new_line(&self, best: Seen, [w, b]: [f64; 2]) -> Option<Model> {
        let next = rounded(Model {
            w: best.model.w + w,
            b: best.model.b + b,
        });
        let is_new = self.cuts.iter().all(|cut| cut.model != next);
        (next.w.is_finite() && next.b.is_finite() && is_new).then_some(next)
    }

    fn grow(&mut self) {
        self.reach.w *= GROWTH;
        self.reach.b *= GROWTH;
    }

    /// The box, as seen from the best line, so that a small rest keeps its digits.
    fn all(&self, best: Seen) -> Polygon {
        let low = [
            self.start.w - self.reach.w - best.model.w,
            self.start.b - self.reach.b - best.model.b,
        ];
        let high = [
            self.start.w + self.reach.w - best.model.w,
            self.start.b + self.reach.b - best.model.b,
        ];
        Polygon::rectangle(low, high)
    }

    /// The lines whose loss may be lower than that of the best one, by more than is uncertain.
    fn better(&self, best: Seen, tolerance: f64) -> Polygon {
        let mut left = self.all(best);
        let level = best.at.loss * (1.0 - tolerance.max(UNCERTAIN));
        for cut in &self.cuts {
            let (at, gradient) = seen_from(cut, best);
            let above = (cut.at.loss - level) * (1.0 - UNCERTAIN_FAR);
            left.cut(gradient, gradient[0] * at[0] + gradient[1] * at[1] - above);
        }
        left
    }

    /// The lines that may be the best as far as gradients tell, and losses where they are apart for certain; and their
    /// least and greatest w and b. All as seen from `best`; none where nothing is left.
    ///
    /// A gradient that is off by e may rule out a line q that is better than p, by |e · (q − p)| at the most: no further off
    /// than where the gradient is e itself, which is the nearest that gradients lead to. What their own last digit may
    /// be off by stays, so that cuts from afar don't contradict each other over a rest that is long and narrow.
    fn left(&self, best: Seen) -> Option<(Polygon, [[f64; 2]; 2])> {
        let mut left = self.all(best);
        let mut ends = left.ends()?;
        for cut in &self.cuts {
            let (at, gradient) = seen_from(cut, best);
            let above = (cut.at.loss * (1.0 - ROUNDING) - best.at.loss * (1.0 + ROUNDING)).max(0.0);
            let mut offset = -above;
            for i in [0, 1] {
                let farthest = (ends[i][1] - at[i]).max(at[i] - ends[i][0]);
                offset += gradient[i] * at[i] + UNCERTAIN * gradient[i].abs() * farthest;
            }
            left.cut(gradient, offset);
            ends = left.ends()?;
        }
        Some((left, ends))
    }
}

/// Whether it is the best line, by its gradient.
fn is_flat(cut: &Seen) -> bool {
    cut.at.dw == 0.0 && cut.at.db == 0.0
}

/// Where a cut was made, and its gradient.
fn seen_from(cut: &Seen, best: Seen) -> ([f64; 2], [f64; 2]) {
    let at = [cut.model.w - best.model.w, cut.model.b - best.model.b];
    (at, [cut.at.dw, cut.at.db])
}

/// As an engine rounds it.
pub(super) fn rounded(model: Model) -> Model {
    Model {
        w: f64::from(model.w as f32),
        b: f64::from(model.b as f32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Evaluation;

    fn seen(w: f64, b: f64, loss: f64, dw: f64, db: f64) -> Seen {
        Seen {
            model: Model { w, b },
            at: Evaluation { loss, dw, db },
        }
    }

    const START: Model = Model { w: 0.0, b: 0.0 };
    const REACH: Model = Model { w: 1.0, b: 1.0 };
    const FINE: Model = Model { w: 1e-3, b: 1e-3 };

    /// 2^-22 of 1e30 is not gained even where the largest box ends: so the gradient alone says where to go, in the first.
    #[test]
    fn a_box_that_held_nothing_however_large_is_the_one_that_it_was() {
        let mut plane = CuttingPlane::new(START, REACH);
        let next = plane.next(seen(0.0, 0.0, 1e30, 1e-3, 0.0), 0.0, FINE);
        assert!(plane.by_gradient() && !plane.done());
        assert_eq!(plane.reach, REACH);
        assert!(
            (next.w + 0.5).abs() < 1e-3 && next.b.abs() < 1e-3,
            "{next:?}"
        );
        // Whoever asks for no more than 1e-3 of the loss has it.
        let mut plane = CuttingPlane::new(START, REACH);
        let next = plane.next(seen(0.0, 0.0, 1e30, 1e-3, 0.0), 1e-3, FINE);
        assert!(plane.done());
        assert_eq!((next, plane.reach), (START, REACH));
    }

    /// The loss is the same for f32 everywhere; gradients point to (3, −5), outside the box.
    #[test]
    fn gradients_alone_lead_to_a_line_outside_the_box() {
        let mut plane = CuttingPlane::new(START, REACH);
        let (mut line, mut epochs) = (START, 0);
        while !plane.done() {
            line = plane.next(
                seen(line.w, line.b, 1e9, line.w - 3.0, line.b + 5.0),
                1e-9,
                FINE,
            );
            epochs += 1;
        }
        assert!(
            (line.w - 3.0).abs() <= 1e-3 && (line.b + 5.0).abs() <= 1e-3,
            "{line:?}"
        );
        assert!(epochs < 50, "{epochs}");
    }
}
