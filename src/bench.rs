//! What is timed, how often, against what.
//!
//! For each size the samples are drawn once, into the CPU engine's memory, from where every other engine
//! loads them. The engines' sums are compared before anything is timed; who disagrees gets no time. What
//! is timed is an epoch: from the model to the sums on the host.

use std::hint::black_box;
use std::time::{Duration, Instant};

pub use self::clock::Times;
use self::clock::{Batched, Clocked, Contestant, Evaluated, LEARNING_RATE, clock, median};
pub use self::row::{Kind, Phases, Roof, Row, label};
use crate::data::Source;
use crate::engine::cpu::{CpuEngine, allocate_for};
use crate::engine::gpu::adapter::Adapter;
use crate::engine::gpu::program::Storage;
use crate::engine::gpu::tuning::{Tuning, cache};
use crate::engine::gpu::{GpuEngine, Options};
use crate::engine::{Engine, Step};
use crate::error::Error;
use crate::loss::Loss;
use crate::model::{Model, Sums};

pub mod choose;
mod clock;
pub mod compare;
pub mod machine;
pub mod roof;
mod row;

/// The line at which every epoch is computed: well below the samples of the default recipe, so that all
/// but a few terms of each sum have one sign.
pub const MODEL: Model = Model { w: -1.5, b: 0.5 };

/// How far sums at [`MODEL`] may be apart, as a share of Σ|term|. Every addition rounds by 2^-24: on an
/// adapter a term goes through 65 for 1e9 samples (`train.wgsl` counts them), 3.9e-6 at the worst, in the
/// CPU engine through 31, 1.9e-6. Fused or not, a residual is off by some 3 · 2^-24, squared and times x
/// some 8 · 2^-24 of its term, 5e-7, and an adapter's exp by some 1e-6. Most of that averages out: past 1e9
/// samples, too, it stays far below.
const SHARE: f64 = 1e-5;

/// With samples in f16: each is off by 2^-12 of the furthest from the mean at the most, so that many may be off by a
/// thousandth of a residual; over more samples it averages out.
const SHARE_F16: f64 = 1e-3;

/// What to time.
#[derive(Debug)]
pub struct Plan {
    /// Sample counts, in the order they are run.
    pub samples: Vec<u64>,
    /// The loss of every epoch.
    pub loss: Loss,
    /// Who is timed, in this order.
    pub kinds: Vec<Kind>,
    /// What GPU engines run on, one after the other, and what was measured to suit each for large sets.
    pub adapters: Vec<(Adapter, Option<Tuning>)>,
    /// How they store samples.
    pub storage: Storage,
    /// For how long each engine is timed at the least.
    pub min_time: Duration,
    /// The epochs of [`Phases::answer`].
    pub epochs_to_answer: u64,
}

impl Plan {
    /// How many rows a size has.
    pub fn rows_per_size(&self) -> usize {
        let on_adapter = self.kinds.iter().filter(|kind| kind.on_adapter()).count();
        self.kinds.len() - on_adapter + on_adapter * self.adapters.len()
    }
}

/// Draws a data set of so many samples, of the default recipe but for its seed.
pub type Draw<'a> = &'a dyn Fn(u64) -> Result<Box<dyn Source>, Error>;

/// Begins something that takes a while: what, and how much there is to do. What is returned is told of
/// every part done, and dropped at the end.
pub type Begin<'a> = &'a (dyn Fn(&str, u64) -> Box<dyn Fn(u64) + Sync> + Sync);

/// Runs the plan, handing each row to `watch` as it comes. One GPU engine is alive at a time.
///
/// # Errors
/// Where memory is too small for the samples, if it can be told before anything is timed, and what `draw`
/// and `watch` say.
/// An engine that fails or disagrees is no error here: its row says so, and [`verdict`].
pub fn run(
    plan: &Plan,
    draw: Draw,
    begin: Begin,
    watch: &mut dyn FnMut(Row) -> Result<(), Error>,
) -> Result<(), Error> {
    drop(black_box(allocate_for(
        plan.samples.iter().copied().max().unwrap_or(0),
    )?));
    let one_thread = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .map_err(|error| Error::Io {
            doing: "cannot start a thread".to_owned(),
            source: std::io::Error::other(error),
        })?;
    for &samples in &plan.samples {
        let start = Instant::now();
        let source = draw(samples)?;
        let advance = begin("drawing", samples);
        let mut cpu = CpuEngine::untuned(&*source, plan.loss, &*advance)?;
        let draw = start.elapsed().as_secs_f64();
        drop((advance, source));
        let known = cpu.evaluate(MODEL)?;
        let mut walk = Vec::new();
        cpu.descend(MODEL, LEARNING_RATE, WALK, &mut walk)?;
        let contest = Contest {
            plan,
            begin,
            known,
            walk,
            samples,
            draw,
        };
        for &kind in &plan.kinds {
            let of_kind = match kind {
                Kind::Cpu1 => vec![one_thread.install(|| contest.cpu(kind, &mut cpu))],
                Kind::Cpu => vec![contest.cpu(kind, &mut cpu)],
                Kind::Gpu | Kind::GpuBatched => {
                    let adapters = plan.adapters.iter();
                    let row = |(on, tuning)| contest.gpu(kind, on, tuning, &cpu);
                    adapters.map(|(on, tuning)| row((on, *tuning))).collect()
                }
            };
            of_kind.into_iter().try_for_each(&mut *watch)?;
        }
    }
    Ok(())
}

/// What the engines of one size have in common.
struct Contest<'a> {
    plan: &'a Plan,
    begin: Begin<'a>,
    /// The CPU engine's sums at [`MODEL`].
    known: Sums,
    /// Its first epochs from there.
    walk: Vec<Step>,
    samples: u64,
    draw: f64,
}

/// Epochs of a batch that are compared with the host loop's.
const WALK: u64 = 10;

impl Contest<'_> {
    fn cpu(&self, kind: Kind, engine: &mut CpuEngine) -> Row {
        engine.tune();
        let mut row = Row::new(self.samples, kind, self.draw);
        row.threads = Some(engine.threads());
        row.phases.setup = Some(0.0);
        let columns = engine.columns();
        let read = roof::fastest_read(columns.x, columns.y);
        let done = self.time(&mut row, &mut OnCpu { engine, read });
        row.failed(done)
    }

    fn gpu(&self, kind: Kind, adapter: &Adapter, tuning: Option<Tuning>, cpu: &CpuEngine) -> Row {
        let mut row = Row::new(self.samples, kind, self.draw);
        row.adapter = Some(adapter.info().index);
        row.software = adapter.info().software;
        row.storage = self.plan.storage;
        let done = self.on_adapter(&mut row, adapter, tuning, cpu);
        row.failed(done)
    }

    fn on_adapter(
        &self,
        row: &mut Row,
        adapter: &Adapter,
        tuning: Option<Tuning>,
        cpu: &CpuEngine,
    ) -> Result<(), Error> {
        let advance = (self.begin)(&format!("loading {}", row.label()), self.samples);
        let options = Options {
            storage: self.plan.storage,
            tuning: tuning.filter(|_| self.samples >= cache::WORTH),
            ..Options::default()
        };
        let columns = cpu.columns();
        let mut engine = GpuEngine::new(adapter, &columns, self.plan.loss, &options, &*advance)?;
        drop(advance);
        let timings = engine.timings();
        let [device_start, compile, load] =
            [timings.device_start, timings.compile, timings.load].map(|time| time.as_secs_f64());
        row.phases.device_start = Some(device_start);
        row.phases.compile = Some(compile);
        row.phases.load = Some(load);
        row.phases.load_bytes_per_second = Some(row.bytes() as f64 / load);
        row.phases.setup = Some(device_start + compile + load);
        if row.engine == Kind::GpuBatched {
            row.disagreement = self.walks(&mut engine)?.err();
            let (engine, steps) = (&mut engine, Vec::new());
            self.time(row, &mut Batched { engine, steps })?;
        } else {
            self.time(row, &mut Evaluated(&mut engine))?;
        }
        let Some(bandwidth) = row.bytes_per_second else {
            return Ok(());
        };
        let mut kernels = Vec::new();
        let mut readbacks = Vec::new();
        for _ in 0..9 {
            kernels.extend(engine.kernel_time(MODEL)?.map(|time| time.as_secs_f64()));
            readbacks.push(engine.readback_time()?.as_secs_f64());
        }
        row.kernel_seconds = median(kernels);
        row.phases.readback = median(readbacks);
        let roofs = engine.roofs()?;
        row.roof = Some(Roof {
            read_bytes_per_second: roofs.read,
            copy_bytes_per_second: Some(roofs.copy),
            share_of_read: bandwidth / roofs.read,
            share_of_copy: Some(bandwidth / roofs.copy),
        });
        Ok(())
    }

    /// Whether a batch walks as the CPU engine's host loop does; if not, how not.
    fn walks(&self, engine: &mut dyn Engine) -> Result<Result<(), String>, Error> {
        let mut steps = Vec::new();
        engine.descend(MODEL, LEARNING_RATE, WALK, &mut steps)?;
        // What an epoch may be off by, and one sample on either side of a corner of mae or quantile.
        let off = WALK as f64 * LEARNING_RATE * (self.share() + 4.0 / self.samples as f64);
        for (epoch, (step, known)) in steps.iter().zip(&self.walk).enumerate() {
            let (is, right) = (step.model, known.model);
            let far = (is.w - right.w).abs().max((is.b - right.b).abs());
            let near = far <= off * right.w.abs().max(right.b.abs()).max(10.0);
            if !near {
                let (epoch, w, b) = (epoch + 1, is.w, is.b);
                return Ok(Err(format!(
                    "after {epoch} epochs on the device w = {w}, b = {b}; in the CPU engine's host loop w = {}, b = {}",
                    right.w, right.b
                )));
            }
        }
        Ok(Ok(()))
    }

    /// How far sums may be from the CPU engine's.
    fn share(&self) -> f64 {
        match self.plan.storage {
            Storage::F32 => SHARE,
            Storage::F16 => SHARE_F16,
        }
    }

    /// Agreement first; who agrees is timed.
    fn time(&self, row: &mut Row, contestant: &mut dyn Contestant) -> Result<(), Error> {
        let sums = contestant.sums()?;
        row.evaluation = Some(sums.means(self.samples));
        let agreed = agree_within(self.share(), sums, self.known);
        row.disagreement = row.disagreement.take().or(agreed.err());
        row.agrees = Some(row.disagreement.is_none());
        if row.disagreement.is_some() {
            return Ok(());
        }
        let what = format!("timing {}", row.label());
        let Clocked { epoch, roof, share } =
            clock(contestant, self.plan.min_time, &what, self.begin)?;
        let bytes = row.bytes() as f64;
        let bandwidth = |seconds: f64| bytes / seconds;
        row.epoch_seconds = Some(epoch);
        row.samples_per_second = Some(self.samples as f64 / epoch.median);
        row.bytes_per_second = Some(bandwidth(epoch.median));
        row.roof = roof.zip(share).map(|(roof, share)| Roof {
            read_bytes_per_second: bandwidth(roof),
            copy_bytes_per_second: None,
            share_of_read: share,
            share_of_copy: None,
        });
        row.phases.answer = row.phases.setup.map(|setup| {
            row.phases.draw + setup + self.plan.epochs_to_answer as f64 * epoch.median
        });
        Ok(())
    }
}

/// The CPU engine, and who reads the same arrays fastest in the same pool.
struct OnCpu<'a> {
    engine: &'a mut CpuEngine,
    read: fn(&[f32], &[f32]) -> u32,
}

impl Contestant for OnCpu<'_> {
    fn sums(&mut self) -> Result<Sums, Error> {
        Evaluated(self.engine).sums()
    }

    fn epochs(&mut self, count: u64) -> Result<(), Error> {
        Evaluated(self.engine).epochs(count)
    }

    fn roof(&mut self, count: u64) -> bool {
        let columns = self.engine.columns();
        for _ in 0..count {
            black_box((self.read)(columns.x, columns.y));
        }
        true
    }
}

/// Whether sums at [`MODEL`] over the default recipe's samples are the known ones; if not, how not.
///
/// # Errors
/// One line that names the sum that is furthest off, both values and by how much of Σ|term| they differ.
pub fn agree(sums: Sums, known: Sums) -> Result<(), String> {
    agree_within(SHARE, sums, known)
}

fn agree_within(share: f64, sums: Sums, known: Sums) -> Result<(), String> {
    let of = |name, sum: f64, known: f64| {
        // Σ|term| is |Σ term| but for those few terms, and never less: the bound is on the safe side.
        let off = if sum == known {
            0.0
        } else {
            ((sum - known) / known).abs()
        };
        (name, sum, known, off)
    };
    let worst = [
        of("loss", sums.loss, known.loss),
        of("dw", sums.dw, known.dw),
        of("db", sums.db, known.db),
    ]
    .into_iter()
    // No number at all sorts last.
    .max_by(|a, b| a.3.total_cmp(&b.3));
    match worst {
        Some((name, sum, known, off)) if !(..=share).contains(&off) => Err(format!(
            "the sum of {name} is {sum:e}, the CPU engine's {known:e}: off by {off:.1e} of Σ|term|, \
             {share:e} is allowed"
        )),
        _ => Ok(()),
    }
}

/// That every engine agreed with the CPU engine and none failed.
///
/// # Errors
/// [`Error::Disagree`] of the first that didn't, else [`Error::Gpu`] of the first that failed.
pub fn verdict(rows: &[Row]) -> Result<(), Error> {
    let at = |row: &Row, text: &str| format!("{} at {} samples: {text}", row.label(), row.samples);
    let first = |text: fn(&Row) -> Option<&String>| {
        rows.iter()
            .find_map(|row| text(row).map(|text| at(row, text)))
    };
    match (
        first(|row| row.disagreement.as_ref()),
        first(|row| row.failure.as_ref()),
    ) {
        (Some(disagreement), _) => {
            Err(Error::Disagree(format!("engines disagree: {disagreement}")))
        }
        (None, Some(failure)) => Err(Error::Gpu(failure)),
        (None, None) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::synthetic::{ChaCha, Recipe};

    /// An engine whose sums are those of another, but for a factor on one of them.
    struct Off {
        sums: Sums,
        asked: u64,
    }

    impl Engine for Off {
        fn samples(&self) -> u64 {
            1000
        }

        fn evaluate(&mut self, _: Model) -> Result<Sums, Error> {
            self.asked += 1;
            if self.sums.loss < 0.0 {
                return Err(Error::Gpu("out of luck".to_owned()));
            }
            Ok(self.sums)
        }
    }

    const KNOWN: Sums = Sums {
        loss: 50_000.0,
        dw: -12_000.0,
        db: -9000.0,
    };

    /// The row of an engine with these sums beside one that has the known ones, and how often it was asked.
    fn beside(sums: Sums) -> (Vec<Row>, u64) {
        let plan = Plan {
            samples: vec![1000],
            loss: Loss::Mse,
            kinds: vec![],
            adapters: vec![],
            storage: Storage::F32,
            min_time: Duration::from_millis(1),
            epochs_to_answer: 50,
        };
        let contest = Contest {
            plan: &plan,
            begin: &|_, _| Box::new(|_| {}),
            known: KNOWN,
            walk: vec![],
            samples: 1000,
            draw: 0.5,
        };
        let mut asked = 0;
        let rows = [(Kind::Cpu, KNOWN), (Kind::Gpu, sums)].map(|(kind, sums)| {
            let mut row = Row::new(1000, kind, contest.draw);
            row.phases.setup = Some(0.25);
            let mut engine = Off { sums, asked: 0 };
            let done = contest.time(&mut row, &mut Evaluated(&mut engine));
            asked = engine.asked;
            row.failed(done)
        });
        (rows.to_vec(), asked)
    }

    #[test]
    fn who_agrees_has_a_time_and_a_speed_up() {
        let (rows, asked) = beside(Sums {
            dw: KNOWN.dw * (1.0 + 0.9e-5),
            ..KNOWN
        });
        assert!(asked > 10);
        assert_eq!(compare::speedups(&rows).len(), 1);
        assert_eq!(compare::break_even(&rows).per_epoch.len(), 1);
        assert!(verdict(&rows).is_ok());
        for row in &rows {
            assert_eq!(row.agrees, Some(true));
            let seconds = row.seconds().unwrap();
            assert_eq!(row.samples_per_second, Some(1000.0 / seconds));
            assert_eq!(row.bytes_per_second, Some(8000.0 / seconds));
            assert_eq!(row.phases.answer, Some(0.5 + 0.25 + 50.0 * seconds));
        }
    }

    #[test]
    fn who_disagrees_has_neither_and_the_run_ends_with_7() {
        for (sums, name) in [
            (
                Sums {
                    loss: KNOWN.loss * (1.0 - 1.1e-5),
                    ..KNOWN
                },
                "loss",
            ),
            (
                Sums {
                    dw: -KNOWN.dw,
                    ..KNOWN
                },
                "dw",
            ),
            (
                Sums {
                    db: f64::NAN,
                    ..KNOWN
                },
                "db",
            ),
            (Sums::default(), "loss"),
        ] {
            let (rows, asked) = beside(sums);
            assert_eq!(asked, 1, "it is timed");
            assert_eq!((rows[0].agrees, rows[1].agrees), (Some(true), Some(false)));
            let text = rows[1].disagreement.as_ref().unwrap();
            if name != "loss" || sums.loss != 0.0 {
                assert!(text.contains(&format!("the sum of {name} is")), "{text}");
            }
            assert!(rows[1].epoch_seconds.is_none() && rows[1].phases.answer.is_none());
            assert!(rows[1].samples_per_second.is_none() && rows[1].bytes_per_second.is_none());
            assert_eq!(compare::speedups(&rows), []);
            assert!(compare::break_even(&rows).per_epoch.is_empty());
            let error = verdict(&rows).unwrap_err();
            assert_eq!(error.exit_code(), 7);
            assert!(error.to_string().contains(text), "{error}");
        }
    }

    #[test]
    fn who_fails_says_why() {
        let (rows, _) = beside(Sums {
            loss: -1.0,
            ..KNOWN
        });
        assert_eq!((rows[1].agrees, rows[1].seconds()), (None, None));
        assert_eq!(rows[1].failure.as_deref(), Some("out of luck"));
        assert_eq!(verdict(&rows).unwrap_err().exit_code(), 4);
    }

    /// The bound takes |Σ term| for Σ|term|.
    #[test]
    fn terms_at_the_model_have_one_sign() {
        let source = ChaCha::new(Recipe::default()).unwrap();
        let mae = |model| {
            let mut engine = CpuEngine::new(&source, Loss::Mae, &|_| {}).unwrap();
            engine.evaluate(model).unwrap().means(1_000_000)
        };
        let at = mae(MODEL);
        assert!(at.db < -0.999, "{at:?}");
    }
}
