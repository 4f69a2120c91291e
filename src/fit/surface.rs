//! The loss surface: the mean loss over a grid of lines, around the path of a descent.

use std::iter;
use std::time::{Duration, Instant};

use super::monitor::Phase;
use super::run::Loaded;
use crate::data::Source;
use crate::data::statistics::Statistics;
use crate::data::thinned::Thinned;
use crate::engine::Engine;
use crate::engine::cpu::CpuEngine;
use crate::error::Error;
use crate::model::{Centered, Model};
use crate::train::Epoch;

/// Lines along each side of the grid.
pub const SIDE: usize = 64;
/// Samples up to which each loss is the mean over all of them.
pub const ALL_UP_TO: u64 = 10_000_000;
/// The time that a call of the engine should take, so that Ctrl-C is heard.
const CALL: Duration = Duration::from_millis(200);
/// The lines of the first call, whose time tells how many the next one may have. A kernel takes four at a time.
const FIRST_CALL: usize = 4;
/// The half-width around the best line, in units of the noise: there the loss of mse is ten times the least.
const AROUND: f64 = 3.0;
/// How many times as far off as the start an epoch may be to be in the picture.
const FAR: f64 = 3.0;
/// The distance of x's mean from 0, in deviations, from which on a line is told by its value at the mean.
const OFF_CENTER: f64 = 3.0;

/// The mean loss over a grid of lines, in the data's units.
#[derive(Clone, Debug)]
pub struct Surface {
    /// The least and the greatest slope.
    pub w: [f64; 2],
    /// The least and the greatest value at `x_center`.
    pub level: [f64; 2],
    /// The x at which a line's level is its value: 0, where the level is b; or the mean of x, if it is far from 0.
    pub x_center: f64,
    /// The losses of [`SIDE`]² lines: the slopes of the least level, then those of the next one.
    pub losses: Vec<f64>,
    /// Samples that the losses are means over; 0 if they follow from the moments of all.
    pub samples: u64,
    /// Time that the losses took.
    pub time: Duration,
}

impl Surface {
    /// Returns the line at a place of the grid.
    pub fn line(&self, column: usize, row: usize) -> Centered {
        let at = |[least, greatest]: [f64; 2], step: usize| {
            least + (greatest - least) * step as f64 / (SIDE - 1) as f64
        };
        Centered {
            w: at(self.w, column),
            x_center: self.x_center,
            y_center: at(self.level, row),
        }
    }

    fn lines(&self) -> impl Iterator<Item = Centered> + '_ {
        (0..SIDE * SIDE).map(|at| self.line(at % SIDE, at / SIDE))
    }
}

impl Loaded<'_> {
    /// Returns the loss surface around the epochs so far, which the options have to keep, or `None` if there are none or the
    /// monitor cancelled it.
    ///
    /// For `mse` it follows from the moments of x and y in f64. For other losses it is the mean over all samples up to
    /// [`ALL_UP_TO`], or if `exact`; else over that many of them, in blocks spread over the set.
    ///
    /// # Errors
    /// Those of the engine and the source.
    pub fn surface(&mut self, exact: bool) -> Result<Option<Surface>, Error> {
        let start = Instant::now();
        let statistics = self.statistics;
        let Some(mut surface) = self.window(statistics) else {
            return Ok(None);
        };
        let loss = self.prepared.setup().loss;
        if let Some(statistics) = statistics.filter(|_| loss.is_least_squares()) {
            let losses = surface.lines().map(|line| mean_square(&statistics, line));
            surface.losses = losses.collect();
        } else {
            let whole = self.engine.samples();
            // Samples far off in x or y are beside the engine, and a part of the others can't stand for them.
            let all = exact || whole <= ALL_UP_TO || !self.prepared.far.is_empty();
            let every = if all { 1 } else { whole.div_ceil(ALL_UP_TO) };
            let Some(losses) = self.losses(&surface, every)? else {
                return Ok(None);
            };
            (surface.losses, surface.samples) = losses;
        }
        surface.time = start.elapsed();
        Ok(Some(surface))
    }

    /// Returns the mean losses over one block of `every`, and the number of samples in them.
    fn losses(&mut self, surface: &Surface, every: u64) -> Result<Option<(Vec<f64>, u64)>, Error> {
        let prepared = self.prepared;
        let (setup, monitor) = (prepared.setup(), prepared.monitor);
        let thinned = Thinned::new(&prepared.samples, every);
        let mut of_some;
        let engine: &mut dyn Engine = if every == 1 {
            &mut self.engine
        } else {
            monitor.begin(Phase::Loading, thinned.samples());
            let loss = setup.scaling.loss(setup.loss);
            of_some = CpuEngine::untuned(&thinned, loss, &|samples| monitor.advance(samples))?;
            &mut of_some
        };
        let models: Vec<Model> = surface
            .lines()
            .map(|line| setup.scaling.inside(line))
            .collect();
        monitor.begin(Phase::Surface, models.len() as u64);
        let samples = engine.samples();
        let mut losses = Vec::new();
        let mut call = FIRST_CALL;
        while losses.len() < models.len() {
            if monitor.is_cancelled() {
                return Ok(None);
            }
            let start = Instant::now();
            let end = models.len().min(losses.len() + call);
            let sums = engine.losses(&models[losses.len()..end])?;
            monitor.advance(sums.len() as u64);
            losses.extend(
                sums.iter()
                    .map(|sum| setup.outside_loss(sum / samples as f64)),
            );
            let fits = CALL.as_secs_f64() / start.elapsed().as_secs_f64().max(1e-6);
            call = (call as f64 * fits.clamp(0.25, 4.0)) as usize;
            call = call.next_multiple_of(FIRST_CALL);
        }
        Ok(Some((losses, samples)))
    }

    /// Returns the surface's ranges, without its losses: the path and the bowl, and some room.
    fn window(&self, statistics: Option<Statistics>) -> Option<Surface> {
        let setup = self.prepared.setup();
        self.history.first()?;
        let (x_mean, x_size, noise) = match (statistics, self.prepared.source().synthetic()) {
            (Some(statistics), _) => (
                statistics.x.mean,
                statistics.x_deviation(),
                statistics.least_deviation(),
            ),
            (None, Some(synthetic)) => {
                let x = synthetic.recipe.x_range;
                let length = x.end - x.start;
                (
                    x.start + length / 2.0,
                    length / 12_f64.sqrt(),
                    synthetic.recipe.noise,
                )
            }
            (None, None) => return None,
        };
        let start = setup.start;
        let after = self
            .history
            .iter()
            .map(|&Epoch { w, b, .. }| Model { w, b });
        let path = iter::once(start).chain(after);
        // An epoch's loss is that before its update.
        let best = match statistics {
            Some(statistics) if setup.loss.is_least_squares() => statistics.line()?,
            _ => {
                let known = path.clone().zip(&self.history);
                known.min_by(|a, b| a.1.loss.total_cmp(&b.1.loss))?.0
            }
        };
        // Outliers are not noise. What is linear in the residuals hardly follows them.
        let least = self
            .history
            .iter()
            .map(|epoch| epoch.loss)
            .fold(f64::INFINITY, f64::min);
        let noise = match (setup.loss.threshold(), setup.loss.degree()) {
            (Some(delta), _) => noise.min(delta),
            (None, Some(1)) => noise.min(2.0 * least),
            _ => noise,
        };
        let x_center = if x_mean.abs() > OFF_CENTER * x_size {
            x_mean
        } else {
            0.0
        };
        // In the plane of slope and level at the mean, the bowl of mse is round in these units.
        let noise = if noise > 0.0 { noise } else { 1.0 };
        let [w_unit, level_unit] = [noise / x_size, noise];
        let from_best = |model: Model| {
            let w = (model.w - best.w) / w_unit;
            let level = (model.predict(x_mean) - best.predict(x_mean)) / level_unit;
            w.hypot(level)
        };
        let limit = FAR * from_best(start).max(AROUND);
        let around = [-AROUND, AROUND].into_iter().flat_map(|w| {
            [-AROUND, AROUND].map(|level| {
                let level = best.predict(x_mean) + level * level_unit;
                let w = best.w + w * w_unit;
                Model {
                    w,
                    b: level - w * x_mean,
                }
            })
        });
        let (mut w, mut level) = (NOTHING, NOTHING);
        for model in path
            .filter(|&model| from_best(model) <= limit)
            .chain(around)
        {
            w = joined(w, model.w);
            level = joined(level, model.predict(x_center));
        }
        Some(Surface {
            w: with_room(w),
            level: with_room(level),
            x_center,
            losses: Vec::new(),
            samples: 0,
            time: Duration::ZERO,
        })
    }
}

/// Returns the mean squared residual of a line, from the moments.
fn mean_square(statistics: &Statistics, line: Centered) -> f64 {
    let least = statistics.centered_line().unwrap_or(line);
    let step = least.step_to(line);
    let (along, residual) = (
        step.w * statistics.x_deviation(),
        statistics.least_deviation(),
    );
    residual * residual + along * along + step.b * step.b
}

/// The range of no value.
const NOTHING: [f64; 2] = [f64::INFINITY, f64::NEG_INFINITY];

fn joined([least, greatest]: [f64; 2], value: f64) -> [f64; 2] {
    [least.min(value), greatest.max(value)]
}

fn with_room([least, greatest]: [f64; 2]) -> [f64; 2] {
    let room = 0.06 * (greatest - least);
    [least - room, greatest + room]
}
