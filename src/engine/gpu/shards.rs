//! The data set on the device: split into shards, uploaded block by block.

use std::ops::Range;

use half::f16;
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

use super::control::Control;
use super::device::{Device, NO_MEMORY};
use super::program::Storage;
use super::units::Units;
use crate::data::host::Memory;
use crate::data::{BLOCK, Block, OnLoad, Source};
use crate::error::Error;
use crate::loss::Loss;

/// Blocks that one staging buffer holds: 16 MiB in f32. Enough for several threads to draw into, and two
/// such buffers are little host memory.
const STAGED_BLOCKS: u64 = 32;

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
    /// The same memory, as if the shard ended with its first block.
    pub(super) fn head(&self) -> Shard {
        Shard {
            samples: self.samples.min(BLOCK as u32),
            ..self.clone()
        }
    }
}

/// Uploads all samples of `source`, telling `on_load` of them.
pub(super) fn upload(
    device: &Device,
    source: &dyn Source,
    storage: Storage,
    units: &Units,
    loss: Loss,
    on_load: OnLoad,
) -> Result<(Vec<Shard>, Control), Error> {
    let samples = source.samples();
    let shards = empty(device, storage, samples)?;
    let mut staging = Staging::new(device, samples, storage, *units);
    let mut controls = Vec::new();
    let mut first = 0;
    for shard in &shards {
        let end = first + u64::from(shard.samples).div_ceil(BLOCK as u64);
        let mut block = first;
        while block < end {
            let blocks = block..end.min(block + STAGED_BLOCKS);
            block = blocks.end;
            controls.push(staging.fill(source, loss, blocks.clone(), on_load)?);
            staging.copy(blocks, first, shard)?;
        }
        first = end;
    }
    Ok((shards, controls.into_iter().sum()))
}

/// Shards for so many samples, each but the last in whole blocks.
pub(super) fn empty(device: &Device, storage: Storage, samples: u64) -> Result<Vec<Shard>, Error> {
    // A software adapter takes any size, and the operating system ends the program when it comes to
    // use it.
    let in_f32 = (samples * storage.bytes_per_sample()).div_ceil(Storage::F32.bytes_per_sample());
    if device.software && Memory::new(in_f32).is_err() {
        return Err(device.failed(NO_MEMORY));
    }
    let per_shard = samples_per_shard(&device.device.limits(), storage)
        .ok_or_else(|| device.failed("its storage buffers are too small"))?;
    (0..samples.div_ceil(per_shard))
        .map(|shard| Shard::new(device, storage, per_shard.min(samples - shard * per_shard)))
        .collect()
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

impl Shard {
    /// For so many samples, all 0.
    pub(super) fn new(device: &Device, storage: Storage, samples: u64) -> Result<Self, Error> {
        let column = |label| {
            device.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: (samples * storage.bytes()).next_multiple_of(16),
                usage: wgpu::BufferUsages::STORAGE
                    | wgpu::BufferUsages::COPY_SRC
                    | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        };
        let shard = Shard {
            x: column("x"),
            y: column("y"),
            samples: samples as u32,
        };
        device.check()?;
        Ok(shard)
    }
}

/// Two staging buffers in turn: one is filled while the device copies the other.
struct Staging<'a> {
    device: &'a Device,
    storage: Storage,
    units: Units,
    buffers: [wgpu::Buffer; 2],
    /// The submission that copies each.
    copied: [Option<wgpu::SubmissionIndex>; 2],
}

impl<'a> Staging<'a> {
    fn new(device: &'a Device, samples: u64, storage: Storage, units: Units) -> Self {
        let blocks = samples.div_ceil(BLOCK as u64).min(STAGED_BLOCKS);
        let buffer = |label| {
            device.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: blocks * 2 * column_bytes(storage),
                usage: wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            })
        };
        Staging {
            device,
            storage,
            units,
            buffers: [buffer("staging 0"), buffer("staging 1")],
            copied: [None, None],
        }
    }

    /// Casts these blocks into the buffer that was used longest ago, on all threads: of each block
    /// first x, then y.
    fn fill(
        &mut self,
        source: &dyn Source,
        loss: Loss,
        blocks: Range<u64>,
        on_load: OnLoad,
    ) -> Result<Control, Error> {
        self.buffers.swap(0, 1);
        self.copied.swap(0, 1);
        let buffer = &self.buffers[0];
        let mapped = self.copied[0].take();
        let whole = ..buffer.size();
        self.device
            .map(buffer, whole, wgpu::MapMode::Write, mapped)?;
        let mut view = buffer
            .get_mapped_range_mut(..)
            .map_err(|error| self.device.failed(&error.to_string()))?;
        const F32: usize = 2 * column_bytes(Storage::F32) as usize;
        const F16: usize = 2 * column_bytes(Storage::F16) as usize;
        let staged = view.slice(..);
        let controls = match self.storage {
            Storage::F32 => self.cast::<F32>(source, loss, blocks, on_load, staged),
            Storage::F16 => self.cast::<F16>(source, loss, blocks, on_load, staged),
        }?;
        drop(view);
        buffer.unmap();
        Ok(controls)
    }

    /// Casts blocks of `BYTES` each into mapped memory.
    fn cast<const BYTES: usize>(
        &self,
        source: &dyn Source,
        loss: Loss,
        blocks: Range<u64>,
        on_load: OnLoad,
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
                    source.read(index, block)?;
                    let staged = wgpu::WriteOnly::<[u8]>::from(staged);
                    let (staged_x, staged_y) = staged.split_at(BYTES / 2);
                    x.store(storage, &block.x, |x| units.store_x(x), 1.0, staged_x);
                    let scale = units.y_scale as f32;
                    y.store(storage, &block.y, |y| units.store_y(y), scale, staged_y);
                    on_load(block.x.len() as u64);
                    Ok(Control::new(loss, &x.values, &y.values))
                },
            )
            .collect::<Result<Vec<Control>, Error>>()?;
        Ok(controls.into_iter().sum())
    }

    /// Copies what [`Staging::fill`] left to its place in `shard`, whose first block is `first`.
    fn copy(&mut self, blocks: Range<u64>, first: u64, shard: &Shard) -> Result<(), Error> {
        let mut encoder = self
            .device
            .device
            .create_command_encoder(&Default::default());
        let block_bytes = column_bytes(self.storage);
        let mut staged = 0;
        for block in blocks {
            let offset = (block - first) * block_bytes;
            for column in [&shard.x, &shard.y] {
                let bytes = block_bytes.min(column.size() - offset);
                encoder.copy_buffer_to_buffer(&self.buffers[0], staged, column, offset, bytes);
                staged += block_bytes;
            }
        }
        self.copied[0] = Some(self.device.queue.submit([encoder.finish()]));
        self.device.check()
    }
}

/// Bytes of a block's x, or of its y.
const fn column_bytes(storage: Storage) -> u64 {
    BLOCK as u64 * storage.bytes()
}

/// A column of a block on its way into mapped memory.
#[derive(Default)]
struct Cast {
    /// What the shader sees of it.
    values: Vec<f32>,
    halves: Vec<f16>,
}

impl Cast {
    /// Casts a column and copies it into mapped memory; `scale` is what the shader multiplies it with.
    fn store(
        &mut self,
        storage: Storage,
        column: &[f64],
        store: impl Fn(f64) -> f64,
        scale: f32,
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
                halves.convert_to_f32_slice(values);
                values.iter_mut().for_each(|value| *value *= scale);
                bytemuck::cast_slice(halves)
            }
        };
        staged.slice(..bytes.len()).copy_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest shard of these limits, in samples.
    fn per_shard(binding: u64, buffer: u64, storage: Storage) -> Option<u64> {
        let limits = wgpu::Limits {
            max_storage_buffer_binding_size: binding,
            max_buffer_size: buffer,
            ..Default::default()
        };
        samples_per_shard(&limits, storage)
    }

    #[test]
    fn shards_keep_to_every_limit_in_whole_blocks() {
        let mib = 1 << 20;
        let f32 = |binding, buffer| per_shard(binding, buffer, Storage::F32);
        // Software adapters: 128 MiB a binding.
        assert_eq!(f32(128 * mib, 2048 * mib), Some(33_554_432));
        let f16 = per_shard(128 * mib, 2048 * mib, Storage::F16);
        assert_eq!(f16, Some(67_108_864));
        // Real drivers: 2 GiB − 1, which is one block less than 2 GiB.
        let below = (2048 * mib) / 4 - BLOCK as u64;
        assert_eq!(f32(2048 * mib - 1, 4096 * mib), Some(below));
        // 4 GiB and more: a position must fit u32.
        assert_eq!(f32(1 << 40, 1 << 40), Some(1 << 30));
        assert_eq!(f32(1 << 40, mib), Some(4 * BLOCK as u64));
        assert_eq!(f32(1000, 1 << 40), None);
    }
}
