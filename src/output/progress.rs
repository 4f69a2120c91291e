//! A progress bar on stderr, shown on terminals if the wait is long.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// Minimum wait for a bar.
const LONG: Duration = Duration::from_secs(1);

/// A progress bar that is removed when dropped.
pub struct Progress {
    bar: ProgressBar,
    start: Instant,
    quiet: bool,
    shown: AtomicBool,
}

/// The bar, with room to spare on a narrow terminal and for a `^C` that is echoed into the line.
const TEMPLATE: &str = "{prefix} {bar:24} {human_pos}/{human_len}, {rate}, {eta} left";
/// The bar of an unknown length.
const ENDLESS: &str = "{prefix} {human_pos}, {rate}";

impl Progress {
    /// Returns a bar for `length` of `what`, with a length of 0 if it is not known. `quiet` never shows it.
    pub fn new(what: impl Into<Cow<'static, str>>, length: u64, quiet: bool) -> Self {
        let known = (length > 0).then_some(length);
        let bar = ProgressBar::with_draw_target(known, ProgressDrawTarget::hidden());
        let template = if length > 0 { TEMPLATE } else { ENDLESS };
        // A test checks that both templates can be parsed.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.with_key("rate", rate));
        }
        bar.set_prefix(what);
        Progress {
            bar,
            start: Instant::now(),
            quiet: quiet || super::is_mute(),
            shown: AtomicBool::new(false),
        }
    }

    /// Moves the bar by `done`. indicatif shows nothing if stderr is not a terminal.
    pub fn advance(&self, done: u64) {
        self.bar.inc(done);
        if !self.quiet && self.start.elapsed() > LONG && !self.shown.swap(true, Ordering::Relaxed) {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    /// Runs something that prints, with the bar out of its way.
    pub fn aside<R>(&self, print: impl FnOnce() -> R) -> R {
        self.bar.suspend(print)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Writes the rate a second, without digits that say nothing.
fn rate(state: &ProgressState, out: &mut dyn fmt::Write) {
    let rate = state.per_sec();
    // Writing to a string does not fail.
    let _ = if rate < 100.0 {
        write!(out, "{rate:.1}/s")
    } else {
        write!(out, "{}/s", HumanCount(rate as u64))
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_can_be_parsed() {
        for template in [TEMPLATE, ENDLESS] {
            ProgressStyle::with_template(template).unwrap();
        }
    }
}
