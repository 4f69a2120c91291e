//! The machine on which the figures were measured.

use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::Instant;

use serde::Serialize;
use sysinfo::{
    CpuRefreshKind, MINIMUM_CPU_UPDATE_INTERVAL, MemoryRefreshKind, Pid, ProcessRefreshKind,
    ProcessesToUpdate, RefreshKind, System,
};

use crate::error::Error;
use crate::ranks::{Ranks, gather_numbers};

/// A share of the cores above this one, kept busy by other programs, makes a time worthless.
const BUSY: f64 = 0.2;

/// Returns whether other programs took so much of the cores that a time can't be compared. An unknown share is no reason.
pub fn is_busy(others: Option<f64>) -> bool {
    others.is_some_and(|others| others > BUSY)
}

/// The machine, as its operating system describes it.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Name of the processor.
    pub cpu: String,
    /// Number of cores that this program may use, including those of hyper-threading.
    pub cores: usize,
    /// Frequency of the first core at the start, in MHz, if the operating system tells it.
    pub frequency_mhz: Option<u64>,
    /// Mean number of threads that ran or waited in the minute before the start; 0 on Windows.
    pub load_average: f64,
    /// Main memory, in bytes.
    pub memory_bytes: u64,
    /// Operating system with its version.
    pub os: String,
}

impl Machine {
    /// Returns the machine that this program runs on.
    pub fn here() -> Self {
        let system = System::new_with_specifics(
            RefreshKind::nothing()
                .with_cpu(CpuRefreshKind::nothing().with_frequency())
                .with_memory(MemoryRefreshKind::nothing().with_ram()),
        );
        let brand = system.cpus().first().map(|cpu| cpu.brand().trim());
        Machine {
            cpu: brand
                .filter(|brand| !brand.is_empty())
                .unwrap_or(std::env::consts::ARCH)
                .to_owned(),
            cores: available_parallelism().map_or(1, NonZeroUsize::get),
            frequency_mhz: system
                .cpus()
                .first()
                .map(|cpu| cpu.frequency())
                .filter(|&frequency| frequency > 0),
            load_average: System::load_average().one,
            memory_bytes: system.total_memory(),
            os: System::long_os_version().unwrap_or_else(|| std::env::consts::OS.to_owned()),
        }
    }

    /// Returns the number of cores of this machine, also those that a launcher keeps for other ranks.
    pub fn all_cores() -> usize {
        let cpus = RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing());
        System::new_with_specifics(cpus).cpus().len().max(1)
    }

    /// Returns a warning if other programs kept the cores busy before the start.
    pub fn busy(&self) -> Option<String> {
        (self.load_average > self.cores as f64).then(|| {
            format!(
                "the machine was busy: load average {:.1} on {} cores before the first time; end other programs and run it \
                 again",
                self.load_average, self.cores
            )
        })
    }
}

/// A watch over what other programs make the cores do.
pub struct Others {
    system: System,
    start: Instant,
    own_seconds: f64,
}

impl Others {
    /// Begins to watch.
    pub fn watch() -> Self {
        let mut system = System::new();
        system.refresh_cpu_usage();
        let own_seconds = own_seconds(&mut system);
        Others {
            system,
            start: Instant::now(),
            own_seconds,
        }
    }

    /// Returns the share of all cores that other programs, and a hypervisor, have kept busy since then. Returns `None` after
    /// too short a time to tell.
    pub fn share(self) -> Option<f64> {
        self.shares().map(|[all, own]| others(all, own))
    }

    /// Returns the share of all cores that all programs have kept busy since then, and that of this one.
    fn shares(mut self) -> Option<[f64; 2]> {
        let seconds = self.start.elapsed();
        if seconds < MINIMUM_CPU_UPDATE_INTERVAL {
            return None;
        }
        self.system.refresh_cpu_usage();
        let all = f64::from(self.system.global_cpu_usage()) / 100.0;
        let own = own_seconds(&mut self.system) - self.own_seconds;
        let cores = self.system.cpus().len().max(1) as f64;
        Some([all, own / (seconds.as_secs_f64() * cores)])
    }

    /// Returns the greatest share of a machine's cores that programs other than these ranks have kept busy since then. `hosts`
    /// names the machine of each rank.
    ///
    /// # Errors
    /// Those of [`gather_numbers`].
    pub fn share_beside(self, ranks: &dyn Ranks, hosts: &[String]) -> Result<Option<f64>, Error> {
        let mine = self.shares().map_or(Vec::new(), Vec::from);
        Ok(beside(hosts, &gather_numbers(ranks, &mine)?))
    }
}

/// Returns the greatest share that others took of a machine's cores, by the shares that each rank knows: of all programs, and its
/// own.
fn beside(hosts: &[String], shares: &[Vec<f64>]) -> Option<f64> {
    let on = |host: &String| {
        let ranks = || hosts.iter().zip(shares).filter(|(other, _)| *other == host);
        let all = ranks().map(|(_, shares)| shares.first().copied());
        let all: Option<Vec<f64>> = all.collect();
        let own = ranks().filter_map(|(_, shares)| shares.get(1)).sum();
        Some(others(all?.into_iter().fold(0.0, f64::max), own))
    };
    let machines: Option<Vec<f64>> = hosts.iter().map(on).collect();
    machines?.into_iter().reduce(f64::max)
}

/// Returns the share of the cores that others took, of the shares that all and these programs took.
fn others(all: f64, own: f64) -> f64 {
    (all - own).max(0.0)
}

/// Returns the seconds that this program has computed on all cores together.
fn own_seconds(system: &mut System) -> f64 {
    let own = Pid::from_u32(std::process::id());
    let kind = ProcessRefreshKind::nothing().with_cpu();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[own]), false, kind);
    let process = system.process(own);
    process.map_or(0.0, |process| process.accumulated_cpu_time() as f64 / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_of_this_program_is_not_that_of_others() {
        // Two cores for 5 s, of which this program computed for 4 s: others did so for 3.5 s.
        assert_eq!(others(0.75, 4.0 / 10.0), 0.35);
        // The two clocks differ a little.
        assert_eq!(others(0.39, 4.0 / 10.0), 0.0);

        let watch = Others::watch();
        let own = watch.own_seconds;
        let mut system = System::new();
        while watch.start.elapsed() < MINIMUM_CPU_UPDATE_INTERVAL
            || own_seconds(&mut system) < own + 0.1
        {
            std::hint::black_box((0..1_000_000).fold(own, |sum, at| sum + f64::from(at).sqrt()));
        }
        let all = watch.share().unwrap();
        assert!((0.0..=1.0).contains(&all), "{all}");
    }

    /// Two ranks of one machine are none of each other's others.
    #[test]
    fn ranks_of_a_machine_are_no_other_programs() {
        let hosts = ["a", "b", "a"].map(str::to_owned);
        let shares = [vec![0.75, 0.25], vec![0.5, 0.375], vec![0.75, 0.375]];
        assert_eq!(beside(&hosts, &shares), Some(0.125));
        assert_eq!(beside(&hosts[..2], &shares[..2]), Some(0.5));
        // One was too short to tell.
        assert_eq!(
            beside(&hosts, &[vec![0.75, 0.25], vec![], vec![0.75, 0.5]]),
            None
        );
        assert_eq!(beside(&[], &[]), None);
    }
}
