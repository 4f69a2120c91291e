//! The descent, and its conclusion.

use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::caution::Caution;
use super::checkpoint::Checkpoints;
use super::monitor::{Monitor, Notice, Phase};
use super::outcome::{Outcome, Warning};
use super::prepare::Prepared;
use super::quality::{Measure, Quality};
use super::reopened::Reopened;
use crate::data::host::{self, Memory};
use crate::data::statistics::Statistics;
use crate::data::uncertainty::Unknown;
use crate::data::{Block, Source, described_by_source, shared_like_source};
use crate::engine::{Description, Storage};
use crate::error::{Error, counted};
use crate::fault::{self, Fault};
use crate::train::{Ended, Epoch, Trained, Walk, train};

/// The factor by which a loss has to rise to have risen: f32 sums are good to 2e-6.
pub(super) const ROSE: f64 = 1.00001;

/// A fit whose samples are loaded.
pub struct Loaded<'p> {
    pub(super) prepared: &'p Prepared<'p>,
    pub(super) engine: Reopened<'p>,
    /// Those of all samples; `None` if they never were on the host.
    pub(super) statistics: Option<Statistics>,
    pub(super) description: Description,
    pub(super) walk: Walk,
    pub(super) checkpoints: Checkpoints,
    pub(super) history: Vec<Epoch>,
    /// Why the descent was broken off, if the host's memory is the reason.
    pub(super) failed: Option<Error>,
    pub(super) first_loss: Option<f64>,
    /// `true` if the monitor ended the descent.
    pub(super) cancelled: bool,
    pub(super) epochs_before: u64,
    pub(super) load: Duration,
}

impl Loaded<'_> {
    /// Returns the engine that runs.
    pub fn engine(&self) -> &Description {
        &self.description
    }

    /// Returns the epochs done before the checkpoint that the run goes on from.
    pub fn epochs_before(&self) -> u64 {
        self.epochs_before
    }

    /// Returns every epoch so far, if the options keep them: also those before the checkpoint, and after a descent that
    /// failed.
    pub fn history(&self) -> &[Epoch] {
        &self.history
    }

    /// Descends, and calls `watch` after each epoch, in the data's units; `watch` may end the descent after the batch in
    /// hand. What is returned is in the engine's coordinates, for [`Loaded::conclude`].
    ///
    /// If a device is lost, the samples are loaded into a new one, and the descent goes on from the last epoch.
    ///
    /// # Errors
    /// [`Error::Diverged`], [`Error::Rose`], and the errors of the engine. The last checkpoint is written all the same.
    /// [`Error::DeviceLost`] if a second device is lost before another epoch is done.
    pub fn descend(
        &mut self,
        watch: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
    ) -> Result<Trained, Error> {
        let Loaded {
            prepared,
            engine,
            walk,
            checkpoints,
            history,
            failed,
            first_loss,
            cancelled,
            epochs_before,
            ..
        } = self;
        let Prepared {
            setup,
            monitor,
            options,
            end,
            ..
        } = prepared;
        let is_alone = prepared.source().ranks().size() == 1;
        monitor.begin(Phase::Descending, setup.config.epochs);
        monitor.advance(walk.epochs());
        let mut checkpoint_failed = false;
        let records = Mutex::new((&mut *checkpoints, &mut *history));
        let mut on_epoch = |epoch: &Epoch, walk: &Walk| {
            let epoch = setup.outside(epoch);
            first_loss.get_or_insert(epoch.loss);
            let told = {
                let (checkpoints, history) =
                    &mut *records.lock().unwrap_or_else(PoisonError::into_inner);
                if options.history {
                    match room(history, history.capacity()) {
                        Ok(()) => history.push(epoch),
                        Err(error) => *failed = Some(error),
                    }
                }
                checkpoints.tell(walk, history)
            };
            // Free for whoever writes at once: a launcher that ends its ranks reads no longer what is printed here.
            monitor.advance(1);
            match told {
                Ok(()) => checkpoint_failed = false,
                // A disk stays full for many epochs.
                Err(_) if checkpoint_failed => {}
                Err(error) => {
                    checkpoint_failed = true;
                    monitor.notice(&Notice::Checkpoint(error));
                }
            }
            assert!(fault::point(Fault::Panic).is_ok(), "a fault of a test");
            let asks = watch(&epoch).is_break() || failed.is_some() || monitor.is_cancelled();
            if asks {
                end.ask();
            }
            if asks && is_alone || end.is_agreed() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let ended = AtomicBool::new(false);
        let trained = thread::scope(|scope| {
            if !is_alone && options.checkpoint.is_some() {
                scope.spawn(|| write_at_once(&records, *monitor, &ended));
            }
            let _ended = SetAtEnd(&ended);
            train(engine, &setup.config, walk, &mut on_epoch)
        });
        *cancelled = if is_alone {
            monitor.is_cancelled()
        } else {
            end.is_agreed()
        };
        // Below the limit of a smooth loss only rounding rises. Without a limit, steps may cross the optimum for ever, as those
        // before a checkpoint did. Momentum, Adam and schedules may overshoot for a while.
        let may_diverge = setup.config.descent.plain_rate().is_some()
            && setup
                .learning_rate
                .is_some_and(|learning| match learning.limit {
                    Some(limit) => learning.rate >= limit,
                    None => *epochs_before == 0,
                });
        let trained = trained.and_then(|trained| match *first_loss {
            Some(first)
                if trained.ended != Ended::BrokenOff
                    && may_diverge
                    && setup.outside_loss(trained.loss) > ROSE * first =>
            {
                Err(Error::Rose {
                    epochs: trained.epochs,
                    first,
                    last: setup.outside_loss(trained.loss),
                })
            }
            _ => Ok(trained),
        });
        // At once: much may fail after a descent. If the run has a line, `conclude` tries again.
        if let Err(unwritten) = checkpoints.finish(history) {
            monitor.notice(&Notice::Checkpoint(unwritten));
        }
        trained.map_err(|error| setup.outside_error(error))
    }

    /// Writes the last checkpoint, measures how good the line is, and returns the outcome.
    pub fn conclude(mut self, trained: &Trained) -> Outcome {
        let Prepared {
            setup,
            options,
            monitor,
            ..
        } = self.prepared;
        let source = Cancellable {
            source: self.prepared.source(),
            monitor: *monitor,
        };
        let written = self.checkpoints.finish(&self.history);
        let mut errors: Vec<Error> = written.err().into_iter().chain(self.failed).collect();
        let statistics = self.statistics;
        let measure = Measure {
            setup,
            statistics,
            engine: &mut self.engine,
            storage: options.storage,
            source: &source,
            goodness: options.measure,
            variance: options.variance,
            confidence: options.confidence,
        };
        let mut quality = Quality::new(&measure, trained);
        if !self.cancelled {
            let measured = quality.measure(measure, trained);
            errors.extend(measured.err().filter(|_| !source.is_cancelled()));
        }
        let loss = setup.outside_loss(trained.loss);
        let converged = trained.ended == Ended::Converged
            && !(quality.rules_out(loss) || quality.contradicts(loss) || quality.is_beaten());
        let at_optimum = setup.loss.is_least_squares() || converged;
        if quality.uncertainty.is_ok() && !at_optimum {
            quality.uncertainty = Err(Unknown::NotConverged);
        }
        if quality.uncertainty.is_err() {
            // It follows from the errors.
            quality
                .cautions
                .retain(|caution| !matches!(caution, Caution::NoRelation { .. }));
        }
        let found = setup.scaling.centered(trained.model);
        let line = quality.line.unwrap_or(found);
        let mut outcome = Outcome {
            model: line.model(),
            centered: line,
            loss: quality.loss.unwrap_or(loss),
            converged: setup.may_converge().then_some(converged),
            warning: None,
            epochs: trained.epochs,
            epochs_before: self.epochs_before,
            ended: trained.ended,
            quality,
            history: self.history,
            title: source.title(),
            names: source.names(),
            time: source.time(),
            samples: source.all_samples(),
            statistics,
            setup: *setup,
            engine: self.description,
            load: self.load,
            train: trained.time,
            errors,
        };
        let drawn = self.prepared.is_drawn_on_the_device();
        outcome.warning = Warning::of(&outcome, loss, self.first_loss, drawn);
        outcome
    }
}

/// Sets a flag when it goes, also in a panic.
struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Writes a checkpoint from the last finished epoch as soon as the descent is cancelled: a launcher that ends its ranks leaves
/// them a second, and an epoch may take longer.
fn write_at_once(
    records: &Mutex<(&mut Checkpoints, &mut Vec<Epoch>)>,
    monitor: &dyn Monitor,
    ended: &AtomicBool,
) {
    while !ended.load(Ordering::Relaxed) {
        if monitor.is_cancelled() {
            let (checkpoints, history) =
                &mut *records.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(unwritten) = checkpoints.finish(history) {
                monitor.notice(&Notice::Checkpoint(unwritten));
            }
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Checks that there is memory for one more epoch, where that takes a larger block.
fn room(history: &[Epoch], capacity: usize) -> Result<(), Error> {
    if history.len() < capacity {
        return Ok(());
    }
    let needed = 2 * size_of_val(history) as u64;
    match Memory::new(needed / Storage::F32.bytes_per_sample()) {
        Ok(_) => Ok(()),
        Err(_) => Err(Error::Memory {
            what: format!("{} of the history", counted(history.len() as u64, "epoch")),
            needed,
            available: host::available(),
        }),
    }
}

/// Samples that can't be read any more once the fit is cancelled.
struct Cancellable<'a> {
    source: &'a dyn Source,
    monitor: &'a dyn Monitor,
}

impl Cancellable<'_> {
    /// Returns whether the fit is cancelled. One of several ranks can't leave the others alone.
    fn is_cancelled(&self) -> bool {
        self.source.ranks().size() == 1 && self.monitor.is_cancelled()
    }
}

impl Source for Cancellable<'_> {
    fn samples(&self) -> u64 {
        self.source.samples()
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        if self.is_cancelled() {
            return Err(Error::Io {
                doing: "cannot read on".to_owned(),
                source: io::ErrorKind::Interrupted.into(),
            });
        }
        self.source.read(index, block)
    }

    shared_like_source!();
    described_by_source!();
}
