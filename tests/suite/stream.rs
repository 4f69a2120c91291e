//! Data sets that don't fit the device's memory, on every adapter.

use crate::common;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::sleep;
use std::time::Duration;

use common::{Reference, Rounded, all, losses, on_every_adapter, recipe, synthetic};
use fall_line::data::host::Columns;
use fall_line::data::threefry::Threefry;
use fall_line::data::{BLOCK, Block, Source};
use fall_line::engine::gpu::adapter::Adapter;
use fall_line::engine::gpu::{GpuEngine, Options};
use fall_line::engine::{Engine, Storage};
use fall_line::error::{Error, Setting};
use fall_line::loss::Loss;
use fall_line::model::{Model, Sums};
use fall_line::train::{Config, Descent, Trained, Walk, train};

const MODEL: Model = Model { w: -1.5, b: 0.5 };
const BLOCKS: u64 = BLOCK as u64;

/// Returns options with device memory for `blocks` blocks.
fn options(storage: Storage, blocks: u64) -> Options {
    Options {
        storage,
        memory: Some(blocks * BLOCKS * storage.bytes_per_sample()),
        ..Options::default()
    }
}

fn streamed<'a>(
    adapter: &Adapter,
    source: &'a dyn Source,
    loss: Loss,
    options: &Options,
) -> GpuEngine<'a> {
    let engine = GpuEngine::new(adapter, source, loss, options, &|_| {}).unwrap();
    assert!(engine.placement().streamed > 0);
    assert_eq!(engine.samples(), source.samples());
    engine
}

fn cpu_columns(block: &Block) -> [Vec<f32>; 2] {
    [&block.x, &block.y].map(|column| column.iter().map(|&value| value as f32).collect())
}

/// Tries whole and ragged numbers of blocks and of pieces, in memory that keeps none, one and many blocks of them. A piece's
/// sums are as short as a shard's and are added in f64, so the bound is that of a set that stays.
#[test]
fn sums_are_those_of_f64() {
    // Samples, and the blocks that fit; slots are an eighth of these.
    let sizes = [
        (2 * BLOCKS + 1, 2),
        (3 * BLOCKS, 2),
        (5 * BLOCKS + 1021, 3),
        (40 * BLOCKS - 1, 24),
        (40 * BLOCKS, 39),
    ];
    for (samples, blocks) in sizes {
        let [x, y] = cpu_columns(&all(&synthetic(samples)));
        let source = Columns::new(&x, &y).unwrap();
        let rounded = Rounded::new(&source);
        let small = samples < 10 * BLOCKS;
        for loss in losses()
            .into_iter()
            .filter(|&loss| small || loss == Loss::Mse)
        {
            let f32 = Reference::new(&source, loss, MODEL);
            let f16 = Reference::in_f64(&rounded, loss, MODEL);
            on_every_adapter(|adapter| {
                for (storage, reference, bound) in
                    [(Storage::F32, &f32, 2e-6), (Storage::F16, &f16, 8e-6)]
                {
                    let options = options(storage, blocks);
                    let mut engine = streamed(&adapter, &source, loss, &options);
                    let placement = engine.placement();
                    assert!(placement.device_bytes <= options.memory.unwrap());
                    assert_eq!(placement.resident == 0, blocks == 2);
                    let sums = engine.evaluate(MODEL).unwrap();
                    let what = format!("{}, {samples}, {loss}, {storage}", adapter.info());
                    if let Err(wrong) = reference.agrees_within(bound, sums) {
                        panic!("{what}: {wrong}");
                    }
                    let loss_alone = engine.losses(&[MODEL]).unwrap()[0];
                    let by_itself = Sums {
                        loss: loss_alone,
                        ..sums
                    };
                    if let Err(wrong) = reference.agrees_within(bound, by_itself) {
                        panic!("{what}, the loss by itself: {wrong}");
                    }
                    // The same bits, again and from another engine.
                    assert_eq!(engine.evaluate(MODEL).unwrap(), sums, "{what}");
                    let again = streamed(&adapter, &source, loss, &options).evaluate(MODEL);
                    assert_eq!(again.unwrap(), sums, "{what}");
                    // Each is within the bound of the same.
                    let whole = Options {
                        memory: None,
                        ..options
                    };
                    let whole = GpuEngine::new(&adapter, source, loss, &whole, &|_| {});
                    let whole = Reference {
                        sums: whole.unwrap().evaluate(MODEL).unwrap(),
                        ..*reference
                    };
                    if let Err(wrong) = whole.agrees_within(2.0 * bound, sums) {
                        panic!("{what}: {wrong}");
                    }
                }
            });
        }
    }
}

/// The negative control: missing samples show, and so does another loss.
#[test]
fn sums_of_other_samples_are_not_taken_for_these() {
    let [x, y] = cpu_columns(&all(&synthetic(5 * BLOCKS + 1021)));
    let reference = Reference::new(&Columns::new(&x, &y).unwrap(), Loss::Mse, MODEL);
    let lacks = |range: std::ops::Range<usize>| Columns::new(&x[range.clone()], &y[range]).unwrap();
    on_every_adapter(|adapter| {
        let options = options(Storage::F32, 3);
        for (source, loss) in [
            (lacks(0..x.len() - 8), Loss::Mse),
            (lacks(8..x.len()), Loss::Mse),
            (lacks(0..x.len()), Loss::Mae),
        ] {
            let mut engine = streamed(&adapter, &source, loss, &options);
            assert!(reference.agrees(engine.evaluate(MODEL).unwrap()).is_err());
        }
    });
}

/// A source whose blocks are slow, and whose block `bad` can't be read once that is set.
struct Moody<S> {
    source: S,
    bad: AtomicU64,
    /// Microseconds that a block takes, times up to 4.
    slow: AtomicU64,
}

impl<S: Source> Moody<S> {
    fn new(source: S) -> Self {
        Moody {
            source,
            bad: AtomicU64::new(u64::MAX),
            slow: AtomicU64::new(0),
        }
    }
}

impl<S: Source> Source for Moody<S> {
    fn samples(&self) -> u64 {
        self.source.samples()
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        if index == self.bad.load(Relaxed) {
            return Err(Error::Data(format!("block {index} is gone")));
        }
        let micros = self.slow.load(Relaxed) * (index * 7 % 5);
        sleep(Duration::from_micros(micros));
        self.source.read(index, block)
    }

    fn title(&self) -> String {
        self.source.title()
    }
}

#[test]
fn timing_changes_no_bit() {
    let source = Moody::new(synthetic(21 * BLOCKS + 3));
    on_every_adapter(|adapter| {
        let mut engine = streamed(&adapter, &source, Loss::LogCosh, &options(Storage::F32, 16));
        let known = engine.evaluate(MODEL).unwrap();
        for slow in [0, 1000, 5000, 0] {
            source.slow.store(slow, Relaxed);
            assert_eq!(engine.evaluate(MODEL).unwrap(), known);
        }
        let other = Model { w: -1.49, b: 0.5 };
        assert!(engine.evaluate(other).unwrap() != known);
    });
}

/// A source may fail while samples are loaded, both those that stay and those that are streamed, and in an epoch. The next
/// epoch is right again.
#[test]
fn a_failing_source_is_an_error_and_may_recover() {
    let source = Moody::new(synthetic(21 * BLOCKS));
    let gone = |result: Result<Sums, Error>| match result {
        Err(Error::Data(text)) => text,
        other => panic!("{other:?}"),
    };
    on_every_adapter(|adapter| {
        for storage in [Storage::F32, Storage::F16] {
            let options = options(storage, 16);
            for bad in [0, 11, 12, 20] {
                source.bad.store(bad, Relaxed);
                let made = GpuEngine::new(&adapter, &source, Loss::Mse, &options, &|_| {});
                let text = gone(made.map(|_| Sums::default()));
                assert_eq!(text, format!("block {bad} is gone"));
            }
            source.bad.store(u64::MAX, Relaxed);
            let mut engine = streamed(&adapter, &source, Loss::Mse, &options);
            assert_eq!(engine.placement().resident, 12 * BLOCKS);
            let known = engine.evaluate(MODEL).unwrap();
            // The blocks that stay are not read again.
            source.bad.store(11, Relaxed);
            assert_eq!(engine.evaluate(MODEL).unwrap(), known);
            for bad in [12, 13, 14, 16, 20] {
                source.bad.store(bad, Relaxed);
                for _ in 0..3 {
                    let text = gone(engine.evaluate(MODEL));
                    assert_eq!(text, format!("block {bad} is gone"));
                }
                source.bad.store(u64::MAX, Relaxed);
                assert_eq!(engine.evaluate(MODEL).unwrap(), known);
            }
        }
    });
}

fn walk(engine: &mut dyn Engine, sync_every: u64) -> Result<Trained, Error> {
    let config = Config {
        epochs: 30,
        descent: Descent::gd(0.1),
        stop: None,
        start: MODEL,
        sync_every,
    };
    train(engine, &config, &mut Walk::new(&config), &mut |_, _| {
        ControlFlow::Continue(())
    })
}

/// An epoch's sums are within 4e-6 of Σ|term| of one another, and a gradient's terms are below 20 here. So a step differs by
/// 0.1 · 8e-5. Each later step leaves less than 0.98 of that, so they add up to at most some 30 of these.
#[test]
fn training_goes_as_it_does_without_a_stream() {
    let source = synthetic(21 * BLOCKS + 3);
    on_every_adapter(|adapter| {
        let whole = &Options::default();
        let mut whole = GpuEngine::new(&adapter, &source, Loss::Mse, whole, &|_| {}).unwrap();
        let right = walk(&mut whole, 1).unwrap();
        let mut engine = streamed(&adapter, &source, Loss::Mse, &options(Storage::F32, 12));
        let trained = walk(&mut engine, 1).unwrap();
        assert_eq!(trained.epochs, 30);
        let off = 30.0 * 0.1 * 8e-5;
        for (is, right) in [
            (trained.model.w, right.model.w),
            (trained.model.b, right.model.b),
        ] {
            assert!((is - right).abs() < off, "{trained:?}, {right}");
            assert!((is - MODEL.w).abs() > 1.0 && (is - MODEL.b).abs() > 1.0);
        }
        // The line can't stay on the device.
        match walk(&mut engine, 2) {
            Err(Error::Setting { setting, problem }) => {
                assert_eq!(setting, Setting::SyncEvery);
                assert!(problem.starts_with("must be 1"), "{problem}");
            }
            other => panic!("{other:?}"),
        }
    });
}

/// Nothing is streamed if all samples fit, and batches of epochs run on the device.
#[test]
fn a_set_that_fits_stays() {
    let source = synthetic(100_003);
    on_every_adapter(|adapter| {
        let mut sums = Vec::new();
        for memory in [None, Some(2_000_000)] {
            let options = Options {
                memory,
                ..Options::default()
            };
            let mut engine =
                GpuEngine::new(&adapter, &source, Loss::Mse, &options, &|_| {}).unwrap();
            let placement = engine.placement();
            assert_eq!(placement.streamed, 0);
            assert_eq!(placement.notice(), None);
            let description = engine.description();
            assert_eq!(description.resident, source.samples());
            assert_eq!(description.driver.as_deref(), Some(&*adapter.info().driver));
            assert_eq!(walk(&mut engine, 10).unwrap().epochs, 30);
            sums.push(engine.evaluate(MODEL).unwrap());
        }
        assert_eq!(sums[0], sums[1]);
    });
}

/// Samples that are drawn on the device must fit it. Others are streamed, and the progress of loading counts each once.
#[test]
fn too_little_memory_is_reported() {
    let samples = 21 * BLOCKS + 3;
    let source = synthetic(samples);
    on_every_adapter(|adapter| {
        let options = options(Storage::F32, 20);
        let threefry = Threefry::new(recipe(samples)).unwrap();
        match GpuEngine::drawn(&adapter, &threefry, Loss::Mse, &options) {
            Err(error @ Error::DeviceMemory { .. }) => {
                let text = error.to_string();
                let says = "not enough memory: 11 MB needed, 10 MB available; use fewer samples, another generator";
                assert!(text.contains(says), "{text}");
            }
            other => panic!("{other:?}"),
        }

        let seen = AtomicU64::new(0);
        let on_load = |samples| {
            seen.fetch_add(samples, Relaxed);
        };
        let mut engine = GpuEngine::new(&adapter, &source, Loss::Mse, &options, &on_load).unwrap();
        engine.evaluate(MODEL).unwrap();
        assert_eq!(seen.load(Relaxed), samples);
        assert!(engine.timings().load > Duration::ZERO);
        let placement = engine.placement();
        assert_eq!(placement.resident, 16 * BLOCKS);
        assert_eq!(placement.streamed, 5 * BLOCKS + 3);
        assert_eq!(placement.epoch_bytes, 8 * placement.streamed);
        assert_eq!(
            placement.notice().unwrap(),
            "327683 of 1376259 samples don't fit the device's memory: 2.6 MB are uploaded each epoch"
        );
    });
}
