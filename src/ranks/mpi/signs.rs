//! Signs of life: bytes that every rank exchanges with rank 0, some times in a time-out.
//!
//! A gather does not tell which rank is missing, nor whether a rank is lost or busy; these do. Rank 0 looks after all, and all
//! look after rank 0.

use std::time::{Duration, Instant};

use super::SIGNS;
use super::abi::{Calls, Handle, Pending};
use crate::error::Error;

/// A rank is alive.
const ALIVE: u8 = 1;
/// It gathers no more, and waits for the others.
const ENDING: u8 = 2;
/// It gathers no more, and sends no other sign.
const LAST: u8 = 3;

/// The exchange of signs with the ranks that this one looks after.
pub struct Signs<H> {
    peers: Vec<Peer<H>>,
    rank: usize,
    size: usize,
    ending: bool,
    clock: Clock,
    /// The time between two signs.
    every: Duration,
    due: Instant,
    /// The time without a sign after which a rank is lost.
    limit: Duration,
}

/// A rank that this one looks after.
struct Peer<H> {
    rank: usize,
    /// When its last sign came, in time that this process has lived.
    heard: Duration,
    /// Since when it gathers no more.
    ended: Option<Duration>,
    /// The next sign from it; `None` after its last one.
    incoming: Option<Pending<H>>,
    /// The sign to it that is under way.
    outgoing: Option<Pending<H>>,
    /// `true` if that is the last one.
    told_last: bool,
}

impl<H: Handle> Signs<H> {
    /// Begins to listen to rank 0, or on rank 0 to all others.
    pub fn new(
        calls: &Calls<H>,
        rank: usize,
        size: usize,
        timeout: Duration,
    ) -> Result<Self, Error> {
        let peers = if rank == 0 { 1..size } else { 0..1 };
        let peer = |rank| {
            Ok(Peer {
                rank,
                heard: Duration::ZERO,
                ended: None,
                incoming: Some(calls.receive(rank)?),
                outgoing: None,
                told_last: false,
            })
        };
        let every = timeout / SIGNS;
        Ok(Signs {
            peers: peers.map(peer).collect::<Result<_, Error>>()?,
            rank,
            size,
            ending: false,
            clock: Clock::new(every),
            every,
            due: Instant::now(),
            // All miss rank 0 at once. One of them is enough to say so, and the others come after it.
            limit: if rank > 1 { timeout * 5 / 4 } else { timeout },
        })
    }

    /// Returns the time until the next sign is due.
    pub fn due_in(&self) -> Duration {
        self.due.saturating_duration_since(Instant::now())
    }

    /// Sends and receives what is due.
    ///
    /// # Errors
    /// [`Error::Ranks`] if a rank is lost, or the library fails.
    pub fn exchange(&mut self, calls: &Calls<H>, hosts: Option<&Vec<String>>) -> Result<(), Error> {
        let now = Instant::now();
        let is_due = now >= self.due;
        // At the end all wait for each other, and need no clock.
        if !is_due && !self.ending {
            return Ok(());
        }
        let lived = self.clock.lived(now);
        if is_due {
            self.due = now + self.every;
        }
        for peer in &mut self.peers {
            peer.receive(calls, lived)?;
            let last = self.ending && (self.rank > 0 || peer.incoming.is_none());
            if last || is_due {
                let sign = if self.ending { ENDING } else { ALIVE };
                peer.send(calls, if last { LAST } else { sign })?;
            }
            let silent = lived.saturating_sub(peer.heard);
            if peer.incoming.is_some() && silent > self.limit {
                let host = host(hosts, peer.rank);
                return Err(Error::Ranks(format!(
                    "rank {} of {}{host} has given no sign of life for {:.0?}: its process was stopped, or its machine or the \
                     network is lost; start the ranks again without it",
                    peer.rank, self.size, self.limit
                )));
            }
        }
        Ok(())
    }

    /// Checks that no rank has ended long since, while this one gathers.
    ///
    /// # Errors
    /// [`Error::Ranks`] if one has: it will never come.
    pub fn awaited(&self, hosts: Option<&Vec<String>>) -> Result<(), Error> {
        let long_since = |ended: Duration| self.clock.lived.saturating_sub(ended) > self.limit;
        match self
            .peers
            .iter()
            .find(|peer| peer.ended.is_some_and(long_since))
        {
            Some(Peer { rank, .. }) => Err(Error::Ranks(format!(
                "rank {rank} of {}{} has ended, and rank {} still gathers",
                self.size,
                host(hosts, *rank),
                self.rank
            ))),
            None => Ok(()),
        }
    }

    /// Tells the others, with the next signs, that this rank gathers no more.
    pub fn end(&mut self) {
        self.ending = true;
        self.due = Instant::now();
    }

    /// Returns whether the last signs are exchanged with all.
    pub fn are_over(&self) -> bool {
        let over =
            |peer: &Peer<H>| peer.told_last && peer.outgoing.is_none() && peer.incoming.is_none();
        self.peers.iter().all(over)
    }
}

impl<H: Handle> Peer<H> {
    /// Takes all signs that have come.
    fn receive(&mut self, calls: &Calls<H>, lived: Duration) -> Result<(), Error> {
        while let Some(incoming) = &mut self.incoming {
            if !calls.test(incoming)? {
                break;
            }
            let sign = incoming.received().map_or(ALIVE, |bytes| bytes[0]);
            self.heard = lived;
            if sign != ALIVE {
                self.ended.get_or_insert(lived);
            }
            self.incoming = if sign == LAST {
                None
            } else {
                Some(calls.receive(self.rank)?)
            };
        }
        Ok(())
    }

    /// Sends a sign, unless the last one is told already or the one before is still under way.
    fn send(&mut self, calls: &Calls<H>, sign: u8) -> Result<(), Error> {
        if let Some(outgoing) = &mut self.outgoing {
            if !calls.test(outgoing)? {
                return Ok(());
            }
            self.outgoing = None;
        }
        if !self.told_last {
            self.outgoing = Some(calls.send(sign, self.rank)?);
            self.told_last = sign == LAST;
        }
        Ok(())
    }
}

fn host(hosts: Option<&Vec<String>>, rank: usize) -> String {
    let host = hosts.and_then(|hosts| hosts.get(rank));
    host.map(|host| format!(" on {host}")).unwrap_or_default()
}

/// A clock that stands still while the process is stopped, so that it does not blame others for its own silence.
struct Clock {
    last: Instant,
    lived: Duration,
    /// The most that passes between two looks.
    most: Duration,
}

impl Clock {
    /// Returns a clock that is looked at this often.
    fn new(every: Duration) -> Self {
        Clock {
            last: Instant::now(),
            lived: Duration::ZERO,
            most: 2 * every,
        }
    }

    fn lived(&mut self, now: Instant) -> Duration {
        self.lived += now.duration_since(self.last).min(self.most);
        self.last = now;
        self.lived
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Clock;

    #[test]
    fn an_hour_in_which_the_process_was_stopped_is_no_silence_of_others() {
        let mut clock = Clock::new(Duration::from_secs(4));
        let begin = clock.last;
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(clock.lived(at(4)), Duration::from_secs(4));
        assert_eq!(clock.lived(at(3604)), Duration::from_secs(12));
        assert_eq!(clock.lived(at(3608)), Duration::from_secs(16));
    }
}
