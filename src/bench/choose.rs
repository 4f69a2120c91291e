//! Who is timed.

use super::Kind;
use crate::engine::gpu::adapter::{self, Adapter};
use crate::error::Error;

/// Who will be timed.
#[derive(Debug)]
pub struct Contestants {
    /// Each engine once.
    pub kinds: Vec<Kind>,
    /// Each adapter once; none where no engine needs one.
    pub adapters: Vec<Adapter>,
    /// One line that says why no GPU engine is among them, where nobody said so.
    pub notice: Option<String>,
}

/// The engines of these kinds, or all there are where `kinds` is empty, on adapters of these names or
/// indices, or on the best.
///
/// # Errors
/// [`Error::Gpu`] where an adapter is asked for and missing, [`Error::Usage`] where one is asked for and
/// no engine needs it.
pub fn choose(kinds: &[Kind], adapters: &[String]) -> Result<Contestants, Error> {
    let mut chosen = Contestants {
        kinds: Vec::new(),
        adapters: Vec::new(),
        notice: None,
    };
    let any = kinds.is_empty() && adapters.is_empty();
    let all = if kinds.is_empty() { &Kind::ALL } else { kinds };
    for &kind in all {
        if !chosen.kinds.contains(&kind) {
            chosen.kinds.push(kind);
        }
    }
    if !chosen.kinds.iter().any(|kind| kind.on_adapter()) {
        return match adapters.first() {
            None => Ok(chosen),
            Some(_) => Err(Error::Usage("--adapter goes with --engines gpu".to_owned())),
        };
    }
    let best = adapters.is_empty().then_some(None);
    for wanted in adapters.iter().map(|name| Some(name.as_str())).chain(best) {
        match adapter::choose(wanted) {
            Ok(adapter) => {
                let index = adapter.info().index;
                if chosen.adapters.iter().all(|a| a.info().index != index) {
                    chosen.adapters.push(adapter);
                }
            }
            Err(none) if any => {
                chosen.notice = Some(format!("no GPU engine is timed: {none}"));
                chosen.kinds.retain(|kind| !kind.on_adapter());
            }
            Err(none) => return Err(none),
        }
    }
    Ok(chosen)
}
