//! The shaders by themselves, without any adapter.

use fall_line::engine::gpu::{constants, draw, shader};
use fall_line::loss::Loss;
use naga::valid::{Capabilities, ValidationFlags, Validator};

fn validator() -> Validator {
    Validator::new(ValidationFlags::all(), Capabilities::IMMEDIATES)
}

/// That a shader is valid, and that an entry point's constants are all that it asks for.
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
    for loss in Loss::ALL {
        let phases = ["reduce_samples", "reduce_partials"];
        check(loss.name(), &shader(loss), &phases, constants(loss));
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

/// The control: a fault is found.
#[test]
fn a_shader_without_its_other_part_is_not_valid() {
    let alone = include_str!("../shaders/train.wgsl");
    assert!(naga::front::wgsl::parse_str(alone).is_err());
    let alone = include_str!("../shaders/draw.wgsl");
    assert!(naga::front::wgsl::parse_str(alone).is_err());
}
