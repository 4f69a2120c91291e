//! The shader program: `train.wgsl`, joined with one file of each folder beside it.

use crate::engine::{Loads, Storage};
use crate::loss::Loss;

/// The way that a workgroup adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sum {
    /// A tree in workgroup memory, which every adapter has.
    Tree,
    /// Subgroups, which some adapters have.
    Subgroup,
}

/// The way that a dispatch gets its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameters {
    /// Sent with the command, on adapters that have immediates.
    Immediate,
    /// Read from a uniform buffer, on every adapter.
    Uniform,
}

/// One file of each folder under `shaders/` except `loss/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The file of `samples/`.
    pub storage: Storage,
    /// The file of `sum/`.
    pub sum: Sum,
    /// The file of `loads/`.
    pub loads: Loads,
    /// The file of `dispatch/`.
    pub parameters: Parameters,
}

impl Variant {
    /// Returns every combination.
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

/// Returns the shader's source: `train.wgsl` and its parts, joined as text.
pub fn shader(loss: Loss, variant: Variant) -> String {
    join(loss, variant, samples(variant.storage))
}

/// Returns the file of `samples/` for a storage format.
pub(super) fn samples(storage: Storage) -> &'static str {
    match storage {
        Storage::F32 => include_str!("../../../shaders/samples/f32.wgsl"),
        Storage::F16 => include_str!("../../../shaders/samples/f16.wgsl"),
    }
}

/// Joins the shader's source with any file of `samples/`. A test has one of its own.
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

/// Returns the values of the shader's override constants.
pub fn constants(loss: Loss, workgroup_size: u32) -> Vec<(&'static str, f64)> {
    let mut constants = vec![("WORKGROUP_SIZE", f64::from(workgroup_size))];
    constants.append(&mut loss.constants());
    constants
}
