"""Signs requests with botocore and writes them to botocore.json, which tests/botocore.rs verifies.

Run it again only to add cases: python3 sign_with_botocore.py > botocore.json
"""

import datetime
import json
from urllib.parse import urlsplit

import botocore
import botocore.auth as auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

NOW = datetime.datetime(2026, 11, 20, 21, 5, 9)
auth.get_current_datetime = lambda remove_tzinfo=True: NOW
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE//////////wEaCXVzLWVhc3QtMSJHMEUCIQ=="
FORM = "application/x-www-form-urlencoded; charset=utf-8"
JSON = "application/x-amz-json-1.0"
OTHER, S3 = "other", "s3"

# name, signer, rules, service, region, method, URL, headers, body, token, query parameters
CASES = [
    ("dynamodb", auth.SigV4Auth, OTHER, "dynamodb", "us-east-1", "POST", "http://127.0.0.1:4566/",
     {"Content-Type": JSON, "X-Amz-Target": "DynamoDB_20120810.PutItem"}, '{"TableName":"T\u00e9"}', None, {}),
    ("sts-token", auth.SigV4Auth, OTHER, "sts", "eu-west-1", "POST", "https://sts.eu-west-1.amazonaws.com/",
     {"Content-Type": FORM}, "Action=GetCallerIdentity&Version=2011-06-15", TOKEN, {}),
    ("iam-get", auth.SigV4Auth, OTHER, "iam", "us-east-1", "GET",
     "https://iam.amazonaws.com/?Version=2010-05-08&Action=ListUsers", {}, "", None, {}),
    ("query-parameters", auth.SigV4Auth, OTHER, "logs", "us-east-1", "GET", "http://127.0.0.1:4566/x", {}, "", None,
     {"b": "two-words", "a": "~/+&=\u00e9", "A": "", "a-b": "1"}),
    ("literal-plus", auth.SigV4Auth, OTHER, "logs", "us-east-1", "GET", "http://127.0.0.1:4566/x?q=a+b&p=%7e", {},
     "", None, {}),
    ("lambda-arn", auth.SigV4Auth, OTHER, "lambda", "us-west-2", "GET",
     "http://127.0.0.1:4566/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-west-2%3A000000000000%3Afunction%3Af/policy",
     {}, "", None, {}),
    ("dot-segments", auth.SigV4Auth, OTHER, "execute-api", "us-east-1", "GET",
     "http://127.0.0.1:4566/stage//a/./b/../c%20d/", {"X-Custom": "  a   b  "}, "", None, {}),
    ("s3-put", auth.S3SigV4Auth, S3, "s3", "us-east-1", "PUT",
     "http://127.0.0.1:4566/bucket/a%20b/%C3%A9~%2B.txt", {"Content-Type": "text/plain", "X-Amz-Meta-Note": "n  o"},
     "hello", None, {}),
    ("s3-odd-path", auth.S3SigV4Auth, S3, "s3", "us-east-1", "GET", "http://127.0.0.1:4566/bucket//a/../b/./c/", {},
     "", TOKEN, {}),
    ("s3-unsigned-payload", auth.S3SigV4Auth, S3, "s3", "us-east-1", "PUT",
     "https://bucket.s3.us-east-1.amazonaws.com/key", {}, "hello", None, {}),
    ("s3-list", auth.S3SigV4Auth, S3, "s3", "us-east-1", "GET", "http://127.0.0.1:4566/bucket", {}, "", None,
     {"list-type": "2", "prefix": "a/b", "delimiter": "/", "versions": ""}),
    ("s3-acl", auth.S3SigV4Auth, S3, "s3", "us-east-1", "GET", "http://127.0.0.1:4566/bucket?acl", {}, "", None, {}),
    ("s3-presigned", auth.S3SigV4QueryAuth, S3, "s3", "us-east-1", "GET",
     "http://127.0.0.1:4566/bucket/a%20b?response-content-type=text%2Fplain", {}, "", TOKEN, {}),
    ("s3-presigned-put", auth.S3SigV4QueryAuth, S3, "s3", "us-east-1", "PUT", "http://127.0.0.1:4566/bucket/key",
     {"Content-Type": "image/png"}, "", None, {}),
    ("sts-presigned", auth.SigV4QueryAuth, OTHER, "sts", "us-east-1", "GET",
     "https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15",
     {"x-k8s-aws-id": "cluster"}, "", None, {}),
]


def sign(name, signer, rules, service, region, method, url, headers, body, token, params):
    request = AWSRequest(method=method, url=url, headers=headers, data=body.encode(), params=params)
    request.context["client_config"] = Config(s3={"payload_signing_enabled": not name.endswith("unsigned-payload")})
    request.context["payload_signing_enabled"] = not name.endswith("unsigned-payload")
    signer(Credentials(KEY, SECRET, token), service, region).add_auth(request)
    sent = request.prepare()
    parts = urlsplit(sent.url)
    text = lambda value: value.decode() if isinstance(value, bytes) else value
    return {
        "name": name, "rules": rules, "service": service, "region": region, "method": method, "host": parts.netloc,
        "path": parts.path, "query": parts.query, "token": token, "body": body,
        "headers": [[key, text(value)] for key, value in sent.headers.items()],
    }


print(json.dumps({
    "botocore": botocore.__version__, "access_key_id": KEY, "secret": SECRET,
    "now": int(NOW.replace(tzinfo=datetime.timezone.utc).timestamp()),
    "requests": [sign(*case) for case in CASES],
}, indent=1, ensure_ascii=False))
