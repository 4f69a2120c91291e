//! Ranks over MPI: what they gather, and how a job ends when one of them fails. Open MPI's `mpirun` starts them; without it these
//! tests fail.
//!
//! Its ranks are this binary again, which runs the one test `a_rank`. The environment says what part it plays there.
#![cfg(target_os = "linux")]

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};
use std::{env, fs, panic, process};

use fall_line::data::ranked::Ranked;
use fall_line::data::{Block, Source};
use fall_line::engine::Choice;
use fall_line::ranks::mpi::{self, Mpi, Options};
use fall_line::ranks::{Alone, INLINE, Ranks, gather_numbers, gather_values};
use fall_line::{Error, Fit};
use wait_timeout::ChildExt;

const PART: &str = "FALL_LINE_TEST_PART";
const TIMEOUT: Duration = Duration::from_secs(2);

/// No end takes so long, by far.
const HANGS: Duration = Duration::from_secs(150);

/// Ten times what the ranks of a job have to end after one has failed.
const AFTER_FAILURE: Duration = Duration::from_secs(20);

/// Plays a part where a launcher started this binary. There is nothing to test elsewhere.
#[test]
fn a_rank() {
    let Ok(part) = env::var(PART) else {
        return;
    };
    panic::set_hook(Box::new(|panic| {
        say(&panic.to_string());
        mpi::abort(101);
    }));
    if let Err(error) = play(&part) {
        say(&format!("error: {error}"));
        mpi::abort(error.exit_code());
        process::exit(error.exit_code().into());
    }
    process::exit(0);
}

/// Writes a line at once: lines of several ranks would mix in their middle.
fn say(line: &str) {
    io::stderr()
        .write_all(format!("{line}\n").as_bytes())
        .unwrap();
}

fn play(part: &str) -> Result<(), Error> {
    let options = Options {
        wanted: part == "wanted",
        timeout: if part == "loads" {
            Options::default().timeout
        } else {
            TIMEOUT
        },
        on_loss: Some(Box::new(|error| say(&format!("lost: {error}")))),
    };
    let Some(mpi) = Mpi::open(options)? else {
        return gather(&Alone);
    };
    let rank = mpi.rank();
    say(&format!(
        "rank {rank} of {}: local rank {} on {}, pid {}",
        mpi.size(),
        mpi.local_rank(),
        mpi.hosts()[rank],
        process::id()
    ));
    let begin = Instant::now();
    match (part, rank) {
        ("gather" | "wanted", _) => gather(&mpi)?,
        ("loads", _) => {
            let fit = Fit::new(Ranked::new(Slow, &mpi)?).engine(Choice::Cpu);
            let line = fit.epochs(10).run()?.model;
            assert!(line.w > 0.0 && begin.elapsed() > LOADS);
        }
        // Far longer than the time-out.
        ("busy", 1) => sleep(4 * TIMEOUT),
        ("computes", 0) => sleep(HANGS),
        // Their other threads go on, so that the process does not end by itself.
        ("error", 1) => {
            spawn(|| {
                say("error: the samples of rank 1 are bad");
                mpi::abort(3);
            });
            sleep(HANGS);
        }
        ("panic", 1) => {
            spawn(|| panic!("rank 1 panics"));
            sleep(HANGS);
        }
        // MPI's thread is in a gather.
        ("polls", 0) => drop(spawn(|| {
            sleep(Duration::from_millis(300));
            mpi::abort(7);
        })),
        ("polls", 1) => sleep(HANGS),
        ("leaves", 1) => return mpi.finish(),
        ("drops", 1) => return Ok(()),
        _ => {}
    }
    // All go on until rank 0 has had enough.
    let goes_on = !["gather", "wanted", "busy", "loads"].contains(&part);
    let long = if goes_on { HANGS } else { Duration::ZERO };
    while gather_numbers(&mpi, &[f64::from(begin.elapsed() < long)])?[0][0] != 0.0 {}
    mpi.finish()
}

/// Samples that the second rank loads for longer than the default time-out.
struct Slow;

/// The time that it takes.
const LOADS: Duration = Duration::from_secs(90);

impl Source for Slow {
    fn samples(&self) -> u64 {
        100
    }

    fn read(&self, _: u64, block: &mut Block) -> Result<(), Error> {
        static ONCE: Once = Once::new();
        if env::var("OMPI_COMM_WORLD_RANK").is_ok_and(|rank| rank == "1") {
            ONCE.call_once(|| sleep(LOADS));
        }
        block.clear();
        (0..100).for_each(|at| block.push((f64::from(at), 2.0 * f64::from(at))));
        Ok(())
    }

    fn title(&self) -> String {
        "slow".to_owned()
    }
}

/// Gathers payloads of other lengths on each rank, and checks that all have the same bytes.
fn gather(ranks: &dyn Ranks) -> Result<(), Error> {
    let (rank, size) = (ranks.rank(), ranks.size());
    let payload = |rank: usize, length: usize| -> Vec<u8> {
        let bytes = (0..length).map(|at| (at * 31 + rank * 7 + length) as u8);
        bytes.collect()
    };
    for base in [0, 1, INLINE - 1, INLINE, INLINE + 1, 1000, 100_000] {
        for step in [0, 1, 50] {
            let mine = payload(rank, base + step * rank);
            let all: Vec<_> = (0..size)
                .map(|rank| payload(rank, base + step * rank))
                .collect();
            assert_eq!(ranks.gather(&mine)?, all, "{base} {step}");
        }
    }
    // One rank alone has something, and it does not fit in a record.
    let mine = if rank + 1 == size {
        payload(rank, 5000)
    } else {
        Vec::new()
    };
    assert_eq!(ranks.gather(&mine)?.concat(), payload(size - 1, 5000));

    let numbers = [
        0.1 + rank as f64,
        -0.0,
        f64::NAN,
        f64::INFINITY,
        5e-324,
        f64::MAX,
        1e-300,
    ];
    let gathered = gather_numbers(ranks, &numbers)?;
    for (rank, of_rank) in gathered.iter().enumerate() {
        let mut sent = numbers;
        sent[0] = 0.1 + rank as f64;
        assert_eq!(
            of_rank.iter().map(|v| v.to_bits()).collect::<Vec<_>>(),
            sent.map(f64::to_bits)
        );
    }
    let values = gather_values(ranks, (format!("rank {rank}"), vec![0.1; rank]))?;
    let all: Vec<_> = (0..size)
        .map(|rank| (format!("rank {rank}"), vec![0.1; rank]))
        .collect();
    assert_eq!(values, all);
    say("gathered");
    Ok(())
}

/// A job under `mpirun`.
struct Job {
    child: Child,
    /// What its ranks and the launcher say.
    lines: Receiver<String>,
    /// The processes of the ranks, by rank.
    ranks: Vec<u32>,
    said: Vec<String>,
}

/// Returns the command that plays a part without a launcher.
fn alone(part: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "ranks::a_rank", "--nocapture"]);
    as_part(&mut command, part);
    command
}

/// Sets the environment of a command for a part.
fn as_part(command: &mut Command, part: &str) {
    command
        .env(PART, part)
        .env_remove("FALL_LINE_MPI")
        .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
        .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
}

impl Job {
    /// Starts ranks.
    fn start(size: usize, part: &str) -> Self {
        let mut command = Command::new("mpirun");
        command.args(["--oversubscribe", "-n", &size.to_string()]);
        command.arg(env::current_exe().unwrap());
        command.args(["--exact", "ranks::a_rank", "--nocapture"]);
        as_part(&mut command, part);
        let started = command.process_group(0).spawn();
        let mut child = started.expect("mpirun of Open MPI: `tests/run.sh tools` installs it");
        let (sender, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        spawn(move || {
            stderr
                .lines()
                .map_while(Result::ok)
                .for_each(|line| drop(sender.send(line)))
        });
        Job {
            child,
            lines,
            ranks: Vec::new(),
            said: Vec::new(),
        }
    }

    /// Starts ranks, and waits until all are open.
    fn open(size: usize, part: &str) -> Self {
        let mut job = Self::start(size, part);
        let mut pids = vec![None; size];
        while pids.contains(&None) {
            let line = job
                .lines
                .recv_timeout(HANGS)
                .unwrap_or_else(|_| panic!("{:?}", job.said));
            if let Some((rank, pid)) = parse(&line) {
                pids[rank] = Some(pid);
            }
            job.said.push(line);
        }
        job.ranks = pids.into_iter().flatten().collect();
        job
    }

    fn signal(&self, rank: usize, signal: &str) {
        let pid = self.ranks[rank].to_string();
        let kill = Command::new("kill")
            .args([format!("-{signal}"), pid])
            .status();
        assert!(kill.unwrap().success());
    }

    /// Waits for the end, and returns the exit code, how long it took, and all that was said. No rank is left.
    fn end(mut self) -> (Option<i32>, Duration, String) {
        let begin = Instant::now();
        let ended = self.child.wait_timeout(HANGS).unwrap();
        let took = begin.elapsed();
        // A job that hangs says no more, and would be waited for.
        if ended.is_none() {
            panic!("the job hangs: {}", self.said.join("\n"));
        }
        self.said.extend(self.lines.iter());
        let (status, said) = (ended.unwrap(), self.said.join("\n"));
        let patience = Instant::now();
        while let Some(left) = self.ranks.iter().find(|&&pid| lives(pid)) {
            assert!(
                patience.elapsed() < AFTER_FAILURE,
                "process {left} is left: {said}"
            );
            sleep(Duration::from_millis(20));
        }
        println!("ended in {took:.1?} with {:?}: {said}", status.code());
        (status.code(), took, said)
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        for pid in self.ranks.iter().filter(|&&pid| lives(pid)) {
            let _ = Command::new("kill")
                .args(["-KILL", &pid.to_string()])
                .status();
        }
        let _ = Command::new("kill")
            .args(["-KILL", "--", &format!("-{}", self.child.id())])
            .stderr(Stdio::null())
            .status();
        let _ = self.child.wait();
    }
}

/// Returns rank and process of the line that a rank begins with.
fn parse(line: &str) -> Option<(usize, u32)> {
    let rank = line
        .strip_prefix("rank ")?
        .split(' ')
        .next()?
        .parse()
        .ok()?;
    Some((rank, line.split_once(", pid ")?.1.parse().ok()?))
}

/// Returns whether a process is a rank still, and not a dead one that nobody has waited for.
fn lives(pid: u32) -> bool {
    let program = fs::read_link(format!("/proc/{pid}/exe"));
    program.is_ok_and(|program| program == env::current_exe().unwrap())
}

#[test]
fn ranks_gather_the_same_bytes_in_their_order() {
    for size in 1..=4 {
        let mut job = Job::start(size, "gather");
        let status = job
            .child
            .wait_timeout(HANGS)
            .unwrap()
            .expect("the end of the job");
        let said: Vec<String> = job.lines.iter().collect();
        let count = |text: &str| said.iter().filter(|line| line.contains(text)).count();
        assert!(status.success(), "{size}: {said:?}");
        assert_eq!(count("gathered"), size, "{said:?}");
        // A single rank needs no MPI.
        let opened = if size > 1 { size } else { 0 };
        assert_eq!(count(", pid "), opened, "{said:?}");
        for rank in 0..opened {
            assert_eq!(
                count(&format!("rank {rank} of {size}: local rank {rank} on ")),
                1,
                "{said:?}"
            );
        }
    }
}

#[test]
fn without_a_launcher_nothing_is_opened() {
    let maps = || fs::read_to_string("/proc/self/maps").unwrap();
    assert!(Mpi::open(Options::default()).unwrap().is_none());
    assert!(!maps().contains("libmpi"));

    let output = alone("gather")
        .env("OMPI_COMM_WORLD_SIZE", "4")
        .env("FALL_LINE_MPI", "none")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("gathered"));
}

#[test]
fn mpi_that_is_wanted_is_opened_without_a_launcher() {
    let output = alone("wanted").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("rank 0 of 1: local rank 0 on "), "{said}");
    assert!(said.contains("gathered"), "{said}");
}

#[test]
fn a_rank_that_is_busy_for_long_is_waited_for() {
    let (code, took, said) = Job::open(4, "busy").end();
    assert_eq!(code, Some(0), "{said}");
    assert!(took > 3 * TIMEOUT, "{took:?}");
}

#[test]
fn a_rank_that_loads_for_90_s_is_waited_for() {
    let (code, took, said) = Job::open(2, "loads").end();
    assert_eq!(code, Some(0), "{said}");
    assert!(took > LOADS, "{took:?}");
}

#[test]
fn a_killed_rank_ends_the_job() {
    let job = Job::open(4, "gathers on");
    job.signal(2, "KILL");
    let (code, took, said) = job.end();
    assert_ne!(code, Some(0), "{said}");
    assert!(took < AFTER_FAILURE, "{took:?}: {said}");
}

#[test]
fn an_error_on_one_rank_ends_the_job_with_its_message_and_code() {
    let (code, took, said) = Job::open(4, "error").end();
    assert_eq!(code, Some(3), "{said}");
    let errors: Vec<&str> = said
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    assert_eq!(errors, ["error: the samples of rank 1 are bad"], "{said}");
    assert!(took < AFTER_FAILURE, "{took:?}: {said}");
}

#[test]
fn a_rank_that_waits_for_others_can_end_the_job() {
    let (code, took, said) = Job::open(4, "polls").end();
    assert_eq!(code, Some(7), "{said}");
    assert!(took < AFTER_FAILURE, "{took:?}: {said}");
}

#[test]
fn a_panic_on_one_rank_ends_the_job_with_its_message_and_code() {
    let (code, took, said) = Job::open(4, "panic").end();
    assert_eq!(code, Some(101), "{said}");
    assert!(said.contains("rank 1 panics"), "{said}");
    assert!(took < AFTER_FAILURE, "{took:?}: {said}");
}

/// Stops a rank, and checks that it is named by the ranks that say so, and the job ended.
fn stopped(part: &str, rank: usize) {
    let job = Job::open(4, part);
    job.signal(rank, "STOP");
    let (code, took, said) = job.end();
    assert_eq!(code, Some(1), "{said}");
    let lost: Vec<&str> = said
        .lines()
        .filter(|line| line.starts_with("lost: "))
        .collect();
    let [line] = lost[..] else {
        panic!("{said}");
    };
    let named = format!("lost: rank {rank} of 4 on ");
    assert!(line.starts_with(&named), "{line}");
    assert!(
        line.contains(" has given no sign of life for 2s: "),
        "{line}"
    );
    assert!(took < TIMEOUT + AFTER_FAILURE, "{took:?}: {said}");
}

#[test]
fn a_stopped_rank_is_named_and_the_job_ended() {
    stopped("gathers on", 2);
}

#[test]
fn a_stopped_rank_0_is_named_and_the_job_ended() {
    stopped("gathers on", 0);
}

#[test]
fn a_stopped_rank_is_noticed_while_the_others_compute() {
    stopped("computes", 3);
}

/// The others go on where they were: a process that slept does not take its own silence for theirs.
#[test]
fn ranks_that_are_all_stopped_for_long_go_on() {
    let job = Job::open(3, "busy");
    (0..3).for_each(|rank| job.signal(rank, "STOP"));
    sleep(3 * TIMEOUT);
    (0..3).for_each(|rank| job.signal(rank, "CONT"));
    let (code, _, said) = job.end();
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_rank_that_leaves_early_is_an_error() {
    let (code, took, said) = Job::open(3, "leaves").end();
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("rank 1 of 3 on ") && said.contains(" has ended, and rank 0 still gathers"),
        "{said}"
    );
    assert!(took < TIMEOUT + AFTER_FAILURE, "{took:?}: {said}");

    // One that ends without a word is the launcher's to notice.
    let (code, took, said) = Job::open(3, "drops").end();
    assert_ne!(code, Some(0), "{said}");
    assert!(took < TIMEOUT + AFTER_FAILURE, "{took:?}: {said}");
}

/// Open MPI's library under the environment of MPICH's launcher takes itself for alone.
#[test]
fn a_launcher_that_does_not_belong_to_the_library_is_refused() {
    let library = library();
    let output = alone("gather")
        .env("PMI_SIZE", "4")
        .env("PMI_RANK", "2")
        .env("FALL_LINE_MPI", &library)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    let error = said
        .lines()
        .find(|line| line.starts_with("error: "))
        .unwrap();
    assert!(
        error.contains("MPICH's launcher started 4 ranks"),
        "{error}"
    );
    assert!(error.contains(&format!("{library} (Open MPI v")), "{error}");
    assert!(error.contains("knows of 1"), "{error}");
}

/// Returns the path of Open MPI's library, as a rank names it.
fn library() -> String {
    let output = Command::new("sh")
        .args([
            "-c",
            "ldconfig -p | sed -n 's/.*libmpi.so.40 .*=> //p' | head -1",
        ])
        .output();
    let path = String::from_utf8(output.unwrap().stdout)
        .unwrap()
        .trim()
        .to_owned();
    assert!(Path::new(&path).exists(), "there is no libmpi.so.40");
    path
}

#[test]
fn a_library_that_is_none_is_refused() {
    for (name, part) in [
        ("/nonexistent/libmpi.so", "/nonexistent/libmpi.so"),
        ("libm.so.6", "MPI_Get_library_version"),
    ] {
        let output = alone("gather")
            .env("OMPI_COMM_WORLD_SIZE", "4")
            .env("FALL_LINE_MPI", name)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains("error: FALL_LINE_MPI names no MPI library: "),
            "{said}"
        );
        assert!(said.contains(part), "{said}");
    }
}
