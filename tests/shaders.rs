//! The shaders by themselves, without any adapter.

use fall_line::engine::gpu::{constants, shader};
use fall_line::loss::Loss;
use naga::valid::{Capabilities, ValidationFlags, Validator};

fn validator() -> Validator {
    Validator::new(ValidationFlags::all(), Capabilities::IMMEDIATES)
}

#[test]
fn every_combination_is_valid_with_its_constants() {
    for loss in Loss::ALL {
        let module = naga::front::wgsl::parse_str(&shader(loss))
            .unwrap_or_else(|error| panic!("{}: {error:?}", loss.name()));
        let info = validator().validate(&module).unwrap();
        let values = constants(loss)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        for entry in ["reduce_samples", "reduce_partials"] {
            let point = (naga::ShaderStage::Compute, entry);
            // This checks that the constants are all that the shader asks for.
            let (module, _) = naga::back::pipeline_constants::process_overrides(
                &module,
                &info,
                Some(point),
                &values,
            )
            .unwrap_or_else(|error| panic!("{}: {error}", loss.name()));
            validator().validate(&module).unwrap();
        }
    }
}

/// The control: a fault is found.
#[test]
fn a_missing_loss_is_not_valid() {
    let alone = include_str!("../shaders/train.wgsl");
    assert!(naga::front::wgsl::parse_str(alone).is_err());
}
