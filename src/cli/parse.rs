//! Parsers of flag values.

use std::iter;
use std::ops::Range;
use std::time::Duration;

use bytesize::ByteSize;
use clap::ValueEnum;
use fall_line::fit::{Every, Rate};
use fall_line::loss::Loss;

use super::train::{LogEvery, Panel, Plot};

/// The loss of a name, with its parameter's default.
pub fn named(name: String) -> Result<Loss, String> {
    let mut losses = Loss::ALL.into_iter();
    losses
        .find(|loss| {
            let mut names = iter::once(loss.name()).chain(loss.aliases().iter().copied());
            names.any(|known| known.eq_ignore_ascii_case(&name))
        })
        .ok_or_else(|| format!("no loss {name}"))
}

/// `1s`, `250ms`, `1m 30s`.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "not a time such as 1s or 250ms".to_owned())
}

/// A time above 0.
pub fn time_limit(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be above 0".to_owned()),
        time => Ok(time),
    }
}

/// `1e8`, `250k`, `10M`, `1_000_000`: the suffix becomes an exponent, so that no digit is rounded.
pub fn count(text: &str) -> Result<u64, String> {
    let mut digits = text.replace('_', "");
    for (suffix, exponent) in [("k", "e3"), ("K", "e3"), ("M", "e6"), ("G", "e9")] {
        if let Some(rest) = digits.strip_suffix(suffix) {
            digits = format!("{rest}{exponent}");
            break;
        }
    }
    match digits.parse::<f64>() {
        Ok(value) if value.fract() == 0.0 && (0.0..=9e15).contains(&value) => Ok(value as u64),
        _ => Err("not a count such as 1000, 1e8, 250k or 10M".to_owned()),
    }
}

pub fn at_least_one(text: &str) -> Result<u64, String> {
    match count(text)? {
        0 => Err("must be at least 1".to_owned()),
        count => Ok(count),
    }
}

/// Bytes: `100MB`, `2GiB`, `1.5 GB`, `65536`.
pub fn size(text: &str) -> Result<u64, String> {
    match text.parse::<ByteSize>() {
        Ok(ByteSize(bytes)) if bytes > 0 => Ok(bytes),
        _ => Err("not a size such as 100MB or 2GiB".to_owned()),
    }
}

/// Parses a number of epochs whose records host memory can hold.
pub fn batch(text: &str) -> Result<u64, String> {
    match at_least_one(text)? {
        count @ 1..=1_000_000 => Ok(count),
        _ => Err("must be at most 1,000,000".to_owned()),
    }
}

pub fn threads(text: &str) -> Result<usize, String> {
    match at_least_one(text)? {
        count @ 1..=1024 => Ok(count as usize),
        _ => Err("must be at most 1024".to_owned()),
    }
}

/// A count, or any other whole number of 64 bits.
pub fn seed(text: &str) -> Result<u64, String> {
    text.parse().or_else(|_| count(text))
}

pub fn finite(text: &str) -> Result<f64, String> {
    text.parse::<f64>()
        .ok()
        .filter(|value| value.is_finite())
        .ok_or_else(|| "not a finite number".to_owned())
}

pub fn positive(text: &str) -> Result<f64, String> {
    match finite(text)? {
        value if value > 0.0 => Ok(value),
        _ => Err("must be above 0".to_owned()),
    }
}

pub fn tolerance(text: &str) -> Result<f64, String> {
    match share(text)? {
        value if value >= 0.0 => Ok(value),
        _ => Err("must not be below 0".to_owned()),
    }
}

pub fn rate(text: &str) -> Result<Rate, String> {
    match text {
        "auto" => Ok(Rate::Auto),
        _ => match positive(text) {
            Ok(rate) => Ok(Rate::Given(rate)),
            Err(error) => Err(format!("{error}; or auto")),
        },
    }
}

pub fn every(text: &str) -> Result<Every, String> {
    match at_least_one(text) {
        Ok(epochs) => Ok(Every::Epochs(epochs)),
        Err(_) => duration(text)
            .map(Every::Time)
            .map_err(|_| "not a count of epochs such as 1000, nor a time such as 30s".to_owned()),
    }
}

/// `0.1`, or `10%`: the sign becomes an exponent, so that no digit is rounded.
pub fn share(text: &str) -> Result<f64, String> {
    let number = match text.strip_suffix('%') {
        Some(percent) => finite(&format!("{}e-2", percent.trim_end())),
        None => finite(text),
    };
    number.map_err(|_| "not a share such as 0.1 or 10%".to_owned())
}

/// A share that is above 0 also in f32, in which the engines compute.
pub fn quantile(text: &str) -> Result<f64, String> {
    match share(text)? {
        value if value as f32 > 0.0 && value < 1.0 => Ok(value),
        _ => Err("must be above 0 and below 1".to_owned()),
    }
}

/// Epochs between two lines of the log, or `auto`.
pub fn log_every(text: &str) -> Result<LogEvery, String> {
    match text {
        "auto" => Ok(LogEvery::Auto),
        _ => count(text)
            .map(LogEvery::Epochs)
            .map_err(|error| format!("{error}, nor auto")),
    }
}

/// `FILE`, or `loss,fit=FILE`. A file's name may have an equals sign.
pub fn plot(text: &str) -> Result<Plot, String> {
    let (names, path) = text.split_once('=').unwrap_or(("", text));
    let panels = names.split(',').map(|name| Panel::from_str(name, true));
    // A name such as `./a=b.svg` is no list.
    let may_be_panels = names
        .bytes()
        .all(|byte| byte.is_ascii_alphabetic() || byte == b',');
    if !text.contains('=') || !may_be_panels {
        let path = text.into();
        return Ok(Plot { panels: None, path });
    }
    let panels = panels
        .collect::<Result<_, _>>()
        .map_err(|_| format!("not panels among loss, fit, surface and residuals: {names}"))?;
    match path {
        "" => Err("no file after the panels".to_owned()),
        path => Ok(Plot {
            panels: Some(panels),
            path: path.into(),
        }),
    }
}

pub fn range(text: &str) -> Result<Range<f64>, String> {
    match text.split_once("..") {
        Some((start, end)) if !end.starts_with('.') => Ok(finite(start)?..finite(end)?),
        _ => Err("not a range such as 0..2".to_owned()),
    }
}

pub fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        _ if ["tab", "\\t"].contains(&text) => Ok(b'\t'),
        b"space" => Ok(b' '),
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
        _ => Err("not one ASCII character, tab or space".to_owned()),
    }
}

/// `.` or `,`.
pub fn decimal(text: &str) -> Result<u8, String> {
    match text {
        "." => Ok(b'.'),
        "," => Ok(b','),
        _ => Err("not . or ,".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_have_other_names() {
        for (name, loss) in [("L1", Loss::Mae), ("median", Loss::Mae), ("l2", Loss::Mse)] {
            assert_eq!(named(name.to_owned()), Ok(loss), "{name}");
        }
    }

    #[test]
    fn counts_are_read_as_people_write_them() {
        for (text, value) in [
            ("7", 7),
            ("1e8", 100_000_000),
            ("250k", 250_000),
            ("10M", 10_000_000),
            ("4.35k", 4350),
            ("1_000_000", 1_000_000),
            ("2G", 2_000_000_000),
        ] {
            assert_eq!(count(text), Ok(value), "{text}");
        }
        for text in ["", "k", "1.5", "-1", "1e-3", "1e99", "10m", "nan", "ten"] {
            assert!(count(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shares_are_read_as_people_write_them() {
        for (text, value) in [("0.1", 0.1), ("10%", 0.1), ("2.5 %", 0.025), ("7%", 0.07)] {
            assert_eq!(share(text), Ok(value), "{text}");
        }
        for text in ["", "%", "ten%", "10%%", "inf%", "nan"] {
            assert!(share(text).is_err(), "{text}");
        }
        assert_eq!(quantile("90%"), Ok(0.9));
        for text in ["0%", "100%", "1e-60"] {
            assert!(quantile(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, value) in [
            ("65536", 65_536),
            ("100MB", 100_000_000),
            ("1.5 GB", 1_500_000_000),
            ("2GiB", 1 << 31),
        ] {
            assert_eq!(size(text), Ok(value), "{text}");
        }
        for text in ["", "0", "MB", "-1MB", "1e99", "nan", "10 apples"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn separators_and_ranges_are_read() {
        assert_eq!(delimiter(";"), Ok(b';'));
        assert_eq!(delimiter("tab"), Ok(b'\t'));
        assert!(delimiter("||").is_err());
        assert_eq!(range("-1..2.5"), Ok(-1.0..2.5));
        assert!(range("0-2").is_err());
        assert!(range("0...2").is_err());
    }
}
