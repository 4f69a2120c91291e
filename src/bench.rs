//! Timing of the engines against each other, and against the limits of their memory.
//!
//! Each size is timed in rounds, in which every engine has a turn. In each round the samples are drawn into the CPU
//! engine's memory, and every other engine loads them from there. The engines' sums are compared before anything is timed;
//! an engine that disagrees gets no time. The timed part is one epoch: from the model to the sums on the host.

use std::time::Duration;

pub use self::adapters::Tunable;
pub use self::agree::verdict;
pub use self::clock::{EpochTimes, Figure};
use self::contest::Contest;
pub use self::row::{BenchRow, Contestant, Phases, Roof, label};
pub use self::scaling::AdapterScaling;
use crate::data::Source;
use crate::data::host::{Columns, Memory};
use crate::engine::Storage;
use crate::engine::gpu::{GpuEngine, Options};
use crate::error::Error;
use crate::loss::Loss;
use crate::model::Model;

mod adapters;
pub mod agree;
pub mod change;
pub mod choose;
mod clock;
pub mod compare;
mod contest;
pub mod machine;
pub mod over_ranks;
pub mod roof;
mod row;
mod scaling;

/// The line at which every epoch is computed. It lies well below the samples of the default recipe, so that all but a
/// few terms of each sum have the same sign.
pub const MODEL: Model = Model { w: -1.5, b: 0.5 };

/// Epochs of a batch that are compared with the host loop's.
const WALK: u64 = 10;

/// The work of a bench.
#[derive(Debug)]
pub struct BenchPlan {
    /// Numbers of samples, in the order they are run.
    pub samples: Vec<u64>,
    /// The loss of every epoch.
    pub loss: Loss,
    /// Engines, in the order they are timed.
    pub contestants: Vec<Contestant>,
    /// Adapters that GPU engines run on, one after the other.
    pub adapters: Vec<Tunable>,
    /// Storage format of samples on adapters.
    pub storage: Storage,
    /// Number of rounds of each size; at least 1. More are run if a figure can't be true.
    pub runs: usize,
    /// Minimum time for which each engine is timed in all rounds of a size.
    pub min_time: Duration,
    /// Number of epochs of [`Phases::answer`].
    pub epochs_to_answer: u64,
}

/// Draws a data set of this many samples by the default recipe with another seed.
pub type Draw<'a> = &'a (dyn Fn(u64) -> Result<Box<dyn Source>, Error> + Sync);

/// Begins an activity: its name, and the amount of work. The returned function is told of every part done, and is
/// dropped at the end.
pub type Begin<'a> = &'a (dyn Fn(&str, u64) -> Box<dyn Fn(u64) + Sync> + Sync);

/// Runs the plan and hands the rows of each size to `watch` as they come.
///
/// # Errors
/// Returns [`Error::Memory`] if the samples don't fit, as far as that is known before anything is timed, and the errors
/// of `draw` and `watch`. An engine that fails or disagrees is not an error here: its row says so, and [`verdict`].
pub fn run(
    plan: &BenchPlan,
    draw: Draw,
    begin: Begin,
    watch: &mut dyn FnMut(Vec<BenchRow>) -> Result<(), Error>,
) -> Result<(), Error> {
    Memory::new(plan.samples.iter().copied().max().unwrap_or(1))?;
    let one_thread = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .map_err(|error| Error::Io {
            doing: "cannot start a thread".to_owned(),
            source: std::io::Error::other(error),
        })?;
    start_drivers(plan);
    for &samples in &plan.samples {
        let contest = Contest {
            plan,
            draw,
            one_thread: &one_thread,
            samples,
        };
        watch(contest.rows(begin)?)?;
    }
    Ok(())
}

/// Opens an engine on each adapter in vain. The first engine waits for what the driver does once a process, or keeps on
/// disk. If that fails, the rows will say so.
fn start_drivers(plan: &BenchPlan) {
    let (x, y) = (&[0.0; 4][..], &[0.0; 4][..]);
    let options = Options {
        storage: plan.storage,
        ..Options::default()
    };
    for (adapter, _) in &plan.adapters {
        let _ = Columns::new(x, y).and_then(|columns| {
            GpuEngine::new(adapter, columns, plan.loss, &options, &|_| {}).map(drop)
        });
    }
}

#[cfg(test)]
mod tests;
