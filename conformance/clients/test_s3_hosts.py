"""Hosts that name buckets and access points, as browsers and AWS's own names use them."""

import http.client
import json
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from support import advance, allow, eventually, policy


def ask(caller, method, host, path, **headers):
    """Sends a request without a signature to a host; the status, the headers and the body."""
    endpoint = urlsplit(caller.endpoint)
    connection = http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=30)
    connection.request(method, path, headers={"Host": f"{host}:{endpoint.port}"} | headers)
    answer = connection.getresponse()
    return answer.status, dict(answer.getheaders()), answer.read().decode()


def at_localhost(caller):
    """The same caller at an endpoint under which SDKs can put names."""
    return replace(caller, endpoint=caller.endpoint.replace("127.0.0.1", "localhost"))


@pytest.fixture
def local(root, names_below_localhost):
    return at_localhost(root)


@pytest.fixture
def bucket(root):
    name = f"hosts-{root.account}"
    root.client("s3").create_bucket(Bucket=name)
    root.client("s3").put_object(Bucket=name, Key="k", Body=b"text")
    return name


def test_accelerated_hosts_need_acceleration(root, bucket):
    s3 = root.client("s3")
    for host in (f"{bucket}.s3-accelerate.amazonaws.com", f"{bucket}.s3-accelerate.dualstack.amazonaws.com"):
        s3.put_bucket_accelerate_configuration(Bucket=bucket, AccelerateConfiguration={"Status": "Suspended"})
        status, _, body = ask(root, "GET", host, "/k")
        assert status == 400 and "S3 Transfer Acceleration is disabled on this bucket" in body
        s3.put_bucket_accelerate_configuration(Bucket=bucket, AccelerateConfiguration={"Status": "Enabled"})
        status, _, body = ask(root, "GET", host, "/k")
        assert status == 403 and "AccessDenied" in body
    s3.create_bucket(Bucket=f"{bucket}-2")
    status, _, body = ask(root, "GET", f"{bucket}-2.s3-accelerate.amazonaws.com", "/k")
    assert status == 400 and "S3 Transfer Acceleration is not configured on this bucket" in body
    status, _, body = ask(root, "GET", "s3-accelerate.amazonaws.com", f"/{bucket}/k")
    assert status == 400 and "only supports virtual style requests" in body


def test_dual_stack_hosts_name_buckets(root, bucket):
    s3 = root.client("s3")
    s3.delete_public_access_block(Bucket=bucket)
    public = allow("s3:GetObject", on=f"arn:aws:s3:::{bucket}/*", Principal="*")
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(public))
    for host in ("s3.dualstack.us-east-1.amazonaws.com", "s3-fips.dualstack.us-east-1.amazonaws.com"):
        assert ask(root, "GET", f"{bucket}.{host}", "/k")[::2] == (200, "text")
        assert ask(root, "GET", host, f"/{bucket}/k")[::2] == (200, "text")


def test_pages_reach_access_points_as_the_buckets_rules_say(local, bucket):
    control, s3 = local.client("s3control"), local.client("s3")
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://page.example"], "ExposeHeaders": ["ETag"]}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    control.create_access_point(AccountId=local.account, Name="front", Bucket=bucket)
    point = f"front-{local.account}"
    asked = {"Origin": "https://page.example", "Access-Control-Request-Method": "GET"}
    for host in (f"{point}.s3-accesspoint.us-east-1.localhost", f"{point}.localhost",
                 f"{point}.s3-accesspoint.dualstack.us-east-1.amazonaws.com"):  # fmt: skip
        status, headers, _ = ask(local, "OPTIONS", host, "/k", **asked)
        assert (status, headers["access-control-allow-origin"]) == (200, "https://page.example"), host
        assert ask(local, "OPTIONS", host, "/k", **asked | {"Origin": "https://other.example"})[0] == 403
        status, headers, _ = ask(local, "GET", host, "/k", Origin="https://page.example")
        assert (status, headers["access-control-expose-headers"]) == (403, "ETag")


def test_a_log_names_the_access_point(binary, own, names_below_localhost):
    control = at_localhost(own).client("s3control")
    s3 = own.client("s3")
    for name in ("seen-through", "point-logs"):
        s3.create_bucket(Bucket=name)
    alias = control.create_access_point(AccountId=own.account, Name="front", Bucket="seen-through")["Alias"]
    statement = allow("s3:PutObject", on="arn:aws:s3:::point-logs/*", Principal={"Service": "logging.s3.amazonaws.com"})
    s3.put_bucket_policy(Bucket="point-logs", Policy=policy(statement))
    enabled = {"TargetBucket": "point-logs", "TargetPrefix": ""}
    s3.put_bucket_logging(Bucket="seen-through", BucketLoggingStatus={"LoggingEnabled": enabled})

    def logged():
        s3.put_object(Bucket=alias, Key="a", Body=b"12345")
        advance(binary, own, "6m")
        return s3.list_objects_v2(Bucket="point-logs").get("Contents")

    eventually(logged)
    key = s3.list_objects_v2(Bucket="point-logs")["Contents"][0]["Key"]
    lines = s3.get_object(Bucket="point-logs", Key=key)["Body"].read().decode().splitlines()
    line = next(line for line in lines if " REST.PUT.OBJECT " in line)
    assert line.endswith(f" - arn:aws:s3:us-east-1:{own.account}:accesspoint/front -"), json.dumps(line)
