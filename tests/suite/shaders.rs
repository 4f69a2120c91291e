//! The shaders alone, without any adapter.

use fall_line::engine::Storage;
use fall_line::engine::gpu::program::{Variant, constants, shader};
use fall_line::engine::gpu::{draw, losses, measure};
use fall_line::loss::Loss;
use naga::valid::{Capabilities, SubgroupOperationSet, ValidationFlags, Validator};

fn validator() -> Validator {
    let capabilities =
        Capabilities::IMMEDIATES | Capabilities::SUBGROUP | Capabilities::SHADER_FLOAT16_IN_FLOAT32;
    let mut validator = Validator::new(ValidationFlags::all(), capabilities);
    validator.subgroup_operations(SubgroupOperationSet::all());
    validator
}

/// Checks that a shader is valid, and that it has no other constants than an entry point is given.
fn check(name: &str, source: &str, entry_points: &[&str], constants: Vec<(&'static str, f64)>) {
    let module = naga::front::wgsl::parse_str(source)
        .unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string(source)));
    let info = validator().validate(&module).unwrap();
    let values = constants
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    for entry_point in entry_points {
        let point = (naga::ShaderStage::Compute, *entry_point);
        let (module, _) =
            naga::back::pipeline_constants::process_overrides(&module, &info, Some(point), &values)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
        validator().validate(&module).unwrap();
    }
}

#[test]
fn every_combination_is_valid_with_its_constants() {
    assert_eq!(Variant::all().count(), 24);
    for loss in Loss::ALL {
        for variant in Variant::all() {
            let name = format!("{loss}, {variant:?}");
            let entry_points = ["reduce_samples", "reduce_partials", "train_alone"];
            let constants = constants(loss, 64);
            check(&name, &shader(loss, variant), &entry_points, constants);
        }
    }
}

#[test]
fn the_drawing_is_valid_with_its_constants() {
    check(
        "draw",
        &draw::shader(),
        &["draw_samples"],
        draw::constants(),
    );
}

#[test]
fn the_reading_is_valid_with_its_constants() {
    let source = measure::read_shader();
    check(
        "read",
        &source,
        &["read_samples"],
        measure::read_constants(64),
    );
}

#[test]
fn the_kernel_of_many_lines_is_valid() {
    for loss in Loss::ALL {
        for storage in [Storage::F32, Storage::F16] {
            let source = losses::shader(loss, storage);
            check("losses", &source, &["reduce_losses"], constants(loss, 64));
        }
    }
}

/// The negative control: a fault is found.
#[test]
fn a_shader_without_its_other_parts_is_not_valid() {
    let alone = include_str!("../../shaders/train.wgsl");
    assert!(naga::front::wgsl::parse_str(alone).is_err());
    let alone = include_str!("../../shaders/draw.wgsl");
    assert!(naga::front::wgsl::parse_str(alone).is_err());
}
