"""Configurations by id of S3's buckets and what comes of them, as boto3 meets it."""

import csv
import gzip
import hashlib
import json
import time
from urllib.parse import unquote_plus

import pytest
from support import advance, eventually, refused


@pytest.fixture
def s3(root):
    return root.client("s3")


@pytest.fixture
def bucket(root, s3):
    name = f"reports-{root.account}"
    s3.create_bucket(Bucket=name)
    return name


def inventory(ident, destination, **more):
    """A configuration of an inventory, as small as it can be."""
    to = {"Bucket": f"arn:aws:s3:::{destination}", "Format": "CSV"} | more.pop("to", {})
    return {
        "Id": ident, "IsEnabled": True, "IncludedObjectVersions": "Current", "Schedule": {"Frequency": "Daily"},
        "Destination": {"S3BucketDestination": to},
    } | more  # fmt: skip


def test_configurations_by_id_come_and_go(s3, bucket):
    deep = {"Days": 180, "AccessTier": "DEEP_ARCHIVE_ACCESS"}
    export = {"OutputSchemaVersion": "V_1", "Destination": {"S3BucketDestination": {
        "Format": "CSV", "Bucket": f"arn:aws:s3:::{bucket}", "Prefix": "analysis"}}}  # fmt: skip
    both = {"And": {"Prefix": "a/", "Tags": [{"Key": "team", "Value": "blue"}]}}
    kinds = {
        "analytics": {"Filter": both, "StorageClassAnalysis": {"DataExport": export}},
        "intelligent_tiering": {"Filter": both, "Status": "Enabled", "Tierings": [deep]},
        "inventory": inventory("one", bucket, Filter={"Prefix": "a/"}, OptionalFields=["Size", "ETag"]),
        "metrics": {"Filter": both},
    }
    for kind, given in kinds.items():
        member = "".join(word.capitalize() for word in kind.split("_")) + "Configuration"
        one, another = given | {"Id": "one"}, given | {"Id": "Another-1_x.y"}
        put = getattr(s3, f"put_bucket_{kind}_configuration")
        get = getattr(s3, f"get_bucket_{kind}_configuration")
        delete = getattr(s3, f"delete_bucket_{kind}_configuration")
        for configuration in (one, another):
            put(Bucket=bucket, Id=configuration["Id"], **{member: configuration})
        assert get(Bucket=bucket, Id="one")[member] == one
        page = getattr(s3, f"list_bucket_{kind}_configurations")(Bucket=bucket)
        assert (page[f"{member}List"], page["IsTruncated"]) == ([another, one], False)
        with refused("IdMismatch" if kind == "inventory" else "MalformedXML", 400):
            put(Bucket=bucket, Id="two", **{member: one})
        assert delete(Bucket=bucket, Id="one")["ResponseMetadata"]["HTTPStatusCode"] == 204
        with refused("NoSuchConfiguration", 404) as refusal:
            get(Bucket=bucket, Id="one")
        assert refusal.message == "The specified configuration does not exist."
        with refused("NoSuchConfiguration", 404):
            delete(Bucket=bucket, Id="one")


def test_acceleration_is_a_flag(root, s3, bucket):
    assert "Status" not in s3.get_bucket_accelerate_configuration(Bucket=bucket)
    for status in ("Enabled", "Suspended"):
        s3.put_bucket_accelerate_configuration(Bucket=bucket, AccelerateConfiguration={"Status": status})
        assert s3.get_bucket_accelerate_configuration(Bucket=bucket)["Status"] == status
    with refused("MalformedXML", 400):
        s3.put_bucket_accelerate_configuration(Bucket=bucket, AccelerateConfiguration={"Status": "Faster"})
    dotted = f"reports.{root.account}"
    s3.create_bucket(Bucket=dotted)
    with refused("InvalidRequest", 400) as refusal:
        s3.put_bucket_accelerate_configuration(Bucket=dotted, AccelerateConfiguration={"Status": "Enabled"})
    assert "is not supported for buckets with periods" in refusal.message


def admit(s3, source, destination):
    """The policy that AWS documents for inventories."""
    arn = f"arn:aws:s3:::{source}"
    statement = {
        "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{destination}/*", "Condition": {
            "ArnLike": {"aws:SourceArn": arn},
            "StringEquals": {"aws:SourceAccount": "000000000000", "s3:x-amz-acl": "bucket-owner-full-control"}},
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3.put_bucket_policy(Bucket=destination, Policy=policy)


def report(s3, bucket, ident, source):
    """The last report of an inventory as a program reads it: its manifest, checked, and its rows."""
    keys = [row["Key"] for row in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]
    checksums = [key for key in keys if key.startswith(f"{source}/{ident}/") and key.endswith("manifest.checksum")]
    if not checksums:
        return None
    read = lambda key: s3.get_object(Bucket=bucket, Key=key)["Body"].read()  # noqa: E731
    text = read(max(checksums).replace(".checksum", ".json"))
    assert hashlib.md5(text).hexdigest() == read(max(checksums)).decode()
    manifest = json.loads(text)
    names = manifest["fileSchema"].split(", ")
    rows = []
    for file in manifest["files"]:
        data = read(file["key"])
        assert (len(data), hashlib.md5(data).hexdigest()) == (file["size"], file["MD5checksum"])
        rows += [dict(zip(names, row)) for row in csv.reader(gzip.decompress(data).decode().splitlines())]
    return manifest, rows


def test_an_inventory_is_written_each_day_and_each_week(binary, own):
    s3 = own.client("s3")
    kms = own.client("kms")
    for name in ("things", "lists"):
        s3.create_bucket(Bucket=name)
    admit(s3, "things", "lists")
    s3.put_bucket_versioning(Bucket="things", VersioningConfiguration={"Status": "Enabled"})
    key = kms.create_key()["KeyMetadata"]
    s3.put_object(Bucket="things", Key="a b/é+1=2.txt", Body=b"one", ServerSideEncryption="aws:kms", SSEKMSKeyId=key["Arn"])
    s3.put_object(Bucket="things", Key="gone", Body=b"gone")
    s3.delete_object(Bucket="things", Key="gone")
    fields = ["Size", "LastModifiedDate", "StorageClass", "ETag", "EncryptionStatus", "ObjectOwner"]
    daily = inventory("daily", "lists", IncludedObjectVersions="All", OptionalFields=fields)
    statement = {"Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"}, "Action": "kms:GenerateDataKey",
                 "Resource": "*", "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::things"}}}  # fmt: skip
    whole = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "kms:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [whole, statement]})
    kms.put_key_policy(KeyId=key["KeyId"], PolicyName="default", Policy=policy)
    sealed = {"Encryption": {"SSEKMS": {"KeyId": key["Arn"]}}}
    weekly = inventory("weekly", "lists", Schedule={"Frequency": "Weekly"}, to=sealed)
    for given in (daily, weekly):
        s3.put_bucket_inventory_configuration(Bucket="things", Id=given["Id"], InventoryConfiguration=given)
    advance(binary, own, "25h")
    eventually(lambda: report(s3, "lists", "weekly", "things"))
    manifest, rows = report(s3, "lists", "daily", "things")
    assert list(manifest) == [
        "sourceBucket", "destinationBucket", "version", "creationTimestamp", "fileFormat", "fileSchema", "files"]  # fmt: skip
    assert (manifest["sourceBucket"], manifest["destinationBucket"]) == ("things", "arn:aws:s3:::lists")
    shown = [(unquote_plus(row["Key"]), row["IsLatest"], row["IsDeleteMarker"], row["EncryptionStatus"]) for row in rows]
    assert shown == [
        ("a b/é+1=2.txt", "true", "false", "SSE-KMS"), ("gone", "true", "true", ""), ("gone", "false", "false", "SSE-S3")]  # fmt: skip
    versions = s3.list_object_versions(Bucket="things")
    assert {row["VersionId"] for row in rows} == {
        row["VersionId"] for row in versions["Versions"] + versions["DeleteMarkers"]}  # fmt: skip
    manifest, rows = report(s3, "lists", "weekly", "things")
    assert [row["Key"] for row in rows] == ["a+b/%C3%A9%2B1%3D2.txt"]
    head = s3.head_object(Bucket="lists", Key=manifest["files"][0]["key"])
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key["Arn"])
    # A week later there is one more of each week, for a Sunday.
    advance(binary, own, "7d")
    eventually(lambda: report(s3, "lists", "weekly", "things")[0] != manifest)
    stamp = int(report(s3, "lists", "weekly", "things")[0]["creationTimestamp"]) / 1000
    assert time.strftime("%a %H:%M", time.gmtime(stamp)) == "Sun 01:00"
