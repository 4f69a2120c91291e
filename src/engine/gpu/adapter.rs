//! Finding, listing and choosing adapters.

use std::fmt;

use serde::Serialize;

use super::Options;
use super::program::{Parameters, Storage, Sum, Variant};
use super::tuning::Tuning;
use crate::engine::Description;
use crate::error::Error;

/// What the engine makes use of where the adapter has it.
const FEATURES: wgpu::Features = wgpu::Features::IMMEDIATES
    .union(wgpu::Features::SUBGROUP)
    .union(wgpu::Features::TIMESTAMP_QUERY);

/// Invocations that a workgroup must be able to have: WebGPU's default.
const INVOCATIONS: u32 = 256;

/// An adapter that the GPU engine can run on.
#[derive(Debug)]
pub struct Adapter {
    pub(super) adapter: wgpu::Adapter,
    info: Info,
}

impl Adapter {
    /// What is known of it.
    pub fn info(&self) -> &Info {
        &self.info
    }

    pub(super) fn failed(&self, problem: &str) -> Error {
        Error::Gpu {
            adapter: self.info.to_string(),
            problem: problem.to_owned(),
        }
    }

    pub(super) fn features(&self) -> wgpu::Features {
        self.adapter.features() & FEATURES
    }

    /// The shader that does what `options` ask for and else suits the adapter best.
    pub(super) fn variant(&self, options: &Options, tuning: Tuning) -> Result<Variant, Error> {
        let lacks = |what| Err(self.failed(&format!("it has no {what}")));
        let subgroups = self.features().contains(wgpu::Features::SUBGROUP);
        let immediates = self.features().contains(wgpu::Features::IMMEDIATES);
        let best_sum = if subgroups { Sum::Subgroup } else { Sum::Tree };
        let best_parameters = if immediates {
            Parameters::Immediate
        } else {
            Parameters::Uniform
        };
        let variant = Variant {
            storage: options.storage,
            sum: options.sum.unwrap_or(best_sum),
            loads: tuning.loads,
            parameters: options.parameters.unwrap_or(best_parameters),
        };
        let downlevel = self.adapter.get_downlevel_capabilities().flags;
        if variant.sum == Sum::Subgroup && !subgroups {
            lacks("subgroups")
        } else if variant.parameters == Parameters::Immediate && !immediates {
            lacks("immediates")
        } else if variant.storage == Storage::F16
            && !downlevel.contains(wgpu::DownlevelFlags::SHADER_F16_IN_F32)
        {
            lacks("f16; do without --storage f16")
        } else {
            Ok(variant)
        }
    }
}

/// What is known of an adapter before it is used.
#[derive(Clone, Debug, Serialize)]
pub struct Info {
    /// Its place in [`list`], the best adapter first; `--adapter` takes it.
    pub index: usize,
    /// As the driver calls it.
    pub name: String,
    /// The graphics API: `vulkan`, `gl`, `metal`, `dx12`.
    pub backend: String,
    /// `discrete GPU`, `integrated GPU`, `virtual GPU`, `software adapter` or `GPU`.
    pub kind: &'static str,
    /// Whether it computes on the CPU.
    pub software: bool,
    /// The driver's name and version.
    pub driver: String,
    /// The largest shard of x or of y, in bytes.
    pub binding_bytes: u64,
}

impl Info {
    /// Whether it shares the processor's memory: a few multiprocessors.
    pub(super) fn integrated(&self) -> bool {
        self.kind == kind(wgpu::DeviceType::IntegratedGpu)
    }

    /// What the GPU engine on this adapter is.
    pub fn description(&self, storage: Storage) -> Description {
        Description {
            kind: "gpu",
            name: self.name.clone(),
            backend: Some(self.backend.clone()),
            software: self.software,
            storage,
            driver: Some(self.driver.clone()),
            tuning: None,
            resident: 0,
        }
    }
}

impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}, {}", self.name, self.backend, self.kind)
    }
}

/// All adapters that can run the engine, the best first: hardware before software, Vulkan, Metal and
/// DX12 before GL. `WGPU_BACKEND=vulkan|gl|…` narrows it down.
pub fn list() -> Vec<Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    // No validation layers, which a debug build would ask for: those of some distributions find
    // errors where there are none.
    descriptor.flags = wgpu::InstanceFlags::empty();
    let instance = wgpu::Instance::new(descriptor.with_env());
    let backends = wgpu::Backends::all().with_env();
    let mut found: Vec<wgpu::Adapter> = pollster::block_on(instance.enumerate_adapters(backends))
        .into_iter()
        .filter(|adapter| {
            let compute = wgpu::DownlevelFlags::COMPUTE_SHADERS;
            adapter.get_downlevel_capabilities().flags.contains(compute)
                && adapter.limits().max_compute_invocations_per_workgroup >= INVOCATIONS
        })
        .collect();
    found.sort_by_key(|adapter| {
        let info = adapter.get_info();
        (rank(info.device_type), info.backend == wgpu::Backend::Gl)
    });
    found
        .into_iter()
        .enumerate()
        .map(|(index, adapter)| {
            let (info, limits) = (adapter.get_info(), adapter.limits());
            Adapter {
                info: Info {
                    index,
                    name: info.name,
                    backend: info.backend.to_string(),
                    kind: kind(info.device_type),
                    software: info.device_type == wgpu::DeviceType::Cpu,
                    driver: format!("{} {}", info.driver, info.driver_info)
                        .trim()
                        .to_owned(),
                    binding_bytes: limits
                        .max_storage_buffer_binding_size
                        .min(limits.max_buffer_size),
                },
                adapter,
            }
        })
        .collect()
}

/// The adapter of an index, or the best one whose name, backend or kind contains `wanted`; without
/// `wanted` the best there is, a software adapter included.
///
/// # Errors
/// [`Error::Gpu`] that lists what there is and says how to get one.
pub fn choose(wanted: Option<&str>) -> Result<Adapter, Error> {
    let mut adapters = list();
    if adapters.is_empty() {
        return Err(none());
    }
    let wanted = wanted.unwrap_or_default();
    let index = wanted.parse().ok().filter(|&index| index < adapters.len());
    let at = index.or_else(|| {
        adapters.iter().position(|adapter| {
            let text = adapter.info.to_string().to_lowercase();
            text.contains(&wanted.to_lowercase())
        })
    });
    match at {
        Some(at) => Ok(adapters.swap_remove(at)),
        None => {
            let there: Vec<String> = adapters
                .iter()
                .map(|Adapter { info, .. }| format!("{} {info}", info.index))
                .collect();
            Err(Error::NoAdapter {
                wanted: Some(wanted.to_owned()),
                adapters: there,
            })
        }
    }
}

/// The error of a machine without an adapter.
pub fn none() -> Error {
    Error::NoAdapter {
        wanted: None,
        adapters: Vec::new(),
    }
}

fn rank(kind: wgpu::DeviceType) -> u8 {
    match kind {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    }
}

fn kind(kind: wgpu::DeviceType) -> &'static str {
    match kind {
        wgpu::DeviceType::DiscreteGpu => "discrete GPU",
        wgpu::DeviceType::IntegratedGpu => "integrated GPU",
        wgpu::DeviceType::VirtualGpu => "virtual GPU",
        wgpu::DeviceType::Other => "GPU",
        wgpu::DeviceType::Cpu => "software adapter",
    }
}
