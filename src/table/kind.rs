//! Kinds of files, told apart by their first bytes.

/// The end of an error about a file of another kind: what to do with it.
pub const READABLE: &str = "save it as CSV (gzip or zstd may compress it), Parquet or NPY";

/// Bytes that tell the kind.
pub const MAGIC: usize = 16;

/// The kind of a file by its first bytes, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FileKind {
    /// Apache Parquet.
    Parquet,
    /// NumPy's NPY.
    Npy,
    /// Anything that gzip compressed.
    Gzip,
    /// Anything that zstd compressed.
    Zstd,
    /// Anything without a magic number.
    Text,
    /// A kind that is not read, worded for use after "is".
    Foreign(&'static str),
}

impl FileKind {
    /// Returns the kind of a file that starts with these bytes.
    pub fn of(head: &[u8]) -> Self {
        // Skippable frames may precede the others.
        if matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]) {
            return FileKind::Zstd;
        }
        // A text may begin with the same letters. Another byte of a text follows then.
        let letters = |magic: &[u8]| {
            let is_text = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~');
            head.starts_with(magic) && !head.get(magic.len()).is_some_and(is_text)
        };
        let bzip2 = matches!(
            head,
            [
                b'B',
                b'Z',
                b'h',
                b'1'..=b'9',
                0x31,
                0x41,
                0x59,
                0x26,
                0x53,
                0x59,
                ..
            ]
        );
        [
            (letters(b"PAR1"), FileKind::Parquet),
            (head.starts_with(b"\x93NUMPY"), FileKind::Npy),
            (head.starts_with(b"\x1f\x8b"), FileKind::Gzip),
            (head.starts_with(b"\x28\xb5\x2f\xfd"), FileKind::Zstd),
            (
                head.starts_with(b"PK\x03\x04"),
                FileKind::Foreign("a ZIP archive, as NPZ and XLSX files are"),
            ),
            (
                letters(b"PARE"),
                FileKind::Foreign("a Parquet file that is encrypted"),
            ),
            (bzip2, FileKind::Foreign("compressed with bzip2")),
            (
                head.starts_with(b"\xfd7zXZ\0"),
                FileKind::Foreign("compressed with xz"),
            ),
            (
                letters(b"ARROW1"),
                FileKind::Foreign("an Arrow or Feather file"),
            ),
            (letters(b"FEA1"), FileKind::Foreign("a Feather file")),
            (
                head.starts_with(b"\x89HDF"),
                FileKind::Foreign("an HDF5 file"),
            ),
            (
                letters(b"SQLite format 3"),
                FileKind::Foreign("an SQLite database"),
            ),
        ]
        .into_iter()
        .find_map(|(is_kind, kind)| is_kind.then_some(kind))
        .unwrap_or(FileKind::Text)
    }

    /// Returns the kind, worded for use after "is".
    pub fn described(self) -> &'static str {
        match self {
            FileKind::Parquet => "a Parquet file",
            FileKind::Npy => "an NPY file",
            FileKind::Gzip => "compressed with gzip",
            FileKind::Zstd => "compressed with zstd",
            FileKind::Text => "a text file",
            FileKind::Foreign(what) => what,
        }
    }
}
