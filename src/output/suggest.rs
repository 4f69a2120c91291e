//! Suggestions for mistyped names.

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use strsim::osa_distance;

/// Returns the name that `wanted` is most likely a slip of, if there is one: up to a third of its letters differ, or one is a
/// part of the other. Case does not count.
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Shorter parts are in too many names.
    const PART: usize = 3;
    let wanted = wanted.to_lowercase();
    let distance = |name: &str| {
        let name = name.to_lowercase();
        let distance = osa_distance(&wanted, &name);
        let is_part = name.len().min(wanted.len()) >= PART
            && (name.contains(&wanted) || wanted.contains(&name));
        let letters = name.chars().count().max(wanted.chars().count());
        (is_part || 3 * distance <= letters).then_some(distance)
    };
    names
        .into_iter()
        .filter_map(|name| Some((distance(name)?, name)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Returns a question that names the flag or subcommand that was likely meant, with the separator before it; empty if none is
/// near. Returns `None` for an error that is not about a name. `program` is built, and `args` is the command line.
pub fn flag(error: &clap::Error, program: &Command, args: &[String]) -> Option<String> {
    let given = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    let meant = match error.kind() {
        ErrorKind::UnknownArgument => {
            let wanted = given(ContextKind::InvalidArg).trim_start_matches('-');
            let command = args.iter().find_map(|arg| program.find_subcommand(arg));
            let flags = command.unwrap_or(program).get_arguments();
            let names = flags.filter_map(|flag| flag.get_long_and_visible_aliases());
            nearest(wanted, names.flatten()).map(|name| format!("--{name}"))
        }
        ErrorKind::InvalidSubcommand => {
            let commands = program.get_subcommands().map(Command::get_name);
            nearest(given(ContextKind::InvalidSubcommand), commands).map(|name| format!("'{name}'"))
        }
        _ => return None,
    };
    Some(meant.map_or_else(String::new, |name| format!("; did you mean {name}?")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_near() {
        let names = ["speed", "dist", "stopping distance", "x"];
        for (wanted, nearest_name) in [
            ("sped", Some("speed")),
            ("spede", Some("speed")),
            ("SPEED", Some("speed")),
            ("distance", Some("dist")),
            ("stopping", Some("stopping distance")),
            ("X", Some("x")),
            ("y", None),
            ("weight", None),
            ("is", None),
            ("", None),
        ] {
            assert_eq!(nearest(wanted, names), nearest_name, "{wanted}");
        }
    }
}
