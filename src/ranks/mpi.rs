//! Ranks over MPI. The library is opened at run time, so that one build works with whatever MPI a machine has.
//!
//! One thread makes all calls of the library. It gathers for the others, and exchanges signs of life with other ranks also while
//! the rest of the process computes. A rank that is busy is therefore never taken for lost.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sysinfo::System;

use self::library::Opened;
use self::service::Request;
use super::launcher::Launcher;
use super::{Failure, INLINE, OnLoss, Ranks, gather_values};
use crate::error::Error;

mod abi;
mod library;
mod service;
mod signs;

/// The time that [`abort`] leaves to the library, before it ends the process itself.
const GRACE: Duration = Duration::from_secs(1);

/// Signs of life in a time-out: they are sent and looked for so often.
const SIGNS: u32 = 16;

/// The part of a process that other threads share with MPI's.
struct Job {
    requests: Sender<Request>,
    /// The exit code that the job is to end with; −1 before it is.
    abort: AtomicI32,
    /// Loops of MPI's thread so far. They stand still while the library is in a call.
    loops: AtomicU64,
    /// The rank of this process and the number of ranks, once known.
    place: OnceLock<[usize; 2]>,
    /// The machines of all ranks, once known.
    hosts: OnceLock<Vec<String>>,
}

static JOB: OnceLock<Job> = OnceLock::new();

/// Options of [`Mpi::open`].
pub struct Options {
    /// Opens a library also where no launcher started this process.
    pub wanted: bool,
    /// The time after which a rank without a sign of life is lost, and a call of the library that has not come back.
    pub timeout: Duration,
    /// Is told when a rank is lost, in another thread and also while this one computes. The job ends when it returns.
    pub on_loss: Option<OnLoss>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            wanted: false,
            timeout: Duration::from_secs(60),
            on_loss: None,
        }
    }
}

/// The ranks of an MPI job.
///
/// [`finish`](Self::finish) ends it in order. One that is dropped without it leaves the job to the launcher, which ends all ranks
/// when it sees a process end.
pub struct Mpi {
    rank: usize,
    size: usize,
    local_rank: usize,
    local_ranks: usize,
    library: PathBuf,
    version: String,
    timeout: Duration,
    /// Held during a gather: one at a time.
    gathering: Mutex<()>,
    job: &'static Job,
}

/// The first message of a rank.
#[derive(Serialize, Deserialize)]
struct Hello {
    version: String,
    host: String,
}

impl Mpi {
    /// Opens MPI where a launcher started this process, and waits for the other ranks. Returns `None` without a launcher, with
    /// a single rank, or if the environment has `FALL_LINE_MPI=none`; no library is opened then.
    ///
    /// # Errors
    /// [`Error::Usage`] if no library can be opened, if the launcher started more ranks than the library knows of, if
    /// ranks run different versions of this crate, or if MPI was open already. [`Error::Ranks`] if the library fails.
    pub fn open(options: Options) -> Result<Option<Self>, Error> {
        let launcher = Launcher::find();
        let alone = launcher
            .as_ref()
            .is_none_or(|launcher| launcher.ranks == Some(1));
        if !options.wanted && (alone || library::is_refused()) {
            return Ok(None);
        }
        if options.timeout < Duration::from_secs(1) {
            return Err(Error::Usage(
                "the time-out of ranks must be at least 1 s".to_owned(),
            ));
        }
        let opened = Opened::new(launcher.clone())?;
        let (requests, incoming) = channel();
        let mut first = false;
        let job = JOB.get_or_init(|| {
            first = true;
            Job {
                requests,
                abort: AtomicI32::new(-1),
                loops: AtomicU64::new(0),
                place: OnceLock::new(),
                hosts: OnceLock::new(),
            }
        });
        if !first {
            return Err(Error::Usage(
                "MPI is opened once in a process, and was opened already".to_owned(),
            ));
        }
        let timeout = options.timeout;
        let begun = service::start(job, options, opened, incoming)?;
        let begun = wait(job, timeout, "MPI_Init_thread", &begun)??;
        let mut mpi = Mpi {
            rank: begun.rank,
            size: begun.size,
            local_rank: 0,
            local_ranks: 1,
            library: begun.library,
            version: begun.version,
            timeout,
            gathering: Mutex::new(()),
            job,
        };
        mpi.greet(launcher.as_ref())?;
        Ok(Some(mpi))
    }

    /// Tells the others the version and the machine of this rank, and learns theirs.
    fn greet(&mut self, launcher: Option<&Launcher>) -> Result<(), Error> {
        let hello = Hello {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: System::host_name().unwrap_or_else(|| "?".to_owned()),
        };
        let all = gather_values(self, hello)?;
        check_versions(&all, self.rank)?;
        let host = &all[self.rank].host;
        let here = |ranks: &[Hello]| ranks.iter().filter(|other| other.host == *host).count();
        // Machines may all be called "localhost": the launcher knows better.
        self.local_rank = launcher
            .and_then(|launcher| launcher.local_rank)
            .unwrap_or_else(|| here(&all[..self.rank]));
        self.local_ranks = launcher
            .and_then(|launcher| launcher.local_ranks)
            .unwrap_or_else(|| here(&all));
        let _ = self.job.place.set([self.rank, self.size]);
        let hosts = all.into_iter().map(|hello| hello.host).collect();
        let _ = self.job.hosts.set(hosts);
        Ok(())
    }

    /// Returns the number of this process among those on its machine, from 0.
    pub fn local_rank(&self) -> usize {
        self.local_rank
    }

    /// Returns the number of processes on its machine.
    pub fn local_ranks(&self) -> usize {
        self.local_ranks
    }

    /// Returns the machines of all ranks, in their order.
    pub fn hosts(&self) -> &[String] {
        self.job.hosts.get().map_or(&[], Vec::as_slice)
    }

    /// Returns the library that was opened, by path or name.
    pub fn library(&self) -> &Path {
        &self.library
    }

    /// Returns the version of the library, in its own words.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Waits until all ranks come to this call, and ends MPI. The process may go on without it.
    ///
    /// # Errors
    /// [`Error::Ranks`] if another rank is lost before, or the library fails.
    pub fn finish(self) -> Result<(), Error> {
        let (reply, done) = channel();
        self.request(Request::Finish { reply })?;
        wait(self.job, self.timeout, "MPI_Finalize", &done)?
    }

    /// Gathers bytes from all ranks, `lengths` of them or the same number from each.
    fn gather_bytes(&self, mine: Vec<u8>, lengths: Option<Vec<usize>>) -> Result<Vec<u8>, Error> {
        let call = match lengths {
            Some(_) => "MPI_Iallgatherv",
            None => "MPI_Iallgather",
        };
        let (reply, all) = channel();
        self.request(Request::Gather {
            mine,
            lengths,
            reply,
        })?;
        wait(self.job, self.timeout, call, &all)?
    }

    fn request(&self, request: Request) -> Result<(), Error> {
        self.job.requests.send(request).map_err(|_| ended())
    }
}

impl Ranks for Mpi {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    /// A record of each rank has a length and up to [`INLINE`] bytes. If a rank has more, a second operation gathers the bytes of
    /// all.
    fn gather(&self, mine: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        let _one = self
            .gathering
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let records = self.gather_bytes(record(mine.len() as u64, mine), None)?;
        let (records, _) = records.as_chunks::<RECORD>();
        if let Some(rank) = records.iter().position(|record| head(record) == FAILED) {
            return Err(Error::OtherRank {
                rank,
                code: records[rank][8],
            });
        }
        let lengths: Vec<usize> = records.iter().map(|record| head(record) as usize).collect();
        if lengths.iter().all(|&length| length <= INLINE) {
            let parts = records.iter().zip(lengths);
            return Ok(parts
                .map(|(record, length)| record[8..8 + length].to_vec())
                .collect());
        }
        let all = self.gather_bytes(mine.to_vec(), Some(lengths.clone()))?;
        let mut rest = &all[..];
        let parts = lengths.into_iter().map(|length| {
            let (part, others) = rest.split_at(length);
            rest = others;
            part.to_vec()
        });
        Ok(parts.collect())
    }
}

/// Bytes of the record that a rank begins a gather with: a head, and [`INLINE`] bytes.
const RECORD: usize = 8 + INLINE;

/// The head of a rank that has failed, in place of a length. Its exit code follows.
const FAILED: u64 = u64::MAX;

/// The time that ranks which have all failed wait for each other to tell.
const LEAVING: Duration = Duration::from_secs(10);

/// The time that a rank which has failed waits for the others to fail too.
const TOGETHER: Duration = Duration::from_millis(700);

fn record(head: u64, bytes: &[u8]) -> Vec<u8> {
    let mut record = head.to_le_bytes().to_vec();
    record.extend(&bytes[..bytes.len().min(INLINE)]);
    record.resize(RECORD, 0);
    record
}

fn head(record: &[u8; RECORD]) -> u64 {
    let (head, _) = record.split_first_chunk().unwrap_or((&[0; 8], &[]));
    u64::from_le_bytes(*head)
}

/// Tells the other ranks, in place of a gather, that this one has failed. Errors that come from what all ranks have in common
/// are then told by one of them. `all_do` says that all are known to fail, some of them later.
pub fn fail(code: u8, all_do: bool) -> Failure {
    let Some((job, place)) = JOB.get().and_then(|job| Some((job, *job.place.get()?))) else {
        return Failure::Alone;
    };
    let (reply, all) = channel();
    let mine = record(FAILED, &[code]);
    let [rank, size] = place;
    let request = Request::Gather {
        mine,
        lengths: None,
        reply,
    };
    if job.requests.send(request).is_err() {
        return Failure::Alone;
    }
    let wait = if all_do { Duration::MAX } else { TOGETHER };
    let records = match all.recv_timeout(wait) {
        Ok(Ok(records)) => records,
        _ => return Failure::Own { rank, size },
    };
    let (records, _) = records.as_chunks::<RECORD>();
    let mut failed = (0..size).filter(|&rank| head(&records[rank]) == FAILED);
    if failed.clone().count() == size {
        Failure::Common
    } else if failed.next() == Some(rank) {
        Failure::Own { rank, size }
    } else {
        Failure::AfterOthers
    }
}

/// Ends MPI after a [common](Failure::Common) failure, once all ranks come to this call. A launcher ends the others when one
/// exits, so the one that tells does so before.
pub fn leave() {
    let Some(job) = JOB.get() else {
        return;
    };
    let (reply, done) = channel();
    if job.requests.send(Request::Finish { reply }).is_ok() {
        let _ = done.recv_timeout(LEAVING);
    }
}

/// Ends all ranks of the job with an exit code, from any thread and within 2 s. Returns, at once, only if MPI is not open.
///
/// A panic hook and an error that one rank alone has end with it, after their message: the others would wait for this rank.
pub fn abort(code: u8) {
    let Some(job) = JOB.get() else {
        return;
    };
    let _ = job
        .abort
        .compare_exchange(-1, code.into(), Ordering::SeqCst, Ordering::SeqCst);
    if job.requests.send(Request::Abort).is_ok() {
        thread::sleep(GRACE);
        abi::exit(code);
    }
}

/// Refuses ranks of which one runs another version than this one.
fn check_versions(all: &[Hello], rank: usize) -> Result<(), Error> {
    let mine = &all[rank];
    match all.iter().position(|other| other.version != mine.version) {
        Some(at) => Err(Error::Usage(format!(
            "rank {at} on {} runs version {}, and rank {rank} on {} version {}: all ranks need the same",
            all[at].host, all[at].version, mine.host, mine.version
        ))),
        None => Ok(()),
    }
}

/// Waits for an answer of MPI's thread for as long as that loops: the library may hang in a call.
fn wait<T>(job: &Job, timeout: Duration, call: &str, answer: &Receiver<T>) -> Result<T, Error> {
    let (mut loops, mut still) = (0, 0);
    loop {
        match answer.recv_timeout(timeout / SIGNS) {
            Ok(answer) => return Ok(answer),
            Err(RecvTimeoutError::Disconnected) => return Err(ended()),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let now = job.loops.load(Ordering::Relaxed);
        still = if now == loops { still + 1 } else { 0 };
        loops = now;
        if still == SIGNS {
            return Err(Error::Ranks(format!(
                "{call} has not come back for {timeout:?}: a rank or the network may be lost; see whether all ranks have started"
            )));
        }
    }
}

fn ended() -> Error {
    Error::Ranks("MPI has ended in this process already".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Hello, check_versions};

    #[test]
    fn ranks_of_other_versions_are_refused_and_named() {
        let all = ["0.1.0", "0.1.0", "0.2.0"].map(|version| Hello {
            version: version.to_owned(),
            host: format!("node of {version}"),
        });
        assert!(check_versions(&all[..2], 1).is_ok());
        for (rank, other) in [
            (0, "rank 2 on node of 0.2.0 runs"),
            (2, "rank 0 on node of 0.1.0 runs"),
        ] {
            let error = check_versions(&all, rank).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().starts_with(other), "{error}");
        }
    }
}
