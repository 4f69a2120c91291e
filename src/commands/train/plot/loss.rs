//! The panel of the loss over the epochs.

use std::path::Path;

use fall_line::error::Error;
use fall_line::train::Epoch;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

use super::{Run, colour, loss_name};
use crate::output::number;
use crate::output::plot::{
    self, Area, Axis, BLUE, Drawn, GREEN, LogAxis, Picture, RED, dashed, label_font, px, stroke,
};

/// The most points drawn: more than pixels across.
const POINTS: usize = 2000;
/// A loss that falls by more than this factor reads better on a log scale.
const LOG_FACTOR: f64 = 50.0;

/// Draws the loss over the epochs alone, or nothing if no epoch was run.
pub fn write(path: &Path, epochs: &[Epoch], title: &str) -> Result<(), Error> {
    if epochs.is_empty() {
        return Ok(());
    }
    let curve = LossCurve {
        title: title.to_owned(),
        curves: vec![(thinned(epochs), stroke(BLUE, 2), "loss".to_owned())],
        least: None,
        unit: "loss",
    };
    plot::write(path, &[&curve])
}

/// Epochs and their losses, a style and a name.
type Curve = (Vec<(u64, f64)>, ShapeStyle, String);

pub struct LossCurve {
    title: String,
    curves: Vec<Curve>,
    /// The least loss, if it is known.
    least: Option<f64>,
    /// What the losses are in.
    unit: &'static str,
}

impl LossCurve {
    /// Returns the curves of runs. Different losses are shares of the first epoch's.
    pub fn of(runs: &[Run]) -> Self {
        if let [run] = runs {
            return Self::of_one(run);
        }
        let differ = runs.iter().any(|run| run.setup.loss != runs[0].setup.loss);
        let curve = |(at, run): (usize, &Run)| {
            let first = run.epochs.first().map_or(1.0, |epoch| epoch.loss);
            let unit = if differ && first > 0.0 { first } else { 1.0 };
            let points = thinned(run.epochs).into_iter();
            let points = points.map(|(epoch, loss)| (epoch, loss / unit));
            (points.collect(), stroke(colour(at), 2), run.name.to_owned())
        };
        LossCurve {
            title: match differ {
                true => "Losses".to_owned(),
                false => format!("Loss of {} by learning rate", loss_name(runs[0].setup.loss)),
            },
            curves: runs.iter().enumerate().map(curve).collect(),
            least: None,
            unit: if differ { "loss / first loss" } else { "loss" },
        }
    }

    fn of_one(run: &Run) -> Self {
        let rate = match run.setup.learning_rate {
            Some(learning) => format!("learning rate {}", number::digits(learning.rate, 3)),
            None => "cutting plane".to_owned(),
        };
        LossCurve {
            title: format!("Loss of {}, {rate}", loss_name(run.setup.loss)),
            curves: curves(run.epochs, run.setup.learning_rate.is_some()),
            least: run.outcome.and_then(|outcome| outcome.quality.least_loss),
            unit: "loss",
        }
    }
}

/// Returns the curve of a line that moves. A cutting plane tries lines: its best so far has a curve of its own.
fn curves(epochs: &[Epoch], moves: bool) -> Vec<Curve> {
    let tried = thinned(epochs);
    if moves {
        return vec![(tried, stroke(BLUE, 2), "loss".to_owned())];
    }
    let mut best = f64::INFINITY;
    let so_far: Vec<Epoch> = epochs
        .iter()
        .map(|epoch| {
            best = best.min(epoch.loss);
            Epoch {
                loss: best,
                ..*epoch
            }
        })
        .collect();
    vec![
        (
            tried,
            stroke(BLUE.mix(0.45), 1),
            "line that was tried".to_owned(),
        ),
        (
            thinned(&so_far),
            stroke(RED, 2),
            "best line so far".to_owned(),
        ),
    ]
}

impl Picture for LossCurve {
    fn title(&self) -> String {
        self.title.clone()
    }

    fn draw(&self, area: &Area) -> Drawn {
        let points = || self.curves.iter().flat_map(|(points, ..)| points);
        let losses = || points().map(|(_, loss)| *loss).chain(self.least);
        let least = losses().fold(f64::INFINITY, f64::min);
        let greatest = losses().fold(f64::NEG_INFINITY, f64::max);
        let above_0 = losses().filter(|&loss| loss > 0.0);
        let least_above_0 = above_0.clone().fold(f64::INFINITY, f64::min);
        if least >= 0.0 && greatest > LOG_FACTOR * least_above_0 {
            let axis = LogAxis::around(above_0);
            // A loss of 0 has no place on a log scale: it is drawn at the lower end.
            let floor = axis.least();
            let raised = |(points, style, name): &Curve| {
                let raised = points.iter().map(|&(epoch, loss)| (epoch, loss.max(floor)));
                (raised.collect(), *style, name.clone())
            };
            let curves: Vec<Curve> = self.curves.iter().map(raised).collect();
            let name = format!("{} (log scale)", self.unit);
            let loss = Axis {
                name: &name,
                ticks: 12,
                label: &|&loss| number::tick(loss),
            };
            return self.draw_on(area, &curves, axis, &loss, 88);
        }
        // Some room above and below, also around a loss that never moved.
        let room = match (greatest - least, greatest.abs()) {
            (0.0, 0.0) => 1.0,
            (0.0, size) => 0.05 * size,
            (fall, _) => 0.05 * fall,
        };
        let range = least - room..greatest + room;
        // Some ten ticks take one digit more than the range's first.
        let decimals = (1.0 - (range.end - range.start).log10().floor()).clamp(0.0, 12.0) as usize;
        let label = |&loss: &f64| match loss.abs() {
            0.0 | 1e-3..1e6 => format!("{loss:.decimals$}"),
            _ => format!("{loss:.2e}"),
        };
        // Nine pixels a digit, and the axis' name.
        let width = 34 + 9 * label(&greatest).len() as i32;
        let loss = Axis {
            name: self.unit,
            ticks: 10,
            label: &label,
        };
        self.draw_on(area, &self.curves, range, &loss, width.max(88))
    }
}

impl LossCurve {
    fn draw_on<Y>(
        &self,
        area: &Area,
        curves: &[Curve],
        range: Y,
        loss: &Axis<f64>,
        label_width: i32,
    ) -> Drawn
    where
        Y: AsRangedCoord<Value = f64>,
        Y::CoordDescType: ValueFormatter<f64>,
    {
        let epochs = || {
            curves
                .iter()
                .flat_map(|(points, ..)| points)
                .map(|(epoch, _)| *epoch)
        };
        let (first, last) = (epochs().min().unwrap_or(1), epochs().max().unwrap_or(1));
        let mut chart = ChartBuilder::on(area)
            .margin(px(12))
            .margin_right(px(40))
            .x_label_area_size(px(52))
            .y_label_area_size(px(label_width))
            .build_cartesian_2d(first..last.max(first + 1), range)?;
        let epoch = Axis {
            name: "epoch",
            ticks: 10,
            label: &u64::to_string,
        };
        plot::mesh(&mut chart, &epoch, loss)?;
        let mut names = Vec::new();
        if let Some(least) = self.least {
            let ends = vec![(first, least), (last.max(first + 1), least)];
            chart.draw_series([PathElement::new(ends, dashed(GREEN, 2))])?;
            names.push((dashed(GREEN, 2), "least loss".to_owned()));
        }
        for (points, style, name) in curves {
            if let &[point] = &**points {
                chart.draw_series([Circle::new(point, px(4), style.filled())])?;
            } else {
                chart.draw_series([PathElement::new(points.clone(), *style)])?;
            }
            names.push((*style, name.clone()));
        }
        if names.len() == 1 {
            return Ok(());
        }
        for (style, name) in names {
            chart
                .draw_series(std::iter::empty::<Circle<(u64, f64), i32>>())?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + px(20), y)], style));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .margin(px(8))
            .legend_area_size(px(28))
            .background_style(WHITE.mix(0.85))
            .label_font(label_font())
            .draw()?;
        Ok(())
    }
}

/// Returns each epoch and its loss. Very many epochs are cut into stretches, and each stretch keeps its least and its
/// greatest loss, so that a spike stays.
fn thinned(epochs: &[Epoch]) -> Vec<(u64, f64)> {
    let stretch = (2 * epochs.len()).div_ceil(POINTS);
    let point = |epoch: &Epoch| (epoch.epoch, epoch.loss);
    if epochs.len() <= POINTS {
        return epochs.iter().map(point).collect();
    }
    let by_loss = |a: &&Epoch, b: &&Epoch| a.loss.total_cmp(&b.loss);
    epochs
        .chunks(stretch)
        .flat_map(|stretch| {
            let mut ends = [
                stretch.iter().min_by(by_loss).map(point),
                stretch.iter().max_by(by_loss).map(point),
            ];
            ends.sort_by_key(|end| end.map(|(epoch, _)| epoch));
            ends.into_iter().flatten()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spike_among_very_many_epochs_stays() {
        let epochs: Vec<Epoch> = (1..=100_001)
            .map(|epoch| Epoch {
                epoch,
                loss: if epoch == 77_777 {
                    9.0
                } else {
                    1.0 / epoch as f64
                },
                w: 0.0,
                b: 0.0,
                dw: 0.0,
                db: 0.0,
            })
            .collect();
        let points = thinned(&epochs);
        assert!(points.len() <= POINTS + 2);
        assert!(points.contains(&(77_777, 9.0)));
        assert!(points.is_sorted());
        assert_eq!(points.first().unwrap().0, 1);
        assert_eq!(points.last().unwrap().0, 100_001);
        assert_eq!(thinned(&epochs[..3]).len(), 3);
    }
}
