//! A run of `train`: what it is to do, and what it came to.

use std::time::Duration;

use fall_line::data::statistics::Statistics;
use fall_line::engine::Description;

use self::setup::Setup;
use crate::cli::Train;
use crate::open::Opened;

pub mod outcome;
pub mod setup;
pub mod truth;

/// A run, from the first epoch on.
pub struct Run<'a> {
    pub args: &'a Train,
    pub opened: &'a Opened,
    pub setup: &'a Setup,
    /// As far as they are known before the end.
    pub statistics: Option<Statistics>,
    pub engine: Description,
    /// From opening the data to an engine that is ready.
    pub load: Duration,
    /// Epochs of the run that this one goes on with.
    pub epochs_before: u64,
}
