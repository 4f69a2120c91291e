//! The samples on the device: the buffers that hold them, and their upload.

use std::ops::Range;

use half::f16;
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

use super::control::Control;
use super::device::{Device, Submission};
use super::layout::{Placement, STAGED_BLOCKS, block_bytes, column_bytes};
use super::units::Units;
use crate::data::host::Memory;
use crate::data::{self, BLOCK, Block, OnLoad, Source};
use crate::engine::Storage;
use crate::error::Error;
use crate::loss::Loss;

/// The largest amount of memory, in bytes, that is left free beside the samples, for all else that an engine makes.
///
/// For small sets it is as much again as the samples take, and the staging buffers, which are the device's too if it has
/// one kind of memory.
const ROOM: u64 = 200_000_000;

/// The part of the data set that one storage binding holds.
#[derive(Clone, Debug)]
pub struct Shard {
    /// x as it is stored, padded to a multiple of 16 bytes.
    pub x: wgpu::Buffer,
    /// y as it is stored, padded alike.
    pub y: wgpu::Buffer,
    /// Samples; at most 2^30, so that a position fits u32.
    pub samples: u32,
}

impl Shard {
    /// Makes a shard of `samples` samples, all 0.
    pub fn new(device: &Device, storage: Storage, samples: u64) -> Result<Self, Error> {
        device
            .if_memory(|| Self::create(device, storage, samples))?
            .ok_or_else(|| device.out_of_memory(Some(2 * column_bytes(storage, samples))))
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

    /// Returns the bytes of both buffers.
    pub fn bytes(&self) -> u64 {
        self.x.size() + self.y.size()
    }

    /// Returns the same memory as a shard that ends with its first block.
    pub fn head(&self) -> Shard {
        Shard {
            samples: self.samples.min(BLOCK as u32),
            ..self.clone()
        }
    }
}

/// The shards of a placement.
#[derive(Debug)]
pub struct Shards {
    pub placement: Placement,
    /// The shards of the samples that stay.
    pub resident: Vec<Shard>,
    /// The two shards that the other samples pass through in turns; empty if all stay.
    pub slots: Vec<Shard>,
}

impl Shards {
    /// Makes the shards of a placement. If memory runs out, keeps fewer samples and streams more of them.
    pub fn place(device: &Device, placement: Placement) -> Result<Self, Error> {
        let mut tried = placement;
        loop {
            match Self::create(device, tried)? {
                Ok(shards) => return Ok(shards),
                Err(next) => {
                    tried = tried
                        .within(next)
                        .ok_or_else(|| device.out_of_memory(Some(placement.device_bytes)))?;
                }
            }
        }
    }

    /// Makes the shards of a placement. If there is no memory for them, releases all of them and returns the bytes to try
    /// next.
    pub fn create(device: &Device, placement: Placement) -> Result<Result<Self, u64>, Error> {
        let wanted = placement.device_bytes;
        let room = ROOM.min(wanted + placement.staging_bytes());
        // GL doesn't report a buffer that it has no memory for; in a software adapter that memory is the host's.
        if device.software && device.gl && Memory::new((wanted + room) / 8).is_err() {
            return Ok(Err(wanted / 2));
        }
        let mut shards = Shards {
            placement,
            resident: Vec::new(),
            slots: Vec::new(),
        };
        let mut made = 0;
        let resident = placement.shards().map(|samples| (samples, false));
        for (samples, is_slot) in resident.chain([(placement.slot, true); 2]) {
            if samples == 0 {
                continue;
            }
            match device.if_memory(|| Shard::create(device, placement.storage, samples))? {
                Some(shard) if is_slot => shards.slots.push(shard),
                Some(shard) => shards.resident.push(shard),
                // A sixteenth less than there was memory for, and at least half of what was wanted.
                None => return Ok(Err((made - made / 16).max(wanted / 2))),
            }
            made += 2 * column_bytes(placement.storage, samples);
        }
        if device.gl {
            return Ok(Ok(shards));
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
        Ok(spared.map(|_| shards).ok_or(wanted - wanted / 16))
    }
}

/// Two staging buffers in turns: the host casts samples into one while the device copies the other.
#[derive(Debug)]
pub struct Staging {
    storage: Storage,
    units: Units,
    /// The loss of the control.
    loss: Loss,
    /// The buffer that was filled last, and the other one.
    pub buffers: [wgpu::Buffer; 2],
    /// The submission that copies each.
    copied: [Option<Submission>; 2],
}

impl Staging {
    /// Makes the buffers for samples of a placement.
    pub fn new(device: &Device, placement: &Placement, units: Units, loss: Loss) -> Self {
        let buffer = |label| {
            device.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: placement.staging_bytes() / 2,
                usage: wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            })
        };
        Staging {
            storage: placement.storage,
            units,
            loss,
            buffers: [buffer("staging 0"), buffer("staging 1")],
            copied: [None, None],
        }
    }

    /// Uploads the first samples of `source`, as many as the shards hold, and returns their control.
    pub fn upload(
        &mut self,
        device: &Device,
        source: &dyn Source,
        shards: &[Shard],
        on_load: OnLoad,
    ) -> Result<Control, Error> {
        let mut controls = Vec::new();
        let mut first = 0;
        for shard in shards {
            let end = first + u64::from(shard.samples).div_ceil(BLOCK as u64);
            for blocks in pieces(first..end, STAGED_BLOCKS) {
                controls.push(self.fill(device, source, blocks.clone(), Some(on_load))?);
                let mut encoder = device.device.create_command_encoder(&Default::default());
                self.copy(&mut encoder, blocks, first, shard);
                self.submit(device, encoder, 1)?;
            }
            first = end;
        }
        Ok(controls.into_iter().sum())
    }

    /// Casts blocks into the buffer that was filled longest ago, on all threads: of each block first x, then y.
    ///
    /// `on_load` is given for samples that are loaded for the first time. Then it is told of each block, and the control of
    /// the samples is returned; else the control is empty.
    pub fn fill(
        &mut self,
        device: &Device,
        source: &dyn Source,
        blocks: Range<u64>,
        on_load: Option<OnLoad>,
    ) -> Result<Control, Error> {
        self.buffers.swap(0, 1);
        self.copied.swap(0, 1);
        let buffer = &self.buffers[0];
        let mapped = self.copied[0].take();
        let whole = ..buffer.size();
        device.map(buffer, whole, wgpu::MapMode::Write, mapped.as_ref())?;
        let mut view = buffer
            .get_mapped_range_mut(..)
            .map_err(|error| device.failed(&error.to_string()))?;
        const F32: usize = block_bytes(Storage::F32) as usize;
        const F16: usize = block_bytes(Storage::F16) as usize;
        let staged = view.slice(..);
        let control = match self.storage {
            Storage::F32 => self.cast::<F32>(source, blocks, on_load, staged),
            Storage::F16 => self.cast::<F16>(source, blocks, on_load, staged),
        };
        drop(view);
        // Also after a failure of the source, so that the buffer can be mapped again.
        buffer.unmap();
        control
    }

    /// Casts blocks of `BYTES` each into mapped memory.
    fn cast<const BYTES: usize>(
        &self,
        source: &dyn Source,
        blocks: Range<u64>,
        on_load: Option<OnLoad>,
        staged: wgpu::WriteOnly<[u8]>,
    ) -> Result<Control, Error> {
        let (storage, units) = (self.storage, self.units);
        let (staged, _) = staged.into_chunks::<BYTES>();
        let staged: Vec<_> = blocks.zip(staged).collect();
        let controls = staged
            .into_par_iter()
            .map_init(
                || (Block::default(), Cast::default(), Cast::default()),
                |(block, x, y), (index, staged)| {
                    data::read_for_engine(source, index, block)?;
                    let staged = wgpu::WriteOnly::<[u8]>::from(staged);
                    let (staged_x, staged_y) = staged.split_at(BYTES / 2);
                    x.store(storage, &block.x, |x| units.store_x(x), staged_x);
                    y.store(storage, &block.y, |y| units.store_y(y), staged_y);
                    let Some(on_load) = on_load else {
                        return Ok(Control::default());
                    };
                    on_load(block.x.len() as u64);
                    let (x, y) = (x.seen(storage, 1.0), y.seen(storage, units.y_scale as f32));
                    Ok(Control::new(self.loss, x, y))
                },
            )
            .collect::<Result<Vec<Control>, Error>>()?;
        Ok(controls.into_iter().sum())
    }

    /// Records the copy of the blocks that [`Staging::fill`] cast to their place in `shard`, whose first block is `first`.
    pub fn copy(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        blocks: Range<u64>,
        first: u64,
        shard: &Shard,
    ) {
        let column_bytes = block_bytes(self.storage) / 2;
        let mut staged = 0;
        for block in blocks {
            let offset = (block - first) * column_bytes;
            for column in [&shard.x, &shard.y] {
                let bytes = column_bytes.min(column.size() - offset);
                encoder.copy_buffer_to_buffer(&self.buffers[0], staged, column, offset, bytes);
                staged += column_bytes;
            }
        }
    }

    /// Submits the copy, and all else that was recorded with it: so many passes over the copied samples.
    pub fn submit(
        &mut self,
        device: &Device,
        encoder: wgpu::CommandEncoder,
        passes: u64,
    ) -> Result<Submission, Error> {
        let submission = device.submit(encoder, passes * self.buffers[0].size());
        self.copied[0] = Some(submission.clone());
        device.check().map(|()| submission)
    }
}

/// Splits blocks into pieces of `most` blocks; the last piece may have fewer.
pub fn pieces(blocks: Range<u64>, most: u64) -> impl Iterator<Item = Range<u64>> {
    let Range { start, end } = blocks;
    let count = (end - start).div_ceil(most);
    (0..count).map(move |piece| {
        let first = start + piece * most;
        first..end.min(first + most)
    })
}

/// A column of a block, cast for the device.
#[derive(Default)]
struct Cast {
    values: Vec<f32>,
    halves: Vec<f16>,
}

impl Cast {
    /// Casts a column and copies it into mapped memory.
    fn store(
        &mut self,
        storage: Storage,
        column: &[f64],
        store: impl Fn(f64) -> f64,
        mut staged: wgpu::WriteOnly<[u8]>,
    ) {
        let Cast { values, halves } = self;
        values.clear();
        let bytes: &[u8] = match storage {
            Storage::F32 => {
                values.extend(column.iter().map(|&value| value as f32));
                bytemuck::cast_slice(values)
            }
            Storage::F16 => {
                values.extend(column.iter().map(|&value| store(value) as f32));
                halves.resize(values.len(), f16::ZERO);
                halves.convert_from_f32_slice(values);
                bytemuck::cast_slice(halves)
            }
        };
        staged.slice(..bytes.len()).copy_from_slice(bytes);
    }

    /// Returns the column as the shader sees it, which multiplies stored values by `scale`.
    fn seen(&mut self, storage: Storage, scale: f32) -> &[f32] {
        if storage == Storage::F16 {
            self.halves.convert_to_f32_slice(&mut self.values);
            self.values.iter_mut().for_each(|value| *value *= scale);
        }
        &self.values
    }
}
