//! What the figures were measured on.

use std::num::NonZeroUsize;
use std::thread::available_parallelism;

use serde::Serialize;
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// The machine, as its operating system describes it.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// Cores that this program may use, those of hyper-threading counted.
    pub cores: usize,
    /// Main memory.
    pub memory_bytes: u64,
    /// The operating system and its version.
    pub os: String,
}

impl Machine {
    /// The one that this runs on.
    pub fn here() -> Self {
        let system = System::new_with_specifics(
            RefreshKind::nothing()
                .with_cpu(CpuRefreshKind::nothing())
                .with_memory(MemoryRefreshKind::nothing().with_ram()),
        );
        let brand = system.cpus().first().map(|cpu| cpu.brand().trim());
        Machine {
            cpu: brand
                .filter(|brand| !brand.is_empty())
                .unwrap_or(std::env::consts::ARCH)
                .to_owned(),
            cores: available_parallelism().map_or(1, NonZeroUsize::get),
            memory_bytes: system.total_memory(),
            os: System::long_os_version().unwrap_or_else(|| std::env::consts::OS.to_owned()),
        }
    }

    /// That others keep the cores busy, and what to do about it; the load is the mean number of threads
    /// that ran or waited in the last minute, 0 on Windows.
    pub fn busy(&self) -> Option<String> {
        let load = System::load_average().one;
        (load > self.cores as f64).then(|| {
            format!(
                "the machine was busy: load average {load:.1} on {} cores before the first time; end other \
                 programs and run it again",
                self.cores
            )
        })
    }
}
