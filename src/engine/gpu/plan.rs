//! The memory that a GPU engine will take, worked out before any of it is taken.

use serde::Serialize;

use super::adapter::Adapter;
use super::epochs::RING;
use super::kernels::{self, DRIFT};
use super::layout::{self, ALONE, Placement};
use super::options::Options;
use super::program::Parameters;
use crate::engine::Storage;
use crate::error::Error;

/// The memory that a GPU engine will take, and how it shares out its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct GpuPlan {
    /// The storage format of samples.
    pub storage: Storage,
    /// The place of the samples; if `memory` is not known, as it is if they fit.
    pub placement: Placement,
    /// Bytes of samples that the device may hold; `None` if that is not known before it is tried.
    ///
    /// [`Options::memory`] limits them, and on a software adapter also the host's memory.
    pub memory: Option<u64>,
    /// The number of shards of the samples that stay.
    pub shards: u64,
    /// Samples of a shard; the last one may have fewer.
    pub samples_per_shard: u64,
    /// Workgroups that reduce such a shard.
    pub workgroups_per_shard: u32,
    /// The number of pieces that are uploaded each epoch.
    pub pieces: u64,
    /// Samples of a piece; the last one may have fewer.
    pub samples_per_piece: u64,
    /// Workgroups that reduce a piece.
    pub workgroups_per_piece: u32,
    /// Bytes on the device, beside the samples: partial sums of the shards and of the slots.
    pub partial_sum_bytes: u64,
    /// Bytes on the device: the records of epochs, the line's drift, and parameters that can't travel with their dispatch.
    pub record_bytes: u64,
    /// Bytes on the host: two staging buffers, beside some 2 MB a thread. Samples drawn on the device need none.
    pub staging_bytes: u64,
    /// Bytes on the host: the buffers that records are read back through.
    pub readback_bytes: u64,
}

impl GpuPlan {
    /// Returns whether all samples have room; `None` if that is not known before it is tried.
    pub fn fits(&self) -> Option<bool> {
        self.memory.map(|_| self.placement.streamed == 0)
    }
}

/// Plans what [`GpuEngine::new`](super::GpuEngine::new) will make of so many samples. Opens no device and takes no memory.
///
/// # Errors
/// [`Error::Gpu`] if the adapter lacks what `options` ask for, [`Error::Setting`] if [`Options::memory`] is too little to
/// stream samples through, [`Error::DeviceMemory`] if the adapter's memory is.
pub fn plan(adapter: &Adapter, samples: u64, options: &Options) -> Result<GpuPlan, Error> {
    let placement = Placement::known(adapter, samples, options)?;
    let tuning = adapter.tuning(options);
    let parameters = match adapter.variant(options, tuning)?.parameters {
        Parameters::Immediate => 0,
        Parameters::Uniform => kernels::uniform_bytes(&adapter.adapter.limits()),
    };
    let shards = placement.shards();
    let (resident, slot) = (placement.resident, placement.slot);
    let samples_per_shard = shards.clone().next().unwrap_or_default();
    let workgroups = |samples: u64| match samples {
        0 => 0,
        samples => tuning.workgroups(samples as u32),
    };
    // Shards are of two sizes: this avoids a sum over a million of them.
    let whole = resident.checked_div(samples_per_shard).unwrap_or_default();
    let rest = resident - whole * samples_per_shard;
    let workgroups_of_all = whole * u64::from(workgroups(samples_per_shard))
        + u64::from(workgroups(rest))
        + 2 * u64::from(workgroups(slot));
    Ok(GpuPlan {
        storage: options.storage,
        placement,
        memory: layout::memory(adapter, options),
        shards: shards.count() as u64,
        samples_per_shard,
        workgroups_per_shard: if samples <= ALONE {
            1
        } else {
            workgroups(samples_per_shard)
        },
        pieces: placement.streamed.div_ceil(slot.max(1)),
        samples_per_piece: slot,
        workgroups_per_piece: workgroups(slot),
        partial_sum_bytes: workgroups_of_all * size_of::<[f32; 4]>() as u64,
        record_bytes: RING + DRIFT + parameters,
        staging_bytes: placement.staging_bytes(),
        readback_bytes: RING,
    })
}

#[cfg(test)]
mod tests;
