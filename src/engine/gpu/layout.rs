//! The layout of samples in an adapter's memory.

use std::fmt;

use bytesize::ByteSize;
use serde::Serialize;

use super::adapter::Adapter;
use super::options::Options;
use crate::data::{BLOCK, host};
use crate::engine::Storage;
use crate::error::{Error, Setting};

/// Samples that one workgroup trains on alone. Beyond, more workgroups gain more than a second phase costs.
pub const ALONE: u64 = 32_768;

/// Blocks that are staged at once: 16 MiB in f32. Several threads can draw into them, and two such buffers are little host
/// memory.
pub const STAGED_BLOCKS: u64 = 32;

/// The reciprocal of the share of the memory that one of the two slots for streamed samples takes, at most. The samples
/// that stay lack what the slots take.
const SLOT_SHARE: u64 = 8;

/// The place of each sample: in the adapter's memory, or streamed through it each epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Placement {
    /// Samples that stay in the adapter's memory: the first ones, all of them or whole blocks.
    pub resident: u64,
    /// Samples that don't fit the adapter's memory, and are read and uploaded again each epoch.
    pub streamed: u64,
    /// Bytes of the adapter's memory that hold samples: those that stay, and two slots for the streamed ones.
    pub device_bytes: u64,
    /// Bytes uploaded each epoch.
    pub epoch_bytes: u64,
    /// The storage format of samples.
    #[serde(skip)]
    pub(super) storage: Storage,
    /// The largest number of samples of a shard, in whole blocks.
    #[serde(skip)]
    pub(super) per_shard: u64,
    /// Samples of each of the two slots, in whole blocks; 0 if nothing is streamed.
    #[serde(skip)]
    pub(super) slot: u64,
}

impl Placement {
    /// Places all samples in the adapter's memory, whether they fit or not.
    ///
    /// # Errors
    /// [`Error::Gpu`] if a storage binding can't hold a block.
    pub(super) fn whole(adapter: &Adapter, samples: u64, options: &Options) -> Result<Self, Error> {
        let per_shard = samples_per_shard(&adapter.adapter.limits(), options)
            .ok_or_else(|| adapter.failed("its storage buffers are too small"))?;
        Ok(Self::new(options.storage, samples, samples, per_shard, 0))
    }

    /// Places the samples as far as is known before it is tried.
    ///
    /// # Errors
    /// - [`Error::Gpu`] if a storage binding can't hold a block.
    /// - [`Error::Setting`] if the memory that `options` allow is too small to stream through.
    /// - [`Error::DeviceMemory`] if the adapter's memory is.
    pub(super) fn known(adapter: &Adapter, samples: u64, options: &Options) -> Result<Self, Error> {
        let whole = Self::whole(adapter, samples, options)?;
        let Some(memory) = memory(adapter, options) else {
            return Ok(whole);
        };
        let least = 2 * block_bytes(options.storage);
        whole.within(memory).ok_or_else(|| match options.memory {
            Some(allowed) if allowed <= memory => Setting::DeviceMemory.error(format!(
                "must be at least {least} bytes to stream samples through, not {allowed}"
            )),
            _ => Error::DeviceMemory {
                adapter: adapter.info().to_string(),
                needed: Some(least),
                available: Some(memory),
                drawn: false,
            },
        })
    }

    /// Places `resident` samples in shards of up to `per_shard`, and streams the others through two slots of `slot`.
    pub(super) fn new(
        storage: Storage,
        samples: u64,
        resident: u64,
        per_shard: u64,
        slot: u64,
    ) -> Self {
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
            storage,
            per_shard,
            slot,
        }
    }

    /// Places the same samples in `memory` bytes: as many as fit beside the slots stay. Returns `None` if two slots of a
    /// block each don't fit.
    pub(super) fn within(self, memory: u64) -> Option<Self> {
        let Placement {
            storage, per_shard, ..
        } = self;
        let samples = self.samples();
        let all = Self::new(storage, samples, samples, per_shard, 0);
        if all.device_bytes <= memory {
            return Some(all);
        }
        let blocks = memory / block_bytes(storage);
        let slot = (blocks / SLOT_SHARE)
            .clamp(1, STAGED_BLOCKS)
            .min(per_shard / BLOCK as u64);
        let resident = blocks.checked_sub(2 * slot)?;
        let [resident, slot] = [resident, slot].map(|blocks| blocks * BLOCK as u64);
        Some(Self::new(storage, samples, resident, per_shard, slot))
    }

    /// Returns the samples of each shard of those that stay.
    pub(super) fn shards(&self) -> impl Iterator<Item = u64> + Clone + use<> {
        let Placement {
            resident,
            per_shard,
            ..
        } = *self;
        (0..resident.div_ceil(per_shard))
            .map(move |shard| per_shard.min(resident - shard * per_shard))
    }

    /// Returns the bytes of the two staging buffers that samples are uploaded through.
    pub(super) fn staging_bytes(&self) -> u64 {
        let blocks = self.samples().div_ceil(BLOCK as u64);
        2 * blocks.min(STAGED_BLOCKS) * block_bytes(self.storage)
    }

    /// Returns the number of all samples.
    pub fn samples(&self) -> u64 {
        self.resident + self.streamed
    }

    /// Checks that the line can stay on the device over a batch of epochs.
    ///
    /// # Errors
    /// [`Error::Setting`] if samples are streamed: then the host has its part in every epoch.
    pub fn keeps_the_line(&self) -> Result<(), Error> {
        match self.streamed {
            0 => Ok(()),
            streamed => Err(Setting::SyncEvery.error(format!(
                "must be 1: {streamed} samples don't fit the device's memory and pass through it each epoch, so the line \
                 can't stay there"
            ))),
        }
    }

    /// Returns a line for the user about streamed samples; `None` if all samples stay.
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

/// Formats bytes for a person: `1.5 GB`.
fn size(bytes: u64) -> impl fmt::Display {
    ByteSize::b(bytes).display().si()
}

/// Returns the bytes of samples that an adapter may hold, as far as that is known before it is tried.
pub fn memory(adapter: &Adapter, options: &Options) -> Option<u64> {
    // A software adapter takes any size, and the operating system ends the program once it uses it. An eighth is left to
    // other programs.
    let host = host::available().filter(|_| adapter.info().software);
    let host = host.map(|bytes| bytes - bytes / 8);
    [options.memory, host].into_iter().flatten().min()
}

/// Returns the largest number of samples of a shard, in whole blocks; `None` if a storage binding can't hold a block.
pub fn samples_per_shard(limits: &wgpu::Limits, options: &Options) -> Option<u64> {
    const BLOCKS: u64 = BLOCK as u64;
    let binding = limits
        .max_storage_buffer_binding_size
        .min(limits.max_buffer_size)
        / options.storage.bytes();
    let allowed = options.shard_samples.unwrap_or(u64::MAX).max(BLOCKS);
    // A position must fit u32.
    let samples = binding.min(1 << 30).min(allowed) / BLOCKS * BLOCKS;
    (samples > 0).then_some(samples)
}

/// Returns the bytes of a buffer of x, or of y: whole loads in any storage format.
pub const fn column_bytes(storage: Storage, samples: u64) -> u64 {
    (samples * storage.bytes()).next_multiple_of(16)
}

/// Returns the bytes of a block of samples.
pub const fn block_bytes(storage: Storage) -> u64 {
    BLOCK as u64 * storage.bytes_per_sample()
}

#[cfg(test)]
mod tests;
