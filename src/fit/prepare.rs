//! A fit before its samples are loaded: what is known of them, and how the run will go.

use std::time::{Duration, Instant};

use super::Fit;
use super::checkpoint::Checkpoint;
use super::monitor::{Monitor, Notice, Phase};
use super::options::{Options, is_drawn_on_the_device};
use super::setup::{Known, Setup, check, wants_robust_start};
use crate::data::far::{self, Bulk, FarAndNear};
use crate::data::scaling::Scaled;
use crate::data::statistics::{Observed, Statistics};
use crate::data::{self, Block, Source};
use crate::engine::cluster::End;
use crate::engine::{Chosen, Storage, not_in_batches};
use crate::error::{Error, Setting};
use crate::loss::Loss;
use crate::train::{self, DEVIATION_OF_MEDIAN, RobustStart};

/// Synthetic samples up to which their statistics are computed beforehand: it takes a moment, and says more than the
/// recipe.
const FEW: u64 = 1 << 20;

/// A fit whose options are resolved.
pub struct Prepared<'a> {
    pub(super) options: Options,
    /// The samples as engines see them.
    pub(super) samples: Scaled<Observed<Box<dyn Source + 'a>>>,
    pub(super) setup: Setup,
    /// Samples that are too far off for the engine, in its coordinates.
    pub(super) far: Vec<(f64, f64)>,
    /// The statistics, as far as they are known before the samples are loaded.
    pub(super) statistics: Option<Statistics>,
    /// The time of the pass over the samples that computed them; `None` if there was none.
    pub(super) reading: Option<Duration>,
    pub(super) chosen: Chosen,
    pub(super) monitor: &'a dyn Monitor,
    /// The end of the descent, which ranks agree on.
    pub(super) end: End,
    pub(super) start: Instant,
}

impl<'a> Fit<'a> {
    /// Chooses the engine, reads the samples' statistics as far as they are needed, and resolves the options.
    ///
    /// A function set by [`Fit::on_epoch`] is for [`Fit::run`] alone: [`Loaded::descend`](super::Loaded::descend) takes its
    /// own.
    ///
    /// # Errors
    /// Those of [`Options::choose_engine`], of the source, [`Error::Empty`], [`Error::ConstantX`], [`Error::Setting`],
    /// [`Error::LearningRate`], and [`Error::Data`] for an x that varies too little.
    pub fn prepare(self) -> Result<Prepared<'a>, Error> {
        let chosen = self.options.choose_engine()?;
        self.prepare_for(chosen)
    }

    /// Does what [`Fit::prepare`] does for an engine that is chosen already.
    ///
    /// # Errors
    /// Those of [`Fit::prepare`].
    pub fn prepare_for(self, chosen: Chosen) -> Result<Prepared<'a>, Error> {
        let Fit {
            source,
            mut options,
            monitor,
            ..
        } = self;
        let start = Instant::now();
        check(&options, &source)?;
        if source.all_samples() == 0 {
            return Err(Error::Empty {
                title: source.title(),
            });
        }
        if options.sync_every > 1 && source.ranks().size() > 1 {
            return Err(not_in_batches("ranks"));
        }
        if source.ranks().size() > 1 {
            Checkpoint::agree(options.resume.as_ref(), source.ranks())?;
        }
        let drawn = is_drawn_on_the_device(&source, &chosen);
        if drawn && options.standardizes(&source) {
            return Err(Setting::Standardize.error(
                "needs the samples on the host, and the device draws them: choose another generator, or leave it out",
            ));
        }
        let (statistics, reading) = statistics_before(&source, &options, monitor)?;
        let (robust, parts) = robust_start(&source, &mut options, statistics.as_ref())?;
        let synthetic = source.synthetic();
        let known = match (&statistics, &synthetic) {
            (Some(statistics), _) => Known::Statistics(statistics),
            (None, Some(synthetic)) => Known::Recipe(&synthetic.recipe),
            (None, None) => {
                return Err(Error::Data(format!("{}: no statistics", source.title())));
            }
        };
        let mut setup = Setup::new(&options, &source, known, robust, parts.as_ref())?;
        if let Some(checkpoint) = &options.resume {
            checkpoint.settle(&mut setup, source.ranks().size());
        }
        if setup.far > 0 {
            monitor.notice(&Notice::Far {
                far: setup.far,
                samples: source.all_samples(),
            });
        }
        let far = parts.map_or_else(Vec::new, |parts| parts.far[parts.own].to_vec());
        let inside = |(x, y)| setup.scaling.coordinates(x, y);
        Ok(Prepared {
            samples: Scaled::new(Observed::new(source, statistics), setup.scaling)
                .within(setup.bulk),
            far: far.into_iter().map(inside).collect(),
            options,
            setup,
            statistics,
            reading,
            chosen,
            monitor,
            end: End::default(),
            start,
        })
    }
}

impl Prepared<'_> {
    /// Returns how the run will go.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Returns the samples as they are.
    pub fn source(&self) -> &dyn Source {
        self.samples.inner().inner()
    }

    /// Returns the samples' statistics, as far as they are known before the samples are loaded.
    pub fn statistics(&self) -> Option<Statistics> {
        self.statistics
    }

    /// Returns whether the GPU is to draw the samples itself.
    pub fn is_drawn_on_the_device(&self) -> bool {
        is_drawn_on_the_device(self.source(), &self.chosen)
    }
}

/// Returns the statistics if something needs them before the first epoch, and the time of the pass that computed them.
///
/// That is standardising, the check of one's own x, and the rate's limit for few synthetic samples.
fn statistics_before(
    source: &dyn Source,
    options: &Options,
    monitor: &dyn Monitor,
) -> Result<(Option<Statistics>, Option<Duration>), Error> {
    let judged = source.synthetic().is_none() || options.standardizes(source);
    if !judged && source.all_samples() > FEW {
        return Ok((None, None));
    }
    let (statistics, reading) = match source.statistics() {
        Some(known) => (known, None),
        None => {
            monitor.begin(Phase::Reading, source.samples());
            let start = Instant::now();
            let statistics = Statistics::of(source, &|samples| monitor.advance(samples))?;
            (statistics, Some(start.elapsed()))
        }
    };
    if judged {
        let (title, names) = (source.title(), source.names());
        judge(
            title,
            names,
            options.standardizes(source),
            &statistics,
            monitor,
        )?;
    }
    Ok((Some(statistics), reading))
}

/// Returns the robust start if there is to be one, and the samples too far off for the engine apart from the others. Brings δ
/// to units of y.
fn robust_start(
    source: &dyn Source,
    options: &mut Options,
    statistics: Option<&Statistics>,
) -> Result<(Option<RobustStart>, Option<FarAndNear>), Error> {
    let wanted = wants_robust_start(options, source)?;
    if !wanted && !options.delta_in_noise {
        return Ok((None, None));
    }
    let some = data::some(source)?;
    let samples = train::sample(&some);
    let parts = match statistics {
        Some(statistics) if options.standardizes(source) => {
            far_off(source, &samples, statistics, options)?
        }
        _ => None,
    };
    if options.delta_in_noise {
        let median = RobustStart::of(samples.clone(), Loss::Mae, parts.as_ref())?;
        let noise = noise(&some, median);
        options.loss = options.loss.in_unit(1.0 / noise);
        options.loss.check().map_err(|_| {
            Error::Data(format!(
                "{}: the noise of y, {noise:.1e}, is beyond f32 as the huber loss's δ: bring y to another unit, or use mae",
                source.title(),
            ))
        })?;
    }
    let robust = wanted.then(|| RobustStart::of(samples, options.loss, parts.as_ref()));
    Ok((robust.transpose()?, parts))
}

/// Returns the standard deviation of most samples' noise around the median line, in units of y; 1 if no y is off a line. It is
/// 1.4826 times the median distance, as normal noise has it.
fn noise(some: &Block, median: RobustStart) -> f64 {
    let residuals = some.residuals(median.centered);
    let distances = residuals.into_iter().map(f64::abs).collect();
    let noise = DEVIATION_OF_MEDIAN * far::median(distances).max(median.scale);
    if noise > 0.0 { noise } else { 1.0 }
}

/// Returns the samples too far off for the engine, apart from the others.
///
/// f32 holds any y; 16 bits don't.
fn far_off(
    source: &dyn Source,
    samples: &Block,
    statistics: &Statistics,
    options: &Options,
) -> Result<Option<FarAndNear>, Error> {
    let bulk = match options.storage {
        Storage::F32 => Bulk::of(samples).with_any_y(),
        Storage::F16 => Bulk::of(samples),
    };
    FarAndNear::of(source, bulk, statistics)
}

/// Refuses an x that does not vary, and tells of columns that the numbers they are computed in are too coarse for.
pub(super) fn judge(
    title: String,
    names: [String; 2],
    standardized: bool,
    statistics: &Statistics,
    monitor: &dyn Monitor,
) -> Result<(), Error> {
    let x = &statistics.x;
    let ends = [x.least, x.greatest];
    let [least, greatest] = if standardized {
        ends
    } else {
        ends.map(|end| f64::from(end as f32))
    };
    if least == greatest {
        // From 2^53 on other integers may have been rounded to this one.
        let rounded = x.least.abs() >= 2.0 / f64::EPSILON;
        return Err(Error::ConstantX {
            title,
            value: x.least,
            digits: match (x.least == x.greatest, rounded) {
                (false, _) => Some("f32"),
                (true, true) => Some("f64"),
                (true, false) => None,
            },
        });
    }
    for (name, column) in [("x", x), ("y", &statistics.y)] {
        let range = column.greatest - column.least;
        let (too, units) = if !(range * range * statistics.samples as f64).is_finite() {
            ("too much", "larger")
        } else if column.least < column.greatest && !column.varies() {
            ("too little", "smaller")
        } else {
            continue;
        };
        return Err(Error::Data(format!(
            "{}: {name} runs from {:?} to {:?}, {too} for f64 to square: give it in {units} units",
            title, column.least, column.greatest,
        )));
    }
    for (name, column) in names.into_iter().zip([x, &statistics.y]) {
        let (in_f64, step) = match (column.coarse_in_f64(), column.coarse_in_f32()) {
            (Some(step), _) => (true, step),
            (None, Some(step)) if !standardized => (false, step),
            _ => continue,
        };
        monitor.notice(&Notice::Coarse {
            column: name,
            ends: [column.least, column.greatest],
            in_f64,
            step,
        });
    }
    Ok(())
}
