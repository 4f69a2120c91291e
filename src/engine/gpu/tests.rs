//! Tests from inside the engine: loads beyond the end, small shards, a lost device.

use std::sync::{Mutex, PoisonError};

use super::program::{Parameters, Sum, Variant};
use super::*;
use crate::data::synthetic::{ChaCha, Recipe};
use crate::engine::{Loads, Tuning};

/// The tests run in threads of one process, and some drivers don't bear two devices there.
static ONE_DEVICE: Mutex<()> = Mutex::new(());

/// Runs `check` with every adapter, one at a time. No adapter is a failure.
pub fn with_every_adapter(mut check: impl FnMut(Adapter)) {
    let _one = ONE_DEVICE.lock().unwrap_or_else(PoisonError::into_inner);
    let adapters = adapter::list();
    assert!(!adapters.is_empty(), "{}", adapter::none());
    adapters.into_iter().for_each(&mut check);
}

/// Runs `check` with the name and the device of every adapter.
pub fn on_every_adapter(mut check: impl FnMut(&str, &Device)) {
    with_every_adapter(|adapter| {
        let device = Device::open(&adapter).unwrap();
        check(&adapter.info().to_string(), &device);
    });
}

/// Returns a shader whose loads report a place beyond the end, which proves that it needs no bounds checks.
///
/// Nothing is left out of its sums, so it also loads what lies behind the last sample. `off` moves each place on purpose.
fn reporting(storage: Storage, loads: Loads, off: u32) -> String {
    let of_four = match storage {
        Storage::F32 => "vec4<f32>",
        Storage::F16 => "vec2<u32>",
    };
    let samples = format!(
        "@group(0) @binding(0) var<storage, read> x: array<{of_four}>;
         @group(0) @binding(1) var<storage, read> y: array<{of_four}>;
         struct Samples {{ x: vec4<f32>, y: vec4<f32> }}
         fn samples_at(at: u32) -> Samples {{
             let beyond = at + {off}u >= min(arrayLength(&x), arrayLength(&y));
             return Samples(vec4(0.0), vec4(select(-1.0, 1e30, beyond)));
         }}"
    );
    let variant = Variant {
        storage,
        sum: Sum::Tree,
        loads,
        parameters: Parameters::Uniform,
    };
    let source = program::join(Loss::Mae, variant, &samples);
    let inside = "< vec4(dispatch.samples)";
    assert!(source.contains(inside));
    source.replace(inside, "< vec4(0xffffffffu)")
}

#[test]
fn no_load_is_beyond_the_end() {
    let mut found = 0;
    on_every_adapter(|name, device| {
        for (storage, loads) in [
            (Storage::F32, Loads::One),
            (Storage::F32, Loads::Two),
            (Storage::F32, Loads::Four),
            (Storage::F16, Loads::Four),
        ] {
            for off in [0, 1] {
                // With the checks, so that a fault here does no harm.
                let source = reporting(storage, loads, off);
                let parameters = Parameters::Uniform;
                let kernels =
                    Kernels::compile(device, Loss::Mae, source, parameters, [64, 16], true)
                        .unwrap();
                // f16 pads to 16 bytes, 8 samples: the end is known to 4 where there are 5 to 8 of them.
                for samples in [5, 8, 1021, 1024, 32_768, 32_773, 65_535, 65_536, 300_005] {
                    let tuning = Tuning {
                        workgroup_size: 64,
                        workgroups: 5,
                        loads,
                    };
                    let shards = vec![Shard::new(device, storage, samples).unwrap()];
                    let mut epochs = Epochs::new(device, &kernels, shards, Units::DATA, &tuning);
                    let dispatch = Units::DATA.dispatch(Model { w: 0.0, b: 0.0 }, 0.0);
                    let check = |record: &Record| {
                        let sum = f64::from(record.totals[0]);
                        // Each load of four once.
                        let right = 4.0 * samples.div_ceil(4) as f64;
                        assert_eq!(
                            (sum - right).abs() <= 0.5,
                            off == 0,
                            "{name}, {storage}, {loads:?}, {samples}: {sum}"
                        );
                        found += off;
                    };
                    epochs.run(device, &kernels, dispatch, 1, check).unwrap();
                }
            }
        }
    });
    // The negative control: moved places are found.
    assert!(found >= 36);
}

/// Compares three shards with one over several submits, for both ways to pass parameters.
#[test]
fn three_shards_descend_as_one_does() {
    let source = ChaCha::new(Recipe {
        samples: 3 * BLOCK as u64 - 5,
        ..Recipe::default()
    })
    .unwrap();
    let descend = |engine: &mut GpuEngine| {
        let mut steps = Vec::new();
        let start = Model { w: -1.5, b: 0.5 };
        engine.descend(start, 0.1, 40, &mut steps).unwrap();
        assert_eq!(steps.len(), 40);
        steps
    };
    with_every_adapter(|adapter| {
        for parameters in [Parameters::Immediate, Parameters::Uniform] {
            let options = Options {
                parameters: Some(parameters),
                ..Options::default()
            };
            let mut one = GpuEngine::new(&adapter, &source, Loss::Mse, &options, &|_| {}).unwrap();
            let known = descend(&mut one);
            assert_eq!(one.epochs.shards.len(), 1);
            drop(one);
            let options = Options {
                shard_samples: Some(BLOCK as u64),
                ..options
            };
            let mut three =
                GpuEngine::new(&adapter, &source, Loss::Mse, &options, &|_| {}).unwrap();
            assert_eq!(three.epochs.shards.len(), 3);
            for (step, known) in descend(&mut three).iter().zip(&known) {
                assert!((step.model.w - known.model.w).abs() < 5e-6);
                assert!((step.model.b - known.model.b).abs() < 5e-6);
                assert!((step.sums.loss / known.sums.loss - 1.0).abs() < 5e-6);
            }
        }
    });
}

/// Destroys the device, which is one way of losing it for wgpu.
#[test]
fn a_lost_device_is_an_error_and_not_a_panic() {
    with_every_adapter(|adapter| {
        let source = ChaCha::new(Recipe {
            samples: 1000,
            ..Recipe::default()
        })
        .unwrap();
        let mut engine =
            GpuEngine::new(&adapter, &source, Loss::Mse, &Options::default(), &|_| {}).unwrap();
        let model = Model { w: 1.0, b: 1.0 };
        engine.evaluate(model).unwrap();
        engine.device.device.destroy();
        for _ in 0..2 {
            let lost = engine.evaluate(model);
            assert!(matches!(lost, Err(Error::DeviceLost { .. })), "{lost:?}");
        }
    });
}

#[test]
fn the_workgroup_that_trains_alone_has_an_invocation_for_each_load() {
    for (samples, most, size) in [
        (1, 1024, 64),
        (1000, 1024, 256),
        (5000, 1024, 1024),
        (32_768, 1024, 1024),
        (32_768, 256, 256),
        (1 << 40, 768, 512),
    ] {
        assert_eq!(invocations_alone(false, samples, most), size);
    }
}

/// A submit that takes seconds is given up once the device's patience is over. What it does meanwhile ends by itself.
#[test]
fn a_device_that_does_not_answer_is_given_up() {
    // Each turn waits for the one before. llvmpipe leaves all loops after 65,535 turns, so there are many workgroups.
    let slow = "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
         @compute @workgroup_size(1) fn slow() {
             var a = out[0];
             for (var i = 0u; i < 60000u; i++) {
                 a = (a ^ (a >> 7u)) * 1664525u + 1013904223u;
             }
             out[0] = a;
         }";
    with_every_adapter(|adapter| {
        let mut device = Device::open(&adapter).unwrap();
        let gpu = &device.device;
        let module = gpu.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(slow.into()),
        });
        let pipeline = gpu.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: None,
            compilation_options: Default::default(),
            cache: None,
        });
        let out = gpu.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: 4,
            usage: wgpu::BufferUsages::STORAGE,
            mapped_at_creation: false,
        });
        let group = kernels::bind(gpu, &pipeline.get_bind_group_layout(0), &[(0, &out)]);
        let mut encoder = gpu.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[]);
        for _ in 0..4 {
            pass.dispatch_workgroups(4_000, 1, 1);
        }
        drop(pass);
        let submission = device.submit(encoder, 0);
        if device.software && device.gl {
            println!("{}: computes within the submit", adapter.info());
            return;
        }
        device.time_limit = Duration::ZERO;
        let start = Instant::now();
        let error = device.wait(&submission).unwrap_err();
        assert!(error.to_string().contains("does not answer"), "{error}");
        assert!(
            error.to_string().contains(&adapter.info().driver),
            "{error}"
        );
        println!("{}: given up after {:?}", adapter.info(), start.elapsed());
        // With more bytes it is given more time.
        let encoder = device.device.create_command_encoder(&Default::default());
        let much = device.submit(encoder, 60 * 100_000_000);
        device.wait(&much).unwrap();
    });
}

/// An invalid shader and a buffer above the limit: wgpu tells of both after the call.
#[test]
fn a_validation_error_is_an_error_and_not_a_panic() {
    with_every_adapter(|adapter| {
        let fails = |make: &dyn Fn(&wgpu::Device)| {
            let device = Device::open(&adapter).unwrap();
            make(&device.device);
            let error = device.check().unwrap_err();
            assert!(matches!(error, Error::Gpu { .. }), "{error:?}");
            assert_eq!(error.to_string().lines().count(), 1, "{error}");
        };
        fails(&|gpu| {
            drop(gpu.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: None,
                source: wgpu::ShaderSource::Wgsl("fn no_wgsl( {".into()),
            }));
        });
        fails(&|gpu| {
            drop(gpu.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: gpu.limits().max_buffer_size + 4,
                usage: wgpu::BufferUsages::STORAGE,
                mapped_at_creation: false,
            }));
        });
    });
}
