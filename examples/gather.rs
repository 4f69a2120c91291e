//! Measures how long ranks take to gather an epoch's record: `mpirun -n 4 target/release/examples/gather --seconds 10`.

use std::time::{Duration, Instant};

use fall_line::Error;
use fall_line::ranks::mpi::{self, Mpi, Options};
use fall_line::ranks::{Alone, Ranks, gather_numbers};

fn main() {
    // A panic on one rank would leave the others waiting.
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        print(panic);
        mpi::abort(101);
    }));
    if let Err(error) = run() {
        eprintln!("error: {error}");
        mpi::abort(error.exit_code());
        std::process::exit(error.exit_code().into());
    }
}

fn run() -> Result<(), Error> {
    let seconds = seconds()?;
    let options = Options {
        on_loss: Some(Box::new(|error| eprintln!("error: {error}"))),
        ..Options::default()
    };
    let Some(mpi) = Mpi::open(options)? else {
        println!("alone: start it with `mpirun -n 4` to gather over ranks");
        return measure(&Alone, seconds);
    };
    if mpi.rank() == 0 {
        println!(
            "{} ranks over {}, {}",
            mpi.size(),
            mpi.library().display(),
            mpi.version()
        );
    }
    measure(&mpi, seconds)?;
    mpi.finish()
}

/// Returns the number after `--seconds`; 1 without it.
fn seconds() -> Result<f64, Error> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let usage = || Error::Usage("usage: gather [--seconds NUMBER]".to_owned());
    match args[..] {
        [] => Ok(1.0),
        ["--seconds", number] => number.parse().map_err(|_| usage()),
        _ => Err(usage()),
    }
}

fn measure(ranks: &dyn Ranks, seconds: f64) -> Result<(), Error> {
    let begin = Instant::now();
    let mut times = Vec::new();
    loop {
        let more = f64::from(begin.elapsed().as_secs_f64() < seconds);
        let gather = Instant::now();
        // Loss, dw, db and the number of samples; all ranks go on for as long as rank 0 wants.
        let all = gather_numbers(ranks, &[0.5, 0.25, 0.125, 1e6, more])?;
        times.push(gather.elapsed());
        if all[0][4] == 0.0 {
            break;
        }
    }
    if ranks.rank() == 0 {
        times.sort_unstable();
        let [low, median, high, late] = [0.25, 0.5, 0.75, 0.99].map(|part| at(&times, part));
        println!(
            "{} gathers: median {median:.1?}, quartiles {low:.1?} and {high:.1?}, 99 % within {late:.1?}",
            times.len()
        );
    }
    Ok(())
}

fn at(sorted: &[Duration], part: f64) -> Duration {
    sorted[(part * (sorted.len() - 1) as f64) as usize]
}
