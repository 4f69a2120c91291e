use std::fs::File;
use std::io::Write;

use rayon::prelude::*;

use super::*;

/// Returns sample `i`: two values that no other sample has.
fn sample(i: usize) -> (f64, f64) {
    (i as f64 + 0.1, -(i as f64) / 3.0)
}

/// Returns a store of `samples` samples, appended `at_once` at a time.
fn filled(in_memory: usize, samples: usize, at_once: usize) -> Store {
    let mut store = Store::with_memory("test".to_owned(), in_memory);
    let mut block = Block::default();
    for i in 0..samples {
        block.push(sample(i));
        if block.x.len() == at_once || i + 1 == samples {
            store.append(&block).unwrap();
            block.clear();
        }
    }
    store
}

/// Checks every block, read into a block that has other content.
fn check(store: &Store, samples: usize) {
    assert_eq!(store.samples(), samples as u64);
    let blocks = samples.div_ceil(BLOCK) as u64;
    (0..blocks).into_par_iter().for_each(|index| {
        let mut block = Block::default();
        block.push((7.0, 7.0));
        store.read(index, &mut block).unwrap();
        let range = positions(index, samples as u64);
        assert_eq!(block.x.len() as u64, range.end - range.start);
        assert_eq!(block.y.len(), block.x.len());
        for ((i, &x), &y) in range.zip(&block.x).zip(&block.y) {
            assert_eq!((x, y), sample(i as usize));
        }
    });
}

#[test]
fn samples_come_back_from_memory_and_from_the_file() {
    let several = 5 * BLOCK + 1234;
    for (in_memory, samples, at_once) in [
        (64, 1, 1),
        (64, several, 1000),
        (64, 3 * BLOCK, BLOCK),
        // All full blocks in the file; then some in memory and some in the file.
        (0, several, 1000),
        (2, several, 7),
        // Pieces of more than a block.
        (1, several, 3 * BLOCK + 17),
        (1, 4 * BLOCK, 4 * BLOCK),
    ] {
        let store = filled(in_memory, samples, at_once);
        let full = samples / BLOCK;
        assert_eq!(
            store.file.is_some(),
            full > in_memory,
            "{samples}, {in_memory}"
        );
        check(&store, samples);
    }
}

#[test]
fn an_empty_store_has_no_samples() {
    assert_eq!(Store::new(String::new()).samples(), 0);
}

/// The store's file is read-only, so it refuses writes as a full disk does.
#[test]
fn a_failed_write_is_an_error_that_names_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("read only");
    File::create(&path).unwrap().write_all(b"x").unwrap();
    let mut store = filled(0, BLOCK - 1, BLOCK);
    store.file = Some(SharedFile::new(File::open(&path).unwrap()).unwrap());
    let mut one = Block::default();
    one.push((1.0, 2.0));
    let error = store.append(&one).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("1 MB of samples"), "{text}");
    assert!(text.contains("TMPDIR"), "{text}");
    let temporary = std::env::temp_dir();
    assert!(text.contains(&temporary.display().to_string()), "{text}");
}

#[test]
fn a_truncated_file_is_an_error() {
    let mut store = filled(0, 2 * BLOCK, BLOCK);
    let short = tempfile::tempfile().unwrap();
    short.set_len(BYTES + 8).unwrap();
    store.file = Some(SharedFile::new(short).unwrap());
    store.read(0, &mut Block::default()).unwrap();
    let error = store.read(1, &mut Block::default()).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error:?}");
}
