//! A data set that does not fit the adapter's memory: what fits stays there, the rest passes through it each epoch.

use std::ops::Range;
use std::time::Instant;

use super::adapter::Adapter;
use super::batch::RECORDS;
use super::control::Control;
use super::data::Group;
use super::kernels::{Dispatch, Groups, Record};
use super::plan::{self, Placement};
use super::shards::{self, Placed, Shard};
use super::staging::{First, Staging, pieces};
use super::units::Units;
use super::{GpuEngine, Opened, Options, Timings};
use crate::data::{BLOCK, OnLoad, Source};
use crate::engine::{Engine, Step, host_loop};
use crate::error::Error;
use crate::loss::Loss;
use crate::model::{Model, Sums};

/// As many samples in the adapter's memory as it has room for; the others are read and uploaded again each epoch, in
/// pieces, the next of which the host casts while the device reduces the one before. Where all fit this is a
/// [`GpuEngine`].
#[derive(Debug)]
pub struct Streamed<'a> {
    /// Over the samples that stay.
    pub(super) resident: GpuEngine,
    /// None where all stay.
    pub(super) stream: Option<Stream<'a>>,
    placement: Placement,
}

/// The samples that don't stay.
pub(super) struct Stream<'a> {
    source: &'a dyn Source,
    pub(super) blocks: Range<u64>,
    pub(super) blocks_per_piece: u64,
    pub(super) staging: Staging,
    /// In turns.
    pub(super) slots: Vec<(Shard, Group)>,
}

impl std::fmt::Debug for Stream<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream")
            .field("source", &self.source.title())
            .field("blocks", &self.blocks)
            .finish_non_exhaustive()
    }
}

impl<'a> Streamed<'a> {
    /// Opens the adapter, uploads all samples, or as many as [`Options::memory`] and the adapter have room for, telling
    /// `on_load` of them, and compares the adapter's sums at the line y = 0 over all samples, those that don't stay too,
    /// with those that the CPU engine's arithmetic gives.
    ///
    /// # Errors
    /// [`Error::Gpu`] where the adapter fails, computes wrong sums or has not what `options` ask for or no memory to
    /// stream through, [`Error::Usage`] where that is [`Options::memory`]'s fault, and what [`Source::read`] says.
    pub fn new(
        adapter: &Adapter,
        source: &'a dyn Source,
        loss: Loss,
        options: &Options,
        on_load: OnLoad,
    ) -> Result<Self, Error> {
        let layout = plan::layout(adapter, source.samples(), options)?;
        let opened = Opened::new(adapter, source.samples(), loss, options)?;
        let start = Instant::now();
        let placed = shards::place(&opened.device, layout)?;
        let mut engine = Self::over(opened, placed, source, First { loss, on_load })?;
        engine.resident.timings.load = start.elapsed();
        Ok(engine)
    }

    /// Over buffers that are there.
    pub(super) fn over(
        opened: Opened,
        placed: Placed,
        source: &'a dyn Source,
        way: First,
    ) -> Result<Self, Error> {
        let Placed {
            layout,
            shards,
            slots,
        } = placed;
        let units = Units::new(layout.storage, source)?;
        let mut staging = Staging::new(&opened.device, layout.samples, layout.storage, units);
        let control = staging.upload(&opened.device, source, &shards, way)?;
        let slots: Vec<_> = slots
            .into_iter()
            .map(|slot| {
                let group = Group::new(&opened.device, &opened.kernels, &slot, &opened.tuning);
                (slot, group)
            })
            .collect();
        let stream = (!slots.is_empty()).then(|| Stream {
            source,
            blocks: layout.resident / BLOCK as u64..layout.samples.div_ceil(BLOCK as u64),
            blocks_per_piece: layout.slot / BLOCK as u64,
            staging,
            slots,
        });
        let mut engine = Streamed {
            resident: GpuEngine::over(opened, shards, units)?,
            stream,
            placement: layout.placement(),
        };
        engine.check(control, way)?;
        Ok(engine)
    }

    /// Where the samples are.
    pub fn placement(&self) -> Placement {
        self.placement
    }

    /// What it took before the first epoch.
    pub fn timings(&self) -> Timings {
        self.resident.timings
    }

    /// `control` is that of the samples that stay.
    fn check(&mut self, control: Control, way: First) -> Result<(), Error> {
        let dispatch = self.resident.data.units.level();
        let mut sums = Sums::default();
        let streamed = self.pass(dispatch, Some(way), |record| sums = sums + record.sums())?;
        let control: Control = [control, streamed].into_iter().sum();
        control
            .agrees(sums)
            .map_err(|wrong| self.resident.device.failed(&wrong))
    }

    /// Goes over all samples once, and hands the records to `take`, in order: their sums add up to those of all samples.
    ///
    /// The samples that stay are the first record, and each piece of the others is one, so that their sums are added in
    /// f64; several pieces are one where there are more pieces than records.
    fn pass(
        &mut self,
        dispatch: Dispatch,
        way: Option<First>,
        take: impl FnMut(&Record),
    ) -> Result<Control, Error> {
        let GpuEngine {
            device,
            kernels,
            data,
            ring,
            ..
        } = &mut self.resident;
        let mut records = 0;
        let mut control = Control::default();
        let encoder = || device.device.create_command_encoder(&Default::default());
        if !data.shards.is_empty() {
            // At once, so that the device is busy while the first piece is read.
            let mut encoder = encoder();
            let mut recorder = kernels.record(&mut encoder, None);
            data.record_epochs(&mut recorder, ring.after(), dispatch, 1);
            recorder.finish(&device.queue);
            device.queue.submit([encoder.finish()]);
            device.check()?;
            records = 1;
        }
        if let Some(stream) = &mut self.stream {
            let pieces: Vec<_> = pieces(stream.blocks.clone(), stream.blocks_per_piece).collect();
            let in_a_record = pieces.len().div_ceil(RECORDS as usize - 1);
            for (piece, blocks) in pieces.into_iter().enumerate() {
                let filled = stream
                    .staging
                    .fill(device, stream.source, blocks.clone(), way)?;
                control = [control, filled].into_iter().sum();
                let (slot, Group { shard, workgroups }) = &stream.slots[piece % 2];
                let begins = piece % in_a_record == 0;
                records += u32::from(begins);
                let end = (blocks.end * BLOCK as u64).min(self.placement.samples());
                let dispatch = Dispatch {
                    samples: (end - blocks.start * BLOCK as u64) as u32,
                    epoch: records - 1,
                    first_shard: begins.into(),
                    // The line goes nowhere.
                    last_shard: 0,
                    ..dispatch
                };
                let mut encoder = encoder();
                let first = blocks.start;
                stream.staging.copy(&mut encoder, blocks, first, slot);
                let mut recorder = kernels.record(&mut encoder, None);
                let before = Groups {
                    shard,
                    line: &data.before,
                };
                recorder.reduce_samples(before, &dispatch, *workgroups);
                let after = Groups {
                    shard,
                    line: ring.after(),
                };
                recorder.reduce_partials(after, &dispatch);
                recorder.finish(&device.queue);
                stream.staging.submit(device, encoder)?;
            }
        }
        ring.collect(device, records, take)?;
        Ok(control)
    }
}

impl Engine for Streamed<'_> {
    fn samples(&self) -> u64 {
        self.placement.samples()
    }

    fn evaluate(&mut self, model: Model) -> Result<Sums, Error> {
        if self.stream.is_none() {
            return self.resident.evaluate(model);
        }
        let units = self.resident.data.units;
        let mut sums = Sums::default();
        self.pass(units.dispatch(model, 0.0), None, |record| {
            sums = sums + units.step(model, [0.0; 2], record).sums;
        })?;
        Ok(sums)
    }

    /// # Errors
    /// What [`Placement::keeps_the_line`] says, for more than one epoch.
    fn descend(
        &mut self,
        from: Model,
        learning_rate: f64,
        epochs: u64,
        steps: &mut Vec<Step>,
    ) -> Result<(), Error> {
        if self.stream.is_none() {
            return self.resident.descend(from, learning_rate, epochs, steps);
        }
        if epochs > 1 {
            self.placement.keeps_the_line()?;
        }
        host_loop(self, from, learning_rate, epochs, steps)
    }
}

#[cfg(test)]
mod tests;
