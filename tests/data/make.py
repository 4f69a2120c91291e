#!/usr/bin/env python3
"""Writes parquet/*.parquet and npy/*.npy beside itself, as PyArrow and NumPy write them, and columns.json: the
numbers that they hold, each the f64 nearest to what was put in, null where there is none. Run by hand:

    python3 tests/data/make.py
"""

import datetime
import decimal
import fractions
import json
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).parent
EPOCH = datetime.datetime(1970, 1, 1)
BIG = 2**53 + 1
expected = {}


def nearest(value, divisor=1):
    """The f64 nearest to an exact number, or none."""
    return None if value is None else float(fractions.Fraction(value) / divisor)


def parquet(name, columns, numbers, **options):
    """Writes columns of PyArrow arrays, and notes what numbers some of them are."""
    pq.write_table(pa.table(columns), HERE / "parquet" / f"{name}.parquet", **options)
    expected[f"parquet/{name}.parquet"] = numbers


def integers(bits, signed):
    least = -(2 ** (bits - 1)) if signed else 0
    most = least + 2**bits - 1
    return [least, most, None, 0, 1, min(most, 2**24 + 1), min(most, BIG)]


def types():
    columns, numbers = {}, {}

    def add(name, values, kind, divisor=1, exact=None):
        columns[name] = pa.array(values, kind)
        numbers[name] = [nearest(value, divisor) for value in exact or values]

    for bits in [8, 16, 32, 64]:
        add(f"int{bits}", integers(bits, True), getattr(pa, f"int{bits}")())
        add(f"uint{bits}", integers(bits, False), getattr(pa, f"uint{bits}")())
    for name, kind in [("half", np.float16), ("float", np.float32), ("double", np.float64)]:
        values = [kind(value) for value in [0.1, -2.5, 0, 1 / 3, np.finfo(kind).tiny, 60000.0]]
        exact = [float(value) for value in values] + [None]
        add(name, values + [None], pa.from_numpy_dtype(kind), exact=exact)
    add("bool", [True, False, None, True, True, False, False], pa.bool_())

    for unit, divisor in [("ms", 10**3), ("us", 10**6), ("ns", 10**9)]:
        stamps = [0, -1, None, 1_700_000_000 * divisor + 1, 5 * divisor, -7 * divisor - 3, BIG * 7]
        add(f"timestamp_{unit}", stamps, pa.timestamp(unit), divisor)
        add(f"zoned_{unit}", stamps, pa.timestamp(unit, "Europe/Zurich"), divisor)
        times = [0, 1, None, 86_399 * divisor + 7, 5 * divisor, 3, 2]
        kind = pa.time32(unit) if unit == "ms" else pa.time64(unit)
        add(f"time_{unit}", times, kind, divisor)
    add("date", [0, -1, None, 20_000, 1, 2, 3], pa.date32())

    for precision, scale in [(5, 2), (9, 9), (18, 4), (38, 10), (38, 0), (76, 30)]:
        most = 10**precision - 1
        unscaled = [most, -most, None, 0, 1, -1, most // 3]
        with decimal.localcontext(prec=100):
            values = [
                None if value is None else decimal.Decimal(value).scaleb(-scale)
                for value in unscaled
            ]
        kind = pa.decimal256 if precision > 38 else pa.decimal128
        add(f"decimal_{precision}_{scale}", values, kind(precision, scale), 10**scale, unscaled)

    parquet("types", columns, numbers, version="2.6")
    decimals = [name for name in columns if name.startswith("decimal_")]
    parquet(
        "decimals",
        {name: columns[name] for name in decimals},
        {name: numbers[name] for name in decimals},
        store_decimal_as_integer=True,
    )
    stamps = {"ms": "timestamp_ms", "us": "timestamp_us"}
    small = {
        unit: pa.array([0, -1, None, 1_700_000_000_123, 5, -7003, 1], pa.timestamp(unit))
        for unit in stamps
    }
    parquet(
        "int96",
        small,
        {
            unit: [nearest(value.value, 10 ** (3 if unit == "ms" else 6)) for value in array]
            for unit, array in small.items()
        },
        use_deprecated_int96_timestamps=True,
    )


def encodings():
    """The same columns in several ways, with row groups of 150 rows and small pages: there are many of either."""
    count = 400
    x = [i / 8 - 20 for i in range(count)]
    y = [(7 * i * i) % 1_000_003 for i in range(count)]
    few = [[1.5, -2.25, 1e300][i % 3] for i in range(count)]
    holes = [None if i % 17 == 3 or 200 <= i < 260 else i**3 for i in range(count)]
    columns = {
        "plain": pa.array(x, pa.float64()),
        "split": pa.array(x, pa.float64()),
        "delta": pa.array(y, pa.int64()),
        "dictionary": pa.array(few, pa.float64()),
        "holes": pa.array(holes, pa.int64()),
        "dictionary_holes": pa.array([None if i % 5 == 0 else few[i] for i in range(count)]),
        "delta_holes": pa.array(holes, pa.int32()),
    }
    required = pa.schema(
        [pa.field(name, array.type, array.null_count > 0) for name, array in columns.items()]
    )
    numbers = {
        name: [None if value is None else float(value) for value in array.to_pylist()]
        for name, array in columns.items()
    }
    for name in ["none-1", "none-2", "snappy-1", "gzip-2", "zstd-1", "lz4-2", "brotli-1"]:
        codec, version = name.split("-")
        pq.write_table(
            pa.table(list(columns.values()), schema=required),
            HERE / "parquet" / f"encodings-{name}.parquet",
            compression=codec,
            data_page_version=f"{version}.0",
            row_group_size=150,
            data_page_size=256,
            write_batch_size=20,
            use_dictionary=["dictionary", "dictionary_holes"],
            column_encoding={
                "plain": "PLAIN",
                "split": "BYTE_STREAM_SPLIT",
                "delta": "DELTA_BINARY_PACKED",
                "holes": "PLAIN",
                "delta_holes": "DELTA_BINARY_PACKED",
            },
            write_page_checksum=codec == "none",
        )
    expected["encodings"] = numbers


def others():
    point = [{"a": 1.0, "b": "x"}, {"a": None, "b": "y"}, None]
    columns = {
        "name": pa.array(["one", "two", None]),
        "list": pa.array([[1.0, 2.0], [], None], pa.list_(pa.float64())),
        "point": pa.array(point, pa.struct([("a", pa.float64()), ("b", pa.string())])),
        "color": pa.array(["red", "red", "blue"]).dictionary_encode(),
        "nothing": pa.nulls(3),
        "x": pa.array([1.0, float("nan"), 3.0]),
    }
    parquet("nested", columns, {"point.a": [1.0, None, None]})
    xy = {"x": pa.array([], pa.float64()), "y": pa.array([], pa.float64())}
    parquet("empty", xy, {})


def npy(name, array, columns, version=None):
    with open(HERE / "npy" / f"{name}.npy", "wb") as file:
        np.lib.format.write_array(file, array, version)
    expected[f"npy/{name}.npy"] = columns


def arrays():
    for code in ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]:
        for order in "<>":
            dtype = np.dtype(order + code)
            if code[0] == "f":
                limits = np.finfo(dtype)
                ends = [float(limits.smallest_subnormal), float(dtype.type(0.1)), -60000.0]
            else:
                limits = np.iinfo(dtype)
                ends = [limits.min, limits.max, min(limits.max, BIG)]
            array = np.array([ends, [1, 2, 3]], dtype).T
            columns = [[nearest(int(v) if code[0] != "f" else float(v)) for v in c] for c in array.T]
            # The transpose of an array in C's order is one in Fortran's.
            name = f"{code}-{'big' if order == '>' else 'little'}"
            npy(name, np.ascontiguousarray(array) if order == "<" else array, columns)
    npy("b1", np.array([[True, False], [False, True]]), [[1.0, 0.0], [0.0, 1.0]])
    table = np.arange(12, dtype="<f4").reshape(3, 4)
    of_table = [[float(value) for value in column] for column in table.T]
    npy("wide", table, of_table)
    npy("wide-fortran", np.asfortranarray(table), of_table)
    for version in [1, 2, 3]:
        npy(f"version-{version}", table[:, :2].copy(), of_table[:2], (version, 0))
    npy("one", table[:, 0].copy(), of_table[:1])
    npy("one-column", table[:, 1:2].copy(), of_table[1:2])
    records = np.zeros(3, np.dtype([("t", "i1"), ("näme", "S3"), ("v", ">f8")], align=True))
    records["t"], records["v"] = [1, 2, -3], [0.5, 1e30, -0.0]
    npy("records", records, [[1.0, 2.0, -3.0], [0.5, 1e30, -0.0]])
    npy("words", np.array([["a", "b"], ["c", "d"]]), [])
    npy("complex", np.array([[1, 2j], [3, 4]]), [])
    npy("cube", np.zeros((2, 2, 2)), [])
    npy("scalar", np.array(1.0), [])
    npy("none", np.zeros((0, 2)), [[], []])
    npy("bad", np.array([[1, 2], [np.nan, 3], [4, np.inf], [1e39, 5], [6, 7]]), [])


(HERE / "parquet").mkdir(exist_ok=True)
(HERE / "npy").mkdir(exist_ok=True)
types()
encodings()
others()
arrays()
(HERE / "columns.json").write_text(json.dumps(expected, indent=None, ensure_ascii=False) + "\n")
