//! The recipe of `src/loss.rs`: only that file knows the losses one by one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fall_line::data::host::Columns;
use fall_line::engine::cpu::CpuEngine;
use fall_line::error::Error;
use fall_line::loss::Loss;
use fall_line::train::RobustStart;

/// Returns all Rust files below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let below = paths.flat_map(|path| {
        if path.is_dir() {
            sources(&path)
        } else {
            vec![path]
        }
    });
    below
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// Returns the part of a file that is neither its unit tests nor comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = code.lines();
    let lines = lines.filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the places in a text that tell losses apart: patterns and comparisons. A loss that is only used is not one.
fn told_apart(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for loss in Loss::ALL {
        let debug = format!("{loss:?}");
        let variant = format!("Loss::{}", debug.split(' ').next().unwrap());
        for (at, _) in code.match_indices(&variant) {
            let line = code[..at].lines().count().max(1) - 1;
            let before = code[..at].trim_end();
            // The fields of a pattern or of a value.
            let after = code[at + variant.len()..].trim_start();
            let fields = after
                .strip_prefix('{')
                .and_then(|rest| rest.split_once('}'));
            let after = fields.map_or(after, |(_, rest)| rest.trim_start());
            let compared = ["==", "!=", "let", "|"];
            let patterned = ["=>", "|", "if ", "==", "!=", "="];
            if compared.iter().any(|with| before.ends_with(with))
                || patterned.iter().any(|with| after.starts_with(with))
            {
                found.push(code.lines().nth(line).unwrap_or_default().to_owned());
            }
        }
    }
    found
}

#[test]
fn only_the_module_of_losses_tells_them_apart() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for path in sources(&src) {
        let name = path.strip_prefix(&src).unwrap();
        if name == Path::new("loss.rs") || path.ends_with("tests.rs") {
            continue;
        }
        let found = told_apart(&code(&path));
        assert!(
            found.is_empty(),
            "{}: make this a property of Loss: {found:#?}",
            name.display()
        );
    }
}

/// The control: the module of losses tells them apart, and so do these.
#[test]
fn code_that_tells_losses_apart_is_found() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/loss.rs");
    assert!(told_apart(&code(&src)).len() > 30);
    for code in [
        "if loss == Loss::Mse {",
        "match loss {\n    Loss::Huber { delta } => delta,",
        "Loss::Mae | Loss::Quantile { .. } => {",
        "Loss::LogCosh if far => {",
        "if let Loss::Quantile { tau } = loss {",
    ] {
        assert!(!told_apart(code).is_empty(), "{code}");
    }
    assert!(told_apart("Kernels::new(device, Loss::Mse, variant)").is_empty());
    assert!(told_apart("Loss::Huber { delta: 1.0 },").is_empty());
}

#[test]
fn every_loss_has_a_shader_of_its_name_and_no_other_lies_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders/loss");
    let entries = fs::read_dir(folder).unwrap();
    let files: BTreeSet<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let losses: BTreeSet<String> = Loss::ALL
        .iter()
        .map(|loss| format!("{}.wgsl", loss.name()))
        .collect();
    assert_eq!(files, losses);
}

/// A parameter out of range would give a result that means nothing.
#[test]
fn no_engine_takes_a_parameter_out_of_range() {
    let columns = Columns::new(&[0.0_f32, 1.0], &[0.0, 1.0]).unwrap();
    for loss in [
        Loss::Huber { delta: 0.0 },
        Loss::Huber { delta: 1e50 },
        Loss::Quantile { tau: 1.0 },
        Loss::Quantile { tau: f64::NAN },
    ] {
        let made = CpuEngine::new(&columns, loss, &|_| {});
        assert!(matches!(made, Err(Error::Setting { .. })), "{loss}");
        // What is computed in f64 takes a δ beyond f32.
        let in_f64 = matches!(loss, Loss::Huber { delta } if delta > 0.0);
        let made = RobustStart::new(&columns, loss);
        assert!(
            in_f64 || matches!(made, Err(Error::Setting { .. })),
            "{loss}"
        );
    }
}
