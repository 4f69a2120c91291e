//! The log of the descent: a table of some of the epochs.

use fall_line::error::Error;
use fall_line::train::Epoch;

use crate::cli::LogEvery;
use crate::output::line;
use crate::output::number::number;

/// A table that grows by a line for each epoch that it shows.
pub struct Log {
    every: LogEvery,
    /// The width of the epochs.
    width: usize,
    has_header: bool,
}

impl Log {
    /// Returns a log without lines. `epochs` is the number of the last epoch.
    pub fn new(every: LogEvery, epochs: u64) -> Self {
        Log {
            every,
            width: epochs.to_string().len().max("epoch".len()),
            has_header: false,
        }
    }

    /// Returns whether the log shows an epoch.
    pub fn shows(&self, epoch: &Epoch) -> bool {
        self.every.shows(epoch.epoch)
    }

    /// Prints an epoch, below a header if it is the first one.
    pub fn print(&mut self, epoch: &Epoch) -> Result<(), Error> {
        if !self.has_header {
            line(self.columns("epoch", ["loss", "w", "b"]))?;
            self.has_header = true;
        }
        let numbers = [epoch.loss, epoch.w, epoch.b].map(number);
        line(self.columns(
            &epoch.epoch.to_string(),
            numbers.each_ref().map(String::as_str),
        ))
    }

    /// Returns a line of the table. Its columns are as wide as [`number`] may be.
    fn columns(&self, epoch: &str, [loss, w, b]: [&str; 3]) -> String {
        let width = self.width;
        format!("{epoch:>width$} {loss:>13} {w:>13} {b:>13}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let log = Log::new(LogEvery::Auto, 1_000_000);
        let row = |epoch, numbers: [f64; 3]| {
            let numbers = numbers.map(number);
            log.columns(epoch, numbers.each_ref().map(String::as_str))
        };
        let lines = [
            log.columns("epoch", ["loss", "w", "b"]),
            row("1", [19.8617, -0.5, 0.0]),
            row("1000000", [-9_999_999.999_9, -1.5e-300, 1e22]),
        ];
        assert_eq!(
            lines,
            [
                "  epoch          loss             w             b",
                "      1       19.8617       -0.5000        0.0000",
                "1000000 -9999999.9999  -1.5000e-300     1.0000e22",
            ]
        );
    }
}
