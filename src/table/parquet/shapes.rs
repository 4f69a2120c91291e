//! The structs of Parquet that the parquet crate reads, with the numbers of their fields.
//!
//! From <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>. Fields that the crate skips
//! are left out: it takes them for what the file says they are.

use self::Shape::{Bool, Byte, Bytes, Double, Integer, List, Struct};

/// What the parquet crate takes a value for, whatever the file says it is.
pub enum Shape {
    Bool,
    Byte,
    /// An integer of 16, 32 or 64 bits. All are written alike.
    Integer,
    Double,
    Bytes,
    List(&'static Shape),
    Struct(Fields),
}

/// The fields of a struct: their numbers and shapes.
pub type Fields = &'static [(i64, Shape)];

/// The footer.
pub const FILE: Fields = &[
    (1, Integer),
    (2, List(&Struct(COLUMN))),
    (3, Integer),
    (4, List(&Struct(ROW_GROUP))),
    (5, List(&Struct(&[(1, Bytes), (2, Bytes)]))),
    (6, Bytes),
    (7, List(&Struct(&[(1, EMPTY), (2, EMPTY), (3, EMPTY)]))),
];

/// The header of a page.
pub const PAGE: Fields = &[
    (1, Integer),
    (2, Integer),
    (3, Integer),
    (4, Integer),
    (
        5,
        Struct(&[(1, Integer), (2, Integer), (3, Integer), (4, Integer)]),
    ),
    (6, EMPTY),
    (7, Struct(&[(1, Integer), (2, Integer), (3, Bool)])),
    (
        8,
        Struct(&[
            (1, Integer),
            (2, Integer),
            (3, Integer),
            (4, Integer),
            (5, Integer),
            (6, Integer),
            (7, Bool),
        ]),
    ),
];

const EMPTY: Shape = Struct(&[]);

/// An element of the schema.
const COLUMN: Fields = &[
    (1, Integer),
    (2, Integer),
    (3, Integer),
    (4, Bytes),
    (5, Integer),
    (6, Integer),
    (7, Integer),
    (8, Integer),
    (9, Integer),
    (10, Struct(LOGICAL_TYPE)),
];

const LOGICAL_TYPE: Fields = &[
    (1, EMPTY),
    (2, EMPTY),
    (3, EMPTY),
    (4, EMPTY),
    (5, Struct(&[(1, Integer), (2, Integer)])),
    (6, EMPTY),
    (7, TIME),
    (8, TIME),
    (10, Struct(&[(1, Byte), (2, Bool)])),
    (11, EMPTY),
    (12, EMPTY),
    (13, EMPTY),
    (14, EMPTY),
    (15, EMPTY),
    (16, Struct(&[(1, Byte)])),
    (17, Struct(&[(1, Bytes)])),
    (18, Struct(&[(1, Bytes), (2, Integer)])),
    (19, EMPTY),
];

/// A time of day or a timestamp, in a unit.
const TIME: Shape = Struct(&[
    (1, Bool),
    (2, Struct(&[(1, EMPTY), (2, EMPTY), (3, EMPTY)])),
]);

const ROW_GROUP: Fields = &[
    (1, List(&Struct(CHUNK))),
    (2, Integer),
    (3, Integer),
    (4, List(&Struct(&[(1, Integer), (2, Bool), (3, Bool)]))),
    (5, Integer),
    (7, Integer),
];

/// A column in a row group.
const CHUNK: Fields = &[
    (1, Bytes),
    (2, Integer),
    (3, Struct(CHUNK_METADATA)),
    (4, Integer),
    (5, Integer),
    (6, Integer),
    (7, Integer),
];

const CHUNK_METADATA: Fields = &[
    (1, Integer),
    (2, List(&Integer)),
    (4, Integer),
    (5, Integer),
    (6, Integer),
    (7, Integer),
    (9, Integer),
    (10, Integer),
    (11, Integer),
    (12, Struct(STATISTICS)),
    (
        13,
        List(&Struct(&[(1, Integer), (2, Integer), (3, Integer)])),
    ),
    (14, Integer),
    (15, Integer),
    (
        16,
        Struct(&[(1, Integer), (2, List(&Integer)), (3, List(&Integer))]),
    ),
    (17, Struct(&[(1, Struct(BOX)), (2, List(&Integer))])),
];

const STATISTICS: Fields = &[
    (1, Bytes),
    (2, Bytes),
    (3, Integer),
    (4, Integer),
    (5, Bytes),
    (6, Bytes),
    (7, Bool),
    (8, Bool),
    (9, Integer),
];

const BOX: Fields = &[
    (1, Double),
    (2, Double),
    (3, Double),
    (4, Double),
    (5, Double),
    (6, Double),
    (7, Double),
    (8, Double),
];
