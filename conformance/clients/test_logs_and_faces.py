"""CloudWatch Logs and Rekognition as boto3 uses them."""

import gzip
import io
import json
import os
import time
from pathlib import Path

import pytest
from support import refused


@pytest.fixture
def logs(root):
    return root.client("logs")


def test_events_are_kept_in_order_and_found(logs):
    now = int(time.time() * 1000)
    logs.create_log_group(logGroupName="/app", tags={"a": "1"})
    for stream in ("one", "two"):
        logs.create_log_stream(logGroupName="/app", logStreamName=stream)
        events = [{"timestamp": now + number, "message": f"{stream} {number} ä"} for number in range(30)]
        logs.put_log_events(logGroupName="/app", logStreamName=stream, logEvents=events)
    got = logs.get_log_events(logGroupName="/app", logStreamName="one", startFromHead=True, limit=20)
    assert [event["message"] for event in got["events"]] == [f"one {number} ä" for number in range(20)]
    more = logs.get_log_events(
        logGroupName="/app", logStreamName="one", startFromHead=True, nextToken=got["nextForwardToken"]
    )
    assert [event["message"] for event in more["events"]] == [f"one {number} ä" for number in range(20, 30)]
    last = logs.get_log_events(logGroupName="/app", logStreamName="one", limit=2)["events"]
    assert [event["message"] for event in last] == ["one 28 ä", "one 29 ä"]
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName="/app", filterPattern='"7 ä"', PaginationConfig={"PageSize": 2}
    )
    found = sorted(event["message"] for page in pages for event in page["events"])
    assert found == sorted(f"{stream} {number} ä" for stream in ("one", "two") for number in (7, 17, 27))
    ranged = logs.filter_log_events(logGroupName="/app", startTime=now + 5, endTime=now + 6, logStreamNames=["two"])
    assert [event["message"] for event in ranged["events"]] == ["two 5 ä", "two 6 ä"]


def logs_may_use(account):
    """The key policy that AWS's documentation asks for."""
    principals = {"AWS": f"arn:aws:iam::{account}:root"}, {"Service": "logs.us-east-1.amazonaws.com"}
    actions = ["kms:*"], ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
    group = {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:us-east-1:{account}:log-group:/sealed"}
    conditions = {}, {"ArnEquals": group}
    statements = [
        {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*", "Condition": condition}
        for principal, action, condition in zip(principals, actions, conditions, strict=True)
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def test_a_group_with_a_key(root, logs):
    kms, now = root.client("kms"), int(time.time() * 1000)
    key = kms.create_key(Policy=logs_may_use(root.account))["KeyMetadata"]["Arn"]
    other = kms.create_key()["KeyMetadata"]["Arn"]
    with refused("AccessDeniedException", 400) as refusal:
        logs.create_log_group(logGroupName="/sealed", kmsKeyId=other)
    arn = f"arn:aws:logs:us-east-1:{root.account}:log-group:/sealed"
    assert refusal.message == f"The specified KMS key does not exist or is not allowed to be used with Arn '{arn}'"
    logs.create_log_group(logGroupName="/sealed", kmsKeyId=key)
    (group,) = logs.describe_log_groups(logGroupNamePrefix="/sealed")["logGroups"]
    assert group["kmsKeyId"] == key
    logs.create_log_stream(logGroupName="/sealed", logStreamName="s")
    events = [{"timestamp": now + number, "message": f"{number}"} for number in range(3)]
    logs.put_log_events(logGroupName="/sealed", logStreamName="s", logEvents=events)
    logs.disassociate_kms_key(logGroupName="/sealed")
    logs.associate_kms_key(resourceIdentifier=arn, kmsKeyId=key)
    kms.disable_key(KeyId=key)
    with refused("InvalidParameterException", 400):
        logs.associate_kms_key(logGroupName="/sealed", kmsKeyId=key)
    kms.enable_key(KeyId=key)
    found = logs.filter_log_events(logGroupName="/sealed", filterPattern="1")["events"]
    assert [event["message"] for event in found] == ["1"]
    got = logs.get_log_events(logGroupName="/sealed", logStreamName="s", startFromHead=True)["events"]
    assert [event["message"] for event in got] == ["0", "1", "2"]


def test_events_come_packed_as_agents_send_them(root):
    logs = root.client("logs")
    logs.create_log_group(logGroupName="/packed")
    logs.create_log_stream(logGroupName="/packed", logStreamName="s")

    def pack(request, **_):
        request.headers["Content-Encoding"] = "gzip"
        request.data = gzip.compress(request.data)[sent]

    # The signature covers what is sent.
    logs.meta.events.register_first("before-sign.cloudwatch-logs.PutLogEvents", pack)
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": f"packed {number} ä" * 100} for number in range(100)]
    sent = slice(None)
    logs.put_log_events(logGroupName="/packed", logStreamName="s", logEvents=events)
    got = logs.get_log_events(logGroupName="/packed", logStreamName="s", startFromHead=True)["events"]
    assert [event["message"] for event in got] == [event["message"] for event in events]
    sent = slice(-9)
    with refused("SerializationException", 400):
        logs.put_log_events(logGroupName="/packed", logStreamName="s", logEvents=events)


def test_groups_and_streams(root, logs):
    for number in range(5):
        logs.create_log_group(logGroupName=f"/g/{number}")
    with refused("ResourceAlreadyExistsException", 400):
        logs.create_log_group(logGroupName="/g/1")
    pages = list(logs.get_paginator("describe_log_groups").paginate(
        logGroupNamePrefix="/g/", PaginationConfig={"PageSize": 2}
    ))  # fmt: skip
    assert [group["logGroupName"] for page in pages for group in page["logGroups"]] == [f"/g/{n}" for n in range(5)]
    logs.put_retention_policy(logGroupName="/g/1", retentionInDays=7)
    (group,) = logs.describe_log_groups(logGroupNamePrefix="/g/1")["logGroups"]
    assert group["retentionInDays"] == 7
    assert group["arn"] == f"arn:aws:logs:us-east-1:{root.account}:log-group:/g/1:*"
    with refused("InvalidParameterException", 400):
        logs.put_retention_policy(logGroupName="/g/1", retentionInDays=8)
    logs.delete_log_group(logGroupName="/g/1")
    with refused("ResourceNotFoundException", 400) as refusal:
        logs.create_log_stream(logGroupName="/g/1", logStreamName="s")
    assert refusal.message == "The specified log group does not exist."


@pytest.fixture
def photographs():
    folder = os.environ.get("FOGBANK_TEST_PHOTOS")
    if not folder:
        pytest.skip("SKIPPED: FOGBANK_TEST_PHOTOS is not set; scripts/lib/photos prints the folder")
    return Path(folder)


def test_a_face_is_found_where_it_is(root, photographs):
    faces = root.client("rekognition")
    picture = (photographs / "astronaut.png").read_bytes()
    (face,) = faces.detect_faces(Image={"Bytes": picture}, Attributes=["ALL"])["FaceDetails"]
    box = face["BoundingBox"]
    assert box["Left"] < 224 / 512 < box["Left"] + box["Width"] and box["Top"] < 120 / 512 < box["Top"] + box["Height"]
    assert face["Confidence"] > 90 and "Gender" not in face, "what it cannot know is not invented"
    assert faces.detect_faces(Image={"Bytes": (photographs / "coffee.png").read_bytes()})["FaceDetails"] == []
    bucket = f"photos-{root.account}"
    root.client("s3").create_bucket(Bucket=bucket)
    root.client("s3").upload_fileobj(io.BytesIO(picture), bucket, "ä b.png")
    named = faces.detect_faces(Image={"S3Object": {"Bucket": bucket, "Name": "ä b.png"}})["FaceDetails"]
    assert named[0]["BoundingBox"] == box


def test_pictures_that_cannot_be_read(root):
    faces = root.client("rekognition")
    with refused("InvalidImageFormatException", 400) as refusal:
        faces.detect_faces(Image={"Bytes": b"Dear Sir, this is a letter."})
    assert refusal.message == "Request has invalid image format"
    with refused("InvalidS3ObjectException", 400):
        faces.detect_faces(Image={"S3Object": {"Bucket": "no-such-bucket-anywhere", "Name": "k"}})
    with refused("InvalidParameterException", 400):
        faces.detect_faces(Image={})
