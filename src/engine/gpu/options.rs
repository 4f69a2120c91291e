//! The options of a GPU engine.

use super::program::{Parameters, Sum};
use crate::engine::{Storage, Tuning};

/// The options of a GPU engine; `None` leaves the choice to the engine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The storage format of x and y.
    pub storage: Storage,
    /// The tuning of the work; `None` for what suits the adapter's kind.
    pub tuning: Option<Tuning>,
    /// The way that a workgroup adds up; `None` for subgroups if the adapter has them.
    pub sum: Option<Sum>,
    /// The way that a dispatch gets its parameters; `None` for immediates if the adapter has them.
    pub parameters: Option<Parameters>,
    /// Invocations of the workgroup that trains alone, a power of two; `None` for what suits the adapter and the samples.
    pub alone: Option<u32>,
    /// True to leave naga's runtime checks in the shaders.
    pub checks: bool,
    /// Bytes of device memory that samples may take; `None` for as many as the device gives.
    pub memory: Option<u64>,
    /// The largest number of samples of a shard, rounded down to whole blocks; `None` for what a storage binding holds.
    pub shard_samples: Option<u64>,
}
