"""Has S3 Metadata write the tables of a bucket, and compares what PyIceberg reads with what boto3 did and lists."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/lib"))

import boto3  # noqa: E402
from fogbank_server import Cloud  # noqa: E402
from pyiceberg.table import StaticTable  # noqa: E402

KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
BUCKET = "photos"


def until(check, what, seconds=120):
    deadline = time.monotonic() + seconds
    while not (answer := check()):
        if time.monotonic() > deadline:
            sys.exit(f"{what}: not within {seconds} seconds")
        time.sleep(0.2)
    return answer


class Watched:
    """A bucket with metadata tables, and those who read them."""

    def __init__(self, binary, endpoint):
        self.binary, self.endpoint = binary, endpoint
        self.s3 = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **KEYS)
        self.tables = boto3.client("s3tables", endpoint_url=endpoint, region_name="us-east-1", **KEYS)

    def advance(self, span):
        command = [self.binary, "clock", "advance", span, "--endpoint", self.endpoint]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def configured(self):
        told = self.s3.get_bucket_metadata_configuration(Bucket=BUCKET)
        return told["GetBucketMetadataConfigurationResult"]["MetadataConfigurationResult"]

    def table(self, kind):
        told = self.configured()[f"{kind}TableConfigurationResult"]
        return told if told.get("TableArn") else None

    def rows(self, kind):
        """What PyIceberg reads, through the table's metadata and its own S3 client."""
        arn = self.table(kind)["TableArn"]
        location = self.tables.get_table(tableArn=arn)["metadataLocation"]
        properties = {
            "s3.endpoint": self.endpoint, "s3.access-key-id": "test", "s3.secret-access-key": "test",
            "s3.region": "us-east-1",
        }  # fmt: skip
        return StaticTable.from_metadata(location, properties).scan().to_arrow().to_pylist()


def change(watched):
    """Changes of every kind; returns what the journal must say of them in their order."""
    s3 = watched.s3
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    tags = {"TagSet": [{"Key": "team", "Value": "blue"}]}
    first = s3.put_object(Bucket=BUCKET, Key="é/1", Body=b"hello", Metadata={"of": "me"})["VersionId"]
    s3.put_object_tagging(Bucket=BUCKET, Key="é/1", Tagging=tags)
    copied = s3.copy_object(Bucket=BUCKET, Key="2", CopySource={"Bucket": BUCKET, "Key": "é/1"})["VersionId"]
    marker = s3.delete_object(Bucket=BUCKET, Key="é/1")["VersionId"]
    s3.delete_object(Bucket=BUCKET, Key="é/1", VersionId=first)
    s3.put_object_annotation(Bucket=BUCKET, Key="2", AnnotationName="note", AnnotationPayload=b"a text")
    return [
        ("CREATE", "é/1", first, False, 5), ("UPDATE_METADATA", "é/1", first, False, 5),
        ("CREATE", "2", copied, False, 5), ("DELETE", "é/1", marker, True, 0), ("DELETE", "é/1", first, None, None),
        ("CREATE_ANNOTATION", "2", copied, False, 5),
    ]  # fmt: skip


def check_journal(watched):
    expected = change(watched)
    watched.advance("1m")
    until(lambda: len(watched.rows("Journal")) == len(expected), "records in the journal")
    rows = sorted(watched.rows("Journal"), key=lambda row: row["sequence_number"])
    columns = ("record_type", "key", "version_id", "is_delete_marker", "size")
    assert [tuple(row[name] for name in columns) for row in rows] == expected, rows
    assert all(row["bucket"] == BUCKET and row["requester"] == "000000000000" for row in rows)
    assert dict(rows[0]["user_metadata"]) == {"of": "me"} and rows[0]["object_tags"] == []
    assert dict(rows[1]["object_tags"]) == {"team": "blue"}
    assert rows[0]["e_tag"] == "5d41402abc4b2a76b9719d911017c592"
    assert (rows[0]["storage_class"], rows[0]["encryption_status"]) == ("STANDARD", "SSE-S3")
    assert rows[0]["checksum_algorithm"] == "CRC32" and rows[0]["source_ip_address"] == "127.0.0.1"
    assert rows[5]["annotation"] == {"name": "note"}
    joined = {row["object_join_key"] for row in rows if row["version_id"] == expected[0][2]}
    assert len(joined) == 1, joined
    # Many come at once, each once.
    for number in range(1000):
        watched.s3.put_object(Bucket=BUCKET, Key=f"many/{number:04}", Body=b"x")
    watched.advance("1m")
    until(lambda: len(watched.rows("Journal")) == len(expected) + 1000, "a thousand records")
    keys = [row["key"] for row in watched.rows("Journal") if row["key"].startswith("many/")]
    assert sorted(keys) == [f"many/{number:04}" for number in range(1000)]
    print(f"{len(expected) + 1000} records are as they were made")


def check_inventory(watched):
    """Lets the inventory be written, changes some of what it shows, and compares it with the listing each time."""

    def listed():
        rows = set()
        for page in watched.s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET):
            for row in page.get("Versions", []) + page.get("DeleteMarkers", []):
                rows.add((row["Key"], row["VersionId"], "Size" not in row))
        return rows

    def shown():
        rows = watched.rows("Inventory")
        found = {(row["key"], row["version_id"], row["is_delete_marker"]) for row in rows}
        assert len(found) == len(rows), "a version is shown twice"
        return found

    given = {"ConfigurationState": "ENABLED"}
    watched.s3.update_bucket_metadata_inventory_table_configuration(
        Bucket=BUCKET, InventoryTableConfiguration=given
    )
    until(lambda: (watched.table("Inventory") or {}).get("TableStatus") == "ACTIVE", "a whole inventory")
    assert shown() == listed()
    watched.s3.put_object(Bucket=BUCKET, Key="many/0007", Body=b"y")
    watched.s3.delete_object(Bucket=BUCKET, Key="many/0008")
    watched.advance("1m")
    time.sleep(3)
    watched.advance("1h")
    until(lambda: shown() == listed(), "an inventory that follows")
    print(f"{len(listed())} versions are as they are listed")


def main():
    server = Cloud(sys.argv[1], Path(tempfile.mkdtemp(prefix="metadata-")), "--ephemeral")
    server.start()
    try:
        watched = Watched(sys.argv[1], server.endpoint)
        watched.s3.create_bucket(Bucket=BUCKET)
        journal = {"RecordExpiration": {"Expiration": "DISABLED"}}
        given = {"JournalTableConfiguration": journal}
        watched.s3.create_bucket_metadata_configuration(Bucket=BUCKET, MetadataConfiguration=given)
        until(lambda: watched.table("Journal"), "a journal")
        check_journal(watched)
        check_inventory(watched)
    finally:
        server.stop()


main()
