//! `--plot`: pictures as PNG or SVG.

use std::error::Error as StdError;
use std::io;
use std::path::Path;

use fall_line::atomic;
use fall_line::error::Error;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

/// The endings that [`write`] knows.
pub const ENDINGS: &[&str] = &["png", "svg"];

/// Pixels.
pub const SIZE: (u32, u32) = (960, 540);
/// Of a curve that stands alone.
pub const BLUE: RGBColor = RGBColor(31, 119, 180);

pub type Drawn = Result<(), Box<dyn StdError>>;

/// What can be drawn, in pixels or in lines.
pub trait Picture {
    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn
    where
        B::ErrorType: 'static;
}

/// Draws a picture to a path with one of [`ENDINGS`].
pub fn write(path: &Path, picture: &impl Picture) -> Result<(), Error> {
    atomic::write(path, |out| {
        // One font in the binary: a bare machine has none.
        register_font(
            "sans-serif",
            FontStyle::Normal,
            epaint_default_fonts::UBUNTU_LIGHT,
        )
        .map_err(|_| io::Error::other("the font can't be read"))?;
        if atomic::ending(path) == "svg" {
            let mut svg = String::new();
            draw(SVGBackend::with_string(&mut svg, SIZE), picture)?;
            return out.write_all(svg.as_bytes());
        }
        let mut pixels = vec![0; (SIZE.0 * SIZE.1 * 3) as usize];
        draw(BitMapBackend::with_buffer(&mut pixels, SIZE), picture)?;
        let mut encoder = png::Encoder::new(out, SIZE.0, SIZE.1);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut image = encoder.write_header()?;
        image.write_image_data(&pixels)?;
        image.finish()?;
        Ok(())
    })
}

fn draw<B: DrawingBackend>(backend: B, picture: &impl Picture) -> io::Result<()>
where
    B::ErrorType: 'static,
{
    let area = backend.into_drawing_area();
    let drawn = || -> Drawn {
        area.fill(&WHITE)?;
        picture.draw(&area)?;
        area.present()?;
        Ok(())
    };
    drawn().map_err(|error| io::Error::other(error.to_string()))
}

/// What fits over the plot, on one line.
pub fn shortened(title: &str) -> String {
    const FITS: usize = 80;
    let mut title: String = title.chars().filter(|c| !c.is_control()).collect();
    if let Some((at, _)) = title.char_indices().nth(FITS) {
        title.truncate(at);
        title.push('…');
    }
    title
}
