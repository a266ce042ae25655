"""Queries files that pyarrow writes, in every shape that S3 Select reads, and compares the answers with what pyarrow reads."""

import datetime
import decimal
import io
import json
import random
import sys

import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import ClientError, EventStreamError
from served import served

ROWS = 20_000
SCHEMA = pa.schema([
    ("flag", pa.bool_()), ("tiny", pa.int8()), ("small", pa.int16()), ("int", pa.int32()), ("long", pa.int64()),
    ("byte", pa.uint8()), ("unsigned", pa.uint64()), ("single", pa.float32()), ("double", pa.float64()),
    ("text", pa.string()), ("word", pa.string()), ("day", pa.date32()), ("millis", pa.timestamp("ms", "UTC")),
    ("micros", pa.timestamp("us")), ("cents", pa.decimal128(9, 2)), ("much", pa.decimal128(25, 6)),
    ("numbers", pa.list_(pa.int32())), ("texts", pa.list_(pa.list_(pa.string()))),
    ("point", pa.struct([("x", pa.int32()), ("names", pa.list_(pa.string()))])),
])  # fmt: skip


def value(chance, kind):
    """A value of a type, or none."""
    if chance.random() < 0.1:
        return None
    if pa.types.is_list(kind):
        return [value(chance, kind.value_type) for _ in range(chance.randrange(4))]
    if pa.types.is_struct(kind):
        return {field.name: value(chance, field.type) for field in kind}
    if pa.types.is_boolean(kind):
        return chance.random() < 0.5
    if pa.types.is_signed_integer(kind):
        return chance.randrange(-(2 ** (kind.bit_width - 1)), 2 ** (kind.bit_width - 1))
    if pa.types.is_unsigned_integer(kind):
        return chance.randrange(2**kind.bit_width)
    if pa.types.is_floating(kind):
        return chance.randrange(-1000, 1000) / 8
    if pa.types.is_string(kind):
        return "é,\"\n"[: chance.randrange(5)] + str(chance.randrange(100_000))
    if pa.types.is_date(kind):
        return datetime.date(1900, 1, 1) + datetime.timedelta(chance.randrange(80_000))
    if pa.types.is_timestamp(kind):
        zone = datetime.timezone.utc if kind.tz else None
        unit = {"ms": 1000, "us": 1}[kind.unit]
        return datetime.datetime(1960, 1, 1, tzinfo=zone) + datetime.timedelta(
            microseconds=chance.randrange(3 * 10**15) * unit // 1000 // unit * unit
        )
    if pa.types.is_decimal(kind):
        return decimal.Decimal(chance.randrange(-(10**kind.precision) + 1, 10**kind.precision)).scaleb(-kind.scale)
    raise AssertionError(kind)


def answered(value, kind):
    """A value as an answer in JSON has it."""
    if value is None:
        return None
    if pa.types.is_list(kind):
        return [answered(one, kind.value_type) for one in value]
    if pa.types.is_struct(kind):
        return {field.name: answered(value[field.name], field.type) for field in kind}
    if pa.types.is_date(kind):
        return value.isoformat()
    if pa.types.is_timestamp(kind):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%f")[: 23 if kind.unit == "ms" else 26] + "Z"
    return value


def select(s3, query, to=None, **more):
    answer = s3.select_object_content(
        Bucket="tables", Key="table", Expression=query, ExpressionType="SQL",
        InputSerialization={"Parquet": {}}, OutputSerialization=to or {"JSON": {}}, **more,
    )  # fmt: skip
    events = list(answer["Payload"])
    assert "End" in events[-1], events[-1]
    records = b"".join(event["Records"]["Payload"] for event in events if "Records" in event)
    stats = next(event["Stats"]["Details"] for event in events if "Stats" in event)
    return records.decode(), stats


def rows(text):
    return [json.loads(line, parse_float=decimal.Decimal) for line in text.splitlines()]


def put(s3, table, **how):
    body = io.BytesIO()
    pq.write_table(table, body, **how)
    s3.put_object(Bucket="tables", Key="table", Body=body.getvalue())
    return body.getvalue()


SHAPES = [
    {"compression": "none", "use_dictionary": False},
    {"compression": "snappy"},
    {"compression": "gzip", "row_group_size": 3000, "data_page_size": 2000},
    {"compression": "snappy", "data_page_version": "2.0", "data_page_size": 5000},
    {"compression": "gzip", "data_page_version": "2.0", "use_dictionary": False, "store_schema": False},
    {"compression": "none", "version": "1.0", "row_group_size": 1},
    {"use_dictionary": False, "column_encoding": {
        "int": "DELTA_BINARY_PACKED", "long": "DELTA_BINARY_PACKED", "text": "DELTA_BYTE_ARRAY",
        "word": "DELTA_LENGTH_BYTE_ARRAY", "double": "BYTE_STREAM_SPLIT"}},
]  # fmt: skip


def check_shapes(s3, table):
    for shape in SHAPES:
        part = table.slice(0, 300) if shape.get("row_group_size") == 1 else table
        body = put(s3, part, **shape)
        # What version 1.0 lacks of types is written as others.
        known = pq.read_table(io.BytesIO(body)) if shape.get("version") == "1.0" else part
        expected = [
            {field.name: answered(row[field.name], field.type) for field in known.schema} for row in known.to_pylist()
        ]
        records, stats = select(s3, "SELECT * FROM S3Object")
        assert rows(records) == expected, shape
        assert stats["BytesReturned"] == len(records.encode())
        assert stats["BytesScanned"] <= len(body) + 65536 and stats["BytesProcessed"] > 0
        query = "SELECT s.word AS w, s.point.x, s.numbers[0] AS n FROM S3Object s WHERE s.flag AND s.\"int\" > 0"
        found = [
            (row["word"], (row["point"] or {}).get("x"), (row["numbers"] or [None])[0])
            for row in known.to_pylist() if row["flag"] and (row["int"] or 0) > 0
        ]  # fmt: skip
        some, few = select(s3, query)
        assert [(row.get("w"), row.get("x"), row.get("n")) for row in rows(some)] == found, shape
        if part is table and shape.get("row_group_size") is None:
            assert few["BytesScanned"] < stats["BytesScanned"], (few, stats)
        count, _ = select(s3, 'SELECT COUNT(*), SUM(s.tiny), MIN(s."day"), MAX(s.micros) FROM S3Object s', {"CSV": {}})
        all_of = {name: [row[name] for row in known.to_pylist() if row[name] is not None] for name in SCHEMA.names}
        assert count.split(",")[:3] == [str(len(part)), str(sum(all_of["tiny"])), str(min(all_of["day"]))], count
        print(f"{len(part)} rows as {shape} are as they were written")


def check_ranges(s3, table):
    body = put(s3, table, row_group_size=1000)
    expected, _ = select(s3, "SELECT text FROM S3Object")
    together = ""
    for start in range(0, len(body), 100_000):
        scan = {"Start": start, "End": start + 99_999}
        together += select(s3, "SELECT text FROM S3Object", ScanRange=scan)[0]
    assert together == expected
    print("each group of rows is in one range")


def refused(s3, query="SELECT * FROM S3Object"):
    try:
        select(s3, query)
    except (ClientError, EventStreamError) as error:
        return error.response["Error"]["Code"]
    raise AssertionError(query)


def check_refusals(s3):
    numbers = pa.table({"n": [1, 2, 3], "t": ["a", "b", "c"]})
    for codec in ("zstd", "brotli", "lz4"):
        put(s3, numbers, compression=codec)
        assert refused(s3) == "ParquetUnsupportedCompressionCodec"
    put(s3, pa.table({"n": [1], "clock": [datetime.time(1, 2, 3)], "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int32()))}))
    assert refused(s3) == refused(s3, "SELECT clock FROM S3Object") == refused(s3, 'SELECT s."map" FROM S3Object s') == "UnsupportedParquetType"
    assert select(s3, "SELECT n FROM S3Object")[0] == '{"n":1}\n'
    stamps = pa.table({"at": pa.array([0, 10**18], pa.timestamp("ns"))})
    put(s3, stamps, use_deprecated_int96_timestamps=True)
    day = 2440588
    assert rows(select(s3, "SELECT * FROM S3Object")[0]) == [
        {"at": day << 64},
        {"at": (day + 10**18 // (86400 * 10**9)) << 64 | 10**18 % (86400 * 10**9)},
    ]
    assert refused(s3, 'SELECT * FROM S3Object s WHERE s."at" > 0') == "UnsupportedTypeForQuerying"
    put(s3, stamps)
    assert select(s3, 'SELECT "at" FROM S3Object LIMIT 1', {"CSV": {}})[0] == "1970-01-01T00:00:00.000000000Z\n"
    body = put(s3, numbers)
    chance = random.Random(3)
    codes = set()
    for _ in range(300):
        damaged = bytearray(body)
        damaged[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
        s3.put_object(Bucket="tables", Key="table", Body=bytes(damaged))
        try:
            select(s3, "SELECT * FROM S3Object")
        except (ClientError, EventStreamError) as error:
            codes.add(error.response["Error"]["Code"])
    known = {"ParquetParsingError", "ParquetUnsupportedCompressionCodec", "UnsupportedParquetType", "OverMaxParquetBlockSize"}
    assert codes <= known and "ParquetParsingError" in codes, codes
    print(f"what cannot be read is refused: {', '.join(sorted(codes))}")


def main():
    with served(sys.argv[1]) as (_, s3):
        s3.create_bucket(Bucket="tables")
        chance = random.Random(7)
        table = pa.table(
            {field.name: pa.array([value(chance, field.type) for _ in range(ROWS)], field.type) for field in SCHEMA},
            SCHEMA,
        )
        check_shapes(s3, table)
        check_ranges(s3, table)
        check_refusals(s3)


main()
