//! The cutting-plane method with centres of gravity, in the plane of w and b.
//!
//! The losses are convex in (w, b). An evaluation at a line p therefore bounds the loss of every line q: loss(q) ≥
//! loss(p) + gradient(p) · (q − p). Once a loss of L is known, each evaluation rules out a half-plane of lines whose
//! loss is not below L. All evaluations together leave a convex polygon, and every better line lies in it.
//!
//! The next epoch evaluates the polygon's centre of gravity. A cut through it leaves at most 1 − 1/e = 0.63 of the area
//! (Grünbaum 1960). Each epoch shrinks the excess loss by the root of that (Levin 1965, Newman 1965). The method needs
//! no learning rate, and the rate holds for any samples and for losses with corners. Once the polygon is empty, no line
//! is better by more than the loss can resolve.
//!
//! That line is not always good enough. A few samples far off can add so much to the loss that f32 can't resolve what
//! all the others still gain. They hardly disturb the gradient: the terms of all losses but mse are bounded, and f32
//! sums of such terms are good to 1e-6 of the other samples' size. The method then goes on to cut by gradients through
//! the evaluated lines themselves, until the polygon is narrow or the gradient is 0.

use serde::{Deserialize, Serialize};

use super::polygon::Polygon;
use crate::model::{Model, Seen};

/// The share of the loss that f32 sums can't resolve: two roundings of the total to f32, and those of the terms, which
/// mostly cancel. The method looks for a line that is better by more than this and by more than the tolerance.
const RESOLUTION: f64 = 1.0 / (1 << 22) as f64;
/// The share of a cut's excess over the best loss that f32 sums can't resolve. If the line is far from the samples, the
/// rounding of its loss would shift the cut by more than the best loss is uncertain.
const RESOLUTION_FAR: f64 = 1e-6;
/// The largest rounding of an f32 sum of losses, as a share of it; engines are tested to this. Losses that differ by
/// more really differ.
pub const MAX_ROUNDING: f64 = 1.0 / (1 << 19) as f64;
/// The share of the tolerance within which lines are the same to gradients.
const NEAR: f64 = 1.0 / 16.0;
/// The factor by which the box grows.
const GROWTH: f64 = 4.0;
/// The number of times an empty box grows before the method takes it that no better line exists: to 4^10 = 1e6 times
/// its size.
///
/// A line better by 1e-6 of the loss is then found up to 4e6 boxes away. By convexity a quarter of the way gains a
/// quarter of that, which exceeds [`RESOLUTION`]. The corners of a larger box would have too few digits.
const MAX_GROWTHS: usize = 10;

/// The lines that the epochs so far have left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CuttingPlane {
    /// The middle of the box.
    start: Model,
    /// Half the sides of the box.
    reach: Model,
    /// `true` if lines are evaluated as they are, not rounded to f32.
    exact: bool,
    /// Every line evaluated so far.
    cuts: Vec<Seen>,
    /// Set while losses no longer differ in f32, so that gradients alone lead on.
    by_gradient: bool,
    /// Set once no line is left to evaluate.
    done: bool,
}

impl CuttingPlane {
    /// Returns the state before the first epoch, with a box of ±`reach` around `start`. Unless lines are evaluated `exact`ly,
    /// they are rounded to f32.
    pub fn new(start: Model, reach: Model, exact: bool) -> Self {
        CuttingPlane {
            start,
            reach,
            exact,
            cuts: Vec::new(),
            by_gradient: false,
            done: false,
        }
    }

    /// Returns whether no line is better than the best one, as far as the tolerance and f32 can tell.
    pub fn done(&self) -> bool {
        self.done
    }

    /// Returns whether losses no longer differ in f32, so that gradients alone lead on.
    pub fn by_gradient(&self) -> bool {
        self.by_gradient
    }

    /// Records an evaluation and returns the line to evaluate next; the best line if none is left.
    ///
    /// `loss_tolerance` is a share of the loss. If it is below [`RESOLUTION`], the method ends once the best line is
    /// also known to within `tolerance` in w and b.
    pub fn next(&mut self, seen: Seen, loss_tolerance: f64, tolerance: Model) -> Model {
        self.cuts.push(seen);
        let mut next = self.next_by_loss(loss_tolerance, 0);
        self.by_gradient = next.is_none() && loss_tolerance <= RESOLUTION;
        if self.by_gradient {
            next = self.next_by_gradient(tolerance);
        }
        let next = next.or_else(|| self.next_by_loss(loss_tolerance, MAX_GROWTHS));
        self.done = next.is_none();
        next.unwrap_or(self.best(seen).model)
    }

    /// Returns the evaluated line with the lowest loss, or `seen` if none was evaluated.
    ///
    /// Once gradients alone lead on, several losses may be equal in f32. Among those it returns a line with a gradient
    /// of 0, or else the last one, which is the nearest to the optimum.
    pub fn best(&self, seen: Seen) -> Seen {
        let lower = |best: Seen, cut: &Seen| {
            if cut.at.loss < best.at.loss {
                *cut
            } else {
                best
            }
        };
        let first = self.cuts.first().copied().unwrap_or(seen);
        let lowest = self.cuts.iter().fold(first, lower);
        if !self.by_gradient {
            return lowest;
        }
        let level = lowest.at.loss * (1.0 + RESOLUTION);
        let equal = || self.cuts.iter().rev().filter(|cut| cut.at.loss <= level);
        let flat = equal().find(|cut| is_flat(cut));
        flat.or(equal().next()).copied().unwrap_or(lowest)
    }

    /// Returns the centre of the lines that may be better by more than the loss can resolve, or `None` if there are
    /// none.
    ///
    /// Lets an empty box grow up to `growths` times, since a small box may have nothing to gain within it.
    fn next_by_loss(&mut self, loss_tolerance: f64, growths: usize) -> Option<Model> {
        let mut grown = self.clone();
        let best = self.best(self.cuts.last().copied()?);
        let from_start = (best.model - self.start).map(f64::abs);
        // A best line near a side may be there only because the box ends.
        while from_start.w > 0.5 * grown.reach.w || from_start.b > 0.5 * grown.reach.b {
            grown.grow();
        }
        for _ in 0..=growths {
            let middle = grown.better(best, loss_tolerance).centroid();
            if let Some(next) = middle.and_then(|middle| self.new_line(best, middle, Model::ZERO)) {
                self.reach = grown.reach;
                return Some(next);
            }
            grown.grow();
        }
        None
    }

    /// Returns the centre of the lines that gradients leave, or `None` if the best one is known to within `tolerance`.
    fn next_by_gradient(&mut self, tolerance: Model) -> Option<Model> {
        let best = self.best(self.cuts.last().copied()?);
        if is_flat(&best) {
            return None;
        }
        let (mut left, mut bounds) = self.left(best)?;
        // If all lines left lie in an outer half of the box, those beyond its side may be as good.
        while self.is_in_an_outer_half(best, bounds) {
            self.grow();
            (left, bounds) = self.left(best)?;
        }
        let (low, high) = bounds;
        if high.w.max(-low.w) <= tolerance.w && high.b.max(-low.b) <= tolerance.b {
            return None;
        }
        // Lines in f32 repeat in the end; others only come near each other.
        let apart = if self.exact {
            tolerance * NEAR
        } else {
            Model::ZERO
        };
        self.new_line(best, left.centroid()?, apart)
    }

    /// Returns whether a polygon with these bounds, as seen from the best line, lies in the outer half of the box on
    /// one side.
    fn is_in_an_outer_half(&self, best: Seen, (low, high): (Model, Model)) -> bool {
        let (start, half) = (self.start - best.model, self.reach * 0.5);
        let (inner_low, inner_high) = (start - half, start + half);
        low.w > inner_high.w || low.b > inner_high.b || high.w < inner_low.w || high.b < inner_low.b
    }

    /// Returns the line at `offset` from the best one, or `None` if it is not finite or a line within `apart` of it was evaluated
    /// before.
    fn new_line(&self, best: Seen, offset: Model, apart: Model) -> Option<Model> {
        let next = best.model + offset;
        let next = if self.exact { next } else { next.rounded() };
        let is_new = self.cuts.iter().all(|cut| {
            let distance = (cut.model - next).map(f64::abs);
            distance.w > apart.w || distance.b > apart.b
        });
        (next.is_finite() && is_new).then_some(next)
    }

    fn grow(&mut self) {
        self.reach = self.reach * GROWTH;
    }

    /// Returns the box as seen from the best line, so that a small polygon keeps its digits.
    fn all(&self, best: Seen) -> Polygon {
        let low = self.start - self.reach - best.model;
        let high = self.start + self.reach - best.model;
        Polygon::rectangle(low, high)
    }

    /// Returns the lines whose loss may be lower than the best one by more than it can resolve, as seen from the best
    /// line.
    fn better(&self, best: Seen, loss_tolerance: f64) -> Polygon {
        let mut left = self.all(best);
        let level = best.at.loss * (1.0 - loss_tolerance.max(RESOLUTION));
        for cut in &self.cuts {
            let (at, gradient) = (cut.model - best.model, cut.at.gradient());
            let above = (cut.at.loss - level) * (1.0 - RESOLUTION_FAR);
            left.cut(gradient, gradient.dot(at) - above);
        }
        left
    }

    /// Returns the lines that may be the best by their gradients, and by losses that really differ, with their bounds;
    /// all as seen from `best`. Returns `None` if no line is left.
    ///
    /// A gradient with an error e may rule out a line q that is better than p by up to |e · (q − p)|. Such a line lies
    /// no further off than where the gradient is e itself, and gradients lead no nearer than that. Each cut leaves room
    /// for the last digit of its gradient. Otherwise cuts from afar would contradict each other over a long and narrow
    /// polygon.
    fn left(&self, best: Seen) -> Option<(Polygon, (Model, Model))> {
        let mut left = self.all(best);
        let mut bounds = left.bounds()?;
        for cut in &self.cuts {
            let (at, gradient) = (cut.model - best.model, cut.at.gradient());
            let excess = cut.at.loss * (1.0 - MAX_ROUNDING) - best.at.loss * (1.0 + MAX_ROUNDING);
            let (low, high) = bounds;
            let along = |gradient: f64, at: f64, low: f64, high: f64| {
                let farthest = (high - at).max(at - low);
                gradient * at + RESOLUTION * gradient.abs() * farthest
            };
            let offset = -excess.max(0.0)
                + along(gradient.w, at.w, low.w, high.w)
                + along(gradient.b, at.b, low.b, high.b);
            left.cut(gradient, offset);
            bounds = left.bounds()?;
        }
        Some((left, bounds))
    }
}

/// Returns whether the gradient of a line is 0, so that no line is better.
fn is_flat(cut: &Seen) -> bool {
    cut.at.gradient() == Model::ZERO
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Evaluation;

    fn seen(model: Model, loss: f64, dw: f64, db: f64) -> Seen {
        let at = Evaluation { loss, dw, db };
        Seen { model, at }
    }

    const REACH: Model = Model::both(1.0);
    const TOLERANCE: Model = Model::both(1e-3);

    /// Even the largest box gains less than 2^-22 of a loss of 1e30, so the gradient alone leads on, in the first box.
    #[test]
    fn a_box_that_stays_empty_keeps_its_size() {
        let mut plane = CuttingPlane::new(Model::ZERO, REACH, false);
        let next = plane.next(seen(Model::ZERO, 1e30, 1e-3, 0.0), 0.0, TOLERANCE);
        assert!(plane.by_gradient() && !plane.done());
        assert_eq!(plane.reach, REACH);
        assert!(
            (next.w + 0.5).abs() < 1e-3 && next.b.abs() < 1e-3,
            "{next:?}"
        );
        // A tolerance of 1e-3 of the loss is reached at once.
        let mut plane = CuttingPlane::new(Model::ZERO, REACH, false);
        let next = plane.next(seen(Model::ZERO, 1e30, 1e-3, 0.0), 1e-3, TOLERANCE);
        assert!(plane.done());
        assert_eq!((next, plane.reach), (Model::ZERO, REACH));
    }

    /// The loss is the same in f32 everywhere; gradients point to (3, −5), which lies outside the box.
    #[test]
    fn gradients_alone_lead_to_a_line_outside_the_box() {
        let mut plane = CuttingPlane::new(Model::ZERO, REACH, false);
        let (mut line, mut epochs) = (Model::ZERO, 0);
        while !plane.done() {
            let evaluated = seen(line, 1e9, line.w - 3.0, line.b + 5.0);
            line = plane.next(evaluated, 1e-9, TOLERANCE);
            epochs += 1;
        }
        assert!(
            (line.w - 3.0).abs() <= 1e-3 && (line.b + 5.0).abs() <= 1e-3,
            "{line:?}"
        );
        assert!(epochs < 50, "{epochs}");
    }
}
