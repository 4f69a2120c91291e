//! Epochs in batches on the device, and every variant of the shader, on every adapter.

use crate::common;
use std::ops::ControlFlow;

use common::{Reference, Rounded, losses, on_every_adapter, recipe, synthetic};
use fall_line::data::Source;
use fall_line::data::synthetic::{ChaCha, Recipe};
use fall_line::engine::cpu::CpuEngine;
use fall_line::engine::gpu::adapter::Adapter;
use fall_line::engine::gpu::program::{Parameters, Sum, Variant};
use fall_line::engine::gpu::{ALONE, GpuEngine, Options};
use fall_line::engine::{Engine, Loads, Step, Storage, Tuning};
use fall_line::error::{Error, Setting};
use fall_line::loss::Loss;
use fall_line::model::{Model, Sums};
use fall_line::train::{Config, Descent, Walk, train};

const MODEL: Model = Model { w: -1.5, b: 0.5 };

fn engine<'a>(
    adapter: &Adapter,
    source: &'a dyn Source,
    loss: Loss,
    options: &Options,
) -> GpuEngine<'a> {
    GpuEngine::new(adapter, source, loss, options, &|_| {}).unwrap()
}

fn batch(engine: &mut dyn Engine, epochs: u64, learning_rate: f64) -> Vec<Step> {
    let mut steps = Vec::new();
    engine
        .descend(MODEL, learning_rate, epochs, &mut steps)
        .unwrap();
    assert_eq!(steps.len() as u64, epochs);
    steps
}

/// Runs every variant that the adapter can run, with and without checks, against f64.
#[test]
fn every_variant_gives_the_right_sums() {
    // Around the size that a workgroup trains on alone, and a multiple of nothing.
    let sizes = [1, 5, 8191, ALONE, ALONE + 1, 200_003];
    on_every_adapter(|adapter| {
        let mut ran = 0;
        for samples in sizes {
            let source = synthetic(samples);
            let reference = Reference::new(&source, Loss::Mse, MODEL);
            let rounded = Reference::in_f64(&Rounded::new(&source), Loss::Mse, MODEL);
            for variant in Variant::all() {
                for checks in [false, true] {
                    let options = Options {
                        storage: variant.storage,
                        tuning: Some(Tuning {
                            workgroup_size: 64,
                            workgroups: 3,
                            loads: variant.loads,
                        }),
                        alone: Some(16),
                        sum: Some(variant.sum),
                        parameters: Some(variant.parameters),
                        checks,
                        ..Options::default()
                    };
                    let made = GpuEngine::new(&adapter, &source, Loss::Mse, &options, &|_| {});
                    let mut engine = match made {
                        Ok(engine) => engine,
                        Err(error) => {
                            let lacks = "it has no subgroups";
                            assert!(error.to_string().contains(lacks), "{error}");
                            assert_eq!(variant.sum, Sum::Subgroup);
                            continue;
                        }
                    };
                    ran += 1;
                    let sums = engine.evaluate(MODEL).unwrap();
                    // Compilers may fuse a product and a sum in one and not in the other: no equal bits.
                    let reference = match variant.storage {
                        Storage::F32 => &reference,
                        Storage::F16 => &rounded,
                    };
                    if let Err(wrong) = reference.agrees_within(4e-6, sums) {
                        panic!("{samples} samples, {options:?}: {wrong}");
                    }
                }
            }
        }
        println!("{}: {ran} variants", adapter.info());
        // At least the tree, at every size, with and without checks.
        assert!(ran >= sizes.len() * 24);
    });
}

/// Runs every tuning that can be measured to be fast.
#[test]
fn every_tuning_gives_the_right_sums() {
    let source = synthetic(1_000_003);
    let reference = Reference::new(&source, Loss::Mse, MODEL);
    let small = synthetic(ALONE - 1);
    let small_reference = Reference::new(&small, Loss::Mse, MODEL);
    on_every_adapter(|adapter| {
        for (workgroup_size, workgroups) in [(64, 1), (128, 7), (256, 2048), (512, 65_535)] {
            for (loads, alone) in [(Loads::One, 4), (Loads::Two, 256), (Loads::Four, 512)] {
                let tuning = Tuning {
                    workgroup_size,
                    workgroups,
                    loads,
                };
                let options = Options {
                    tuning: Some(tuning),
                    alone: Some(alone),
                    ..Options::default()
                };
                for (source, reference) in [(&source, &reference), (&small, &small_reference)] {
                    let mut engine = engine(&adapter, source, Loss::Mse, &options);
                    if let Err(wrong) = reference.agrees(engine.evaluate(MODEL).unwrap()) {
                        panic!("{}, {tuning:?}: {wrong}", adapter.info());
                    }
                }
            }
        }
    });
}

/// Compares the batch with the host loop of the CPU engine, epoch by epoch: in one workgroup and in many, over more epochs
/// than one submit holds.
///
/// Both round a residual by some 2^-23 of a prediction below 16: 2e-6. An epoch passes that on to w and b times the learning
/// rate, and later ones shrink it. A batch also rounds the line's drift, of some 4, by 2^-24 an epoch.
#[test]
fn a_batch_goes_as_the_host_loop_does() {
    for (samples, epochs) in [(1, 20), (100, 5000), (ALONE, 100), (200_003, 100)] {
        let source = synthetic(samples);
        for loss in losses() {
            let mut cpu = CpuEngine::new(&source, loss, &|_| {}).unwrap();
            let known = batch(&mut cpu, epochs, 0.05);
            on_every_adapter(|adapter| {
                for parameters in [Parameters::Immediate, Parameters::Uniform] {
                    let options = Options {
                        parameters: Some(parameters),
                        ..Options::default()
                    };
                    let mut gpu = engine(&adapter, &source, loss, &options);
                    let steps = batch(&mut gpu, epochs, 0.05);
                    // Another batch begins where it is told to, not where the last one ended.
                    assert_eq!(batch(&mut gpu, epochs, 0.05), steps);
                    // At a corner of mae or quantile, rounding decides which derivative a sample has. A step then differs
                    // by that of one sample.
                    let corner = match loss {
                        Loss::Mae | Loss::Quantile { .. } => 0.05 * 2.0 * 2.0 / samples as f64,
                        Loss::Mse | Loss::Huber { .. } | Loss::LogCosh => 0.0,
                    };
                    let off = 1e-5 + 4.0 * corner;
                    for (epoch, (step, known)) in steps.iter().zip(&known).enumerate() {
                        let what = format!("{}, {loss}, {samples}, {epoch}", adapter.info());
                        let (is, right) = (step.model, known.model);
                        assert!((is.w - right.w).abs() <= off, "{what}: {is:?}, {right:?}");
                        assert!((is.b - right.b).abs() <= off, "{what}: {is:?}, {right:?}");
                        let mean = |sums: Sums| sums.means(samples).loss;
                        let (is, right) = (mean(step.sums), mean(known.sums));
                        let off = off * right.max(1.0) * 10.0;
                        assert!((is - right).abs() <= off, "{what}: {is}, {right}");
                    }
                }
            });
        }
    }
}

/// The negative control: another learning rate leads to another line.
#[test]
fn another_learning_rate_leads_to_another_line() {
    let source = synthetic(1000);
    on_every_adapter(|adapter| {
        let mut gpu = engine(&adapter, &source, Loss::Mse, &Options::default());
        let [one, other] = [0.05, 0.0501].map(|rate| batch(&mut gpu, 10, rate));
        assert!((one[9].model.w - other[9].model.w).abs() > 1e-4);
    });
}

/// The steps are far below the last digit of w in f32: a line kept in f32 would stand still.
#[test]
fn steps_below_the_last_digit_add_up() {
    let source = ChaCha::new(Recipe {
        slope: 1000.0,
        intercept: 1000.0,
        ..recipe(1000)
    })
    .unwrap();
    let start = Model {
        w: 1000.0,
        b: 999.0,
    };
    on_every_adapter(|adapter| {
        let mut gpu = engine(&adapter, &source, Loss::Mse, &Options::default());
        let mut steps = Vec::new();
        let (epochs, rate) = (2000, 1e-6);
        gpu.descend(start, rate, epochs, &mut steps).unwrap();
        // The first step is some 2e-6, and half of the last digit of 999 is 3e-5.
        let gradient = steps[0].sums.means(1000);
        assert!((rate * gradient.db).abs() < 3e-6);
        let drift = steps[1999].model.b - start.b;
        let expected = -rate * gradient.db * epochs as f64;
        assert!((drift / expected - 1.0).abs() < 0.01, "{drift}, {expected}");
    });
}

#[test]
fn a_batch_finds_divergence_and_keeps_the_last_finite_line() {
    let source = synthetic(1000);
    on_every_adapter(|adapter| {
        for sync_every in [1, 7, 1000] {
            let mut gpu = engine(&adapter, &source, Loss::Mse, &Options::default());
            let config = Config {
                epochs: 1000,
                descent: Descent::gd(10.0),
                stop: None,
                start: MODEL,
                sync_every,
            };
            let mut seen = Vec::new();
            let ended = train(
                &mut gpu,
                &config,
                &mut Walk::new(&config),
                &mut |epoch, _| {
                    seen.push(*epoch);
                    ControlFlow::Continue(())
                },
            );
            match ended {
                Err(Error::Diverged { epoch, last, .. }) => {
                    assert_eq!(epoch as usize, seen.len() + 1);
                    assert_eq!(last, seen.last().unwrap().model());
                    assert!(seen.iter().all(|epoch| epoch.loss.is_finite()));
                }
                other => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn a_step_that_f32_cannot_hold_is_refused() {
    let source = synthetic(1000);
    on_every_adapter(|adapter| {
        let mut gpu = engine(&adapter, &source, Loss::Mse, &Options::default());
        for rate in [1e-37, 1e42] {
            let mut steps = Vec::new();
            match gpu.descend(MODEL, rate, 2, &mut steps) {
                Err(Error::Setting { setting, problem }) => {
                    assert_eq!(setting, Setting::SyncEvery);
                    assert!(problem.contains("beyond the range of f32"), "{problem}");
                }
                other => panic!("{other:?}"),
            }
        }
    });
}

/// Stores data in f16 that lie around 0, far from it, with gross errors, and a column of one value.
#[test]
fn f16_keeps_eleven_bits_of_any_range() {
    let recipes = [
        recipe(100_003),
        Recipe {
            x_range: -1e6..3e6,
            slope: 1e-3,
            ..recipe(5000)
        },
        Recipe {
            x_range: 1e4..1.0001e4,
            ..recipe(5000)
        },
        Recipe {
            outliers: 0.01,
            x_range: 0.0..1e-6,
            ..recipe(5000)
        },
        Recipe {
            slope: 0.0,
            noise: 0.0,
            ..recipe(5000)
        },
    ];
    let options = Options {
        storage: Storage::F16,
        ..Options::default()
    };
    for recipe in recipes {
        let source = ChaCha::new(recipe.clone()).unwrap();
        let rounded = Rounded::new(&source);
        for loss in losses() {
            let reference = Reference::in_f64(&rounded, loss, MODEL);
            on_every_adapter(|adapter| {
                let sums = engine(&adapter, &source, loss, &options)
                    .evaluate(MODEL)
                    .unwrap();
                // Four times the bound of f32, because x and y are scaled and shifted too.
                if let Err(wrong) = reference.agrees_within(8e-6, sums) {
                    panic!("{}, {loss}, {recipe:?}: {wrong}", adapter.info());
                }
            });
        }
    }
}

/// A value is off by at most 2^-12 of the furthest one, and the line by that over the root of the sample count.
#[test]
fn f16_costs_few_digits_of_the_line() {
    let samples = 100_003;
    let source = synthetic(samples);
    on_every_adapter(|adapter| {
        for sync_every in [1, 100] {
            let [f32, f16] = [Storage::F32, Storage::F16].map(|storage| {
                let options = Options {
                    storage,
                    ..Options::default()
                };
                let config = Config {
                    epochs: 300,
                    descent: Descent::gd(0.1),
                    stop: None,
                    start: MODEL,
                    sync_every,
                };
                let mut gpu = engine(&adapter, &source, Loss::Mse, &options);
                let trained = train(&mut gpu, &config, &mut Walk::new(&config), &mut |_, _| {
                    ControlFlow::Continue(())
                });
                trained.unwrap().model
            });
            // y is at most 8 from its mean, and 5 deviations are not chance.
            let off = 5.0 * 8.0 * 2_f64.powi(-12) / (samples as f64).sqrt();
            assert!((f32.w - f16.w).abs() < off, "{f32:?}, {f16:?}");
            assert!((f32.b - f16.b).abs() < 2.0 * off, "{f32:?}, {f16:?}");
            assert!(f32 != f16);
        }
    });
}

/// The device steps over samples that are centred and scaled, and answers in the data's units. It goes as the host loop does
/// over the same samples, also if x is far from 0.
#[test]
fn a_batch_in_f16_goes_as_the_host_loop_does() {
    let options = Options {
        storage: Storage::F16,
        ..Options::default()
    };
    for (x_range, learning_rate) in [(0.0..2.0, 0.05), (-7.0..1.0, 0.01), (1e4..10_001.0, 4e-9)] {
        for samples in [5000, 100_003] {
            let source = ChaCha::new(Recipe {
                x_range: x_range.clone(),
                ..recipe(samples)
            })
            .unwrap();
            on_every_adapter(|adapter| {
                let mut gpu = engine(&adapter, &source, Loss::Mse, &options);
                let steps = batch(&mut gpu, 50, learning_rate);
                let mut line = MODEL;
                for (epoch, step) in steps.iter().enumerate() {
                    let gradient = gpu.evaluate(line).unwrap().means(samples);
                    line.w -= learning_rate * gradient.dw;
                    line.b -= learning_rate * gradient.db;
                    let what = format!("{}, {x_range:?}, {epoch}", adapter.info());
                    // As a share of the whole distance, and of the line, which f32 rounds.
                    let far = [line.w - MODEL.w, line.b - MODEL.b].map(f64::abs);
                    for (is, right, far) in [
                        (step.model.w, line.w, far[0]),
                        (step.model.b, line.b, far[1]),
                    ] {
                        assert!(
                            (is - right).abs() <= 2e-5 * far + 1e-6,
                            "{what}: {is}, {right}"
                        );
                    }
                }
            });
        }
    }
}
