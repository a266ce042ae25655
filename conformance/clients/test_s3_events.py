"""Every type of event that S3 sends, as a queue hears of it."""

import json
import time

import pytest
import urllib3
from support import advance, allow, eventually, policy, refused

S3 = {"Service": "s3.amazonaws.com"}
EMPTY = "d41d8cd98f00b204e9800998ecf8427e"
ALL = [
    "s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectRestore:*", "s3:ReducedRedundancyLostObject",
    "s3:Replication:*", "s3:LifecycleExpiration:*", "s3:LifecycleTransition", "s3:IntelligentTiering",
    "s3:ObjectAcl:Put", "s3:ObjectTagging:*", "s3:ObjectAnnotation:*", "s3:ObjectRetention:Put",
]  # fmt: skip


class Ear:
    """A queue that hears of all that happens in a bucket."""

    def __init__(self, caller, bucket):
        self.sqs = caller.client("sqs")
        self.url = self.sqs.create_queue(QueueName=bucket)["QueueUrl"]
        self.arn = f"arn:aws:sqs:us-east-1:{caller.account}:{bucket}"
        source = {"ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"}}
        may = allow("sqs:SendMessage", on=self.arn, Principal=S3, Condition=source)
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": policy(may)})
        wanted = {"QueueConfigurations": [{"Id": "all", "QueueArn": self.arn, "Events": ALL}]}
        caller.client("s3").put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=wanted)
        self.known = []
        test = self.wait(lambda message: message.get("Event") == "s3:TestEvent")
        assert set(test) == {"Service", "Event", "Time", "Bucket", "RequestId", "HostId"}
        assert (test["Service"], test["Bucket"]) == ("Amazon S3", bucket)

    def wait(self, is_meant):
        """The first message that is meant; those before are kept for others."""

        def look():
            got = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages", [])
            for message in got:
                self.known.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
            return next((message for message in self.known if is_meant(message)), None)

        found = eventually(look)
        self.known.remove(found)
        return found

    def hear(self, name, key=None):
        """The record of an event, whose common members are as they should be."""

        def is_meant(message):
            [record] = message.get("Records", [{}])
            return record.get("eventName") == name and key in (None, record["s3"]["object"]["key"])

        [record] = self.wait(is_meant)["Records"]
        assert (record["eventSource"], record["awsRegion"]) == ("aws:s3", "us-east-1")
        assert (record["s3"]["s3SchemaVersion"], record["s3"]["configurationId"]) == ("1.0", "all")
        assert set(record["responseElements"]) == {"x-amz-request-id", "x-amz-id-2"}
        assert set(record["s3"]["bucket"]) == {"name", "ownerIdentity", "arn"}
        return record


@pytest.fixture
def bucket(root):
    name = f"events-{root.account}"
    root.client("s3").create_bucket(Bucket=name, ObjectOwnership="ObjectWriter")
    return name


def test_writes_and_removals(root, bucket):
    s3 = root.client("s3")
    ear = Ear(root, bucket)
    ada = root.user("ada", allow("s3:*"))
    put = ada.client("s3").put_object(Bucket=bucket, Key="in/ä b+c", Body=b"hello")
    record = ear.hear("ObjectCreated:Put")
    assert record["eventVersion"] == "2.1" and record["userIdentity"]["principalId"].startswith("AWS:AIDA")
    assert record["requestParameters"] == {"sourceIPAddress": "127.0.0.1"}
    assert record["responseElements"]["x-amz-request-id"] == put["ResponseMetadata"]["RequestId"]
    told = record["s3"]["object"]
    assert told.pop("sequencer") and told == {
        "key": "in/%C3%A4+b%2Bc", "size": 5, "eTag": put["ETag"].strip('"'),
    }  # fmt: skip
    form = s3.generate_presigned_post(bucket, "form")
    status = urllib3.request("POST", form["url"], fields=form["fields"] | {"file": ("f", b"xyz")}).status
    assert status == 204 and ear.hear("ObjectCreated:Post")["s3"]["object"]["size"] == 3
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "form"})
    assert ear.hear("ObjectCreated:Copy")["s3"]["object"]["key"] == "copy"
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    at = dict(Bucket=bucket, Key="parts", UploadId=upload)
    part = s3.upload_part(**at, PartNumber=1, Body=b"part")["ETag"]
    done = s3.complete_multipart_upload(**at, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]})
    told = ear.hear("ObjectCreated:CompleteMultipartUpload")["s3"]["object"]
    assert (told["eTag"], told["size"]) == (done["ETag"].strip('"'), 4)
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "copy"}, {"Key": "parts"}, {"Key": "form"}]})
    for key in ("copy", "parts", "form"):
        told = ear.hear("ObjectRemoved:Delete", key)["s3"]["object"]
        assert set(told) == {"key", "sequencer"}
    # The order of what happens to a key stands in its sequencers.
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    s3.put_object(Bucket=bucket, Key="k", Body=b"22")
    s3.delete_object(Bucket=bucket, Key="k")
    records = [ear.hear("ObjectCreated:Put", "k"), ear.hear("ObjectCreated:Put", "k"), ear.hear("ObjectRemoved:Delete", "k")]
    records.sort(key=lambda record: record["s3"]["object"]["sequencer"])
    assert [record["s3"]["object"].get("size") for record in records] == [1, 2, None]


def test_versions_tags_and_acls(root, bucket):
    s3 = root.client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    ear = Ear(root, bucket)
    version = s3.put_object(Bucket=bucket, Key="a", Body=b"hello")["VersionId"]
    assert ear.hear("ObjectCreated:Put")["s3"]["object"]["versionId"] == version
    s3.put_object_tagging(Bucket=bucket, Key="a", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    s3.delete_object_tagging(Bucket=bucket, Key="a")
    s3.put_object_acl(Bucket=bucket, Key="a", ACL="bucket-owner-full-control")
    for name in ("ObjectTagging:Put", "ObjectTagging:Delete", "ObjectAcl:Put"):
        record = ear.hear(name)
        assert (record["eventVersion"], record["s3"]["object"]["versionId"]) == ("2.3", version)
    marker = s3.delete_object(Bucket=bucket, Key="a")["VersionId"]
    told = ear.hear("ObjectRemoved:DeleteMarkerCreated")["s3"]["object"]
    assert told.pop("sequencer") and told == {"key": "a", "versionId": marker, "eTag": EMPTY}
    s3.delete_object(Bucket=bucket, Key="a", VersionId=version)
    told = ear.hear("ObjectRemoved:Delete")["s3"]["object"]
    assert told.pop("sequencer") and told == {"key": "a", "versionId": version}


def test_retention(root):
    s3 = root.client("s3")
    bucket = f"locked-{root.account}"
    s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    ear = Ear(root, bucket)
    s3.put_object(Bucket=bucket, Key="a", Body=b"hello")
    until = int(time.time()) + 1000
    s3.put_object_retention(Bucket=bucket, Key="a", Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until})
    record = ear.hear("ObjectRetention:Put")
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(until))
    assert record["objectRetentionEventData"] == {"mode": "GOVERNANCE", "retainUntilDate": stamp}


def test_what_s3_does_by_itself(own, binary):
    s3 = own.client("s3")
    s3.create_bucket(Bucket="ages")
    ear = Ear(own, "ages")
    s3.put_object(Bucket="ages", Key="cold", Body=b"hello", StorageClass="GLACIER")
    s3.restore_object(Bucket="ages", Key="cold", RestoreRequest={"Days": 1})
    record = ear.hear("ObjectRestore:Post")
    assert record["eventVersion"] == "2.1" and "glacierEventData" not in record
    advance(binary, own, "6h")
    record = ear.hear("ObjectRestore:Completed")
    assert record["eventVersion"] == "2.1" and record["requestParameters"] == {"sourceIPAddress": "s3.amazonaws.com"}
    assert record["userIdentity"]["principalId"].startswith("AmazonCustomer:")
    data = record["glacierEventData"]["restoreEventData"]
    assert data["lifecycleRestoreStorageClass"] == "GLACIER" and data["lifecycleRestorationExpiryTime"].endswith("T00:00:00.000Z")
    advance(binary, own, "3d")
    assert ear.hear("ObjectRestore:Delete")["eventVersion"] == "2.3"

    def rules(*given):
        filled = [{"Status": "Enabled", "Filter": {"Prefix": ""}} | rule for rule in given]
        s3.put_bucket_lifecycle_configuration(Bucket="ages", LifecycleConfiguration={"Rules": filled})

    s3.put_object(Bucket="ages", Key="move", Body=b"x" * 200_000)
    s3.put_object(Bucket="ages", Key="go", Body=b"x")
    rules(
        {"Filter": {"Prefix": "move"}, "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}]},
        {"Filter": {"Prefix": "go"}, "Expiration": {"Days": 1}},
    )
    advance(binary, own, "32d")
    record = ear.hear("LifecycleTransition")
    assert record["lifecycleEventData"] == {"transitionEventData": {"destinationStorageClass": "STANDARD_IA"}}
    assert (record["eventVersion"], record["userIdentity"]["principalId"]) == ("2.3", "s3.amazonaws.com")
    told = ear.hear("LifecycleExpiration:Delete", "go")["s3"]["object"]
    assert set(told) == {"key", "sequencer"}
    s3.put_bucket_versioning(Bucket="ages", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="ages", Key="go", Body=b"x")
    advance(binary, own, "3d")
    assert ear.hear("LifecycleExpiration:DeleteMarkerCreated", "go")["s3"]["object"]["versionId"]
    # No change by a lifecycle is a removal by a caller.
    assert not [message for message in ear.known if message["Records"][0]["eventName"].startswith("ObjectRemoved")]


def test_destinations_are_held_against_what_they_allow(root, bucket):
    s3, sqs, sns = root.client("s3"), root.client("sqs"), root.client("sns")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{root.account}:q"
    topic = sns.create_topic(Name="t")["TopicArn"]

    def put(wanted, **more):
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=wanted, **more)

    def rule(name, value):
        return {"Key": {"FilterRules": [{"Name": name, "Value": value}]}}

    queue = {"Id": "q", "QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}
    for wanted in (
        {"QueueConfigurations": [queue]},
        {"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectRemoved:Delete"]}]},
        {"QueueConfigurations": [queue | {"QueueArn": f"{arn}-none"}]},
        {"LambdaFunctionConfigurations": [{
            "LambdaFunctionArn": f"arn:aws:lambda:us-east-1:{root.account}:function:none",
            "Events": ["s3:ObjectCreated:Put"],
        }]},
    ):  # fmt: skip
        with refused("InvalidArgument", 400) as refusal:
            put(wanted)
        assert refusal.message == "Unable to validate the following destination configurations"
    put({"QueueConfigurations": [queue]}, SkipDestinationValidation=True)
    shown = s3.get_bucket_notification_configuration(Bucket=bucket)
    assert shown["QueueConfigurations"] == [queue]
    with refused("InvalidArgument", 400) as refusal:
        put({"QueueConfigurations": [queue, queue | {"Id": "r", "Events": ["s3:ObjectCreated:Copy"]}]})
    assert refusal.message.startswith("Configurations overlap.")
    with refused("InvalidArgument", 400) as refusal:
        put({"QueueConfigurations": [queue | {"Filter": rule("prefix", "a")}, queue | {"Id": "r", "Filter": rule("suffix", "b")}]})
    assert refusal.message.startswith("Configuration is ambiguously defined.")
    with refused("InvalidArgument", 400) as refusal:
        put({"QueueConfigurations": [queue | {"QueueArn": arn.replace("us-east-1", "eu-west-1")}]})
    assert refusal.message == "The notification destination service region is not valid for the bucket location constraint"
    # A queue and a topic may share what happens to different keys.
    may = allow("sqs:SendMessage", on=arn, Principal=S3)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(may)})
    may = allow("sns:Publish", on=topic, Principal=S3)
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy(may))
    put({
        "QueueConfigurations": [queue | {"Filter": rule("suffix", ".png")}],
        "TopicConfigurations": [{"Id": "t", "TopicArn": topic, "Events": ["s3:ObjectCreated:*"], "Filter": rule("suffix", ".jpg")}],
        "EventBridgeConfiguration": {},
    })  # fmt: skip
    assert "EventBridgeConfiguration" in s3.get_bucket_notification_configuration(Bucket=bucket)
