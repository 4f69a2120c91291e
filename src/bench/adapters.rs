//! GPU engines with the tuning of their adapters.

use crate::data::stretch::{Stretch, divide};
use crate::data::{self, Source};
use crate::engine::Storage;
use crate::engine::gpu::adapter::Adapter;
use crate::engine::gpu::tune::cache::{self, Tuned};
use crate::engine::gpu::{GpuEngine, Options, Several};
use crate::error::Error;
use crate::loss::Loss;

/// An adapter, with the tuning for large data sets if one was measured.
pub type Tunable = (Adapter, Option<Tuned>);

/// Returns a tuning if it shows at so many samples.
fn worth(tuned: Option<Tuned>, samples: u64) -> Option<Tuned> {
    tuned.filter(|_| samples >= cache::WORTH)
}

/// Returns the options of a GPU engine in a set of so many samples.
pub(super) fn options(storage: Storage, tuned: Option<Tuned>, samples: u64) -> Options {
    Options {
        storage,
        tuning: worth(tuned, samples).map(|tuned| tuned.tuning),
        ..Options::default()
    }
}

/// Shares samples out among adapters by their speeds, and loads them.
///
/// # Errors
/// Those of [`GpuEngine::new`].
pub(super) fn load<'a>(
    adapters: &[Tunable],
    source: &'a (impl Source + ?Sized),
    loss: Loss,
    storage: Storage,
) -> Result<Several<'a>, Error> {
    let samples = source.samples();
    let tuned: Vec<_> = adapters
        .iter()
        .map(|(_, tuned)| worth(*tuned, samples))
        .collect();
    let parts = divide(data::blocks(source)?, &cache::weights(&tuned));
    let engines = adapters
        .iter()
        .zip(parts)
        .map(|((adapter, tuned), blocks)| {
            let part = Stretch::new(source, blocks);
            let options = options(storage, *tuned, samples);
            GpuEngine::new(adapter, part, loss, &options, &|_| {})
        });
    Ok(Several::new(engines.collect::<Result<_, _>>()?))
}
