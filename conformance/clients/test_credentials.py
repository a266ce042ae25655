"""Who may call at all: accounts, keys, secrets, modes."""

import datetime
import json
import re
from dataclasses import replace

import pytest
from support import Caller, allow, eventually, refused

# A cheap call of every service, and how its protocol words a signature that does not match.
CALLS = {
    "apigatewayv2": ("get_apis", "InvalidSignatureException"),
    "dynamodb": ("list_tables", "InvalidSignatureException"),
    "iam": ("list_users", "SignatureDoesNotMatch"),
    "lambda": ("list_functions", "InvalidSignatureException"),
    "logs": ("describe_log_groups", "InvalidSignatureException"),
    "rekognition": ("detect_faces", "InvalidSignatureException"),
    "s3": ("list_buckets", "SignatureDoesNotMatch"),
    "sns": ("list_topics", "SignatureDoesNotMatch"),
    "sqs": ("list_queues", "SignatureDoesNotMatch"),
    "sts": ("get_caller_identity", "SignatureDoesNotMatch"),
}
UNKNOWN_KEY = {
    "s3": ("InvalidAccessKeyId", 403),
    "iam": ("InvalidClientTokenId", 403),
    "sqs": ("InvalidClientTokenId", 403),
    "lambda": ("UnrecognizedClientException", 403),
    "dynamodb": ("UnrecognizedClientException", 400),
}


def call(caller, service):
    """Makes the cheap call."""
    arguments = {"Image": {"Bytes": b"x"}} if service == "rekognition" else {}
    return getattr(caller.client(service), CALLS[service][0])(**arguments)


@pytest.mark.parametrize("service", CALLS)
def test_a_wrong_secret_is_refused(cloud, service):
    liar = Caller(cloud.endpoint, "000000000000", "test", "guess")
    with refused(CALLS[service][1]) as refusal:
        call(liar, service)
    assert "signature" in refusal.message


@pytest.mark.parametrize("service", UNKNOWN_KEY)
def test_a_key_that_nobody_created_is_refused_and_the_log_says_what_would_help(cloud, service):
    stranger = Caller(cloud.endpoint, "", f"AKIAUNKNOWN{service.upper()}", "anything")
    with refused(*UNKNOWN_KEY[service]):
        call(stranger, service)
    said = eventually(lambda: [line for line in cloud.text().splitlines() if stranger.key in line])
    assert "--accept-any-credentials would allow it" in said[0]


@pytest.mark.parametrize("service", ["s3", "dynamodb", "sns"])
def test_a_clock_that_is_wrong_is_refused(root, service, monkeypatch):
    def slow(remove_tzinfo=True):
        late = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=20)
        return late.replace(tzinfo=None) if remove_tzinfo else late

    client = root.client(service)
    monkeypatch.setattr("botocore.auth.get_current_datetime", slow)
    code = {"s3": "RequestTimeTooSkewed", "dynamodb": "InvalidSignatureException"}
    with refused(code.get(service, "SignatureDoesNotMatch")):
        getattr(client, CALLS[service][0])()


def test_twelve_digits_are_an_account_and_accounts_are_apart(root, other):
    for caller in (root, other):
        assert caller.client("sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{caller.account}:root"
    definition = {
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    for caller in (root, other):
        caller.client("sqs").create_queue(QueueName="same")
        caller.client("sns").create_topic(Name="same")
        caller.client("dynamodb").create_table(TableName="same", **definition)
        caller.client("logs").create_log_group(logGroupName="same")
        caller.client("iam").create_user(UserName="same")
        caller.client("s3").create_bucket(Bucket=f"only-{caller.account}")
    for caller in (root, other):
        urls = caller.client("sqs").list_queues()["QueueUrls"]
        assert urls == [f"{caller.endpoint}/{caller.account}/same"]
        topics = caller.client("sns").list_topics()["Topics"]
        assert topics == [{"TopicArn": f"arn:aws:sns:us-east-1:{caller.account}:same"}]
        assert caller.client("dynamodb").list_tables()["TableNames"] == ["same"]
        groups = caller.client("logs").describe_log_groups()["logGroups"]
        assert [caller.account in group["arn"] for group in groups] == [True]
        users = caller.client("iam").list_users()["Users"]
        assert [user["Arn"] for user in users] == [f"arn:aws:iam::{caller.account}:user/same"]
        buckets = caller.client("s3").list_buckets()["Buckets"]
        assert [bucket["Name"] for bucket in buckets] == [f"only-{caller.account}"]
    with refused("AccessDenied", 403) as refusal:
        other.client("s3").list_objects_v2(Bucket=f"only-{root.account}")
    assert refusal.message == "Access Denied", "S3 tells strangers nothing"
    with refused("BucketAlreadyExists", 409):
        other.client("s3").create_bucket(Bucket=f"only-{root.account}")
    with refused("AccessDenied", 403):
        other.client("sqs").send_message(QueueUrl=f"{root.endpoint}/{root.account}/same", MessageBody="hello")


def test_keys_can_be_put_away(root):
    user = root.user("ann", allow("sqs:*"))
    call(user, "sts")
    iam = root.client("iam")
    iam.update_access_key(UserName="ann", AccessKeyId=user.key, Status="Inactive")
    with refused("InvalidClientTokenId"):
        call(user, "sts")
    iam.update_access_key(UserName="ann", AccessKeyId=user.key, Status="Active")
    call(user, "sts")
    iam.delete_access_key(UserName="ann", AccessKeyId=user.key)
    with refused("InvalidClientTokenId"):
        call(user, "sts")


def test_a_session_without_its_token_is_refused(root):
    role = root.role("worker", {"AWS": root.account}, allow("*"))
    user = root.user("ann", allow("sts:AssumeRole"))
    session = user.assume(role)
    call(session, "s3")
    for token in (None, "forged", session.token[:-4] + "AAAA"):
        with refused("InvalidToken"):
            call(replace(session, token=token), "s3")


def test_accept_any_credentials(start):
    server = start("--ephemeral", "--accept-any-credentials")
    anybody = Caller(server.endpoint, "000000000000", "AKIAIOSFODNN7EXAMPLE", "whatever")
    identity = anybody.client("sts").get_caller_identity()
    assert identity["Arn"] == "arn:aws:iam::000000000000:root"
    bucket = "any"
    anybody.client("s3").create_bucket(Bucket=bucket)
    anybody.client("s3").put_object(Bucket=bucket, Key="k", Body=b"x" * 100_000)
    user = anybody.user("ann")
    with refused("AccessDenied"):
        user.client("s3").get_object(Bucket=bucket, Key="k")
    with refused("SignatureDoesNotMatch"):
        call(replace(user, secret="wrong"), "s3")
    assert "any unknown key is the root" in server.text(), "the banner says it"


def test_server_mode_has_one_root_key_and_shows_it_once(start):
    server = start("--mode", "server")
    for key in ("test", "123456789012"):
        with refused("InvalidClientTokenId"):
            call(Caller(server.endpoint, "", key, "test"), "sts")
    shown = re.findall(r"AWS_ACCESS_KEY_ID=(\S+) AWS_SECRET_ACCESS_KEY=(\S+)", server.text())
    assert len(shown) == 1, server.text()
    root = Caller(server.endpoint, "000000000000", *shown[0])
    assert root.client("sts").get_caller_identity()["Arn"] == "arn:aws:iam::000000000000:root"
    user = root.user("admin", allow("*"))
    server.kill()
    server.start()
    for caller in (root, user):
        assert json.dumps(call(caller, "sts"), default=str).count("000000000000")
    assert server.text().count("AWS_SECRET_ACCESS_KEY=") == 1, "it is not shown again"
    with refused("SignatureDoesNotMatch"):
        call(replace(root, secret="guess"), "sts")
