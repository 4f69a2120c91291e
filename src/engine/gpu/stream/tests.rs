//! Shards cut small, more pieces than records, and the control.

use super::*;
use crate::data::host::Columns;
use crate::engine::gpu::plan::Layout;
use crate::engine::gpu::program::{Parameters, Storage};
use crate::engine::gpu::tests::with_every_adapter;

const MODEL: Model = Model { w: -1.5, b: 0.5 };

fn way() -> First<'static> {
    First {
        loss: Loss::Mse,
        on_load: &|_| {},
    }
}

/// An engine that keeps so many blocks in shards of so many, and streams the others through slots of so many.
fn streamed<'a>(
    adapter: &Adapter,
    source: &'a dyn Source,
    options: &Options,
    [resident, per_shard, slot]: [u64; 3],
) -> Streamed<'a> {
    let samples = |blocks| blocks * BLOCK as u64;
    let opened = Opened::new(adapter, source.samples(), Loss::Mse, options).unwrap();
    let layout = Layout {
        storage: options.storage,
        samples: source.samples(),
        resident: samples(resident),
        per_shard: samples(per_shard),
        slot: samples(slot),
    };
    let placed = shards::place(&opened.device, layout).unwrap();
    assert_eq!(placed.shards.len() as u64, resident.div_ceil(per_shard));
    Streamed::over(opened, placed, source, way()).unwrap()
}

/// Whole numbers that are squared and added without rounding: every sum is exact, in whatever order, and a sample that
/// is left out, taken twice or taken from elsewhere shows.
fn exact(samples: usize) -> (Vec<f32>, Vec<f32>) {
    let x = (0..samples).map(|i| ((i * 7919) % 3) as f32);
    let y = (0..samples).map(|i| ((i / 1000 + i) % 4) as f32);
    (x.collect(), y.collect())
}

#[test]
fn no_sample_is_lost_however_it_is_cut() {
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
                for cut in [
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
                    let mut engine = streamed(&adapter, &source, &options, cut);
                    let sums = engine.evaluate(model).unwrap();
                    let what = format!("{}, {options:?}, {cut:?}", adapter.info());
                    match storage {
                        Storage::F32 => assert_eq!(sums, right, "{what}"),
                        // Centred on a mean that is no whole number.
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

/// The control: the sums of what stays and of what is streamed, both.
#[test]
fn samples_that_go_astray_on_the_first_pass_are_found_out() {
    let (x, y) = exact(4 * BLOCK);
    let source = Columns::new(&x, &y).unwrap();
    let of = |blocks: Range<usize>| {
        let samples = blocks.start * BLOCK..blocks.end * BLOCK;
        Control::new(Loss::Mse, &x[samples.clone()], &y[samples])
    };
    with_every_adapter(|adapter| {
        let options = Options::default();
        let mut engine = streamed(&adapter, &source, &options, [2, 2, 1]);
        // What `over` gave it was the control of what stays.
        engine.check(of(0..2), way()).unwrap();
        for wrong in [of(0..1), of(0..3)] {
            let error = engine.check(wrong, way()).unwrap_err();
            assert!(error.to_string().contains("wrong sums"), "{error}");
        }
        let mut engine = streamed(&adapter, &source, &options, [0, 2, 1]);
        engine.check(Control::default(), way()).unwrap();
        engine.check(of(0..1), way()).unwrap_err();
        // Samples that the device has and the host has not, as if a copy had gone astray.
        let (shard, _) = &engine.stream.as_ref().unwrap().slots[0];
        let other = shard.clone();
        engine.stream.as_mut().unwrap().slots[0].0 = Shard {
            y: other.x.clone(),
            ..other
        };
        engine.check(Control::default(), way()).unwrap_err();
        assert!(engine.evaluate(MODEL).is_ok());
    });
}

/// More pieces than there are records: a block each.
#[test]
fn pieces_share_records_where_there_are_more_of_them() {
    let pieces = 2 * RECORDS as usize;
    let block = vec![1.0; BLOCK];
    /// One block over and over.
    struct Again<'a>(Columns<'a>, usize);
    impl Source for Again<'_> {
        fn samples(&self) -> u64 {
            (self.1 * BLOCK) as u64
        }
        fn read(&self, _: u64, block: &mut crate::data::Block) -> Result<(), Error> {
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
        // The block that stays, and three pieces a record.
        assert_eq!(records, 1 + (pieces - 1).div_ceil(3));
        let samples = source.samples() as f64;
        let [loss, dw, db] = [4.0, 4.0, 4.0].map(|term| term * samples);
        assert_eq!(sums, Sums { loss, dw, db });
    });
}
