//! Measurements of the GPU engine for a benchmark, beside the time of its epochs.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::GpuEngine;
use super::epochs::BoundShard;
use super::kernels::{layout, module};
use crate::engine::Engine;
use crate::error::Error;
use crate::model::Model;

/// The bandwidth of the adapter's memory, in bytes a second.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Roofs {
    /// The bandwidth of reading x and y while hardly computing.
    pub read: f64,
    /// The bandwidth of copying from x to y, counting read and written bytes.
    pub copy: f64,
}

/// Tries of a roof, of which the median counts.
const TRIES: usize = 5;
/// The time that the reads or copies of one submit take at least, so that the time of the submit itself doesn't count.
const SUBMIT: Duration = Duration::from_millis(10);
/// The largest number of reads or copies of one submit.
const MOST: u32 = 4096;

/// The workgroup sizes and numbers of workgroups that reading is tried with.
const READ_SHAPES: [(u32, u32); 4] = [(64, 8), (256, 1024), (256, 4096), (512, 2048)];

impl GpuEngine<'_> {
    /// Measures the time of an epoch's dispatches on the device, by timestamp queries. Returns `None` if the adapter has
    /// none, or samples are streamed. A batch is one submit of as many epochs as [`Engine::descend`] has come to.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the adapter fails.
    pub fn kernel_time(&mut self, model: Model, batched: bool) -> Result<Option<Duration>, Error> {
        let (device, queue) = (&self.device.device, &self.device.queue);
        let has_clock = device.features().contains(wgpu::Features::TIMESTAMP_QUERY);
        if !has_clock || self.stream.is_some() {
            return Ok(None);
        }
        let epochs = if batched {
            self.epochs.epochs_per_submit()
        } else {
            1
        };
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
        let dispatch = self.epochs.units.dispatch(model, 0.0);
        self.epochs
            .record(&mut recorder, self.epochs.after(), dispatch, epochs);
        recorder.finish(queue);
        encoder.resolve_query_set(&query_set, 0..2, &resolved, 0);
        encoder.copy_buffer_to_buffer(&resolved, 0, &readback, 0, None);
        let bytes = u64::from(epochs) * self.epochs.bytes();
        let submission = self.device.submit(encoder, bytes);
        let whole = ..readback.size();
        self.device
            .map(&readback, whole, wgpu::MapMode::Read, Some(&submission))?;
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

    /// Measures the time from a submit that only copies a record to that record on the host. An epoch without samples would
    /// take as long.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the adapter fails.
    pub fn readback_time(&mut self) -> Result<Duration, Error> {
        let start = Instant::now();
        self.epochs.collect(&self.device, 1, |_| {})?;
        Ok(start.elapsed())
    }

    /// Measures the roofs over the engine's own x and y. Copying overwrites the samples, so this consumes the engine.
    ///
    /// # Errors
    /// [`Error::Gpu`] if the adapter fails.
    pub fn roofs(mut self) -> Result<Roofs, Error> {
        let bytes = self.epochs.bytes();
        // Raises the clocks.
        self.evaluate(Model { w: 0.0, b: 0.0 })?;
        let read = self.best_read()?;
        let copy = self.median_of(|engine, rounds| {
            let mut encoder = engine
                .device
                .device
                .create_command_encoder(&Default::default());
            for _ in 0..rounds {
                for BoundShard { shard, .. } in &engine.epochs.shards {
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

    /// Measures the time of reading x and y: the best of several ways to share out the work.
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
        let own = (self.kernels.sizes[0], self.epochs.shards[0].workgroups);
        for (workgroup_size, workgroups) in READ_SHAPES.into_iter().chain([own]) {
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
                    for bound in &engine.epochs.shards {
                        pass.set_bind_group(0, &bound.group, &[]);
                        pass.dispatch_workgroups(workgroups, 1, 1);
                    }
                }
                drop(pass);
                encoder
            })?);
        }
        Ok(best)
    }

    /// Measures the median time of one round of the commands that `record` records, from the submit to its end.
    fn median_of(
        &self,
        record: impl Fn(&Self, u32) -> wgpu::CommandEncoder,
    ) -> Result<Duration, Error> {
        let time = |rounds| {
            let commands = record(self, rounds);
            let start = Instant::now();
            let bytes = u64::from(rounds) * self.epochs.bytes();
            let submission = self.device.submit(commands, bytes);
            self.device.wait(&submission)?;
            Ok::<_, Error>(start.elapsed() / rounds)
        };
        // More rounds, until the submit itself is a small part.
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

/// Returns the source of the shader that only reads.
pub fn read_shader() -> String {
    include_str!("../../../shaders/read.wgsl").to_owned()
}

/// Returns the values of the override constants of [`read_shader`].
pub fn read_constants(workgroup_size: u32) -> Vec<(&'static str, f64)> {
    vec![("WORKGROUP_SIZE", f64::from(workgroup_size))]
}
