//! Epochs in batches: the line stays on the device, and a record of each epoch comes back.

use std::time::{Duration, Instant};

use super::data::Data;
use super::device::Device;
use super::kernels::{Dispatch, Kernels, Record, UNIFORMS, bind};
use crate::error::Error;

/// Epochs of one submit at the most: 128 KiB of records.
pub(super) const RECORDS: u32 = 4096;
/// What a submit should take. Watchdogs end what takes seconds, and a desktop stutters from some 20 ms on.
const SUBMIT: Duration = Duration::from_millis(10);
/// Bytes of a record.
const RECORD: u64 = size_of::<Record>() as u64;
/// Bytes of a ring's records on the device, and of what they are read back through on the host.
pub(super) const RING: u64 = 2 * RECORDS as u64 * RECORD;

/// Where a submit's records go, in turns: the device fills one while the host reads the other.
#[derive(Debug)]
pub(super) struct Ring {
    slots: [Slot; 2],
    /// How many epochs the next submit may take, from how long those before took.
    epochs: u32,
    /// When the last submit was found done.
    done: Instant,
}

#[derive(Debug)]
struct Slot {
    records: wgpu::Buffer,
    readback: wgpu::Buffer,
    /// The line's way and these records.
    after: wgpu::BindGroup,
}

/// A submit under way.
struct Submitted {
    slot: usize,
    epochs: u32,
    index: wgpu::SubmissionIndex,
    at: Instant,
}

impl Ring {
    pub(super) fn new(gpu: &wgpu::Device, kernels: &Kernels, way: &wgpu::Buffer) -> Self {
        let slot = |_| {
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
                after: bind(gpu, &kernels.after_layout, &[(1, way), (2, &records)]),
                readback: buffer(
                    "readback",
                    wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
                ),
                records,
            }
        };
        Ring {
            slots: [0, 1].map(slot),
            epochs: 1,
            done: Instant::now(),
        }
    }

    /// Runs `epochs` epochs that start with `dispatch`, and hands each record to `take`, in order.
    pub(super) fn run(
        &mut self,
        device: &Device,
        kernels: &Kernels,
        data: &Data,
        mut dispatch: Dispatch,
        epochs: u64,
        mut take: impl FnMut(&Record),
    ) -> Result<(), Error> {
        let mut left = epochs;
        let mut slot = 0;
        let mut pending: Option<Submitted> = None;
        while left > 0 || pending.is_some() {
            let submitted = (left > 0).then(|| {
                let most = RECORDS
                    .min(UNIFORMS / (2 * data.shards.len() as u32))
                    .max(1);
                let epochs = u64::from(self.epochs.min(most)).min(left) as u32;
                let submitted = self.submit(device, kernels, data, dispatch, slot, epochs);
                dispatch.starts = 0;
                left -= u64::from(epochs);
                slot = 1 - slot;
                submitted
            });
            // The one before it: with this one behind it, the device has no rest.
            if let Some(done) = pending.take() {
                self.read(device, &done, &mut take)?;
            }
            pending = submitted;
        }
        Ok(())
    }

    /// Where records go that [`Ring::collect`] reads, or nobody.
    pub(super) fn after(&self) -> &wgpu::BindGroup {
        &self.slots[0].after
    }

    /// Hands the first records, which submits before this one have left, to `take`, in order.
    pub(super) fn collect(
        &mut self,
        device: &Device,
        records: u32,
        mut take: impl FnMut(&Record),
    ) -> Result<(), Error> {
        let mut encoder = device.device.create_command_encoder(&Default::default());
        let bytes = u64::from(records) * RECORD;
        let Slot {
            records: left,
            readback,
            ..
        } = &self.slots[0];
        encoder.copy_buffer_to_buffer(left, 0, readback, 0, bytes);
        let done = Submitted {
            slot: 0,
            epochs: records,
            index: device.queue.submit([encoder.finish()]),
            at: Instant::now(),
        };
        self.read(device, &done, &mut take)
    }

    fn submit(
        &self,
        device: &Device,
        kernels: &Kernels,
        data: &Data,
        dispatch: Dispatch,
        slot: usize,
        epochs: u32,
    ) -> Submitted {
        let Slot {
            records,
            readback,
            after,
        } = &self.slots[slot];
        let mut encoder = device.device.create_command_encoder(&Default::default());
        let mut recorder = kernels.record(&mut encoder, None);
        data.record_epochs(&mut recorder, after, dispatch, epochs);
        recorder.finish(&device.queue);
        let bytes = u64::from(epochs) * RECORD;
        encoder.copy_buffer_to_buffer(records, 0, readback, 0, bytes);
        Submitted {
            slot,
            epochs,
            index: device.queue.submit([encoder.finish()]),
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
        let readback = &self.slots[done.slot].readback;
        // It may have waited for the one before it.
        let start = self.done.max(done.at);
        device.map(
            readback,
            ..bytes,
            wgpu::MapMode::Read,
            Some(done.index.clone()),
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
        self.epochs = fit(self.epochs, done.epochs, end - start);
        self.done = end;
        Ok(())
    }
}

/// How many epochs fit the next submit, after one of so many took a time and `known` were taken to fit. Of a short one
/// the time is mostly that of the submit itself, so a few more may fit each time; and the last ones of a batch, fewer than
/// would have fitted, take nothing back.
fn fit(known: u32, epochs: u32, took: Duration) -> u32 {
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
    fn a_submit_grows_to_its_time_and_a_short_one_takes_nothing_back() {
        let fitted = |known: u32, epochs: u32, microseconds: u64| {
            fit(known, epochs, Duration::from_micros(microseconds))
        };
        // Mostly the submit itself: eightfold at the most.
        assert_eq!(fitted(1, 1, 100), 8);
        assert_eq!(fitted(8, 8, 100), 64);
        // An epoch of 10 µs: a thousand.
        assert_eq!(fitted(500, 500, 5000), 1000);
        assert_eq!(fitted(2000, 2000, 20_000), 1000);
        // One that is longer than a submit should be.
        assert_eq!(fitted(8, 8, 800_000), 1);
        // The last ones of a batch.
        assert_eq!(fitted(1000, 3, 300), 1000);
        assert_eq!(fitted(8, 3, 30), 24);
        assert_eq!(fitted(4096, 4096, 1), RECORDS);
    }
}
