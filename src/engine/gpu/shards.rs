//! The data set on the device: split into shards, uploaded block by block.

use std::ops::Range;

use rayon::prelude::*;

use super::device::Device;
use super::{RUN, WORKGROUP_SIZE};
use crate::data::{BLOCK, Block, Progress, Source};
use crate::error::Error;

/// Bytes of one value on the device.
const F32: u64 = size_of::<f32>() as u64;
/// Bytes of a block's x, or of its y.
const COLUMN_BYTES: u64 = BLOCK as u64 * F32;
/// Blocks that one staging buffer holds: 16 MiB. Enough for several threads to draw into, and two
/// such buffers are little host memory.
const STAGED_BLOCKS: u64 = 32;

/// The part of the data set that one storage binding holds.
#[derive(Debug)]
pub(super) struct Shard {
    /// x in f32, padded to a multiple of 16 bytes.
    pub(super) x: wgpu::Buffer,
    /// y, likewise.
    pub(super) y: wgpu::Buffer,
    /// At most 2^30, so that a position fits u32.
    pub(super) samples: u32,
}

impl Shard {
    /// The workgroups that `reduce_samples` needs for this shard.
    pub(super) fn workgroups(&self) -> u32 {
        self.samples.div_ceil(SAMPLES_PER_WORKGROUP)
    }
}

/// Four samples a load, RUN loads an invocation.
const SAMPLES_PER_WORKGROUP: u32 = 4 * RUN * WORKGROUP_SIZE;

/// Uploads all samples of `source`, telling `progress` of them.
pub(super) fn upload(
    device: &Device,
    source: &dyn Source,
    progress: Progress,
) -> Result<Vec<Shard>, Error> {
    let per_shard = samples_per_shard(&device.device.limits())
        .ok_or_else(|| device.failed("its storage buffers are too small"))?;
    let samples = source.samples();
    let shards = (0..samples.div_ceil(per_shard))
        .map(|shard| Shard::new(device, per_shard.min(samples - shard * per_shard)))
        .collect::<Result<Vec<Shard>, Error>>()?;
    let mut staging = Staging::new(device, samples);
    for (index, shard) in shards.iter().enumerate() {
        let first = index as u64 * per_shard / BLOCK as u64;
        let end = first + u64::from(shard.samples).div_ceil(BLOCK as u64);
        let mut block = first;
        while block < end {
            let blocks = block..end.min(block + STAGED_BLOCKS);
            block = blocks.end;
            staging.fill(source, blocks.clone(), progress)?;
            staging.copy(blocks, first, shard)?;
        }
    }
    Ok(shards)
}

/// As many samples as a binding, a buffer and one dispatch allow, in whole blocks.
fn samples_per_shard(limits: &wgpu::Limits) -> Option<u64> {
    let binding = limits
        .max_storage_buffer_binding_size
        .min(limits.max_buffer_size)
        / F32;
    let dispatch =
        u64::from(limits.max_compute_workgroups_per_dimension) * u64::from(SAMPLES_PER_WORKGROUP);
    let samples = binding.min(dispatch).min(1 << 30) / BLOCK as u64 * BLOCK as u64;
    (samples > 0).then_some(samples)
}

impl Shard {
    fn new(device: &Device, samples: u64) -> Result<Self, Error> {
        let column = |label| {
            device.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: padded(samples * F32),
                usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
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

/// The next multiple of 16: a vec4 of f32.
fn padded(bytes: u64) -> u64 {
    bytes.next_multiple_of(16)
}

/// Two staging buffers in turn: one is filled while the device copies the other.
struct Staging<'a> {
    device: &'a Device,
    buffers: [wgpu::Buffer; 2],
    /// The submission that copies each.
    copied: [Option<wgpu::SubmissionIndex>; 2],
}

impl<'a> Staging<'a> {
    fn new(device: &'a Device, samples: u64) -> Self {
        let blocks = samples.div_ceil(BLOCK as u64).min(STAGED_BLOCKS);
        let buffer = |label| {
            device.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: blocks * 2 * COLUMN_BYTES,
                usage: wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            })
        };
        Staging {
            device,
            buffers: [buffer("staging 0"), buffer("staging 1")],
            copied: [None, None],
        }
    }

    /// Casts these blocks into the buffer that was used longest ago, on all threads: of each block
    /// first x, then y.
    fn fill(
        &mut self,
        source: &dyn Source,
        blocks: Range<u64>,
        progress: Progress,
    ) -> Result<(), Error> {
        self.buffers.swap(0, 1);
        self.copied.swap(0, 1);
        let buffer = &self.buffers[0];
        let mapped = self.copied[0].take();
        self.device.map(buffer, wgpu::MapMode::Write, mapped)?;
        let mut view = buffer
            .get_mapped_range_mut(..)
            .map_err(|error| self.device.failed(&error.to_string()))?;
        let (staged, _) = view
            .slice(..)
            .into_chunks::<{ 2 * COLUMN_BYTES as usize }>();
        let staged: Vec<_> = blocks.zip(staged).collect();
        staged.into_par_iter().try_for_each_init(
            || (Block::default(), Vec::with_capacity(BLOCK)),
            |(block, cast), (index, staged)| {
                source.read(index, block)?;
                let (x, y) = wgpu::WriteOnly::<[u8]>::from(staged).split_at(COLUMN_BYTES as usize);
                for (mut to, from) in [(x, &block.x), (y, &block.y)] {
                    cast.clear();
                    cast.extend(from.iter().map(|&value| value as f32));
                    let bytes: &[u8] = bytemuck::cast_slice(cast);
                    to.slice(..bytes.len()).copy_from_slice(bytes);
                }
                progress(block.x.len() as u64);
                Ok::<(), Error>(())
            },
        )?;
        drop(view);
        buffer.unmap();
        Ok(())
    }

    /// Copies what [`Staging::fill`] left to its place in `shard`, whose first block is `first`.
    fn copy(&mut self, blocks: Range<u64>, first: u64, shard: &Shard) -> Result<(), Error> {
        let mut encoder = self
            .device
            .device
            .create_command_encoder(&Default::default());
        let mut staged = 0;
        for block in blocks {
            let offset = (block - first) * COLUMN_BYTES;
            for column in [&shard.x, &shard.y] {
                let bytes = COLUMN_BYTES.min(column.size() - offset);
                encoder.copy_buffer_to_buffer(&self.buffers[0], staged, column, offset, bytes);
                staged += COLUMN_BYTES;
            }
        }
        self.copied[0] = Some(self.device.queue.submit([encoder.finish()]));
        self.device.check()
    }
}
