"""Replication of buckets, as boto3 meets it."""

import io
import json
import os
import uuid

import pytest
from boto3.s3.transfer import TransferConfig
from support import Caller, allow, eventually, policy, receive_all, refused

MIB = 1024 * 1024
S3 = {"Service": "s3.amazonaws.com"}
NEEDED = [
    "s3:GetReplicationConfiguration", "s3:ListBucket", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl",
    "s3:GetObjectVersionTagging", "s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags",
]  # fmt: skip


def versioned(caller, name, region=None, **more):
    """Creates a bucket that keeps versions."""
    s3 = caller.client("s3")
    if region:
        more["CreateBucketConfiguration"] = {"LocationConstraint": region}
    s3.create_bucket(Bucket=name, **more)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def rule(to, priority=1, **more):
    return {
        "ID": f"to-{to}", "Status": "Enabled", "Priority": priority, "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": {"Status": "Enabled"}, "Destination": {"Bucket": f"arn:aws:s3:::{to}"},
    } | more  # fmt: skip


@pytest.fixture
def s3(root):
    return root.client("s3")


@pytest.fixture
def role(root):
    return root.role("copier", S3, allow(*NEEDED))


@pytest.fixture
def pair(root):
    return versioned(root, f"from-{root.account}"), versioned(root, f"to-{root.account}", "eu-central-1")


def status(s3, bucket, key, **more):
    return s3.head_object(Bucket=bucket, Key=key, **more).get("ReplicationStatus")


def settled(s3, bucket, key, **more):
    """The status of a version in the end."""
    eventually(lambda: status(s3, bucket, key, **more) != "PENDING")
    return status(s3, bucket, key, **more)


def test_what_is_written_lies_in_another_region_too(root, s3, role, pair):
    source, copies = pair
    wanted = {"Role": role, "Rules": [rule(copies)]}
    s3.put_bucket_replication(Bucket=source, ReplicationConfiguration=wanted)
    assert s3.get_bucket_replication(Bucket=source)["ReplicationConfiguration"] == wanted
    small = s3.put_object(
        Bucket=source, Key="small", Body=b"hello", Metadata={"a": "b"}, Tagging="k=v", ContentType="text/plain",
        ChecksumAlgorithm="SHA256", CacheControl="no-cache",
    )  # fmt: skip
    body = os.urandom(20 * MIB + 5)
    s3.upload_fileobj(io.BytesIO(body), source, "ä large", Config=TransferConfig(multipart_chunksize=8 * MIB))
    s3.copy_object(Bucket=source, Key="copied", CopySource={"Bucket": source, "Key": "small"})
    for key in ("small", "ä large", "copied"):
        assert settled(s3, source, key) == "COMPLETED"
        one, two = (s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED") for bucket in (source, copies))
        assert two.pop("ReplicationStatus") == "REPLICA" and one.pop("ReplicationStatus") == "COMPLETED"
        for answer in (one, two):
            answer.pop("ResponseMetadata")
        assert one == two
    assert s3.get_object(Bucket=copies, Key="ä large")["Body"].read() == body
    assert s3.get_object(Bucket=copies, Key="small", VersionId=small["VersionId"])["Body"].read() == b"hello"
    s3.put_object_tagging(Bucket=source, Key="small", Tagging={"TagSet": [{"Key": "k", "Value": "w"}]})
    assert settled(s3, source, "small") == "COMPLETED"
    assert s3.get_object_tagging(Bucket=copies, Key="small")["TagSet"] == [{"Key": "k", "Value": "w"}]
    marker = s3.delete_object(Bucket=source, Key="small")["VersionId"]
    eventually(lambda: s3.list_object_versions(Bucket=copies).get("DeleteMarkers"))
    assert s3.list_object_versions(Bucket=copies)["DeleteMarkers"][0]["VersionId"] == marker
    s3.delete_object(Bucket=source, Key="ä large", VersionId=s3.head_object(Bucket=source, Key="ä large")["VersionId"])
    s3.put_object(Bucket=source, Key="last", Body=b"")
    assert settled(s3, source, "last") == "COMPLETED"
    assert s3.get_object(Bucket=copies, Key="ä large")["Body"].read() == body
    s3.delete_bucket_replication(Bucket=source)
    with refused("ReplicationConfigurationNotFoundError", 404):
        s3.get_bucket_replication(Bucket=source)


def test_rules_that_cannot_be_are_refused(root, s3, role, pair):
    source, copies = pair
    plain = f"plain-{root.account}"
    s3.create_bucket(Bucket=plain)

    def put(*rules, bucket=source):
        configuration = {"Role": role, "Rules": list(rules)}
        s3.put_bucket_replication(Bucket=bucket, ReplicationConfiguration=configuration)

    for bucket, given, message in [
        (plain, rule(copies), "Versioning must be 'Enabled' on the bucket to apply a replication configuration"),
        (source, rule(plain), "Destination bucket must have versioning enabled."),
        (source, rule(f"none-{root.account}"), "Destination bucket must exist."),
        (source, rule(source), "Destination bucket cannot be the same as the source bucket."),
    ]:
        with refused("InvalidRequest", 400) as refusal:
            put(given, bucket=bucket)
        assert refusal.message == message
    with refused("MalformedXML", 400):
        put(rule(copies, ExistingObjectReplication={"Status": "Enabled"}))
    old = {"Prefix": "a", "Status": "Enabled", "Destination": {"Bucket": f"arn:aws:s3:::{copies}"}}
    put(old)
    shown = s3.get_bucket_replication(Bucket=source)["ReplicationConfiguration"]["Rules"][0]
    assert shown.pop("ID") and shown == old
    with refused("InvalidBucketState", 409):
        s3.put_bucket_versioning(Bucket=source, VersioningConfiguration={"Status": "Suspended"})
    ada = root.user("ada", allow("s3:PutReplicationConfiguration"))
    with refused("AccessDenied", 403) as refusal:
        configuration = {"Role": role, "Rules": [old]}
        ada.client("s3").put_bucket_replication(Bucket=source, ReplicationConfiguration=configuration)
    assert "iam:PassRole" in refusal.message


def test_another_account_decides_whether_it_takes_copies(root, other, s3, role):
    source = versioned(root, f"from-{root.account}")
    theirs = versioned(other, f"to-{other.account}")
    destination = {"Bucket": f"arn:aws:s3:::{theirs}", "Account": other.account, "Metrics": {"Status": "Enabled"}}
    wanted = {"Role": role, "Rules": [rule(theirs, Destination=destination)]}
    s3.put_bucket_replication(Bucket=source, ReplicationConfiguration=wanted)
    sqs = root.client("sqs")
    url = sqs.create_queue(QueueName="failures")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{root.account}:failures"
    may = dict(Effect="Allow", Principal=S3, Action="sqs:SendMessage", Resource=arn)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(may)})
    heard = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:Replication:OperationFailedReplication"]}]}
    s3.put_bucket_notification_configuration(Bucket=source, NotificationConfiguration=heard)
    s3.put_object(Bucket=source, Key="refused", Body=b"x")
    assert settled(s3, source, "refused") == "FAILED"
    bodies = [json.loads(message["Body"]) for message in receive_all(sqs, url, 2)]
    [event] = [body["Records"][0] for body in bodies if "Records" in body]
    assert event["eventName"] == "Replication:OperationFailedReplication" and event["eventVersion"] == "2.2"
    assert event["replicationEventData"]["failureReason"] == "DstPutObjectNotPermitted"
    takes = dict(
        Effect="Allow", Principal={"AWS": role}, Action=["s3:ReplicateObject", "s3:ReplicateDelete"],
        Resource=f"arn:aws:s3:::{theirs}/*",
    )  # fmt: skip
    other.client("s3").put_bucket_policy(Bucket=theirs, Policy=policy(takes))
    s3.put_object(Bucket=source, Key="taken", Body=b"x")
    assert settled(s3, source, "taken") == "COMPLETED"
    assert other.client("s3").get_object(Bucket=theirs, Key="taken")["ReplicationStatus"] == "REPLICA"


def test_keys_of_kms_encrypt_copies_anew(root, s3, role, pair):
    source, copies = pair
    ours = root.client("kms").create_key()["KeyMetadata"]["Arn"]
    eu = Caller(root.endpoint, root.account, root.key, root.secret)
    theirs = eu.client("kms", region_name="eu-central-1").create_key()["KeyMetadata"]["Arn"]
    root.client("iam").put_role_policy(
        RoleName="copier", PolicyName="keys",
        PolicyDocument=policy(allow("kms:Decrypt", on=ours), allow("kms:Encrypt", on=theirs)),
    )  # fmt: skip
    destination = {"Bucket": f"arn:aws:s3:::{copies}", "EncryptionConfiguration": {"ReplicaKmsKeyID": theirs}}
    criteria = {"SseKmsEncryptedObjects": {"Status": "Enabled"}}
    given = rule(copies, Destination=destination, SourceSelectionCriteria=criteria)
    s3.put_bucket_replication(Bucket=source, ReplicationConfiguration={"Role": role, "Rules": [given]})
    body = os.urandom(9 * MIB)
    extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": ours}
    s3.upload_fileobj(io.BytesIO(body), source, "a", ExtraArgs=extra, Config=TransferConfig(multipart_chunksize=5 * MIB))
    assert settled(s3, source, "a") == "COMPLETED"
    told = s3.get_object(Bucket=copies, Key="a")
    assert told["SSEKMSKeyId"] == theirs and told["Body"].read() == body
    assert told["ETag"] == s3.head_object(Bucket=source, Key="a")["ETag"]


def test_what_waits_is_copied_after_a_kill(start):
    server = start()
    root = Caller(server.endpoint, "222200000031", "222200000031", "test")
    s3 = root.client("s3")
    role = root.role("copier", S3, allow(*NEEDED))
    source = versioned(root, f"from-{uuid.uuid4().hex[:8]}")
    copies = [versioned(root, f"to{number}-{uuid.uuid4().hex[:8]}") for number in range(2)]
    rules = [rule(name, priority) for priority, name in enumerate(copies)]
    s3.put_bucket_replication(Bucket=source, ReplicationConfiguration={"Role": role, "Rules": rules})
    body = os.urandom(300_000)
    ids = {}
    for number in range(60):
        key = f"k{number % 20}"
        written = s3.put_object(Bucket=source, Key=key, Body=body[: number * 5000])
        ids[key] = written["VersionId"]
        if number in (20, 40):
            server.kill()
            server.start()
    server.kill()
    server.start()
    for key, version in ids.items():
        assert settled(s3, source, key, VersionId=version) == "COMPLETED"
    shown = [
        (item["Key"], item["VersionId"], item["ETag"], item["Size"], item["IsLatest"], item["LastModified"])
        for item in s3.list_object_versions(Bucket=source)["Versions"]
    ]
    assert len(shown) == 60
    for version in shown:
        assert settled(s3, source, version[0], VersionId=version[1]) == "COMPLETED"
    for bucket in copies:
        listed = s3.list_object_versions(Bucket=bucket)["Versions"]
        assert shown == [
            (item["Key"], item["VersionId"], item["ETag"], item["Size"], item["IsLatest"], item["LastModified"])
            for item in listed
        ]
