//! The panel of the data and the line.

use fall_line::data::Block;
use fall_line::data::uncertainty::Holds;
use fall_line::fit::Caution;
use fall_line::model::{Centered, Model};
use fall_line::train::Epoch;
use plotters::prelude::*;

use super::density::{Chart, draw, draw_within, points};
use super::{Run, axis_name, colour, loss_name, marked, most, roomy, x_label};
use crate::output::number;
use crate::output::plot::{
    self, Area, Axis, Drawn, GREEN, Picture, RED, dashed, label_font, px, stroke,
};

/// Points of the band of uncertainty, which is a hyperbola.
const BAND: u32 = 60;

pub struct Fit<'a> {
    run: &'a Run<'a>,
    /// All runs, if there are several.
    runs: &'a [Run<'a>],
    samples: &'a Block,
    x: [f64; 2],
    y: [f64; 2],
}

impl<'a> Fit<'a> {
    pub fn of(runs: &'a [Run<'a>], samples: &'a Block) -> Self {
        let run = &runs[0];
        let ends = |values: &[f64]| {
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            [least, greatest]
        };
        let x = roomy(ends(&samples.x));
        let [mut least, mut greatest] = most(samples.y.iter().copied());
        let outcomes = runs.iter().filter_map(|run| run.outcome);
        for end in outcomes.flat_map(|outcome| x.map(|x| outcome.predict(x))) {
            least = least.min(end);
            greatest = greatest.max(end);
        }
        Fit {
            run,
            runs,
            samples,
            x,
            y: roomy([least, greatest]),
        }
    }

    /// The lines, each with its style and name; those that are drawn first come first.
    fn lines(&self) -> Vec<(Centered, ShapeStyle, String)> {
        if self.runs.len() > 1 {
            return self.lines_of_all();
        }
        let mut lines = Vec::new();
        // A cutting plane tries lines, and does not move one.
        if self.run.setup.learning_rate.is_some() {
            let marked: Vec<&Epoch> = marked(self.run.epochs).collect();
            let count = marked.len();
            for (at, epoch) in marked.iter().enumerate() {
                let line = Model {
                    w: epoch.w,
                    b: epoch.b,
                };
                let style = stroke(RED.mix(0.2 + 0.4 * at as f64 / count as f64), 1);
                let name = match at {
                    0 => "after epochs 1, 2, 5, 10 …".to_owned(),
                    _ => String::new(),
                };
                lines.push((line.into(), style, name));
            }
        }
        let Some(outcome) = self.run.outcome else {
            return lines;
        };
        let quality = &outcome.quality;
        if let Some(line) = quality.least_squares {
            lines.push((line.into(), dashed(BLACK, 2), "least squares".to_owned()));
        }
        lines.push((
            outcome.centered,
            stroke(RED, 3),
            format!("line of {}", loss_name(self.run.setup.loss)),
        ));
        if let Some(line) = quality.true_line {
            lines.push((line.into(), dashed(GREEN, 2), "drawn around".to_owned()));
        }
        lines
    }

    /// The last line of each run, and the one that the samples were drawn around.
    fn lines_of_all(&self) -> Vec<(Centered, ShapeStyle, String)> {
        let line = |(at, run): (usize, &Run)| {
            let style = stroke(colour(at), 3);
            Some((run.outcome?.centered, style, run.name.to_owned()))
        };
        let mut lines: Vec<_> = self.runs.iter().enumerate().filter_map(line).collect();
        let truth = self
            .runs
            .iter()
            .find_map(|run| run.outcome?.quality.true_line);
        lines.extend(truth.map(|line| (line.into(), dashed(BLACK, 2), "drawn around".to_owned())));
        lines
    }

    /// Returns the corner of the chart that the fewest samples lie in.
    fn emptiest_corner(&self, samples: &[(f64, f64)]) -> SeriesLabelPosition {
        let share = |at: f64, [least, greatest]: [f64; 2]| (at - least) / (greatest - least);
        let count = |right: bool, upper: bool| {
            let is_near = |share: f64, end: bool, part: f64| {
                if end {
                    share > 1.0 - part
                } else {
                    share < part
                }
            };
            let inside = samples.iter().filter(|(x, y)| {
                is_near(share(*x, self.x), right, 0.5) && is_near(share(*y, self.y), upper, 0.35)
            });
            inside.count()
        };
        [
            (count(false, true), SeriesLabelPosition::UpperLeft),
            (count(true, true), SeriesLabelPosition::UpperRight),
            (count(false, false), SeriesLabelPosition::LowerLeft),
            (count(true, false), SeriesLabelPosition::LowerRight),
        ]
        .into_iter()
        .min_by_key(|(samples, _)| *samples)
        .map_or(SeriesLabelPosition::UpperLeft, |(_, corner)| corner)
    }

    /// Returns the ranges of x and y that the panel shows.
    pub fn ranges(&self) -> [[f64; 2]; 2] {
        [self.x, self.y]
    }

    /// Returns the interval that holds the line as x and its two ends, from left to right, and its confidence; `None` if the
    /// errors are not known, or for several lines.
    pub fn band_ends(&self) -> Option<(Vec<[f64; 3]>, f64)> {
        let outcome = self.run.outcome.filter(|_| self.runs.len() == 1)?;
        let errors = outcome.quality.uncertainty.as_ref().ok()?;
        let [start, end] = self.x;
        let ends = (0..=BAND).map(|step| {
            let x = start + (end - start) * f64::from(step) / f64::from(BAND);
            let [low, high] = errors.interval(outcome.centered, x, Holds::Line)?;
            Some([x, low, high])
        });
        Some((ends.collect::<Option<_>>()?, errors.confidence))
    }

    /// Draws the interval that holds the line, and returns its confidence.
    fn band(&self, chart: &mut Chart) -> Result<Option<f64>, Box<dyn std::error::Error>> {
        let Some((ends, confidence)) = self.band_ends() else {
            return Ok(None);
        };
        let [low, high] = self.y;
        let above = ends.iter().map(|&[x, _, upper]| (x, upper));
        let below = ends.iter().rev().map(|&[x, lower, _]| (x, lower));
        let edge = above.chain(below).map(|(x, y)| (x, y.clamp(low, high)));
        chart.draw_series([Polygon::new(
            edge.collect::<Vec<_>>(),
            RED.mix(0.2).filled(),
        )])?;
        Ok(Some(confidence))
    }
}

impl Picture for Fit<'_> {
    fn title(&self) -> String {
        let [x, y] = self.run.source.names();
        format!("{} over {}", axis_name(&y), axis_name(&x))
    }

    fn description(&self) -> String {
        let [x, y] = self.run.source.names();
        let line = self.run.outcome.map_or_else(String::new, |outcome| {
            let Model { w, b } = outcome.model;
            format!(
                ", and the line {y} = {} · {x} + {}",
                number::precise(w),
                number::precise(b)
            )
        });
        format!("The samples, {y} over {x}{line}")
    }

    fn draw(&self, area: &Area) -> Drawn {
        let [x, y] = self.run.source.names().map(|name| axis_name(&name));
        let mut chart = ChartBuilder::on(area)
            .margin(px(12))
            .margin_right(px(24))
            .x_label_area_size(px(52))
            .y_label_area_size(px(88))
            .build_cartesian_2d(self.x[0]..self.x[1], self.y[0]..self.y[1])?;
        let label = number::ticks(self.y);
        let time = self.run.source.time();
        let x_label = x_label(self.x, time);
        let x = Axis {
            name: &x,
            ticks: if time.is_some() { 5 } else { 10 },
            label: &x_label,
        };
        let y = Axis {
            name: &y,
            ticks: 8,
            label: &label,
        };
        plot::mesh(&mut chart, &x, &y)?;
        let samples: Vec<(f64, f64)> = points(self.samples).collect();
        let word = draw(&mut chart, &samples)?;
        let mut names = vec![(stroke(plot::BLUE, 8), word)];
        if let Some(confidence) = self.band(&mut chart)? {
            let text = format!("{} confidence of the line", number::percent(confidence));
            names.push((stroke(RED.mix(0.2), 8), text));
        }
        for (line, style, name) in self.lines() {
            let ends = self.x.map(|x| (x, line.predict(x)));
            draw_within(&mut chart, ends, style)?;
            if !name.is_empty() {
                names.push((style, name));
            }
        }
        for caution in self
            .run
            .outcome
            .iter()
            .flat_map(|outcome| &outcome.quality.cautions)
        {
            if let Caution::OneSample { sample, x, .. } = caution {
                let at = samples.iter().filter(|(at, _)| at == x).copied();
                chart.draw_series(at.map(|at| Circle::new(at, px(9), stroke(RED, 2))))?;
                names.push((stroke(RED, 2), format!("sample {sample} decides the slope")));
            }
        }
        for (style, name) in names {
            chart
                .draw_series(std::iter::empty::<Circle<(f64, f64), i32>>())?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + px(20), y)], style));
        }
        let corner = self.emptiest_corner(&samples);
        chart
            .configure_series_labels()
            .position(corner)
            .margin(px(8))
            .legend_area_size(px(28))
            .background_style(WHITE.mix(0.85))
            .label_font(label_font())
            .draw()?;
        Ok(())
    }
}
