//! Saved lines: a model in a JSON file.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::atomic;
use crate::data::Time;
use crate::data::goodness::Goodness;
use crate::data::statistics::Statistics;
use crate::data::uncertainty::Uncertainty;
use crate::error::Error;
use crate::model::{Centered, Model};

/// A line, what it was trained on, and how well it fits: a JSON object with these keys, which `docs/data.md` describes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// [`Saved::SCHEMA`]: its number grows if a key goes or changes its meaning.
    pub schema: String,
    /// The version of fall-line that wrote it.
    pub version: String,
    /// The line, in the data's units.
    #[serde(flatten)]
    pub model: Model,
    /// A center of x, and the prediction there: they keep digits that b may lose. Both are missing in older files.
    #[serde(default)]
    pub x_center: Option<f64>,
    /// The prediction at `x_center`.
    #[serde(default)]
    pub y_center: Option<f64>,
    /// The units of w and b.
    pub units: Units,
    /// What the numbers of x count; `None` in older files.
    #[serde(default)]
    pub x_counts: Option<Counts>,
    /// The name of the loss.
    pub loss: String,
    /// δ of huber, τ of quantile.
    pub loss_parameter: Option<f64>,
    /// The data, in words.
    pub data: String,
    /// Statistics of the samples; `None` if they never were on the host.
    pub statistics: Option<Statistics>,
    /// Measures of how well the line fits.
    pub metrics: Metrics,
    /// The errors of the line of least loss; `None` if they are not known.
    #[serde(default)]
    pub errors: Option<Uncertainty>,
    /// Epochs that it took.
    pub epochs: u64,
    /// `true` if nothing improved any more, `false` if it was interrupted before; `None` if the run was to take all its epochs.
    pub converged: Option<bool>,
}

/// What numbers count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Counts {
    /// Whatever the data's owner says.
    Numbers,
    /// Days since the start of 1970: they were dates.
    Days,
    /// Seconds since then: they were dates with times.
    Seconds,
}

impl From<Option<Time>> for Counts {
    fn from(time: Option<Time>) -> Self {
        match time {
            None => Counts::Numbers,
            Some(Time::Days) => Counts::Days,
            Some(Time::Seconds) => Counts::Seconds,
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Counts::Numbers => "numbers",
            Counts::Days => "dates",
            Counts::Seconds => "dates with times",
        })
    }
}

impl Counts {
    /// Returns the times that are counted; `None` for numbers.
    pub fn time(self) -> Option<Time> {
        match self {
            Counts::Numbers => None,
            Counts::Days => Some(Time::Days),
            Counts::Seconds => Some(Time::Seconds),
        }
    }

    /// Returns what numbers that count `other` are multiplied with to count this; `None` if one of both is no time.
    pub fn per(self, other: Counts) -> Option<f64> {
        const SECONDS: f64 = 86_400.0;
        match (self, other) {
            (Counts::Days, Counts::Seconds) => Some(1.0 / SECONDS),
            (Counts::Seconds, Counts::Days) => Some(SECONDS),
            _ => (self == other).then_some(1.0),
        }
    }
}

/// The names of the columns, and the units of w and b.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Units {
    /// The column of x.
    pub x: String,
    /// The column of y.
    pub y: String,
    /// `y per x`.
    pub w: String,
    /// `y`.
    pub b: String,
}

/// Measures of how well a line fits the data that it was trained on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// The mean loss.
    pub loss: f64,
    /// The mean loss of the constant line y = mean of y; `None` if it was not measured.
    pub baseline_loss: Option<f64>,
    /// RMSE, MAE and R², in f64; `None` if they were not measured.
    pub fit: Option<Goodness>,
}

impl Units {
    /// Returns the units for columns of these names.
    pub fn new(x: &str, y: &str) -> Self {
        Units {
            x: x.to_owned(),
            y: y.to_owned(),
            w: format!("{y} per {x}"),
            b: y.to_owned(),
        }
    }
}

impl Saved {
    /// The value of `schema`.
    pub const SCHEMA: &str = "fall-line model 1";

    /// Reads a saved line.
    ///
    /// # Errors
    /// [`Error::Io`] if the file can't be read, [`Error::Data`] if it holds no model that this version knows.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let no_model = |why: &str| Error::Data(format!("{} {why}", path.display()));
        let saved: Saved = read(path, Self::SCHEMA, "is not a saved model")?
            .map_err(|error| no_model(&format!("is damaged: {error}")))?;
        let Centered {
            w,
            x_center,
            y_center,
        } = saved.line();
        let Model { b, .. } = saved.model;
        let rounding = 4.0 * f64::EPSILON * (y_center.abs() + (w * x_center).abs() + b.abs());
        if !saved.model.is_finite() || !(x_center + y_center).is_finite() {
            Err(no_model("is damaged: w or b is not finite"))
        } else if rounding.is_infinite() || (y_center - w * x_center - b).abs() > rounding {
            Err(no_model(
                "is damaged: b is not that of x_center and y_center",
            ))
        } else {
            Ok(saved)
        }
    }

    /// Returns the line, with all the digits that the file has of it.
    pub fn line(&self) -> Centered {
        match (self.x_center, self.y_center) {
            (Some(x_center), Some(y_center)) => Centered {
                w: self.model.w,
                x_center,
                y_center,
            },
            _ => self.model.into(),
        }
    }
}

/// Writes a value as JSON to a file, as a whole or not at all.
///
/// # Errors
/// [`Error::Io`] if it can't be written.
pub fn write(path: &Path, value: &impl Serialize) -> Result<(), Error> {
    atomic::write(path, |out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        writeln!(out)
    })
}

/// Returns the CRC-32 of a value as compact JSON.
///
/// # Errors
/// [`Error::Io`] if it can't be written as JSON.
pub(crate) fn checksum(value: &impl Serialize) -> Result<u32, Error> {
    let mut sum = Checksum::default();
    serde_json::to_writer(&mut sum, value).map_err(cannot_write)?;
    Ok(sum.0.finalize())
}

/// Takes the checksum of what is written to it.
#[derive(Default)]
struct Checksum(crc32fast::Hasher);

impl Write for Checksum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the error that a value can't be written as JSON.
pub fn cannot_write(error: serde_json::Error) -> Error {
    Error::Io {
        doing: "cannot write JSON".to_owned(),
        source: error.into(),
    }
}

/// Bytes that are looked at before the rest is read. A data file in place of an object is not read to its end for nothing.
const HEAD: u64 = 4096;

/// Reads a JSON object whose `schema` says what it is. The inner error says that the rest is not what the schema promises, or
/// that the object is cut off.
///
/// # Errors
/// [`Error::Io`] if the file can't be read, [`Error::Data`] with `none` as its text if it has no schema, or with the schema if
/// that is another one.
pub fn read<T: DeserializeOwned>(
    path: &Path,
    schema: &str,
    none: &str,
) -> Result<Result<T, String>, Error> {
    #[derive(Deserialize)]
    struct Head {
        schema: String,
    }
    let name = path.display();
    let cannot_read = Error::cannot_read(&name);
    let mut file = File::open(path).map_err(cannot_read)?;
    let mut text = Vec::new();
    let head = (&mut file).take(HEAD).read_to_end(&mut text);
    head.map_err(cannot_read)?;
    if object(&text).first() == Some(&b'{') && contains(&text, b"\"schema\"") {
        file.read_to_end(&mut text).map_err(cannot_read)?;
    }
    let text = object(&text);
    match serde_json::from_slice::<Head>(text) {
        Ok(head) if head.schema == schema => Ok(serde_json::from_slice(text).map_err(one_line)),
        Ok(head) => Err(Error::Data(format!(
            "{name} has the schema {:?}, and this version of fall-line reads {schema:?}",
            head.schema,
        ))),
        Err(error) if contains(text, schema.as_bytes()) => Ok(Err(one_line(error))),
        Err(_) => Err(Error::Data(format!("{name} {none}"))),
    }
}

/// Returns an error as one line. serde quotes the names in a file as they are.
fn one_line(error: serde_json::Error) -> String {
    error.to_string().replace(char::is_control, " ")
}

/// Returns a text without a byte-order mark and blanks before it, as some editors save it.
fn object(text: &[u8]) -> &[u8] {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    text.trim_ascii_start()
}

/// Returns whether a text contains another one.
fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
