//! The panel of the loss surface.

use contour::ContourBuilder;
use fall_line::fit::{SIDE, Surface};
use fall_line::model::Model;
use indicatif::HumanCount;
use plotters::prelude::*;

use super::density::{Chart, draw_within};
use super::{Run, run_name};
use crate::output::number;
use crate::output::plot::{self, Area, Axis, Drawn, GREEN, Picture, RED, label_font, px, stroke};

/// Bands between two contours.
const BANDS: u32 = 12;
/// The colours of the highest band and of the lowest.
const HIGH: RGBColor = RGBColor(222, 235, 247);
const LOW: RGBColor = RGBColor(8, 64, 129);
/// Epochs up to which each is a point.
const POINTS: usize = 300;

pub struct SurfaceMap<'a> {
    pub run: &'a Run<'a>,
    pub surface: &'a Surface,
}

impl SurfaceMap<'_> {
    /// Returns the upper ends of the bands, from the highest to the lowest: evenly spaced in the root of the loss above the
    /// least, in which a bowl is a cone.
    fn levels(&self) -> Vec<f64> {
        let losses = || self.surface.losses.iter().copied();
        let least = losses().fold(f64::INFINITY, f64::min);
        let greatest = losses().fold(f64::NEG_INFINITY, f64::max);
        let at =
            |band: u32| (f64::from(band) / f64::from(BANDS)).powi(2) * (greatest - least) + least;
        (1..=BANDS).rev().map(at).collect()
    }

    /// Draws what lies below each level over what lies below the one before. The loss is convex, so these have no holes.
    fn bands(&self, chart: &mut Chart) -> Drawn {
        let Surface {
            w, level, losses, ..
        } = self.surface;
        let heights: Vec<f64> = losses.iter().map(|loss| -loss).collect();
        let levels = self.levels();
        let thresholds: Vec<f64> = levels.iter().map(|level| -level).collect();
        let step = |[least, greatest]: [f64; 2]| (greatest - least) / (SIDE - 1) as f64;
        // The crate's cells are around the values.
        let contours = ContourBuilder::new(SIDE, SIDE, true)
            .x_origin(w[0] - 0.5 * step(*w))
            .y_origin(level[0] - 0.5 * step(*level))
            .x_step(step(*w))
            .y_step(step(*level))
            .contours(&heights, &thresholds)?;
        for (band, contour) in contours.iter().enumerate() {
            let colour = colour(band);
            for polygon in &contour.geometry().0 {
                let edge = polygon
                    .exterior()
                    .coords()
                    .map(|at| (at.x.clamp(w[0], w[1]), at.y.clamp(level[0], level[1])));
                let edge: Vec<(f64, f64)> = edge.collect();
                chart.draw_series([Polygon::new(edge.clone(), colour.filled())])?;
                if band > 0 {
                    chart.draw_series([PathElement::new(edge, stroke(WHITE.mix(0.5), 1))])?;
                }
            }
        }
        Ok(())
    }

    /// Draws the bands' colours beside the map, with the losses between them.
    fn scale(&self, area: &Area) -> Drawn {
        let (width, height) = area.dim_in_pixel();
        let (top, bottom) = (px(28), height as i32 - px(64));
        let levels = self.levels();
        let tall = (bottom - top) / levels.len() as i32;
        area.draw(&Text::new("loss", (0, top - px(24)), label_font()))?;
        for (band, level) in levels.iter().enumerate() {
            let y = top + band as i32 * tall;
            let corners = [(0, y), (px(16), y + tall)];
            area.draw(&Rectangle::new(corners, colour(band).filled()))?;
            if band % 2 == 0 && width as i32 > px(20) {
                let text = number::digits(*level, 3);
                area.draw(&Text::new(text, (px(20), y - px(8)), label_font()))?;
            }
        }
        Ok(())
    }
}

fn colour(band: usize) -> RGBColor {
    let share = band as f64 / f64::from(BANDS - 1);
    let mix =
        |from: u8, to: u8| (f64::from(from) + share * (f64::from(to) - f64::from(from))) as u8;
    RGBColor(mix(HIGH.0, LOW.0), mix(HIGH.1, LOW.1), mix(HIGH.2, LOW.2))
}

impl Picture for SurfaceMap<'_> {
    fn title(&self) -> String {
        let samples = match self.surface.samples {
            0 => String::new(),
            samples if samples == self.run.source.samples() => String::new(),
            samples => format!(", over {} of the samples", HumanCount(samples)),
        };
        format!("Loss surface of {}{samples}", run_name(self.run))
    }

    fn description(&self) -> String {
        format!(
            "Contours of the loss over the slope and the {}, with the path of the descent",
            if self.surface.x_center == 0.0 {
                "intercept"
            } else {
                "line's value at the mean of x"
            },
        )
    }

    fn draw(&self, area: &Area) -> Drawn {
        let Surface {
            w, level, x_center, ..
        } = self.surface;
        let (width, _) = area.dim_in_pixel();
        let (map, scale) = area.split_horizontally(width as i32 - px(84));
        let mut chart = ChartBuilder::on(&map)
            .margin(px(12))
            .x_label_area_size(px(52))
            .y_label_area_size(px(88))
            .build_cartesian_2d(w[0]..w[1], level[0]..level[1])?;
        let [w_label, level_label] = [w, level].map(|range| number::ticks(*range));
        let level_name = if *x_center == 0.0 {
            "b".to_owned()
        } else {
            let center = match self.run.source.time() {
                Some(time) => number::moment(*x_center, time),
                None => number::digits(*x_center, 5),
            };
            format!("value at x = {center}")
        };
        let w_axis = Axis {
            name: "w",
            ticks: 8,
            label: &w_label,
        };
        let level_axis = Axis {
            name: &level_name,
            ticks: 8,
            label: &level_label,
        };
        self.bands(&mut chart)?;
        plot::mesh(&mut chart, &w_axis, &level_axis)?;
        let place = |Model { w, b }: Model| (w, w * x_center + b);
        let start = self.run.setup.start;
        let after = self.run.epochs.iter().map(|epoch| Model {
            w: epoch.w,
            b: epoch.b,
        });
        let path: Vec<(f64, f64)> = std::iter::once(start).chain(after).map(place).collect();
        draw_within(&mut chart, path.iter().copied(), stroke(RED, 2))?;
        let (x, y) = (chart.x_range(), chart.y_range());
        let inside = |at: &&(f64, f64)| x.contains(&at.0) && y.contains(&at.1);
        let mut names = vec![(RED, "path of the descent, a point an epoch")];
        if path.len() <= POINTS {
            chart.draw_series(
                path.iter()
                    .filter(inside)
                    .map(|&at| Circle::new(at, px(3), RED.filled())),
            )?;
        } else {
            names[0].1 = "path of the descent";
        }
        chart.draw_series(
            path.first()
                .filter(inside)
                .map(|&at| Circle::new(at, px(7), stroke(WHITE, 2))),
        )?;
        chart.draw_series(
            path.last()
                .filter(inside)
                .map(|&at| Circle::new(at, px(6), RED.filled())),
        )?;
        // Not the white that turns dark at night.
        names.push((RGBColor(254, 254, 254), "start"));
        if let Some(outcome) = self.run.outcome {
            let best = if self.run.setup.loss.is_least_squares() {
                outcome.least_squares().map(place)
            } else {
                let found = (outcome.centered.w, outcome.centered.predict(*x_center));
                (outcome.converged == Some(true)).then_some(found)
            };
            chart.draw_series(best.map(|at| Cross::new(at, px(7), stroke(GREEN, 3))))?;
            if best.is_some() {
                names.push((GREEN, "least loss"));
            }
        }
        for (colour, name) in names {
            chart
                .draw_series(std::iter::empty::<Circle<(f64, f64), i32>>())?
                .label(name)
                .legend(move |(x, y)| Circle::new((x + px(8), y), px(4), colour.filled()));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerLeft)
            .margin(px(8))
            .legend_area_size(px(24))
            .background_style(RGBColor(200, 215, 230).mix(0.9))
            .label_font(label_font())
            .draw()?;
        self.scale(&scale)
    }
}
