//! The loss over the epochs.

use std::path::Path;

use fall_line::error::Error;
use fall_line::train::Epoch;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

use crate::output::number;
use crate::output::plot::{self, Area, Axis, BLUE, Drawn, LogAxis, Picture, px, stroke};

/// The most points drawn: more than pixels across.
const POINTS: usize = 2000;
/// A loss that falls by more than this factor reads better on a log scale.
const LOG_FACTOR: f64 = 50.0;

/// Draws the loss over the epochs, or nothing if no epoch was run.
pub fn write(path: &Path, epochs: &[Epoch], title: &str) -> Result<(), Error> {
    if epochs.is_empty() {
        return Ok(());
    }
    plot::write(path, &LossCurve { epochs, title })
}

struct LossCurve<'a> {
    epochs: &'a [Epoch],
    title: &'a str,
}

impl Picture for LossCurve<'_> {
    fn title(&self) -> String {
        self.title.to_owned()
    }

    fn draw(&self, area: &Area) -> Drawn {
        let losses = || self.epochs.iter().map(|epoch| epoch.loss);
        let least = losses().fold(f64::INFINITY, f64::min);
        let greatest = losses().fold(f64::NEG_INFINITY, f64::max);
        let above_0 = losses().filter(|&loss| loss > 0.0);
        let least_above_0 = above_0.clone().fold(f64::INFINITY, f64::min);
        let points = thinned(self.epochs);
        if least >= 0.0 && greatest > LOG_FACTOR * least_above_0 {
            let axis = LogAxis::around(above_0);
            // A loss of 0 has no place on a log scale: it is drawn at the lower end.
            let floor = axis.least();
            let points: Vec<_> = points
                .into_iter()
                .map(|(epoch, loss)| (epoch, loss.max(floor)))
                .collect();
            let loss = Axis {
                name: "loss (log scale)",
                ticks: 12,
                label: &|&loss| number::tick(loss),
            };
            return draw_on(area, &points, axis, &loss, 88);
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
            name: "loss",
            ticks: 10,
            label: &label,
        };
        draw_on(area, &points, range, &loss, width.max(88))
    }
}

fn draw_on<Y>(
    area: &Area,
    points: &[(u64, f64)],
    range: Y,
    loss: &Axis<f64>,
    label_width: i32,
) -> Drawn
where
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    let first = points.first().map_or(1, |point| point.0);
    let last = points.last().map_or(1, |point| point.0);
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
    if let &[point] = points {
        chart.draw_series([Circle::new(point, px(4), BLUE.filled())])?;
    } else {
        chart.draw_series([PathElement::new(points.to_vec(), stroke(BLUE, 2))])?;
    }
    Ok(())
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
