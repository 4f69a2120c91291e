//! The time of an epoch over the number of samples.

use std::path::Path;

use fall_line::bench::{BenchRow, Contestant};
use fall_line::error::Error;
use plotters::prelude::*;

use super::export::Document;
use crate::output::number;
use crate::output::plot::{self, Area, Axis, COLOURS, Drawn, LogAxis, Picture, SIZE, px, stroke};

/// Width of the legend, in pixels.
const LEGEND: i32 = 250;
/// Height of a line of the legend, in pixels.
const LEGEND_LINE: i32 = 24;

/// Draws a line for each engine and a thin one for its roof, or nothing if no engine has a time.
pub fn write(path: &Path, document: &Document) -> Result<(), Error> {
    let series = series(document);
    if series.is_empty() {
        return Ok(());
    }
    let day = document.head.date.split('T').next().unwrap_or_default();
    let title = format!(
        "Time of an epoch, {}: {}, fall-line {}, {day}",
        document.settings.loss_text, document.machine.cpu, document.head.version
    );
    plot::write(path, &[&Bench { series, title }])
}

struct Bench {
    series: Vec<Series>,
    title: String,
}

/// The points of one engine. The colour is that of its device, and one of two ways to drive it is dashed.
struct Series {
    label: String,
    roof_label: String,
    colour: RGBColor,
    is_dashed: bool,
    epochs: Vec<Point>,
    /// Numbers of samples and seconds.
    roof: Vec<(f64, f64)>,
}

/// The time of an epoch over the number of samples, with its quartiles, in seconds.
struct Point {
    samples: f64,
    median: f64,
    q1: f64,
    q3: f64,
}

fn series(document: &Document) -> Vec<Series> {
    let rows = &document.rows;
    let mut all: Vec<Series> = Vec::new();
    for row in rows {
        let Some(times) = row.epoch_seconds else {
            continue;
        };
        let samples = row.samples as f64;
        let software = if row.software { " (software)" } else { "" };
        let also = row.also.map(|also| (also, also.to_string()));
        for (engine, label) in std::iter::once((row.engine, row.label())).chain(also) {
            let label = label + software;
            let at = all.iter().position(|series| series.label == label);
            let at = at.unwrap_or_else(|| {
                let device = match engine {
                    Contestant::Gpus => Some(document.adapters.len()),
                    _ => document
                        .adapters
                        .iter()
                        .position(|info| Some(info.index) == row.adapter),
                };
                all.push(Series {
                    roof_label: format!("{}: reading alone", device_name(row)),
                    label,
                    colour: COLOURS[device.map_or(0, |device| device + 1) % COLOURS.len()],
                    is_dashed: matches!(engine, Contestant::Cpu1 | Contestant::GpuBatched),
                    epochs: Vec::new(),
                    roof: Vec::new(),
                });
                all.len() - 1
            });
            all[at].epochs.push(Point {
                samples,
                median: times.rounds.median,
                q1: times.q1,
                q3: times.q3,
            });
            // One device has one roof: that of all its threads.
            let has_another = all[at].is_dashed
                && rows.iter().any(|other| {
                    other.adapter == row.adapter
                        && other.roof.is_some()
                        && (other.also.is_some()
                            || matches!(other.engine, Contestant::Cpu | Contestant::Gpu))
                });
            if let Some(roof) = row.roof.filter(|_| !has_another) {
                let seconds = row.bytes() as f64 / roof.read_bytes_per_second;
                all[at].roof.push((samples, seconds));
            }
        }
    }
    all
}

fn device_name(row: &BenchRow) -> String {
    row.adapter
        .map_or("cpu".to_owned(), |index| format!("gpu {index}"))
}

impl Picture for Bench {
    fn title(&self) -> String {
        self.title.clone()
    }

    fn draw(&self, area: &Area) -> Drawn {
        let points = || {
            self.series.iter().flat_map(|series| {
                let epochs = series.epochs.iter();
                let quartiles = epochs.flat_map(|p| [(p.samples, p.q1), (p.samples, p.q3)]);
                quartiles.chain(series.roof.iter().copied())
            })
        };
        let (left, right) = area.split_horizontally(px(SIZE.0 as i32 - LEGEND));
        let mut chart = ChartBuilder::on(&left)
            .margin(px(12))
            .x_label_area_size(px(52))
            .y_label_area_size(px(88))
            .build_cartesian_2d(
                LogAxis::around(points().map(|point| point.0)),
                LogAxis::around(points().map(|point| point.1)),
            )?;
        let samples = Axis {
            name: "samples (log scale)",
            ticks: 9,
            label: &|samples: &f64| number::count(samples.round() as u64),
        };
        let time = Axis {
            name: "time of an epoch (log scale)",
            ticks: 12,
            label: &time_tick,
        };
        plot::mesh(&mut chart, &samples, &time)?;
        for Series { roof, colour, .. } in &self.series {
            chart.draw_series([PathElement::new(roof.clone(), roof_style(*colour))])?;
        }
        for (index, series) in self.series.iter().enumerate() {
            let line: Vec<_> = series
                .epochs
                .iter()
                .map(|p| (p.samples, p.median))
                .collect();
            chart.draw_series([PathElement::new(line.clone(), series.style())])?;
            for Point {
                samples, q1, q3, ..
            } in &series.epochs
            {
                let bar = [(*samples, *q1), (*samples, *q3)];
                chart.draw_series([PathElement::new(bar, stroke(series.colour, 3))])?;
            }
            for point in &line {
                // In the coordinates of the whole picture, which `area` may start below.
                let (x, y) = chart.backend_coord(point);
                let (left, top) = area.get_base_pixel();
                mark(area, index, (x - left, y - top), series.colour)?;
            }
        }
        legend(&right, &self.series)
    }
}

impl Series {
    fn style(&self) -> ShapeStyle {
        if self.is_dashed {
            plot::dashed(self.colour, 2)
        } else {
            stroke(self.colour, 2)
        }
    }
}

/// Returns a time in seconds with its unit: `100 ns`, `2 ms`, `10 s`.
fn time_tick(seconds: &f64) -> String {
    // A little more, so that a millisecond that was rounded down is not 1000 µs.
    let (unit, scale) = number::unit(seconds * 1.001);
    format!("{} {unit}", number::tick(seconds * scale))
}

fn roof_style(colour: RGBColor) -> ShapeStyle {
    stroke(colour.mix(0.6), 1)
}

/// Draws the mark of an engine. Each is smaller than the one before, which stays visible around it.
fn mark(area: &Area, index: usize, (x, y): (i32, i32), colour: RGBColor) -> Drawn {
    match index % 4 {
        0 => area.draw(&Circle::new((x, y), px(7), colour.filled()))?,
        1 => {
            let corners = [(x - px(4), y - px(4)), (x + px(4), y + px(4))];
            area.draw(&Rectangle::new(corners, colour.filled()))?;
        }
        2 => area.draw(&TriangleMarker::new((x, y), px(6), colour.filled()))?,
        _ => area.draw(&Cross::new((x, y), px(5), stroke(colour, 2)))?,
    }
    Ok(())
}

/// Draws the legend beside the plot, where no line can be.
fn legend(area: &Area, all: &[Series]) -> Drawn {
    let text = |text: String, y: i32| Text::new(text, (px(54), px(y - 7)), plot::label_font());
    let line = |y: i32, style| PathElement::new([(px(8), px(y)), (px(44), px(y))], style);
    let mut y = 24;
    for (index, series) in all.iter().enumerate() {
        area.draw(&line(y, series.style()))?;
        mark(area, index, (px(26), px(y)), series.colour)?;
        area.draw(&text(series.label.clone(), y))?;
        y += LEGEND_LINE;
        if !series.roof.is_empty() {
            area.draw(&line(y, roof_style(series.colour)))?;
            area.draw(&text(series.roof_label.clone(), y))?;
            y += LEGEND_LINE;
        }
        y += LEGEND_LINE / 3;
    }
    area.draw(&text("bars: quartiles".to_owned(), y))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_their_units() {
        for (seconds, text) in [
            (1e-7, "100 ns"),
            (9.999_999e-7, "1 µs"),
            (1e-4, "100 µs"),
            (2e-3, "2 ms"),
            (1.0, "1 s"),
            (100.0, "100 s"),
        ] {
            assert_eq!(time_tick(&seconds), text);
        }
    }
}
