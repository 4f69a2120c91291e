//! What `predict` came to.

use std::collections::BTreeMap;
use std::fmt;

use fall_line::data::goodness::Goodness;
use fall_line::model::Model;
use fall_line::saved::Saved;
use fall_line::table::rows::Skipped;
use indicatif::HumanCount;
use serde::Serialize;

/// How many predictions there are, and how well they fit where y is known.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// The line.
    #[serde(flatten)]
    pub model: Model,
    pub samples: u64,
    /// Rows left out, by reason.
    pub skipped: BTreeMap<String, u64>,
    /// None where no y was asked for.
    pub fit: Option<Goodness>,
    pub version: &'static str,
}

impl Summary {
    pub fn new(saved: &Saved, samples: u64, skipped: &Skipped, fit: Option<Goodness>) -> Self {
        Summary {
            model: saved.model,
            samples,
            skipped: crate::output::by_reason(skipped),
            fit,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.samples == 1 { "" } else { "s" };
        write!(f, "{} prediction{plural}", HumanCount(self.samples))?;
        match self.fit {
            Some(fit) => write!(f, "; {}", crate::commands::train::report::fit(&fit)),
            None => Ok(()),
        }
    }
}
