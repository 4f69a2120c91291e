//! The samples that don't fit the adapter's memory: they pass through it each epoch.

use std::fmt;
use std::ops::Range;

use super::control::Control;
use super::device::Device;
use super::epochs::{BoundShard, Epochs, RECORDS};
use super::kernels::{Dispatch, Kernels};
use super::losses::{BoundLines, LossKernel};
use super::samples::{Staging, pieces};
use crate::data::{BLOCK, OnLoad, Source};
use crate::error::Error;

/// The samples that don't stay on the device.
///
/// They are read and uploaded in pieces. The host casts the next piece while the device reduces the one before.
pub struct Stream<'a> {
    pub source: Box<dyn Source + Send + 'a>,
    /// The blocks of these samples.
    pub blocks: Range<u64>,
    pub blocks_per_piece: u64,
    pub staging: Staging,
    /// The two shards that pieces pass through in turns.
    pub slots: Vec<BoundShard>,
}

impl fmt::Debug for Stream<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("source", &self.source.title())
            .field("blocks", &self.blocks)
            .finish_non_exhaustive()
    }
}

impl Stream<'_> {
    /// Reduces all pieces, and returns their control and the number of records.
    ///
    /// The first `records` records of `epochs` are taken, and those of the pieces follow. Each piece has its own, so that
    /// the host adds their sums in f64; several pieces share a record if there are more of them than records.
    pub fn reduce(
        &mut self,
        device: &Device,
        kernels: &Kernels,
        epochs: &Epochs,
        dispatch: Dispatch,
        mut records: u32,
        on_load: Option<OnLoad>,
    ) -> Result<(Control, u32), Error> {
        let mut control = Control::default();
        let pieces: Vec<_> = pieces(self.blocks.clone(), self.blocks_per_piece).collect();
        let per_record = pieces.len().div_ceil(RECORDS as usize - 1);
        for (piece, blocks) in pieces.into_iter().enumerate() {
            let filled = self
                .staging
                .fill(device, &self.source, blocks.clone(), on_load)?;
            control = [control, filled].into_iter().sum();
            let slot = &self.slots[piece % 2];
            let begins = piece % per_record == 0;
            records += u32::from(begins);
            let end = (blocks.end * BLOCK as u64).min(self.source.samples());
            let dispatch = Dispatch {
                samples: (end - blocks.start * BLOCK as u64) as u32,
                epoch: records - 1,
                first_shard: begins.into(),
                // The host updates the line.
                last_shard: 0,
                ..dispatch
            };
            let mut encoder = device.device.create_command_encoder(&Default::default());
            let first = blocks.start;
            self.staging.copy(&mut encoder, blocks, first, &slot.shard);
            let mut recorder = kernels.record(&mut encoder, None);
            recorder.reduce_samples(&slot.group, &epochs.before, &dispatch, slot.workgroups);
            recorder.reduce_partials(&slot.group, epochs.after(), &dispatch);
            recorder.finish(&device.queue);
            self.staging.submit(device, encoder, 2)?;
        }
        Ok((control, records))
    }

    /// Adds the losses of all pieces at each of `lines` to `sums`.
    pub fn add_losses(
        &mut self,
        device: &Device,
        kernel: &LossKernel,
        lines: &BoundLines,
        sums: &mut [f64],
    ) -> Result<(), Error> {
        let pieces: Vec<_> = pieces(self.blocks.clone(), self.blocks_per_piece).collect();
        let shard = &self.slots[0].shard;
        for blocks in pieces {
            self.staging
                .fill(device, &self.source, blocks.clone(), None)?;
            let (first, end) = (blocks.start, blocks.end * BLOCK as u64);
            let samples = end.min(self.source.samples()) - first * BLOCK as u64;
            let mut encoder = device.device.create_command_encoder(&Default::default());
            self.staging.copy(&mut encoder, blocks, first, shard);
            let part = kernel.record(device, &mut encoder, lines, shard, samples as u32);
            let submission = self.staging.submit(device, encoder, lines.passes())?;
            part.add_to(device, &submission, sums)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
