"""Has an inventory of many objects written as Parquet, and compares what pyarrow reads with what boto3 lists."""

import hashlib
import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/lib"))

import boto3  # noqa: E402
import pyarrow.parquet  # noqa: E402
from fogbank_server import Cloud  # noqa: E402

FIELDS = ["Size", "LastModifiedDate", "ETag", "StorageClass", "IsMultipartUploaded", "EncryptionStatus"]
TYPES = {
    "bucket": "string", "key": "string", "version_id": "string", "is_latest": "bool", "is_delete_marker": "bool",
    "size": "int64", "last_modified_date": "timestamp[ms, tz=UTC]", "e_tag": "string", "storage_class": "string",
    "is_multipart_uploaded": "bool", "encryption_status": "string",
}  # fmt: skip


def configure(s3):
    s3.create_bucket(Bucket="photos")
    s3.create_bucket(Bucket="lists")
    s3.put_bucket_versioning(Bucket="photos", VersioningConfiguration={"Status": "Enabled"})
    allow = {
        "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::lists/*",
    }  # fmt: skip
    s3.put_bucket_policy(Bucket="lists", Policy=json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
    s3.put_bucket_inventory_configuration(Bucket="photos", Id="all", InventoryConfiguration={
        "Id": "all", "IsEnabled": True, "IncludedObjectVersions": "All", "Schedule": {"Frequency": "Daily"},
        "Destination": {"S3BucketDestination": {"Bucket": "arn:aws:s3:::lists", "Format": "Parquet"}},
        "OptionalFields": FIELDS,
    })  # fmt: skip


def report(s3):
    """The manifest, once it is there."""
    for _ in range(300):
        keys = [row["Key"] for row in s3.list_objects_v2(Bucket="lists").get("Contents", [])]
        if any(key.endswith("manifest.checksum") for key in keys):
            key = next(key for key in keys if key.endswith("manifest.json"))
            return json.load(s3.get_object(Bucket="lists", Key=key)["Body"])
        time.sleep(0.2)
    sys.exit("there is no report")


def main():
    server = Cloud(sys.argv[1], Path(tempfile.mkdtemp(prefix="parquet-")), "--ephemeral")
    server.start()
    try:
        s3 = boto3.client("s3", endpoint_url=server.endpoint, region_name="us-east-1",
                          aws_access_key_id="test", aws_secret_access_key="test")  # fmt: skip
        configure(s3)
        for number in range(500):
            s3.put_object(Bucket="photos", Key=f"é {number:03}", Body=b"x" * number)
        s3.delete_object(Bucket="photos", Key="é 007")
        command = [sys.argv[1], "clock", "advance", "25h", "--endpoint", server.endpoint]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        manifest = report(s3)
        assert manifest["fileFormat"] == "Parquet", manifest
        rows = []
        for file in manifest["files"]:
            body = s3.get_object(Bucket="lists", Key=file["key"])["Body"].read()
            assert (len(body), hashlib.md5(body).hexdigest()) == (file["size"], file["MD5checksum"])
            table = pyarrow.parquet.read_table(io.BytesIO(body))
            assert {field.name: str(field.type) for field in table.schema} == TYPES, table.schema
            rows += table.to_pylist()
        versions = {}
        for page in s3.get_paginator("list_object_versions").paginate(Bucket="photos"):
            for row in page.get("Versions", []) + page.get("DeleteMarkers", []):
                versions[row["VersionId"]] = row
        assert len(rows) == len(versions) == 501
        for row in rows:
            listed = versions[row["version_id"]]
            assert (row["bucket"], row["key"]) == ("photos", listed["Key"])
            assert row["is_latest"] == listed["IsLatest"]
            assert row["last_modified_date"].timestamp() // 1 == listed["LastModified"].timestamp() // 1
            assert row["is_delete_marker"] == ("Size" not in listed)
            if not row["is_delete_marker"]:
                shown = (row["size"], f'"{row["e_tag"]}"', row["storage_class"], row["encryption_status"])
                assert shown == (listed["Size"], listed["ETag"], "STANDARD", "SSE-S3")
        print(f"{len(rows)} versions are as they are listed")
    finally:
        server.stop()


main()
