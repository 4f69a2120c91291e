//! What a bench asks of the GPU engine beside its epochs.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::kernels::{layout, module};
use super::{GpuEngine, Timings};
use crate::engine::Engine;
use crate::error::Error;
use crate::model::Model;

/// What the adapter's memory delivers, in bytes a second.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Roofs {
    /// Reading x and y, and hardly anything computed.
    pub read: f64,
    /// Copying from x to y, read and written bytes.
    pub copy: f64,
}

/// Each roof is the median of so many, of the fastest cut of the work.
const TRIES: usize = 5;
/// How long the reads or copies of one submit take, so that what the submit itself takes does not count, and how many
/// they are at the most.
const SUBMIT: Duration = Duration::from_millis(10);
const MOST: u32 = 4096;

impl GpuEngine {
    /// What it took before the first epoch.
    pub fn timings(&self) -> Timings {
        self.timings
    }

    /// The time that an epoch's dispatches take on the device, of so many in one submit, by timestamp queries; none where
    /// the adapter has none.
    ///
    /// # Errors
    /// [`Error::Gpu`] where the adapter fails.
    pub fn kernel_time(&mut self, model: Model, epochs: u32) -> Result<Option<Duration>, Error> {
        let (device, queue) = (&self.device.device, &self.device.queue);
        if !device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return Ok(None);
        }
        let query_set = device.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("kernel time"),
            ty: wgpu::QueryType::Timestamp,
            count: 2,
        });
        let buffer = |usage| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("timestamps"),
                size: size_of::<[u64; 2]>() as u64,
                usage,
                mapped_at_creation: false,
            })
        };
        let resolved = buffer(wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC);
        let readback = buffer(wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
        let mut encoder = device.create_command_encoder(&Default::default());
        let timestamps = wgpu::ComputePassTimestampWrites {
            query_set: &query_set,
            beginning_of_pass_write_index: Some(0),
            end_of_pass_write_index: Some(1),
        };
        let mut recorder = self.kernels.record(&mut encoder, Some(timestamps));
        let dispatch = self.data.units.dispatch(model, 0.0);
        self.data
            .record_epochs(&mut recorder, self.ring.after(), dispatch, epochs);
        recorder.finish(queue);
        encoder.resolve_query_set(&query_set, 0..2, &resolved, 0);
        encoder.copy_buffer_to_buffer(&resolved, 0, &readback, 0, None);
        let submission = queue.submit([encoder.finish()]);
        let whole = ..readback.size();
        self.device
            .map(&readback, whole, wgpu::MapMode::Read, Some(submission))?;
        let view = readback
            .get_mapped_range(..)
            .map_err(|error| self.device.failed(&error.to_string()))?;
        let [start, end] = *bytemuck::from_bytes::<[u64; 2]>(&view);
        let nanoseconds =
            end.saturating_sub(start) as f64 * f64::from(queue.get_timestamp_period());
        Ok(Some(Duration::from_secs_f64(
            nanoseconds / 1e9 / f64::from(epochs),
        )))
    }

    /// The time from a submit that only copies a record to that record on the host: what an epoch of no samples would
    /// take.
    ///
    /// # Errors
    /// [`Error::Gpu`] where the adapter fails.
    pub fn readback_time(&mut self) -> Result<Duration, Error> {
        let start = Instant::now();
        self.ring.collect(&self.device, 1, |_| {})?;
        Ok(start.elapsed())
    }

    /// The roofs over the engine's own x and y. Copying ends the samples, so this ends the engine.
    ///
    /// # Errors
    /// [`Error::Gpu`] where the adapter fails.
    pub fn roofs(mut self) -> Result<Roofs, Error> {
        let bytes: u64 = self
            .data
            .shards
            .iter()
            .map(|shard| shard.x.size() + shard.y.size())
            .sum();
        // The clocks up.
        self.evaluate(Model { w: 0.0, b: 0.0 })?;
        let read = self.best_read()?;
        let copy = self.median_of(|engine, rounds| {
            let mut encoder = engine
                .device
                .device
                .create_command_encoder(&Default::default());
            for _ in 0..rounds {
                for shard in &engine.data.shards {
                    encoder.copy_buffer_to_buffer(&shard.x, 0, &shard.y, 0, None);
                }
            }
            encoder
        })?;
        let rate = |time: Duration| bytes as f64 / time.as_secs_f64();
        Ok(Roofs {
            read: rate(read),
            copy: rate(copy),
        })
    }

    /// The best over several cuts of the work.
    fn best_read(&self) -> Result<Duration, Error> {
        let gpu = &self.device.device;
        let samples_layout = layout(gpu, "samples", &[(0, true), (1, true), (2, false)]);
        let pipeline_layout = gpu.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("read.wgsl"),
            bind_group_layouts: &[Some(&samples_layout)],
            immediate_size: 0,
        });
        let shader = read_shader();
        let module = module(gpu, "read.wgsl", shader, false);
        let mut best = Duration::MAX;
        let own = (self.kernels.sizes[0], self.data.groups[0].workgroups);
        for (workgroup_size, workgroups) in READ_CUTS.into_iter().chain([own]) {
            let pipeline = gpu.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some("read_samples"),
                layout: Some(&pipeline_layout),
                module: &module,
                entry_point: Some("read_samples"),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants: &read_constants(workgroup_size),
                    zero_initialize_workgroup_memory: false,
                },
                cache: None,
            });
            self.device.check()?;
            best = best.min(self.median_of(|engine, rounds| {
                let mut encoder = gpu.create_command_encoder(&Default::default());
                let mut pass = encoder.begin_compute_pass(&Default::default());
                pass.set_pipeline(&pipeline);
                for _ in 0..rounds {
                    for group in &engine.data.groups {
                        pass.set_bind_group(0, &group.shard, &[]);
                        pass.dispatch_workgroups(workgroups, 1, 1);
                    }
                }
                drop(pass);
                encoder
            })?);
        }
        Ok(best)
    }

    /// The median time of one round of what `record` records, submitted and waited for.
    fn median_of(
        &self,
        record: impl Fn(&Self, u32) -> wgpu::CommandEncoder,
    ) -> Result<Duration, Error> {
        let time = |rounds| {
            let commands = record(self, rounds).finish();
            let start = Instant::now();
            let submission = self.device.queue.submit([commands]);
            self.device.wait(submission)?;
            Ok::<_, Error>(start.elapsed() / rounds)
        };
        // Until the submit itself is a small part.
        let mut rounds = 1;
        loop {
            let round = time(rounds)?;
            if round * rounds >= SUBMIT || rounds == MOST {
                break;
            }
            let fits = SUBMIT.as_nanos() / round.as_nanos().max(1);
            rounds = (fits as u32)
                .clamp(rounds + 1, rounds.saturating_mul(8))
                .min(MOST);
        }
        let mut times = (0..TRIES)
            .map(|_| time(rounds))
            .collect::<Result<Vec<_>, Error>>()?;
        times.sort();
        Ok(times[TRIES / 2])
    }
}

/// Workgroup sizes and workgroups that reading is tried with.
const READ_CUTS: [(u32, u32); 4] = [(64, 8), (256, 1024), (256, 4096), (512, 2048)];

/// The source of the shader that only reads.
pub fn read_shader() -> String {
    include_str!("../../../shaders/read.wgsl").to_owned()
}

/// The values of its override constants.
pub fn read_constants(workgroup_size: u32) -> Vec<(&'static str, f64)> {
    vec![("WORKGROUP_SIZE", f64::from(workgroup_size))]
}
