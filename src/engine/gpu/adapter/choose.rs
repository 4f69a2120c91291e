//! The choice among adapters by name or index.

use super::{Adapter, Info, backends_wanted, list};
use crate::error::Error;

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
    let infos: Vec<&Info> = adapters.iter().map(Adapter::info).collect();
    let at = find(&infos, wanted)?;
    Ok(adapters.swap_remove(at))
}

/// Returns the adapters that a text names: one as for [`choose`], several with commas between them, such as `0,1`, or `all`: those of
/// the best one's API, software adapters only if that is one. The same adapter may be named twice.
///
/// # Errors
/// Those of [`choose`].
pub fn choose_some(wanted: Option<&str>) -> Result<Vec<Adapter>, Error> {
    let adapters = list();
    if adapters.is_empty() {
        return Err(none());
    }
    let infos: Vec<&Info> = adapters.iter().map(Adapter::info).collect();
    let places = match wanted {
        Some(wanted) => places(&infos, wanted)?,
        None => vec![0],
    };
    Ok(places.into_iter().map(|at| adapters[at].clone()).collect())
}

/// Returns the places of the adapters of [`choose_some`].
fn places(infos: &[&Info], wanted: &str) -> Result<Vec<usize>, Error> {
    if wanted == "all" {
        let is_like = |info: &Info| {
            let best = infos[0];
            info.backend == best.backend && info.software == best.software
        };
        return Ok((0..infos.len()).filter(|&at| is_like(infos[at])).collect());
    }
    let items: Vec<&str> = wanted.split(',').map(str::trim).collect();
    let is_index = |item: &&str| item.parse::<usize>().is_ok();
    let one = find(infos, wanted);
    // A name as it is printed has commas too.
    let is_none = matches!(one, Err(Error::NoAdapter { .. }));
    let is_list = items.len() > 1 && (is_none || items.iter().any(is_index));
    if !is_list {
        return one.map(|at| vec![at]);
    }
    if items.contains(&"") {
        return Err(not_found(infos, wanted));
    }
    items.iter().map(|item| find(infos, item)).collect()
}

/// Returns the place of the adapter of an index, or of the one whose name, backend and kind contain all words of `wanted`.
///
/// # Errors
/// Those of [`choose`].
pub fn find(infos: &[&Info], wanted: &str) -> Result<usize, Error> {
    let lower = wanted.to_lowercase();
    let words: Vec<&str> = lower.split([' ', ',']).collect();
    let is_meant = |info: &Info| {
        let text = info.to_string().to_lowercase();
        words.iter().all(|&word| text.contains(word))
    };
    // A name may be a greater number, such as that of a model.
    let meant: Vec<usize> = match wanted.parse::<usize>() {
        Ok(index) if index < infos.len() => vec![index],
        Ok(0..100) => Vec::new(),
        _ => (0..infos.len()).filter(|&at| is_meant(infos[at])).collect(),
    };
    match meant[..] {
        [at] => Ok(at),
        [] => Err(not_found(infos, wanted)),
        _ => Err(Error::ManyAdapters {
            wanted: wanted.to_owned(),
            adapters: listed(meant.iter().map(|&at| infos[at])),
        }),
    }
}

/// Returns the error that no adapter is what was asked for.
fn not_found(infos: &[&Info], wanted: &str) -> Error {
    Error::NoAdapter {
        wanted: Some(wanted.to_owned()),
        adapters: listed(infos.iter().copied()),
        backends: None,
    }
}

/// Returns the adapters with their indices.
fn listed<'a>(infos: impl Iterator<Item = &'a Info>) -> Vec<String> {
    infos.map(|info| format!("{} {info}", info.index)).collect()
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

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    #[test]
    fn all_are_the_hardware_adapters_of_one_api() {
        let adapters = [
            ("A", "vulkan", Kind::Discrete),
            ("B", "vulkan", Kind::Integrated),
            ("A", "gl", Kind::Other),
            ("llvmpipe", "vulkan", Kind::Software),
        ];
        let infos = |adapters: &[(&str, &str, Kind)]| {
            let info = |(index, &(name, backend, kind)): (usize, &(&str, &str, Kind))| Info {
                index,
                name: name.to_owned(),
                backend: backend.to_owned(),
                kind,
                software: kind == Kind::Software,
                driver: String::new(),
                binding_bytes: 0,
            };
            adapters.iter().enumerate().map(info).collect::<Vec<_>>()
        };
        let hardware = infos(&adapters);
        let software = infos(&adapters[3..]);
        let hardware: Vec<&Info> = hardware.iter().collect();
        let software: Vec<&Info> = software.iter().collect();
        let found = |wanted| places(&hardware, wanted).unwrap();
        assert_eq!(found("all"), [0, 1]);
        assert_eq!(places(&software, "all").unwrap(), [0]);
        assert_eq!(found("2,0, 0"), [2, 0, 0]);
        assert_eq!(found("3"), [3]);
        assert_eq!(found("a,gl"), [2]);
        assert_eq!(found("0,B"), [0, 1]);
        assert_eq!(found("b, llvmpipe"), [1, 3]);
        for (wanted, missing) in [
            ("0,4", "4"),
            ("9,1", "9"),
            ("9", "9"),
            ("0,nosuch", "nosuch"),
            ("0,", "0,"),
        ] {
            match places(&hardware, wanted) {
                Err(Error::NoAdapter { wanted, .. }) => {
                    assert_eq!(wanted.as_deref(), Some(missing))
                }
                other => panic!("{wanted}: {other:?}"),
            }
        }
    }
}
