//! The pass over the samples in f64 that measures a line.

use wide::f64x4;

use super::setup::Setup;
use super::vertex::{Search, Vertex};
use crate::data::goodness::{Goodness, Losses, basic};
use crate::data::sandwich::Sandwich;
use crate::data::statistics::Statistics;
use crate::data::uncertainty::{Estimator, Unknown, Variance};
use crate::data::{Block, Source};
use crate::error::Error;
use crate::loss::{Exact, Loss};
use crate::model::{Centered, Model};

/// What a pass over the samples in f64 takes.
pub(super) struct Pass<'a> {
    pub setup: &'a Setup,
    pub statistics: Statistics,
    pub source: &'a dyn Source,
    /// [Some](crate::data::some) of the samples.
    pub some: &'a Block,
    pub variance: Option<Variance>,
    /// The line that the engine summed, in its coordinates, and the rounding there as a share.
    pub rounded: (Model, f64),
    /// `true` if the best line passes through samples near the line found.
    pub corners: bool,
}

/// What a pass tells of a line.
pub(super) struct Measured {
    pub line: Centered,
    pub loss: f64,
    /// The derivatives of the loss by the slope and by the level at the line's center.
    gradient: Model,
    pub rounding: f64,
    pub goodness: Goodness,
    pub estimator: Result<Estimator, Unknown>,
    pub sandwich: Sandwich,
    /// A better line.
    pub vertex: Option<Vertex>,
}

impl Pass<'_> {
    fn least_squares(&self) -> Centered {
        let line = self.statistics.centered_line();
        line.unwrap_or_else(|| self.statistics.constant().into())
    }

    /// Returns the best line, to which errors belong, if `line` is that of the descent.
    pub fn at_optimum(&self, line: Centered) -> Centered {
        if self.setup.loss.is_least_squares() {
            self.least_squares()
        } else {
            line
        }
    }

    /// Reads all samples once.
    ///
    /// # Errors
    /// Those of [`read`](crate::data::read).
    pub fn measure(&self, line: Centered) -> Result<Measured, Error> {
        let Pass {
            setup,
            statistics,
            source,
            some,
            variance,
            corners,
            ..
        } = *self;
        let loss = setup.loss;
        let n = statistics.samples as f64;
        let best = self.at_optimum(line);
        let to_best = line.step_to(best);
        let estimator = Estimator::new(some, &statistics, loss, variance, best);
        let of_estimator = estimator.as_ref().ok();
        let search = corners.then(|| {
            let off = setup.plane.tolerance_outside(&setup.scaling);
            Search::new(some, source.all_samples(), loss, line, off)
        });
        let terms = |x: f64x4, residual: f64x4, terms: Exact| {
            let [value, square, size] = basic(residual, terms);
            let (distance, slope) = (x - line.x_center, terms.derivative);
            let of_best = residual + distance * to_best.w + to_best.b;
            let sandwich = of_estimator.map(|at| at.terms(x, of_best, terms));
            let [a, b, c, d, e, f] = sandwich.unwrap_or_default();
            let [by_w, squared] = [slope * distance, slope * slope];
            [value, square, size, by_w, slope, squared, a, b, c, d, e, f]
        };
        let losses = Losses::of(source, loss, line, &statistics.y, terms, |block| {
            search.map(|search| search.kept(block))
        })?;
        let [_, _, _, w, b, slopes, sandwich @ ..] = losses.sums;
        let gradient = Model { w, b };
        let ends = [statistics.x.least, statistics.x.greatest];
        Ok(Measured {
            line,
            loss: losses.loss,
            gradient: gradient * (1.0 / n),
            rounding: self.rounding(losses.loss, slopes / n),
            goodness: losses.goodness,
            estimator,
            sandwich: sandwich.into(),
            vertex: search
                .zip(losses.taken)
                .and_then(|(search, kept)| search.best(kept, gradient, ends)),
        })
    }

    /// Returns what rounding may add to the engine's loss, by the mean loss ℓ and the mean square of its slopes ℓ′.
    ///
    /// A residual r is that of w′·x′ + b′ − y′, where each number is rounded by a share u, x′ and y′ before, and each result
    /// after. Two roundings are in w′·x′, and the size of y′ is |r| + |w′·x′ + b′| at most, so r is rounded by
    /// δ ≤ 4u·(|r| + 2·|w′·x′| + 2·|b′|). The loss is uncertain by |ℓ′|·δ, and where it is curved by δ² too, as no curvature
    /// exceeds 2. Everywhere |ℓ′·r| ≤ 2ℓ, and where it is curved r² ≤ 2ℓ; Cauchy and Schwarz have the rest.
    fn rounding(&self, loss: f64, slopes: f64) -> f64 {
        let Pass {
            setup,
            statistics,
            rounded: (inside, unit),
            ..
        } = *self;
        let scaling = &setup.scaling;
        // Samples far off are none of the engine's.
        let spread = if setup.far > 0 {
            1.0
        } else {
            let off = statistics.x.mean - scaling.x_center;
            (statistics.x_deviation().powi(2) + off * off) / scaling.x_scale.powi(2)
        };
        let line = scaling.y_scale * (inside.w.abs() * spread.sqrt() + inside.b.abs());
        let unit = 4.0 * unit;
        let curved = if setup.loss.has_corners() {
            0.0
        } else {
            3.0 * unit * unit * (2.0 * loss + 4.0 * line * line)
        };
        unit * 2.0 * (loss + slopes.sqrt() * line) + curved
    }

    /// Returns the loss of the line of least squares, or a bound that it is not below; `least` is a loss for which that is
    /// enough. By convexity no line is below the tangent at another one.
    ///
    /// # Errors
    /// Those of [`read`](crate::data::read).
    pub fn least_squares_loss(&self, measured: &Measured, least: f64) -> Result<f64, Error> {
        let line = self.least_squares();
        let step = measured.line.step_to(line);
        let bound = measured.loss + measured.gradient.dot(step);
        if bound >= least {
            return Ok(bound);
        }
        let terms = |_, residual, terms| basic(residual, terms);
        let (loss, y) = (self.setup.loss, &self.statistics.y);
        let losses = Losses::of(self.source, loss, line, y, terms, |_| ())?;
        Ok(losses.loss)
    }
}

impl Measured {
    /// Moves to a line on which all samples but those of the search keep their sides. The loss has corners.
    pub fn move_to(&mut self, vertex: Vertex, loss: Loss, statistics: &Statistics) {
        let n = statistics.samples as f64;
        let [before, after] = [self.line, vertex.line].map(|line| {
            let level = line.predict(statistics.x.mean) - statistics.y.mean;
            let slope = line.w - statistics.line().map_or(0.0, |line| line.w);
            (
                level,
                level * level + slope * slope * statistics.x.squares / n,
            )
        });
        self.line = vertex.line;
        self.loss += vertex.change / n;
        let Goodness {
            rmse,
            mae,
            r_squared,
        } = &mut self.goodness;
        // The squares are those of least squares and those of the distance from its line.
        let square = (*rmse * *rmse + (after.1 - before.1)).max(0.0);
        *rmse = square.sqrt();
        *r_squared = r_squared.map(|_| 1.0 - n * square / statistics.y.squares);
        // Of each residual r the size is (2 ℓ(r) − (ℓ(1) − ℓ(−1)) r) / (ℓ(1) + ℓ(−1)).
        let [over, under] = [1.0, -1.0].map(|residual| loss.terms(residual).0);
        *mae = (2.0 * self.loss - (over - under) * after.0) / (over + under);
    }
}
