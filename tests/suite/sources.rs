//! Sources of a caller's own, and what statistics and engines say of samples that can't be used.

use crate::common;
use common::on_every_adapter;
use fall_line::data::goodness::Goodness;
use fall_line::data::host::Columns;
use fall_line::data::scaling::{Scaled, Scaling};
use fall_line::data::statistics::{Observed, Statistics};
use fall_line::data::{BLOCK, Block, Source, positions};
use fall_line::engine::cpu::CpuEngine;
use fall_line::engine::gpu::{GpuEngine, Options};
use fall_line::error::{Axis, Error};
use fall_line::loss::Loss;
use fall_line::model::Model;

/// The samples of a source with a fault: a block and a half.
const SAMPLES: u64 = (BLOCK + BLOCK / 2) as u64;

/// A fault of a source, in its second block.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    TooFew,
    TooMany,
    OneYTooFew,
    /// A value in the third sample of the block.
    X(f64),
    Y(f64),
}

struct Faulty(Fault);

impl Source for Faulty {
    fn samples(&self) -> u64 {
        SAMPLES
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        block.clear();
        for position in positions(index, SAMPLES) {
            block.push((position as f64, 2.0 * position as f64));
        }
        if index == 1 {
            match self.0 {
                Fault::None => {}
                Fault::TooFew => {
                    block.x.pop();
                    block.y.pop();
                }
                Fault::TooMany => block.push((1.0, 2.0)),
                Fault::OneYTooFew => {
                    block.y.pop();
                }
                Fault::X(value) => block.x[2] = value,
                Fault::Y(value) => block.y[2] = value,
            }
        }
        Ok(())
    }

    fn title(&self) -> String {
        "my samples".to_owned()
    }
}

struct NoSamples;

impl Source for NoSamples {
    fn samples(&self) -> u64 {
        0
    }

    fn read(&self, _: u64, block: &mut Block) -> Result<(), Error> {
        block.clear();
        Ok(())
    }

    fn title(&self) -> String {
        "no samples".to_owned()
    }
}

/// Returns the errors of all that reads a source on the host.
fn errors(source: &dyn Source) -> [Option<Error>; 5] {
    let statistics = Statistics::default();
    let line = Model { w: 2.0, b: 0.0 };
    let cpu = |source: &dyn Source| CpuEngine::new(source, Loss::Mse, &|_| {}).err();
    [
        Statistics::of(source, &|_| {}).err(),
        Goodness::of(source, line, &statistics.y).err(),
        cpu(source),
        cpu(&Observed::new(source, None)),
        cpu(&Scaled::new(source, Scaling::NONE)),
    ]
}

/// Asserts that an error names the source and the fault.
fn check(error: &Error, fault: Fault) {
    let half = BLOCK as u64 / 2;
    let (promised_x, promised_y) = match fault {
        Fault::TooFew => (half - 1, half - 1),
        Fault::TooMany => (half + 1, half + 1),
        _ => (half, half - 1),
    };
    match (fault, error) {
        (
            Fault::TooFew | Fault::TooMany | Fault::OneYTooFew,
            Error::Block {
                title,
                block: 1,
                promised,
                x,
                y,
            },
        ) => {
            assert_eq!(title, "my samples");
            assert_eq!([*promised, *x, *y], [half, promised_x, promised_y]);
        }
        (
            Fault::X(bad) | Fault::Y(bad),
            Error::Value {
                title,
                axis,
                position,
                value,
            },
        ) => {
            let expected = if matches!(fault, Fault::X(_)) {
                Axis::X
            } else {
                Axis::Y
            };
            assert_eq!((title.as_str(), *axis), ("my samples", expected));
            assert_eq!(*position, BLOCK as u64 + 2);
            assert_eq!(value.to_bits(), bad.to_bits());
        }
        _ => panic!("{fault:?}: {error:?}"),
    }
}

const FAULTS: [Fault; 8] = [
    Fault::TooFew,
    Fault::TooMany,
    Fault::OneYTooFew,
    Fault::X(f64::NAN),
    Fault::X(f64::INFINITY),
    Fault::Y(f64::NAN),
    Fault::Y(f64::NEG_INFINITY),
    Fault::Y(1e39),
];

#[test]
fn a_fault_of_a_source_is_an_error_that_names_it() {
    for fault in FAULTS {
        // What is beyond f32 is an error for engines alone.
        let in_f64 = if matches!(fault, Fault::Y(1e39)) {
            2
        } else {
            0
        };
        for (at, error) in errors(&Faulty(fault)).into_iter().enumerate() {
            match error {
                Some(error) if at >= in_f64 => check(&error, fault),
                None if at < in_f64 => {}
                other => panic!("{fault:?} for {at}: {other:?}"),
            }
        }
    }
    assert!(errors(&Faulty(Fault::None)).iter().all(Option::is_none));
}

#[test]
fn a_source_without_samples_is_an_error() {
    for error in errors(&NoSamples) {
        match error {
            Some(Error::Empty { title }) => assert_eq!(title, "no samples"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn every_adapter_refuses_what_the_cpu_engine_refuses() {
    on_every_adapter(|adapter| {
        let new = |source: &dyn Source| {
            GpuEngine::new(&adapter, source, Loss::Mse, &Options::default(), &|_| {}).map(|_| ())
        };
        for fault in FAULTS {
            check(&new(&Faulty(fault)).unwrap_err(), fault);
        }
        assert!(matches!(new(&NoSamples), Err(Error::Empty { .. })));
        new(&Faulty(Fault::None)).unwrap();
    });
}

#[test]
fn columns_of_unequal_length_or_without_values_are_refused() {
    let error = Columns::new(&[1.0, 2.0], &[1.0_f64]).unwrap_err();
    assert!(matches!(error, Error::Lengths { x: 2, y: 1 }), "{error:?}");
    let error = Columns::<f32>::new(&[], &[]).unwrap_err();
    assert!(matches!(error, Error::Empty { .. }), "{error:?}");
}

#[test]
fn columns_of_f64_keep_their_digits() {
    let (x, y) = ([0.1, 0.2, 0.3], [1e300, 1.0, -1.0]);
    let columns = Columns::new(&x, &y).unwrap();
    let mut block = Block::default();
    columns.read(0, &mut block).unwrap();
    assert_eq!((block.x, block.y), (x.to_vec(), y.to_vec()));
    // f32 has no such number.
    let error = CpuEngine::new(&columns, Loss::Mse, &|_| {}).unwrap_err();
    assert!(matches!(error, Error::Value { .. }), "{error:?}");
}
