"""Nonsense, correctly signed, gets a proper error of its service: never a 5xx, never silence."""

import json
import random
import re

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest
import urllib3
from support import REGION

SEED = 20_261_120
TARGETS = {
    "dynamodb": ("DynamoDB_20120810", "1.0", ["PutItem", "Query", "CreateTable", "TransactWriteItems", "Nonsense"]),
    "logs": ("Logs_20140328", "1.1", ["PutLogEvents", "CreateLogGroup", "FilterLogEvents", "Nonsense"]),
    "rekognition": ("RekognitionService", "1.1", ["DetectFaces", "Nonsense"]),
    "sqs": ("AmazonSQS", "1.0", ["SendMessage", "CreateQueue", "ReceiveMessage", "SendMessageBatch", "Nonsense"]),
}
QUERIES = {
    "iam": ("2010-05-08", ["CreateUser", "PutUserPolicy", "CreateRole", "ListUsers", "Nonsense"]),
    "sns": ("2010-03-31", ["CreateTopic", "Publish", "Subscribe", "PublishBatch", "SetTopicAttributes", "Nonsense"]),
    "sqs": ("2012-11-05", ["SendMessage", "CreateQueue", "SendMessageBatch", "Nonsense"]),
    "sts": ("2011-06-15", ["AssumeRole", "GetCallerIdentity", "GetSessionToken", "Nonsense"]),
}
RESTS = {
    "lambda": [
        ("POST", "/2015-03-31/functions"),
        ("POST", "/2015-03-31/functions/a%00%FF/invocations"),
        ("PUT", "/2015-03-31/functions/x/code"),
        ("GET", "/2015-03-31/functions?MaxItems=many&Marker=%FF"),
        ("POST", "/2015-03-31/event-source-mappings"),
        ("DELETE", "/no/such/path"),
    ],
    "apigatewayv2": [
        ("POST", "/v2/apis"),
        ("PATCH", "/v2/apis/%2e%2e"),
        ("GET", "/v2/apis?maxResults=-1&nextToken=%FF"),
        ("POST", "/v2/apis/x/routes"),
        ("PUT", "/v2/nothing"),
    ],
    "s3": [
        ("GET", "/?max-buckets=x"),
        ("PUT", "/UPPER.."),
        ("PUT", "/garbage-bucket/%00%FF%C3"),
        ("GET", "/garbage-bucket?list-type=2&max-keys=x&continuation-token=%FF"),
        ("POST", "/garbage-bucket?delete"),
        ("POST", "/garbage-bucket/k?uploadId=x"),
        ("PUT", "/garbage-bucket/k?partNumber=0&uploadId=x"),
        ("PUT", "/garbage-bucket?notification"),
        ("PUT", "/garbage-bucket?policy"),
        ("PUT", "/garbage-bucket?tagging"),
        ("PUT", "/garbage-bucket/k?tagging"),
        ("GET", "/garbage-bucket/k?versionId=%00"),
        ("DELETE", "/garbage-bucket?website"),
        ("PATCH", "/garbage-bucket"),
    ],
}
HTTP = urllib3.PoolManager(retries=False, timeout=30)


def bodies(seed):
    """Bodies of many kinds of nonsense."""
    chance = random.Random(f"{SEED}{seed}")
    noise = chance.randbytes(300)
    nested = 5000
    return [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        noise,
        noise * 200,
        b"\x00" * 100,
        b'{"QueueUrl": {"a": [1, 2, {}]}, "TableName": 7, "Item": [], "logGroupName": null, "Image": "x"}',
        b'{"TableName": "t' + b"\xff\xfe" + b'"}',
        b'{"a":' * nested + b"1" + b"}" * nested,
        b"[" * nested + b"]" * nested,
        b'{"TableName": 1e999999, "MaxNumberOfMessages": 99999999999999999999, "Code": {"ZipFile": "%%%"}}',
        json.dumps({"QueueName": "x" * 100_000, "TableName": "\ud800", "FunctionName": "\x00"}).encode(),
        b"<",
        b"<a></b>",
        b"<Delete>" + b"<Object>" * nested,
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]><a>&d;</a>',
        b"<Delete><Object><Key>&#0;</Key></Object></Delete>",
        b"Action=&Version=&%zz=%&a.member.1.b=c&&=",
        b"\xbf" * 200,
        b"\xa1\x69QueueName\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xa1\x69TableName" + b"\x81" * nested,
        b"\xa1\x69QueueUrl\x7b\x7f\xff\xff\xff\xff\xff\xff\xff",
    ]


def send(root, service, method, path, body, **headers):
    """Sends a request that is signed as it should be; returns status and text."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    credentials = botocore.credentials.Credentials(root.key, root.secret)
    request = botocore.awsrequest.AWSRequest(method, root.endpoint + path, headers=headers, data=body)
    if service == "s3":
        botocore.auth.S3SigV4Auth(credentials, "s3", REGION).add_auth(request)
    else:
        name = "apigateway" if service == "apigatewayv2" else service
        botocore.auth.SigV4Auth(credentials, name, REGION).add_auth(request)
    prepared = request.prepare()
    answer = HTTP.request(method, prepared.url, body=body, headers=dict(prepared.headers))
    return answer.status, answer.data, answer.headers


def check(root, service, method, path, body, **headers):
    """A refusal in the form of the service, or an answer; never an error of ours."""
    status, said, answered = send(root, service, method, path, body, **headers)
    told = f"{service} {method} {path} {headers} {body[:80]!r}: {status} {said[:300]!r}"
    # 501 is what an operation answers that is not implemented.
    assert status in range(200, 500) or (status == 501 and b"NotImplemented" in said), told
    if status >= 400:
        assert not re.search(rb"panick|\.rs:\d|/src/", said), told
        if "json" in answered.get("content-type", ""):
            assert json.loads(said) is not None or answered.get("x-amzn-errortype"), told
        elif said and "cbor" not in answered.get("content-type", ""):
            assert b"<Code>" in said, told
    return status


@pytest.mark.parametrize("service", TARGETS)
def test_json_services(root, service):
    target, version, operations = TARGETS[service]
    for operation in operations:
        for body in bodies(operation):
            check(
                root, service, "POST", "/", body, content_type=f"application/x-amz-json-{version}",
                x_amz_target=f"{target}.{operation}",
            )  # fmt: skip


@pytest.mark.parametrize("service", QUERIES)
def test_query_services(root, service):
    version, operations = QUERIES[service]
    for operation in operations:
        start = f"Action={operation}&Version={version}&".encode()
        for body in bodies(operation):
            form = "application/x-www-form-urlencoded"
            check(root, service, "POST", "/", start + body, content_type=form)
            check(root, service, "POST", "/", body, content_type=form)


@pytest.mark.parametrize("service", RESTS)
def test_rest_services(root, service):
    kind = "application/xml" if service == "s3" else "application/json"
    for method, path in RESTS[service]:
        for body in bodies(path) if method in ("PUT", "POST", "PATCH") else [b""]:
            check(root, service, method, path, body, content_type=kind)


def test_services_that_speak_cbor(root):
    names = {"logs": "Logs_20140328", "sqs": "AmazonSQS", "dynamodb": "DynamoDB_20120810"}
    for service, shape in names.items():
        for operation in ("CreateQueue", "PutLogEvents", "PutItem"):
            for body in bodies(operation):
                check(
                    root, service, "POST", f"/service/{shape}/operation/{operation}", body,
                    content_type="application/cbor", smithy_protocol="rpc-v2-cbor",
                )  # fmt: skip


def test_mutated_requests_of_real_clients(root):
    """Bytes of good requests, some of them changed."""
    good = {
        "dynamodb": (
            "DynamoDB_20120810.Query", "1.0",
            {"TableName": "t", "KeyConditionExpression": "#a = :b AND begins_with(c, :d)",
             "FilterExpression": "NOT (x IN (:b, :d) OR size(y.z[1]) > :b)", "Limit": 5,
             "ExpressionAttributeNames": {"#a": "b"}, "ExpressionAttributeValues": {":b": {"N": "1"}, ":d": {"S": "x"}}},
        ),
        "sqs": (
            "AmazonSQS.SendMessage", "1.0",
            {"QueueUrl": "http://x/1/q", "MessageBody": "b", "DelaySeconds": 1,
             "MessageAttributes": {"a": {"DataType": "Number.int", "StringValue": "1"}}},
        ),
        "logs": (
            "Logs_20140328.PutLogEvents", "1.1",
            {"logGroupName": "g", "logStreamName": "s", "logEvents": [{"timestamp": 1, "message": "m"}]},
        ),
    }  # fmt: skip
    chance = random.Random(SEED)
    for service, (target, version, document) in good.items():
        original = json.dumps(document).encode()
        for _ in range(150):
            body = bytearray(original)
            for _ in range(chance.randint(1, 4)):
                at = chance.randrange(len(body))
                match chance.randrange(3):
                    case 0:
                        body[at] = chance.randrange(256)
                    case 1:
                        del body[at : at + chance.randint(1, 8)]
                    case 2:
                        body[at:at] = body[at : at + chance.randint(1, 20)]
            check(
                root, service, "POST", "/", bytes(body), content_type=f"application/x-amz-json-{version}",
                x_amz_target=target,
            )  # fmt: skip


def test_the_server_is_well_after_all_that(root, cloud):
    metrics = HTTP.request("GET", f"{cloud.endpoint}/_fogbank/metrics").data.decode()
    failed = [line for line in metrics.splitlines() if 'outcome="server_error"' in line and not line.endswith(" 0")]
    assert failed == [], "no call of any test failed with an error of ours"
    assert root.client("sts").get_caller_identity()["Account"] == root.account
