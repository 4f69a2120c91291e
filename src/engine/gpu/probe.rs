//! Other samples for an engine that stores f32: compiled once, its kernels are checked at many sizes.

use super::GpuEngine;
use super::epochs::Epochs;
use super::layout::Placement;
use super::samples::Shard;
use super::units::Units;
use crate::engine::Storage;
use crate::error::Error;

/// Bytes that are handed to the queue at once: it keeps a copy of them until they are on the device.
const PIECE: usize = 4 << 20;

impl GpuEngine<'_> {
    /// Replaces the samples by `samples` zeros in f32, in one shard.
    ///
    /// # Errors
    /// [`Error::DeviceMemory`] if there is no memory for them; the engine then still has its samples. [`Error::Gpu`] if the
    /// adapter fails.
    pub(crate) fn replace_by_zeros(&mut self, samples: u32) -> Result<(), Error> {
        let shard = Shard::new(&self.device, Storage::F32, samples.into())?;
        self.stream = None;
        self.use_shard(shard);
        self.device.check()
    }

    /// Overwrites samples from a position on.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the adapter fails, also because there are fewer samples.
    pub(crate) fn write(&mut self, from: u32, x: &[f32], y: &[f32]) -> Result<(), Error> {
        let shard = &self.epochs.shards[0].shard;
        for (column, values) in [(&shard.x, x), (&shard.y, y)] {
            let mut offset = u64::from(from) * size_of::<f32>() as u64;
            for piece in bytemuck::cast_slice::<f32, u8>(values).chunks(PIECE) {
                self.device.queue.write_buffer(column, offset, piece);
                let encoder = self
                    .device
                    .device
                    .create_command_encoder(&Default::default());
                self.device.wait(&self.device.submit(encoder, 0))?;
                offset += piece.len() as u64;
            }
        }
        self.device.check()
    }

    /// Narrows the samples to the first ones, or widens them again. The others stay in memory.
    pub(crate) fn use_first(&mut self, samples: u32) {
        let shard = self.epochs.shards[0].shard.clone();
        self.use_shard(Shard { samples, ..shard });
    }

    fn use_shard(&mut self, shard: Shard) {
        let samples = shard.samples.into();
        self.placement = Placement::new(Storage::F32, samples, samples, samples, 0);
        self.description.resident = samples;
        self.epochs = Epochs::new(
            &self.device,
            &self.kernels,
            vec![shard],
            Units::DATA,
            &self.tuning,
        );
    }
}
