//! The pictures of a run: panels of the loss, the data and the line, the loss surface, and the residuals.

use std::path::Path;

use fall_line::data::{self, Block, Source, Time};
use fall_line::error::Error;
use fall_line::fit::{Outcome, Setup, Surface};
use fall_line::loss::Loss;
use fall_line::train::Epoch;
use plotters::style::RGBColor;

use self::fit::Fit;
use self::loss::LossCurve;
use self::residuals::Residuals;
use self::surface::SurfaceMap;
use crate::cli::Panel;
use crate::output::number::{digits, moment, ticks};
use crate::output::plot::{self, COLOURS, Picture};
use crate::output::shortened;

pub mod density;
pub mod fit;
pub mod loss;
mod residuals;
mod surface;

/// What a run leaves to be drawn.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// What tells it from other runs in one picture; empty if it is alone.
    pub name: &'a str,
    pub source: &'a dyn Source,
    pub setup: &'a Setup,
    pub epochs: &'a [Epoch],
    /// `None` if the descent failed.
    pub outcome: Option<&'a Outcome>,
    pub surface: Option<&'a Surface>,
}

/// Draws panels in their order, or nothing if no epoch was run. Several runs share the panels of the loss and of the data; each
/// has its own surface and residuals. What a run has not left is left out.
pub fn write(path: &Path, panels: &[Panel], runs: &[Run]) -> Result<(), Error> {
    let Some(run) = runs.first().filter(|run| !run.epochs.is_empty()) else {
        return Ok(());
    };
    let needs_samples = |panel: &Panel| matches!(panel, Panel::Fit | Panel::Residuals);
    let samples = match panels.iter().any(needs_samples) {
        true => data::some(run.source)?,
        false => Block::default(),
    };
    let mut drawn: Vec<Box<dyn Picture + '_>> = Vec::new();
    for panel in panels {
        match panel {
            Panel::Loss => drawn.push(Box::new(LossCurve::of(runs))),
            Panel::Fit => drawn.push(Box::new(Fit::of(runs, &samples))),
            Panel::Surface => {
                let map = |run| {
                    Some(SurfaceMap {
                        run,
                        surface: run.surface?,
                    })
                };
                let maps = runs.iter().filter_map(map);
                drawn.extend(maps.map(|map| Box::new(map) as Box<dyn Picture>));
            }
            Panel::Residuals => {
                let outcomes = runs.iter().filter_map(|run| run.outcome);
                let panels = outcomes.map(|outcome| Residuals::of(outcome, &samples));
                drawn.extend(panels.map(|panel| Box::new(panel) as Box<dyn Picture>));
            }
        }
    }
    let drawn: Vec<&dyn Picture> = drawn.iter().map(|panel| &**panel).collect();
    plot::write(path, &drawn)
}

/// Epochs that are marked: 1, 2, 5, 10, 20, 50 and so on.
fn marked(epochs: &[Epoch]) -> impl Iterator<Item = &Epoch> {
    epochs.iter().filter(|epoch| {
        let decade = 10_u64.pow(epoch.epoch.max(1).ilog10());
        [1, 2, 5].iter().any(|digit| digit * decade == epoch.epoch)
    })
}

/// Returns values from the least to the greatest, without a few far off: 1 % at each end, and what is within the range of the
/// others and half as much again.
fn most(values: impl Iterator<Item = f64>) -> [f64; 2] {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let at = |share: f64| {
        values
            .get((share * (values.len().max(1) - 1) as f64) as usize)
            .copied()
    };
    let ends = [0.0, 0.01, 0.99, 1.0].map(|share| at(share).unwrap_or(0.0));
    let [least, low, high, greatest] = ends;
    let room = 0.5 * (high - low);
    [least.max(low - room), greatest.min(high + room)]
}

/// Returns a range with some room at both ends, also for a single value.
fn roomy([least, greatest]: [f64; 2]) -> [f64; 2] {
    let room = match greatest - least {
        0.0 if least == 0.0 => 1.0,
        0.0 => 0.1 * least.abs(),
        length => 0.05 * length,
    };
    [least - room, greatest + room]
}

/// Returns the colour of a run among several: not that of the samples.
fn colour(at: usize) -> RGBColor {
    COLOURS[1 + at % (COLOURS.len() - 1)]
}

/// Returns what a run is called in a title: its loss, and its learning rate if others differ in that.
fn run_name(run: &Run) -> String {
    let loss = loss_name(run.setup.loss);
    match run.name {
        "" => loss,
        name if name == run.setup.loss.name() => loss,
        rate => format!("{loss}, learning rate {rate}"),
    }
}

/// The name of a loss, with three digits of its parameter.
fn loss_name(loss: Loss) -> String {
    match loss.parameter() {
        None => loss.name().to_owned(),
        Some(parameter) => format!("{} {}", loss.name(), digits(parameter, 3)),
    }
}

/// Returns how ticks of x read: as dates where x counts time.
fn x_label(range: [f64; 2], time: Option<Time>) -> impl Fn(&f64) -> String {
    let plain = ticks(range);
    move |value| match time {
        Some(time) => moment(*value, time),
        None => plain(value),
    }
}

/// The name of an axis: `speed`, or `x` in units of its own.
pub fn axis_name(name: &str) -> String {
    const FITS: usize = 40;
    shortened(name.chars().filter(|c| !c.is_control()).collect(), FITS)
}
