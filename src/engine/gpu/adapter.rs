//! Finding, listing and choosing adapters, and what suits each.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::options::Options;
use super::program::{Parameters, Sum, Variant};
use super::watch;
use crate::engine::{Description, EngineKind, Loads, Storage, Tuning};
use crate::error::Error;

mod choose;

pub use self::choose::{choose, choose_some, find, none};

/// Features that the engine uses if the adapter has them.
const FEATURES: wgpu::Features = wgpu::Features::IMMEDIATES
    .union(wgpu::Features::SUBGROUP)
    .union(wgpu::Features::TIMESTAMP_QUERY);

/// Invocations that a workgroup must be able to have: WebGPU's default limit.
const INVOCATIONS: u32 = 256;

/// An adapter that the GPU engine can run on.
#[derive(Clone, Debug)]
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

    /// Returns what it can do.
    pub fn abilities(&self) -> Abilities {
        let (info, limits) = (self.adapter.get_info(), self.adapter.limits());
        let features = self.features();
        let downlevel = self.adapter.get_downlevel_capabilities().flags;
        Abilities {
            buffer_bytes: limits.max_buffer_size,
            workgroup_invocations: limits.max_compute_invocations_per_workgroup,
            workgroup_bytes: limits.max_compute_workgroup_storage_size,
            subgroup_sizes: features
                .contains(wgpu::Features::SUBGROUP)
                .then_some((info.subgroup_min_size, info.subgroup_max_size)),
            immediates: features.contains(wgpu::Features::IMMEDIATES),
            f16_storage: downlevel.contains(wgpu::DownlevelFlags::SHADER_F16_IN_F32),
            timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
        }
    }

    /// Lists the adapters anew, and returns this one. Some APIs give no second device to an adapter whose first one was lost.
    ///
    /// # Errors
    /// [`Error::Gpu`] if it is gone.
    pub(crate) fn again(&self) -> Result<Adapter, Error> {
        let is_same = |other: &Adapter| {
            let [one, other] = [&self.info, &other.info];
            (&one.name, &one.backend, &one.driver) == (&other.name, &other.backend, &other.driver)
        };
        let found = list().into_iter().find(is_same);
        found.ok_or_else(|| self.failed("it is gone: use another adapter or the CPU engine"))
    }

    /// Returns the error that the adapter has a problem.
    pub(super) fn failed(&self, problem: &str) -> Error {
        Error::Gpu {
            adapter: self.info.to_string(),
            problem: problem.to_owned(),
        }
    }
}

/// The kind of an adapter, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// A GPU with memory of its own.
    #[serde(rename = "discrete GPU")]
    Discrete,
    /// A GPU that shares the processor's memory.
    #[serde(rename = "integrated GPU")]
    Integrated,
    /// A GPU as a virtual machine shows it.
    #[serde(rename = "virtual GPU")]
    Virtual,
    /// A GPU whose driver doesn't say more.
    #[serde(rename = "GPU")]
    Other,
    /// An adapter that computes on the CPU.
    #[serde(rename = "software adapter")]
    Software,
}

impl Kind {
    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Discrete => "discrete GPU",
            Kind::Integrated => "integrated GPU",
            Kind::Virtual => "virtual GPU",
            Kind::Other => "GPU",
            Kind::Software => "software adapter",
        }
    }
}

/// Limits of an adapter, and the features that the engine uses if they are there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Abilities {
    /// The largest buffer, in bytes.
    pub buffer_bytes: u64,
    /// The largest number of invocations of a workgroup.
    pub workgroup_invocations: u32,
    /// Memory of a workgroup, in bytes.
    pub workgroup_bytes: u32,
    /// The smallest and the largest subgroup; `None` if it has no subgroups.
    pub subgroup_sizes: Option<(u32, u32)>,
    /// True if parameters can travel with their dispatch.
    pub immediates: bool,
    /// True if samples can be stored in f16.
    pub f16_storage: bool,
    /// True if it can measure the time of a pass.
    pub timestamps: bool,
}

/// The facts about an adapter that are known before it is used.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Info {
    /// Its index in [`list`], the best adapter first.
    pub index: usize,
    /// Its name, as the driver gives it.
    pub name: String,
    /// The graphics API: `vulkan`, `gl`, `metal`, `dx12`.
    pub backend: String,
    /// Its kind.
    pub kind: Kind,
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
        self.kind == Kind::Integrated
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
            shares: Vec::new(),
        }
    }
}

impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}, {}", self.name, self.backend, self.kind.name())
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
    let late = "a GPU driver does not answer while adapters are listed: use the CPU engine, or set WGPU_BACKEND to another API"
        .into();
    // A limit that makes no sense is told where a device is opened.
    let limit = watch::time_limit().unwrap_or(watch::TIME_LIMIT);
    let list = || {
        let instance = wgpu::Instance::new(descriptor);
        pollster::block_on(instance.enumerate_adapters(backends))
    };
    let mut found: Vec<wgpu::Adapter> = watch::watched(&late, limit, list)
        .into_iter()
        .filter(|adapter| {
            let compute = wgpu::DownlevelFlags::COMPUTE_SHADERS;
            adapter.get_downlevel_capabilities().flags.contains(compute)
                && adapter.limits().max_compute_invocations_per_workgroup >= INVOCATIONS
        })
        .collect();
    found.sort_by_key(|adapter| {
        let info = adapter.get_info();
        order(kind(&info.name, info.device_type), info.backend.to_str())
    });
    found
        .into_iter()
        .enumerate()
        .map(|(index, adapter)| {
            let (info, limits) = (adapter.get_info(), adapter.limits());
            let kind = kind(&info.name, info.device_type);
            Adapter {
                info: Info {
                    index,
                    name: info.name,
                    backend: info.backend.to_string(),
                    kind,
                    software: kind == Kind::Software,
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

/// Returns the place of an adapter in [`list`]: the least comes first.
pub fn order(kind: Kind, backend: &str) -> (Kind, bool) {
    (kind, backend == wgpu::Backend::Gl.to_str())
}

/// Returns the names of the backends that are compiled in.
pub fn backends() -> Vec<&'static str> {
    names(wgpu::Backends::all())
}

/// Returns the names of the backends that [`list`] looks through: those that `WGPU_BACKEND` leaves.
pub fn backends_listed() -> Vec<&'static str> {
    names(backends_wanted().map_or(wgpu::Backends::all(), |(_, backends)| backends))
}

fn names(wanted: wgpu::Backends) -> Vec<&'static str> {
    let compiled = wgpu::Instance::enabled_backend_features() & wanted;
    let backends = wgpu::Backend::ALL.into_iter();
    backends
        .filter(|&backend| compiled.contains(backend.into()))
        .map(wgpu::Backend::to_str)
        .collect()
}

/// WARP, the software adapter of Windows, which may list it as hardware too (gfx-rs/wgpu#3485).
const WARP: &str = "Microsoft Basic Render Driver";

/// Returns the kind of an adapter of this name and type.
fn kind(name: &str, device: wgpu::DeviceType) -> Kind {
    match device {
        _ if name == WARP => Kind::Software,
        wgpu::DeviceType::DiscreteGpu => Kind::Discrete,
        wgpu::DeviceType::IntegratedGpu => Kind::Integrated,
        wgpu::DeviceType::VirtualGpu => Kind::Virtual,
        wgpu::DeviceType::Other => Kind::Other,
        wgpu::DeviceType::Cpu => Kind::Software,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_adapters_are_known_by_type_or_name() {
        let integrated = wgpu::DeviceType::IntegratedGpu;
        assert_eq!(
            kind("Intel(R) UHD Graphics 630", integrated),
            Kind::Integrated
        );
        assert_eq!(kind(WARP, integrated), Kind::Software);
        assert_eq!(kind("llvmpipe", wgpu::DeviceType::Cpu), Kind::Software);
    }
}
