//! The time of an epoch over the number of samples.

use std::path::Path;

use fall_line::bench::{BenchRow, Contestant};
use fall_line::error::Error;
use plotters::prelude::*;

use crate::output::number;
use crate::output::plot::{self, Area, Axis, COLOURS, Drawn, LogAxis, Picture, SIZE, px, stroke};

/// Width of the legend, in pixels.
const LEGEND: i32 = 250;
/// Height of a line of the legend, in pixels.
const LEGEND_LINE: i32 = 24;

/// Draws a line for each engine and a thin one for its roof, or nothing if no engine has a time.
pub fn write(path: &Path, rows: &[BenchRow], title: &str) -> Result<(), Error> {
    let series = series(rows);
    if series.is_empty() {
        return Ok(());
    }
    plot::write(path, &[&Bench { series, title }])
}

struct Bench<'a> {
    series: Vec<Series>,
    title: &'a str,
}

/// The points of one engine: numbers of samples and seconds.
struct Series {
    label: String,
    colour: RGBColor,
    epochs: Vec<(f64, f64)>,
    roof: Vec<(f64, f64)>,
}

fn series(rows: &[BenchRow]) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    for row in rows {
        let Some(seconds) = row.seconds() else {
            continue;
        };
        let software = if row.software { " (software)" } else { "" };
        let label = format!("{}{software}", row.label());
        let at = all.iter().position(|series| series.label == label);
        let at = at.unwrap_or_else(|| {
            all.push(Series {
                label,
                colour: COLOURS[all.len() % COLOURS.len()],
                epochs: Vec::new(),
                roof: Vec::new(),
            });
            all.len() - 1
        });
        let samples = row.samples as f64;
        all[at].epochs.push((samples, seconds));
        // One adapter has one roof.
        let has_another = row.engine == Contestant::GpuBatched
            && rows.iter().any(|other| {
                (other.engine, other.adapter) == (Contestant::Gpu, row.adapter)
                    && other.roof.is_some()
            });
        if let Some(roof) = row.roof.filter(|_| !has_another) {
            let seconds = row.bytes() as f64 / roof.read_bytes_per_second;
            all[at].roof.push((samples, seconds));
        }
    }
    all
}

impl Picture for Bench<'_> {
    fn title(&self) -> String {
        self.title.to_owned()
    }

    fn draw(&self, area: &Area) -> Drawn {
        let points = || {
            self.series
                .iter()
                .flat_map(|s| s.epochs.iter().chain(&s.roof))
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
            let style = stroke(series.colour, 2);
            chart.draw_series([PathElement::new(series.epochs.clone(), style)])?;
            for point in &series.epochs {
                // In the coordinates of the whole picture, which `area` may start below.
                let (x, y) = chart.backend_coord(point);
                let (left, top) = area.get_base_pixel();
                mark(area, index, (x - left, y - top), series.colour)?;
            }
        }
        legend(&right, &self.series)
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
        area.draw(&line(y, stroke(series.colour, 2)))?;
        mark(area, index, (px(26), px(y)), series.colour)?;
        area.draw(&text(series.label.clone(), y))?;
        y += LEGEND_LINE;
        if !series.roof.is_empty() {
            area.draw(&line(y, roof_style(series.colour)))?;
            area.draw(&text("its roof: reading alone".to_owned(), y))?;
            y += LEGEND_LINE;
        }
        y += LEGEND_LINE / 3;
    }
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
