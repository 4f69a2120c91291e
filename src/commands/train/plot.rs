//! The loss over the epochs.

use std::path::Path;

use fall_line::error::Error;
use fall_line::train::Epoch;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

use crate::output::plot::{self, BLUE, Drawn, Picture, shortened};

/// Points drawn at the most: more than pixels across.
const POINTS: usize = 2000;
/// A loss that falls by more than this factor reads better on a log scale.
const LOG_FACTOR: f64 = 50.0;

/// Draws the loss over the epochs; nothing where no epoch was run.
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
    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn
    where
        B::ErrorType: 'static,
    {
        let &LossCurve { epochs, title } = self;
        let losses = || epochs.iter().map(|epoch| epoch.loss);
        // A loss of 0 has no place on a log scale: it is drawn at the least one above.
        let least_above = losses()
            .filter(|&loss| loss > 0.0)
            .fold(f64::INFINITY, f64::min);
        let least = losses().fold(f64::INFINITY, f64::min);
        let most = losses().fold(f64::NEG_INFINITY, f64::max);
        let points = thinned(epochs);
        if least >= 0.0 && most > LOG_FACTOR * least_above {
            let y = (least_above / 1.2..most * 1.2).log_scale();
            let points: Vec<_> = points
                .into_iter()
                .map(|(epoch, loss)| (epoch, loss.max(least_above)))
                .collect();
            draw_on(area, &points, title, y, &decade_label, 0)
        } else {
            // Room above and below, also around a loss that never moved.
            let room = match (most - least, most.abs()) {
                (0.0, 0.0) => 1.0,
                (0.0, size) => 0.05 * size,
                (fall, _) => 0.05 * fall,
            };
            let y = least - room..most + room;
            // Some ten ticks: one digit more than the range's first.
            let decimals = (1.0 - (y.end - y.start).log10().floor()).clamp(0.0, 12.0) as usize;
            let label = |loss: f64| match loss.abs() {
                0.0 | 1e-3..1e6 => format!("{loss:.decimals$}"),
                _ => format!("{loss:.2e}"),
            };
            // Some nine pixels a digit, and the axis' name.
            let width = 34 + 9 * label(most).len() as u32;
            draw_on(area, &points, title, y, &label, width)
        }
    }
}

fn draw_on<B, Y>(
    area: &DrawingArea<B, Shift>,
    points: &[(u64, f64)],
    title: &str,
    y: Y,
    label: &dyn Fn(f64) -> String,
    label_width: u32,
) -> Drawn
where
    B: DrawingBackend,
    B::ErrorType: 'static,
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    let first = points.first().map_or(1, |point| point.0);
    let last = points.last().map_or(1, |point| point.0);
    let mut chart = ChartBuilder::on(area)
        .caption(shortened(title), ("sans-serif", 22))
        .margin(16)
        .margin_right(40)
        .x_label_area_size(48)
        .y_label_area_size(label_width.max(88))
        .build_cartesian_2d(first..last.max(first + 1), y)?;
    chart
        .configure_mesh()
        .x_desc("epoch")
        .y_desc("loss")
        .y_label_formatter(&|loss| label(*loss))
        .label_style(("sans-serif", 16))
        .axis_desc_style(("sans-serif", 18))
        .light_line_style(WHITE)
        .draw()?;
    if let &[point] = points {
        chart.draw_series([Circle::new(point, 4, BLUE.filled())])?;
    }
    // Piece by piece: where a line of some width turns sharply, plotters draws a spike.
    let pieces = points
        .windows(2)
        .map(|ends| PathElement::new(ends, BLUE.stroke_width(2)));
    chart.draw_series(pieces)?;
    Ok(())
}

/// Each epoch and its loss; of very many epochs the least and the greatest loss of each stretch, so
/// that a spike stays.
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

/// A loss on a log axis. The labels of 6 to 9 would run into each other.
fn decade_label(loss: f64) -> String {
    // To three digits first: a tick of 1e26 may come as 9.999…e25.
    let text = format!("{loss:.2e}");
    match (text.as_bytes()[0], loss) {
        (b'6'..=b'9', _) => String::new(),
        (_, 1e-3..1e6) => format!("{}", (loss * 1e6).round() / 1e6),
        _ => text.replace(".00", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decades_have_their_labels() {
        for (loss, text) in [
            (0.01, "0.01"),
            (9.999_999_999_999e25, "1e26"),
            (1e-10, "1e-10"),
            (20.0, "20"),
            (7.0, ""),
        ] {
            assert_eq!(decade_label(loss), text);
        }
    }

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
