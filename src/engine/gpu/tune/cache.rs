//! Measured tunings, kept in the user's cache folder.

use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::measure;
use crate::engine::Tuning;
use crate::engine::gpu::adapter::{Adapter, Info};
use crate::error::Error;
use crate::{atomic, saved};

/// The number of samples from which on an epoch on a GPU takes longer than a submit, so that tuning shows.
pub const WORTH: u64 = 4_000_000;

/// Bytes of the file that are read: it has a few hundred for each adapter.
const LARGEST: u64 = 1 << 20;

/// Returns the tuning of an adapter for a set of `samples` samples.
///
/// A small set gets the default. A large one gets what was measured with this version of the adapter, its driver and the
/// library. If that has not been measured yet, measures it and tells `tell` in a line. If measuring fails, `tell` is told why
/// and the default serves.
pub fn tuning(adapter: &Adapter, samples: u64, tell: impl FnOnce(String)) -> Tuning {
    if samples < WORTH {
        return adapter.info().tuning();
    }
    if let Some(tuning) = kept(adapter) {
        return tuning;
    }
    let (path, key) = (path(), key(adapter.info()));
    let tuning = match measure(adapter, samples) {
        Ok(tuning) => tuning,
        // The run itself may still fit.
        Err(error) => {
            tell(format!("the tuning can't be measured: {error}"));
            return adapter.info().tuning();
        }
    };
    let kept = path
        .ok_or_else(|| Error::Usage("there is none".to_owned()))
        .and_then(|path| keep(&path, key, tuning).map(|()| path));
    let Tuning {
        workgroup_size,
        workgroups,
        loads,
    } = tuning;
    let kept = match kept {
        Ok(path) => format!("kept in {}", path.display()),
        Err(error) => format!("not kept in your cache folder: {error}"),
    };
    tell(format!(
        "measured the best tuning for {}, {}: up to {workgroups} workgroups of {workgroup_size}, {} loads of x and of \
         y under way; {kept}",
        adapter.info().name,
        adapter.info().backend,
        loads.count()
    ));
    tuning
}

/// Returns the tuning that was measured of an adapter before, if any.
pub fn kept(adapter: &Adapter) -> Option<Tuning> {
    read(&path()?).remove(&key(adapter.info()))
}

/// Returns the file that tunings are kept in.
fn path() -> Option<PathBuf> {
    dirs::cache_dir().map(|folder| folder.join("fall-line").join("tuning.json"))
}

/// Returns the key of a tuning: all that it depends on.
fn key(info: &Info) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "{}, {}, {}, fall-line {version}",
        info.name, info.backend, info.driver
    )
}

/// Reads the tunings that are kept: none if there is no file, or if this version can't read it.
fn read(path: &Path) -> BTreeMap<String, Tuning> {
    let mut text = Vec::new();
    // What can't be read is no tuning.
    let _ = File::open(path).and_then(|file| file.take(LARGEST).read_to_end(&mut text));
    let kept: BTreeMap<String, Tuning> = serde_json::from_slice(&text).unwrap_or_default();
    kept.into_iter()
        .filter(|(_, tuning)| tuning.is_valid())
        .collect()
}

/// Adds a tuning to those that are kept. If two programs add at once, that of one is lost.
fn keep(path: &Path, key: String, tuning: Tuning) -> Result<(), Error> {
    let mut kept = read(path);
    kept.insert(key, tuning);
    let folder: PathBuf = path.parent().map(Path::to_owned).unwrap_or_default();
    fs::create_dir_all(&folder).map_err(|source| Error::Io {
        doing: format!("cannot create {}", folder.display()),
        source,
    })?;
    atomic::check_writable(path)?;
    saved::write(path, &kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Loads;

    #[test]
    fn valid_tunings_are_read_and_invalid_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below").join("tuning.json");
        let tuning = Tuning {
            workgroup_size: 128,
            workgroups: 512,
            loads: Loads::Two,
        };
        assert!(read(&path).is_empty());
        keep(&path, "one".to_owned(), tuning).unwrap();
        let other = Tuning {
            workgroups: 32,
            ..tuning
        };
        keep(&path, "other".to_owned(), other).unwrap();
        let kept = read(&path);
        assert_eq!(kept["one"], tuning);
        assert_eq!(kept["other"], other);
        for (from, to) in [("128", "100"), ("512", "0"), ("two", "nine"), ("{", "")] {
            keep(&path, "one".to_owned(), tuning).unwrap();
            let text = fs::read_to_string(&path).unwrap().replacen(from, to, 1);
            fs::write(&path, text).unwrap();
            assert_eq!(read(&path).get("one"), None, "{from} {to}");
        }
    }
}
