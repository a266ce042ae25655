"""Has inventories of many objects written as Parquet and ORC, and compares what pyarrow reads with what boto3 lists."""

import hashlib
import io
import json
import subprocess
import sys
import time

import pyarrow.orc
import pyarrow.parquet
from served import served

FIELDS = ["Size", "LastModifiedDate", "ETag", "StorageClass", "IsMultipartUploaded", "EncryptionStatus"]
TYPES = {
    "bucket": "string", "key": "string", "version_id": "string", "is_latest": "bool", "is_delete_marker": "bool",
    "size": "int64", "last_modified_date": "timestamp[ms, tz=UTC]", "e_tag": "string", "storage_class": "string",
    "is_multipart_uploaded": "bool", "encryption_status": "string",
}  # fmt: skip
FORMATS = {"Parquet": pyarrow.parquet.read_table, "ORC": pyarrow.orc.read_table}


def configure(s3):
    s3.create_bucket(Bucket="photos")
    s3.create_bucket(Bucket="lists")
    s3.put_bucket_versioning(Bucket="photos", VersioningConfiguration={"Status": "Enabled"})
    allow = {
        "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::lists/*",
    }  # fmt: skip
    s3.put_bucket_policy(Bucket="lists", Policy=json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
    for form in FORMATS:
        s3.put_bucket_inventory_configuration(Bucket="photos", Id=form, InventoryConfiguration={
            "Id": form, "IsEnabled": True, "IncludedObjectVersions": "All", "Schedule": {"Frequency": "Daily"},
            "Destination": {"S3BucketDestination": {"Bucket": "arn:aws:s3:::lists", "Format": form}},
            "OptionalFields": FIELDS,
        })  # fmt: skip


def report(s3, form):
    """The manifest, once it is there."""
    for _ in range(300):
        listed = s3.list_objects_v2(Bucket="lists", Prefix=f"photos/{form}/").get("Contents", [])
        keys = [row["Key"] for row in listed]
        if any(key.endswith("manifest.checksum") for key in keys):
            key = next(key for key in keys if key.endswith("manifest.json"))
            return json.load(s3.get_object(Bucket="lists", Key=key)["Body"])
        time.sleep(0.2)
    sys.exit("there is no report")


def check(s3, form, read, versions):
    manifest = report(s3, form)
    assert manifest["fileFormat"] == form, manifest
    rows = []
    for file in manifest["files"]:
        body = s3.get_object(Bucket="lists", Key=file["key"])["Body"].read()
        assert (len(body), hashlib.md5(body).hexdigest()) == (file["size"], file["MD5checksum"])
        table = read(io.BytesIO(body))
        # ORC's points in time have no zone.
        types = TYPES if form == "Parquet" else TYPES | {"last_modified_date": "timestamp[ns]"}
        assert {field.name: str(field.type) for field in table.schema} == types, table.schema
        rows += table.cast(table.schema.set(6, pyarrow.field("last_modified_date", pyarrow.timestamp("ms", "UTC")))).to_pylist()
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
    print(f"{len(rows)} versions in {form} are as they are listed")


def main():
    with served(sys.argv[1]) as (endpoint, s3):
        configure(s3)
        for number in range(500):
            s3.put_object(Bucket="photos", Key=f"é {number:03}", Body=b"x" * number)
        s3.delete_object(Bucket="photos", Key="é 007")
        command = [sys.argv[1], "clock", "advance", "25h", "--endpoint", endpoint]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        versions = {}
        for page in s3.get_paginator("list_object_versions").paginate(Bucket="photos"):
            for row in page.get("Versions", []) + page.get("DeleteMarkers", []):
                versions[row["VersionId"]] = row
        for form, read in FORMATS.items():
            check(s3, form, read, versions)


main()
