//! Numbers as people read them: one function for each kind of number.

use std::time::Duration;

use chrono::DateTime;
use fall_line::bench::Figure;
use fall_line::data::Time;

/// Returns seven significant digits.
pub fn precise(value: f64) -> String {
    digits(value, 7)
}

/// Returns this many significant digits, without zeros at the end.
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
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// Returns a value to the second digit of its standard error: the others are noise. Without an error, or with one of 0, it has
/// seven digits.
pub fn to_digits_of(value: f64, error: Option<f64>) -> String {
    let Some(error) = error.filter(|&error| error > 0.0 && error.is_finite()) else {
        return precise(value);
    };
    // An error of rounding says nothing about digits that people read.
    if error < 1e-10 * value.abs() {
        return digits(value, 10);
    }
    // The position of the error's second digit, as it is once it is rounded to two.
    let size = format!("{error:.1e}").parse().unwrap_or(error);
    let last = f64::log10(size).floor() as i32 - 1;
    if !(-9..=12).contains(&last) || value.abs() >= 1e15 {
        let first = value.abs().max(size).log10().floor() as i32;
        let decimals = usize::try_from(first - last).unwrap_or(0).min(16);
        return format!("{value:.decimals$e}");
    }
    let decimals = usize::try_from(-last).unwrap_or(0);
    // Digits before the point are not noise that can be left out.
    format!("{value:.decimals$}")
}

/// Returns a share in per cent: `95 %`.
pub fn percent(share: f64) -> String {
    // 0.07 · 100 is not 7 in f64.
    let percent = format!("{:.10}", 100.0 * share);
    format!("{} %", percent.trim_end_matches('0').trim_end_matches('.'))
}

/// Returns a probability: `0.034`, or `< 1e-16`.
pub fn probability(p: f64) -> String {
    match p {
        ..1e-16 => "< 1e-16".to_owned(),
        ..1e-3 => format!("{p:.1e}"),
        _ => digits(p, 2),
    }
}

/// Returns the shortest text that reads back as the same value: for values that a user gave.
pub fn plain(value: f64) -> String {
    if value == 0.0 || (1e-4..1e7).contains(&value.abs()) {
        value.to_string()
    } else {
        format!("{value:e}")
    }
}

/// Returns four decimals if they say something, else four digits and an exponent.
pub fn number(value: f64) -> String {
    if value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
        format!("{value:.4}")
    } else {
        format!("{value:.4e}")
    }
}

/// Returns the decimals that give a value of at least 1 three digits.
pub fn decimals(value: f64) -> usize {
    match value {
        ..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    }
}

/// Returns about three digits: `1.23`, `12.3`, `1234`.
pub fn short(value: f64) -> String {
    format!("{value:.*}", decimals(value))
}

/// Returns a time to three digits: `12.3ms`.
pub fn time(time: Duration) -> String {
    let (unit, scale) = unit(time.as_secs_f64());
    let value = time.as_secs_f64() * scale;
    if unit == "ns" {
        format!("{value:.0}ns")
    } else {
        short(value) + unit
    }
}

/// Returns a share in up to five characters: `95 %`, or `12 ×` from ten on.
pub fn short_share(share: f64) -> String {
    if share < 9.995 {
        format!("{:.0} %", 100.0 * share)
    } else {
        format!("{share:.0} ×")
    }
}

/// Returns a time in seconds with the range of its rounds: `12.3ms ± 5 %`, or `12.3ms ± 12 ×` from ten times the median on.
pub fn ranged(figure: Figure) -> String {
    let spread = figure.spread();
    let median = time(Duration::from_secs_f64(figure.median));
    if spread.is_nan() {
        return median;
    }
    format!("{median} ± {}", short_share(spread))
}

/// Returns a date, or a moment to the second, as ISO 8601 has it: `2024-03-01`, `2024-03-01 12:00:00`. One beyond the calendar
/// stays a number.
pub fn moment(value: f64, time: Time) -> String {
    let (seconds, format) = match time {
        Time::Days => (value.floor() * DAY, "%Y-%m-%d"),
        Time::Seconds => (value.floor(), "%Y-%m-%d %H:%M:%S"),
    };
    match DateTime::from_timestamp(seconds as i64, 0) {
        Some(moment) => moment.format(format).to_string(),
        None => plain(value),
    }
}

/// The seconds of a day.
const DAY: f64 = 86400.0;

/// Returns the period in which a slope over a time reads best, by the span of that time, and its number of what is counted.
pub fn period(span: f64, time: Time) -> (&'static str, f64) {
    let second = match time {
        Time::Seconds => 1.0,
        Time::Days => 1.0 / DAY,
    };
    match span / second {
        172_800.0.. => ("day", DAY * second),
        7200.0.. => ("hour", 3600.0 * second),
        _ => ("second", second),
    }
}

/// Returns the unit in which a time in seconds reads best, and its number in a second.
pub fn unit(seconds: f64) -> (&'static str, f64) {
    match seconds {
        1.0.. => ("s", 1.0),
        1e-3.. => ("ms", 1e3),
        1e-6.. => ("µs", 1e6),
        _ => ("ns", 1e9),
    }
}

/// Returns the value of a tick on an axis, free of the rounding of its computation.
pub fn tick(value: f64) -> String {
    let round: f64 = format!("{value:.2e}").parse().unwrap_or(value);
    if round == 0.0 || (1e-3..1e6).contains(&round.abs()) {
        round.to_string()
    } else {
        format!("{round:e}")
    }
}

/// Returns how the ticks of an axis with these ends read: 0 is free of the rounding of its computation too.
pub fn ticks([least, greatest]: [f64; 2]) -> impl Fn(&f64) -> String {
    let rounding = 1e-9 * (greatest - least);
    move |&value| tick(if value.abs() < rounding { 0.0 } else { value })
}

/// Returns a number of samples, in short if it is round: `100`, `1e3`, `2.5e5`, `123456`.
pub fn count(samples: u64) -> String {
    let short = format!("{samples:e}");
    if samples >= 1000 && short.len() <= 6 {
        short
    } else {
        samples.to_string()
    }
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
    fn digits_follow_the_error() {
        assert_eq!(to_digits_of(3.004_1, Some(0.0213)), "3.004");
        assert_eq!(to_digits_of(1e-17, Some(0.58)), "0.00");
        assert_eq!(to_digits_of(1234.5, Some(250.0)), "1234");
        assert_eq!(to_digits_of(1.5e-12, Some(2.0e-13)), "1.50e-12");
    }

    #[test]
    fn numbers_have_four_decimals_or_an_exponent() {
        assert_eq!(number(3.64604143), "3.6460");
        assert_eq!(number(-1234567.0), "-1234567.0000");
        assert_eq!(number(0.0), "0.0000");
        assert_eq!(number(0.0000123456), "1.2346e-5");
        assert_eq!(number(-1.5e9), "-1.5000e9");
    }

    #[test]
    fn short_numbers_have_three_digits() {
        for (value, text) in [
            (0.0456, "0.05"),
            (1.234, "1.23"),
            (56.78, "56.8"),
            (752.8, "753"),
        ] {
            assert_eq!(short(value), text);
        }
    }

    #[test]
    fn ticks_are_round() {
        for (value, text) in [
            (0.01, "0.01"),
            (0.1 + 0.2, "0.3"),
            (9.999_999_999_999e25, "1e26"),
            (1e-10, "1e-10"),
            (20.0, "20"),
        ] {
            assert_eq!(tick(value), text);
        }
        assert_eq!(ticks([-1.0, 1.0])(&-5.55e-17), "0");
        assert_eq!(ticks([-1e-16, 1e-16])(&-5e-17), "-5e-17");
    }

    #[test]
    fn round_counts_are_short() {
        for (samples, text) in [
            (100, "100"),
            (1000, "1e3"),
            (250_000, "2.5e5"),
            (100_000_000, "1e8"),
            (123_456, "123456"),
        ] {
            assert_eq!(count(samples), text);
        }
    }

    #[test]
    fn a_moment_is_a_date() {
        assert_eq!(moment(19783.0, Time::Days), "2024-03-01");
        assert_eq!(moment(1709294400.5, Time::Seconds), "2024-03-01 12:00:00");
        assert_eq!(moment(-0.5, Time::Seconds), "1969-12-31 23:59:59");
        assert_eq!(moment(1e20, Time::Days), "1e20");
    }

    #[test]
    fn a_period_is_shorter_than_the_span() {
        assert_eq!(period(86400.0 * 30.0, Time::Seconds), ("day", 86400.0));
        assert_eq!(period(86400.0, Time::Seconds), ("hour", 3600.0));
        assert_eq!(period(60.0, Time::Seconds), ("second", 1.0));
        assert_eq!(period(2.0, Time::Days), ("day", 1.0));
    }
}
