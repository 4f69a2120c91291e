//! What can only be seen from inside: places beyond the end, shards cut small, a lost device.

use std::sync::{Mutex, PoisonError};

use super::program::{Loads, Variant};
use super::*;
use crate::data::synthetic::{ChaCha, Recipe};

/// The tests run in threads of one process, and some drivers don't bear two devices there.
static ONE_DEVICE: Mutex<()> = Mutex::new(());

/// Runs `check` with every adapter, one at a time. No adapter is a failure.
pub(super) fn with_every_adapter(mut check: impl FnMut(Adapter)) {
    let _one = ONE_DEVICE.lock().unwrap_or_else(PoisonError::into_inner);
    let adapters = adapter::list();
    assert!(!adapters.is_empty(), "{}", adapter::none());
    adapters.into_iter().for_each(&mut check);
}

/// Runs `check` with the name and the device of every adapter.
pub(super) fn on_every_adapter(mut check: impl FnMut(&str, &Device)) {
    with_every_adapter(|adapter| {
        let device = Device::open(&adapter).unwrap();
        check(&adapter.info().to_string(), &device);
    });
}

/// The phases with loads that tell of a place beyond the end, and with nothing left out of the sums: what is behind
/// the last sample too is loaded. The proof that they need no bounds checks. `off` is how far a place is off on
/// purpose.
fn telling(storage: Storage, loads: Loads, off: u32) -> String {
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
fn no_place_is_beyond_the_end() {
    let mut found = 0;
    on_every_adapter(|name, device| {
        for (storage, loads) in [
            (Storage::F32, Loads::One),
            (Storage::F32, Loads::Two),
            (Storage::F32, Loads::Four),
            (Storage::F16, Loads::Four),
        ] {
            for off in [0, 1] {
                // With the checks, so that a fault here is a fault found and nothing worse.
                let source = telling(storage, loads, off);
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
                    let (data, way) = Data::new(device, &kernels, shards, Units::DATA, &tuning);
                    let mut ring = Ring::new(&device.device, &kernels, &way);
                    let dispatch = Units::DATA.dispatch(Model { w: 0.0, b: 0.0 }, 0.0);
                    ring.run(device, &kernels, &data, dispatch, 1, |record| {
                        let sum = f64::from(record.totals[0]);
                        // Each load of four once.
                        let right = 4.0 * samples.div_ceil(4) as f64;
                        assert_eq!(
                            (sum - right).abs() <= 0.5,
                            off == 0,
                            "{name}, {storage}, {loads:?}, {samples}: {sum}"
                        );
                        found += off;
                    })
                    .unwrap();
                }
            }
        }
    });
    // The control.
    assert!(found >= 36);
}

/// Three shards against one of the same samples, over several submits, the parameters with the command and not.
#[test]
fn shards_walk_as_one() {
    let source = ChaCha::new(Recipe {
        samples: 3 * crate::data::BLOCK as u64 - 5,
        ..Recipe::default()
    })
    .unwrap();
    let walk = |engine: &mut GpuEngine| {
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
            let known = walk(&mut one);
            let shards = one.data.cut_up(&one.device);
            assert_eq!(shards.len(), 3);
            let opened = Opened {
                device: one.device,
                kernels: one.kernels,
                tuning: Tuning::of_kind(adapter.info()),
                timings: one.timings,
            };
            let mut three = GpuEngine::over(opened, shards, Units::DATA).unwrap();
            for (step, known) in walk(&mut three).iter().zip(&known) {
                assert!((step.model.w - known.model.w).abs() < 5e-6);
                assert!((step.model.b - known.model.b).abs() < 5e-6);
                assert!((step.sums.loss / known.sums.loss - 1.0).abs() < 5e-6);
            }
        }
    });
}

/// By destroying the device, which to wgpu is one way of losing it.
#[test]
fn a_lost_device_is_an_error_and_no_panic() {
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
            let text = match lost {
                Err(Error::Gpu { problem, .. }) => problem,
                other => panic!("{other:?}"),
            };
            assert!(text.ends_with("the device was lost"), "{text}");
        }
    });
}
