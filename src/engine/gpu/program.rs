//! What the shader program is joined from: `train.wgsl` and one file of each folder beside it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::loss::Loss;

/// How x and y stand in the adapter's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Storage {
    /// In f32: 8 bytes a sample.
    #[default]
    F32,
    /// In f16, centred and scaled: 4 bytes a sample, and each value has 11 bits.
    F16,
}

impl Storage {
    /// Bytes of one x or one y.
    pub const fn bytes(self) -> u64 {
        match self {
            Storage::F32 => 4,
            Storage::F16 => 2,
        }
    }

    /// Bytes of a sample.
    pub const fn bytes_per_sample(self) -> u64 {
        2 * self.bytes()
    }
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Storage::F32 => "f32",
            Storage::F16 => "f16",
        })
    }
}

/// How a workgroup adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sum {
    /// By a tree in workgroup memory, on every adapter.
    Tree,
    /// By subgroups, where the adapter has them.
    Subgroup,
}

/// How many loads of four x and of four y an invocation has under way at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Loads {
    /// One of each.
    One,
    /// Two of each.
    Two,
    /// Four of each: 16 samples.
    Four,
}

impl Loads {
    /// So many of each: LOADS of the file.
    pub const fn count(self) -> u32 {
        match self {
            Loads::One => 1,
            Loads::Two => 2,
            Loads::Four => 4,
        }
    }
}

/// How a dispatch gets its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameters {
    /// With the command, where the adapter has immediates.
    Immediate,
    /// From a uniform buffer, on every adapter.
    Uniform,
}

/// One file of each folder under `shaders/` but `loss/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant {
    /// Of `samples/`.
    pub storage: Storage,
    /// Of `sum/`.
    pub sum: Sum,
    /// Of `loads/`.
    pub loads: Loads,
    /// Of `dispatch/`.
    pub parameters: Parameters,
}

impl Variant {
    /// Every combination.
    pub fn all() -> impl Iterator<Item = Variant> {
        let storages = [Storage::F32, Storage::F16];
        storages.into_iter().flat_map(|storage| {
            [Sum::Tree, Sum::Subgroup].into_iter().flat_map(move |sum| {
                let loads = [Loads::One, Loads::Two, Loads::Four];
                loads.into_iter().flat_map(move |loads| {
                    let parameters = [Parameters::Immediate, Parameters::Uniform];
                    parameters.into_iter().map(move |parameters| Variant {
                        storage,
                        sum,
                        loads,
                        parameters,
                    })
                })
            })
        })
    }
}

/// The shader's source: `train.wgsl` and its parts, joined as text.
pub fn shader(loss: Loss, variant: Variant) -> String {
    let samples = match variant.storage {
        Storage::F32 => include_str!("../../../shaders/samples/f32.wgsl"),
        Storage::F16 => include_str!("../../../shaders/samples/f16.wgsl"),
    };
    join(loss, variant, samples)
}

/// With any file of `samples/`: a test has one of its own.
pub(super) fn join(loss: Loss, variant: Variant, samples: &str) -> String {
    [
        include_str!("../../../shaders/train.wgsl"),
        loss.wgsl(),
        samples,
        match variant.loads {
            Loads::One => include_str!("../../../shaders/loads/one.wgsl"),
            Loads::Two => include_str!("../../../shaders/loads/two.wgsl"),
            Loads::Four => include_str!("../../../shaders/loads/four.wgsl"),
        },
        match variant.sum {
            Sum::Tree => include_str!("../../../shaders/sum/tree.wgsl"),
            Sum::Subgroup => include_str!("../../../shaders/sum/subgroup.wgsl"),
        },
        match variant.parameters {
            Parameters::Immediate => include_str!("../../../shaders/dispatch/immediate.wgsl"),
            Parameters::Uniform => include_str!("../../../shaders/dispatch/uniform.wgsl"),
        },
    ]
    .concat()
}

/// The values of the shader's override constants.
pub fn constants(loss: Loss, workgroup_size: u32) -> Vec<(&'static str, f64)> {
    let mut constants = vec![("WORKGROUP_SIZE", f64::from(workgroup_size))];
    constants.append(&mut loss.constants());
    constants
}
