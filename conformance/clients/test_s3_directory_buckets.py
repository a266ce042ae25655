"""Directory buckets (S3 Express One Zone), as boto3 and the AWS CLI meet them: they create the sessions by themselves."""

import json
import os
import subprocess
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import urllib3
from boto3.s3.transfer import TransferConfig
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError
from conftest import new_root
from support import REGION, Caller, allow, policy, refused

ZONE = "use1-az4"
PLACE = {
    "Location": {"Type": "AvailabilityZone", "Name": ZONE},
    "Bucket": {"Type": "Directory", "DataRedundancy": "SingleAvailabilityZone"},
}


def new_bucket(caller, base="data"):
    name = f"{base}-{caller.account}--{ZONE}--x-s3"
    caller.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=PLACE)
    return name


def arn(caller, bucket):
    return f"arn:aws:s3express:{REGION}:{caller.account}:bucket/{bucket}"


def without_sessions(caller):
    """A client that signs as for the region whatever it does."""
    return caller.client("s3", s3={"disable_s3_express_session_auth": True})


@pytest.fixture
def bucket(root):
    return new_bucket(root)


def test_buckets_come_and_go(root):
    s3 = root.client("s3")
    names = [f"{base}-{root.account}--{ZONE}--x-s3" for base in "abc"]
    for name in names:
        made = s3.create_bucket(Bucket=name, CreateBucketConfiguration=PLACE)
        assert made["BucketArn"] == arn(root, name)
    s3.create_bucket(Bucket=f"general-{root.account}")
    first = s3.list_directory_buckets(MaxDirectoryBuckets=2)
    assert [found["Name"] for found in first["Buckets"]] == names[:2]
    pages = s3.get_paginator("list_directory_buckets").paginate(PaginationConfig={"PageSize": 2})
    assert [found["Name"] for page in pages for found in page["Buckets"]] == names
    assert [found["Name"] for found in s3.list_buckets()["Buckets"]] == [f"general-{root.account}"]
    assert root.aws("s3api", "list-directory-buckets", "--region", "us-west-2")["Buckets"] == []
    head = s3.head_bucket(Bucket=names[0])
    assert (head["BucketLocationType"], head["BucketLocationName"]) == ("AvailabilityZone", ZONE)
    assert (head["BucketRegion"], head["BucketArn"]) == (REGION, arn(root, names[0]))
    with refused("BucketAlreadyOwnedByYou", 409):
        s3.create_bucket(Bucket=names[0], CreateBucketConfiguration=PLACE)
    for wrong, code in [
        ({"LocationConstraint": "us-west-2"}, "MalformedXML"),
        (PLACE | {"LocationConstraint": "us-west-2"}, "MalformedXML"),
        (PLACE | {"Location": {"Type": "AvailabilityZone", "Name": "use1-az5"}}, "InvalidLocationConstraint"),
    ]:
        with refused(code, 400):
            s3.create_bucket(Bucket=f"new-{root.account}--{ZONE}--x-s3", CreateBucketConfiguration=wrong)
    for name in [f"New-{root.account}--{ZONE}--x-s3", "general-of-another-kind"]:
        with refused("InvalidBucketName", 400):
            s3.create_bucket(Bucket=name, CreateBucketConfiguration=PLACE)
    for name in names:
        s3.delete_bucket(Bucket=name)
    assert s3.list_directory_buckets()["Buckets"] == []


def test_objects_and_listings(root, bucket):
    s3 = root.client("s3")
    put = s3.put_object(Bucket=bucket, Key="a/b/c.txt", Body=b"hello", Metadata={"who": "me"})
    assert put["ServerSideEncryption"] == "AES256"
    found = s3.get_object(Bucket=bucket, Key="a/b/c.txt", ChecksumMode="ENABLED")
    assert (found["Body"].read(), found["Metadata"]) == (b"hello", {"who": "me"})
    assert (found["StorageClass"], found["ETag"]) == ("EXPRESS_ONEZONE", put["ETag"])
    assert found["ETag"] != '"5d41402abc4b2a76b9719d911017c592"'
    assert s3.get_object(Bucket=bucket, Key="a/b/c.txt", Range="bytes=1-3")["Body"].read() == b"ell"
    for key in ["a/x", "a/y", "z"]:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert sorted(one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]) == ["a/b/c.txt", "a/x", "a/y", "z"]
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="a/", Delimiter="/")
    assert [one["Key"] for one in listed["Contents"]] == ["a/x", "a/y"]
    assert [one["Prefix"] for one in listed["CommonPrefixes"]] == ["a/b/"]
    with refused("InvalidRequest", 400) as refusal:
        s3.list_objects_v2(Bucket=bucket, Prefix="a")
    assert "does not end in a delimiter" in refusal.message
    with refused("InvalidRequest", 400):
        s3.list_objects_v2(Bucket=bucket, Delimiter="b")
    with refused("NotImplemented", 501):
        s3.list_objects_v2(Bucket=bucket, StartAfter="a/")
    with refused("NoSuchKey", 404):
        s3.get_object(Bucket=bucket, Key="none")
    attributes = s3.get_object_attributes(Bucket=bucket, Key="z", ObjectAttributes=["StorageClass", "ObjectSize"])
    assert (attributes["StorageClass"], attributes["ObjectSize"]) == ("EXPRESS_ONEZONE", 1)
    with refused("PreconditionFailed", 412):
        s3.delete_object(Bucket=bucket, Key="z", IfMatchSize=2)
    s3.delete_object(Bucket=bucket, Key="z", IfMatchSize=1)
    removed = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a/x"}, {"Key": "a/y"}]})
    assert len(removed["Deleted"]) == 2
    with refused("BucketNotEmpty", 409):
        s3.delete_bucket(Bucket=bucket)


def test_uploads_in_parts(root, bucket, tmp_path):
    s3 = root.client("s3")
    data = os.urandom(18 << 20)
    (tmp_path / "big").write_bytes(data)
    settings = TransferConfig(multipart_threshold=8 << 20, multipart_chunksize=6 << 20)
    s3.upload_file(str(tmp_path / "big"), bucket, "up/big", Config=settings)
    s3.download_file(bucket, "up/big", str(tmp_path / "back"), Config=settings)
    assert (tmp_path / "back").read_bytes() == data
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    assert s3.list_multipart_uploads(Bucket=bucket)["Uploads"][0]["StorageClass"] == "EXPRESS_ONEZONE"
    where = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    parts = [s3.upload_part(PartNumber=number, Body=data[: 5 << 20], **where)["ETag"] for number in (1, 3)]
    listed = [{"PartNumber": number, "ETag": tag} for number, tag in zip((1, 3), parts)]
    with refused("InvalidPartOrder", 400):
        s3.complete_multipart_upload(MultipartUpload={"Parts": listed}, **where)
    s3.delete_object(Bucket=bucket, Key="up/big")
    with refused("BucketNotEmpty", 409):
        s3.delete_bucket(Bucket=bucket)
    s3.abort_multipart_upload(**where)
    s3.delete_bucket(Bucket=bucket)


def test_appends(root, bucket):
    s3 = root.client("s3")
    at = {"Bucket": bucket, "Key": "log"}
    with refused("InvalidWriteOffset", 400):
        s3.put_object(Body=b"x", WriteOffsetBytes=1, **at)
    s3.put_object(Body=b"one,", WriteOffsetBytes=0, **at)
    tags, content = set(), b"one,"
    for number in range(20):
        more = os.urandom(30_000) if number % 3 == 0 else b"%d," % number
        put = s3.put_object(Body=more, WriteOffsetBytes=len(content), **at)
        content += more
        assert put["Size"] == len(content)
        tags.add(put["ETag"])
    assert len(tags) == 20
    found = s3.get_object(ChecksumMode="ENABLED", **at)
    assert (found["Body"].read(), found["ContentLength"]) == (content, len(content))
    assert found["ChecksumType"] == "FULL_OBJECT"
    part = s3.get_object(Range="bytes=3-60010", **at)
    assert part["Body"].read() == content[3:60011]
    for wrong in (0, len(content) - 1, len(content) + 1):
        with refused("InvalidWriteOffset", 400):
            s3.put_object(Body=b"x", WriteOffsetBytes=wrong, **at)
    with refused("InvalidRequest", 400):
        s3.put_object(Body=b"x", WriteOffsetBytes=len(content), Metadata={"a": "b"}, **at)
    with refused("InvalidRequest", 400):
        s3.put_object(Body=b"", WriteOffsetBytes=len(content), **at)
    with refused("InvalidRequest", 400) as refusal:
        s3.put_object(Body=b"x", WriteOffsetBytes=len(content), ChecksumAlgorithm="SHA256", **at)
    assert "expected checksum Type: crc32, actual checksum Type: sha256" in refusal.message
    with refused("PreconditionFailed", 412):
        s3.put_object(Body=b"x", WriteOffsetBytes=len(content), IfMatch='"0"', **at)
    s3.put_object(Body=b"x", WriteOffsetBytes=len(content), IfMatch=found["ETag"], **at)
    # What is uploaded in parts can be appended to, and what is copied is whole again.
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=f"{bucket}/log")
    s3.put_object(Bucket=bucket, Key="copy", Body=b"!", WriteOffsetBytes=len(content) + 1)
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == content + b"x!"
    s3.put_object(Body=b"sha", ChecksumAlgorithm="SHA256", **at)
    s3.put_object(Body=b"-256", WriteOffsetBytes=3, ChecksumAlgorithm="SHA256", **at)
    seen = s3.get_object_attributes(ObjectAttributes=["Checksum", "ObjectParts"], **at)
    assert [one["Size"] for one in seen["ObjectParts"]["Parts"]] == [3, 4]
    with refused("NotImplemented", 501):
        general = f"general-{root.account}"
        s3.create_bucket(Bucket=general)
        s3.put_object(Bucket=general, Key="k", Body=b"x", WriteOffsetBytes=0)


def test_many_append_at_once_and_none_is_lost(root, bucket):
    s3 = root.client("s3", max_pool_connections=8)
    s3.put_object(Bucket=bucket, Key="log", Body=b"")

    def append(number):
        while True:
            size = s3.head_object(Bucket=bucket, Key="log")["ContentLength"]
            try:
                s3.put_object(Bucket=bucket, Key="log", Body=b"%04d" % number, WriteOffsetBytes=size)
                return
            except s3.exceptions.InvalidWriteOffset:
                pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(append, range(60)))
    body = s3.get_object(Bucket=bucket, Key="log")["Body"].read()
    assert sorted(body[at : at + 4] for at in range(0, len(body), 4)) == [b"%04d" % number for number in range(60)]


def test_renames(root, bucket):
    s3 = root.client("s3")
    s3.put_object(Bucket=bucket, Key="old/é 1", Body=b"hello", ContentType="text/plain", Metadata={"a": "b"})
    before = s3.head_object(Bucket=bucket, Key="old/é 1")
    s3.rename_object(Bucket=bucket, Key="new/2", RenameSource="old/%C3%A9%201")
    after = s3.head_object(Bucket=bucket, Key="new/2")
    same = ["ETag", "LastModified", "ContentLength", "Metadata", "ContentType", "StorageClass"]
    assert [before[name] for name in same] == [after[name] for name in same]
    with refused("NoSuchKey", 404):
        s3.get_object(Bucket=bucket, Key="old/é 1")
    assert s3.get_object(Bucket=bucket, Key="new/2")["Body"].read() == b"hello"
    s3.put_object(Bucket=bucket, Key="there", Body=b"there")
    at = {"Bucket": bucket, "Key": "there", "RenameSource": "new/2"}
    for condition in [
        {"DestinationIfNoneMatch": "*"},
        {"DestinationIfMatch": '"0"'},
        {"SourceIfMatch": '"0"'},
        {"SourceIfNoneMatch": "*"},
        {"SourceIfUnmodifiedSince": "2001-01-01T00:00:00Z"},
    ]:
        with refused("PreconditionFailed", 412):
            s3.rename_object(**at, **condition)
    token = str(uuid.uuid4())
    s3.rename_object(**at, ClientToken=token, SourceIfMatch=after["ETag"])
    s3.rename_object(**at, ClientToken=token, SourceIfMatch=after["ETag"])
    with refused("IdempotencyParameterMismatch", 400):
        s3.rename_object(**at, ClientToken=token)
    with refused("NoSuchKey", 404):
        s3.rename_object(**at)
    assert s3.get_object(Bucket=bucket, Key="there")["Body"].read() == b"hello"
    with refused("InvalidRequest", 400):
        s3.rename_object(Bucket=bucket, Key="folder/", RenameSource="there")
    general = f"general-{root.account}"
    s3.create_bucket(Bucket=general)
    with refused("MethodNotAllowed", 405):
        s3.rename_object(Bucket=general, Key="a", RenameSource="b")


def test_copies_between_kinds_of_buckets(root, bucket):
    s3 = root.client("s3")
    general = f"general-{root.account}"
    s3.create_bucket(Bucket=general)
    s3.put_object(Bucket=general, Key="k", Body=b"hello", Tagging="a=b")
    with refused("NotImplemented", 501):
        s3.copy_object(Bucket=bucket, Key="k", CopySource=f"{general}/k")
    s3.copy_object(Bucket=bucket, Key="k", CopySource=f"{general}/k", TaggingDirective="REPLACE")
    assert s3.head_object(Bucket=bucket, Key="k")["StorageClass"] == "EXPRESS_ONEZONE"
    s3.copy_object(Bucket=general, Key="back", CopySource=f"{bucket}/k")
    back = s3.head_object(Bucket=general, Key="back")
    assert (back["ETag"], "StorageClass" in back) == ('"5d41402abc4b2a76b9719d911017c592"', False)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    where = {"Bucket": bucket, "Key": "parts", "UploadId": upload}
    part = s3.upload_part_copy(PartNumber=1, CopySource=f"{general}/k", **where)["CopyPartResult"]["ETag"]
    s3.complete_multipart_upload(MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]}, **where)
    assert s3.get_object(Bucket=bucket, Key="parts")["Body"].read() == b"hello"


def test_what_directory_buckets_lack(root, bucket):
    s3 = root.client("s3")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    at = {"Bucket": bucket, "Key": "k"}
    for call, code in [
        (lambda: s3.get_object_tagging(**at), "NotImplemented"),
        (lambda: s3.put_object(Body=b"x", ACL="private", **at), "NotImplemented"),
        (lambda: s3.put_object(Body=b"x", Tagging="a=b", **at), "NotImplemented"),
        (lambda: s3.put_object(Body=b"x", StorageClass="STANDARD", **at), "InvalidStorageClass"),
        (lambda: s3.get_bucket_location(Bucket=bucket), "MethodNotAllowed"),
        (lambda: s3.get_bucket_versioning(Bucket=bucket), "MethodNotAllowed"),
        (lambda: s3.list_objects(Bucket=bucket), "NotSupported"),
        (
            lambda: s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}),
            "InvalidArgument",
        ),
        (lambda: s3.get_bucket_policy(Bucket=bucket, ExpectedBucketOwner=root.account), "NotImplemented"),
    ]:
        with refused(code):
            call()


def test_sessions_are_good_for_one_bucket_and_five_minutes(binary, start):
    cloud = start()
    root = Caller(cloud.endpoint, "000000000000", "test", "test")
    s3 = root.client("s3")
    bucket, other = new_bucket(root, "one"), new_bucket(root, "two")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    made = s3.create_session(Bucket=bucket, SessionMode="ReadOnly")["Credentials"]

    def send(method, path, header="x-amz-s3session-token", service="s3express", token=made["SessionToken"]):
        request = AWSRequest(method, f"{root.endpoint}{path}", headers={header: token, "x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
        SigV4Auth(Credentials(made["AccessKeyId"], made["SecretAccessKey"]), service, REGION).add_auth(request)
        answer = urllib3.request(method, request.url, headers=dict(request.headers))
        return answer.status, answer.data.decode().partition("<Code>")[2].partition("</Code>")[0]

    assert send("GET", f"/{bucket}/k") == (200, "")
    assert send("PUT", f"/{bucket}/new") == (403, "AccessDenied")
    assert send("DELETE", f"/{bucket}/k") == (403, "AccessDenied")
    assert send("GET", f"/{other}?list-type=2") == (403, "AccessDenied")
    assert send("DELETE", f"/{bucket}") == (403, "AccessDenied")
    assert send("HEAD", f"/{bucket}")[0] == 200
    assert send("GET", f"/{bucket}?policy") == (404, "NoSuchBucketPolicy")
    assert send("GET", f"/{bucket}?session") == (403, "AccessDenied")
    assert send("GET", "/")[0] == 403
    assert send("GET", f"/{bucket}/k", header="x-amz-security-token") == (400, "InvalidToken")
    assert send("GET", f"/{bucket}/k", service="s3") == (400, "InvalidToken")
    assert send("GET", f"/{bucket}/k", token="wrong") == (400, "InvalidToken")
    # A killed server knows the session again.
    cloud.kill()
    cloud.start()
    assert send("GET", f"/{bucket}/k") == (200, "")
    subprocess.run([binary, "clock", "advance", "5m"], env=root.environment(), check=True, capture_output=True)
    assert send("GET", f"/{bucket}/k") == (400, "ExpiredToken")
    again = s3.create_session(Bucket=bucket)["Credentials"]
    made = again
    assert send("DELETE", f"/{bucket}/k", token=again["SessionToken"])[0] == 204


def test_appends_outlive_kill_9(start):
    cloud = start()
    root = new_root(cloud)
    bucket = new_bucket(root)
    s3, told = root.client("s3"), 0
    s3.put_object(Bucket=bucket, Key="log", Body=b"")
    for _ in range(3):
        timer = threading.Timer(0.7, cloud.kill)
        timer.start()
        with pytest.raises((BotoCoreError, ClientError)):
            while True:
                s3.put_object(Bucket=bucket, Key="log", Body=b"%07d;" % (told // 8), WriteOffsetBytes=told)
                told += 8
        timer.join()
        cloud.start()
        s3 = root.client("s3")
        body = s3.get_object(Bucket=bucket, Key="log")["Body"].read()
        # What was acknowledged is there, and maybe the append whose answer was lost.
        assert len(body) in (told, told + 8)
        assert body == b"".join(b"%07d;" % number for number in range(len(body) // 8))
        told = len(body)
    assert told > 0


def test_presigned_urls(root, bucket):
    s3 = root.client("s3")
    s3.put_object(Bucket=bucket, Key="k", Body=b"hello")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    assert urllib3.request("GET", url).data == b"hello"
    put = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "new"})
    assert urllib3.request("PUT", put, body=b"there").status == 200
    assert s3.get_object(Bucket=bucket, Key="new")["Body"].read() == b"there"


def test_policies_decide_over_sessions(root, bucket):
    s3, where = root.client("s3"), arn(root, bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    nobody = root.user("nobody", allow("s3:*"))
    with refused("AccessDenied", 403) as refusal:
        nobody.client("s3").get_object(Bucket=bucket, Key="k")
    assert "s3express:CreateSession" in refusal.message
    reader = root.user(
        "reader",
        allow("s3express:CreateSession", on=where, Condition={"StringEquals": {"s3express:SessionMode": "ReadOnly"}}),
    )
    assert reader.client("s3").get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    with refused("AccessDenied", 403):
        reader.client("s3").put_object(Bucket=bucket, Key="k", Body=b"y")
    with refused("AccessDenied", 403):
        reader.client("s3").create_session(Bucket=bucket, SessionMode="ReadWrite")
    assert reader.client("s3").head_bucket(Bucket=bucket)["BucketLocationName"] == ZONE
    with refused("AccessDenied", 403):
        reader.client("s3").list_directory_buckets()
    # Without sessions, AWS's tools sign as they do for the region.
    plain = without_sessions(reader)
    assert plain.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    with refused("AccessDenied", 403):
        plain.put_object(Bucket=bucket, Key="k", Body=b"y")
    writer = root.user("writer", allow("s3express:CreateSession", on=where))
    writer.client("s3").put_object(Bucket=bucket, Key="k", Body=b"z")
    manager = root.user("manager", allow("s3express:*"))
    assert len(manager.client("s3").list_directory_buckets()["Buckets"]) == 1
    denies = dict(Effect="Deny", Principal="*", Action="s3express:CreateSession", Resource=where)
    denies["Condition"] = {"StringEquals": {"s3express:SessionMode": "ReadWrite"}}
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(denies))
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"][0]["Effect"] == "Deny"
    fresh = writer.client("s3")
    assert fresh.get_object(Bucket=bucket, Key="k")["Body"].read() == b"z"
    with refused("AccessDenied", 403):
        fresh.put_object(Bucket=bucket, Key="k", Body=b"y")
    s3.delete_bucket_policy(Bucket=bucket)
    for bad in [
        dict(Effect="Allow", Principal="*", Action="s3:GetObject", Resource=where),
        dict(Effect="Allow", Principal="*", Action="s3express:CreateSession", Resource=f"{where}-not"),
    ]:
        with refused("MalformedPolicy", 400):
            s3.put_bucket_policy(Bucket=bucket, Policy=policy(bad))


def test_accounts_share_by_policy(root, bucket, cloud):
    stranger = new_root(cloud)
    root.client("s3").put_object(Bucket=bucket, Key="k", Body=b"x")
    with refused("AccessDenied", 403):
        stranger.client("s3").get_object(Bucket=bucket, Key="k")
    with refused("BucketAlreadyExists", 409):
        without_sessions(stranger).create_bucket(Bucket=bucket, CreateBucketConfiguration=PLACE)
    allows = dict(Effect="Allow", Principal={"AWS": stranger.account}, Action="s3express:CreateSession")
    root.client("s3").put_bucket_policy(Bucket=bucket, Policy=policy(allows | {"Resource": arn(root, bucket)}))
    assert stranger.client("s3").get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    stranger.client("s3").put_object(Bucket=bucket, Key="theirs", Body=b"y")
    with refused("AccessDenied", 403):
        stranger.client("s3").delete_bucket(Bucket=bucket)


def test_keys_of_kms(root, bucket):
    s3, kms = root.client("s3"), root.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]}
    s3.put_object(Bucket=bucket, Key="before", Body=b"x")
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rules)
    found = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert found["ApplyServerSideEncryptionByDefault"] == default
    fresh = root.client("s3")
    session = fresh.create_session(Bucket=bucket)
    assert (session["ServerSideEncryption"], session["SSEKMSKeyId"]) == ("aws:kms", key)
    put = fresh.put_object(Bucket=bucket, Key="k", Body=b"hello")
    assert (put["ServerSideEncryption"], put["SSEKMSKeyId"]) == ("aws:kms", key)
    fresh.put_object(Bucket=bucket, Key="k", Body=b" there", WriteOffsetBytes=5)
    fresh.rename_object(Bucket=bucket, Key="new", RenameSource="k")
    assert fresh.get_object(Bucket=bucket, Key="new")["Body"].read() == b"hello there"
    with refused("EncryptionTypeMismatch", 400):
        fresh.put_object(Bucket=bucket, Key="before", Body=b"y", WriteOffsetBytes=1)


def test_lifecycles_expire_and_give_up(root, bucket):
    s3 = root.client("s3")
    rule = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 1}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"][0]["ID"] == "old"
    moving = rule | {"Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]}
    with refused("InvalidRequest", 400):
        s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [moving]})
    s3.delete_bucket_lifecycle(Bucket=bucket)


def test_the_command_line(root, tmp_path):
    name = f"cli-{root.account}--{ZONE}--x-s3"
    root.aws("s3api", "create-bucket", "--bucket", name, "--create-bucket-configuration", json.dumps(PLACE))
    assert name in json.dumps(root.aws("s3api", "list-directory-buckets"))
    (tmp_path / "tree/a/b").mkdir(parents=True)
    for number in range(12):
        (tmp_path / f"tree/a/b/{number}").write_text(str(number))
    root.aws("s3", "cp", "--recursive", tmp_path / "tree", f"s3://{name}/tree/")
    root.aws("s3", "cp", "--recursive", f"s3://{name}/tree/", tmp_path / "back")
    assert (tmp_path / "back/a/b/11").read_text() == "11"
    (tmp_path / "more").write_text("more")
    appended = root.aws(
        "s3api", "put-object", "--bucket", name, "--key", "tree/a/b/0",
        "--body", tmp_path / "more", "--write-offset-bytes", 1,
    )  # fmt: skip
    assert appended["Size"] == 5
    root.aws("s3api", "rename-object", "--bucket", name, "--key", "new", "--rename-source", "tree/a/b/0")
    root.aws("s3", "cp", f"s3://{name}/new", tmp_path / "new")
    assert (tmp_path / "new").read_text() == "0more"
    root.aws("s3", "rm", "--recursive", f"s3://{name}/")
    root.aws("s3api", "delete-bucket", "--bucket", name)


@pytest.fixture
def named(root, names_below_localhost):
    """The account's root at an endpoint under which S3 Control has its hosts."""
    return replace(root, endpoint=root.endpoint.replace("127.0.0.1", "localhost"))


def test_access_points_and_their_scopes(root, named, bucket):
    control, mine = named.client("s3control"), {"AccountId": root.account}
    name = f"app-{root.account}--{ZONE}--xa-s3"
    made = control.create_access_point(
        Name=name, Bucket=bucket, Scope={"Prefixes": ["app/"], "Permissions": ["GetObject", "PutObject", "ListBucket"]}, **mine
    )
    assert made["AccessPointArn"] == f"arn:aws:s3express:{REGION}:{root.account}:accesspoint/{name}"
    listed = control.list_access_points_for_directory_buckets(DirectoryBucket=bucket, **mine)["AccessPointList"]
    assert [point["Name"] for point in listed] == [name]
    assert control.list_access_points(**mine)["AccessPointList"] == []
    s3 = root.client("s3")
    s3.put_object(Bucket=bucket, Key="other", Body=b"o")
    s3.put_object(Bucket=name, Key="app/a", Body=b"through")
    assert s3.get_object(Bucket=name, Key="app/a")["Body"].read() == b"through"
    assert s3.get_object(Bucket=bucket, Key="app/a")["Body"].read() == b"through"
    assert [row["Key"] for row in s3.list_objects_v2(Bucket=name, Prefix="app/")["Contents"]] == ["app/a"]
    with refused("AccessDenied", 403):
        s3.get_object(Bucket=name, Key="other")
    with refused("AccessDenied", 403):
        s3.delete_object(Bucket=name, Key="app/a")
    # A session with an access point is none with its bucket.
    made = without_sessions(root).create_session(Bucket=name)["Credentials"]
    session = replace(root, key=made["AccessKeyId"], secret=made["SecretAccessKey"], token=made["SessionToken"])
    assert session_read(session, name, "app/a").status == 200
    assert session_read(session, bucket, "app/a").status == 403
    control.delete_access_point_scope(Name=name, **mine)
    for key in ("app/a", "other"):
        s3.delete_object(Bucket=name, Key=key)
    with refused("BucketHasAccessPointsAttached", 400):
        s3.delete_bucket(Bucket=bucket)
    control.delete_access_point(Name=name, **mine)


def session_read(session, bucket, key):
    """GetObject signed with a session's credentials, whatever a client would make of the name."""
    request = AWSRequest("GET", f"{session.endpoint}/{bucket}/{key}", headers={"x-amz-s3session-token": session.token})
    request.headers["x-amz-content-sha256"] = "UNSIGNED-PAYLOAD"
    SigV4Auth(Credentials(session.key, session.secret), "s3express", REGION).add_auth(request)
    return urllib3.request("GET", request.url, headers=dict(request.headers))


def test_a_user_needs_both_the_bucket_and_the_access_point(root, named, bucket):
    control, mine = named.client("s3control"), {"AccountId": root.account}
    name = f"app-{root.account}--{ZONE}--xa-s3"
    point = control.create_access_point(Name=name, Bucket=bucket, **mine)["AccessPointArn"]
    root.client("s3").put_object(Bucket=bucket, Key="a", Body=b"x")
    ann = root.user("ann", allow("s3express:CreateSession", on=point))
    with refused("AccessDenied", 403):
        ann.client("s3").get_object(Bucket=name, Key="a")
    root.grant("ann", allow("s3express:CreateSession", on=[point, arn(root, bucket)]))
    assert ann.client("s3").get_object(Bucket=name, Key="a")["Body"].read() == b"x"
    control.put_access_point_policy(
        Name=name, Policy=policy(dict(Effect="Deny", Principal="*", Action="s3express:CreateSession", Resource=point)), **mine
    )
    with refused("AccessDenied", 403):
        ann.client("s3").get_object(Bucket=name, Key="a")
    assert ann.client("s3").get_object(Bucket=bucket, Key="a")["Body"].read() == b"x"


def test_tags_come_and_go_after_creation(named, bucket):
    control, mine = named.client("s3control"), {"AccountId": named.account}
    resource = {"ResourceArn": arn(named, bucket)} | mine
    control.tag_resource(Tags=[{"Key": "team", "Value": "blue"}, {"Key": "stage", "Value": "test"}], **resource)
    control.untag_resource(TagKeys=["stage"], **resource)
    assert control.list_tags_for_resource(**resource)["Tags"] == [{"Key": "team", "Value": "blue"}]
    ann = named.user("ann", allow("s3express:ListTagsForResource", on=resource["ResourceArn"]))
    assert ann.client("s3control").list_tags_for_resource(**resource)["Tags"]
    with refused("AccessDenied", 403):
        ann.client("s3control").untag_resource(TagKeys=["team"], **resource)


def test_a_session_does_not_outlive_its_bucket(root):
    """What is made under a gone bucket's name is reached by no old session, whatever its creator may, but by a new one."""
    name = new_bucket(root, "again")
    ann = root.user("ann", allow("s3express:CreateSession", on=arn(root, name)))
    made = without_sessions(ann).create_session(Bucket=name)["Credentials"]
    session = replace(ann, key=made["AccessKeyId"], secret=made["SecretAccessKey"], token=made["SessionToken"])
    root.grant("ann", allow("s3:ListAllMyBuckets"))
    root.client("s3").put_object(Bucket=name, Key="a", Body=b"x")
    # A session is asked nothing more as long as its bucket is there.
    assert session_read(session, name, "a").status == 200
    control = without_sessions(root)
    root.client("s3").delete_object(Bucket=name, Key="a")
    control.delete_bucket(Bucket=name)
    assert session_read(session, name, "a").status == 404
    new_bucket(root, "again")
    root.client("s3").put_object(Bucket=name, Key="a", Body=b"new")
    assert session_read(session, name, "a").status == 403
    root.grant("ann", allow("s3express:CreateSession", on=arn(root, name)))
    assert session_read(session, name, "a").status == 403
    made = without_sessions(ann).create_session(Bucket=name)["Credentials"]
    session = replace(ann, key=made["AccessKeyId"], secret=made["SecretAccessKey"], token=made["SessionToken"])
    assert session_read(session, name, "a").status == 200
