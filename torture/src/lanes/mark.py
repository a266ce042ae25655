"""Leaves a mark in a table for every object and message that it is told of, with nothing but Python's own library."""
import datetime
import hashlib
import hmac
import json
import os
import urllib.parse
import urllib.request

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
HOST = urllib.parse.urlsplit(ENDPOINT).netloc


def sign(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def put(name):
    body = json.dumps({"TableName": "marks", "Item": {"id": {"S": name}}})
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{now[:8]}/us-east-1/dynamodb/aws4_request"
    headers = {
        "content-type": "application/x-amz-json-1.0",
        "host": HOST,
        "x-amz-date": now,
        "x-amz-security-token": os.environ["AWS_SESSION_TOKEN"],
        "x-amz-target": "DynamoDB_20120810.PutItem",
    }
    names = ";".join(headers)
    lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
    canonical = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body.encode()).hexdigest()}"
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = ("AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"]).encode()
    for part in (now[:8], "us-east-1", "dynamodb", "aws4_request"):
        key = sign(key, part)
    signature = sign(key, text).hex()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    request = urllib.request.Request(ENDPOINT, body.encode(), headers)
    urllib.request.urlopen(request, timeout=5).read()


def handler(event, context):
    for record in event["Records"]:
        if "s3" in record:
            put(urllib.parse.unquote_plus(record["s3"]["object"]["key"]))
        else:
            put(record["body"])
