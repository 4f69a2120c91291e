//! Epochs over the samples that stay on the device: how they are recorded, submitted and read back.
//!
//! The line stays on the device over a batch, and a record of each epoch comes back.

use std::time::{Duration, Instant};

use super::device::{Device, Submission};
use super::kernels::{DRIFT, Dispatch, Kernels, Record, Recorder, UNIFORMS, bind};
use super::layout::ALONE;
use super::samples::Shard;
use super::units::Units;
use crate::engine::Tuning;
use crate::error::Error;

/// The largest number of epochs of a submit: 128 KiB of records.
pub const RECORDS: u32 = 4096;
/// Bytes of a record.
const RECORD: u64 = size_of::<Record>() as u64;
/// Bytes of a ring's records on the device, and of the host's memory that they are read back through.
pub const RING: u64 = 2 * RECORDS as u64 * RECORD;
/// The time that a submit should take. Watchdogs end those that take seconds, and a desktop stutters from some 20 ms on.
const SUBMIT: Duration = Duration::from_millis(10);
/// Turns of loops that an invocation may take. llvmpipe leaves all loops, in silence, after 65,535.
const LOOP_TURNS: u32 = 60_000;

/// A shard, bound for the kernels.
#[derive(Debug)]
pub struct BoundShard {
    pub shard: Shard,
    /// Its x, its y, and partial sums of its own, so that no shard waits for another.
    pub group: wgpu::BindGroup,
    /// The workgroups that reduce it.
    pub workgroups: u32,
}

impl BoundShard {
    /// Binds a shard.
    pub fn new(device: &Device, kernels: &Kernels, shard: Shard, tuning: &Tuning) -> Self {
        let workgroups = tuning.workgroups(shard.samples);
        let bytes = u64::from(workgroups) * size_of::<[f32; 4]>() as u64;
        let partial_sums = for_shaders(device, "partial sums", bytes);
        let buffers = [(0, &shard.x), (1, &shard.y), (2, &partial_sums)];
        BoundShard {
            group: bind(&device.device, &kernels.shard_layout, &buffers),
            workgroups,
            shard,
        }
    }
}

/// Makes a buffer that only shaders use.
fn for_shaders(device: &Device, label: &str, size: u64) -> wgpu::Buffer {
    device.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size,
        usage: wgpu::BufferUsages::STORAGE,
        mapped_at_creation: false,
    })
}

/// The samples that stay on the device, the line that moves over them, and the ring that brings records back.
#[derive(Debug)]
pub struct Epochs {
    pub units: Units,
    pub shards: Vec<BoundShard>,
    /// The line's drift, only to be read.
    pub before: wgpu::BindGroup,
    /// The two slots that submits use in turns: the device fills one while the host reads the other.
    ring: [Slot; 2],
    /// The largest number of epochs of a dispatch of train_alone.
    epochs_alone: u32,
    /// The number of epochs of the next submit, from the time that earlier ones took.
    epochs_per_submit: u32,
    /// The time at which the last submit was found done.
    done: Instant,
}

/// The records of a submit.
#[derive(Debug)]
struct Slot {
    records: wgpu::Buffer,
    readback: wgpu::Buffer,
    /// The line's drift, and these records.
    after: wgpu::BindGroup,
}

/// A submit under way.
struct Submitted {
    slot: usize,
    epochs: u32,
    submission: Submission,
    at: Instant,
}

impl Epochs {
    /// Binds the shards, and makes the line's drift and the ring.
    pub fn new(
        device: &Device,
        kernels: &Kernels,
        shards: Vec<Shard>,
        units: Units,
        tuning: &Tuning,
    ) -> Self {
        let drift = for_shaders(device, "drift", DRIFT);
        // Turns of an epoch of train_alone: up to one a load and one a short sum, those of the tree, and some to spare.
        let samples = shards.first().map_or(0, |shard| shard.samples);
        let loads = samples.min(ALONE as u32).div_ceil(4 * kernels.sizes[1]);
        let turns = 2 * loads + 32;
        Epochs {
            units,
            shards: shards
                .into_iter()
                .map(|shard| BoundShard::new(device, kernels, shard, tuning))
                .collect(),
            before: bind(&device.device, &kernels.before_layout, &[(0, &drift)]),
            ring: [(); 2].map(|()| Slot::new(device, kernels, &drift)),
            epochs_alone: LOOP_TURNS / turns,
            epochs_per_submit: 1,
            done: Instant::now(),
        }
    }

    /// Returns the number of samples that stay.
    pub fn samples(&self) -> u64 {
        let samples = self.shards.iter().map(|bound| bound.shard.samples);
        samples.map(u64::from).sum()
    }

    /// Returns the bytes of these samples.
    pub fn bytes(&self) -> u64 {
        self.shards.iter().map(|bound| bound.shard.bytes()).sum()
    }

    /// Returns the number of epochs of the next submit of a batch.
    pub fn epochs_per_submit(&self) -> u32 {
        let most = UNIFORMS / (2 * self.shards.len() as u32);
        self.epochs_per_submit.min(RECORDS).min(most).max(1)
    }

    /// Runs `epochs` epochs that start with `dispatch`, and hands each record to `take`, in order.
    pub fn run(
        &mut self,
        device: &Device,
        kernels: &Kernels,
        mut dispatch: Dispatch,
        epochs: u64,
        mut take: impl FnMut(&Record),
    ) -> Result<(), Error> {
        let mut left = epochs;
        let mut slot = 0;
        let mut pending: Option<Submitted> = None;
        while left > 0 || pending.is_some() {
            let submitted = (left > 0).then(|| {
                let epochs = u64::from(self.epochs_per_submit()).min(left) as u32;
                let submitted = self.submit(device, kernels, dispatch, slot, epochs);
                dispatch.starts = 0;
                left -= u64::from(epochs);
                slot = 1 - slot;
                submitted
            });
            // The submit before is read while the device is busy with this one.
            if let Some(done) = pending.take() {
                self.read(device, &done, &mut take)?;
            }
            pending = submitted;
        }
        Ok(())
    }

    /// Returns the line's drift and the records that [`Epochs::collect`] reads, to be written.
    pub fn after(&self) -> &wgpu::BindGroup {
        &self.ring[0].after
    }

    /// Hands the first records, which earlier submits have left, to `take`, in order.
    pub fn collect(
        &mut self,
        device: &Device,
        records: u32,
        mut take: impl FnMut(&Record),
    ) -> Result<(), Error> {
        let mut encoder = device.device.create_command_encoder(&Default::default());
        self.ring[0].copy(&mut encoder, records);
        let done = Submitted {
            slot: 0,
            epochs: records,
            submission: device.submit(encoder, 0),
            at: Instant::now(),
        };
        self.read(device, &done, &mut take)
    }

    fn submit(
        &self,
        device: &Device,
        kernels: &Kernels,
        dispatch: Dispatch,
        slot: usize,
        epochs: u32,
    ) -> Submitted {
        let ring = &self.ring[slot];
        let mut encoder = device.device.create_command_encoder(&Default::default());
        let mut recorder = kernels.record(&mut encoder, None);
        self.record(&mut recorder, &ring.after, dispatch, epochs);
        recorder.finish(&device.queue);
        ring.copy(&mut encoder, epochs);
        Submitted {
            slot,
            epochs,
            submission: device.submit(encoder, u64::from(epochs) * self.bytes()),
            at: Instant::now(),
        }
    }

    fn read(
        &mut self,
        device: &Device,
        done: &Submitted,
        take: &mut impl FnMut(&Record),
    ) -> Result<(), Error> {
        let bytes = u64::from(done.epochs) * RECORD;
        let readback = &self.ring[done.slot].readback;
        // It may have waited for the submit before it.
        let start = self.done.max(done.at);
        device.map(
            readback,
            ..bytes,
            wgpu::MapMode::Read,
            Some(&done.submission),
        )?;
        let end = Instant::now();
        let view = readback
            .get_mapped_range(..bytes)
            .map_err(|error| device.failed(&error.to_string()))?;
        bytemuck::cast_slice::<u8, Record>(&view)
            .iter()
            .for_each(take);
        drop(view);
        readback.unmap();
        self.epochs_per_submit =
            epochs_per_submit(self.epochs_per_submit, done.epochs, end - start);
        self.done = end;
        Ok(())
    }

    /// Records `epochs` epochs, of which `dispatch` starts the first one. `after` takes the line's drift and the records.
    pub fn record(
        &self,
        recorder: &mut Recorder,
        after: &wgpu::BindGroup,
        mut dispatch: Dispatch,
        epochs: u32,
    ) {
        if self.samples() <= ALONE {
            let BoundShard { shard, group, .. } = &self.shards[0];
            dispatch.samples = shard.samples;
            while dispatch.epoch < epochs {
                dispatch.epochs = self.epochs_alone.min(epochs - dispatch.epoch);
                recorder.train_alone(group, after, &dispatch);
                dispatch.epoch += dispatch.epochs;
                dispatch.starts = 0;
            }
            return;
        }
        // First one phase of all shards, then the other, so that dispatches of a phase may overlap.
        for epoch in 0..epochs {
            dispatch.epoch = epoch;
            for (bound, dispatch) in self.dispatches(dispatch) {
                recorder.reduce_samples(&bound.group, &self.before, &dispatch, bound.workgroups);
            }
            for (bound, dispatch) in self.dispatches(dispatch) {
                recorder.reduce_partials(&bound.group, after, &dispatch);
            }
            dispatch.starts = 0;
        }
    }

    /// Returns each shard with the parameters of its dispatch.
    fn dispatches(&self, dispatch: Dispatch) -> impl Iterator<Item = (&BoundShard, Dispatch)> {
        let shards = self.shards.len();
        self.shards.iter().enumerate().map(move |(index, bound)| {
            let dispatch = Dispatch {
                samples: bound.shard.samples,
                first_shard: (index == 0).into(),
                last_shard: (index + 1 == shards).into(),
                ..dispatch
            };
            (bound, dispatch)
        })
    }
}

impl Slot {
    fn new(device: &Device, kernels: &Kernels, drift: &wgpu::Buffer) -> Self {
        let gpu = &device.device;
        let buffer = |label, usage| {
            gpu.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: u64::from(RECORDS) * RECORD,
                usage,
                mapped_at_creation: false,
            })
        };
        let records = buffer(
            "records",
            wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
        );
        Slot {
            after: bind(gpu, &kernels.after_layout, &[(1, drift), (2, &records)]),
            readback: buffer(
                "readback",
                wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            ),
            records,
        }
    }

    /// Records the copy of the first records to where the host reads them.
    fn copy(&self, encoder: &mut wgpu::CommandEncoder, records: u32) {
        let bytes = u64::from(records) * RECORD;
        encoder.copy_buffer_to_buffer(&self.records, 0, &self.readback, 0, bytes);
    }
}

/// Returns the number of epochs of the next submit, after one of `epochs` epochs took a time. `known` was the number
/// before.
///
/// The time of a short submit is mostly that of the submit itself, so a few more epochs may fit each time. The last submit
/// of a batch has fewer epochs than would have fitted, and doesn't lower the number.
fn epochs_per_submit(known: u32, epochs: u32, took: Duration) -> u32 {
    let epoch = took.as_nanos() / u128::from(epochs);
    let fits = (SUBMIT.as_nanos() / epoch.max(1)).min(u128::from(RECORDS)) as u32;
    let fits = fits.clamp(1, epochs.saturating_mul(8).min(RECORDS));
    if epochs < known {
        known.max(fits)
    } else {
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submit_grows_to_its_time_and_a_short_one_lowers_nothing() {
        let fitted = |known: u32, epochs: u32, microseconds: u64| {
            epochs_per_submit(known, epochs, Duration::from_micros(microseconds))
        };
        // Mostly the submit itself: at most eightfold.
        assert_eq!(fitted(1, 1, 100), 8);
        assert_eq!(fitted(8, 8, 100), 64);
        // An epoch of 10 µs: a thousand.
        assert_eq!(fitted(500, 500, 5000), 1000);
        assert_eq!(fitted(2000, 2000, 20_000), 1000);
        // An epoch that is longer than a submit should be.
        assert_eq!(fitted(8, 8, 800_000), 1);
        // The last epochs of a batch.
        assert_eq!(fitted(1000, 3, 300), 1000);
        assert_eq!(fitted(8, 3, 30), 24);
        assert_eq!(fitted(4096, 4096, 1), RECORDS);
    }
}
