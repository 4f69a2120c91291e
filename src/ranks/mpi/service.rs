//! The thread that makes all calls of the library.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::abi::{self, Calls, Constants, Handle, Kind};
use super::library::Opened;
use super::signs::Signs;
use super::{GRACE, Job, Options, TOGETHER};
use crate::error::Error;
use crate::ranks::OnLoss;

/// The time that a launcher gets to pass the last line on.
const LAST_LINE: Duration = Duration::from_millis(100);

// A rank that fails ends the job within 2 s: it waits for others to fail too, passes its line on, and gives the library a moment.
const _: () = assert!(
    TOGETHER.as_millis() + LAST_LINE.as_millis() + GRACE.as_millis() < 2000,
    "the end of a job takes too long"
);

/// An answer that a thread waits for.
type Answer<T> = Sender<Result<T, Error>>;

/// A request to MPI's thread.
pub enum Request {
    /// Gathers bytes from all ranks.
    Gather {
        /// The bytes of this one.
        mine: Vec<u8>,
        /// The number of bytes from each rank; `None` if it is the same for all.
        lengths: Option<Vec<usize>>,
        /// Gets those of all, one after the other.
        reply: Answer<Vec<u8>>,
    },
    /// Ends MPI once all ranks ask for it.
    Finish {
        /// Is told of the end.
        reply: Answer<()>,
    },
    /// Wakes the thread: the job has an exit code.
    Abort,
}

/// MPI, as it began.
pub struct Begun {
    pub rank: usize,
    pub size: usize,
    pub library: PathBuf,
    pub version: String,
}

/// Starts the thread. It answers once MPI is initialised.
pub fn start(
    job: &'static Job,
    options: Options,
    opened: Opened,
    requests: Receiver<Request>,
) -> Result<Receiver<Result<Begun, Error>>, Error> {
    let (reply, begun) = channel();
    let serve = move || {
        let served = match opened.kind {
            Kind::Mpich => serve(
                job,
                options,
                opened,
                Constants::of_mpich(),
                &reply,
                &requests,
            ),
            Kind::Standard => serve(
                job,
                options,
                opened,
                Constants::of_standard(),
                &reply,
                &requests,
            ),
            Kind::OpenMpi => Constants::of_open_mpi(&opened.library)
                .map_err(Error::Usage)
                .and_then(|constants| serve(job, options, opened, constants, &reply, &requests)),
        };
        if let Err(error) = served {
            let _ = reply.send(Err(error));
        }
    };
    let started = thread::Builder::new().name("mpi".to_owned()).spawn(serve);
    started.map_err(|source| Error::Io {
        doing: "cannot start a thread".to_owned(),
        source,
    })?;
    Ok(begun)
}

/// Initialises MPI, says so, and serves requests until it ends.
fn serve<H: Handle>(
    job: &'static Job,
    options: Options,
    opened: Opened,
    constants: Constants<H>,
    reply: &Answer<Begun>,
    requests: &Receiver<Request>,
) -> Result<(), Error> {
    let calls = Calls::init(&opened.library, constants)?;
    let (rank, size) = calls.rank_and_size()?;
    opened.check_size(size)?;
    let service = Service {
        signs: Signs::new(&calls, rank, size, options.timeout)?,
        calls,
        size,
        job,
        on_loss: options.on_loss,
        failed: None,
    };
    let _ = reply.send(Ok(Begun {
        rank,
        size,
        library: opened.library.name().to_owned(),
        version: opened.version,
    }));
    service.run(requests);
    Ok(())
}

/// The state of the thread.
struct Service<H> {
    calls: Calls<H>,
    signs: Signs<H>,
    size: usize,
    job: &'static Job,
    on_loss: Option<OnLoss>,
    /// The first failure, which all later requests end with.
    failed: Option<String>,
}

impl<H: Handle> Service<H> {
    /// Serves requests until MPI ends.
    fn run(mut self, requests: &Receiver<Request>) {
        loop {
            // After a failure there are no more signs.
            let due_in = if self.failed.is_some() {
                GRACE
            } else {
                self.signs.due_in()
            };
            match requests.recv_timeout(due_in) {
                Ok(Request::Gather {
                    mine,
                    lengths,
                    reply,
                }) => {
                    let all = self.gather(mine, lengths);
                    let _ = reply.send(all);
                }
                Ok(Request::Finish { reply }) => {
                    let done = self.finish();
                    let _ = reply.send(done);
                    return;
                }
                Ok(Request::Abort) | Err(_) => {}
            }
            // A failure is kept for the next request.
            let _ = self.tend();
        }
    }

    fn gather(&mut self, mine: Vec<u8>, lengths: Option<Vec<usize>>) -> Result<Vec<u8>, Error> {
        self.tend()?;
        let begun = match lengths {
            Some(lengths) => self.calls.gather_each(mine, &lengths),
            None => self.calls.gather(mine, self.size),
        };
        let mut pending = begun.map_err(|error| self.fail(error))?;
        let wait = Wait::begin();
        loop {
            let tested = self.calls.test(&mut pending);
            if tested.map_err(|error| self.fail(error))? {
                return Ok(pending.received().unwrap_or_default());
            }
            self.tend()?;
            let awaited = self.signs.awaited(self.job.hosts.get());
            awaited.map_err(|error| self.fail(error))?;
            wait.pause();
        }
    }

    /// Waits for the last signs of all ranks, so that no message is under way when MPI ends.
    fn finish(mut self) -> Result<(), Error> {
        self.signs.end();
        let wait = Wait::begin();
        while !self.signs.are_over() {
            self.tend()?;
            wait.pause();
        }
        self.tend()?;
        self.calls.finalize()
    }

    /// Does what is due besides requests: ends the job, exchanges signs of life.
    fn tend(&mut self) -> Result<(), Error> {
        self.job.loops.fetch_add(1, Ordering::Relaxed);
        if let Ok(code) = u8::try_from(self.job.abort.load(Ordering::Relaxed)) {
            self.end_job(code);
        }
        if let Some(failed) = &self.failed {
            return Err(Error::Ranks(failed.clone()));
        }
        let exchanged = self.signs.exchange(&self.calls, self.job.hosts.get());
        exchanged.map_err(|error| self.fail(error))
    }

    fn fail(&mut self, error: Error) -> Error {
        if let Some(on_loss) = self.on_loss.take() {
            on_loss(&error);
            self.end_job(error.exit_code());
        }
        self.failed = Some(error.to_string());
        error
    }

    fn end_job(&self, code: u8) -> ! {
        let _ = thread::Builder::new().spawn(move || {
            thread::sleep(GRACE);
            abi::exit(code);
        });
        // A rank alone has nobody to tell, and Open MPI would print ten lines about it.
        if self.size > 1 {
            // MPICH 5's launcher loses what was written right before, in one of ten jobs.
            thread::sleep(LAST_LINE);
            self.calls.abort(code);
        }
        abi::exit(code)
    }
}

/// The wait for other ranks, which takes no core from them for long.
struct Wait {
    begin: Instant,
}

impl Wait {
    /// Most gathers of two ranks with a core each are done in a fifth of this time.
    const SPIN: Duration = Duration::from_micros(50);
    /// Until then other ranks have the core, if any wants it. On two cores, four ranks of MPICH gather in 0.5 to 1 ms with
    /// 200 µs, and in 2 ms with 1 ms; with 100 µs, two ranks take up to 0.4 ms.
    const YIELD: Duration = Duration::from_micros(200);
    /// A sleep adds at most this part to a long wait.
    const PART: u32 = 20;
    /// The shortest sleep that Linux keeps to, and the longest.
    const SLEEPS: [Duration; 2] = [Duration::from_micros(50), Duration::from_millis(1)];

    fn begin() -> Self {
        Wait {
            begin: Instant::now(),
        }
    }

    fn pause(&self) {
        let [shortest, longest] = Self::SLEEPS;
        match self.begin.elapsed() {
            waited if waited < Self::SPIN => std::hint::spin_loop(),
            waited if waited < Self::YIELD => thread::yield_now(),
            waited => thread::sleep((waited / Self::PART).clamp(shortest, longest)),
        }
    }
}
