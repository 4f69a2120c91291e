//! Samples in a chart: points, or shades where there are too many.

use fall_line::data::Block;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use crate::output::plot::{BLUE, Drawn, px};

/// Samples up to which each is a point.
const POINTS: usize = 4000;
/// Cells of a chart of shades, across and down.
const CELLS: [usize; 2] = [100, 60];
/// Shades, each of twice as many samples as the one before.
const SHADES: u32 = 8;

pub type Chart<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Draws samples, and returns a word on how: `1 shade: up to 12 samples a cell`.
pub fn draw(
    chart: &mut Chart,
    samples: &[(f64, f64)],
) -> Result<String, Box<dyn std::error::Error>> {
    let (x, y) = (chart.x_range(), chart.y_range());
    let inside = samples
        .iter()
        .filter(|(at_x, at_y)| x.contains(at_x) && y.contains(at_y));
    let outside = samples.len() - inside.clone().count();
    let mut word = if samples.len() <= POINTS {
        let size = if samples.len() <= 200 { 4 } else { 2 };
        let style = BLUE
            .mix(if samples.len() <= 200 { 0.75 } else { 0.4 })
            .filled();
        chart.draw_series(inside.map(|&at| Circle::new(at, px(size), style)))?;
        "samples".to_owned()
    } else {
        let most = shades(chart, inside.copied())?;
        format!("samples: darkest {most} a cell, each shade half as many")
    };
    if outside > 0 {
        word += &format!("; {outside} outside");
    }
    Ok(word)
}

/// Draws cells in shades of how many samples they hold, and returns the most.
fn shades(
    chart: &mut Chart,
    samples: impl Iterator<Item = (f64, f64)>,
) -> Result<u32, Box<dyn std::error::Error>> {
    let (x, y) = (chart.x_range(), chart.y_range());
    let [across, down] = CELLS;
    let cells = counts(samples, [x.start, x.end], [y.start, y.end], CELLS);
    let most = cells.iter().copied().max().unwrap_or(0).max(1);
    // 0 is empty; the others halve from the darkest on.
    let shade = |count: u32| match count {
        0 => 0,
        _ => SHADES.saturating_sub((most / count).ilog2()).max(1),
    };
    let place = |range: &std::ops::Range<f64>, at: usize, of: usize| {
        range.start + (range.end - range.start) * at as f64 / of as f64
    };
    for row in 0..down {
        let mut column = 0;
        while column < across {
            let first = column;
            let of_first = shade(cells[row * across + first]);
            while column < across && shade(cells[row * across + column]) == of_first {
                column += 1;
            }
            if of_first > 0 {
                let corners = [
                    (place(&x, first, across), place(&y, row, down)),
                    (place(&x, column, across), place(&y, row + 1, down)),
                ];
                let style = BLUE
                    .mix(f64::from(of_first) / f64::from(SHADES) * 0.9)
                    .filled();
                chart.draw_series([Rectangle::new(corners, style)])?;
            }
        }
    }
    Ok(most)
}

/// Returns the number of samples in each cell of a rectangle, row by row from the least y on. Those outside are left out.
pub fn counts(
    samples: impl Iterator<Item = (f64, f64)>,
    x: [f64; 2],
    y: [f64; 2],
    [across, down]: [usize; 2],
) -> Vec<u32> {
    let mut counts = vec![0; across * down];
    let cell = |at: f64, [least, greatest]: [f64; 2], cells: usize| {
        let share = (at - least) / (greatest - least);
        let is_inside = (0.0..=1.0).contains(&share);
        is_inside.then(|| ((share * cells as f64) as usize).min(cells - 1))
    };
    for (at_x, at_y) in samples {
        if let (Some(column), Some(row)) = (cell(at_x, x, across), cell(at_y, y, down)) {
            counts[row * across + column] += 1;
        }
    }
    counts
}

/// Returns samples as points of a chart.
pub fn points(samples: &Block) -> impl Iterator<Item = (f64, f64)> {
    let y = samples.y.iter().copied();
    samples.x.iter().copied().zip(y)
}

/// Draws a line or path as far as it is within the chart.
pub fn draw_within(
    chart: &mut Chart,
    points: impl IntoIterator<Item = (f64, f64)>,
    style: ShapeStyle,
) -> Drawn {
    let (x, y) = (chart.x_range(), chart.y_range());
    let mut part: Vec<(f64, f64)> = Vec::new();
    let mut before = None;
    let mut parts = Vec::new();
    for point in points {
        let Some(from) = before.replace(point) else {
            continue;
        };
        match clipped(from, point, [x.start, x.end], [y.start, y.end]) {
            Some((start, end)) => {
                if part.last() != Some(&start) {
                    parts.push(std::mem::take(&mut part));
                    part.push(start);
                }
                part.push(end);
            }
            None => parts.push(std::mem::take(&mut part)),
        }
    }
    parts.push(part);
    parts.retain(|part| part.len() > 1);
    chart.draw_series(parts.into_iter().map(|part| PathElement::new(part, style)))?;
    Ok(())
}

/// Returns the part of a segment that is within a rectangle (Liang and Barsky 1984), if there is one.
fn clipped(
    from: (f64, f64),
    to: (f64, f64),
    x: [f64; 2],
    y: [f64; 2],
) -> Option<((f64, f64), (f64, f64))> {
    let step = (to.0 - from.0, to.1 - from.1);
    let (mut start, mut end) = (0.0_f64, 1.0_f64);
    for (at, step, [least, greatest]) in [(from.0, step.0, x), (from.1, step.1, y)] {
        if step == 0.0 {
            if at < least || greatest < at {
                return None;
            }
            continue;
        }
        let (low, high) = ((least - at) / step, (greatest - at) / step);
        start = start.max(low.min(high));
        end = end.min(low.max(high));
    }
    let at = |share: f64| match share {
        0.0 => from,
        1.0 => to,
        _ => (from.0 + share * step.0, from.1 + share * step.1),
    };
    let is_finite = [step.0, step.1, start, end]
        .iter()
        .all(|value| value.is_finite());
    (is_finite && start <= end).then(|| (at(start), at(end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_end_at_the_frame() {
        let clip = |from, to| clipped(from, to, [0.0, 1.0], [0.0, 2.0]);
        assert_eq!(clip((0.5, 0.5), (0.5, 1.0)), Some(((0.5, 0.5), (0.5, 1.0))));
        assert_eq!(
            clip((-1.0, 1.0), (2.0, 1.0)),
            Some(((0.0, 1.0), (1.0, 1.0)))
        );
        assert_eq!(
            clip((0.5, -2.0), (0.5, 6.0)),
            Some(((0.5, 0.0), (0.5, 2.0)))
        );
        assert_eq!(clip((-1.0, 3.0), (2.0, 3.0)), None);
        assert_eq!(clip((0.5, 1.0), (f64::NAN, 1.0)), None);
    }
}
