//! Streaming through small shards, with more pieces than records, and its control.

use super::*;
use crate::data::Block;
use crate::data::host::Columns;
use crate::engine::gpu::adapter::Adapter;
use crate::engine::gpu::layout::Placement;
use crate::engine::gpu::program::Parameters;
use crate::engine::gpu::tests::with_every_adapter;
use crate::engine::gpu::units::Units;
use crate::engine::gpu::{GpuEngine, Options};
use crate::engine::{Engine, Storage};
use crate::loss::Loss;
use crate::model::{Model, Sums};

const MODEL: Model = Model { w: -1.5, b: 0.5 };

/// Returns an engine that keeps `resident` blocks in shards of `per_shard`, and streams the others through slots of `slot`.
fn streamed<'a>(
    adapter: &Adapter,
    source: &'a dyn Source,
    options: &Options,
    [resident, per_shard, slot]: [u64; 3],
) -> GpuEngine<'a> {
    let samples = |blocks| blocks * BLOCK as u64;
    let placement = Placement::new(
        options.storage,
        source.samples(),
        samples(resident),
        samples(per_shard),
        samples(slot),
    );
    let loss = Loss::Mse;
    let engine =
        GpuEngine::with_placement(adapter, Box::new(source), loss, options, placement, &|_| {})
            .unwrap();
    assert_eq!(engine.placement(), placement);
    let shards = engine.epochs.shards.len() as u64;
    assert_eq!(shards, resident.div_ceil(per_shard));
    engine
}

/// Returns whole numbers that are squared and added without rounding. Every sum is exact in any order, so a sample that is
/// missing, added twice or taken from elsewhere shows.
fn exact(samples: usize) -> (Vec<f32>, Vec<f32>) {
    let x = (0..samples).map(|i| ((i * 7919) % 3) as f32);
    let y = (0..samples).map(|i| ((i / 1000 + i) % 4) as f32);
    (x.collect(), y.collect())
}

#[test]
fn no_sample_is_lost_in_any_placement() {
    let samples = 9 * BLOCK + 77;
    let (x, y) = exact(samples);
    // At w = 1, b = −1 residuals are whole numbers from −4 to 1, and a block's sums are below 2^24.
    let model = Model { w: 1.0, b: -1.0 };
    let mut right = Sums::default();
    for (x, y) in x
        .iter()
        .zip(&y)
        .map(|(&x, &y)| (f64::from(x), f64::from(y)))
    {
        let residual = x - 1.0 - y;
        right = right
            + Sums {
                loss: residual * residual,
                dw: 2.0 * residual * x,
                db: 2.0 * residual,
            };
    }
    let source = Columns::new(&x, &y).unwrap();
    with_every_adapter(|adapter| {
        for storage in [Storage::F32, Storage::F16] {
            for parameters in [Parameters::Immediate, Parameters::Uniform] {
                for blocks in [
                    [0, 4, 1],
                    [0, 4, 3],
                    [1, 4, 2],
                    [4, 4, 5],
                    [5, 2, 1],
                    [9, 2, 1],
                    [6, 1, 32],
                ] {
                    let options = Options {
                        storage,
                        parameters: Some(parameters),
                        ..Options::default()
                    };
                    let mut engine = streamed(&adapter, &source, &options, blocks);
                    let sums = engine.evaluate(model).unwrap();
                    let what = format!("{}, {options:?}, {blocks:?}", adapter.info());
                    match storage {
                        Storage::F32 => assert_eq!(sums, right, "{what}"),
                        // Centred on a mean that is not a whole number.
                        Storage::F16 => {
                            let off = |is: f64, right: f64| (is - right).abs() < 1e-4 * right.abs();
                            assert!(off(sums.loss, right.loss), "{what}: {sums:?}");
                            assert!(off(sums.dw, right.dw), "{what}: {sums:?}");
                            assert!(off(sums.db, right.db), "{what}: {sums:?}");
                        }
                    }
                }
            }
        }
    });
}

/// The control covers the samples that stay and those that are streamed.
#[test]
fn samples_that_go_astray_on_the_first_pass_are_an_error() {
    let (x, y) = exact(4 * BLOCK);
    let source = Columns::new(&x, &y).unwrap();
    let of = |blocks: Range<usize>| {
        let samples = blocks.start * BLOCK..blocks.end * BLOCK;
        Control::new(Loss::Mse, &x[samples.clone()], &y[samples])
    };
    with_every_adapter(|adapter| {
        let options = Options::default();
        let mut engine = streamed(&adapter, &source, &options, [2, 2, 1]);
        // The control of the samples that stay.
        engine.check(of(0..2), &|_| {}).unwrap();
        for wrong in [of(0..1), of(0..3)] {
            let error = engine.check(wrong, &|_| {}).unwrap_err();
            assert!(error.to_string().contains("wrong sums"), "{error}");
        }
        let mut engine = streamed(&adapter, &source, &options, [0, 2, 1]);
        engine.check(Control::default(), &|_| {}).unwrap();
        engine.check(of(0..1), &|_| {}).unwrap_err();
        // The device has other samples than the host, as if a copy had gone astray.
        let slot = &mut engine.stream.as_mut().unwrap().slots[0];
        slot.shard.y = slot.shard.x.clone();
        engine.check(Control::default(), &|_| {}).unwrap_err();
        assert!(engine.evaluate(MODEL).is_ok());
    });
}

/// Streams more pieces, of a block each, than there are records.
#[test]
fn pieces_share_records_if_there_are_more_of_them() {
    let pieces = RECORDS as usize + 2;
    let block = vec![1.0; BLOCK];
    /// A source that yields one block again and again.
    struct Again<'a>(Columns<'a>, usize);
    impl Source for Again<'_> {
        fn samples(&self) -> u64 {
            (self.1 * BLOCK) as u64
        }
        fn read(&self, _: u64, block: &mut Block) -> Result<(), Error> {
            self.0.read(0, block)
        }
        fn title(&self) -> String {
            "again".to_owned()
        }
    }
    let source = Again(Columns::new(&block, &block).unwrap(), pieces);
    with_every_adapter(|adapter| {
        let options = Options::default();
        let mut engine = streamed(&adapter, &source, &options, [1, 1, 1]);
        let mut records = 0;
        let dispatch = Units::DATA.dispatch(Model { w: 3.0, b: 0.0 }, 0.0);
        let mut sums = Sums::default();
        engine
            .pass(dispatch, None, |record| {
                records += 1;
                sums = sums + record.sums();
            })
            .unwrap();
        // The block that stays, and two pieces a record.
        assert_eq!(records, 1 + (pieces - 1).div_ceil(2));
        let samples = source.samples() as f64;
        let [loss, dw, db] = [4.0, 4.0, 4.0].map(|term| term * samples);
        assert_eq!(sums, Sums { loss, dw, db });
    });
}
