//! Checkpoints: what it takes to go on with a run.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::every::Every;
use crate::engine::Tuning;
use crate::error::Error;
use crate::saved;
use crate::train::Walk;

/// The number grows if a key goes or changes its meaning.
const SCHEMA: &str = "fall-line checkpoint 1";

/// The file of a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    schema: String,
    /// CRC-32 of `content` as compact JSON.
    checksum: u32,
    content: Content,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Content {
    fingerprint: Fingerprint,
    /// The division of the work on the adapter, so that the run goes on to the same bits.
    tuning: Option<Tuning>,
    walk: Walk,
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

    /// Returns the names of what differs.
    fn differences(&self, other: &Self) -> Vec<String> {
        let parts = self.0.iter();
        parts
            .filter(|(name, part)| other.0.get(*name) != Some(part))
            .map(|(name, _)| name.clone())
            .collect()
    }
}

/// A checkpoint that was read.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    path: PathBuf,
    content: Content,
}

impl Checkpoint {
    /// Reads a checkpoint.
    ///
    /// # Errors
    /// [`Error::Io`] if the file can't be read, [`Error::Data`] if it is not a checkpoint, is damaged, or has a schema that
    /// this version doesn't know.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let damaged = |why: &dyn Display| {
            let name = path.display();
            Error::Data(format!("{name} is damaged: {why}; begin anew without it"))
        };
        let Written {
            checksum, content, ..
        } = saved::read(path, SCHEMA, "is not a checkpoint, or is damaged")?
            .map_err(|error| damaged(&error))?;
        if self::checksum(&content)? != checksum {
            return Err(damaged(&"its checksum is wrong"));
        }
        Ok(Checkpoint {
            path: path.to_owned(),
            content,
        })
    }

    /// Returns how the work was divided on the adapter.
    #[cfg(feature = "gpu")]
    pub(super) fn tuning(&self) -> Option<Tuning> {
        self.content.tuning
    }

    /// Returns the epochs that its run had done.
    pub fn epochs(&self) -> u64 {
        self.content.walk.epochs()
    }

    /// Returns where its run stood, if it has this fingerprint.
    ///
    /// # Errors
    /// [`Error::OtherRun`] with what differs.
    pub(super) fn resume(&self, fingerprint: &Fingerprint) -> Result<Walk, Error> {
        let differences = fingerprint.differences(&self.content.fingerprint);
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
    tuning: Option<Tuning>,
    /// The state of the run, unless it is written.
    unwritten: Option<Walk>,
    /// When the last checkpoint was written.
    at: Instant,
}

impl Checkpoints {
    pub fn new(
        path: Option<PathBuf>,
        every: Every,
        sync_every: u64,
        from: &Walk,
        fingerprint: Fingerprint,
        tuning: Option<Tuning>,
    ) -> Self {
        Checkpoints {
            path,
            every,
            sync_every,
            fingerprint,
            tuning,
            unwritten: Some(from.clone()),
            at: Instant::now(),
        }
    }

    /// Called after each epoch, writes a checkpoint if one is due.
    ///
    /// # Errors
    /// [`Error::Io`] if it can't be written. The run can go on: a later checkpoint replaces this one.
    pub fn tell(&mut self, walk: &Walk) -> Result<(), Error> {
        if self.path.is_none() || !walk.epochs().is_multiple_of(self.sync_every) {
            return Ok(());
        }
        self.unwritten = Some(walk.clone());
        let due = match self.every {
            Every::Epochs(epochs) => {
                walk.epochs() / epochs > (walk.epochs() - self.sync_every) / epochs
            }
            Every::Time(time) => self.at.elapsed() >= time,
        };
        if due { self.finish() } else { Ok(()) }
    }

    /// Writes where the run is.
    ///
    /// # Errors
    /// [`Error::Io`] if it can't be written.
    pub fn finish(&mut self) -> Result<(), Error> {
        let (Some(path), Some(walk)) = (&self.path, &self.unwritten) else {
            return Ok(());
        };
        self.at = Instant::now();
        let content = Content {
            fingerprint: self.fingerprint.clone(),
            tuning: self.tuning,
            walk: walk.clone(),
        };
        let written = Written {
            schema: SCHEMA.to_owned(),
            checksum: checksum(&content)?,
            content,
        };
        saved::write(path, &written)?;
        self.unwritten = None;
        Ok(())
    }
}

fn checksum(content: &Content) -> Result<u32, Error> {
    let text = serde_json::to_string(content).map_err(saved::cannot_write)?;
    Ok(crc32fast::hash(text.as_bytes()))
}
