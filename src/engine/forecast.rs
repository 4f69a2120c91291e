//! A model of the time that a fit takes over ranks: how far it scales, before any of them runs.
//!
//! An epoch of `r` ranks takes as long as the rank with the most samples computes, and then a gather:
//!
//! ```text
//! epoch(r) = resident / speed + uploaded / load + gather(r)        gather(1) = 0
//! gather(r) = latency · ⌈log2 r⌉ + bytes · (r − 1) / bandwidth     unless a time is given
//! fit(r)   = samples of a rank / load + epochs · epoch(r)
//! ```
//!
//! The gather is that of recursive doubling (Thakur, Rabenseifner and Gropp, "Optimization of collective communication operations
//! in MPICH", Int. J. High Perform. Comput. Appl. 19, 2005).

use serde::Serialize;

use crate::data::BLOCK;
use crate::ranks::INLINE;

/// The bytes that each rank hands over an epoch: a length, and what a gather carries with it.
const RECORD: f64 = (8 + INLINE) as f64;

/// Bytes a second that are taken to reach a GPU: those of PCIe 4.0 x16, 16 lanes of 16 GT/s in a code of 128 of 130 bits.
pub const PCIE: f64 = 16.0 * 16e9 / 8.0 * 128.0 / 130.0;

/// The time of a gather over ranks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Gather {
    /// A time in seconds, the same for any number of ranks.
    Given(f64),
    /// A time that grows with the ranks.
    Network {
        /// Seconds for each doubling of the ranks.
        latency: f64,
        /// Bytes a second that a rank receives.
        bandwidth: f64,
    },
}

impl Gather {
    /// A network that nothing is known of, and a cautious assumption: two ranks of one machine take 7 µs a gather in `bench`, and
    /// other machines are further away. The bandwidth is that of 10 Gbit/s Ethernet.
    pub const UNKNOWN: Self = Gather::Network {
        latency: 50e-6,
        bandwidth: 1.25e9,
    };

    /// Returns the seconds of a gather over so many ranks; 0 for one.
    pub fn seconds(self, ranks: u64) -> f64 {
        match self {
            _ if ranks <= 1 => 0.0,
            Gather::Given(seconds) => seconds,
            Gather::Network { latency, bandwidth } => {
                let doublings = (ranks - 1).ilog2() + 1;
                latency * f64::from(doublings) + RECORD * (ranks - 1) as f64 / bandwidth
            }
        }
    }
}

/// Returns the model's time of an epoch, by that of the slowest rank without a gather and that of a gather.
pub fn epoch(own: f64, gather: f64) -> f64 {
    own + gather
}

/// Returns the share of `ranks` times the speed of one rank that `ranks` ranks reach, which took `alone` and `together` for the same
/// samples.
pub fn efficiency(alone: f64, ranks: u64, together: f64) -> f64 {
    alone / (ranks as f64 * together)
}

/// The speeds of one rank.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Speeds {
    /// Samples a second of an epoch over samples in the engine's memory.
    pub epoch: f64,
    /// Samples a second that are loaded; `None` if loading takes no time, or that is not known.
    pub load: Option<f64>,
    /// Samples that stay in the engine's memory; the others are loaded again each epoch. `None` if all stay.
    pub resident: Option<u64>,
}

/// A fit over some ranks, as the model has it. Times are in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Forecast {
    /// Number of ranks.
    pub ranks: u64,
    /// Samples of the rank with the most.
    pub samples_of_rank: u64,
    /// Time that this rank computes an epoch.
    pub own_seconds: f64,
    /// Time of a gather.
    pub gather_seconds: f64,
    /// Time of an epoch.
    pub epoch_seconds: f64,
    /// Time to load the samples.
    pub load_seconds: f64,
    /// Time to load the samples and run all epochs.
    pub fit_seconds: f64,
    /// Time of one rank's fit divided by that of all.
    pub speedup: f64,
    /// Speed-up as a share of the ranks.
    pub efficiency: f64,
    /// Least number of ranks at which the gather takes half of an epoch; `None` if there are too few samples for so many.
    pub half_at: Option<u64>,
}

impl Forecast {
    /// Returns the fit of `epochs` epochs over `samples` samples on `ranks` ranks, each with these speeds.
    pub fn new(speeds: Speeds, gather: Gather, samples: u64, ranks: u64, epochs: u64) -> Self {
        let fit = |ranks: u64| {
            let most = most(samples, ranks);
            let own = own(speeds, most);
            let load = speeds.load.map_or(0.0, |load| most as f64 / load);
            let epoch = epoch(own, gather.seconds(ranks));
            (most, own, epoch, load, load + epochs as f64 * epoch)
        };
        let (.., alone) = fit(1);
        let (samples_of_rank, own_seconds, epoch_seconds, load_seconds, fit_seconds) = fit(ranks);
        Forecast {
            ranks,
            samples_of_rank,
            own_seconds,
            gather_seconds: gather.seconds(ranks),
            epoch_seconds,
            load_seconds,
            fit_seconds,
            speedup: alone / fit_seconds,
            efficiency: efficiency(alone, ranks, fit_seconds),
            half_at: half_at(speeds, gather, samples),
        }
    }
}

/// Returns the samples of the rank with the most: ranks take whole blocks.
pub fn most(samples: u64, ranks: u64) -> u64 {
    let blocks = samples.div_ceil(BLOCK as u64).div_ceil(ranks.max(1));
    samples.min(blocks.saturating_mul(BLOCK as u64))
}

/// Returns the seconds that a rank takes for an epoch over so many samples, without a gather.
fn own(speeds: Speeds, samples: u64) -> f64 {
    let resident = samples.min(speeds.resident.unwrap_or(samples));
    let again = (samples - resident) as f64;
    resident as f64 / speeds.epoch + speeds.load.map_or(0.0, |load| again / load)
}

/// Returns the least number of ranks at which a gather takes as long as a rank computes. The one grows with the ranks, the other
/// shrinks.
fn half_at(speeds: Speeds, gather: Gather, samples: u64) -> Option<u64> {
    let is_half = |ranks: u64| gather.seconds(ranks) >= own(speeds, most(samples, ranks));
    let (mut below, mut at) = (1, samples.div_ceil(BLOCK as u64));
    if at <= 1 || !is_half(at) {
        return None;
    }
    while at - below > 1 {
        let middle = below + (at - below) / 2;
        if is_half(middle) {
            at = middle;
        } else {
            below = middle;
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEEDS: Speeds = Speeds {
        epoch: 1e9,
        load: Some(1e8),
        resident: None,
    };

    #[test]
    fn a_gather_takes_a_latency_a_doubling_and_the_bytes_of_the_others() {
        let gather = Gather::Network {
            latency: 1.0,
            bandwidth: 6.4,
        };
        for (ranks, seconds) in [
            (1, 0.0),
            (2, 11.0),
            (3, 22.0),
            (4, 32.0),
            (5, 43.0),
            (1024, 10_240.0),
        ] {
            assert!(
                (gather.seconds(ranks) - seconds).abs() < 1e-9 * seconds.max(1.0),
                "{ranks}"
            );
        }
        assert_eq!(
            [1, 2, 1000].map(|ranks| Gather::Given(0.5).seconds(ranks)),
            [0.0, 0.5, 0.5]
        );
    }

    #[test]
    fn a_fit_is_its_load_and_its_epochs() {
        // 2^30 samples are 16,384 blocks, 256 of them a rank.
        let forecast = Forecast::new(SPEEDS, Gather::Given(1e-3), 1 << 30, 64, 10);
        assert_eq!(forecast.samples_of_rank, 1 << 24);
        let own = f64::from(1 << 24) / 1e9;
        assert_eq!(forecast.own_seconds, own);
        assert_eq!(forecast.epoch_seconds, own + 1e-3);
        let fit = f64::from(1 << 24) / 1e8 + 10.0 * (own + 1e-3);
        assert!((forecast.fit_seconds / fit - 1.0).abs() < 1e-12);
        let alone = f64::from(1 << 30) * (1e-8 + 10.0 * 1e-9);
        assert!((forecast.speedup / (alone / fit) - 1.0).abs() < 1e-12);
        assert!((forecast.efficiency * 64.0 / forecast.speedup - 1.0).abs() < 1e-12);
        let one = Forecast::new(SPEEDS, Gather::Given(1e-3), 1 << 30, 1, 10);
        assert_eq!(
            (one.gather_seconds, one.speedup, one.efficiency),
            (0.0, 1.0, 1.0)
        );
    }

    #[test]
    fn half_of_an_epoch_is_where_the_gather_takes_as_long_as_the_samples() {
        for (samples, gather) in [
            (1_000_000_000, Gather::Given(1e-3)),
            (1_000_000_000_000, Gather::UNKNOWN),
            (200_000, Gather::UNKNOWN),
        ] {
            let half = Forecast::new(SPEEDS, gather, samples, 2, 1)
                .half_at
                .unwrap();
            let [before, at] =
                [half - 1, half].map(|ranks| Forecast::new(SPEEDS, gather, samples, ranks, 1));
            assert!(at.gather_seconds >= at.own_seconds, "{at:?}");
            assert!(before.gather_seconds < before.own_seconds, "{before:?}");
        }
        // A block takes 65 µs, and the gather never does.
        let never = Forecast::new(SPEEDS, Gather::Given(1e-6), 1_000_000_000, 2, 1);
        assert_eq!(never.half_at, None);
        assert_eq!(
            Forecast::new(SPEEDS, Gather::Given(1.0), 1000, 2, 1).half_at,
            None
        );
    }

    #[test]
    fn what_does_not_stay_is_loaded_again() {
        let speeds = Speeds {
            resident: Some(1 << 20),
            ..SPEEDS
        };
        let own = |ranks| Forecast::new(speeds, Gather::Given(0.0), 1 << 22, ranks, 1).own_seconds;
        let resident = f64::from(1 << 20) / 1e9;
        assert!((own(1) - (resident + f64::from(3 << 20) / 1e8)).abs() < 1e-12);
        assert_eq!(own(4), resident);
    }

    #[test]
    fn ranks_take_whole_blocks() {
        let block = BLOCK as u64;
        for (samples, ranks, of_one) in [
            (1000, 7, 1000),
            (3 * block, 2, 2 * block),
            (3 * block, 3, block),
            (3 * block + 1, 3, 2 * block),
            (10 * block, 1, 10 * block),
        ] {
            assert_eq!(most(samples, ranks), of_one, "{samples} over {ranks}");
        }
    }
}
