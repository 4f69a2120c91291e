//! The data set on the device: split into shards, uploaded block by block.

use std::hint::black_box;
use std::ops::Range;

use rayon::prelude::*;

use super::control::Control;
use super::device::{Device, NO_MEMORY};
use super::{RUN, WORKGROUP_SIZE};
use crate::data::{BLOCK, Block, OnLoad, Source};
use crate::engine::cpu;
use crate::error::Error;
use crate::loss::Loss;

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

    /// The same memory, as if the shard ended with its first block.
    pub(super) fn head(&self) -> Shard {
        Shard {
            x: self.x.clone(),
            y: self.y.clone(),
            samples: self.samples.min(BLOCK as u32),
        }
    }
}

/// Four samples a load, RUN loads an invocation.
const SAMPLES_PER_WORKGROUP: u32 = 4 * RUN * WORKGROUP_SIZE;

/// Uploads all samples of `source`, telling `on_load` of them.
pub(super) fn upload(
    device: &Device,
    source: &dyn Source,
    loss: Loss,
    on_load: OnLoad,
) -> Result<(Vec<Shard>, Control), Error> {
    let samples = source.samples();
    let shards = empty(device, samples)?;
    let mut staging = Staging::new(device, samples);
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
pub(super) fn empty(device: &Device, samples: u64) -> Result<Vec<Shard>, Error> {
    // A software adapter takes any size, and the operating system ends the program when it comes to
    // use it. The black box keeps the compiler from doing without the allocation.
    if device.software && black_box(cpu::allocate(samples)).is_none() {
        return Err(device.failed(NO_MEMORY));
    }
    let per_shard = samples_per_shard(&device.device.limits())
        .ok_or_else(|| device.failed("its storage buffers are too small"))?;
    (0..samples.div_ceil(per_shard))
        .map(|shard| Shard::new(device, per_shard.min(samples - shard * per_shard)))
        .collect()
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
        loss: Loss,
        blocks: Range<u64>,
        on_load: OnLoad,
    ) -> Result<Control, Error> {
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
        let controls = staged
            .into_par_iter()
            .map_init(
                || (Block::default(), Vec::new(), Vec::new()),
                |(block, x, y), (index, staged)| {
                    source.read(index, block)?;
                    let staged = wgpu::WriteOnly::<[u8]>::from(staged);
                    let (staged_x, staged_y) = staged.split_at(COLUMN_BYTES as usize);
                    cast_into(&block.x, x, staged_x);
                    cast_into(&block.y, y, staged_y);
                    on_load(block.x.len() as u64);
                    Ok(Control::new(loss, x, y))
                },
            )
            .collect::<Result<Vec<Control>, Error>>()?;
        drop(view);
        buffer.unmap();
        Ok(controls.into_iter().sum())
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

/// Casts a column to f32, and copies it into mapped memory.
fn cast_into(column: &[f64], cast: &mut Vec<f32>, mut staged: wgpu::WriteOnly<[u8]>) {
    cast.clear();
    cast.extend(column.iter().map(|&value| value as f32));
    let bytes: &[u8] = bytemuck::cast_slice(cast);
    staged.slice(..bytes.len()).copy_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest shard of these limits, in samples.
    fn per_shard(binding: u64, buffer: u64, workgroups: u32) -> Option<u64> {
        samples_per_shard(&wgpu::Limits {
            max_storage_buffer_binding_size: binding,
            max_buffer_size: buffer,
            max_compute_workgroups_per_dimension: workgroups,
            ..Default::default()
        })
    }

    #[test]
    fn shards_keep_to_every_limit_in_whole_blocks() {
        let mib = 1 << 20;
        // Software adapters: 128 MiB a binding.
        assert_eq!(per_shard(128 * mib, 2048 * mib, 65_535), Some(33_554_432));
        // Real drivers: 2 GiB − 1, which is one block less than 2 GiB.
        let below = (2048 * mib) / 4 - BLOCK as u64;
        assert_eq!(per_shard(2048 * mib - 1, 4096 * mib, 65_535), Some(below));
        // 4 GiB and more: a position must fit u32, and a dispatch has so many workgroups.
        let dispatch = 65_535 * u64::from(SAMPLES_PER_WORKGROUP) / BLOCK as u64 * BLOCK as u64;
        assert_eq!(per_shard(1 << 40, 1 << 40, 65_535), Some(dispatch));
        assert_eq!(per_shard(1 << 40, 1 << 40, u32::MAX), Some(1 << 30));
        assert_eq!(per_shard(1 << 40, mib, 65_535), Some(4 * BLOCK as u64));
        assert_eq!(per_shard(1000, 1 << 40, 65_535), None);
    }
}
