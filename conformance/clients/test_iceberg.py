"""Iceberg tables that the crate `iceberg` writes, read by PyIceberg; their manifests by fastavro.

The tables are written by an example of the crate, which `cargo test` builds beside the binary.
"""

import datetime
import decimal
import json
import os
import pathlib
import subprocess

import fastavro
import pyarrow
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import StaticTable
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import StringType

# Beside the binary, as cargo has it.
EXAMPLE = pathlib.Path(os.environ.get("FOGBANK_BIN", "target/debug/fogbank")).parent / "examples" / "iceberg_table"
DAY = datetime.datetime(2026, 11, 21, tzinfo=datetime.timezone.utc)


@pytest.fixture(scope="module")
def commits(tmp_path_factory):
    """The commits of each table: its metadata file, its snapshot and the ranges of numbers that are its rows."""
    if not EXAMPLE.exists():
        pytest.skip(f"there is no {EXAMPLE}")
    folder = tmp_path_factory.mktemp("iceberg")
    said = subprocess.run([EXAMPLE, folder], check=True, capture_output=True, text=True).stdout
    commits = {"whole": [], "split": []}
    for line in said.splitlines():
        commit = json.loads(line)
        commits["split" if "/split/" in commit["metadata"] else "whole"].append(commit)
    return commits


def row(number):
    """What the example writes as the row of a number."""
    tags = [(f"k{each}", f"v{number}") for each in range(number % 3)]
    moment = DAY + datetime.timedelta(microseconds=number * 1_000_001)
    values = {
        "size": number * 1_000_000_007,
        "part": number,
        "ratio": number / 2,
        "is_new": number % 2 == 0,
        "day": DAY.date() + datetime.timedelta(days=number // 100),
        "local": moment.replace(tzinfo=None),
        "bytes": number.to_bytes(8, "big"),
        "tags": tags,
        "list": [None if each == 1 else each for each in range(number % 4)],
        "pair": {"number": number / 4, "tags": tags},
    }
    if number % 10 == 9:
        values = dict.fromkeys(values)
    return {"key": f"a longer prefix/ключ-{number:06}", **values, "at": moment}


def rows(commit):
    return [row(number) for start, end in commit["rows"] for number in range(start, end)]


def by_key(found):
    return sorted(found, key=lambda each: each["key"])


def test_every_commit_is_read_whole(commits):
    for name in ("whole", "split"):
        # The expiry at the end removed the files of the first snapshots.
        for commit in commits[name][6:]:
            table = StaticTable.from_metadata(commit["metadata"])
            assert by_key(table.scan().to_arrow().to_pylist()) == by_key(rows(commit)), commit
    assert len(commits["whole"]) == 14


def test_a_table_without_rows_is_read(commits):
    table = StaticTable.from_metadata(commits["whole"][0]["metadata"])
    assert table.current_snapshot() is None and table.scan().to_arrow().num_rows == 0
    assert StaticTable.from_metadata(commits["whole"][-1]["metadata"]).scan().to_arrow().num_rows == 0


def test_a_snapshot_is_read_as_the_table_was(commits):
    for name in ("whole", "split"):
        last = StaticTable.from_metadata(commits[name][-2]["metadata"])
        kept = [snapshot.snapshot_id for snapshot in last.metadata.snapshots]
        assert len(kept) == 6
        for commit in commits[name][:-2]:
            if commit["snapshot"] in kept:
                found = last.scan(snapshot_id=commit["snapshot"]).to_arrow().to_pylist()
                assert by_key(found) == by_key(rows(commit))
        assert last.current_snapshot().summary["total-records"] == str(len(rows(commits[name][-2])))


@pytest.mark.parametrize("name", ["whole", "split"])
def test_filters_skip_files_by_their_bounds(commits, name):
    commit = commits[name][10]
    table = StaticTable.from_metadata(commit["metadata"])
    assert len(list(table.scan().plan_files())) == 10
    cases = [
        ("part >= 950", 1, lambda each: each["part"] is not None and each["part"] >= 950),
        ("size < 100000000700", 1, lambda each: each["size"] is not None and each["size"] < 100_000_000_700),
        ("key > 'b'", 0, lambda each: False),
        ("key = 'a longer prefix/ключ-000423'", 10, lambda each: each["key"].endswith("000423")),
        ("at >= '2026-11-21T00:15:00+00:00'", 1, lambda each: each["at"] >= DAY + datetime.timedelta(minutes=15)),
        ("day = '2026-11-23'", 1, lambda each: each["day"] == datetime.date(2026, 11, 23)),
        ("ratio > 480.0", 1, lambda each: each["ratio"] is not None and each["ratio"] > 480),
        ("bytes is null", 10, lambda each: each["bytes"] is None),
        ("key is null", 0, lambda each: False),
    ]
    for expression, files, keep in cases:
        scan = table.scan(row_filter=expression)
        planned = len(list(scan.plan_files()))
        assert planned == files, (expression, planned)
        expected = [each for each in rows(commit) if keep(each)]
        assert by_key(scan.to_arrow().to_pylist()) == by_key(expected), expression
    if name == "split":
        assert list(table.scan(row_filter="at < '2026-11-20T00:00:00+00:00'").plan_files()) == []


def test_inspection_shows_what_manifests_say(commits):
    table = StaticTable.from_metadata(commits["whole"][-2]["metadata"])
    files = {each["file_path"].rsplit("/", 1)[1]: each for each in table.inspect.files().to_pylist()}
    assert files["300-350.parquet"]["record_count"] == 50
    assert "700-800.parquet" not in files and len(files) == 9
    metrics = files["0-100.parquet"]["readable_metrics"]["part"]
    assert (metrics["lower_bound"], metrics["upper_bound"]) == (0, 98)
    assert (metrics["value_count"], metrics["null_value_count"]) == (100, 10)
    entries = table.inspect.entries().to_pylist()
    assert sorted(entry["status"] for entry in entries).count(2) == 2
    operations = [each["operation"] for each in table.inspect.snapshots().to_pylist()]
    assert operations == ["append"] * 5 + ["overwrite"]


def test_fastavro_reads_manifests(commits):
    metadata = json.loads(pathlib.Path(commits["split"][-2]["metadata"].removeprefix("file://")).read_text())
    lists = {snapshot["snapshot-id"]: snapshot["manifest-list"] for snapshot in metadata["snapshots"]}
    with open(lists[metadata["current-snapshot-id"]].removeprefix("file://"), "rb") as file:
        manifests = list(fastavro.reader(file))
    seen = []
    for manifest in manifests:
        with open(manifest["manifest_path"].removeprefix("file://"), "rb") as file:
            reader = fastavro.reader(file)
            assert reader.metadata["content"] == "data"
            seen += [entry["data_file"] for entry in reader if entry["status"] != 2]
    assert len(seen) == 9
    assert {str(each["partition"]["at_x20day"]) for each in seen} == {"2026-11-21"}


def test_a_table_that_pyiceberg_wrote_is_changed(tmp_path):
    catalog = SqlCatalog("local", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=f"file://{tmp_path}")
    catalog.create_namespace("n")
    schema = pyarrow.schema([
        pyarrow.field("name", pyarrow.string()),
        pyarrow.field("letter", pyarrow.string()),
        pyarrow.field("day", pyarrow.date32()),
        pyarrow.field("price", pyarrow.decimal128(9, 2)),
        pyarrow.field("at", pyarrow.timestamp("us", tz="UTC")),
        pyarrow.field("tags", pyarrow.map_(pyarrow.string(), pyarrow.string())),
        pyarrow.field("number", pyarrow.int64()),
    ])
    table = catalog.create_table("n.t", schema=schema, properties={"write.metadata.compression-codec": "gzip"})
    with table.update_spec() as spec:
        spec.add_field("day", IdentityTransform(), "1st day")
        spec.add_field("price", IdentityTransform(), "price")
        spec.add_field("letter", IdentityTransform(), "initial letter")

    def batch(numbers):
        return pyarrow.Table.from_pylist(
            [
                {
                    "name": f"row {number}",
                    "letter": "ab"[number % 2],
                    "day": None if number % 7 == 0 else DAY.date() - datetime.timedelta(days=number // 20),
                    "price": None if number % 3 == 0 else decimal.Decimal(number % 5 - 2) / 4,
                    "at": DAY + datetime.timedelta(hours=number),
                    "tags": [("k", str(number))],
                    "number": number,
                }
                for number in numbers
            ],
            schema=schema,
        )

    for start in range(0, 40, 10):
        table.append(batch(range(start, start + 10)))
    table.delete("number = 13")
    with table.update_schema() as update:
        update.add_column("more", StringType())
    planned = {task.file.file_path: task.file for task in table.scan().plan_files()}
    said = subprocess.run([EXAMPLE, table.metadata_location], check=True, capture_output=True, text=True).stdout
    said = json.loads(said)
    assert said["files"] == len(planned)
    removed = planned[said["removed"]]
    # The removed file is gone itself, since no snapshot has it any more.
    assert not pathlib.Path(said["removed"].removeprefix("file://")).exists()
    changed = catalog.register_table("n.changed", said["metadata"])
    numbers = {row["number"] for row in changed.scan().to_arrow().to_pylist()}
    assert len(numbers) == 39 - removed.record_count and 13 not in numbers
    assert len(changed.metadata.snapshots) == 1
    changed.append(pyarrow.Table.from_pylist([{"number": 99, "name": "z"}], schema=changed.schema().as_arrow()))
    assert changed.scan(row_filter="number = 99").to_arrow()["name"].to_pylist() == ["z"]
    assert {row["number"] for row in changed.scan().to_arrow().to_pylist()} == numbers | {99}
