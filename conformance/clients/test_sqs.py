"""SQS as boto3 uses it."""

import hashlib
import json
import threading
import time

import pytest
from support import eventually, receive_all, refused


@pytest.fixture
def sqs(root):
    return root.client("sqs")


@pytest.fixture
def queue(sqs):
    return sqs.create_queue(QueueName="queue")["QueueUrl"]


def test_a_message_and_its_attributes_come_back(sqs, queue):
    body = "Grüße \U0001f30d <&>\t\n"
    attributes = {
        "text": {"DataType": "String", "StringValue": "blue"},
        "number": {"DataType": "Number", "StringValue": "3.14"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    sent = sqs.send_message(QueueUrl=queue, MessageBody=body, MessageAttributes=attributes)
    assert sent["MD5OfMessageBody"] == hashlib.md5(body.encode()).hexdigest()
    (message,) = sqs.receive_message(
        QueueUrl=queue, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"]
    )["Messages"]
    assert (message["MessageId"], message["Body"]) == (sent["MessageId"], body)
    assert message["MessageAttributes"] == attributes
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert "Messages" not in sqs.receive_message(QueueUrl=queue), "it is not visible to others meanwhile"
    sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    (again,) = sqs.receive_message(QueueUrl=queue, MessageSystemAttributeNames=["All"])["Messages"]
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=again["ReceiptHandle"])
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=again["ReceiptHandle"])
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)


def test_a_long_poll_ends_when_a_message_comes(sqs, queue, root):
    begun = time.monotonic()
    timer = threading.Timer(0.5, lambda: root.client("sqs").send_message(QueueUrl=queue, MessageBody="late"))
    timer.start()
    answer = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)
    assert answer["Messages"][0]["Body"] == "late"
    assert 0.4 < time.monotonic() - begun < 15
    timer.join()
    begun = time.monotonic()
    assert "Messages" not in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1)
    assert 0.9 < time.monotonic() - begun < 15


def test_what_cannot_be_processed_goes_to_the_dead_letters(sqs, queue):
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "2"})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": redrive, "VisibilityTimeout": "0"})
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [queue]
    sent = sqs.send_message(QueueUrl=queue, MessageBody="poison")["MessageId"]
    for _ in range(2):
        assert eventually(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"))
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)
    (message,) = receive_all(sqs, dead, 1)
    assert (message["MessageId"], message["Body"]) == (sent, "poison")
    assert message["Attributes"]["DeadLetterQueueSourceArn"].endswith(":queue")


def test_batches_say_what_failed(sqs, queue):
    entries = [{"Id": f"e{number}", "MessageBody": f"body {number}"} for number in range(9)]
    entries.append({"Id": "bad", "MessageBody": "x", "DelaySeconds": 10_000})
    answer = sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    assert {entry["Id"] for entry in answer["Successful"]} == {f"e{number}" for number in range(9)}
    assert [(entry["Id"], entry["SenderFault"]) for entry in answer["Failed"]] == [("bad", True)]
    messages = []
    while len(messages) < 9:
        messages += sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    handles = [{"Id": str(at), "ReceiptHandle": message["ReceiptHandle"]} for at, message in enumerate(messages)]
    changed = sqs.change_message_visibility_batch(
        QueueUrl=queue, Entries=[handle | {"VisibilityTimeout": 60} for handle in handles]
    )
    assert len(changed["Successful"]) == 9
    gone = sqs.delete_message_batch(QueueUrl=queue, Entries=handles + [{"Id": "bad", "ReceiptHandle": "nonsense"}])
    assert len(gone["Successful"]) == 9 and gone["Failed"][0]["Code"] == "ReceiptHandleIsInvalid"
    with refused("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", 400):
        sqs.send_message_batch(QueueUrl=queue, Entries=[entries[0], entries[0]])
    with refused("AWS.SimpleQueueService.EmptyBatchRequest", 400):
        sqs.send_message_batch(QueueUrl=queue, Entries=[])


def test_delays_visibility_and_counts(sqs):
    queue = sqs.create_queue(QueueName="slow", Attributes={"DelaySeconds": "3", "VisibilityTimeout": "3"})["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="at once", DelaySeconds=0)
    sqs.send_message(QueueUrl=queue, MessageBody="later")

    def counts():
        names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "Delayed", "NotVisible")]
        found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        return tuple(int(found[name]) for name in names)

    assert counts() == (1, 1, 0)
    first = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert [message["Body"] for message in first] == ["at once"]
    bodies = [message["Body"] for message in receive_all(sqs, queue, 2)]
    assert sorted(bodies) == ["at once", "later"], "one came after its delay, the other came back"
    assert counts() == (0, 0, 0)


def test_queues_are_listed_in_pages_tagged_purged_and_deleted(sqs, root):
    names = [f"many-{number}" for number in range(5)]
    for name in names:
        url = sqs.create_queue(QueueName=name, tags={"name": name})["QueueUrl"]
    pages = sqs.get_paginator("list_queues").paginate(QueueNamePrefix="many-", PaginationConfig={"PageSize": 2})
    assert [url.rsplit("/", 1)[1] for page in pages for url in page["QueueUrls"]] == names
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"name": "many-4"}
    assert sqs.create_queue(QueueName="many-4")["QueueUrl"] == url
    with refused("QueueAlreadyExists", 400):
        sqs.create_queue(QueueName="many-4", Attributes={"DelaySeconds": "5"})
    sqs.send_message(QueueUrl=url, MessageBody="x")
    sqs.purge_queue(QueueUrl=url)
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    sqs.delete_queue(QueueUrl=url)
    with refused("AWS.SimpleQueueService.NonExistentQueue", 400) as refusal:
        sqs.get_queue_url(QueueName="many-4")
    assert refusal.message == "The specified queue does not exist."
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.send_message(QueueUrl=url, MessageBody="x")


def test_the_resource_interface_and_limits(root, sqs):
    handle = root.resource("sqs").create_queue(QueueName="resource")
    handle.send_message(MessageBody="x" * 1024 * 1024)
    (message,) = handle.receive_messages(WaitTimeSeconds=1)
    assert len(message.body) == 1024 * 1024
    message.delete()
    with refused("InvalidParameterValue", 400) as refusal:
        handle.send_message(MessageBody="x" * (1024 * 1024 + 1))
    assert "Message must be shorter than 1048576 bytes" in refusal.message
    with refused("InvalidMessageContents", 400):
        handle.send_message(MessageBody="\x00")
    with refused("InvalidAttributeName", 400):
        sqs.set_queue_attributes(QueueUrl=handle.url, Attributes={"Colour": "blue"})
