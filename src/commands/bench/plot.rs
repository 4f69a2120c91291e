//! The time of an epoch over the sample count.

use std::path::Path;

use fall_line::bench::{Kind, Row};
use fall_line::error::Error;
use plotters::coord::Shift;
use plotters::prelude::*;

use crate::output::plot::{self, Drawn, Picture, SIZE, shortened};

/// Colours that eyes of all kinds tell apart (Okabe and Ito).
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];
/// What the legend takes of the width.
const LEGEND: u32 = 236;
/// Lines of the legend, in pixels.
const LEGEND_LINE: i32 = 26;
const FONT: (&str, i32) = ("sans-serif", 16);

/// Draws a line for each engine and a dashed one for its roof; nothing where no engine has a time.
pub fn write(path: &Path, rows: &[Row], title: &str) -> Result<(), Error> {
    plot::write(path, &Bench { rows, title })
}

struct Bench<'a> {
    rows: &'a [Row],
    title: &'a str,
}

/// A line of the plot: sample counts and seconds.
struct Series {
    label: String,
    colour: RGBColor,
    epochs: Vec<(f64, f64)>,
    roof: Vec<(f64, f64)>,
}

impl Bench<'_> {
    fn series(&self) -> Vec<Series> {
        let mut all: Vec<Series> = Vec::new();
        for row in self.rows {
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
            let has_another = row.engine == Kind::GpuBatched
                && self.rows.iter().any(|other| {
                    (other.engine, other.adapter) == (Kind::Gpu, row.adapter)
                        && other.roof.is_some()
                });
            if let Some(roof) = row.roof.filter(|_| !has_another) {
                let seconds = row.bytes() as f64 / roof.read_bytes_per_second;
                all[at].roof.push((samples, seconds));
            }
        }
        all
    }
}

impl Picture for Bench<'_> {
    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn
    where
        B::ErrorType: 'static,
    {
        let all = self.series();
        let points = || all.iter().flat_map(|s| s.epochs.iter().chain(&s.roof));
        let x = Decades::around(points().map(|point| point.0));
        let y = Decades::around(points().map(|point| point.1));
        let (left, _) = area.split_horizontally(SIZE.0 - LEGEND);
        let mut chart = ChartBuilder::on(&left)
            .caption(shortened(self.title), ("sans-serif", 22))
            .margin(16)
            .x_label_area_size(48)
            .y_label_area_size(88)
            .build_cartesian_2d(x.range().log_scale(), y.range().log_scale())?;
        chart
            .configure_mesh()
            .x_desc("samples")
            .y_desc("time of an epoch")
            .x_labels(x.count())
            .y_labels(y.count())
            .x_label_formatter(&|samples| format!("{samples:.0e}"))
            .y_label_formatter(&|seconds| decade_of_time(*seconds))
            .label_style(("sans-serif", 16))
            .axis_desc_style(("sans-serif", 18))
            .light_line_style(WHITE)
            .draw()?;
        for Series { roof, colour, .. } in &all {
            let points = roof.iter().copied();
            chart.draw_series(DashedLineSeries::new(points, 6, 5, roof_style(*colour)))?;
        }
        for (index, series) in all.iter().enumerate() {
            let style = series.colour.stroke_width(2);
            // Piece by piece: where a line of some width turns sharply, plotters draws a spike.
            let pieces = series.epochs.windows(2);
            chart.draw_series(pieces.map(|ends| PathElement::new(ends, style)))?;
            for point in &series.epochs {
                mark(area, index, chart.backend_coord(point), series.colour)?;
            }
        }
        legend(area, &all)
    }
}

/// Whole powers of ten.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Decades {
    first: i32,
    last: i32,
}

impl Decades {
    /// Those that hold some values above 0, and two of them at the least.
    fn around(values: impl Iterator<Item = f64> + Clone) -> Self {
        let least = values.clone().fold(f64::INFINITY, f64::min).log10();
        let most = values.fold(0.0, f64::max).log10();
        let first = least.floor() as i32;
        Decades {
            first,
            last: (most.ceil() as i32).max(first + 1),
        }
    }

    fn count(self) -> usize {
        (self.last - self.first + 1) as usize
    }

    /// A little more at both ends, so that their ticks are there however they are rounded.
    fn range(self) -> std::ops::Range<f64> {
        0.9 * 10_f64.powi(self.first)..1.1 * 10_f64.powi(self.last)
    }
}

/// A power of ten of a second: `100 ns`, `1 µs`, `10 s`.
fn decade_of_time(seconds: f64) -> String {
    let decade = seconds.log10().round() as i32;
    let (unit, of_unit) = match decade {
        ..-6 => ("ns", -9),
        -6..-3 => ("µs", -6),
        -3..0 => ("ms", -3),
        _ => ("s", 0),
    };
    format!("{} {unit}", 10_f64.powi(decade - of_unit))
}

fn roof_style(colour: RGBColor) -> ShapeStyle {
    colour.mix(0.5).stroke_width(2)
}

/// The mark of the index-th engine; a later one leaves an earlier one to be seen around it.
fn mark<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    index: usize,
    (x, y): (i32, i32),
    colour: RGBColor,
) -> Drawn
where
    B::ErrorType: 'static,
{
    match index % 4 {
        0 => area.draw(&Circle::new((x, y), 7, colour.filled()))?,
        1 => {
            let corners = [(x - 4, y - 4), (x + 4, y + 4)];
            area.draw(&Rectangle::new(corners, colour.filled()))?;
        }
        2 => area.draw(&TriangleMarker::new((x, y), 6, colour.filled()))?,
        _ => area.draw(&Cross::new((x, y), 5, colour.stroke_width(2)))?,
    }
    Ok(())
}

/// Beside the plot, where no line can be.
fn legend<B: DrawingBackend>(area: &DrawingArea<B, Shift>, all: &[Series]) -> Drawn
where
    B::ErrorType: 'static,
{
    let left = (SIZE.0 - LEGEND) as i32 + 8;
    let text = |text: &str, y: i32| Text::new(text.to_owned(), (left + 46, y - 8), FONT);
    let mut y = 64;
    for (index, series) in all.iter().enumerate() {
        let ends = [(left, y), (left + 36, y)];
        area.draw(&PathElement::new(ends, series.colour.stroke_width(2)))?;
        mark(area, index, (left + 18, y), series.colour)?;
        area.draw(&text(&series.label, y))?;
        y += LEGEND_LINE;
        if !series.roof.is_empty() {
            for dash in (left..left + 36).step_by(11) {
                let ends = [(dash, y), (dash + 6, y)];
                area.draw(&PathElement::new(ends, roof_style(series.colour)))?;
            }
            area.draw(&text("its roof: reading alone", y))?;
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
    fn axes_are_whole_decades() {
        let around = |values: &[f64]| {
            let Decades { first, last } = Decades::around(values.iter().copied());
            (first, last)
        };
        assert_eq!(around(&[1e3, 1e8]), (3, 8));
        assert_eq!(around(&[2.05e-7, 0.3]), (-7, 0));
        assert_eq!(around(&[1e3]), (3, 4));
        assert_eq!(around(&[1.5e3]), (3, 4));
    }

    #[test]
    fn decades_of_time_have_their_units() {
        for (seconds, text) in [
            (1e-7, "100 ns"),
            (9.999_999e-7, "1 µs"),
            (1e-4, "100 µs"),
            (1e-3, "1 ms"),
            (1.0, "1 s"),
            (100.0, "100 s"),
        ] {
            assert_eq!(decade_of_time(seconds), text);
        }
    }
}
