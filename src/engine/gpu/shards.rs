//! The buffers that hold the data set on the device, or as much of it as fits.

use super::device::{Device, NO_MEMORY};
use super::plan::{Layout, column_bytes};
use super::program::Storage;
use super::staging;
use crate::data::BLOCK;
use crate::data::host::Memory;
use crate::error::Error;

/// Memory that is left free beside the samples, for all else that an engine makes: so many bytes at the most; for small
/// sets as much again and the staging buffers, which are the device's too where it has one kind of memory.
const ROOM: u64 = 200_000_000;

/// The part of the data set that one storage binding holds.
#[derive(Clone, Debug)]
pub(super) struct Shard {
    /// x as it is stored, padded to a multiple of 16 bytes.
    pub(super) x: wgpu::Buffer,
    /// y, likewise.
    pub(super) y: wgpu::Buffer,
    /// At most 2^30, so that a position fits u32.
    pub(super) samples: u32,
}

impl Shard {
    /// For so many samples, all 0.
    pub(super) fn new(device: &Device, storage: Storage, samples: u64) -> Result<Self, Error> {
        device
            .if_memory(|| Self::create(device, storage, samples))?
            .ok_or_else(|| device.failed(NO_MEMORY))
    }

    fn create(device: &Device, storage: Storage, samples: u64) -> Self {
        let column = |label| {
            device.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: column_bytes(storage, samples),
                usage: wgpu::BufferUsages::STORAGE
                    | wgpu::BufferUsages::COPY_SRC
                    | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        };
        Shard {
            x: column("x"),
            y: column("y"),
            samples: samples as u32,
        }
    }

    /// The same memory, as if the shard ended with its first block.
    pub(super) fn head(&self) -> Shard {
        Shard {
            samples: self.samples.min(BLOCK as u32),
            ..self.clone()
        }
    }
}

/// A data set's place on the device.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) layout: Layout,
    /// For the samples that stay.
    pub(super) shards: Vec<Shard>,
    /// For those that don't, in turns; two, or none where all stay.
    pub(super) slots: Vec<Shard>,
}

/// Shards for all samples, where an adapter may hold so many bytes; an error that says `no_memory` where they don't fit.
pub(super) fn whole(
    device: &Device,
    layout: Layout,
    memory: Option<u64>,
    no_memory: &str,
) -> Result<Vec<Shard>, Error> {
    if memory.is_none_or(|memory| layout.placement().device_bytes <= memory)
        && let Ok(placed) = create(device, layout)?
    {
        return Ok(placed.shards);
    }
    Err(device.failed(no_memory))
}

/// Shards for all samples, or for as many as the adapter has memory for, and two slots for the others.
pub(super) fn place(device: &Device, mut layout: Layout) -> Result<Placed, Error> {
    loop {
        match create(device, layout)? {
            Ok(placed) => return Ok(placed),
            Err(fits) => {
                layout = layout
                    .within(fits)
                    .ok_or_else(|| device.failed(NO_MEMORY))?;
            }
        }
    }
}

/// The buffers of a layout; or, where the adapter has no memory for them, the bytes that are to be tried next, with all
/// that was made released.
fn create(device: &Device, layout: Layout) -> Result<Result<Placed, u64>, Error> {
    let wanted = layout.placement().device_bytes;
    let room = ROOM.min(wanted + staging::bytes(layout.samples, layout.storage));
    // GL says nothing of a buffer that it has no memory for; in a software adapter that memory is the host's.
    if device.software && device.gl && Memory::new((wanted + room) / 8).is_err() {
        return Ok(Err(wanted / 2));
    }
    let (mut shards, mut made) = (Vec::new(), 0);
    let mut slots = Vec::new();
    let parts = layout.shards().map(|samples| (samples, false));
    for (samples, is_slot) in parts.chain([(layout.slot, true); 2]) {
        if samples == 0 {
            continue;
        }
        match device.if_memory(|| Shard::create(device, layout.storage, samples))? {
            Some(shard) if is_slot => slots.push(shard),
            Some(shard) => shards.push(shard),
            // A sixteenth less than what there was memory for, and half of what there was not.
            None => return Ok(Err((made - made / 16).max(wanted / 2))),
        }
        made += 2 * column_bytes(layout.storage, samples);
    }
    let placed = Placed {
        layout,
        shards,
        slots,
    };
    if device.gl {
        return Ok(Ok(placed));
    }
    let spare = || {
        let size = room.min(device.device.limits().max_buffer_size);
        device.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("room"),
            size: size / 4 * 4,
            usage: wgpu::BufferUsages::STORAGE,
            mapped_at_creation: false,
        })
    };
    let spared = device.if_memory(spare)?;
    Ok(spared.map(|_| placed).ok_or(wanted - wanted / 16))
}
