//! `fall-line train`.

use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use fall_line::data::scaling::Scaled;
use fall_line::data::statistics::{Observed, Statistics};
use fall_line::data::synthetic::Recipe;
use fall_line::engine::{self, Chosen, Description, Engine};
use fall_line::error::Error;
use fall_line::train::rough::Rough;
use fall_line::train::{self, Ended, Epoch, Trained, Walk};

use self::checkpoint::{Checkpoint, Checkpoints, Fingerprint};
use self::setup::{Known, Setup};
use self::truth::Truth;
use crate::cli::{Format, Train};
use crate::interrupts::Interrupts;
use crate::open::{self, Loaded, Opened, load, set_threads};
use crate::report::progress::Progress;
use crate::report::result::Outcome;
use crate::{INTERRUPTED, NOT_CONVERGED, report};

pub mod checkpoint;
pub mod setup;
pub mod truth;

/// So few synthetic samples are read in a moment: their statistics say more than what they are drawn to.
const FEW: u64 = 1 << 20;

/// A run, from the first epoch on.
pub struct Run<'a> {
    pub args: &'a Train,
    pub opened: &'a Opened,
    pub setup: &'a Setup,
    /// As far as they are known before the end.
    pub statistics: Option<Statistics>,
    pub engine: Description,
    /// From opening the data to an engine that is ready.
    pub load: Duration,
    /// Epochs of the run that this one goes on with.
    pub epochs_before: u64,
}

pub fn train(args: &Train) -> Result<ExitCode, Error> {
    let Train {
        training, output, ..
    } = args;
    let loss = training.loss.get()?;
    report::check_files(args)?;
    let resumed = args.checkpoints.resume.as_deref();
    let resumed = resumed.map(Checkpoint::read).transpose()?;
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
    let rough = setup::wants_rough(args, loss).then(|| Rough::of(source, loss));
    let setup = Setup::new(
        args,
        loss,
        Known::of(known.as_ref(), &recipe),
        rough.transpose()?,
        opened.start,
    )?;
    if training.plan {
        report::plan::print(args, chosen, &opened, known.as_ref(), &setup)?;
        return Ok(ExitCode::SUCCESS);
    }
    // What is not known by now comes with loading.
    let observed = Observed::new(source);
    let scaled = match known {
        Some(_) => Scaled::new(source, setup.scaling),
        None => Scaled::new(&observed, setup.scaling),
    };
    let Loaded {
        mut engine,
        description,
        identity,
    } = load(
        chosen,
        &scaled,
        setup.scaling.loss(loss),
        args,
        setup.config.sync_every.min(setup.config.epochs) > 1,
        resumed.as_ref().and_then(Checkpoint::tuning),
    )?;
    let fingerprint = Fingerprint::new(args, source, known.as_ref(), &setup, &identity)?;
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
        report::train::headline(&run)?;
    }

    let interrupts = Interrupts::listen()?;
    let checkpoints = Checkpoints::new(args, &setup, &from, fingerprint, identity.tuning);
    let mut walked = walk(&mut *engine, &setup, from, checkpoints, args, &interrupts);
    // Files first: they hold what was reached, whatever went wrong on the way.
    let mut unwritten = interrupts.held(|| {
        let mut unwritten = report::write_files(output, &walked.history, loss, source);
        unwritten.extend(walked.checkpoints.finish().err());
        unwritten
    });
    run.statistics = run.statistics.or_else(|| observed.statistics());
    let outcome = walked.outcome.and_then(|trained| {
        let truth = Truth::of(&run, &mut *engine, &trained)?;
        let outcome = Outcome::new(&run, &trained, truth);
        match output.format {
            Format::Text => report::train::result(&run, &outcome, &trained)?,
            Format::Json => report::json::print(&outcome)?,
        }
        if let Some(path) = &output.save {
            let saved = interrupts.held(|| report::json::save(path, &outcome.saved()));
            unwritten.extend(saved.err());
        }
        Ok((trained, outcome.converged))
    });
    unwritten.iter().for_each(report::error);
    let (trained, converged) = outcome?;
    if let Some(unwritten) = unwritten.first() {
        return Ok(unwritten.exit_code().into());
    }
    if trained.ended == Ended::BrokenOff {
        report::notice(format!("interrupted after epoch {}", trained.epochs));
        return Ok(INTERRUPTED.into());
    }
    Ok(match converged {
        Some(false) if training.strict => NOT_CONVERGED.into(),
        _ => ExitCode::SUCCESS,
    })
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

/// What the epochs came to, and what of them is to be written.
struct Walked {
    history: Vec<Epoch>,
    checkpoints: Checkpoints,
    outcome: Result<Trained, Error>,
}

/// Trains, telling of every so many epochs; Ctrl-C ends it after the epoch in hand. Every epoch where a
/// file wants them, in the data's units.
fn walk(
    engine: &mut dyn Engine,
    setup: &Setup,
    mut walk: Walk,
    mut checkpoints: Checkpoints,
    args: &Train,
    interrupts: &Interrupts,
) -> Walked {
    let (output, of_files) = (&args.output, args.has_files());
    let keeps_history = output.history.is_some() || output.plot.is_some();
    let mut history = Vec::new();
    let mut printed = Ok(());
    let progress = Progress::new("epochs", setup.config.epochs, output.quiet);
    progress.advance(walk.epochs());
    let outcome = train::train(engine, &setup.config, &mut walk, &mut |epoch, walk| {
        let epoch = &setup.outside(epoch);
        if keeps_history {
            history.push(*epoch);
        }
        progress.advance(1);
        let every = output.log_every;
        if output.talks() && every > 0 && epoch.epoch.is_multiple_of(every) {
            printed = progress.aside(|| report::train::epoch(epoch, of_files));
        }
        if let Err(error) = checkpoints.tell(walk) {
            progress.aside(|| report::notice(format!("warning: {error}")));
        }
        if printed.is_err() || interrupts.came() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    Walked {
        history,
        checkpoints,
        outcome: outcome
            .map_err(|error| setup.outside_error(error))
            .and_then(|trained| printed.map(|()| trained)),
    }
}
