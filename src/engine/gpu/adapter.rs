//! Finding, listing and choosing adapters, and what suits each.

use std::fmt;

use serde::Serialize;

use super::options::Options;
use super::program::{Parameters, Sum, Variant};
use crate::engine::{Description, EngineKind, Loads, Storage, Tuning};
use crate::error::Error;

/// Features that the engine uses if the adapter has them.
const FEATURES: wgpu::Features = wgpu::Features::IMMEDIATES
    .union(wgpu::Features::SUBGROUP)
    .union(wgpu::Features::TIMESTAMP_QUERY);

/// Invocations that a workgroup must be able to have: WebGPU's default limit.
const INVOCATIONS: u32 = 256;

/// An adapter that the GPU engine can run on.
#[derive(Debug)]
pub struct Adapter {
    pub(super) adapter: wgpu::Adapter,
    info: Info,
}

impl Adapter {
    /// Returns the facts that are known before the adapter is used.
    pub fn info(&self) -> &Info {
        &self.info
    }

    /// Returns how the work is shared out: as `options` say, else as suits the adapter's kind.
    pub(super) fn tuning(&self, options: &Options) -> Tuning {
        options.tuning.unwrap_or_else(|| self.info.tuning())
    }

    /// Returns the variant of the shader that does what `options` ask for and suits the adapter best.
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
            lacks("f16: store samples in f32")
        } else {
            Ok(variant)
        }
    }

    /// Returns the features that the engine uses and the adapter has.
    pub(super) fn features(&self) -> wgpu::Features {
        self.adapter.features() & FEATURES
    }

    /// Returns the error that the adapter has a problem.
    pub(super) fn failed(&self, problem: &str) -> Error {
        Error::Gpu {
            adapter: self.info.to_string(),
            problem: problem.to_owned(),
        }
    }
}

/// The facts about an adapter that are known before it is used.
#[derive(Clone, Debug, Serialize)]
pub struct Info {
    /// Its index in [`list`], the best adapter first.
    pub index: usize,
    /// Its name, as the driver gives it.
    pub name: String,
    /// The graphics API: `vulkan`, `gl`, `metal`, `dx12`.
    pub backend: String,
    /// `discrete GPU`, `integrated GPU`, `virtual GPU`, `software adapter` or `GPU`.
    pub kind: &'static str,
    /// True if it computes on the CPU.
    pub software: bool,
    /// The driver's name and version.
    pub driver: String,
    /// The largest shard of x, or of y, in bytes.
    pub binding_bytes: u64,
}

impl Info {
    /// Returns whether it shares the processor's memory. Such adapters have few multiprocessors.
    pub(super) fn integrated(&self) -> bool {
        self.kind == kind(wgpu::DeviceType::IntegratedGpu)
    }

    /// Returns how the work is best shared out on adapters of this kind, unmeasured.
    pub fn tuning(&self) -> Tuning {
        if self.software {
            // A workgroup costs tens of µs there, and is one thread.
            Tuning {
                workgroup_size: 64,
                workgroups: 8,
                loads: Loads::One,
            }
        } else if self.integrated() {
            // Some ten thousand invocations run at once.
            Tuning {
                workgroup_size: 256,
                workgroups: 64,
                loads: Loads::Four,
            }
        } else {
            // CUB's choice for a reduction is 256 invocations with 16 values under way each.
            Tuning {
                workgroup_size: 256,
                workgroups: 1024,
                loads: Loads::Four,
            }
        }
    }

    /// Describes the GPU engine on this adapter, with `resident` samples in the adapter's memory.
    pub fn description(&self, storage: Storage, tuning: Tuning, resident: u64) -> Description {
        Description {
            kind: EngineKind::Gpu,
            name: self.name.clone(),
            backend: Some(self.backend.clone()),
            driver: Some(self.driver.clone()),
            software: self.software,
            storage,
            tuning: Some(tuning),
            resident,
        }
    }
}

impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}, {}", self.name, self.backend, self.kind)
    }
}

/// Returns all adapters that can run the engine, the best first.
///
/// Hardware comes before software, and Vulkan, Metal and DX12 come before GL. `WGPU_BACKEND=vulkan|gl|…` narrows the list.
pub fn list() -> Vec<Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    // Without the validation layers that a debug build would ask for: those of some distributions report errors that
    // are not there.
    descriptor.flags = wgpu::InstanceFlags::empty();
    let backends = backends_wanted().map_or(wgpu::Backends::all(), |(_, backends)| backends);
    descriptor.backends = backends;
    let instance = wgpu::Instance::new(descriptor);
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

/// Returns the value of `WGPU_BACKEND`, unless it is empty, and the backends that it names.
fn backends_wanted() -> Option<(String, wgpu::Backends)> {
    let names = std::env::var("WGPU_BACKEND").ok()?;
    let backends = wgpu::Backends::from_comma_list(&names);
    (!names.is_empty()).then_some((names, backends))
}

/// Returns the names of the backends that are compiled in.
pub fn backends() -> Vec<&'static str> {
    let compiled = wgpu::Instance::enabled_backend_features();
    let backends = wgpu::Backend::ALL.into_iter();
    backends
        .filter(|&backend| compiled.contains(backend.into()))
        .map(wgpu::Backend::to_str)
        .collect()
}

/// Returns the adapter of an index, or the one whose name, backend and kind contain all words of `wanted`. `None` asks for
/// the best adapter, even a software adapter.
///
/// # Errors
/// [`Error::NoAdapter`], which lists the adapters and says how to get one, and [`Error::ManyAdapters`].
pub fn choose(wanted: Option<&str>) -> Result<Adapter, Error> {
    let mut adapters = list();
    if adapters.is_empty() {
        return Err(none());
    }
    let Some(wanted) = wanted else {
        return Ok(adapters.swap_remove(0));
    };
    let lower = wanted.to_lowercase();
    let words: Vec<&str> = lower.split([' ', ',']).collect();
    let index: Option<usize> = wanted.parse().ok().filter(|&index| index < adapters.len());
    let is_meant = |adapter: &&Adapter| {
        let text = adapter.info.to_string().to_lowercase();
        words.iter().all(|&word| text.contains(word))
    };
    let meant: Vec<&Info> = match index {
        Some(index) => vec![&adapters[index].info],
        None => adapters
            .iter()
            .filter(is_meant)
            .map(Adapter::info)
            .collect(),
    };
    let listed = |infos: &[&Info]| {
        let named = infos.iter().map(|info| format!("{} {info}", info.index));
        named.collect()
    };
    match meant[..] {
        [Info { index, .. }] => Ok(adapters.swap_remove(*index)),
        [] => Err(Error::NoAdapter {
            wanted: Some(wanted.to_owned()),
            adapters: listed(&adapters.iter().map(Adapter::info).collect::<Vec<_>>()),
            backends: None,
        }),
        _ => Err(Error::ManyAdapters {
            wanted: wanted.to_owned(),
            adapters: listed(&meant),
        }),
    }
}

/// Returns the error of a machine without an adapter.
pub fn none() -> Error {
    Error::NoAdapter {
        wanted: None,
        adapters: Vec::new(),
        backends: backends_wanted().map(|(names, backends)| {
            if backends.is_empty() {
                format!("{names}, which names none of vulkan, metal, dx12 and gl,")
            } else {
                names
            }
        }),
    }
}

/// Returns the rank of a kind of adapter: the smaller, the better.
fn rank(kind: wgpu::DeviceType) -> u8 {
    match kind {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    }
}

/// Returns the name of a kind of adapter.
fn kind(kind: wgpu::DeviceType) -> &'static str {
    match kind {
        wgpu::DeviceType::DiscreteGpu => "discrete GPU",
        wgpu::DeviceType::IntegratedGpu => "integrated GPU",
        wgpu::DeviceType::VirtualGpu => "virtual GPU",
        wgpu::DeviceType::Other => "GPU",
        wgpu::DeviceType::Cpu => "software adapter",
    }
}
