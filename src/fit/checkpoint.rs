//! Checkpoints: what it takes to go on with a run.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::every::Every;
use super::setup::Setup;
use crate::data::scaling::Scaling;
use crate::data::statistics::{ColumnStats, Statistics};
use crate::engine::{Description, Share, Tuning};
use crate::error::Error;
use crate::model::Model;
use crate::ranks::{Ranks, other};
use crate::train::{Descent, Epoch, Walk};
use crate::{atomic, saved};

/// The number grows if a key goes or changes its meaning.
const SCHEMA: &str = "fall-line checkpoint 1";

/// The file of a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
struct Written<'a> {
    schema: Cow<'a, str>,
    /// CRC-32 of `content` as compact JSON.
    checksum: u32,
    content: Content<'a>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Content<'a> {
    fingerprint: Fingerprint,
    /// The division of the work on the adapter, so that the run goes on to the same bits.
    tuning: Option<Tuning>,
    /// The shares of several adapters, for the same reason.
    #[serde(default, skip_serializing_if = "<[Share]>::is_empty")]
    shares: Cow<'a, [Share]>,
    /// The ranks that it went on over.
    #[serde(default = "alone", skip_serializing_if = "is_alone")]
    ranks: usize,
    walk: Walk,
    /// Every epoch so far; empty if the run kept no history.
    #[serde(default)]
    history: Cow<'a, [Epoch]>,
}

fn alone() -> usize {
    1
}

fn is_alone(ranks: &usize) -> bool {
    *ranks == 1
}

/// The parts of a run that have to be the same for it to go on to the same bits, by name.
///
/// Neither the number of epochs nor the number of threads: a run may go on for longer, and sums are the same for any
/// number of threads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Fingerprint(BTreeMap<String, Value>);

impl Fingerprint {
    /// Returns the fingerprint of a run with these parts.
    pub fn new(parts: impl IntoIterator<Item = (&'static str, Value)>) -> Self {
        let parts = parts.into_iter();
        Fingerprint(parts.map(|(name, part)| (name.to_owned(), part)).collect())
    }

    /// Returns the names of what differs, between runs over so many ranks. Over several, the data's statistics may by their
    /// rounding. Over other ones than before, the engine may but for its kind and its storage.
    fn differences(&self, other: &Self, [before, now]: [usize; 2]) -> Vec<String> {
        let is_same = |name: &str, part: &Value| match (other.0.get(name), name) {
            (Some(other), "engine") if before != now => ["kind", "storage"]
                .iter()
                .all(|key| other.get(key) == part.get(key)),
            (Some(other), "data") if before.max(now) > 1 => are_same_data(part, other),
            (other, _) => other == Some(part),
        };
        let parts = self.0.iter();
        parts
            .filter(|(name, part)| !is_same(name, part))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Returns a part, unless it is of another kind.
    fn part<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        T::deserialize(self.0.get(name)?).ok()
    }
}

/// A checkpoint that was read.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    path: PathBuf,
    content: Content<'static>,
}

impl Checkpoint {
    /// Reads a checkpoint.
    ///
    /// # Errors
    /// [`Error::Io`] if the file can't be read, [`Error::Data`] if it is not a checkpoint, is damaged, or has a schema that
    /// this version doesn't know.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let before = Self::before(path);
        let read = Self::read_from(path);
        if !before.exists() {
            return read;
        }
        let offer = format!("the one before it is kept as {}", before.display());
        read.map_err(|error| match error {
            Error::Data(text) => Error::Data(format!("{text}; {offer}")),
            Error::Io { doing, source } => Error::Io {
                doing: format!("{doing} ({offer})"),
                source,
            },
            other => other,
        })
    }

    fn read_from(path: &Path) -> Result<Self, Error> {
        let damaged = |why: &dyn Display| {
            let name = path.display();
            Error::Data(format!("{name} is damaged: {why}; begin anew without it"))
        };
        let Written {
            checksum, content, ..
        } = saved::read(path, SCHEMA, "is not a checkpoint, or is damaged")?
            .map_err(|error| damaged(&error))?;
        if saved::checksum(&content)? != checksum {
            return Err(damaged(&"its checksum is wrong"));
        }
        let shares = content.shares.iter().flat_map(|share| {
            let inner = share.engine.shares.iter().map(|inner| inner.engine.tuning);
            inner.chain([share.engine.tuning])
        });
        let mut tunings = shares.chain([content.tuning]).flatten();
        if !tunings.all(|tuning| tuning.is_valid()) {
            return Err(damaged(&"no adapter can divide its work so"));
        }
        Ok(Checkpoint {
            path: path.to_owned(),
            content,
        })
    }

    /// Returns where the checkpoint before the last one is kept: `run.json.before` for `run.json`.
    pub fn before(path: &Path) -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push(".before");
        name.into()
    }

    /// Checks that all ranks go on from the same checkpoint, or none from any.
    ///
    /// # Errors
    /// [`Error::Usage`] for a rank with another one, and those of [`gather_values`](crate::ranks::gather_values).
    pub(super) fn agree(resume: Option<&Self>, ranks: &dyn Ranks) -> Result<(), Error> {
        let checksum = |checkpoint: &Self| saved::checksum(&checkpoint.content);
        match other(ranks, resume.map(checksum).transpose()?)? {
            Some(rank) => Err(Error::Usage(format!(
                "rank {rank} goes on from another checkpoint than rank 0: give all ranks the same file"
            ))),
            None => Ok(()),
        }
    }

    /// Takes over what a run over other ranks rounded in another way: statistics, and what follows from them. The state of a
    /// descent is in those coordinates.
    pub(super) fn settle(&self, setup: &mut Setup, ranks: usize) {
        if ranks == 1 && self.content.ranks == 1 {
            return;
        }
        let known = &self.content.fingerprint;
        let (Some(scaling), Some(start), Some(descent)) = (
            known.part::<Scaling>(STANDARDISING),
            known.part::<Model>(START),
            known.part::<Descent>(DESCENT),
        ) else {
            return;
        };
        // In the coordinates of the engine all of them are of size 1, or as they were given.
        let inside = |line: Model| json!(setup.scaling.inside(line));
        if setup.scaling.is_near(&scaling, NEAR)
            && are_near(&inside(setup.start), &inside(start))
            && are_near(&json!(setup.config.descent), &json!(descent))
        {
            setup.scaling = scaling;
            setup.start = start;
            setup.config.descent = descent;
            setup.config.start = scaling.inside(start);
        }
    }

    /// Returns how a rank divided the work on its adapter, or among several; `None` over another number of ranks.
    #[cfg(feature = "gpu")]
    pub(super) fn division(&self, rank: usize, ranks: usize) -> Option<(Option<Tuning>, &[Share])> {
        let Content {
            tuning,
            shares,
            ranks: before,
            ..
        } = &self.content;
        match (ranks, *before) {
            (1, 1) => Some((*tuning, shares)),
            (now, before) if now == before => {
                let engine = &shares.get(rank)?.engine;
                Some((engine.tuning, &engine.shares))
            }
            _ => None,
        }
    }

    /// Returns the epochs that its run had done.
    pub fn epochs(&self) -> u64 {
        self.content.walk.epochs()
    }

    /// Returns every epoch that its run had done; none if it kept no history.
    pub(super) fn history(&self) -> &[Epoch] {
        &self.content.history
    }

    /// Returns where its run stood, if it has this fingerprint.
    ///
    /// # Errors
    /// [`Error::OtherRun`] with what differs.
    pub(super) fn resume(&self, fingerprint: &Fingerprint, ranks: usize) -> Result<Walk, Error> {
        let ranks = [self.content.ranks, ranks];
        let differences = fingerprint.differences(&self.content.fingerprint, ranks);
        if differences.is_empty() {
            return Ok(self.content.walk.clone());
        }
        Err(Error::OtherRun {
            path: self.path.clone(),
            differences,
        })
    }
}

/// The checkpoints of a run: where they go, and when.
pub(super) struct Checkpoints {
    path: Option<PathBuf>,
    every: Every,
    /// Only after a whole batch does a run go on to the same bits.
    sync_every: u64,
    fingerprint: Fingerprint,
    engine: Description,
    ranks: usize,
    /// The state of the run, unless it is written.
    unwritten: Option<Walk>,
    /// Whether this run has written the file.
    is_ours: bool,
    /// When the last checkpoint was written, and how long that took.
    at: Instant,
    took: Duration,
}

/// Checkpoints by time take about one part in so many of a run, however long its history is.
const SHARE: u32 = 20;

impl Checkpoints {
    pub fn new(
        path: Option<PathBuf>,
        every: Every,
        sync_every: u64,
        from: &Walk,
        fingerprint: Fingerprint,
        engine: Description,
        ranks: usize,
    ) -> Self {
        Checkpoints {
            path,
            every,
            sync_every,
            fingerprint,
            engine,
            ranks,
            unwritten: Some(from.clone()),
            is_ours: false,
            at: Instant::now(),
            took: Duration::ZERO,
        }
    }

    /// Called after each epoch, writes a checkpoint if one is due, with all epochs if they are kept.
    ///
    /// # Errors
    /// [`Error::Io`] if it can't be written. The run can go on: a later checkpoint replaces this one.
    pub fn tell(&mut self, walk: &Walk, history: &[Epoch]) -> Result<(), Error> {
        if self.path.is_none() || !walk.epochs().is_multiple_of(self.sync_every) {
            return Ok(());
        }
        self.unwritten = Some(walk.clone());
        let due = match self.every {
            Every::Epochs(epochs) => {
                walk.epochs() / epochs > (walk.epochs() - self.sync_every) / epochs
            }
            Every::Time(time) => self.at.elapsed() >= time.max(SHARE * self.took),
        };
        if due { self.finish(history) } else { Ok(()) }
    }

    /// Writes where the run is. The checkpoint before is kept beside it.
    ///
    /// # Errors
    /// [`Error::Io`] if it can't be written.
    pub fn finish(&mut self, history: &[Epoch]) -> Result<(), Error> {
        let start = Instant::now();
        let written = self.write(history);
        // What can't be written is not tried again at once.
        self.at = Instant::now();
        self.took = start.elapsed();
        written
    }

    fn write(&mut self, history: &[Epoch]) -> Result<(), Error> {
        let (Some(path), Some(walk)) = (&self.path, &self.unwritten) else {
            return Ok(());
        };
        let content = Content {
            fingerprint: self.fingerprint.clone(),
            tuning: self.engine.tuning,
            shares: (&self.engine.shares).into(),
            ranks: self.ranks,
            walk: walk.clone(),
            // After a batch that is not whole, the history goes on beyond the walk.
            history: history[..history.partition_point(|at| at.epoch <= walk.epochs())].into(),
        };
        let written = Written {
            schema: SCHEMA.into(),
            checksum: saved::checksum(&content)?,
            content,
        };
        // A damaged one must not take the place of the one before it.
        let worth = self.is_ours || Checkpoint::read_from(path).is_ok();
        if worth && let Ok(mut there) = File::open(path) {
            atomic::write(&Checkpoint::before(path), |mut out| {
                io::copy(&mut there, &mut out).map(drop)
            })?;
        }
        atomic::write(path, |out| {
            serde_json::to_writer(&mut *out, &written)?;
            writeln!(out)
        })?;
        self.is_ours = true;
        self.unwritten = None;
        Ok(())
    }
}

/// The names of the parts that [`Checkpoint::settle`] takes over.
pub(super) const START: &str = "start";
pub(super) const STANDARDISING: &str = "standardising";
pub(super) const DESCENT: &str = "optimizer, learning rate or schedule";

/// The share by which numbers may differ that are rounded in another order, and what follows from them.
const NEAR: f64 = 1e-6;

/// Returns whether two values of JSON are the same but for numbers that differ by [`NEAR`] of their size, or of 1 near 0.
fn are_near(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => match (one.as_f64(), other.as_f64()) {
            (Some(one), Some(other)) => {
                let size = one.abs().max(other.abs());
                (one - other).abs() <= NEAR * size || size <= NEAR
            }
            _ => false,
        },
        (Value::Array(one), Value::Array(other)) => {
            let mut pairs = one.iter().zip(other);
            one.len() == other.len() && pairs.all(|(one, other)| are_near(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let is_near = |(name, one): (&String, &Value)| {
                other.get(name).is_some_and(|other| are_near(one, other))
            };
            one.len() == other.len() && one.iter().all(is_near)
        }
        (one, other) => one == other,
    }
}

/// Returns whether two data parts of fingerprints are of the same samples: their number, their checksum and their ends are the
/// same, and their moments but for rounding.
fn are_same_data(one: &Value, other: &Value) -> bool {
    type Data = (Value, u64, Option<Statistics>);
    let (Ok(one), Ok(other)) = (Data::deserialize(one), Data::deserialize(other)) else {
        return false;
    };
    let column = |one: &ColumnStats, other: &ColumnStats, samples: u64| {
        let deviation = (one.squares / samples as f64).sqrt();
        (one.least, one.greatest) == (other.least, other.greatest)
            && (one.mean - other.mean).abs() <= NEAR * deviation
            && (one.squares - other.squares).abs() <= NEAR * one.squares
    };
    let statistics = match (&one.2, &other.2) {
        (Some(a), Some(b)) => {
            a.checksum == b.checksum
                && column(&a.x, &b.x, a.samples)
                && column(&a.y, &b.y, a.samples)
                && (a.products - b.products).abs() <= NEAR * (a.x.squares * a.y.squares).sqrt()
        }
        (one, other) => one.is_none() && other.is_none(),
    };
    (&one.0, one.1) == (&other.0, other.1) && statistics
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Model;
    use crate::train::{Config, Descent};

    fn checkpoints(path: &Path, every: Every) -> (Checkpoints, Walk) {
        let walk = Walk::new(&Config {
            epochs: 10,
            start: Model { w: 0.1, b: -2.5 },
            sync_every: 1,
            descent: Descent::CuttingPlane {
                reach: Model::both(4.0),
                tolerance: Model::both(1e-6),
                exact: false,
            },
            stop: None,
        });
        let fingerprint = Fingerprint::new([("loss", Value::from("mae"))]);
        let path = Some(path.to_owned());
        let checkpoints = Checkpoints::new(
            path,
            every,
            1,
            &walk,
            fingerprint,
            Description::on_host("1 thread", 1),
            1,
        );
        (checkpoints, walk)
    }

    #[test]
    fn damage_of_any_byte_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.json");
        checkpoints(&path, Every::Epochs(1)).0.finish(&[]).unwrap();
        let good = std::fs::read(&path).unwrap();
        let content = Checkpoint::read(&path).unwrap().content;
        assert!(good.len() > 200);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, bad).unwrap();
            // Damage to the name of a part that is empty loses nothing.
            if let Ok(read) = Checkpoint::read(&path) {
                let [read, content] =
                    [&read.content, &content].map(|it| saved::checksum(it).unwrap());
                assert_eq!(read, content, "byte {at}");
            }
        }
    }

    #[test]
    fn writing_by_time_waits_for_many_times_what_it_took() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.json");
        let (mut checkpoints, walk) = checkpoints(&path, Every::Time(Duration::ZERO));
        checkpoints.took = Duration::from_secs(3600);
        checkpoints.tell(&walk, &[]).unwrap();
        assert!(!path.exists());
        checkpoints.took = Duration::ZERO;
        checkpoints.tell(&walk, &[]).unwrap();
        assert!(path.exists());
    }
}
