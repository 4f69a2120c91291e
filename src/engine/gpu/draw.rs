//! Drawing synthetic samples on the device, without an upload and without host memory.

use bytemuck::{Pod, Zeroable};

use super::control::Control;
use super::device::Device;
use super::samples::Shard;
use crate::data::synthetic::Recipe;
use crate::data::threefry::{self, Threefry};
use crate::data::{self, BLOCK, Block, Source};
use crate::error::Error;
use crate::loss::Loss;

/// Invocations of a workgroup; every adapter allows so many.
const WORKGROUP_SIZE: u32 = 256;

/// The vectors of four samples that one submission draws: 16.8 million samples, some 0.1 ms on a large GPU.
///
/// A slow GPU that draws 1e9 samples a second stays below 20 ms, far from the limit of any watchdog.
const VEC4S_PER_DISPATCH: u32 = 1 << 22;

/// The relative error that WGSL allows an operation of f32: it may round either way.
const ROUNDING: f64 = 1.0 / (1 << 23) as f64;

/// The largest normal draw, which has a tail of 2^-32.
const LARGEST_NORMAL: f64 = 6.34;

/// Returns the source of the shader that draws: `draw.wgsl` and the constants of the inverse normal.
pub fn shader() -> String {
    use threefry::{CENTRAL, CENTRAL_MIDDLE, SPLIT, TAIL, TAIL_MIDDLE};
    // {:?} prints as many digits as it takes to read the same f32.
    let scalar = |name, value: f32| format!("const {name} = {value:?}f;\n");
    let array = |name, values: [f32; 9]| {
        let values = values.map(|value| format!("{value:?}f")).join(", ");
        format!("const {name} = array<f32, 9>({values});\n")
    };
    [
        include_str!("../../../shaders/draw.wgsl"),
        &scalar("SPLIT", SPLIT),
        &scalar("CENTRAL_MIDDLE", CENTRAL_MIDDLE),
        &scalar("TAIL_MIDDLE", TAIL_MIDDLE),
        &array("CENTRAL", CENTRAL),
        &array("TAIL", TAIL),
    ]
    .concat()
}

/// Returns the values of the override constants of [`shader`].
pub fn constants() -> Vec<(&'static str, f64)> {
    vec![("WORKGROUP_SIZE", f64::from(WORKGROUP_SIZE))]
}

/// Draws all samples of the source into the shards, in order. Returns before the device is done.
pub(super) fn draw(device: &Device, shards: &[Shard], source: &Threefry) -> Result<(), Error> {
    let draw_samples = DrawSamples::new(device)?;
    let mut position = source.first();
    for shard in shards {
        draw_samples.fill(shard, position, source.recipe(), VEC4S_PER_DISPATCH)?;
        position += u64::from(shard.samples);
    }
    Ok(())
}

/// Returns the control of the first block of every shard.
///
/// An adapter's samples are not the twin's to the bit; the control allows for the distance.
pub(super) fn control(shards: &[Shard], source: &Threefry, loss: Loss) -> Result<Control, Error> {
    let (mut block, mut position) = (Block::default(), 0);
    let off = MaxError::new(source.recipe());
    shards
        .iter()
        .map(|shard| {
            data::read_for_engine(source, position / BLOCK as u64, &mut block)?;
            position += u64::from(shard.samples);
            let [x, y] = [&block.x, &block.y]
                .map(|column| column.iter().map(|&value| value as f32).collect::<Vec<_>>());
            Ok(Control::drawn(loss, &x, &y, off.x, off.y))
        })
        .sum()
}

/// The largest distance of a sample of an adapter from the twin's.
struct MaxError {
    x: f64,
    y: f64,
}

impl MaxError {
    /// Counts roundings. x is off by less than 5 roundings of the largest |x|, a normal draw by 12 of itself (`draw.wgsl`)
    /// and the noise by 14. The slope's part is off by 7, the intercept by ½, their three sums by 3 and the twin's cast to
    /// f32 by ½. The rest is to spare.
    fn new(recipe: &Recipe) -> Self {
        let x = recipe.x_range.start.abs().max(recipe.x_range.end.abs());
        let gross_error = if recipe.outliers > 0.0 {
            recipe.gross_error()
        } else {
            0.0
        };
        let y = recipe.intercept.abs()
            + recipe.slope.abs() * x
            + recipe.noise * LARGEST_NORMAL
            + gross_error;
        MaxError {
            x: 6.0 * ROUNDING * x,
            y: 20.0 * ROUNDING * y,
        }
    }
}

/// The parameters of a dispatch: `Draw` of `draw.wgsl`, field by field.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Draw {
    key: [u32; 2],
    position: [u32; 2],
    first: u32,
    vec4s: u32,
    outliers: u32,
    gross_error: f32,
    slope: f32,
    intercept: f32,
    noise: f32,
    x_start: f32,
    x_length: f32,
}

/// The compiled `draw_samples`.
struct DrawSamples<'a> {
    device: &'a Device,
    pipeline: wgpu::ComputePipeline,
}

impl<'a> DrawSamples<'a> {
    fn new(device: &'a Device) -> Result<Self, Error> {
        let gpu = &device.device;
        if !gpu.features().contains(wgpu::Features::IMMEDIATES) {
            return Err(
                device.failed("it has no immediates, which drawing needs: take another generator")
            );
        }
        let module = gpu.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("draw.wgsl"),
            source: wgpu::ShaderSource::Wgsl(shader().into()),
        });
        let pipeline = gpu.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some("draw_samples"),
            // The shader's own.
            layout: None,
            module: &module,
            entry_point: Some("draw_samples"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &constants(),
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        });
        device.check()?;
        Ok(DrawSamples { device, pipeline })
    }

    /// Draws the samples of a shard, the first of which has this position in the data set.
    fn fill(
        &self,
        shard: &Shard,
        position: u64,
        recipe: &Recipe,
        vec4s_per_dispatch: u32,
    ) -> Result<(), Error> {
        let gpu = &self.device.device;
        let samples = gpu.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("samples"),
            layout: &self.pipeline.get_bind_group_layout(0),
            entries: &[(0, &shard.x), (1, &shard.y)].map(|(binding, column)| {
                wgpu::BindGroupEntry {
                    binding,
                    resource: column.as_entire_binding(),
                }
            }),
        });
        let vec4s = shard.samples.div_ceil(4);
        for first in (0..vec4s).step_by(vec4s_per_dispatch as usize) {
            let draw = Draw {
                key: threefry::halves(recipe.seed),
                position: threefry::halves(position + 4 * u64::from(first)),
                first,
                vec4s: vec4s_per_dispatch.min(vec4s - first),
                outliers: threefry::outlier_threshold(recipe),
                gross_error: recipe.gross_error() as f32,
                slope: recipe.slope as f32,
                intercept: recipe.intercept as f32,
                noise: recipe.noise as f32,
                x_start: recipe.x_range.start as f32,
                x_length: (recipe.x_range.end - recipe.x_range.start) as f32,
            };
            let mut encoder = gpu.create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&self.pipeline);
            pass.set_bind_group(0, &samples, &[]);
            pass.set_immediates(0, bytemuck::bytes_of(&draw));
            pass.dispatch_workgroups(draw.vec4s.div_ceil(WORKGROUP_SIZE), 1, 1);
            drop(pass);
            self.device.submit(encoder, 16 * u64::from(draw.vec4s));
        }
        self.device.check()
    }
}

#[cfg(test)]
mod tests;
