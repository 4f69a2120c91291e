//! The thread that makes all calls of the library.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::abi::{self, Calls, Constants, Handle, Kind, Library};
use super::signs::Signs;
use super::{GRACE, Job, Options, library};
use crate::error::Error;
use crate::ranks::launcher::Launcher;

/// An answer that a thread waits for.
type Answer<T> = Sender<Result<T, Error>>;

/// A request to MPI's thread.
pub enum Request {
    /// Gathers as many bytes of each rank.
    Gather {
        /// The bytes of this one.
        mine: Vec<u8>,
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
    launcher: Option<Launcher>,
    requests: Receiver<Request>,
) -> Result<Receiver<Result<Begun, Error>>, Error> {
    let (reply, begun) = channel();
    let serve = move || {
        let served = match library::open(launcher.as_ref()) {
            Ok((library, Kind::Mpich)) => {
                Service::begin(job, options, library, Constants::of_mpich(), &reply)
                    .map(|service| service.run(&requests))
            }
            Ok((library, Kind::Standard)) => {
                Service::begin(job, options, library, Constants::of_standard(), &reply)
                    .map(|service| service.run(&requests))
            }
            Ok((library, Kind::OpenMpi)) => Constants::of_open_mpi(&library)
                .map_err(Error::Usage)
                .and_then(|constants| Service::begin(job, options, library, constants, &reply))
                .map(|service| service.run(&requests)),
            Err(error) => Err(error),
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

/// The state of the thread.
struct Service<H> {
    calls: Calls<H>,
    signs: Signs<H>,
    size: usize,
    job: &'static Job,
    on_loss: Option<Box<dyn FnOnce(&Error) + Send>>,
    /// The first failure, which all later requests end with.
    failed: Option<String>,
}

impl<H: Handle> Service<H> {
    fn begin(
        job: &'static Job,
        options: Options,
        library: Library,
        constants: Constants<H>,
        reply: &Answer<Begun>,
    ) -> Result<Self, Error> {
        let version = library.version().map_err(Error::Usage)?;
        let calls = Calls::init(&library, constants)?;
        let (rank, size) = calls.rank_and_size()?;
        let signs = Signs::new(&calls, rank, size, options.timeout)?;
        let _ = reply.send(Ok(Begun {
            rank,
            size,
            library: library.name().to_owned(),
            version,
        }));
        Ok(Service {
            calls,
            signs,
            size,
            job,
            on_loss: options.on_loss,
            failed: None,
        })
    }

    /// Serves requests until MPI ends.
    fn run(mut self, requests: &Receiver<Request>) {
        loop {
            match requests.recv_timeout(self.signs.due_in()) {
                Ok(Request::Gather { mine, reply }) => {
                    let all = self.gather(mine);
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
            let _ = self.turn();
        }
    }

    fn gather(&mut self, mine: Vec<u8>) -> Result<Vec<u8>, Error> {
        self.turn()?;
        let begun = self.calls.gather(mine, self.size);
        let mut pending = begun.map_err(|error| self.fail(error))?;
        let wait = Wait::begin();
        loop {
            let tested = self.calls.test(&mut pending);
            if tested.map_err(|error| self.fail(error))? {
                return Ok(pending.received().map(<[u8]>::to_vec).unwrap_or_default());
            }
            self.turn()?;
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
            self.turn()?;
            wait.pause();
        }
        self.turn()?;
        self.calls.finalize()
    }

    /// Does what is due besides requests: ends the job, exchanges signs of life.
    fn turn(&mut self) -> Result<(), Error> {
        self.job.turns.fetch_add(1, Ordering::Relaxed);
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
        thread::spawn(move || {
            thread::sleep(GRACE);
            abi::exit(code);
        });
        self.calls.abort(code);
        abi::exit(code)
    }
}

/// The wait for other ranks, which takes no core from them for long.
struct Wait {
    begin: Instant,
}

impl Wait {
    /// Gathers among ranks with cores of their own are done in this time, and a sleep takes longer than it.
    const SPIN: Duration = Duration::from_micros(50);
    /// Until then other threads have the core, if any wants it.
    const YIELD: Duration = Duration::from_millis(1);
    /// A sleep adds at most this part to the wait.
    const PART: u32 = 20;
    /// The shortest sleep that timers of Linux are exact enough for, and the longest.
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
