//! The machine on which the figures were measured.

use std::num::NonZeroUsize;
use std::thread::available_parallelism;

use serde::Serialize;
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// The machine, as its operating system describes it.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Name of the processor.
    pub cpu: String,
    /// Number of cores that this program may use, including those of hyper-threading.
    pub cores: usize,
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

    /// Returns a warning if other programs keep the cores busy. The load is the mean number of threads that ran or
    /// waited in the last minute; it is 0 on Windows.
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
