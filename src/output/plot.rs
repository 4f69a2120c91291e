//! Pictures as SVG, and as PNG drawn from the same SVG.

use std::error::Error as StdError;
use std::io;
use std::ops::Range;
use std::path::Path;

use fall_line::atomic;
use fall_line::error::Error;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

use super::number;

/// The endings that [`write`] knows.
pub const ENDINGS: &[&str] = &["png", "svg"];

/// Width and height of a panel that stands alone, in its pixels.
pub const SIZE: (u32, u32) = (960, 540);
/// Those of one of several panels.
const PANEL: (u32, u32) = (760, 500);
/// Pixels of a PNG for each pixel of the picture, in both directions.
const PNG_SCALE: u32 = 2;
/// Units of the drawing area for each pixel. plotters draws in whole units, which would bend smooth curves.
const UNITS: u32 = 10;
/// Attributes of every shape. A miter would make a spike of each sharp turn of a curve.
const STYLE: &str = "stroke-linejoin=\"round\"";

/// Text height of titles, names of axes, and labels, in pixels.
const TITLE: i32 = 24;
const NAME: i32 = 20;
const LABEL: i32 = 17;

/// Colours that all eyes can tell apart (Okabe and Ito).
pub const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];
/// The colours of data and of curves that stand alone, of a line or a path, and of what is known beforehand.
pub const BLUE: RGBColor = COLOURS[0];
pub const RED: RGBColor = COLOURS[1];
pub const GREEN: RGBColor = COLOURS[2];
const GREY: RGBColor = RGBColor(222, 222, 222);

/// The result of drawing.
pub type Drawn = Result<(), Box<dyn StdError>>;
/// A part of a picture.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A panel of a picture, below its title.
pub trait Picture {
    /// Returns the text above the picture.
    fn title(&self) -> String;

    /// Returns what there is to see, in a sentence without its point, for who can't see it.
    fn description(&self) -> String {
        self.title()
    }

    /// Draws everything but the title.
    fn draw(&self, area: &Area) -> Drawn;
}

/// Returns a length in units of the drawing area.
pub const fn px(pixels: i32) -> i32 {
    pixels * UNITS as i32
}

/// Returns a line style of this width in pixels.
pub fn stroke(colour: impl Color, pixels: u32) -> ShapeStyle {
    colour.stroke_width(pixels * UNITS)
}

/// An opacity that stands for a dashed line, which the backend can't draw.
const DASHED: f64 = 0.99;
const DASHED_IN_SVG: &str = "opacity=\"0.99\"";

/// Returns the style of a dashed line of this width in pixels.
pub fn dashed(colour: RGBColor, pixels: u32) -> ShapeStyle {
    stroke(colour.mix(DASHED), pixels)
}

/// Returns a text style of this height in pixels. The generic family suits every viewer.
pub fn font(pixels: i32) -> (&'static str, i32) {
    ("sans-serif", px(pixels))
}

/// Returns the font of labels.
pub fn label_font() -> (&'static str, i32) {
    font(LABEL)
}

/// Draws panels, two side by side, to a path with one of [`ENDINGS`].
pub fn write(path: &Path, panels: &[&dyn Picture]) -> Result<(), Error> {
    atomic::write(path, |out| {
        let svg = svg(panels)?;
        if atomic::ending(path) == "svg" {
            out.write_all(dark_at_night(svg).as_bytes())
        } else {
            out.write_all(&png(&svg)?)
        }
    })
}

/// Returns panels as SVG.
fn svg(panels: &[&dyn Picture]) -> io::Result<String> {
    let (columns, (width, height)) = match panels.len() {
        0 | 1 => (1, SIZE),
        _ => (2, PANEL),
    };
    let rows = panels.len().div_ceil(columns).max(1);
    let pixels = (width * columns as u32, height * rows as u32);
    let units = (pixels.0 * UNITS, pixels.1 * UNITS);
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, units).into_drawing_area();
    let titles: Vec<String> = panels.iter().map(|panel| panel.title()).collect();
    let drawn = || -> Drawn {
        area.fill(&WHITE)?;
        let parts = area.split_evenly((rows, columns));
        for ((panel, title), part) in panels.iter().zip(&titles).zip(parts) {
            let title = fitted(title, width);
            panel.draw(&part.margin(px(12), 0, 0, 0).titled(&title, font(TITLE))?)?;
        }
        area.present()?;
        Ok(())
    };
    drawn().map_err(|error| io::Error::other(error.to_string()))?;
    drop(area);
    // The backend gives the size in units; the viewBox keeps that one.
    let of_units = format!("<svg width=\"{}\" height=\"{}\" ", units.0, units.1);
    let of_pixels = format!(
        "<svg width=\"{}\" height=\"{}\" {STYLE} ",
        pixels.0, pixels.1
    );
    let head = svg.find(">\n").map_or(0, |end| end + 2);
    let texts: Vec<String> = panels.iter().map(|panel| panel.description()).collect();
    let [titles, texts] = [titles, texts].map(|texts| escaped(&texts.join(". ")));
    svg.insert_str(
        head,
        &format!("<title>{titles}</title>\n<desc>{texts}</desc>\n"),
    );
    // Column names may hold anything; XML does not.
    svg.retain(|c| c == '\n' || super::is_harmless(c));
    Ok(svg
        .replacen(&of_units, &of_pixels, 1)
        .replace(DASHED_IN_SVG, "stroke-dasharray=\"70 50\""))
}

/// Returns an SVG that follows its viewer to a dark background.
fn dark_at_night(mut svg: String) -> String {
    const STYLE: &str = "<style>@media (prefers-color-scheme: dark) { \
        [fill=\"#FFFFFF\"] { fill: #15181d } [fill=\"#000000\"] { fill: #dde2e8 } [stroke=\"#000000\"] { stroke: #dde2e8 } \
        [fill=\"#C8D7E6\"] { fill: #33414f } [stroke=\"#DEDEDE\"] { stroke: #333a43 } }</style>\n";
    let head = svg.find(">\n").map_or(0, |end| end + 2);
    svg.insert_str(head, STYLE);
    svg
}

/// Returns an SVG as PNG, drawn with the one font that is in the binary: a bare machine has none.
fn png(svg: &str) -> io::Result<Vec<u8>> {
    let mut options = Options::default();
    let fonts = options.fontdb_mut();
    fonts.load_font_data(epaint_default_fonts::UBUNTU_LIGHT.to_vec());
    let families = fonts.faces().next().map(|face| face.families.clone());
    if let Some((family, _)) = families.and_then(|families| families.into_iter().next()) {
        fonts.set_sans_serif_family(family);
    }
    let tree = Tree::from_str(svg, &options).map_err(io::Error::other)?;
    let size = tree.size().to_int_size();
    let mut pixels = Pixmap::new(size.width() * PNG_SCALE, size.height() * PNG_SCALE)
        .ok_or_else(|| io::Error::other("the picture has no pixels"))?;
    let scale = Transform::from_scale(PNG_SCALE as f32, PNG_SCALE as f32);
    resvg::render(&tree, scale, &mut pixels.as_mut());
    pixels.encode_png().map_err(io::Error::other)
}

/// Returns text for use between tags.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Returns as much of a title as fits over a panel of this width, on one line.
fn fitted(title: &str, width: u32) -> String {
    // Half the height of the letters, and 12 pixels a letter are enough for most.
    let fits = width as usize / (TITLE as usize / 2);
    super::shortened(title.chars().filter(|c| !c.is_control()).collect(), fits)
}

/// One axis of a chart: its name and how its ticks read.
pub struct Axis<'a, T> {
    pub name: &'a str,
    /// The most ticks that have room.
    pub ticks: usize,
    pub label: &'a dyn Fn(&T) -> String,
}

/// Draws the axes and the grid of a chart.
pub fn mesh<'a, X, Y>(
    chart: &mut ChartContext<'a, SVGBackend<'a>, Cartesian2d<X, Y>>,
    x: &Axis<X::ValueType>,
    y: &Axis<Y::ValueType>,
) -> Drawn
where
    X: Ranged + ValueFormatter<X::ValueType>,
    Y: Ranged + ValueFormatter<Y::ValueType>,
{
    chart
        .configure_mesh()
        .x_desc(x.name)
        .y_desc(y.name)
        .x_labels(x.ticks)
        .y_labels(y.ticks)
        .x_label_formatter(x.label)
        .y_label_formatter(y.label)
        .label_style(font(LABEL))
        .axis_desc_style(font(NAME))
        .axis_style(stroke(BLACK, 1))
        .bold_line_style(stroke(GREY, 1))
        // The backend leaves out lines that can't be seen.
        .light_line_style(TRANSPARENT)
        .set_all_tick_mark_size(px(5))
        .draw()?;
    Ok(())
}

/// A logarithmic axis of values above 0, with ticks at 1, 2 and 5 times the powers of ten.
#[derive(Clone, Debug, PartialEq)]
pub struct LogAxis(Range<f64>);

impl LogAxis {
    /// Returns an axis that holds all values, with some room at both ends, but for those below 1e-30 of the greatest: a loss that
    /// has come so far is rounding.
    pub fn around(values: impl Iterator<Item = f64> + Clone) -> Self {
        let greatest = values.clone().fold(0.0, f64::max);
        let least = values.fold(f64::INFINITY, f64::min).max(1e-30 * greatest);
        // A twentieth of the axis at each end, and half a decade around a single value.
        let room = (greatest / least).powf(0.05).max(1.2);
        let room = if greatest > least { room } else { 3.0 };
        LogAxis(least / room..greatest * room)
    }

    /// Returns the least value on the axis.
    pub fn least(&self) -> f64 {
        self.0.start
    }

    /// Returns at most `most` ticks: 1, 2 and 5 times each power of ten, else each power, else every other, and so on.
    fn ticks(&self, most: usize) -> Vec<f64> {
        let decades = self.0.start.log10().floor() as i32..=self.0.end.log10().ceil() as i32;
        let on_axis = |multiples: &[f64], every: i32| -> Vec<f64> {
            decades
                .clone()
                .filter(|decade| decade.rem_euclid(every) == 0)
                .flat_map(|decade| multiples.iter().map(move |m| m * 10_f64.powi(decade)))
                .filter(|tick| self.0.contains(tick))
                .collect()
        };
        let fine = on_axis(&[1.0, 2.0, 5.0], 1);
        if fine.len() <= most {
            return fine;
        }
        (1..)
            .map(|every| on_axis(&[1.0], every))
            .find(|ticks| ticks.len() <= most.max(1))
            .unwrap_or_default()
    }
}

impl Ranged for LogAxis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (value / self.0.start).ln() / (self.0.end / self.0.start).ln();
        // A value of 0 has no place: it is drawn a length below.
        let share = share.clamp(-1.0, 2.0);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        self.ticks(hint.max_num_points())
    }

    fn range(&self) -> Range<f64> {
        self.0.clone()
    }
}

impl ValueFormatter<f64> for LogAxis {
    fn format_ext(&self, value: &f64) -> String {
        number::tick(*value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_axes_have_ticks_at_1_2_and_5() {
        let ticks = |least, greatest, most| {
            let ticks = LogAxis::around([least, greatest].into_iter()).ticks(most);
            ticks.into_iter().map(number::tick).collect::<Vec<_>>()
        };
        assert_eq!(
            ticks(1.1, 81.0, 10),
            ["1", "2", "5", "10", "20", "50", "100"]
        );
        assert_eq!(
            ticks(1e3, 1e8, 8),
            ["1000", "10000", "100000", "1e6", "1e7", "1e8"]
        );
        assert_eq!(ticks(1.0, 1e12, 6), ["1", "1000", "1e6", "1e9", "1e12"]);
        assert_eq!(ticks(7.0, 7.0, 10), ["5", "10", "20"]);
        assert_eq!(ticks(5e-324, 1e3, 4), ["1e-24", "1e-16", "1e-8", "1"]);
    }

    /// One curve from corner to corner.
    struct Diagonal;

    impl Picture for Diagonal {
        fn title(&self) -> String {
            "x < y & z".to_owned()
        }

        fn draw(&self, area: &Area) -> Drawn {
            let points = (0..100).map(|x| (px(9) * x, px(5) * x));
            area.draw(&PathElement::new(
                points.collect::<Vec<_>>(),
                stroke(BLUE, 2),
            ))?;
            Ok(())
        }
    }

    #[test]
    fn a_picture_has_its_size_its_title_and_a_path_a_curve() {
        let svg = svg(&[&Diagonal]).unwrap();
        let head = svg.lines().next().unwrap();
        assert!(head.contains("width=\"960\" height=\"540\""), "{head}");
        assert!(head.contains("viewBox=\"0 0 9600 5400\""), "{head}");
        assert!(svg.contains("<title>x &lt; y &amp; z</title>"), "{svg}");
        assert_eq!(svg.matches("<polyline").count(), 1);

        let png = png(&svg).unwrap();
        let image = Pixmap::decode_png(&png).unwrap();
        assert_eq!((image.width(), image.height()), (1920, 1080));
        let dark = |pixel: &&resvg::tiny_skia::PremultipliedColorU8| pixel.red() < 100;
        // The curve, and above it the title, which takes a font.
        assert!(image.pixels().iter().filter(dark).count() > 2000);
        let title = image.pixels()[..1920 * 70].iter().filter(dark).count();
        assert!(title > 100, "{title}");
    }
}
