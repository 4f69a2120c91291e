//! The sums of every engine on every adapter against an f64 reference.

use crate::common;
use common::{
    Reference, losses, on_every_adapter, on_every_engine, on_every_engine_with, recipe, synthetic,
};
use fall_line::data::numpy::Numpy;
use fall_line::data::synthetic::{ChaCha, Recipe};
use fall_line::data::{BLOCK, Block, Source, positions};
use fall_line::engine::cpu::CpuEngine;
use fall_line::engine::gpu::{GpuEngine, Options};
use fall_line::engine::{Engine, Loads, Storage, Tuning};
use fall_line::error::Error;
use fall_line::loss::Loss;
use fall_line::model::{Model, Sums};

/// Sizes around a vec4, a SIMD register, a workgroup, a workgroup's turns, a block; and a ragged million.
const SIZES: [u64; 20] = [
    1, 2, 3, 4, 5, 63, 64, 65, 255, 256, 257, 4095, 4096, 4097, 16_383, 16_384, 16_385, 65_536,
    65_537, 1_000_003,
];

/// A line off the optimum, and one at it, where the gradient cancels.
const MODELS: [Model; 2] = [Model { w: -1.5, b: 0.5 }, Model { w: 3.0, b: 4.0 }];

/// Asserts that the sums of every engine are those of f64.
fn assert_agreement(source: &dyn Source, model: Model, losses: &[Loss]) {
    assert_agreement_with(&Options::default(), source, model, losses);
}

/// Asserts the same with options for the GPU engines.
fn assert_agreement_with(options: &Options, source: &dyn Source, model: Model, losses: &[Loss]) {
    for &loss in losses {
        let reference = Reference::new(source, loss, model);
        on_every_engine_with(options, source, loss, |name, engine| {
            if let Err(wrong) = reference.agrees(engine.evaluate(model).unwrap()) {
                let (title, samples) = (source.title(), source.samples());
                panic!("{name}, {loss:?}, {samples} samples of {title}, {model:?}: {wrong}");
            }
        });
    }
}

#[test]
fn sums_agree_with_f64_for_every_loss_and_size() {
    for loss in losses() {
        for samples in SIZES {
            let source = synthetic(samples);
            on_every_engine(&source, loss, |name, engine| {
                assert_eq!(engine.samples(), samples);
                for model in MODELS {
                    // At the optimum a few samples may all have a residual near 0, whose rounding is that of the
                    // prediction. No bound by the term itself holds there.
                    if model == MODELS[1] && samples < 64 {
                        continue;
                    }
                    let reference = Reference::new(&source, loss, model);
                    if let Err(wrong) = reference.agrees(engine.evaluate(model).unwrap()) {
                        panic!("{name}, {loss:?}, {samples} samples, {model:?}: {wrong}");
                    }
                }
            });
        }
    }
}

/// Samples of a shard: few enough for every adapter's memory to hold several shards.
const SHARD: u64 = 40 * BLOCK as u64;
/// Samples of three shards, the last one ragged.
const THREE_SHARDS: u64 = 2 * SHARD + 12_345;

/// Shards of [`SHARD`] samples, shared out as suits the adapter, and among more workgroups than one turn of
/// reduce_partials adds up.
fn in_shards() -> [Options; 2] {
    let tuning = Tuning {
        workgroup_size: 64,
        workgroups: 8192,
        loads: Loads::One,
    };
    assert!(tuning.workgroups(SHARD as u32) > 4096);
    [None, Some(tuning)].map(|tuning| Options {
        tuning,
        shard_samples: Some(SHARD),
        ..Options::default()
    })
}

#[test]
fn sums_agree_with_f64_across_shards() {
    let source = synthetic(THREE_SHARDS);
    for options in in_shards() {
        assert_agreement_with(&options, &source, MODELS[0], &Loss::ALL);
    }
}

/// Samples on the line y = 0, except those around each block's ends, whose residual is 1 and whose x counts the blocks.
///
/// All sums are whole numbers that f32 holds. So a sample shows that is lost or added twice where blocks, uploads,
/// workgroups and shards meet; no bound by Σ|term| would notice it.
struct Marks {
    samples: u64,
}

impl Marks {
    /// Samples that are marked at each end of a block.
    const EACH: u64 = 5;

    fn mark(&self, position: u64) -> Option<f64> {
        let (index, at) = (position / BLOCK as u64, position % BLOCK as u64);
        let from_end = (BLOCK as u64 - at).min(self.samples - position);
        (at < Self::EACH || from_end <= Self::EACH).then_some(index as f64 % 8.0)
    }
}

impl Source for Marks {
    fn samples(&self) -> u64 {
        self.samples
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        block.clear();
        for position in positions(index, self.samples) {
            block.push(self.mark(position).map_or((0.0, 0.0), |x| (x, -1.0)));
        }
        Ok(())
    }

    fn title(&self) -> String {
        "marks".to_owned()
    }
}

#[test]
fn no_sample_is_lost_or_added_twice() {
    for samples in [1, 3, 16_385, 65_536, 65_541, 2_097_153, THREE_SHARDS] {
        let source = Marks { samples };
        let (mut count, mut sum) = (0.0, 0.0);
        for x in (0..samples).filter_map(|position| source.mark(position)) {
            count += 1.0;
            sum += x;
        }
        let expected = Sums {
            loss: count,
            dw: 2.0 * sum,
            db: 2.0 * count,
        };
        assert!(expected.dw < (1 << 24) as f64);
        for options in in_shards() {
            on_every_engine_with(&options, &source, Loss::Mse, |name, engine| {
                let sums = engine.evaluate(Model { w: 0.0, b: 0.0 }).unwrap();
                assert_eq!(sums, expected, "{name}, {samples} samples, {options:?}");
            });
        }
    }
}

#[test]
fn other_data_agree_too() {
    let outliers = Recipe {
        outliers: 0.2,
        x_range: -5.0..7.5,
        ..recipe(70_001)
    };
    let sources: [&dyn Source; 2] = [
        &Numpy::new(recipe(70_001), &|_| {}).unwrap(),
        &ChaCha::new(outliers).unwrap(),
    ];
    for source in sources {
        assert_agreement(source, MODELS[0], &losses());
    }
}

/// Tries residuals of a thousandth, where the closed form of ln cosh r has no digit left.
#[test]
fn small_residuals_keep_their_digits() {
    let small = ChaCha::new(Recipe {
        slope: 0.0,
        intercept: 0.0,
        noise: 1e-3,
        ..recipe(4097)
    })
    .unwrap();
    let model = Model { w: 0.0, b: 1e-3 };
    assert_agreement(&small, model, &losses());
}

/// Tries residuals of 1e6, where e^r overflows.
#[test]
fn large_residuals_do_not_overflow() {
    let source = synthetic(4097);
    let model = Model { w: -1e6, b: 1e3 };
    assert_agreement(&source, model, &losses());
}

/// The negative control: the checks above can fail.
#[test]
fn another_loss_does_not_agree() {
    let source = synthetic(4097);
    let reference = Reference::new(&source, Loss::Mse, MODELS[0]);
    on_every_engine(&source, Loss::Mae, |name, engine| {
        let sums = engine.evaluate(MODELS[0]).unwrap();
        assert!(reference.agrees(sums).is_err(), "{name}: {sums:?}");
    });
}

#[test]
fn the_same_data_give_the_same_bits() {
    let source = synthetic(1_000_003);
    for loss in losses() {
        let mut first = Vec::new();
        on_every_engine(&source, loss, |_, engine| {
            let sums = engine.evaluate(MODELS[0]).unwrap();
            assert_eq!(sums, engine.evaluate(MODELS[0]).unwrap());
            first.push(sums);
        });
        // Engines built anew.
        let mut again = first.iter();
        on_every_engine(&source, loss, |name, engine| {
            let sums = engine.evaluate(MODELS[0]).unwrap();
            assert_eq!(again.next(), Some(&sums), "{name}, {loss:?}");
        });
    }
}

/// Blocks of very different sizes, so that the order of a sum shows in its rounding.
struct Uneven(ChaCha);

impl Source for Uneven {
    fn samples(&self) -> u64 {
        self.0.samples()
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        self.0.read(index, block)?;
        for y in &mut block.y {
            *y *= 1e5_f64.powi((index % 3) as i32);
        }
        Ok(())
    }

    fn title(&self) -> String {
        self.0.title()
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let source = Uneven(synthetic(3_000_003));
    let sums = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| {
            let mut engine = CpuEngine::new(&source, Loss::Mse, &|_| {}).unwrap();
            engine.evaluate(MODELS[0]).unwrap()
        })
    };
    let one = sums(1);
    assert_eq!(one, sums(2));
    assert_eq!(one, sums(7));
}

#[test]
fn progress_counts_every_sample_once() {
    use std::sync::atomic::{AtomicU64, Ordering};
    let source = synthetic(2_200_001);
    let counted = |load: &dyn Fn(fall_line::data::OnLoad)| {
        let count = AtomicU64::new(0);
        load(&|n| {
            count.fetch_add(n, Ordering::Relaxed);
        });
        assert_eq!(count.into_inner(), source.samples());
    };
    counted(&|on_load| {
        CpuEngine::new(&source, Loss::Mse, on_load).unwrap();
    });
    on_every_adapter(|adapter| {
        counted(&|on_load| {
            GpuEngine::new(&adapter, &source, Loss::Mse, &Options::default(), on_load).unwrap();
        });
    });
}

/// A source that breaks its promise in one block.
struct Broken {
    source: ChaCha,
    block: u64,
    /// True if the block lacks a sample; else it has a value that is not finite.
    short: bool,
}

impl Source for Broken {
    fn samples(&self) -> u64 {
        self.source.samples()
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        self.source.read(index, block)?;
        if index == self.block && self.short {
            block.x.pop();
            block.y.pop();
        } else if index == self.block {
            block.y[7] = f64::NAN;
        }
        Ok(())
    }

    fn title(&self) -> String {
        "broken".to_owned()
    }
}

/// A broken promise is an error of every engine, in samples that stay and in streamed ones, and not a wrong line.
#[test]
fn a_source_that_breaks_its_promise_is_an_error() {
    let refused = |error: Error, short: bool| {
        let right = match error {
            Error::Block { .. } => short,
            Error::Value { position, .. } => !short && position % BLOCK as u64 == 7,
            _ => false,
        };
        assert!(right, "{error}");
    };
    for (block, short) in [(1, true), (1, false), (20, true), (20, false)] {
        let source = Broken {
            source: synthetic(21 * BLOCK as u64 - 5),
            block,
            short,
        };
        refused(
            CpuEngine::new(&source, Loss::Mse, &|_| {}).unwrap_err(),
            short,
        );
        on_every_adapter(|adapter| {
            for storage in [Storage::F32, Storage::F16] {
                for memory in [None, Some(16 * BLOCK as u64 * storage.bytes_per_sample())] {
                    let options = Options {
                        storage,
                        memory,
                        ..Options::default()
                    };
                    let made = GpuEngine::new(&adapter, &source, Loss::Mse, &options, &|_| {});
                    refused(made.unwrap_err(), short);
                }
            }
        });
    }
}

/// Lines beside each other, not a whole number of four: a kernel takes four at a time.
const MANY: [Model; 7] = [
    MODELS[0],
    Model { w: 0.0, b: 0.0 },
    Model { w: 3.5, b: 2.0 },
    Model { w: -2.0, b: 8.0 },
    Model { w: 10.0, b: -3.0 },
    Model { w: 2.0, b: 5.5 },
    Model { w: 3.0, b: 3.0 },
];

/// Asserts that the losses at many lines are those of f64. The gradients beside them are those of one line.
fn assert_losses(name: &str, engine: &mut dyn Engine, references: &[Reference]) {
    let losses = engine.losses(&MANY).unwrap();
    assert_eq!(losses.len(), MANY.len());
    for ((&loss, &model), reference) in losses.iter().zip(&MANY).zip(references) {
        let sums = Sums {
            loss,
            ..engine.evaluate(model).unwrap()
        };
        // A few samples may all be near the line: the rounding of the prediction is then a larger part of a residual.
        let bound = if engine.samples() < 64 { 1e-5 } else { 2e-6 };
        if let Err(wrong) = reference.agrees_within(bound, sums) {
            panic!("{name}, {} samples, {model:?}: {wrong}", engine.samples());
        }
    }
    // The loss of another line would be seen.
    let other = Sums {
        loss: losses[0],
        ..engine.evaluate(MANY[1]).unwrap()
    };
    assert!(references[1].agrees(other).is_err(), "{name}");
    // They do not depend on what they are asked for with.
    assert_eq!(engine.losses(&MANY[2..3]).unwrap(), losses[2..3], "{name}");
    assert_eq!(engine.losses(&[]).unwrap(), [0.0; 0], "{name}");
}

#[test]
fn the_losses_of_many_lines_at_once_agree_with_f64() {
    let check = |options: &Options, source: &dyn Source, loss: Loss| {
        let references = MANY.map(|model| Reference::new(source, loss, model));
        on_every_engine_with(options, source, loss, |name, engine| {
            assert_losses(name, engine, &references);
        });
    };
    for loss in losses() {
        for samples in [1, 3, 5, 257, 4097, 65_537, 300_001] {
            check(&Options::default(), &synthetic(samples), loss);
        }
    }
    for options in in_shards() {
        check(&options, &synthetic(THREE_SHARDS), Loss::Mae);
    }
}
