//! The choice of engines to time.

use super::Contestant;
use crate::engine::gpu::adapter::{self, Adapter};
use crate::error::{Error, Setting};

/// The engines that will be timed.
#[derive(Debug)]
pub struct Lineup {
    /// Each contestant once.
    pub contestants: Vec<Contestant>,
    /// Each adapter once; empty if no engine needs one.
    pub adapters: Vec<Adapter>,
    /// One line that says why no GPU engine is timed, if the user did not choose so.
    pub notice: Option<String>,
}

/// Returns these contestants, or all that can run if `contestants` is empty, on adapters of these names or indices, or
/// on the best. Each text may name several adapters, as for [`adapter::choose_some`].
///
/// # Errors
/// Returns [`Error::NoAdapter`] if an adapter is asked for and missing, [`Error::NoGpuEngine`] if one is asked for and no
/// engine needs it, and [`Error::Setting`] if several are needed.
pub fn choose(contestants: &[Contestant], adapters: &[String]) -> Result<Lineup, Error> {
    let mut chosen = Lineup {
        contestants: Vec::new(),
        adapters: Vec::new(),
        notice: None,
    };
    let any = contestants.is_empty() && adapters.is_empty();
    let wanted = if contestants.is_empty() {
        &Contestant::ALL
    } else {
        contestants
    };
    for &contestant in wanted {
        if !chosen.contestants.contains(&contestant) {
            chosen.contestants.push(contestant);
        }
    }
    if !chosen.contestants.iter().any(|one| one.on_adapter()) {
        return match adapters.first() {
            None => Ok(chosen),
            Some(_) => Err(Error::NoGpuEngine(Setting::Adapter)),
        };
    }
    let best = adapters.is_empty().then_some(None);
    for wanted in adapters.iter().map(|name| Some(name.as_str())).chain(best) {
        match adapter::choose_some(wanted) {
            Ok(adapters) => {
                for adapter in adapters {
                    let index = adapter.info().index;
                    if chosen.adapters.iter().all(|a| a.info().index != index) {
                        chosen.adapters.push(adapter);
                    }
                }
            }
            Err(none) if any => {
                chosen.notice = Some(format!("no GPU engine is timed: {none}"));
                chosen.contestants.retain(|one| !one.on_adapter());
            }
            Err(none) => return Err(none),
        }
    }
    if chosen.adapters.len() < 2 {
        if contestants.contains(&Contestant::Gpus) {
            return Err(Setting::Adapter.error(
                "must name at least two adapters for the engine gpus, which runs on several",
            ));
        }
        chosen.contestants.retain(|one| *one != Contestant::Gpus);
    }
    Ok(chosen)
}
