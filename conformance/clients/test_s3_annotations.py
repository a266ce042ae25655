"""Annotations of objects, and objects that come under another key, through boto3."""

import urllib.request

import pytest
from support import Caller, refused


@pytest.fixture
def s3(root):
    """A client whose bucket nobody else uses."""
    return root.client("s3")


@pytest.fixture
def bucket(s3, root):
    """A bucket with the object `photo`."""
    name = f"annotated-{root.account}"
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="photo", Body=b"a picture")
    return name


def test_annotations_come_and_go(s3, bucket):
    at = {"Bucket": bucket, "Key": "photo"}
    texts = {"ml.labels": '{"cat": 0.9}', "größe": "x" * 20_000, "whole": "y" * (1 << 20)}
    for name, text in texts.items():
        put = s3.put_object_annotation(
            **at, AnnotationName=name, AnnotationPayload=text.encode(), ChecksumAlgorithm="SHA256"
        )
        got = s3.get_object_annotation(**at, AnnotationName=name, ChecksumMode="ENABLED")
        assert got["AnnotationPayload"].read().decode() == text
        assert (got["ETag"], got["ChecksumSHA256"]) == (put["ETag"], put["ChecksumSHA256"])
        assert (put["Key"], put["AnnotationName"]) == ("photo", name)
        assert got["ContentLength"] == len(text)
    listed = s3.list_object_annotations(**at)
    assert [entry["AnnotationName"] for entry in listed["Annotations"]] == sorted(texts)
    assert listed["AnnotationCount"] == 3
    assert listed["Annotations"][0]["ChecksumAlgorithm"] == ["SHA256"]
    pages = []
    token = {}
    while True:
        page = s3.list_object_annotations(**at, MaxAnnotationResults=2, **token)
        pages.append([entry["AnnotationName"] for entry in page["Annotations"]])
        if "NextContinuationToken" not in page:
            break
        token = {"ContinuationToken": page["NextContinuationToken"]}
    assert pages == [sorted(texts)[:2], sorted(texts)[2:]]
    some = s3.list_object_annotations(**at, AnnotationPrefix="ml.")
    assert [entry["AnnotationName"] for entry in some["Annotations"]] == ["ml.labels"]
    gone = s3.delete_object_annotation(**at, AnnotationName="whole")
    assert gone["ResponseMetadata"]["HTTPStatusCode"] == 204
    with refused("NoSuchAnnotation", 404):
        s3.get_object_annotation(**at, AnnotationName="whole")
    with pytest.raises(s3.exceptions.NoSuchAnnotation):
        s3.get_object_annotation(**at, AnnotationName="whole")


@pytest.mark.parametrize(
    ("members", "code", "status"),
    [
        ({"AnnotationName": "aws.x"}, "InvalidAnnotationName", 400),
        ({"AnnotationName": "n" * 513}, "AnnotationNameTooLong", 400),
        ({"Key": "none"}, "NoSuchKey", 404),
        ({"AnnotationPayload": b"\xff"}, "UnsupportedMediaType", 415),
        ({"AnnotationPayload": b""}, "InvalidRequest", 400),
        ({"AnnotationPayload": b"x" * ((1 << 20) + 1)}, "EntityTooLarge", 400),
        ({"ObjectIfMatch": '"0"'}, "PreconditionFailed", 412),
    ],
)
def test_refusals_are_the_models(s3, bucket, members, code, status):
    annotation = {"Bucket": bucket, "Key": "photo", "AnnotationName": "n", "AnnotationPayload": b"x"}
    with refused(code, status):
        s3.put_object_annotation(**annotation | members)


def test_a_page_has_at_most_a_thousand(s3, bucket):
    with refused("InvalidArgument", 400):
        s3.list_object_annotations(Bucket=bucket, Key="photo", MaxAnnotationResults=1001)


def test_a_copy_carries_annotations(s3, bucket):
    s3.put_object_annotation(
        Bucket=bucket, Key="photo", AnnotationName="n", AnnotationPayload=b"text"
    )
    source = {"Bucket": bucket, "Key": "photo"}
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=source)
    s3.copy_object(Bucket=bucket, Key="bare", CopySource=source, AnnotationDirective="EXCLUDE")
    got = s3.get_object_annotation(Bucket=bucket, Key="copy", AnnotationName="n")
    assert got["AnnotationPayload"].read() == b"text"
    assert s3.list_object_annotations(Bucket=bucket, Key="bare")["AnnotationCount"] == 0


def test_presigned_annotations(s3, bucket):
    members = {"Bucket": bucket, "Key": "photo", "AnnotationName": "n"}
    s3.put_object_annotation(**members, AnnotationPayload=b"text")
    url = s3.generate_presigned_url("get_object_annotation", Params=members)
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"text"


def test_an_object_and_its_annotations_come_under_a_key(s3, bucket, root):
    keys = [root.client("kms").create_key()["KeyMetadata"]["Arn"] for _ in range(2)]
    at = {"Bucket": bucket, "Key": "photo"}
    s3.put_object_annotation(**at, AnnotationName="n", AnnotationPayload=b"text")
    before = s3.head_object(**at)
    for key in keys:
        s3.update_object_encryption(**at, ObjectEncryption={"SSEKMS": {"KMSKeyArn": key}})
        after = s3.head_object(**at)
        assert (after["ServerSideEncryption"], after["SSEKMSKeyId"]) == ("aws:kms", key)
        assert [after[name] for name in ("ETag", "LastModified")] == [
            before[name] for name in ("ETag", "LastModified")
        ]
    root.client("kms").disable_key(KeyId=keys[0])
    assert s3.get_object(**at)["Body"].read() == b"a picture"
    got = s3.get_object_annotation(**at, AnnotationName="n")
    assert (got["AnnotationPayload"].read(), got["ServerSideEncryption"]) == (b"text", "aws:kms")
    with refused("InvalidRequest", 400):
        s3.update_object_encryption(
            **at, ObjectEncryption={"SSEKMS": {"KMSKeyArn": "arn:aws:kms:us-east-1:000000000000:alias/x"}}
        )


def test_annotations_survive_kill(start):
    server = start()
    s3 = Caller(server.endpoint, "222200000009", "222200000009", "test").client("s3")
    s3.create_bucket(Bucket="annotated")
    s3.put_object(Bucket="annotated", Key="k", Body=b"x")
    for index in range(20):
        s3.put_object_annotation(
            Bucket="annotated",
            Key="k",
            AnnotationName=f"n{index:02}",
            AnnotationPayload=str(index).encode() * 2000,
        )
    server.kill()
    server.start()
    for index in range(20):
        got = s3.get_object_annotation(Bucket="annotated", Key="k", AnnotationName=f"n{index:02}")
        assert got["AnnotationPayload"].read() == str(index).encode() * 2000
