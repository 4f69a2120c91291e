//! The checks, on one engine whose samples are replaced for each.
//!
//! All are of the loss `mae`, most at the line y = 0. There the loss is Σ|y|, and dw is Σ sign(−y)·x. db counts the samples
//! below the line less those above. Whole numbers have exact sums in f32 up to 2^24, in whatever order they are added.

use std::time::{Duration, Instant};

use crate::data::host::{self, Columns};
use crate::engine::gpu::adapter::{Adapter, Info, Kind};
use crate::engine::gpu::program::Sum;
use crate::engine::gpu::{GpuEngine, Options};
use crate::engine::{Engine, Storage};
use crate::error::{Error, counted, grouped};
use crate::loss::Loss;
use crate::model::{Model, Sums};

use super::Check;

/// Sizes around a load of four samples, a workgroup, its turns, and the step from one workgroup to many.
const RAGGED: [u32; 18] = [
    1, 2, 3, 4, 5, 63, 65, 255, 257, 1023, 1025, 4097, 16_385, 32_767, 32_768, 32_769, 65_535,
    65_537,
];
/// Invocations of the one workgroup: more than a software adapter has in a register, so that barriers count.
const INVOCATIONS: u32 = 64;
/// The two sizes of most checks: for one workgroup, and for many.
const FEW: u32 = 64;
const MANY: u32 = 65_537;
/// Samples in memory for these sizes. Those behind the last one that counts are not 0, so that one too many shows.
const SMALL: u32 = 65_600;
/// The largest number that f32 reaches by adding ones, one by one.
const COUNTABLE: u32 = 1 << 24;
/// The largest binding that is checked on a software adapter, whose memory is the host's: WebGPU's default limit.
const SOFTWARE_BINDING: u64 = 128 << 20;
/// The smallest binding that is tried if there is no memory for larger ones.
const LEAST_BINDING: u64 = 1 << 20;
/// The largest number of samples of a binding: a position must fit u32.
const MOST: u64 = 1 << 30;
/// No memory and no cache is read faster, in bytes per second.
const FASTEST: f64 = 1e14;
/// Epochs of a batch that is compared.
const BATCH: u64 = 24;
/// Time that the timed epochs take on a slow adapter. A fast one takes less.
const TIMED: Duration = Duration::from_millis(100);

/// The verdict on an adapter.
pub enum Verdict {
    Right(String),
    Wrong(String),
    /// In bytes per second.
    Speed(f64),
    /// The adapter can't do what the check is about.
    Lacks(&'static str),
}

/// An adapter under examination.
pub struct Probe<'a> {
    adapter: &'a Adapter,
    engine: GpuEngine<'static>,
}

impl<'a> Probe<'a> {
    /// Opens the adapter and compiles the shaders.
    pub fn new(adapter: &'a Adapter) -> Result<Self, Error> {
        let engine = engine(adapter, None)?;
        Ok(Probe { adapter, engine })
    }

    /// Makes a check.
    pub fn make(&mut self, check: Check) -> Result<Verdict, Error> {
        match check {
            Check::Compile => Ok(self.compiled()),
            Check::OneWorkgroup => self.one_workgroup(),
            Check::RaggedSizes => self.ragged_sizes(),
            Check::NotFinite => self.not_finite(),
            Check::Batches => self.batches(),
            Check::SubgroupAndTree => self.subgroup_and_tree(),
            Check::LargestBinding => self.largest_binding(),
            Check::ManyOnes => self.many_ones(),
            Check::Timestamps => self.timestamps(),
            Check::Bandwidth => self.bandwidth(),
        }
    }

    fn compiled(&self) -> Verdict {
        let timings = self.engine.timings();
        Verdict::Right(format!(
            "{}, device opened in {}",
            milliseconds(timings.compile),
            milliseconds(timings.device_start)
        ))
    }

    fn one_workgroup(&mut self) -> Result<Verdict, Error> {
        // A number for each invocation, which loads four samples.
        let x: Vec<f32> = (1..=INVOCATIONS)
            .flat_map(|number| [number as f32, 0.0, 0.0, 0.0])
            .collect();
        let y: Vec<f32> = x.iter().map(|x| -x).collect();
        let samples = 4 * INVOCATIONS;
        self.engine.replace_by_zeros(samples)?;
        self.engine.write(0, &x, &y)?;
        let sum = f64::from(INVOCATIONS * (INVOCATIONS + 1) / 2);
        let right = Sums {
            loss: sum,
            dw: sum,
            db: INVOCATIONS.into(),
        };
        let wrong = differs(&mut self.engine, samples, right)?;
        Ok(wrong.unwrap_or_else(|| Verdict::Right(sum.to_string())))
    }

    fn ragged_sizes(&mut self) -> Result<Verdict, Error> {
        set_small(&mut self.engine)?;
        for samples in RAGGED {
            if let Some(wrong) = differs(&mut self.engine, samples, exact(samples))? {
                return Ok(wrong);
            }
        }
        let [first, .., last] = RAGGED.map(|samples| grouped(samples.into()));
        let sizes = RAGGED.len();
        Ok(Verdict::Right(format!("{sizes} from {first} to {last}")))
    }

    fn not_finite(&mut self) -> Result<Verdict, Error> {
        set_small(&mut self.engine)?;
        for samples in [FEW, MANY] {
            self.engine.use_first(samples);
            let mut loss_at = |w| Ok::<_, Error>(self.engine.evaluate(Model { w, b: 0.0 })?.loss);
            let nan = loss_at(f64::NAN)?;
            // At an x of 2 beyond the range of f32.
            let infinity = loss_at(3e38)?;
            if !nan.is_nan() || infinity != f64::INFINITY {
                return Ok(Verdict::Wrong(format!(
                    "the losses at w = NaN and 3e38 are {nan} and {infinity}, not NaN and inf"
                )));
            }
        }
        Ok(Verdict::Right("NaN, inf".to_owned()))
    }

    fn batches(&mut self) -> Result<Verdict, Error> {
        set_small(&mut self.engine)?;
        let (mut batch, mut epoch) = (Vec::new(), Vec::new());
        // The line moves by multiples of a power of two, and stays below 32: it is exact in f32, on the device and on the
        // host. The powers let it pass through samples.
        for (samples, unit) in [(FEW, 1024.0), (MANY, 65_536.0)] {
            if let Some(wrong) = differs(&mut self.engine, samples, exact(samples))? {
                return Ok(wrong);
            }
            let rate = f64::from(samples) / unit;
            self.engine.descend(Model::ZERO, rate, BATCH, &mut batch)?;
            let mut model = Model::ZERO;
            for (number, step) in (1..).zip(&batch) {
                self.engine.descend(model, rate, 1, &mut epoch)?;
                model = epoch[0].model.rounded();
                if step.sums != epoch[0].sums || step.model.rounded() != model {
                    return Ok(Verdict::Wrong(format!(
                        "epoch {number} of {}: {}, to w {}, b {} on the device; {}, to w {}, b {} by the host",
                        counted(samples.into(), "sample"),
                        in_words(step.sums),
                        step.model.w,
                        step.model.b,
                        in_words(epoch[0].sums),
                        model.w,
                        model.b
                    )));
                }
            }
        }
        Ok(Verdict::Right(format!("{BATCH} epochs, to the bit")))
    }

    /// Checks the tree, if the other checks are of subgroups. They are equal if both are exact.
    fn subgroup_and_tree(&mut self) -> Result<Verdict, Error> {
        if self.adapter.abilities().subgroup_sizes.is_none() {
            return Ok(Verdict::Lacks("the adapter has no subgroups"));
        }
        let mut tree = engine(self.adapter, Some(Sum::Tree))?;
        for engine in [&mut self.engine, &mut tree] {
            set_small(engine)?;
            for samples in [FEW, MANY] {
                if let Some(wrong) = differs(engine, samples, exact(samples))? {
                    return Ok(wrong);
                }
            }
        }
        Ok(Verdict::Right("to the bit".to_owned()))
    }

    fn largest_binding(&mut self) -> Result<Verdict, Error> {
        let info = self.adapter.info();
        let mut bytes = largest_binding(info);
        let samples = loop {
            // Whole loads of four samples.
            let samples = (bytes / 16 * 4).min(MOST) as u32;
            match self.engine.replace_by_zeros(samples) {
                Ok(()) => break samples,
                Err(Error::DeviceMemory { .. }) if bytes > LEAST_BINDING => bytes /= 2,
                Err(error) => return Err(error),
            }
        };
        self.engine.write(samples - 1, &[3.0], &[-5.0])?;
        let right = Sums {
            loss: 5.0,
            dw: 3.0,
            db: 1.0,
        };
        let wrong = differs(&mut self.engine, samples, right)?;
        let mebibytes = (u64::from(samples) * Storage::F32.bytes()) >> 20;
        let all = info.binding_bytes >> 20;
        Ok(wrong.unwrap_or_else(|| Verdict::Right(format!("{mebibytes} of {all} MiB"))))
    }

    fn many_ones(&mut self) -> Result<Verdict, Error> {
        // The position 2^24 has an x of its own.
        let (samples, piece) = (COUNTABLE + 2, 1 << 20);
        self.engine.replace_by_zeros(samples)?;
        let (x, y) = (vec![0.0; piece], vec![-1.0; piece]);
        for from in (0..COUNTABLE).step_by(piece) {
            self.engine.write(from, &x, &y)?;
        }
        self.engine.write(COUNTABLE, &[1.0, 0.0], &[-1.0, -1.0])?;
        // f32 has no 2^24 + 1: either neighbour is right. A sum that stuck at 2^24 fails to reach 2^24 + 2.
        for (samples, slack) in [(COUNTABLE + 1, 1.0), (COUNTABLE + 2, 0.0)] {
            self.engine.use_first(samples);
            let Sums { loss, dw, db } = self.engine.evaluate(Model::ZERO)?;
            let right = [loss, db]
                .iter()
                .all(|ones| (ones - f64::from(samples)).abs() <= slack);
            if !right || dw != 1.0 {
                return Ok(Verdict::Wrong(format!(
                    "{} ones are {loss} and {db}, and the x of sample 2^24 is {dw}, not 1",
                    grouped(samples.into())
                )));
            }
        }
        let counted = grouped(samples.into());
        Ok(Verdict::Right(format!("counted to {counted}")))
    }

    /// Compares the device's time of an epoch over the samples of [`Check::ManyOnes`] with the host's.
    fn timestamps(&mut self) -> Result<Verdict, Error> {
        let start = Instant::now();
        let Some(device) = self.engine.kernel_time(Model::ZERO, false)? else {
            return Ok(Verdict::Lacks("the adapter has no timestamp queries"));
        };
        let host = start.elapsed();
        let detail = format!(
            "epoch {}, by the host {}",
            milliseconds(device),
            milliseconds(host)
        );
        let least = Duration::from_secs_f64(self.bytes() / FASTEST);
        Ok(if least <= device && device <= host {
            Verdict::Right(detail)
        } else {
            Verdict::Wrong(detail)
        })
    }

    /// Times a batch over the samples of [`Check::ManyOnes`].
    fn bandwidth(&mut self) -> Result<Verdict, Error> {
        let epochs = self.epochs_to_time()?;
        let start = Instant::now();
        let (rate, mut steps) = (1.0, Vec::new());
        self.engine
            .descend(Model::ZERO, rate, epochs.into(), &mut steps)?;
        let epoch = start.elapsed() / epochs;
        let speed = self.bytes() / epoch.as_secs_f64();
        Ok(if speed <= FASTEST {
            Verdict::Speed(speed)
        } else {
            Verdict::Wrong(format!("epoch {}: too short", milliseconds(epoch)))
        })
    }

    /// Returns the number of epochs that take about as long as [`TIMED`].
    fn epochs_to_time(&mut self) -> Result<u32, Error> {
        let start = Instant::now();
        self.engine.evaluate(Model::ZERO)?;
        let epochs = TIMED.as_secs_f64() / start.elapsed().as_secs_f64();
        Ok(epochs.clamp(1.0, 64.0) as u32)
    }

    /// Returns the bytes that an epoch reads.
    fn bytes(&self) -> f64 {
        (self.engine.samples() * Storage::F32.bytes_per_sample()) as f64
    }
}

/// Returns a time in words.
fn milliseconds(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1e3;
    let digits = if milliseconds < 10.0 { 2 } else { 0 };
    format!("{milliseconds:.digits$} ms")
}

/// Compiles the shaders for an adapter.
fn engine(adapter: &Adapter, sum: Option<Sum>) -> Result<GpuEngine<'static>, Error> {
    let options = Options {
        sum,
        alone: Some(INVOCATIONS),
        ..Options::default()
    };
    // An engine compares its first sums with the host's. Over a sample at 0 they agree on any adapter, and each check has its
    // own say.
    GpuEngine::new(adapter, Columns::ORIGIN, Loss::Mae, &options, &|_| {})
}

/// Returns a sample of the small checks: x is 0, 1, 2 in turn, −y is 1 to 64 in turn.
fn sample(position: u32) -> (u32, u32) {
    (position % 3, position % 64 + 1)
}

/// Replaces an engine's samples by these.
fn set_small(engine: &mut GpuEngine) -> Result<(), Error> {
    let samples = (0..SMALL).map(sample);
    let (x, y): (Vec<f32>, Vec<f32>) = samples.map(|(x, y)| (x as f32, -(y as f32))).unzip();
    engine.replace_by_zeros(SMALL)?;
    engine.write(0, &x, &y)
}

/// Returns the exact sums over the first of these samples.
fn exact(samples: u32) -> Sums {
    let (x, y) = (0..samples)
        .map(sample)
        .fold((0, 0), |sums, (x, y)| (sums.0 + x, sums.1 + y));
    Sums {
        loss: y.into(),
        dw: x.into(),
        db: samples.into(),
    }
}

/// Returns what is wrong with the sums over the first samples, if they are not exactly these.
fn differs(engine: &mut GpuEngine, samples: u32, right: Sums) -> Result<Option<Verdict>, Error> {
    engine.use_first(samples);
    let sums = engine.evaluate(Model::ZERO)?;
    Ok((sums != right).then(|| {
        Verdict::Wrong(format!(
            "{}: {}; right is {}",
            counted(samples.into(), "sample"),
            in_words(sums),
            in_words(right)
        ))
    }))
}

/// Returns sums in words.
fn in_words(Sums { loss, dw, db }: Sums) -> String {
    format!("loss {loss}, dw {dw}, db {db}")
}

/// Returns the bytes of the largest binding to check.
fn largest_binding(info: &Info) -> u64 {
    let most = match info.kind {
        Kind::Software => SOFTWARE_BINDING,
        // Two of them come out of the host's memory, which others use.
        Kind::Integrated => host::available().map_or(SOFTWARE_BINDING, |bytes| bytes / 8),
        _ => u64::MAX,
    };
    info.binding_bytes.min(most)
}
