//! How a data set will lie in an adapter's memory, worked out before any of it is taken.

use std::fmt;

use bytesize::ByteSize;
use serde::Serialize;

use super::Options;
use super::adapter::Adapter;
use super::batch::RING;
use super::data::ALONE;
use super::device::NO_MEMORY;
use super::kernels::{self, WAY};
use super::program::{Parameters, Storage};
use super::staging;
use crate::data::{BLOCK, host};
use crate::error::Error;

/// Blocks that are staged at once: 16 MiB in f32. Enough for several threads to draw into, and two such buffers are
/// little host memory.
pub(super) const STAGED_BLOCKS: u64 = 32;
/// The slots that streamed samples pass through are no more than so many blocks, and no more than a quarter of the memory
/// is theirs: what they take, the samples that stay lack.
const SLOT_SHARE: u64 = 8;

/// Where the samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Placement {
    /// Samples that stay in the adapter's memory.
    pub resident: u64,
    /// Samples that don't fit it, and are read and uploaded again each epoch.
    pub streamed: u64,
    /// Bytes of the adapter's memory that hold samples: those that stay, and two slots for those that don't.
    pub device_bytes: u64,
    /// Bytes uploaded each epoch.
    pub epoch_bytes: u64,
}

impl Placement {
    /// All of them.
    pub(super) fn samples(&self) -> u64 {
        self.resident + self.streamed
    }

    /// Whether the line can stay on the device over a batch of epochs.
    ///
    /// # Errors
    /// [`Error::Usage`] where samples are streamed: the host has its part in every epoch.
    pub fn keeps_the_line(&self) -> Result<(), Error> {
        match self.streamed {
            0 => Ok(()),
            streamed => Err(Error::Usage(format!(
                "{streamed} samples don't fit the device's memory and pass through it each epoch, so the line can't \
                 stay there: do without --sync-every"
            ))),
        }
    }

    /// What the user should know of it: none where all samples stay.
    pub fn notice(&self) -> Option<String> {
        (self.streamed > 0).then(|| {
            format!(
                "{} of {} samples don't fit the device's memory: {} are uploaded each epoch",
                self.streamed,
                self.samples(),
                size(self.epoch_bytes),
            )
        })
    }
}

/// Bytes for a person: `1.5 GB`.
fn size(bytes: u64) -> impl fmt::Display {
    ByteSize::b(bytes).display().si()
}

/// What a GPU engine will make, all sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// How samples are stored.
    pub storage: Storage,
    /// Where the samples will be; where `memory` is not known, if they fit.
    pub placement: Placement,
    /// Bytes of samples that the device may hold: as [`Options::memory`] says, and on a software adapter no more than
    /// the host can give. None where it is not known until it is tried.
    pub memory: Option<u64>,
    /// Shards of the samples that stay.
    pub shards: u64,
    /// Samples of a shard; the last one may have fewer.
    pub samples_per_shard: u64,
    /// Workgroups that reduce such a shard.
    pub workgroups_per_shard: u32,
    /// Pieces that are uploaded each epoch.
    pub pieces: u64,
    /// Samples of a piece; the last one may have fewer.
    pub samples_per_piece: u64,
    /// Workgroups that reduce a piece.
    pub workgroups_per_piece: u32,
    /// On the device, beside the samples: partial sums of the shards and of the slots.
    pub partial_sum_bytes: u64,
    /// On the device: the records of epochs, the line's way, and parameters that can't travel with their dispatch.
    pub record_bytes: u64,
    /// On the host: two staging buffers, beside some 2 MB a thread. Not where the samples are drawn on the device.
    pub staging_bytes: u64,
    /// On the host: what records are read back through.
    pub readback_bytes: u64,
}

/// What [`Streamed::new`](super::stream::Streamed::new) will make of so many samples. Opens no device and takes no memory.
///
/// # Errors
/// [`Error::Gpu`] where the adapter can't do what `options` ask for, [`Error::Usage`] where their memory is too small.
pub fn plan(adapter: &Adapter, samples: u64, options: &Options) -> Result<Plan, Error> {
    let memory = memory(adapter, options);
    let layout = layout(adapter, samples, options)?;
    let tuning = options.tuning(adapter);
    let parameters = match adapter.variant(options, tuning)?.parameters {
        Parameters::Immediate => 0,
        Parameters::Uniform => kernels::uniform_bytes(&adapter.adapter.limits()),
    };
    let (placement, shards) = (layout.placement(), layout.shards());
    let (resident, slot) = (placement.resident, layout.slot);
    let samples_per_shard = shards.clone().next().unwrap_or_default();
    let workgroups = |samples: u64| match samples {
        0 => 0,
        samples => tuning.workgroups(samples as u32),
    };
    // Two kinds of shards, and no sum over a million of them.
    let whole = resident.checked_div(samples_per_shard).unwrap_or_default();
    let rest = resident - whole * samples_per_shard;
    let workgroups_of_all = whole * u64::from(workgroups(samples_per_shard))
        + u64::from(workgroups(rest))
        + 2 * u64::from(workgroups(slot));
    Ok(Plan {
        storage: options.storage,
        placement,
        memory,
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
        record_bytes: RING + WAY + parameters,
        staging_bytes: staging::bytes(samples, options.storage),
        readback_bytes: RING,
    })
}

/// Bytes of samples that an adapter may hold, as far as that is known before it is tried.
pub(super) fn memory(adapter: &Adapter, options: &Options) -> Option<u64> {
    // A software adapter takes any size, and the operating system ends the program when it comes to use it. An eighth
    // is left to whoever else runs there.
    let host = host::available().filter(|_| adapter.info().software);
    let host = host.map(|bytes| bytes - bytes / 8);
    [options.memory, host].into_iter().flatten().min()
}

/// How the samples will lie in an adapter's memory if all of them fit.
pub(super) fn whole(adapter: &Adapter, samples: u64, storage: Storage) -> Result<Layout, Error> {
    Layout::new(&adapter.adapter.limits(), storage, samples)
        .ok_or_else(|| adapter.failed("its storage buffers are too small"))
}

/// How the samples will lie in an adapter's memory, as far as is known before it is tried.
pub(super) fn layout(adapter: &Adapter, samples: u64, options: &Options) -> Result<Layout, Error> {
    let whole = whole(adapter, samples, options.storage)?;
    let Some(memory) = memory(adapter, options) else {
        return Ok(whole);
    };
    whole.within(memory).ok_or_else(|| match options.memory {
        Some(asked_for) if asked_for <= memory => Error::Usage(format!(
            "{asked_for} bytes of device memory are too few to stream samples through; {} are the least",
            2 * block_bytes(options.storage),
        )),
        _ => adapter.failed(NO_MEMORY),
    })
}

/// How a data set lies in an adapter's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) storage: Storage,
    pub(super) samples: u64,
    /// The first samples, which stay: all of them, or whole blocks.
    pub(super) resident: u64,
    /// Samples of a shard at the most, in whole blocks.
    pub(super) per_shard: u64,
    /// Samples of each of two slots that the others pass through, in whole blocks; 0 where all stay.
    pub(super) slot: u64,
}

impl Layout {
    /// All samples stay. None where a binding can't hold a block.
    pub(super) fn new(limits: &wgpu::Limits, storage: Storage, samples: u64) -> Option<Self> {
        Some(Layout {
            storage,
            samples,
            resident: samples,
            per_shard: samples_per_shard(limits, storage)?,
            slot: 0,
        })
    }

    /// The same samples in so many bytes: as many as fit beside the slots stay. None where two slots of a block each
    /// don't fit.
    pub(super) fn within(self, memory: u64) -> Option<Self> {
        let all = Layout {
            resident: self.samples,
            slot: 0,
            ..self
        };
        if all.placement().device_bytes <= memory {
            return Some(all);
        }
        let blocks = memory / block_bytes(self.storage);
        let slot = (blocks / SLOT_SHARE)
            .clamp(1, STAGED_BLOCKS)
            .min(self.per_shard / BLOCK as u64);
        Some(Layout {
            resident: blocks.checked_sub(2 * slot)? * BLOCK as u64,
            slot: slot * BLOCK as u64,
            ..self
        })
    }

    /// The samples of each shard of those that stay.
    pub(super) fn shards(&self) -> impl Iterator<Item = u64> + Clone + use<> {
        let Layout {
            resident,
            per_shard,
            ..
        } = *self;
        (0..resident.div_ceil(per_shard))
            .map(move |shard| per_shard.min(resident - shard * per_shard))
    }

    pub(super) fn placement(&self) -> Placement {
        let Layout {
            storage,
            samples,
            resident,
            per_shard,
            slot,
        } = *self;
        // Only the last shard may be padded.
        let whole = resident / per_shard;
        let columns = whole * column_bytes(storage, per_shard)
            + column_bytes(storage, resident - whole * per_shard)
            + 2 * column_bytes(storage, slot);
        Placement {
            resident,
            streamed: samples - resident,
            device_bytes: 2 * columns,
            epoch_bytes: (samples - resident) * storage.bytes_per_sample(),
        }
    }
}

/// As many samples as a binding and a buffer allow, in whole blocks.
pub(super) fn samples_per_shard(limits: &wgpu::Limits, storage: Storage) -> Option<u64> {
    let binding = limits
        .max_storage_buffer_binding_size
        .min(limits.max_buffer_size)
        / storage.bytes();
    let samples = binding.min(1 << 30) / BLOCK as u64 * BLOCK as u64;
    (samples > 0).then_some(samples)
}

/// Bytes of a buffer of so many x, or y: whole loads of any storage.
pub(super) const fn column_bytes(storage: Storage, samples: u64) -> u64 {
    (samples * storage.bytes()).next_multiple_of(16)
}

/// Bytes of a block of samples.
pub(super) const fn block_bytes(storage: Storage) -> u64 {
    BLOCK as u64 * storage.bytes_per_sample()
}

#[cfg(test)]
mod tests;
