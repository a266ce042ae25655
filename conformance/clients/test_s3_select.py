"""S3 Select as boto3 meets it."""

import base64
import bz2
import gzip
import json

import pytest
from botocore.exceptions import EventStreamError
from support import refused


@pytest.fixture
def s3(root):
    return root.client("s3")


@pytest.fixture
def bucket(root, s3):
    name = f"select-{root.account}"
    s3.create_bucket(Bucket=name)
    return name


PEOPLE = "name,age,city\r\nAnn,31,\"Oslo\tN\"\r\nBob,9,Rome\r\n"


@pytest.fixture
def select(s3, bucket):
    """Queries an object: the records as text, and all events."""

    def select(body, expression, source=None, to=None, **more):
        s3.put_object(Bucket=bucket, Key="object", Body=body)
        answer = s3.select_object_content(
            Bucket=bucket,
            Key="object",
            Expression=expression,
            ExpressionType="SQL",
            InputSerialization=source or {"CSV": {"FileHeaderInfo": "USE", "RecordDelimiter": "\r\n"}},
            OutputSerialization=to or {"JSON": {"RecordDelimiter": "\n"}},
            **more,
        )
        events = list(answer["Payload"])
        records = b"".join(event["Records"]["Payload"] for event in events if "Records" in event)
        return records.decode(), events

    return select


def test_csv_becomes_json_and_csv(select):
    records, events = select(PEOPLE, "SELECT s.name, CAST(s.age AS INT) AS age, s.city FROM S3Object s")
    rows = [json.loads(line) for line in records.splitlines()]
    assert rows == [
        {"name": "Ann", "age": 31, "city": "Oslo\tN"},
        {"name": "Bob", "age": 9, "city": "Rome"},
    ]
    assert [list(event) for event in events] == [["Records"], ["Stats"], ["End"]]
    details = events[1]["Stats"]["Details"]
    assert details == {
        "BytesScanned": len(PEOPLE), "BytesProcessed": len(PEOPLE), "BytesReturned": len(records),
    }  # fmt: skip
    form = {"CSV": {"FieldDelimiter": "\t", "RecordDelimiter": "\n\n", "QuoteCharacter": "'", "QuoteFields": "ASNEEDED"}}
    assert select(PEOPLE, "SELECT name, city FROM S3Object", to=form)[0] == "Ann\t'Oslo\tN'\n\nBob\tRome\n\n"


def test_compressed_objects(select):
    rows = "".join(f"{row},{'x' * (row % 50)}\n" for row in range(200_000))
    query = "SELECT COUNT(*), SUM(CAST(_1 AS INT)), MAX(CHAR_LENGTH(_2)) FROM S3Object"
    for kind, packed in (("GZIP", gzip.compress(rows.encode())), ("BZIP2", bz2.compress(rows.encode()))):
        source = {"CSV": {}, "CompressionType": kind}
        progress = {"Enabled": True}
        records, events = select(packed, query, source, {"CSV": {}}, RequestProgress=progress)
        assert records == f"200000,{sum(range(200_000))},49\n"
        stats = next(event["Stats"]["Details"] for event in events if "Stats" in event)
        assert (stats["BytesScanned"], stats["BytesProcessed"]) == (len(packed), len(rows))
        assert any("Progress" in event for event in events)
        with pytest.raises(EventStreamError) as late:
            select(packed[:-30], query, source)
        assert late.value.response["Error"]["Code"] == "TruncatedInput"


def test_documents_and_lines_of_json(select):
    document = {"people": [{"name": "Ann", "langs": ["no", "en"]}, {"name": "Bob"}], "n": 1.5}
    source = {"JSON": {"Type": "DOCUMENT"}}
    query = "SELECT p.name, p.langs[1] AS lang FROM S3Object[*].people[*] p"
    records, _ = select(json.dumps(document, indent=1), query, source)
    assert records == '{"name":"Ann","lang":"en"}\n{"name":"Bob"}\n'
    lines = "".join(json.dumps({"id": row, "even": row % 2 == 0}) + "\n" for row in range(1000))
    source = {"JSON": {"Type": "LINES"}}
    assert select(lines, "SELECT COUNT(*) FROM S3Object s WHERE s.even", source, {"CSV": {}})[0] == "500\n"
    parts = [
        select(lines, "SELECT s.id FROM S3Object s", source, {"CSV": {}}, ScanRange=range)[0]
        for range in ({"Start": 0, "End": 9999}, {"Start": 10_000})
    ]
    assert "".join(parts) == "".join(f"{row}\n" for row in range(1000))


def test_errors_before_and_in_the_stream(select, s3, bucket):
    for query, code in {
        "SELECT * FROM S3Object s WHERE s.\"Name\" = 'x'": "MissingHeaders",
        "SELECT * FROM S3Object s WHERE s.'odd' = 1": "ParseInvalidPathComponent",
        "SELECT * FROM S3Object s WHERE s.odd IS \"true\"": "ParseExpectedTypeName",
        "SELECT name FROM S3Object GROUP BY name": "UnsupportedSqlStructure",
        "SELECT CAST(name AS INT) FROM S3Object": "InvalidCast",
        "SELECT CAST(age AS INT) + 9223372036854775807 FROM S3Object": "IntegerOverflow",
        "SELECT nothing(age) FROM S3Object": "UnsupportedFunction",
    }.items():
        with refused(code, 400):
            select(PEOPLE, query)
    with pytest.raises(EventStreamError) as late:
        select("1\n" * 3_000_000 + "x\n", "SELECT CAST(_1 AS INT) FROM S3Object", {"CSV": {}}, {"CSV": {}})
    assert late.value.response["Error"]["Code"] == "InvalidCast"


def test_who_may_not_read_may_not_select(root, s3, bucket, select):
    select(PEOPLE, "SELECT * FROM S3Object")
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    with refused("AccessDenied", 403):
        select(PEOPLE, "SELECT * FROM S3Object")


# A table of three rows, as pyarrow 26 writes it with Snappy.
TABLE = base64.b64decode(
    "UEFSMRUAFSgVLCwVBhUAFQYVBhwAAAAUTAIAAAADAwMAAABBbm4DAAAAQm9iFQAVJBUoLBUGFQAVBhUGHAAAABJEAgAAAAYBHwAAAAkAAAAt"
    "AAAAFQAVHBUgLBUGFQAVBhUGHAAAAA40AgAAAAMFihwAAA0JAAAVABUuFTAsFQgVABUGFQYcAAAAFxgCAAAAAwIDAQYsHwABAAAAYQEAAABi"
    "FQQZfDUAGAZzY2hlbWEVCAAVDCUCGARuYW1lJQBMHAAAABUCJQIYA2FnZQAVAiUCGARib3JuJQxMbAAAADUCGAR0YWdzFQIVBkw8AAAANQQY"
    "BGxpc3QVAgAVDCUCGAdlbGVtZW50JQBMHAAAABYGGRwZTCYAHBUMGSUGABkYBG5hbWUVAhYGFk4WUiYISRwVABUAFQIAPBYMGQYZJgIEAAAA"
    "JgAcFQIZJQYAGRgDYWdlFQIWBhZKFk4mWkkcFQAVABUCADwpBhkmAAYAAAAmABwVAhklBgAZGARib3JuFQIWBhZCFkYmqAFJHBUAFQAVAgA8"
    "KQYZJgIEAAAAJgAcFQwZJQYAGTgEdGFncwRsaXN0B2VsZW1lbnQVAhYIFlQWVibuAUkcFQAVABUCADwWBBkmBgIZRgICAAQAAAAWrgIWBiYI"
    "FrwCACggcGFycXVldC1jcHAtYXJyb3cgdmVyc2lvbiAyNi4wLjEZTBwAABwAABwAABwAAAB5AQAAUEFSMQ=="
)


def test_parquet_is_read_by_its_columns(select):
    source = {"Parquet": {}}
    query = 'SELECT s.name, s.age, s.born, s.tags FROM S3Object s WHERE s.age > 10'
    records, events = select(TABLE, query, source)
    assert [json.loads(line) for line in records.splitlines()] == [
        {"name": "Ann", "age": 31, "born": "1990-01-02", "tags": ["a", "b"]},
        {"name": None, "age": 45, "born": "1976-05-06", "tags": None},
    ]
    assert [list(event) for event in events] == [["Records"], ["Stats"], ["End"]]
    assert events[1]["Stats"]["Details"]["BytesReturned"] == len(records)
    to = {"CSV": {}}
    assert select(TABLE, "SELECT COUNT(*), MAX(age), MIN(name) FROM S3Object", source, to)[0] == "3,45,Ann\n"
    assert select(TABLE, "SELECT * FROM S3Object s WHERE s.tags[1] = 'b'", source)[0].startswith('{"name":"Ann"')
    groups = {"ScanRange": {"Start": 0, "End": len(TABLE) - 1}}
    assert select(TABLE, "SELECT name FROM S3Object LIMIT 1", source, to, **groups)[0] == "Ann\n"
    assert select(TABLE, "SELECT name FROM S3Object", source, to, ScanRange={"Start": 5})[0] == ""


def test_parquet_that_cannot_be_read(select):
    source = {"Parquet": {}}
    packed = {"Parquet": {}, "CompressionType": "GZIP"}
    damaged = TABLE[:40] + b"\xff" * 40 + TABLE[80:]
    for body, query, form, code in (
        (PEOPLE, "SELECT * FROM S3Object", source, "ParquetParsingError"),
        (TABLE[:-1], "SELECT * FROM S3Object", source, "ParquetParsingError"),
        (damaged, "SELECT * FROM S3Object", source, "ParquetParsingError"),
        (TABLE, "SELECT s.none FROM S3Object s", source, "MissingHeaders"),
        (TABLE, "SELECT * FROM S3Object", packed, "InvalidRequestParameter"),
    ):
        with refused(code):
            select(body, query, form)
