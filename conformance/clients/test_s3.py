"""S3 as boto3 uses it."""

import base64
import datetime
import hashlib
import io
import json
import os
import socket
import time
import zlib

import pytest
import urllib3
from boto3.s3.transfer import TransferConfig
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from support import REGION, allow, policy, receive_all, refused

MIB = 1024 * 1024


@pytest.fixture
def s3(root):
    return root.client("s3")


@pytest.fixture
def bucket(root, s3):
    name = f"bucket-{root.account}"
    s3.create_bucket(Bucket=name)
    s3.get_waiter("bucket_exists").wait(Bucket=name, WaiterConfig={"Delay": 1})
    return name


def fetch(url, method="GET", body=None, headers=()):
    """Status, headers and body of a plain HTTP request, as any program would make it."""
    answer = urllib3.request(method, url, body=body, headers=dict(headers), retries=False)
    return answer.status, answer.headers, answer.data


def test_an_object_keeps_everything_that_was_said_of_it(s3, bucket):
    body = os.urandom(100_000)
    put = s3.put_object(
        Bucket=bucket, Key="dir/ä b+c%2F?&.bin", Body=body, ContentType="application/x-thing", CacheControl="max-age=9",
        ContentDisposition="attachment", ContentEncoding="identity", ContentLanguage="de",
        Metadata={"Colour": "blue", "number": "7"}, Tagging="a=1&b=two%20words",
    )  # fmt: skip
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = s3.get_object(Bucket=bucket, Key="dir/ä b+c%2F?&.bin")
    assert got["Body"].read() == body
    for name, value in {
        "ContentLength": len(body), "ContentType": "application/x-thing", "CacheControl": "max-age=9",
        "ContentDisposition": "attachment", "ContentLanguage": "de", "ETag": put["ETag"], "TagCount": 2,
        "Metadata": {"colour": "blue", "number": "7"},
    }.items():  # fmt: skip
        assert got[name] == value, name
    assert abs(got["LastModified"].timestamp() - time.time()) < 60
    head = s3.head_object(Bucket=bucket, Key="dir/ä b+c%2F?&.bin")
    assert head["ContentLength"] == len(body) and head["Metadata"] == got["Metadata"]
    tags = s3.get_object_tagging(Bucket=bucket, Key="dir/ä b+c%2F?&.bin")["TagSet"]
    assert tags == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "two words"}]


@pytest.mark.parametrize("size", [0, 1, 16_384, 16_385, 4 * MIB, 4 * MIB + 1])
def test_bodies_of_every_size_come_back(s3, bucket, size):
    body = os.urandom(size)
    s3.put_object(Bucket=bucket, Key="k", Body=body)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body
    s3.put_object(Bucket=bucket, Key="k", Body=body[::-1])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body[::-1]


def test_a_large_file_goes_in_parts_and_comes_in_ranges(s3, bucket, tmp_path):
    body = os.urandom(12 * MIB)
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=3)
    s3.upload_fileobj(io.BytesIO(body), bucket, "large", ExtraArgs={"Metadata": {"a": "b"}}, Config=config)
    head = s3.head_object(Bucket=bucket, Key="large", ChecksumMode="ENABLED")
    parts = [body[:5 * MIB], body[5 * MIB:10 * MIB], body[10 * MIB:]]  # fmt: skip
    digests = b"".join(hashlib.md5(part).digest() for part in parts)
    assert head["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-3"' and head["Metadata"] == {"a": "b"}
    assert head["ContentLength"] == len(body)
    assert head.get("ChecksumCRC32") or head.get("ChecksumCRC64NVME"), "boto3 sent checksums and S3 keeps them"
    target = tmp_path / "large"
    s3.download_file(bucket, "large", str(target), Config=config)
    assert target.read_bytes() == body
    second = s3.get_object(Bucket=bucket, Key="large", PartNumber=2)
    assert second["Body"].read() == parts[1] and second["PartsCount"] == 3
    assert second["ContentRange"] == f"bytes {5 * MIB}-{10 * MIB - 1}/{12 * MIB}"
    s3.copy({"Bucket": bucket, "Key": "large"}, bucket, "copied", Config=config)
    assert s3.get_object(Bucket=bucket, Key="copied")["Body"].read() == body


def test_multipart_uploads_step_by_step(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ContentType="text/x")["UploadId"]
    assert [u["UploadId"] for u in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]
    parts = []
    for number, body in ((1, b"a" * 5 * MIB), (2, b"b")):
        made = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": made["ETag"]})
    listed = s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)["Parts"]
    assert [(part["PartNumber"], part["Size"]) for part in listed] == [(1, 5 * MIB), (2, 1)]
    with refused("NoSuchKey", 404):
        s3.get_object(Bucket=bucket, Key="k")
    wrong = [parts[0], {"PartNumber": 2, "ETag": '"0123456789abcdef0123456789abcdef"'}]
    with refused("InvalidPart", 400):
        s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload={"Parts": wrong})
    with refused("InvalidPartOrder", 400):
        s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload={"Parts": parts[::-1]})
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload={"Parts": parts})
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == b"a" * 5 * MIB + b"b" and got["ContentType"] == "text/x"
    small = s3.create_multipart_upload(Bucket=bucket, Key="small")["UploadId"]
    etags = [s3.upload_part(Bucket=bucket, Key="small", UploadId=small, PartNumber=n, Body=b"x")["ETag"] for n in (1, 2)]
    with refused("EntityTooSmall", 400):
        s3.complete_multipart_upload(Bucket=bucket, Key="small", UploadId=small, MultipartUpload={
            "Parts": [{"PartNumber": n + 1, "ETag": etag} for n, etag in enumerate(etags)]
        })  # fmt: skip
    s3.abort_multipart_upload(Bucket=bucket, Key="small", UploadId=small)
    with refused("NoSuchUpload", 404):
        s3.list_parts(Bucket=bucket, Key="small", UploadId=small)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [
        ("CRC32", lambda body: zlib.crc32(body).to_bytes(4, "big")),
        ("SHA1", lambda body: hashlib.sha1(body).digest()),
        ("SHA256", lambda body: hashlib.sha256(body).digest()),
    ],
)
def test_checksums_are_kept_and_wrong_ones_refused(s3, bucket, algorithm, digest):
    body, field = b"some bytes", f"Checksum{algorithm}"
    right = base64.b64encode(digest(body)).decode()
    put = s3.put_object(Bucket=bucket, Key="k", Body=body, ChecksumAlgorithm=algorithm)
    assert put[field] == right
    assert s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")[field] == right
    attributes = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["Checksum", "ObjectSize", "ETag"])
    assert attributes["Checksum"][field] == right and attributes["ObjectSize"] == len(body)
    with refused("BadDigest", 400):
        s3.put_object(Bucket=bucket, Key="k", Body=body, **{field: base64.b64encode(digest(b"other")).decode()})
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body


def test_a_wrong_content_md5_is_refused(s3, bucket):
    right = base64.b64encode(hashlib.md5(b"x").digest()).decode()
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ContentMD5=right)
    with refused("BadDigest", 400):
        s3.put_object(Bucket=bucket, Key="k", Body=b"y", ContentMD5=right)
    with refused("InvalidDigest", 400):
        s3.put_object(Bucket=bucket, Key="k", Body=b"y", ContentMD5="abc")


def test_ranges(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    for asked, got, shown in (
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=5-100", b"56789", "bytes 5-9/10"),
    ):
        answer = s3.get_object(Bucket=bucket, Key="k", Range=asked)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert (answer["Body"].read(), answer["ContentRange"]) == (got, shown)
    with refused("InvalidRange", 416):
        s3.get_object(Bucket=bucket, Key="k", Range="bytes=10-")


def test_conditions_on_reads_and_writes(s3, bucket):
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    with refused("PreconditionFailed", 412):
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    second = s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=first)["ETag"]
    with refused("PreconditionFailed", 412):
        s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfMatch=first)
    with refused("NoSuchKey", 404):
        s3.put_object(Bucket=bucket, Key="none", Body=b"3", IfMatch=first)
    with refused("304", 304):
        s3.get_object(Bucket=bucket, Key="k", IfNoneMatch=second)
    with refused("PreconditionFailed", 412):
        s3.get_object(Bucket=bucket, Key="k", IfMatch=first)
    modified = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    with refused("304", 304):
        s3.head_object(Bucket=bucket, Key="k", IfModifiedSince=modified)
    assert s3.get_object(Bucket=bucket, Key="k", IfMatch=second)["Body"].read() == b"2"


def test_listing_in_pages_with_prefixes_and_delimiters(s3, bucket):
    keys = sorted([f"a/{n:03}" for n in range(25)] + ["a/sub/1", "b", "z z", "ü"], key=str.encode)
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 10}))
    assert [page["KeyCount"] for page in pages] == [10, 10, 9]
    assert [item["Key"] for page in pages for item in page["Contents"]] == keys
    top = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [prefix["Prefix"] for prefix in top["CommonPrefixes"]] == ["a/"]
    assert [item["Key"] for item in top["Contents"]] == ["b", "z z", "ü"]
    below = s3.list_objects_v2(Bucket=bucket, Prefix="a/", Delimiter="/", StartAfter="a/020")
    assert [item["Key"] for item in below["Contents"]] == [f"a/{n:03}" for n in range(21, 25)]
    assert [prefix["Prefix"] for prefix in below["CommonPrefixes"]] == ["a/sub/"]
    old = list(s3.get_paginator("list_objects").paginate(Bucket=bucket, Prefix="a/", PaginationConfig={"PageSize": 20}))
    assert sum(len(page["Contents"]) for page in old) == 26
    gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys + ["never"]]})
    assert len(gone["Deleted"]) == len(keys) + 1
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_copies_keep_or_replace_metadata(s3, bucket, root):
    s3.put_object(Bucket=bucket, Key="von/ä+", Body=b"x", Metadata={"a": "1"}, ContentType="text/x", Tagging="t=1")
    source = {"Bucket": bucket, "Key": "von/ä+"}
    s3.copy_object(Bucket=bucket, Key="kept", CopySource=source)
    kept = s3.get_object(Bucket=bucket, Key="kept")
    assert (kept["Metadata"], kept["ContentType"], kept["Body"].read()) == ({"a": "1"}, "text/x", b"x")
    assert s3.get_object_tagging(Bucket=bucket, Key="kept")["TagSet"] == [{"Key": "t", "Value": "1"}]
    s3.copy_object(Bucket=bucket, Key="new", CopySource=source, MetadataDirective="REPLACE", Metadata={"b": "2"})
    assert s3.head_object(Bucket=bucket, Key="new")["Metadata"] == {"b": "2"}
    with refused("InvalidRequest", 400):
        s3.copy_object(Bucket=bucket, Key="kept", CopySource={"Bucket": bucket, "Key": "kept"})
    with refused("NoSuchKey", 404):
        s3.copy_object(Bucket=bucket, Key="x", CopySource={"Bucket": bucket, "Key": "none"})


@pytest.mark.parametrize("version", ["as boto3 likes it", "s3v4"])
def test_presigned_urls_work_for_plain_http(root, bucket, version):
    # Left alone, boto3 presigns with Signature Version 2 in us-east-1, to this day.
    s3 = root.client("s3", **({"signature_version": version} if version == "s3v4" else {}))

    def presign(operation, seconds=60, **rest):
        url = s3.generate_presigned_url(operation, {"Bucket": bucket, "Key": "a b/ü"} | rest, ExpiresIn=seconds)
        assert ("X-Amz-Signature=" in url) == (version == "s3v4")
        return url

    status, _, said = fetch(presign("put_object"), "PUT", b"by plain http")
    assert status == 200, said
    typed = presign("put_object", ContentType="text/x", Metadata={"colour": "blue"})
    headers = {"content-type": "text/x"} | ({"x-amz-meta-colour": "blue"} if version == "s3v4" else {})
    status, _, said = fetch(typed, "PUT", b"by plain http", headers)
    assert status == 200, said
    status, _, _ = fetch(typed, "PUT", b"x", headers | {"content-type": "text/y"})
    assert status == 403
    overrides = {"ResponseContentType": "text/plain", "ResponseCacheControl": "no-store"}
    status, headers, said = fetch(presign("get_object", **overrides))
    assert (status, said, headers["content-type"]) == (200, b"by plain http", "text/plain")
    assert headers["cache-control"] == "no-store" and headers["x-amz-meta-colour"] == "blue"
    status, headers, _ = fetch(presign("head_object"), "HEAD")
    assert (status, headers["content-length"], headers["content-type"]) == (200, "13", "text/x")
    status, _, said = fetch(presign("get_object").replace("a%20b", "a%20c"))
    assert status == 403 and b"<Code>SignatureDoesNotMatch</Code>" in said
    short = presign("get_object", seconds=1)
    time.sleep(2.1)
    status, _, said = fetch(short)
    assert status == 403 and b"<Message>Request has expired</Message>" in said
    status, _, said = fetch(f"{root.endpoint}/{bucket}/a%20b/%C3%BC")
    assert status == 403 and b"<Code>AccessDenied</Code>" in said
    status, _, said = fetch(presign("delete_object"), "DELETE")
    assert status == 204


def test_presigned_urls_of_temporary_credentials(root, bucket):
    root.client("s3").put_object(Bucket=bucket, Key="k", Body=b"x")
    session = root.user("ann", allow("sts:AssumeRole")).assume(
        root.role("reader", {"AWS": root.account}, allow("s3:GetObject", on=f"arn:aws:s3:::{bucket}/k"))
    )
    for settings in ({}, {"signature_version": "s3v4"}):
        s3 = session.client("s3", **settings)
        assert fetch(s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"}))[2] == b"x"
        status, _, said = fetch(s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "other"}))
        assert status == 403 and b"assumed-role/reader/session is not authorized to perform: s3:GetObject" in said


def test_errors_that_users_meet(s3, bucket, root):
    with refused("NoSuchKey", 404) as refusal:
        s3.get_object(Bucket=bucket, Key="none")
    assert refusal.message == "The specified key does not exist."
    assert refusal.response["Error"]["Key"] == "none"
    with refused("404", 404):
        s3.head_object(Bucket=bucket, Key="none")
    with refused("NoSuchBucket", 404) as refusal:
        s3.list_objects_v2(Bucket="there-is-no-such-bucket")
    assert refusal.message == "The specified bucket does not exist"
    with refused("404", 404):
        s3.head_bucket(Bucket="there-is-no-such-bucket")
    with refused("InvalidBucketName", 400):
        s3.create_bucket(Bucket="No-Capitals")
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    with refused("BucketNotEmpty", 409):
        s3.delete_bucket(Bucket=bucket)
    s3.delete_object(Bucket=bucket, Key="k")
    s3.delete_object(Bucket=bucket, Key="k")
    s3.delete_bucket(Bucket=bucket)
    s3.get_waiter("bucket_not_exists").wait(Bucket=bucket, WaiterConfig={"Delay": 1})
    with refused("NoSuchBucketPolicy", 404):
        s3.create_bucket(Bucket=bucket)
        s3.get_bucket_policy(Bucket=bucket)


def test_refusals_say_what_was_refused(root, s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    told = "Code", "Message", "Method", "ResourceType"
    message = "The specified method is not allowed against this resource."
    with refused("MethodNotAllowed", 405) as refusal:
        s3.get_object(Bucket=bucket, Key="k", VersionId=marker)
    headers = refusal.response["ResponseMetadata"]["HTTPHeaders"]
    assert (headers["allow"], headers["x-amz-delete-marker"], headers["x-amz-version-id"]) == ("DELETE", "true", marker)
    assert "last-modified" in headers
    error = dict(zip(told, ("MethodNotAllowed", message, "GET", "DeleteMarker"), strict=True))
    assert refusal.response["Error"] == error
    with refused("405", 405) as refusal:
        s3.head_object(Bucket=bucket, Key="k", VersionId=marker)
    assert refusal.response["ResponseMetadata"]["HTTPHeaders"]["allow"] == "DELETE"
    with refused("MethodNotAllowed", 405) as refusal:
        s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": []})
    assert refusal.response["Error"] == error | {"Method": "PUT"}
    with refused("InvalidTag", 400) as refusal:
        s3.put_object(Bucket=bucket, Key="k", Tagging="aws:a=b")
    message = "Your TagKey cannot be prefixed with aws:"
    assert refusal.response["Error"] == {"Code": "InvalidTag", "Message": message, "TagKey": "aws:a"}
    for path, kind in (f"{bucket}/k", b"OBJECT"), (bucket, b"BUCKET"):
        request = AWSRequest("PATCH", f"{root.endpoint}/{path}")
        S3SigV4QueryAuth(Credentials(root.key, root.secret), "s3", REGION, expires=60).add_auth(request)
        status, _, body = fetch(request.url, "PATCH")
        assert status == 405 and b"<Method>PATCH</Method><ResourceType>" + kind + b"</ResourceType>" in body, body


def test_a_bucket_in_the_host_name(root, bucket, cloud, monkeypatch):
    resolve = socket.getaddrinfo

    def resolve_as_browsers_do(host, *arguments, **rest):
        return resolve("127.0.0.1" if str(host).endswith(".localhost") else host, *arguments, **rest)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_as_browsers_do)
    endpoint = f"http://s3.localhost:{cloud.port}"
    virtual = root.client("s3", endpoint_url=endpoint, s3={"addressing_style": "virtual"})
    virtual.put_object(Bucket=bucket, Key="by/ä host", Body=b"x")
    assert root.client("s3").get_object(Bucket=bucket, Key="by/ä host")["Body"].read() == b"x"
    assert [item["Key"] for item in virtual.list_objects_v2(Bucket=bucket)["Contents"]] == ["by/ä host"]
    for settings in ({}, {"signature_version": "s3v4"}):
        presigner = root.client("s3", endpoint_url=endpoint, s3={"addressing_style": "virtual"}, **settings)
        url = presigner.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "by/ä host"})
        assert url.startswith(f"http://{bucket}.s3.localhost:") and fetch(url)[2] == b"x"


def test_the_resource_interface(root, bucket):
    handle = root.resource("s3").Bucket(bucket)
    handle.Object("one").put(Body=b"1")
    handle.upload_fileobj(io.BytesIO(b"2"), "two")
    assert [(item.key, item.size) for item in handle.objects.all()] == [("one", 1), ("two", 1)]
    handle.objects.filter(Prefix="o").delete()
    assert [item.key for item in handle.objects.all()] == ["two"]
    found = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]}
    answer = root.client("s3").get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    assert answer["Rules"][0]["ApplyServerSideEncryptionByDefault"] == found["Rules"][0]["ApplyServerSideEncryptionByDefault"]


def test_events_reach_a_queue(root, s3, bucket):
    sqs = root.client("sqs")
    url = sqs.create_queue(QueueName="events")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{root.account}:events"
    wanted = {"QueueConfigurations": [{
        "QueueArn": arn, "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "in/"}]}},
    }]}  # fmt: skip
    with refused("InvalidArgument", 400) as refusal:
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=wanted)
    assert refusal.message == "Unable to validate the following destination configurations"
    may = dict(Effect="Allow", Principal={"Service": "s3.amazonaws.com"}, Action="sqs:SendMessage", Resource=arn)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(may)})
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=wanted)
    s3.put_object(Bucket=bucket, Key="out/1", Body=b"x")
    s3.put_object(Bucket=bucket, Key="in/ä b", Body=b"xyz")
    s3.delete_object(Bucket=bucket, Key="in/ä b")
    bodies = [json.loads(message["Body"]) for message in receive_all(sqs, url, 3)]
    assert any(body.get("Event") == "s3:TestEvent" for body in bodies)
    records = {body["Records"][0]["eventName"]: body["Records"][0] for body in bodies if "Records" in body}
    assert set(records) == {"ObjectCreated:Put", "ObjectRemoved:Delete"}
    made = records["ObjectCreated:Put"]["s3"]
    assert made["object"]["key"] == "in/%C3%A4+b" and made["object"]["size"] == 3
    assert made["bucket"] == {
        "name": bucket, "arn": f"arn:aws:s3:::{bucket}", "ownerIdentity": made["bucket"]["ownerIdentity"],
    }  # fmt: skip


@pytest.mark.parametrize("size", [0, 20, 300_000])
def test_forms_upload_what_their_policy_allows(s3, bucket, size):
    conditions = [["content-length-range", 0, 300_000], ["starts-with", "$x-amz-meta-colour", "r"]]
    fields = {"x-amz-meta-colour": "red", "success_action_status": "201"}
    conditions.append({"success_action_status": "201"})
    form = s3.generate_presigned_post(bucket, "in/${filename}", Fields=fields, Conditions=conditions)
    body = os.urandom(size)

    def send(fields, body=body):
        http = urllib3.PoolManager()
        parts = list(fields.items()) + [("file", ("a b.bin", body))]
        return http.request("POST", form["url"], fields=parts, redirect=False)

    answer = send(form["fields"])
    assert answer.status == 201, answer.data
    assert b"<Key>in/a b.bin</Key>" in answer.data
    # Slashes are encoded here, and what need not be is not.
    assert answer.headers["location"].endswith(f"/{bucket}/in%2Fa%20b.bin")
    assert answer.headers["x-amz-server-side-encryption"] == "AES256"
    assert answer.headers["x-amz-request-id"] and answer.headers["x-amz-id-2"]
    found = s3.get_object(Bucket=bucket, Key="in/a b.bin")
    assert found["Body"].read() == body
    assert found["Metadata"] == {"colour": "red"}
    assert send(form["fields"], b"x" * 300_001).status == 400
    signature = next(name for name in form["fields"] if name.endswith("signature"))
    for changed in ({"x-amz-meta-colour": "blue"}, {"x-amz-meta-more": "m"}, {signature: "0"}):
        answer = send({**form["fields"], **changed})
        assert answer.status == 403, answer.data
    policy = form["fields"]["policy"].encode()
    assert b"<StringToSign>" + policy + b"</StringToSign><SignatureProvided>0</SignatureProvided>" in answer.data


def test_forms_lock_what_they_upload(root, s3):
    bucket = f"locked-{root.account}"
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    until = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(days=1)
    fields = {
        "x-amz-object-lock-mode": "GOVERNANCE",
        "x-amz-object-lock-retain-until-date": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    conditions = [{name: value} for name, value in fields.items()]
    form = s3.generate_presigned_post(bucket, "locked", Fields=fields, Conditions=conditions)
    parts = [*form["fields"].items(), ("file", ("a", b"body"))]
    answer = urllib3.PoolManager().request("POST", form["url"], fields=parts)
    assert answer.status == 204, answer.data
    found = s3.head_object(Bucket=bucket, Key="locked", VersionId=answer.headers["x-amz-version-id"])
    assert (found["ObjectLockMode"], found["ObjectLockRetainUntilDate"]) == ("GOVERNANCE", until)


@pytest.mark.parametrize("value", ["Basic dTpw", "Bearer token"])
def test_tokens_of_other_kinds_are_no_signatures(s3, bucket, value):
    url = f"{s3.meta.endpoint_url}/{bucket}/k"
    answer = urllib3.PoolManager().request("GET", url, headers={"Authorization": value})
    assert answer.status == 400, answer.data
    assert b"<Code>InvalidArgument</Code><Message>Unsupported Authorization Type</Message>" in answer.data
    assert f"<ArgumentValue>{value}</ArgumentValue>".encode() in answer.data
