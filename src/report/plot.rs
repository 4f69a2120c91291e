//! `--plot`: the loss over the epochs, as PNG or SVG.

use std::error::Error as StdError;
use std::io;
use std::path::Path;

use fall_line::error::Error;
use fall_line::train::Epoch;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

use super::file;

/// Pixels.
const SIZE: (u32, u32) = (960, 540);
/// Points drawn at the most: more than pixels across.
const POINTS: usize = 2000;
/// A loss that falls by more than this factor reads better on a log scale.
const LOG_FACTOR: f64 = 50.0;

/// That the ending is one that [`write`] knows.
pub fn check(path: &Path) -> Result<(), Error> {
    match file::ending(path).as_str() {
        "png" | "svg" => file::check_writable(path),
        _ => Err(Error::Usage(format!(
            "--plot {} must end in .png or .svg",
            path.display()
        ))),
    }
}

/// Draws the loss over the epochs to a path that [`check`] passed; nothing where no epoch was run.
pub fn write(path: &Path, epochs: &[Epoch], title: &str) -> Result<(), Error> {
    if epochs.is_empty() {
        return Ok(());
    }
    file::write(path, |out| {
        // One font in the binary: a bare machine has none.
        register_font(
            "sans-serif",
            FontStyle::Normal,
            epaint_default_fonts::UBUNTU_LIGHT,
        )
        .map_err(|_| io::Error::other("the font can't be read"))?;
        if file::ending(path) == "svg" {
            let mut svg = String::new();
            draw(SVGBackend::with_string(&mut svg, SIZE), epochs, title)?;
            return out.write_all(svg.as_bytes());
        }
        let mut pixels = vec![0; (SIZE.0 * SIZE.1 * 3) as usize];
        draw(BitMapBackend::with_buffer(&mut pixels, SIZE), epochs, title)?;
        let mut encoder = png::Encoder::new(out, SIZE.0, SIZE.1);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut image = encoder.write_header()?;
        image.write_image_data(&pixels)?;
        image.finish()?;
        Ok(())
    })
}

fn draw<B: DrawingBackend>(backend: B, epochs: &[Epoch], title: &str) -> io::Result<()>
where
    B::ErrorType: 'static,
{
    let losses = || epochs.iter().map(|epoch| epoch.loss);
    let least = losses().fold(f64::INFINITY, f64::min);
    let most = losses().fold(f64::NEG_INFINITY, f64::max);
    let drawn = if least > 0.0 && most > LOG_FACTOR * least {
        let y = (least / 1.2..most * 1.2).log_scale();
        draw_on(backend, epochs, title, y, decade_label)
    } else {
        // Room above and below, also around a loss that never moved.
        let room = match (most - least, most.abs()) {
            (0.0, 0.0) => 1.0,
            (0.0, size) => 0.05 * size,
            (fall, _) => 0.05 * fall,
        };
        draw_on(backend, epochs, title, least - room..most + room, label)
    };
    drawn.map_err(|error| io::Error::other(error.to_string()))
}

fn draw_on<B, Y>(
    backend: B,
    epochs: &[Epoch],
    title: &str,
    y: Y,
    label: fn(f64) -> String,
) -> Result<(), Box<dyn StdError>>
where
    B: DrawingBackend,
    B::ErrorType: 'static,
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    let area = backend.into_drawing_area();
    area.fill(&WHITE)?;
    let last = epochs.last().map_or(1, |epoch| epoch.epoch);
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 22))
        .margin(16)
        .x_label_area_size(48)
        .y_label_area_size(88)
        .build_cartesian_2d(1..last.max(2), y)?;
    chart
        .configure_mesh()
        .x_desc("epoch")
        .y_desc("loss")
        .y_label_formatter(&|loss| label(*loss))
        .label_style(("sans-serif", 16))
        .axis_desc_style(("sans-serif", 18))
        .light_line_style(WHITE)
        .draw()?;
    let blue = RGBColor(31, 119, 180);
    let stride = epochs.len().div_ceil(POINTS);
    let points: Vec<_> = epochs
        .iter()
        .step_by(stride)
        .map(|epoch| (epoch.epoch, epoch.loss))
        .collect();
    if let [point] = points[..] {
        chart.draw_series([Circle::new(point, 4, blue.filled())])?;
    }
    chart.draw_series(LineSeries::new(points, blue.stroke_width(2)))?;
    area.present()?;
    Ok(())
}

/// A loss on the axis, to the digits that tell ticks apart.
fn label(loss: f64) -> String {
    if loss == 0.0 || (1e-3..1e6).contains(&loss.abs()) {
        let text = format!("{loss:.4}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{loss:.1e}")
    }
}

/// Likewise on a log scale, where the labels of 6 to 9 would run into each other.
fn decade_label(loss: f64) -> String {
    match format!("{loss:e}").as_bytes()[0] {
        b'6'..=b'9' => String::new(),
        _ => label(loss),
    }
}
