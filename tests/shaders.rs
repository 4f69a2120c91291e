//! The shaders by themselves, without any adapter.

use fall_line::engine::gpu::program::{Variant, constants, shader};
use fall_line::loss::Loss;
use naga::valid::{Capabilities, SubgroupOperationSet, ValidationFlags, Validator};

fn validator() -> Validator {
    let capabilities =
        Capabilities::IMMEDIATES | Capabilities::SUBGROUP | Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    let mut validator = Validator::new(ValidationFlags::all(), capabilities);
    validator.subgroup_operations(SubgroupOperationSet::all());
    validator
}

#[test]
fn every_combination_is_valid_with_its_constants() {
    assert_eq!(Variant::all().count(), 24);
    for (loss, variant) in Loss::ALL
        .into_iter()
        .flat_map(|loss| Variant::all().map(move |variant| (loss, variant)))
    {
        let source = shader(loss, variant);
        let module = naga::front::wgsl::parse_str(&source).unwrap_or_else(|error| {
            panic!("{loss}, {variant:?}: {}", error.emit_to_string(&source))
        });
        let info = validator()
            .validate(&module)
            .unwrap_or_else(|error| panic!("{loss}, {variant:?}: {error:?}"));
        let values = constants(loss, 64)
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        for entry in ["reduce_samples", "reduce_partials", "train_alone"] {
            let point = (naga::ShaderStage::Compute, entry);
            // This checks that the constants are all that the shader asks for.
            let (module, _) = naga::back::pipeline_constants::process_overrides(
                &module,
                &info,
                Some(point),
                &values,
            )
            .unwrap_or_else(|error| panic!("{loss}, {variant:?}: {error}"));
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
