"""SNS as boto3 uses it, with a subscriber that speaks HTTP."""

import json
import queue
import threading
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support import LAMBDA, allow, archive, eventually, make_function, policy, receive_all, refused


@pytest.fixture
def sns(root):
    return root.client("sns")


@pytest.fixture
def topic(sns):
    return sns.create_topic(Name="news")["TopicArn"]


def make_queue(root, name, topic=None):
    """A queue, open to the topic; its URL and ARN."""
    sqs = root.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{root.account}:{name}"
    if topic:
        may = dict(
            Effect="Allow",
            Principal={"Service": "sns.amazonaws.com"},
            Action="sqs:SendMessage",
            Resource=arn,
            Condition={"ArnEquals": {"aws:SourceArn": topic}},
        )
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(may)})
    return url, arn


def test_a_topic_with_a_key(root, sns):
    kms = root.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    topic = sns.create_topic(Name="sealed", Attributes={"KmsMasterKeyId": key})["TopicArn"]
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["KmsMasterKeyId"] == key
    url, arn = make_queue(root, "readers", topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    sns.publish(TopicArn=topic, Message="sealed")
    (message,) = receive_all(root.client("sqs"), url, 1)
    assert message["Body"] == "sealed"
    reader = root.user("reader", allow("sns:Publish"), allow("kms:GenerateDataKey")).client("sns")
    with refused("KMSAccessDenied", 400):
        reader.publish(TopicArn=topic, Message="no")
    kms.disable_key(KeyId=key)
    other = root.user("other", allow("sns:Publish", "kms:*")).client("sns")
    with refused("KMSDisabled", 400) as refusal:
        other.publish(TopicArn=topic, Message="no")
    assert refusal.message.startswith(f"{key} is disabled. (Service: AWSKMS; Status Code: 400;")
    sns.set_topic_attributes(TopicArn=topic, AttributeName="KmsMasterKeyId", AttributeValue="alias/none")
    with refused("KMSNotFound", 400):
        other.publish(TopicArn=topic, Message="no")
    sns.set_topic_attributes(TopicArn=topic, AttributeName="KmsMasterKeyId", AttributeValue="alias/aws/sns")
    sns.publish(TopicArn=topic, Message="again")
    (message,) = receive_all(root.client("sqs"), url, 1)
    assert message["Body"] == "again"


def test_a_notification_reaches_a_queue(root, sns, topic):
    url, arn = make_queue(root, "readers", topic)
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
    published = sns.publish(
        TopicArn=topic, Subject="Hello", Message="wörld",
        MessageAttributes={"colour": {"DataType": "String", "StringValue": "blue"}},
    )  # fmt: skip
    (message,) = receive_all(root.client("sqs"), url, 1)
    body = json.loads(message["Body"])
    assert body["Type"] == "Notification" and body["MessageId"] == published["MessageId"]
    assert (body["Subject"], body["Message"], body["TopicArn"]) == ("Hello", "wörld", topic)
    assert body["MessageAttributes"] == {"colour": {"Type": "String", "Value": "blue"}}
    assert body["Signature"] and body["UnsubscribeURL"].endswith(subscription)
    sns.unsubscribe(SubscriptionArn=subscription)
    sns.publish(TopicArn=topic, Message="nobody listens")
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


def test_a_queue_that_does_not_let_the_topic_in_hears_nothing(root, sns, topic):
    closed, closed_arn = make_queue(root, "closed")
    opened, opened_arn = make_queue(root, "open", topic)
    for arn in (closed_arn, opened_arn):
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    sns.publish(TopicArn=topic, Message="x")
    assert len(receive_all(root.client("sqs"), opened, 1)) == 1
    assert "Messages" not in root.client("sqs").receive_message(QueueUrl=closed, WaitTimeSeconds=1)


def test_raw_delivery_and_filter_policies(root, sns, topic):
    rules = {
        "red": {"colour": ["red"]},
        "dear": {"price": [{"numeric": [">=", 100]}]},
        "not-red": {"colour": [{"anything-but": "red"}]},
        "prefix": {"colour": [{"prefix": "bl"}], "price": [{"exists": True}]},
    }
    urls = {}
    for name, rule in rules.items():
        urls[name], arn = make_queue(root, name, topic)
        attributes = {"RawMessageDelivery": "true", "FilterPolicy": json.dumps(rule)}
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
    url, arn = make_queue(root, "body", topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={
        "FilterPolicyScope": "MessageBody", "FilterPolicy": json.dumps({"order": {"state": ["paid"]}}),
    })  # fmt: skip

    def publish(text, colour, price=None):
        attributes = {"colour": {"DataType": "String", "StringValue": colour}}
        if price is not None:
            attributes["price"] = {"DataType": "Number", "StringValue": str(price)}
        sns.publish(TopicArn=topic, Message=text, MessageAttributes=attributes)

    publish("cheap red", "red", 5)
    publish("dear blue", "blue", 100)
    publish("black", "black")
    sns.publish(TopicArn=topic, Message=json.dumps({"order": {"state": "paid"}}))
    wanted = {
        "red": ["cheap red"], "dear": ["dear blue"], "not-red": ["black", "dear blue"], "prefix": ["dear blue"],
    }  # fmt: skip
    sqs = root.client("sqs")
    for name, bodies in wanted.items():
        messages = receive_all(sqs, urls[name], len(bodies))
        assert sorted(message["Body"] for message in messages) == bodies, name
        assert messages[0]["MessageAttributes"]["colour"]["DataType"] == "String"
        assert "Messages" not in sqs.receive_message(QueueUrl=urls[name])
    (message,) = receive_all(sqs, url, 1)
    assert json.loads(json.loads(message["Body"])["Message"]) == {"order": {"state": "paid"}}


@contextmanager
def http_server(statuses=()):
    """An HTTP server for the test; yields its address and a queue of headers and bodies. First it answers `statuses`."""
    heard, answers = queue.Queue(), list(statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            heard.put((self.headers, body.decode()))
            self.send_response(answers.pop(0) if answers else 200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", heard
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_http_endpoint_confirms_and_then_hears(sns, topic):
    with http_server() as (address, heard):
        pending = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=address)["SubscriptionArn"]
        assert pending == "pending confirmation"
        headers, text = heard.get(timeout=20)
        assert headers["x-amz-sns-message-type"] == "SubscriptionConfirmation"
        asked = json.loads(text)
        assert asked["Type"] == "SubscriptionConfirmation" and asked["TopicArn"] == topic
        sns.publish(TopicArn=topic, Message="too early")
        with urllib.request.urlopen(asked["SubscribeURL"]) as answer:
            assert b"<ConfirmSubscriptionResult>" in answer.read()
        sns.publish(TopicArn=topic, Message="now", Subject="s")
        headers, text = heard.get(timeout=20)
        assert headers["x-amz-sns-message-type"] == "Notification" and headers["x-amz-sns-topic-arn"] == topic
        assert json.loads(text)["Message"] == "now"
        shown = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
        assert [(one["Protocol"], one["Endpoint"]) for one in shown] == [("http", address)]
        sns.set_subscription_attributes(
            SubscriptionArn=shown[0]["SubscriptionArn"], AttributeName="RawMessageDelivery", AttributeValue="true"
        )
        sns.publish(TopicArn=topic, Message="raw")
        headers, text = heard.get(timeout=20)
        assert text == "raw" and headers["x-amz-sns-rawdelivery"] == "true"


def test_an_http_endpoint_that_fails_is_tried_again(sns, topic):
    with http_server([200, 500, 503]) as (address, heard):
        sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=address)
        token = json.loads(heard.get(timeout=20)[1])["Token"]
        arn = sns.confirm_subscription(TopicArn=topic, Token=token)["SubscriptionArn"]
        assert arn.startswith(f"{topic}:")
        patience = {"minDelayTarget": 1, "maxDelayTarget": 1, "numRetries": 3}
        sns.set_subscription_attributes(
            SubscriptionArn=arn, AttributeName="DeliveryPolicy",
            AttributeValue=json.dumps({"healthyRetryPolicy": patience}),
        )  # fmt: skip
        sent = sns.publish(TopicArn=topic, Message="persistent")["MessageId"]
        tries = [json.loads(heard.get(timeout=30)[1]) for _ in range(3)]
        assert [one["MessageId"] for one in tries] == [sent] * 3


def test_a_function_hears(root, sns, topic):
    code = archive(app__py="""
import boto3
def handler(event, context):
    record = event["Records"][0]
    boto3.client("sqs").send_message(QueueUrl=record["Sns"]["Subject"], MessageBody=record["Sns"]["Message"])
""")
    url, arn = make_queue(root, "done")
    function = make_function(root, "hear", root.role("hear", LAMBDA, allow("sqs:SendMessage", on=arn)), code, Timeout=20)
    root.client("lambda").add_permission(
        FunctionName="hear", StatementId="sns", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com",
        SourceArn=topic,
    )  # fmt: skip
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function)
    sns.publish(TopicArn=topic, Subject=url, Message="heard")
    (message,) = receive_all(root.client("sqs"), url, 1)
    assert message["Body"] == "heard"


def test_email_lands_in_the_outbox(root, sns, topic):
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=f"{root.account}@example.com")

    def mails():
        with urllib.request.urlopen(f"{root.endpoint}/_fogbank/outbox/email") as answer:
            return [mail for mail in json.load(answer) if mail["to"] == f"{root.account}@example.com"]

    (mail,) = eventually(mails)
    assert mail["topic_arn"] == topic


def test_batches_messages_per_protocol_and_attributes(root, sns, topic):
    url, arn = make_queue(root, "readers", topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    entries = [{"Id": str(number), "Message": f"m{number}"} for number in range(10)]
    assert len(sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)["Successful"]) == 10
    bodies = [message["Body"] for message in receive_all(root.client("sqs"), url, 10)]
    assert sorted(bodies) == sorted(entry["Message"] for entry in entries)
    structure = json.dumps({"default": "d", "sqs": "for queues"})
    sns.publish(TopicArn=topic, Message=structure, MessageStructure="json")
    assert [message["Body"] for message in receive_all(root.client("sqs"), url, 1)] == ["for queues"]
    sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue="The news")
    shown = sns.get_topic_attributes(TopicArn=topic)["Attributes"]
    assert (shown["DisplayName"], shown["Owner"], shown["SubscriptionsConfirmed"]) == ("The news", root.account, "1")
    for number in range(3):
        sns.create_topic(Name=f"t{number}")
    found = [t["TopicArn"] for page in sns.get_paginator("list_topics").paginate() for t in page["Topics"]]
    assert len(found) == 4
    sns.delete_topic(TopicArn=topic)
    with refused("NotFound", 404) as refusal:
        sns.publish(TopicArn=topic, Message="x")
    assert refusal.message == "Topic does not exist"
    with refused("InvalidParameter", 400):
        sns.create_topic(Name="no spaces allowed")
