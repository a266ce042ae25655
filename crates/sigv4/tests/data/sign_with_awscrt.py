"""Signs requests by SigV4A with the AWS Common Runtime and writes them to awscrt.json, which tests/asymmetric.rs verifies.

Run it again only to add cases: python3 sign_with_awscrt.py > awscrt.json
"""

import datetime
import importlib.metadata
import json
from urllib.parse import urlsplit

from awscrt import auth, http

NOW = datetime.datetime(2026, 11, 20, 21, 5, 9, tzinfo=datetime.timezone.utc)
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE//////////wEaCXVzLWVhc3QtMSJHMEUCIQ=="
HEADER = auth.AwsSignatureType.HTTP_REQUEST_HEADERS
QUERY = auth.AwsSignatureType.HTTP_REQUEST_QUERY_PARAMS
OTHER, S3 = "other", "s3"

# name, kind, rules, service, region set, method, URL, headers, body, payload, token
CASES = [
    ("dynamodb", HEADER, OTHER, "dynamodb", "us-east-1", "POST", "http://127.0.0.1:4566/",
     {"Content-Type": "application/x-amz-json-1.0"}, "{}", None, None),
    ("token", HEADER, OTHER, "sts", "*", "POST", "https://sts.amazonaws.com/", {}, "Action=GetCallerIdentity", None, TOKEN),
    ("paths", HEADER, OTHER, "events", "us-east-1,eu-west-1", "GET",
     "http://127.0.0.1:4566/a//b/../c%20d/%C3%A9/?b=2&a=%C3%A9&a=1", {"X-Custom": "  a   b  "}, "", None, None),
    ("s3-get", HEADER, S3, "s3", "*", "GET", "http://127.0.0.1:4566/bucket//a/../b%20c/%C3%A9", {}, "", "hash", None),
    ("s3-put", HEADER, S3, "s3", "eu-*", "PUT", "http://127.0.0.1:4566/bucket/key", {"X-Amz-Meta-Note": "n  o"},
     "hello", "hash", TOKEN),
    ("s3-chunks", HEADER, S3, "s3", "us-east-1", "PUT", "http://127.0.0.1:4566/bucket/key",
     {"X-Amz-Decoded-Content-Length": "5"}, "", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", None),
    ("s3-presigned", QUERY, S3, "s3", "us-east-1,us-west-2", "GET",
     "http://127.0.0.1:4566/bucket/a%20b?response-content-type=text%2Fplain", {}, "", "UNSIGNED-PAYLOAD", TOKEN),
    ("presigned", QUERY, OTHER, "execute-api", "*", "GET", "https://x.execute-api.us-east-1.amazonaws.com/s?a=b", {},
     "", None, None),
]


def signed(name, kind, rules, service, region_set, method, url, headers, body, payload, token):
    parts = urlsplit(url)
    pairs = [("Host", parts.netloc), *headers.items()]
    target = parts.path + ("?" + parts.query if parts.query else "")
    request = http.HttpRequest(method, target, http.HttpHeaders(pairs))
    if body:
        import io
        request.body_stream = io.BytesIO(body.encode())
    config = auth.AwsSigningConfig(
        algorithm=auth.AwsSigningAlgorithm.V4_ASYMMETRIC, signature_type=kind,
        credentials_provider=auth.AwsCredentialsProvider.new_static(KEY, SECRET, token),
        region=region_set, service=service, date=NOW,
        use_double_uri_encode=rules == OTHER, should_normalize_uri_path=rules == OTHER,
        signed_body_value=None if payload in (None, "hash") else payload,
        signed_body_header_type=auth.AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256
        if payload and kind == HEADER else auth.AwsSignedBodyHeaderType.NONE,
        expiration_in_seconds=900 if kind == QUERY else None, omit_session_token=False,
    )
    auth.aws_sign_request(request, config).result()
    path, _, query = request.path.partition("?")
    return {
        "name": name, "rules": rules, "service": service, "region_set": region_set, "method": method, "path": path,
        "query": query, "host": parts.netloc, "body": body, "token": token,
        "headers": [[n.lower(), v] for n, v in request.headers if n.lower() not in ("host", "content-length")],
    }


print(json.dumps({
    "signer": "awscrt " + importlib.metadata.version("awscrt"), "secret": SECRET, "now": int(NOW.timestamp()),
    "requests": [signed(*case) for case in CASES],
}, indent=1))
