//! Measured tunings, kept in the user's cache folder.

use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::measure;
use crate::engine::Tuning;
use crate::engine::gpu::adapter::{Adapter, Info};
use crate::error::Error;
use crate::{atomic, saved};

/// The number of samples from which on an epoch on a GPU takes longer than a submit, so that tuning shows.
pub const WORTH: u64 = 4_000_000;

/// Bytes of the file that are read: it has a few hundred for each adapter.
const LARGEST: u64 = 1 << 20;

/// A tuning, and its speed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tuned {
    /// The tuning.
    #[serde(flatten)]
    pub tuning: Tuning,
    /// The samples a second that were measured with it; `None` if nothing was.
    #[serde(default)]
    pub samples_per_second: Option<f64>,
}

impl Tuned {
    /// Returns the tuning that suits adapters of this kind.
    fn unmeasured(adapter: &Adapter) -> Self {
        Tuned {
            tuning: adapter.info().tuning(),
            samples_per_second: None,
        }
    }

    /// Returns whether it can be used, and says how fast it is. A tuning that comes from a file may hold anything.
    fn is_whole(&self) -> bool {
        let speed = self.samples_per_second;
        self.tuning.is_valid() && speed.is_some_and(|speed| speed > 0.0 && speed.is_finite())
    }
}

/// Returns the weights by which adapters share samples: their speeds if all are known, else equal ones.
pub fn weights(tuned: &[Option<Tuned>]) -> Vec<f64> {
    let speed = |tuned: &Option<Tuned>| tuned.and_then(|tuned| tuned.samples_per_second);
    let speeds: Option<Vec<f64>> = tuned.iter().map(speed).collect();
    speeds.unwrap_or_else(|| vec![1.0; tuned.len()])
}

/// Returns the tuning of an adapter for a set of `samples` samples.
///
/// A small set gets the default. A large one gets what was measured with this version of the adapter, its driver and the
/// library. If that has not been measured yet, measures it and tells `tell` in a line. If measuring fails, `tell` is told why
/// and the default serves.
pub fn tuning(adapter: &Adapter, samples: u64, tell: impl FnOnce(String)) -> Tuned {
    if samples < WORTH {
        return Tuned::unmeasured(adapter);
    }
    if let Some(tuned) = kept(adapter) {
        return tuned;
    }
    // Ranks that measure one adapter at the same time would disturb each other: the first one measures.
    let _lock = path().and_then(|path| lock(&path));
    if let Some(tuned) = kept(adapter) {
        return tuned;
    }
    let (path, key) = (path(), key(adapter.info()));
    let tuned = match measure(adapter, samples) {
        Ok(tuned) => tuned,
        // The run itself may still fit.
        Err(error) => {
            tell(format!("the tuning can't be measured: {error}"));
            return Tuned::unmeasured(adapter);
        }
    };
    let kept = path
        .ok_or_else(|| Error::Usage("there is none".to_owned()))
        .and_then(|path| keep(&path, key, tuned).map(|()| path));
    let Tuning {
        workgroup_size,
        workgroups,
        loads,
    } = tuned.tuning;
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
    tuned
}

/// Returns the tuning that was measured of an adapter before, if any.
pub fn kept(adapter: &Adapter) -> Option<Tuned> {
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
fn read(path: &Path) -> BTreeMap<String, Tuned> {
    let mut text = Vec::new();
    // What can't be read is no tuning.
    let _ = File::open(path).and_then(|file| file.take(LARGEST).read_to_end(&mut text));
    let kept: BTreeMap<String, Tuned> = serde_json::from_slice(&text).unwrap_or_default();
    kept.into_iter()
        .filter(|(_, tuned)| tuned.is_whole())
        .collect()
}

/// Waits until no other program measures, and keeps others from it until the file is dropped. `None` where that can't be had.
fn lock(path: &Path) -> Option<File> {
    fs::create_dir_all(path.parent()?).ok()?;
    let file = File::create(path.with_extension("lock")).ok()?;
    file.lock().ok()?;
    Some(file)
}

/// Adds a tuning to those that are kept. If two programs add at once, that of one is lost.
fn keep(path: &Path, key: String, tuned: Tuned) -> Result<(), Error> {
    let mut kept = read(path);
    kept.insert(key, tuned);
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
        let tuning = Tuned {
            tuning: Tuning {
                workgroup_size: 128,
                workgroups: 512,
                loads: Loads::Two,
            },
            samples_per_second: Some(1.5e9),
        };
        assert!(read(&path).is_empty());
        keep(&path, "one".to_owned(), tuning).unwrap();
        let other = Tuned {
            samples_per_second: Some(0.1),
            ..tuning
        };
        keep(&path, "other".to_owned(), other).unwrap();
        let kept = read(&path);
        assert_eq!(kept["one"], tuning);
        assert_eq!(kept["other"], other);
        let wrong = [
            ("128", "100"),
            ("512", "0"),
            ("two", "nine"),
            ("{", ""),
            ("1500000000.0", "-1"),
            ("1500000000.0", "null"),
        ];
        for (from, to) in wrong {
            keep(&path, "one".to_owned(), tuning).unwrap();
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(from), "{text}");
            fs::write(&path, text.replacen(from, to, 1)).unwrap();
            assert_eq!(read(&path).get("one"), None, "{from} {to}");
        }
    }
}
