//! `fall-line train`.

use std::io;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Instant;

use fall_line::data::scaling::Scaled;
use fall_line::data::statistics::{Observed, Statistics};
use fall_line::data::synthetic::Recipe;
use fall_line::data::{Block, Source};
use fall_line::engine::{self, Chosen, Engine};
use fall_line::error::Error;
use fall_line::train::rough::Rough;
use fall_line::train::{self, Ended, Epoch, Trained, Walk};

use self::checkpoint::{Checkpoint, Checkpoints, Fingerprint};
use crate::cli::{Format, Train};
use crate::open::{self, Loaded, Opened, load, set_threads};
use crate::output::history;
use crate::output::interrupts::Interrupts;
use crate::output::progress::Progress;
use crate::run::Run;
use crate::run::outcome::Outcome;
use crate::run::setup::{Known, Setup, wants_rough};
use crate::run::truth::Truth;
use crate::{INTERRUPTED, output as out};

mod checkpoint;
mod plan;
pub mod plot;
pub mod report;

/// So few synthetic samples are read in a moment: their statistics say more than what they are drawn to.
const FEW: u64 = 1 << 20;

pub fn train(args: &Train) -> Result<ExitCode, Error> {
    let Train {
        training, output, ..
    } = args;
    let loss = training.loss.get()?;
    out::check_files(args)?;
    let resumed = args.checkpoints.resume.as_deref();
    let resumed = resumed.map(Checkpoint::read).transpose()?;
    let history = match (&output.history, &resumed) {
        (Some(path), Some(checkpoint)) => history::up_to(path, checkpoint.epochs())?,
        _ => Vec::new(),
    };
    set_threads(args.engine.threads)?;
    let chosen = engine::choose(args.engine.engine.into(), args.engine.adapter.as_deref())?;
    match chosen {
        Chosen::Cpu { .. } => args.refuse_what_a_gpu_alone_can()?,
        Chosen::Gpu(_) => args.refuse_what_the_host_alone_can()?,
    }

    let start = Instant::now();
    let opened = open::open(args)?;
    let source = &*opened.source;
    let known = known_before(args, &opened)?;
    let recipe = args.synthetic.recipe();
    let rough = wants_rough(args, loss)?.then(|| Rough::of(source, loss));
    let setup = Setup::new(
        args,
        loss,
        Known::of(known.as_ref(), &recipe),
        rough.transpose()?,
        opened.start,
    )?;
    if training.plan {
        let (engine, memory) = open::memory(args, &chosen, source.samples(), setup.in_batches())?;
        plan::print(args, &opened, known.as_ref(), &setup, engine, memory)?;
        return Ok(ExitCode::SUCCESS);
    }
    // What is not known by now comes with loading.
    let observed = Observed::new(source, known);
    let scaled = Scaled::new(&observed, setup.scaling);
    let Loaded {
        mut engine,
        description,
        identity,
    } = load(
        chosen,
        &scaled,
        setup.scaling.loss(loss),
        args,
        setup.in_batches(),
        resumed.as_ref().and_then(Checkpoint::tuning),
    )?;
    let fingerprint = Fingerprint::new(args, source, known.as_ref(), &setup, &identity);
    let from = match resumed {
        Some(checkpoint) => checkpoint.resume(&fingerprint)?,
        None => Walk::new(&setup.config),
    };
    let mut run = Run {
        args,
        opened: &opened,
        setup: &setup,
        statistics: known,
        engine: description,
        load: start.elapsed(),
        epochs_before: from.epochs(),
    };
    if output.talks() {
        report::headline(&run)?;
    }

    let interrupts = Interrupts::listen()?;
    let checkpoints = Checkpoints::new(args, &setup, &from, fingerprint, identity.tuning);
    let mut walked = Walked {
        history,
        checkpoints,
        first_loss: None,
    };
    let outcome = walk(&mut *engine, &run, from, &mut walked, &interrupts);
    // From here on the first Ctrl-C cuts short what is not needed, and the next one ends the program.
    let mut failed = Vec::new();
    let ended = interrupts.deferred(|| {
        failed = out::write_files(output, &walked.history, loss, source);
        failed.extend(walked.checkpoints.finish().err());
        let trained = outcome?;
        run.statistics = run.statistics.or_else(|| observed.statistics());
        let mut truth = Truth::new(&run, &trained);
        if trained.ended != Ended::BrokenOff {
            let source = Interruptible {
                source,
                interrupts: &interrupts,
            };
            let measured = truth.measure(&run, &trained, &mut *engine, &source);
            failed.extend(measured.err().filter(|_| !interrupts.interrupted()));
        }
        let outcome = Outcome::new(&run, &trained, truth);
        if let Some(path) = &output.save {
            failed.extend(out::json::save(path, &outcome.saved()).err());
        }
        match output.format {
            Format::Text => report::result(&run, &outcome, &trained)?,
            Format::Json => out::json::print(&outcome)?,
        }
        if interrupts.interrupted() || trained.ended == Ended::BrokenOff {
            out::notice(format!("interrupted after epoch {}", trained.epochs));
            return Ok(INTERRUPTED.into());
        }
        report::verdict(&run, &outcome, trained.ended, walked.first_loss)?;
        Ok(ExitCode::SUCCESS)
    });
    failed.iter().for_each(out::error);
    match failed.first() {
        Some(failed) if ended.is_ok() => Ok(failed.exit_code().into()),
        _ => ended,
    }
}

/// Samples that can't be read any more once Ctrl-C came.
struct Interruptible<'a> {
    source: &'a dyn Source,
    interrupts: &'a Interrupts,
}

impl Source for Interruptible<'_> {
    fn samples(&self) -> u64 {
        self.source.samples()
    }

    fn read(&self, index: u64, block: &mut Block) -> Result<(), Error> {
        if self.interrupts.interrupted() {
            return Err(Error::Io {
                doing: "cannot read on".to_owned(),
                source: io::ErrorKind::Interrupted.into(),
            });
        }
        self.source.read(index, block)
    }

    fn title(&self) -> String {
        self.source.title()
    }
}

impl<'a> Known<'a> {
    fn of(statistics: Option<&'a Statistics>, recipe: &'a Recipe) -> Self {
        match statistics {
            Some(statistics) => Known::Statistics(statistics),
            None => Known::Recipe(recipe),
        }
    }
}

/// The statistics, where something needs them before the first epoch: standardising, what a file's x has to be, and how
/// far a few samples are from what they were drawn to.
fn known_before(args: &Train, opened: &Opened) -> Result<Option<Statistics>, Error> {
    let source = &*opened.source;
    if !args.has_files() && !args.standardizes() && source.samples() > FEW {
        return Ok(None);
    }
    let reading = Progress::new("reading", source.samples(), args.output.quiet);
    let statistics = Statistics::of(source, &|samples| reading.advance(samples))?;
    drop(reading);
    if args.has_files() || args.standardizes() {
        open::judge(args, opened, &statistics)?;
    }
    Ok(Some(statistics))
}

/// What the epochs leave behind beside the line.
struct Walked {
    /// Every epoch, in the data's units, where a file wants them.
    history: Vec<Epoch>,
    checkpoints: Checkpoints,
    /// The loss that the first of them saw.
    first_loss: Option<f64>,
}

/// Trains, telling of every so many epochs; Ctrl-C ends it after the epoch in hand.
fn walk(
    engine: &mut dyn Engine,
    run: &Run,
    mut walk: Walk,
    walked: &mut Walked,
    interrupts: &Interrupts,
) -> Result<Trained, Error> {
    let Run { args, setup, .. } = run;
    let (output, of_files) = (&args.output, args.has_files());
    let keeps_history = output.history.is_some() || output.plot.is_some();
    let mut printed = Ok(());
    let progress = Progress::new("epochs", setup.config.epochs, output.quiet);
    progress.advance(walk.epochs());
    let outcome = train::train(engine, &setup.config, &mut walk, &mut |epoch, walk| {
        let epoch = &setup.outside(epoch);
        walked.first_loss.get_or_insert(epoch.loss);
        if keeps_history {
            walked.history.push(*epoch);
        }
        progress.advance(1);
        let every = output.log_every;
        if output.talks() && every > 0 && epoch.epoch.is_multiple_of(every) {
            printed = progress.aside(|| report::epoch(epoch, of_files));
        }
        if let Err(error) = walked.checkpoints.tell(walk)
            && !output.quiet
        {
            progress.aside(|| out::notice(format!("warning: {error}")));
        }
        if printed.is_err() || interrupts.interrupted() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    outcome
        .map_err(|error| setup.outside_error(error))
        .and_then(|trained| printed.map(|()| trained))
}
