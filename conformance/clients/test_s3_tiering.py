"""Intelligent tiering of S3, as boto3 meets it, by a clock that moves."""

import json
import subprocess

import pytest
from support import Caller, allow, eventually, policy, refused

LARGE = b"x" * (128 << 10)


@pytest.fixture(scope="module")
def server(start):
    """A server of its own, since everybody's clock is changed."""
    return start("--ephemeral")


@pytest.fixture
def root(server):
    return Caller(server.endpoint, "000000000000", "test", "test")


@pytest.fixture
def pass_time(binary, root):
    def advance(span):
        done = subprocess.run([binary, "clock", "advance", span], env=root.environment(), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    return advance


def test_what_nobody_reads_is_archived_and_comes_back(root, pass_time):
    s3, sqs = root.client("s3"), root.client("sqs")
    s3.create_bucket(Bucket="tiers")
    queue = sqs.create_queue(QueueName="tiers")["QueueUrl"]
    arn = "arn:aws:sqs:us-east-1:000000000000:tiers"
    sends = allow("sqs:SendMessage", on=arn, Principal={"Service": "s3.amazonaws.com"})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy(sends)})
    s3.put_bucket_notification_configuration(
        Bucket="tiers",
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:IntelligentTiering", "s3:ObjectRestore:*"]}]
        },
    )
    s3.put_bucket_intelligent_tiering_configuration(
        Bucket="tiers",
        Id="cold",
        IntelligentTieringConfiguration={
            "Id": "cold",
            "Status": "Enabled",
            "Filter": {"Prefix": "in/"},
            "Tierings": [{"Days": 90, "AccessTier": "ARCHIVE_ACCESS"}],
        },
    )
    for key in ("in/idle", "in/read", "out/idle"):
        s3.put_object(Bucket="tiers", Key=key, Body=LARGE, StorageClass="INTELLIGENT_TIERING")
    pass_time("50d")
    assert s3.get_object(Bucket="tiers", Key="in/read")["Body"].read() == LARGE
    pass_time("41d")
    head = eventually(lambda: (found := s3.head_object(Bucket="tiers", Key="in/idle")).get("ArchiveStatus") and found)
    assert (head["ArchiveStatus"], head["StorageClass"]) == ("ARCHIVE_ACCESS", "INTELLIGENT_TIERING")
    for key in ("in/read", "out/idle"):
        assert "ArchiveStatus" not in s3.head_object(Bucket="tiers", Key=key)
        assert s3.get_object(Bucket="tiers", Key=key)["Body"].read() == LARGE
    with refused("InvalidObjectState", 403) as refusal:
        s3.get_object(Bucket="tiers", Key="in/idle")
    error = refusal.response["Error"]
    assert (error["StorageClass"], error["AccessTier"]) == ("INTELLIGENT_TIERING", "ARCHIVE_ACCESS")
    request = {"GlacierJobParameters": {"Tier": "Expedited"}}
    s3.restore_object(Bucket="tiers", Key="in/idle", RestoreRequest=request)
    assert s3.head_object(Bucket="tiers", Key="in/idle")["Restore"] == 'ongoing-request="true"'
    with refused("RestoreAlreadyInProgress", 409):
        s3.restore_object(Bucket="tiers", Key="in/idle", RestoreRequest=request)
    pass_time("6m")
    assert s3.get_object(Bucket="tiers", Key="in/idle")["Body"].read() == LARGE
    seen = {}

    def all_told():
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            for record in json.loads(message["Body"]).get("Records", []):
                seen[record["eventName"]] = record
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return {"IntelligentTiering", "ObjectRestore:Post", "ObjectRestore:Completed"} <= set(seen)

    eventually(all_told)
    told = seen["IntelligentTiering"]
    assert told["intelligentTieringEventData"] == {"destinationAccessTier": "ARCHIVE_ACCESS"}
    assert told["s3"]["object"]["key"] == "in/idle"
    with refused("InvalidObjectState", 403):
        s3.restore_object(Bucket="tiers", Key="in/idle", RestoreRequest=request)
