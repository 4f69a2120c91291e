//! The samples' way to the device: cast on all threads into mapped memory, from where the device copies them.

use std::ops::Range;

use half::f16;
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

use super::control::Control;
use super::device::Device;
use super::plan::{STAGED_BLOCKS, block_bytes};
use super::program::Storage;
use super::shards::Shard;
use super::units::Units;
use crate::data::{BLOCK, Block, OnLoad, Source};
use crate::error::Error;
use crate::loss::Loss;

/// Bytes that the two staging buffers of so many samples take.
pub(super) fn bytes(samples: u64, storage: Storage) -> u64 {
    2 * samples.div_ceil(BLOCK as u64).min(STAGED_BLOCKS) * block_bytes(storage)
}

/// What is asked for on the first way of the samples: the sums that the adapter's must be, and who is told.
#[derive(Clone, Copy)]
pub(super) struct First<'a> {
    pub(super) loss: Loss,
    pub(super) on_load: OnLoad<'a>,
}

/// Two staging buffers in turn: one is filled while the device copies the other.
#[derive(Debug)]
pub(super) struct Staging {
    storage: Storage,
    units: Units,
    pub(super) buffers: [wgpu::Buffer; 2],
    /// The submission that copies each.
    copied: [Option<wgpu::SubmissionIndex>; 2],
}

impl Staging {
    pub(super) fn new(device: &Device, samples: u64, storage: Storage, units: Units) -> Self {
        let buffer = |label| {
            device.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: bytes(samples, storage) / 2,
                usage: wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            })
        };
        Staging {
            storage,
            units,
            buffers: [buffer("staging 0"), buffer("staging 1")],
            copied: [None, None],
        }
    }

    /// Uploads the first samples of `source` into shards, as many as these hold.
    pub(super) fn upload(
        &mut self,
        device: &Device,
        source: &dyn Source,
        shards: &[Shard],
        way: First,
    ) -> Result<Control, Error> {
        let mut controls = Vec::new();
        let mut first = 0;
        for shard in shards {
            let end = first + u64::from(shard.samples).div_ceil(BLOCK as u64);
            for blocks in pieces(first..end, STAGED_BLOCKS) {
                controls.push(self.fill(device, source, blocks.clone(), Some(way))?);
                let mut encoder = device.device.create_command_encoder(&Default::default());
                self.copy(&mut encoder, blocks, first, shard);
                self.submit(device, encoder)?;
            }
            first = end;
        }
        Ok(controls.into_iter().sum())
    }

    /// Casts these blocks into the buffer that was used longest ago, on all threads: of each block
    /// first x, then y. The control is empty but on their first way.
    pub(super) fn fill(
        &mut self,
        device: &Device,
        source: &dyn Source,
        blocks: Range<u64>,
        way: Option<First>,
    ) -> Result<Control, Error> {
        self.buffers.swap(0, 1);
        self.copied.swap(0, 1);
        let buffer = &self.buffers[0];
        let mapped = self.copied[0].take();
        let whole = ..buffer.size();
        device.map(buffer, whole, wgpu::MapMode::Write, mapped)?;
        let mut view = buffer
            .get_mapped_range_mut(..)
            .map_err(|error| device.failed(&error.to_string()))?;
        const F32: usize = block_bytes(Storage::F32) as usize;
        const F16: usize = block_bytes(Storage::F16) as usize;
        let staged = view.slice(..);
        let controls = match self.storage {
            Storage::F32 => self.cast::<F32>(source, blocks, way, staged),
            Storage::F16 => self.cast::<F16>(source, blocks, way, staged),
        };
        drop(view);
        // Also where the source failed: who tries again maps it again.
        buffer.unmap();
        controls
    }

    /// Casts blocks of `BYTES` each into mapped memory.
    fn cast<const BYTES: usize>(
        &self,
        source: &dyn Source,
        blocks: Range<u64>,
        way: Option<First>,
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
                    x.store(storage, &block.x, |x| units.store_x(x), staged_x);
                    y.store(storage, &block.y, |y| units.store_y(y), staged_y);
                    let Some(First { loss, on_load }) = way else {
                        return Ok(Control::default());
                    };
                    on_load(block.x.len() as u64);
                    let (x, y) = (x.seen(storage, 1.0), y.seen(storage, units.y_scale as f32));
                    Ok(Control::new(loss, x, y))
                },
            )
            .collect::<Result<Vec<Control>, Error>>()?;
        Ok(controls.into_iter().sum())
    }

    /// Records the copy of what [`Staging::fill`] left to its place in `shard`, whose first block is `first`.
    pub(super) fn copy(
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

    /// Submits the copy, and whatever else was recorded with it.
    pub(super) fn submit(
        &mut self,
        device: &Device,
        encoder: wgpu::CommandEncoder,
    ) -> Result<(), Error> {
        self.copied[0] = Some(device.queue.submit([encoder.finish()]));
        device.check()
    }
}

/// Blocks in pieces of so many; the last one may have fewer.
pub(super) fn pieces(blocks: Range<u64>, most: u64) -> impl Iterator<Item = Range<u64>> {
    let Range { start, end } = blocks;
    let count = (end - start).div_ceil(most);
    (0..count).map(move |piece| {
        let first = start + piece * most;
        first..end.min(first + most)
    })
}

/// A column of a block on its way into mapped memory.
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

    /// What the shader sees of it, which multiplies what it reads with `scale`.
    fn seen(&mut self, storage: Storage, scale: f32) -> &[f32] {
        if storage == Storage::F16 {
            self.halves.convert_to_f32_slice(&mut self.values);
            self.values.iter_mut().for_each(|value| *value *= scale);
        }
        &self.values
    }
}
