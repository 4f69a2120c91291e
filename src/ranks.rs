//! Ranks: processes that fit one line together, each over samples of its own.
//!
//! A launcher such as `mpirun` starts them. All they exchange is gathers of a few bytes, so that each can add up what all have
//! in the order of ranks, and every rank has the same bits.

use std::fmt::{self, Debug, Display};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::model::add_each;

pub mod launcher;
#[cfg(all(feature = "mpi", unix))]
pub mod mpi;
#[cfg(all(feature = "mpi", not(unix)))]
#[path = "ranks/mpi/elsewhere.rs"]
pub mod mpi;

/// Processes that fit one line together, each over samples of its own.
pub trait Ranks: Send + Sync {
    /// Returns the number of this process, from 0.
    fn rank(&self) -> usize;

    /// Returns the number of processes.
    fn size(&self) -> usize;

    /// Hands `mine` to all ranks, and returns what all handed over, in the order of ranks. All ranks call it equally often, in the
    /// same order.
    ///
    /// # Errors
    /// [`Error::Ranks`] if a rank is lost, or the transport fails.
    fn gather(&self, mine: &[u8]) -> Result<Vec<Vec<u8>>, Error>;
}

impl Debug for dyn Ranks + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rank {} of {}", self.rank(), self.size())
    }
}

/// A process without others: rank 0 of 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Ranks for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn gather(&self, mine: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        Ok(vec![mine.to_vec()])
    }
}

/// A function that is told of a lost rank.
pub type OnLoss = Box<dyn FnOnce(&Error) + Send>;

/// The failure of a rank, as the others see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// There are no others.
    Alone,
    /// All ranks have failed at the same time, as by an argument that all have.
    Common,
    /// A rank before this one has failed too, and tells its own.
    AfterOthers,
    /// The others wait for this rank.
    Own {
        /// This rank.
        rank: usize,
        /// The number of ranks.
        size: usize,
    },
}

/// Bytes of a rank that a gather carries with their length, in one collective operation. More take a second one.
pub const INLINE: usize = 56;

/// Gathers numbers of all ranks, to the bit. Up to seven of each rank are in [`INLINE`].
///
/// # Errors
/// Those of [`Ranks::gather`].
pub fn gather_numbers(ranks: &dyn Ranks, mine: &[f64]) -> Result<Vec<Vec<f64>>, Error> {
    let bytes: Vec<u8> = mine.iter().flat_map(|value| value.to_le_bytes()).collect();
    let all = ranks.gather(&bytes)?;
    let numbers = |bytes: Vec<u8>| {
        let (values, _) = bytes.as_chunks::<8>();
        values
            .iter()
            .map(|&value| f64::from_le_bytes(value))
            .collect()
    };
    Ok(all.into_iter().map(numbers).collect())
}

/// Returns the sums of numbers that each rank has, added in the order of ranks.
///
/// # Errors
/// Those of [`Ranks::gather`]; [`Error::Ranks`] if a rank hands over another number of them.
pub fn sum_numbers(ranks: &dyn Ranks, mine: &[f64]) -> Result<Vec<f64>, Error> {
    let mut sums = vec![0.0; mine.len()];
    for part in gather_numbers(ranks, mine)? {
        if part.len() != sums.len() {
            return Err(Error::Ranks(
                "ranks add up other things: a fault in fall-line, please report it".to_owned(),
            ));
        }
        add_each(&mut sums, part);
    }
    Ok(sums)
}

/// Returns the first rank that has another value than rank 0, on all ranks; `None` if all have the same.
///
/// # Errors
/// Those of [`gather_values`].
pub fn other<T>(ranks: &dyn Ranks, mine: T) -> Result<Option<usize>, Error>
where
    T: PartialEq + Serialize + DeserializeOwned,
{
    let all = gather_values(ranks, mine)?;
    Ok(all.iter().position(|value| *value != all[0]))
}

/// Gathers a value of each rank, as CBOR (RFC 8949), to the bit. One rank alone hands itself its value.
///
/// # Errors
/// Those of [`Ranks::gather`]; [`Error::Ranks`] if a rank hands over something else, as one of another version would.
pub fn gather_values<T>(ranks: &dyn Ranks, mine: T) -> Result<Vec<T>, Error>
where
    T: Serialize + DeserializeOwned,
{
    if ranks.size() == 1 {
        return Ok(vec![mine]);
    }
    let unreadable = |problem: &dyn Display| {
        Error::Ranks(format!(
            "what ranks hand over can't be read, as if their versions differed: {problem}"
        ))
    };
    let mut bytes = Vec::new();
    ciborium::into_writer(&mine, &mut bytes).map_err(|problem| unreadable(&problem))?;
    let all = ranks.gather(&bytes)?;
    let values = all.iter().map(|bytes| ciborium::from_reader(&bytes[..]));
    values
        .collect::<Result<_, _>>()
        .map_err(|problem| unreadable(&problem))
}
