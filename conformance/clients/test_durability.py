"""What was acknowledged is there after `kill -9`."""

import json
import os
import threading
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from support import LAMBDA, Caller, allow, archive, eventually, make_function, policy, receive_all

TABLE = {
    "AttributeDefinitions": [
        {"AttributeName": "id", "AttributeType": "N"},
        {"AttributeName": "state", "AttributeType": "S"},
    ],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "GlobalSecondaryIndexes": [{
        "IndexName": "by-state",
        "KeySchema": [{"AttributeName": "state", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }],
    "BillingMode": "PAY_PER_REQUEST",
}  # fmt: skip
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def durable(start):
    """A server with its state on disk."""
    return start()


def test_everything_acknowledged_survives(durable):
    root = Caller(durable.endpoint, "222200000001", "222200000001", "test")
    s3, db, sqs, sns = (root.client(name) for name in ("s3", "dynamodb", "sqs", "sns"))
    logs, functions, gateway = (root.client(name) for name in ("logs", "lambda", "apigatewayv2"))

    bucket = f"kept-{root.account}"
    s3.create_bucket(Bucket=bucket)
    bodies = {f"k{size}": os.urandom(size) for size in (0, 1, 16_384, 100_000, 5 * MIB)}
    for key, body in bodies.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body, Metadata={"size": str(len(body))})
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=b"p" * 5 * MIB)["ETag"]
    db.create_table(TableName="kept", **TABLE)
    for id in range(20):
        db.put_item(TableName="kept", Item={"id": {"N": str(id)}, "state": {"S": "even" if id % 2 == 0 else "odd"}})
    db.delete_item(TableName="kept", Key={"id": {"N": "0"}})
    queue = sqs.create_queue(QueueName="kept")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{root.account}:kept"
    for number in range(10):
        sqs.send_message(QueueUrl=queue, MessageBody=f"m{number}")
    taken = sqs.receive_message(QueueUrl=queue, VisibilityTimeout=1)["Messages"][0]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=taken["ReceiptHandle"])
    topic = sns.create_topic(Name="kept")["TopicArn"]
    heard = sqs.create_queue(QueueName="heard")["QueueUrl"]
    may = dict(Effect="Allow", Principal={"Service": "sns.amazonaws.com"}, Action="sqs:SendMessage", Resource="*")
    sqs.set_queue_attributes(QueueUrl=heard, Attributes={"Policy": policy(may)})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn.replace(":kept", ":heard"))
    logs.create_log_group(logGroupName="/kept")
    logs.create_log_stream(logGroupName="/kept", logStreamName="s")
    event = {"timestamp": int(time.time() * 1000), "message": "kept"}
    logs.put_log_events(logGroupName="/kept", logStreamName="s", logEvents=[event])
    user = root.user("ann", allow("sqs:ListQueues"))
    role = root.role("kept", LAMBDA, allow("logs:*"))
    session = root.user("bob", allow("sts:*")).assume(root.role("s", {"AWS": root.account}))
    code = archive(app__py="def handler(event, context):\n    return {'statusCode': 200, 'body': 'kept'}\n")
    function = make_function(root, "kept", role, code)
    api = gateway.create_api(Name="kept", ProtocolType="HTTP", Target=function)["ApiId"]
    sns.publish(TopicArn=topic, Message="just before the end")

    durable.kill()
    durable.start()

    for key, body in bodies.items():
        got = s3.get_object(Bucket=bucket, Key=key)
        assert got["Body"].read() == body and got["Metadata"] == {"size": str(len(body))}, key
    parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
    s3.complete_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload=parts)
    assert s3.get_object(Bucket=bucket, Key="parts")["Body"].read() == b"p" * 5 * MIB
    ids = {int(item["id"]["N"]) for item in db.scan(TableName="kept", ConsistentRead=True)["Items"]}
    assert ids == set(range(1, 20))
    even = db.query(
        TableName="kept", IndexName="by-state", KeyConditionExpression="#s = :s",
        ExpressionAttributeNames={"#s": "state"}, ExpressionAttributeValues={":s": {"S": "even"}},
    )  # fmt: skip
    assert {int(item["id"]["N"]) for item in even["Items"]} == set(range(2, 20, 2))
    messages = {message["Body"] for message in receive_all(sqs, queue, 9)}
    assert messages == {f"m{number}" for number in range(10)} - {taken["Body"]}
    # What was published is delivered; twice, if the server died before it had noted that it was.
    for message in receive_all(sqs, heard, 1):
        assert json.loads(message["Body"])["Message"] == "just before the end"
        heard = None
    assert heard is None
    events = logs.get_log_events(logGroupName="/kept", logStreamName="s", startFromHead=True)["events"]
    assert [event["message"] for event in events] == ["kept"]
    assert user.client("sqs").list_queues()["QueueUrls"]
    assert session.client("sts").get_caller_identity()["Account"] == root.account
    answer = json.load(functions.invoke(FunctionName="kept")["Payload"])
    assert answer["body"] == "kept"
    assert gateway.get_api(ApiId=api)["Name"] == "kept"


def test_writers_lose_nothing_when_the_power_goes(durable):
    root = Caller(durable.endpoint, "222200000002", "222200000002", "test")
    bucket = f"rush-{root.account}"
    root.client("s3").create_bucket(Bucket=bucket)
    root.client("dynamodb").create_table(TableName="rush", **TABLE)
    queue = root.client("sqs").create_queue(QueueName="rush")["QueueUrl"]
    acknowledged = {"s3": set(), "dynamodb": set(), "sqs": set()}
    ended = threading.Event()

    def write(service, call):
        client, number = root.client(service), 0
        while not ended.is_set():
            try:
                call(client, number)
            except (BotoCoreError, ClientError):
                return
            acknowledged[service].add(number)
            number += 1

    def put_object(s3, number):
        s3.put_object(Bucket=bucket, Key=str(number), Body=str(number) * 5000)

    def put_item(db, number):
        db.put_item(TableName="rush", Item={"id": {"N": str(number)}})

    def send(sqs, number):
        sqs.send_message(QueueUrl=queue, MessageBody=str(number))

    calls = {"s3": put_object, "dynamodb": put_item, "sqs": send}
    threads = [threading.Thread(target=write, args=pair) for pair in calls.items()]
    for thread in threads:
        thread.start()
    eventually(lambda: min(len(numbers) for numbers in acknowledged.values()) > 25)
    durable.kill()
    ended.set()
    for thread in threads:
        thread.join()
    durable.start()

    s3 = root.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    assert acknowledged["s3"] <= {int(item["Key"]) for page in pages for item in page["Contents"]}
    for number in acknowledged["s3"]:
        assert s3.get_object(Bucket=bucket, Key=str(number))["Body"].read() == (str(number) * 5000).encode()
    pages = root.client("dynamodb").get_paginator("scan").paginate(TableName="rush")
    assert acknowledged["dynamodb"] <= {int(item["id"]["N"]) for page in pages for item in page["Items"]}
    sqs = root.client("sqs")
    got = {int(message["Body"]) for message in receive_all(sqs, queue, len(acknowledged["sqs"]))}
    assert acknowledged["sqs"] <= got
