//! A progress bar on stderr, where that is a terminal and the wait is long.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shorter waits get no bar.
const LONG: Duration = Duration::from_secs(1);

pub struct Progress {
    bar: ProgressBar,
    start: Instant,
    quiet: bool,
    shown: AtomicBool,
}

impl Progress {
    /// A bar for `length` of `what`; `quiet` never shows it.
    pub fn new(what: &'static str, length: u64, quiet: bool) -> Self {
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::hidden());
        let template = "{prefix} {wide_bar} {human_pos}/{human_len}, {per_sec}, {eta} left";
        // Checked by a test; the default style would do otherwise.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(what);
        Progress {
            bar,
            start: Instant::now(),
            quiet,
            shown: AtomicBool::new(false),
        }
    }

    /// So much more is done. indicatif shows nothing where stderr is no terminal.
    pub fn advance(&self, done: u64) {
        self.bar.inc(done);
        if !self.quiet && self.start.elapsed() > LONG && !self.shown.swap(true, Ordering::Relaxed) {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    /// Does something that prints, the bar out of the way.
    pub fn aside<R>(&self, print: impl FnOnce() -> R) -> R {
        self.bar.suspend(print)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
