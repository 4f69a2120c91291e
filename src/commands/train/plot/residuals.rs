//! The panel of the residuals: how they are spread, and how they go with x.

use fall_line::data::Block;
use fall_line::fit::Outcome;
use plotters::prelude::*;

use super::density::{draw, draw_within};
use super::{axis_name, loss_name, most, roomy, x_label};
use crate::output::number;
use crate::output::plot::{self, Area, Axis, BLUE, Drawn, Picture, RED, font, px, stroke};

/// Most bars of the histogram; few samples have fewer.
const MOST_BARS: usize = 50;

pub struct Residuals<'a> {
    outcome: &'a Outcome,
    samples: &'a Block,
    residuals: Vec<f64>,
    range: [f64; 2],
}

impl<'a> Residuals<'a> {
    pub fn of(outcome: &'a Outcome, samples: &'a Block) -> Self {
        let residuals = samples.residuals(outcome.centered);
        let range = roomy(most(residuals.iter().copied()));
        Residuals {
            outcome,
            samples,
            residuals,
            range,
        }
    }

    /// Draws the share of the residuals in each bar, and the loss of a residual in units of the greatest bar.
    fn histogram(&self, area: &Area) -> Drawn {
        let [low, high] = self.range;
        let count = (2.0 * (self.residuals.len() as f64).sqrt()) as usize;
        let mut bars = vec![0_u64; count.clamp(5, MOST_BARS)];
        let width = (high - low) / bars.len() as f64;
        for residual in &self.residuals {
            let at = (residual - low) / width;
            if at >= 0.0
                && let Some(bar) = bars.get_mut(at as usize)
            {
                *bar += 1;
            }
        }
        let all = self.residuals.len() as f64;
        let share = |count: u64| 100.0 * count as f64 / all;
        let most = share(bars.iter().copied().max().unwrap_or(1).max(1));
        let mut chart = ChartBuilder::on(area)
            .margin(px(12))
            .x_label_area_size(px(52))
            .y_label_area_size(px(64))
            .build_cartesian_2d(low..high, 0.0..1.08 * most)?;
        let label = number::ticks([low, high]);
        let x = Axis {
            name: "prediction − target",
            ticks: 5,
            label: &label,
        };
        let y = Axis {
            name: "% of samples",
            ticks: 6,
            label: &label,
        };
        plot::mesh(&mut chart, &x, &y)?;
        chart.draw_series(
            bars.iter()
                .enumerate()
                .filter(|(_, count)| **count > 0)
                .map(|(at, &count)| {
                    let start = low + at as f64 * width;
                    Rectangle::new(
                        [(start, 0.0), (start + width, share(count))],
                        BLUE.mix(0.6).filled(),
                    )
                }),
        )?;
        let loss = self.outcome.setup.loss;
        let highest = loss.terms(low).0.max(loss.terms(high).0);
        let curve = (0..=200).map(|step| {
            let residual = low + (high - low) * f64::from(step) / 200.0;
            (residual, most * loss.terms(residual).0 / highest)
        });
        draw_within(&mut chart, curve, stroke(RED, 2))?;
        Ok(())
    }

    fn over_x(&self, area: &Area) -> Drawn {
        let ends = [f64::INFINITY, f64::NEG_INFINITY];
        let [least, greatest] = self.samples.x.iter().fold(ends, |[least, greatest], &x| {
            [least.min(x), greatest.max(x)]
        });
        let [start, end] = roomy([least, greatest]);
        let [low, high] = self.range;
        let mut chart = ChartBuilder::on(area)
            .margin(px(12))
            .x_label_area_size(px(52))
            .y_label_area_size(px(76))
            .build_cartesian_2d(start..end, low..high)?;
        let label = number::ticks([low, high]);
        let time = self.outcome.time;
        let x_label = x_label([start, end], time);
        let name = axis_name(&self.outcome.names[0]);
        let x = Axis {
            name: &name,
            ticks: if time.is_some() { 3 } else { 5 },
            label: &x_label,
        };
        let y = Axis {
            name: "prediction − target",
            ticks: 8,
            label: &label,
        };
        plot::mesh(&mut chart, &x, &y)?;
        let points: Vec<(f64, f64)> = self
            .samples
            .x
            .iter()
            .copied()
            .zip(self.residuals.iter().copied())
            .collect();
        draw(&mut chart, &points)?;
        draw_within(&mut chart, [(start, 0.0), (end, 0.0)], stroke(BLACK, 1))?;
        Ok(())
    }
}

impl Picture for Residuals<'_> {
    fn title(&self) -> String {
        "Residuals".to_owned()
    }

    fn description(&self) -> String {
        format!(
            "How the residuals are spread, with the {} loss over them, and the residuals over {}",
            loss_name(self.outcome.setup.loss),
            self.outcome.names[0]
        )
    }

    fn draw(&self, area: &Area) -> Drawn {
        let (width, _) = area.dim_in_pixel();
        let (left, right) = area.split_horizontally(width as i32 * 9 / 20);
        let below = left.titled(
            &format!(
                "orange: {} of a residual",
                loss_name(self.outcome.setup.loss)
            ),
            font(15),
        )?;
        self.histogram(&below)?;
        self.over_x(&right.titled("a pattern here is what the line misses", font(15))?)
    }
}
