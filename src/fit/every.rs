//! Intervals of checkpoints.

use std::time::Duration;

/// The interval between two checkpoints.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Every {
    /// After this many epochs.
    Epochs(u64),
    /// After the epoch in which this much time has passed.
    Time(Duration),
}

impl Every {
    /// Once a minute.
    pub const MINUTE: Every = Every::Time(Duration::from_secs(60));
}
