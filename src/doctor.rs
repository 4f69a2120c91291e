//! Checks adapters by sums whose answers are known, through the shaders of the engine.
//!
//! A driver may crash or hang. So the program examines each adapter in a process of its own; this module runs in it.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use self::checks::{Probe, Verdict};
use crate::engine::gpu::adapter::{Abilities, Adapter, Info, Kind};
use crate::error::Error;

mod checks;

/// A check, in the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// The device opens, and the shaders compile.
    Compile,
    /// The sum of 1 to 64 in one workgroup.
    OneWorkgroup,
    /// Sums of sizes around those of loads, workgroups and dispatches.
    RaggedSizes,
    /// A sum that is not a number, and one that is infinite.
    NotFinite,
    /// Epochs of which the line stays on the device, and the same one by one.
    Batches,
    /// The two ways that a workgroup adds up.
    SubgroupAndTree,
    /// The last sample that a storage binding holds.
    LargestBinding,
    /// More ones than f32 can count one by one.
    ManyOnes,
    /// The device's own measure of time.
    Timestamps,
    /// The bytes that an epoch reads per second.
    Bandwidth,
}

impl Check {
    /// Every check.
    pub const ALL: [Check; 10] = [
        Check::Compile,
        Check::OneWorkgroup,
        Check::RaggedSizes,
        Check::NotFinite,
        Check::Batches,
        Check::SubgroupAndTree,
        Check::LargestBinding,
        Check::ManyOnes,
        Check::Timestamps,
        Check::Bandwidth,
    ];

    /// Returns its title.
    pub fn title(self) -> &'static str {
        match self {
            Check::Compile => "compiles the shaders",
            Check::OneWorkgroup => "1 + 2 + … + 64 in one workgroup",
            Check::RaggedSizes => "ragged sizes",
            Check::NotFinite => "NaN and infinity reach the host",
            Check::Batches => "batches equal the host's loop",
            Check::SubgroupAndTree => "subgroups and tree are equal",
            Check::LargestBinding => "end of the largest binding",
            Check::ManyOnes => "2^24 + 1 ones",
            Check::Timestamps => "timestamps are plausible",
            Check::Bandwidth => "bandwidth, roughly",
        }
    }
}

/// The outcome of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The answer is right.
    Passed,
    /// The answer is wrong, or there is none.
    Failed,
    /// The adapter lacks what the check is about.
    Skipped,
}

/// A check that has been made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// The check.
    pub check: Check,
    /// Its outcome.
    pub outcome: Outcome,
    /// The answer, what is wrong with it, or what is lacking: one line.
    pub detail: String,
    /// The speed that [`Check::Bandwidth`] found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<f64>,
    /// The time that it took, in seconds; `None` if it never ended.
    pub seconds: Option<f64>,
}

/// Events of an examination.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// A check begins.
    Begins(Check),
    /// A check has been made.
    Found(Finding),
}

/// An adapter as it is listed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Listed {
    /// The facts about it.
    #[serde(flatten)]
    pub info: Info,
    /// Its abilities.
    pub abilities: Abilities,
}

impl Listed {
    /// Describes an adapter.
    pub fn new(adapter: &Adapter) -> Self {
        Listed {
            info: adapter.info().clone(),
            abilities: adapter.abilities(),
        }
    }

    /// Returns the names of what the engine would use, and the adapter has not.
    pub fn missing(&self) -> Vec<&'static str> {
        let Abilities {
            subgroup_sizes,
            immediates,
            f16_storage,
            timestamps,
            ..
        } = self.abilities;
        [
            (self.info.kind != Kind::Software, "hardware"),
            (subgroup_sizes.is_some(), "subgroups"),
            (immediates, "immediates"),
            (f16_storage, "f16 storage"),
            (timestamps, "timestamp queries"),
        ]
        .into_iter()
        .filter_map(|(has, name)| (!has).then_some(name))
        .collect()
    }
}

/// Makes all checks on an adapter, and tells of each before and after it. Ends after the first one if that fails: then there
/// is nothing to check.
///
/// # Errors
/// Those of `tell`. A failure of the adapter is a finding.
pub fn examine(
    adapter: &Adapter,
    tell: &mut dyn FnMut(&Event) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut probe = None;
    for check in Check::ALL {
        tell(&Event::Begins(check))?;
        let start = Instant::now();
        let verdict = match &mut probe {
            None => Probe::new(adapter).and_then(|opened| probe.insert(opened).make(check)),
            Some(probe) => probe.make(check),
        };
        let seconds = Some(start.elapsed().as_secs_f64());
        let (outcome, detail, bytes_per_second) = match verdict {
            Ok(Verdict::Right(detail)) => (Outcome::Passed, detail, None),
            Ok(Verdict::Wrong(detail)) => (Outcome::Failed, detail, None),
            Ok(Verdict::Lacks(what)) => (Outcome::Skipped, what.to_owned(), None),
            Ok(Verdict::Speed(speed)) => (
                Outcome::Passed,
                format!("{:.1} GB/s", speed / 1e9),
                Some(speed),
            ),
            Err(error) => (Outcome::Failed, error.to_string(), None),
        };
        tell(&Event::Found(Finding {
            check,
            outcome,
            detail,
            bytes_per_second,
            seconds,
        }))?;
        if probe.is_none() {
            break;
        }
    }
    Ok(())
}
