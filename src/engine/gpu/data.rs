//! A data set on the device, and how its epochs are recorded.

use super::device::Device;
use super::kernels::{Dispatch, Groups, Kernels, Recorder, WAY, bind};
use super::shards::Shard;
use super::tuning::Tuning;
use super::units::Units;

/// Samples that one workgroup trains on alone. Beyond, more workgroups gain more than a second phase costs.
pub const ALONE: u64 = 32_768;

/// A data set on the device, and where its sums go.
#[derive(Debug)]
pub(super) struct Data {
    /// How the samples are stored.
    pub(super) units: Units,
    pub(super) shards: Vec<Shard>,
    /// Of each shard.
    pub(super) groups: Vec<Group>,
    /// The line's way, to be read.
    pub(super) before: wgpu::BindGroup,
    /// How many epochs a dispatch of train_alone goes.
    alone: u32,
}

/// What reduces a shard.
#[derive(Debug)]
pub(super) struct Group {
    /// x, y, and partial sums of its own, so that no shard waits for another.
    pub(super) shard: wgpu::BindGroup,
    pub(super) workgroups: u32,
}

impl Group {
    pub(super) fn new(device: &Device, kernels: &Kernels, shard: &Shard, tuning: &Tuning) -> Self {
        let workgroups = tuning.workgroups(shard.samples);
        let bytes = u64::from(workgroups) * size_of::<[f32; 4]>() as u64;
        let partial_sums = storage(device, "partial sums", bytes);
        let buffers = [(0, &shard.x), (1, &shard.y), (2, &partial_sums)];
        Group {
            shard: bind(&device.device, &kernels.shard_layout, &buffers),
            workgroups,
        }
    }
}

/// A buffer that only shaders use.
fn storage(device: &Device, label: &str, size: u64) -> wgpu::Buffer {
    device.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size,
        usage: wgpu::BufferUsages::STORAGE,
        mapped_at_creation: false,
    })
}

/// Turns of loops that an invocation may take: llvmpipe leaves all loops, in silence, after 65,535.
const LOOP_TURNS: u32 = 60_000;

impl Data {
    /// And the buffer in which the line's way stands.
    pub(super) fn new(
        device: &Device,
        kernels: &Kernels,
        shards: Vec<Shard>,
        units: Units,
        tuning: &Tuning,
    ) -> (Self, wgpu::Buffer) {
        let way = storage(device, "way", WAY);
        let groups = shards
            .iter()
            .map(|shard| Group::new(device, kernels, shard, tuning))
            .collect();
        // Of an epoch alone: a turn a load and one a short sum at the most, those of the tree, and some to spare.
        let samples = shards.first().map_or(0, |shard| shard.samples);
        let loads = samples.min(ALONE as u32).div_ceil(4 * kernels.sizes[1]);
        let turns = 2 * loads + 32;
        let data = Data {
            alone: LOOP_TURNS / turns,
            units,
            shards,
            groups,
            before: bind(&device.device, &kernels.before_layout, &[(0, &way)]),
        };
        (data, way)
    }

    pub(super) fn samples(&self) -> u64 {
        self.shards
            .iter()
            .map(|shard| u64::from(shard.samples))
            .sum()
    }

    /// Records `epochs` epochs, the first of which is as `dispatch` says, with bind group `after`.
    pub(super) fn record_epochs(
        &self,
        recorder: &mut Recorder,
        after: &wgpu::BindGroup,
        mut dispatch: Dispatch,
        epochs: u32,
    ) {
        if self.samples() <= ALONE {
            let groups = Groups {
                shard: &self.groups[0].shard,
                line: after,
            };
            dispatch.samples = self.shards[0].samples;
            while dispatch.epoch < epochs {
                dispatch.epochs = self.alone.min(epochs - dispatch.epoch);
                recorder.train_alone(groups, &dispatch);
                dispatch.epoch += dispatch.epochs;
                dispatch.starts = 0;
            }
            return;
        }
        // All shards in one phase, then all in the other, so that dispatches of a phase may overlap.
        for epoch in 0..epochs {
            dispatch.epoch = epoch;
            for (Group { shard, workgroups }, dispatch) in self.dispatches(dispatch) {
                let line = &self.before;
                recorder.reduce_samples(Groups { shard, line }, &dispatch, *workgroups);
            }
            for (Group { shard, .. }, dispatch) in self.dispatches(dispatch) {
                recorder.reduce_partials(Groups { shard, line: after }, &dispatch);
            }
            dispatch.starts = 0;
        }
    }

    /// For each shard what reduces it, and the parameters of its dispatch.
    fn dispatches(&self, dispatch: Dispatch) -> impl Iterator<Item = (&Group, Dispatch)> {
        let shards = self.shards.len();
        let parts = self.shards.iter().zip(&self.groups).enumerate();
        parts.map(move |(index, (Shard { samples, .. }, group))| {
            let dispatch = Dispatch {
                samples: *samples,
                first_shard: (index == 0).into(),
                last_shard: (index + 1 == shards).into(),
                ..dispatch
            };
            (group, dispatch)
        })
    }

    /// The same samples in shards of a block each.
    #[cfg(test)]
    pub(super) fn cut_up(&self, device: &Device) -> Vec<Shard> {
        use crate::data::BLOCK;
        use crate::engine::gpu::program::Storage;
        let mut encoder = device.device.create_command_encoder(&Default::default());
        let mut first = 0;
        let mut shards = Vec::new();
        while first < self.samples() {
            let samples = (self.samples() - first).min(BLOCK as u64);
            let shard = Shard::new(device, Storage::F32, samples).unwrap();
            for (from, to) in [(&self.shards[0].x, &shard.x), (&self.shards[0].y, &shard.y)] {
                encoder.copy_buffer_to_buffer(from, 4 * first, to, 0, to.size());
            }
            shards.push(shard);
            first += samples;
        }
        device.queue.submit([encoder.finish()]);
        shards
    }
}
