//! Monitors: they are told what a fit does while it does it.

use std::fmt;

use crate::engine::CpuReason;
use crate::error::{Error, counted, grouped};

/// A part of a fit that takes long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Reading the samples for their statistics.
    Reading,
    /// Reading or drawing the samples, and uploading them to the engine.
    Loading,
    /// Descending; counted in epochs.
    Descending,
    /// Computing the loss surface; counted in lines.
    Surface,
}

/// Told of a fit's progress, from any thread. Each method does nothing unless it is implemented.
pub trait Monitor: Sync {
    /// Called when a phase begins that has `total` samples or epochs.
    fn begin(&self, _phase: Phase, _total: u64) {}

    /// Called when `done` more samples or epochs of the phase are done.
    fn advance(&self, _done: u64) {}

    /// Called when there is something that the user should know.
    fn notice(&self, _notice: &Notice) {}

    /// Returns whether to end the descent after the epoch in hand, and to leave out what takes longer after it.
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// A monitor that ignores everything.
pub struct Silent;

impl Monitor for Silent {}

/// Something that the user should know.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice {
    /// The CPU engine runs because there is no hardware GPU.
    CpuInstead(CpuReason),
    /// Samples are uploaded again each epoch, or the work was tuned to the adapter: in words.
    Engine(String),
    /// A column has values that lie too close together for the numbers that they are computed in.
    Coarse {
        /// The column's name.
        column: String,
        /// The least and the greatest value.
        ends: [f64; 2],
        /// `true` if f64 is too coarse, not f32 alone.
        in_f64: bool,
        /// The distance of neighbouring numbers there.
        step: f64,
    },
    /// Some samples lie so far off that the host sums them beside the engine.
    Far {
        /// Their number.
        far: u64,
        /// The number of all samples.
        samples: u64,
    },
    /// A checkpoint could not be written; training goes on.
    Checkpoint(Error),
    /// A run that goes on keeps a history, and its checkpoint has none: it begins with this epoch.
    HistoryBegins(u64),
    /// The device was lost; training goes on with a new one.
    Lost(Error),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::CpuInstead(reason) => write!(f, "{reason}"),
            Notice::Engine(text) => f.write_str(text),
            Notice::Coarse {
                column,
                ends: [least, greatest],
                in_f64,
                step,
            } => {
                let (kind, remedy) = if *in_f64 {
                    ("f64", "subtract the least value from it first")
                } else {
                    ("f32", "standardising keeps its digits")
                };
                write!(
                    f,
                    "{column} runs from {least:?} to {greatest:?}, where {kind} has steps of {step:?}: \
                     the line lacks digits; {remedy}"
                )
            }
            Notice::Far { far, samples } => write!(
                f,
                "{} of {} {} more than 4,096 times as far from the median as half of them, too far for f32: the host sums these in \
                 f64; are they codes for missing values?",
                grouped(*far),
                counted(*samples, "sample"),
                if *far == 1 { "lies" } else { "lie" },
            ),
            Notice::Checkpoint(error) => {
                write!(f, "{error}; it is tried again later")
            }
            Notice::HistoryBegins(epoch) => write!(
                f,
                "the checkpoint has no history: that of this run begins with epoch {}",
                grouped(*epoch)
            ),
            Notice::Lost(error) => write!(f, "{error}; a new device takes over"),
        }
    }
}

impl Notice {
    /// Returns whether this is a warning: the result may suffer.
    pub fn is_warning(&self) -> bool {
        match self {
            Notice::Coarse { .. }
            | Notice::Checkpoint(_)
            | Notice::HistoryBegins(_)
            | Notice::Lost(_) => true,
            Notice::CpuInstead(_) | Notice::Engine(_) | Notice::Far { .. } => false,
        }
    }
}
