"""The cloud's clock, moved under the eyes of unmodified clients."""

import json
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from support import Caller, allow, refused

ACCOUNT = "000000000000"


@pytest.fixture
def cloud(start):
    """A server of one's own: whoever moves the clock moves it for everybody."""
    server = start("--ephemeral")
    yield server
    print(f"\nThe end of Fogbank's log:\n{server.tail()}")


@pytest.fixture
def root(cloud):
    """The root of the cloud's own account."""
    return Caller(cloud.endpoint, ACCOUNT, "test", "test")


def status(url):
    """The status of an answer to a GET."""
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def eventually(what, seconds=20):
    """Waits until it is so."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it did not come to pass"
        time.sleep(0.05)


def test_a_message_is_visible_again_when_the_clock_says_so(root, clock):
    sqs = root.client("sqs")
    url = sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "3600"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="work")
    sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=900)
    bodies = lambda: sorted(m["Body"] for m in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []))
    assert bodies() == ["work"]
    assert bodies() == []
    clock("advance", "15m")
    assert bodies() == ["later"]
    clock("advance", "1h")
    assert bodies() == ["later", "work"]


def test_a_long_poll_ends_while_the_clock_stands_still(root, clock):
    sqs = root.client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    assert clock("freeze")["state"] == "frozen"
    before = time.monotonic()
    assert "Messages" not in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)
    assert time.monotonic() - before >= 1


def test_a_message_sent_before_the_clock_went_back_comes(root, clock):
    sqs = root.client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    clock("advance", "3d")
    sqs.send_message(QueueUrl=url, MessageBody="from the future")
    answer = clock("reset")
    assert 3 * 86400 - 60 < answer["went_back_secs"] < 3 * 86400 + 60 and "Time went back" in answer["note"]
    got = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    assert [message["Body"] for message in got] == ["from the future"]


def test_items_expire_when_the_clock_says_so(root, clock):
    dynamodb = root.client("dynamodb")
    dynamodb.create_table(
        TableName="items",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    dynamodb.update_time_to_live(TableName="items", TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"})
    key = {"id": {"S": "a"}}
    dynamodb.put_item(TableName="items", Item=key | {"until": {"N": str(int(time.time()) + 3600)}})
    there = lambda: "Item" in dynamodb.get_item(TableName="items", Key=key)
    clock("advance", "59m")
    assert there()
    clock("advance", "2m")
    eventually(lambda: not there())


def test_presigned_urls_expire_when_the_clock_says_so(root, clock):
    s3 = root.client("s3", signature_version="s3v4")
    s3.create_bucket(Bucket="presigned")
    s3.put_object(Bucket="presigned", Key="k", Body=b"hello")
    sign = lambda: s3.generate_presigned_url("get_object", Params={"Bucket": "presigned", "Key": "k"}, ExpiresIn=3600)
    before = sign()
    assert status(before) == 200
    clock("advance", "2h")
    assert status(before) == 403
    after = sign()
    assert status(after) == 200
    clock("freeze")
    frozen = sign()
    clock("advance", "59m")
    assert status(frozen) == 200 and status(after) == 200
    clock("advance", "2m")
    assert status(frozen) == 403 and status(after) == 403


def test_sessions_end_when_the_clock_says_so(root, clock):
    role = root.role("worker", {"AWS": ACCOUNT}, allow("sqs:ListQueues"))
    session = root.assume(role)
    session.client("sqs").list_queues()
    clock("advance", "59m")
    session.client("sqs").list_queues()
    clock("advance", "2m")
    with refused("ExpiredToken", 403):
        session.client("sts").get_caller_identity()
    root.assume(role).client("sqs").list_queues()


def test_conditions_see_the_clock(root, clock):
    until = {"DateLessThan": {"aws:CurrentTime": "2040-01-01T00:00:00Z"}}
    user = root.user("ann", allow("sqs:ListQueues", Condition=until))
    user.client("sqs").list_queues()
    clock("freeze", "2040-01-01")
    with refused("AccessDenied", 403):
        user.client("sqs").list_queues()


def test_a_clock_that_runs_fast(root, clock):
    sqs = root.client("sqs")
    url = sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "600"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="work")
    assert len(sqs.receive_message(QueueUrl=url)["Messages"]) == 1
    assert clock("scale", "600")["rate"] == 600
    # Ten minutes of this clock are a second of the poller's.
    assert len(sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]) == 1
    shown = clock("scale", "1")
    assert shown["state"] == "shifted" and shown["lead_secs"] > 500


def test_a_restart_goes_on_with_the_clock(binary, start):
    server = start()
    root = Caller(server.endpoint, ACCOUNT, "test", "test")
    run = lambda *arguments: json.loads(
        subprocess.run(
            [binary, "clock", *arguments, "--json"], env=root.environment(), capture_output=True, text=True, check=True
        ).stdout
    )
    run("advance", "3d")
    server.kill()
    server.start()
    assert run()["lead_secs"] == 3 * 86400
    assert "ahead" not in run()["state"] and run()["state"] == "shifted"
    # The machine's own time stands in the header, from which some SDKs correct themselves.
    answer = root.client("sts").get_caller_identity()["ResponseMetadata"]["HTTPHeaders"]["date"]
    assert str(time.gmtime().tm_year) in answer


def test_only_who_may_moves_the_clock(root, cloud):
    def post(caller, change):
        request = AWSRequest("POST", f"{cloud.endpoint}/_fogbank/clock", data=json.dumps(change))
        SigV4Auth(Credentials(caller.key, caller.secret, caller.token), "fogbank", "eu-west-1").add_auth(request)
        prepared = request.prepare()
        sent = urllib.request.Request(prepared.url, json.dumps(change).encode(), dict(prepared.headers), method="POST")
        try:
            with urllib.request.urlopen(sent) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    ann = root.user("ann", allow("fogbank:ReadClock"))
    code, answer = post(ann, {"advance": "1h"})
    assert code == 403 and answer["error"]["code"] == "AccessDenied"
    assert answer["error"]["message"] == (
        f"User: arn:aws:iam::{ACCOUNT}:user/ann is not authorized to perform: fogbank:SetClock "
        "because no identity-based policy allows the fogbank:SetClock action"
    )
    root.client("iam").attach_user_policy(UserName="ann", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    assert post(ann, {"advance": "1h"})[0] == 200
    for wrong in ({}, [], {"advance": "yesterday"}, {"scale": -1}, {"freeze": "3500-01-01"}, {"advance": "99999w"}):
        code, answer = post(root, wrong)
        assert code == 400 and answer["error"]["message"], (wrong, answer)
