//! Ranks that are threads of the test.

use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;

use fall_line::error::Error;
use fall_line::ranks::Ranks;

struct Team {
    size: usize,
    barrier: Barrier,
    slots: Mutex<Vec<Vec<u8>>>,
}

struct Member<'a> {
    team: &'a Team,
    rank: usize,
}

impl Ranks for Member<'_> {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.team.size
    }

    fn gather(&self, mine: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        let slots = || {
            self.team
                .slots
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        slots()[self.rank] = mine.to_vec();
        self.team.barrier.wait();
        let all = slots().clone();
        self.team.barrier.wait();
        Ok(all)
    }
}

/// Runs something on so many ranks, and returns what each returns.
pub fn over_ranks<R: Send>(size: usize, run: impl Fn(&dyn Ranks) -> R + Sync) -> Vec<R> {
    let team = Team {
        size,
        barrier: Barrier::new(size),
        slots: Mutex::new(vec![Vec::new(); size]),
    };
    thread::scope(|scope| {
        let ranks: Vec<_> = (0..size)
            .map(|rank| {
                let member = Member { team: &team, rank };
                let run = &run;
                scope.spawn(move || run(&member))
            })
            .collect();
        ranks.into_iter().map(|rank| rank.join().unwrap()).collect()
    })
}
