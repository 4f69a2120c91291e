//! `--format text`: numbers for a person, and the list of adapters.

use std::time::Duration;

use fall_line::engine::gpu::adapter::Info;
use fall_line::error::Error;

use super::line;

/// The adapters, a line each.
pub fn adapters(adapters: &[&Info]) -> Result<(), Error> {
    let width = |text: fn(&Info) -> &str| {
        let widths = adapters.iter().map(|info| text(info).chars().count());
        widths.max().unwrap_or(0)
    };
    let names = width(|info| &info.name);
    let backends = width(|info| &info.backend);
    for info in adapters {
        line(format!(
            "{}  {:names$}  {:backends$}  {}  {}  {} MiB a shard of x",
            info.index,
            info.name,
            info.backend,
            info.kind,
            info.driver,
            info.binding_bytes >> 20,
        ))?;
    }
    Ok(())
}

/// Seven digits.
pub fn precise(value: f64) -> String {
    digits(value, 7)
}

/// So many digits, and no zeros at their end.
pub fn digits(value: f64, digits: usize) -> String {
    let size = value.abs();
    if value == 0.0 {
        return "0".to_owned();
    }
    if !(1e-4..1e15).contains(&size) {
        return format!("{value:.*e}", digits - 1);
    }
    let whole = size.log10().floor() as i32 + 1;
    let decimals = usize::try_from(digits as i32 - whole).unwrap_or(0);
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// As it was given.
pub fn plain(value: f64) -> String {
    match (1e-4..1e7).contains(&value.abs()) {
        true => value.to_string(),
        false => format!("{value:e}"),
    }
}

/// Four decimals where they say something, else four digits and an exponent.
pub fn number(value: f64) -> String {
    if value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
        format!("{value:.4}")
    } else {
        format!("{value:.4e}")
    }
}

/// A time to three digits: `12.3ms`.
pub fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let (unit, scale) = match seconds {
        1.0.. => ("s", 1.0),
        1e-3.. => ("ms", 1e3),
        1e-6.. => ("µs", 1e6),
        _ => ("ns", 1e9),
    };
    let value = seconds * scale;
    let decimals = match value {
        _ if unit == "ns" => 0,
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    format!("{value:.decimals$}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits() {
        for (nanoseconds, text) in [
            (7, "7ns"),
            (812, "812ns"),
            (1_234, "1.23µs"),
            (98_860, "98.9µs"),
            (123_456_789, "123ms"),
            (71_200_000_000, "71.2s"),
        ] {
            assert_eq!(time(Duration::from_nanos(nanoseconds)), text);
        }
    }

    #[test]
    fn digits_are_as_many_as_asked_for() {
        assert_eq!(precise(3.0), "3");
        assert_eq!(precise(-17.579094890510948), "-17.57909");
        assert_eq!(precise(1700000000.25), "1700000000");
        assert_eq!(digits(1700000000.25, 12), "1700000000.25");
        assert_eq!(precise(0.00012345678), "0.0001234568");
        assert_eq!(precise(1.5e-7), "1.500000e-7");
        assert_eq!(precise(0.0), "0");
    }

    #[test]
    fn numbers_keep_their_digits() {
        assert_eq!(number(3.64604143), "3.6460");
        assert_eq!(number(-1234567.0), "-1234567.0000");
        assert_eq!(number(0.0), "0.0000");
        assert_eq!(number(0.0000123456), "1.2346e-5");
        assert_eq!(number(-1.5e9), "-1.5000e9");
    }
}
