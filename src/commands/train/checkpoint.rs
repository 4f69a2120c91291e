//! What it takes to go on with a run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use fall_line::data::Source;
use fall_line::data::statistics::Statistics;
use fall_line::engine::Tuning;
use fall_line::error::Error;
use fall_line::saved;
use fall_line::train::Walk;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cli::{Every, Train};
use crate::open::Identity;
use crate::output;
use crate::run::setup::Setup;

/// Its number grows when a key goes or changes its meaning.
const SCHEMA: &str = "fall-line checkpoint 1";

/// What the file of a checkpoint holds.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    schema: String,
    /// CRC-32 of `content` as compact JSON.
    checksum: u32,
    content: Content,
}

#[derive(Debug, Serialize, Deserialize)]
struct Content {
    fingerprint: Fingerprint,
    /// How the adapter's sums were cut, for the run that goes on to cut them alike.
    tuning: Option<Tuning>,
    walk: Walk,
}

/// What has to be the same for a run to go on to the same bits, by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fingerprint(BTreeMap<String, Value>);

impl Fingerprint {
    /// Of a run. Neither how many epochs nor how many threads: a run may go on for longer, and sums are the same for any
    /// number of threads.
    pub fn new(
        args: &Train,
        source: &dyn Source,
        statistics: Option<&Statistics>,
        setup: &Setup,
        engine: &Identity,
    ) -> Self {
        let config = &setup.config;
        let drawn = (!args.has_files()).then(|| (source.title(), args.synthetic.drawn()));
        let data = json!([drawn, source.samples(), statistics]);
        let parts = [
            ("version", json!(env!("CARGO_PKG_VERSION"))),
            ("data", data),
            ("loss", json!(setup.loss.to_string())),
            ("start", json!(setup.start)),
            ("standardising", json!(setup.scaling)),
            (
                "optimizer, learning rate and schedule",
                json!(config.descent),
            ),
            ("sync-every", json!(config.sync_every)),
            ("tolerance and patience", json!(config.stop)),
            ("engine", json!(engine)),
        ];
        let parts = parts.map(|(name, part)| (name.to_owned(), part));
        Fingerprint(parts.into())
    }

    /// The names of what differs.
    fn differences(&self, other: &Self) -> Vec<&str> {
        let parts = self.0.iter();
        parts
            .filter(|(name, part)| other.0.get(*name) != Some(part))
            .map(|(name, _)| name.as_str())
            .collect()
    }
}

/// A checkpoint that was read.
pub struct Checkpoint {
    path: PathBuf,
    content: Content,
}

impl Checkpoint {
    /// Reads a checkpoint.
    ///
    /// # Errors
    /// [`Error::Io`] where it can't be read, [`Error::Data`] where it is none, a damaged one, or one that this version
    /// doesn't know.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let none = "is no checkpoint, or a damaged one: train --checkpoint writes them";
        let damaged = || {
            let name = path.display();
            Error::Data(format!(
                "{name} is damaged, its checksum is another: begin anew, without --resume"
            ))
        };
        let Written {
            checksum, content, ..
        } = saved::read(path, SCHEMA, none)?.map_err(|_| damaged())?;
        if self::checksum(&content)? != checksum {
            return Err(damaged());
        }
        Ok(Checkpoint {
            path: path.to_owned(),
            content,
        })
    }

    /// How the sums of its run were cut.
    pub fn tuning(&self) -> Option<Tuning> {
        self.content.tuning
    }

    /// How many epochs its run had done.
    pub fn epochs(&self) -> u64 {
        self.content.walk.epochs()
    }

    /// Where its run stood, if that is the run of this fingerprint.
    ///
    /// # Errors
    /// [`Error::Usage`] with what differs.
    pub fn resume(self, fingerprint: &Fingerprint) -> Result<Walk, Error> {
        let differences = fingerprint.differences(&self.content.fingerprint);
        if differences.is_empty() {
            return Ok(self.content.walk);
        }
        Err(Error::Usage(format!(
            "--resume {} is of another run: not the same {}; give the data and the flags that it was written with",
            self.path.display(),
            differences.join(", nor "),
        )))
    }
}

/// Where checkpoints go, and when.
pub struct Checkpoints {
    path: Option<PathBuf>,
    every: Every,
    /// Only after a whole batch does a run go on to the same bits.
    sync_every: u64,
    fingerprint: Fingerprint,
    tuning: Option<Tuning>,
    /// How far the run is, if that is not written.
    unwritten: Option<Walk>,
    /// When the last one was written.
    at: Instant,
}

impl Checkpoints {
    pub fn new(
        args: &Train,
        setup: &Setup,
        from: &Walk,
        fingerprint: Fingerprint,
        tuning: Option<Tuning>,
    ) -> Self {
        Checkpoints {
            path: args.checkpoints.checkpoint.clone(),
            every: args.checkpoints.checkpoint_every,
            sync_every: setup.config.sync_every,
            fingerprint,
            tuning,
            unwritten: Some(from.clone()),
            at: Instant::now(),
        }
    }

    /// Told of how far a run is, writes a checkpoint where one is due.
    ///
    /// # Errors
    /// [`Error::Io`] where it can't. No reason to stop: what counts is the last one.
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

    /// Writes how far the run came.
    ///
    /// # Errors
    /// [`Error::Io`] where it can't.
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
        output::json::save(path, &written)?;
        self.unwritten = None;
        Ok(())
    }
}

fn checksum(content: &Content) -> Result<u32, Error> {
    Ok(crc32fast::hash(output::json::compact(content)?.as_bytes()))
}
