//! What can be chosen for a GPU engine.

use super::program::{Parameters, Sum};
use crate::engine::{Storage, Tuning};

/// What can be chosen for a GPU engine; `None` leaves it to the engine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The storage format of x and y.
    pub storage: Storage,
    /// How the work is shared out; `None` for what suits the adapter's kind.
    pub tuning: Option<Tuning>,
    /// How a workgroup adds up; `None` for subgroups if the adapter has them.
    pub sum: Option<Sum>,
    /// How a dispatch gets its parameters; `None` for immediates if the adapter has them.
    pub parameters: Option<Parameters>,
    /// Invocations of the workgroup that trains alone, a power of two; `None` for what suits the adapter and the samples.
    pub alone: Option<u32>,
    /// Whether naga's runtime checks stay in the shaders.
    pub checks: bool,
    /// Bytes of device memory that samples may take; `None` for as many as the device gives.
    pub memory: Option<u64>,
    /// The largest number of samples of a shard, rounded down to whole blocks; `None` for what a storage binding holds.
    pub shard_samples: Option<u64>,
}
