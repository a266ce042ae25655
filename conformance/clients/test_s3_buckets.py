"""What is set for a whole bucket of S3, as boto3 and browsers meet it."""

import json

import pytest
import urllib3
from support import advance, eventually, refused


@pytest.fixture
def s3(root):
    return root.client("s3")


@pytest.fixture
def bucket(root, s3):
    name = f"settings-{root.account}"
    s3.create_bucket(Bucket=name)
    return name


def fetch(url, method="GET", body=None, headers=()):
    """Status, headers and body of a plain HTTP request, as any program would make it."""
    answer = urllib3.request(method, url, body=body, headers=dict(headers), retries=False)
    return answer.status, answer.headers, answer.data


def test_a_page_of_another_origin_uploads_and_reads_with_presigned_urls(s3, bucket):
    page = {"Origin": "https://app.example.org"}
    asks = page | {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type"}
    url = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "up", "ContentType": "text/plain"})
    status, _, body = fetch(url, "OPTIONS", headers=asks)
    assert status == 403 and b"CORSResponse: CORS is not enabled for this bucket." in body
    rules = [{
        "AllowedOrigins": ["https://*.example.org"], "AllowedMethods": ["GET", "PUT"],
        "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 600,
    }]  # fmt: skip
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == rules
    status, headers, _ = fetch(url, "OPTIONS", headers=asks)
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, "https://app.example.org")
    assert headers["Access-Control-Allow-Methods"] == "GET, PUT"
    assert headers["Access-Control-Allow-Headers"] == "content-type"
    assert headers["Access-Control-Max-Age"] == "600"
    status, headers, _ = fetch(url, "PUT", b"hello", page | {"Content-Type": "text/plain"})
    assert (status, headers["Access-Control-Expose-Headers"]) == (200, "ETag")
    url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "up"})
    status, headers, body = fetch(url, headers=page)
    assert (status, body, headers["Access-Control-Allow-Origin"]) == (200, b"hello", "https://app.example.org")
    # A stranger's page gets no such header, so that its browser keeps the answer from it; errors have it, too.
    status, headers, _ = fetch(url, headers={"Origin": "https://evil.example.com"})
    assert status == 200 and "Access-Control-Allow-Origin" not in headers
    status, headers, _ = fetch(url.replace("up?", "down?"), headers=page)
    assert status == 403 and headers["Access-Control-Allow-Origin"] == "https://app.example.org"
    s3.delete_bucket_cors(Bucket=bucket)
    with refused("NoSuchCORSConfiguration", 404):
        s3.get_bucket_cors(Bucket=bucket)


def test_a_lifecycle_expires_moves_and_gives_up(binary, own):
    s3 = own.client("s3")
    s3.create_bucket(Bucket="cycle")
    s3.put_bucket_versioning(Bucket="cycle", VersioningConfiguration={"Status": "Enabled"})
    rules = [
        {"ID": "logs", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 30},
         "NoncurrentVersionExpiration": {"NoncurrentDays": 5}},
        {"ID": "cold", "Status": "Enabled", "Filter": {"ObjectSizeGreaterThan": 4},
         "Transitions": [{"Days": 10, "StorageClass": "GLACIER_IR"}]},
        {"ID": "uploads", "Status": "Enabled", "Filter": {},
         "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}},
    ]  # fmt: skip
    put = {"Bucket": "cycle", "LifecycleConfiguration": {"Rules": rules}}
    assert s3.put_bucket_lifecycle_configuration(**put)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert s3.get_bucket_lifecycle_configuration(Bucket="cycle")["Rules"] == rules
    told = s3.put_object(Bucket="cycle", Key="logs/a", Body=b"1234")
    assert 'rule-id="logs"' in told["Expiration"]
    s3.put_object(Bucket="cycle", Key="b", Body=b"12345")
    assert "Expiration" not in s3.head_object(Bucket="cycle", Key="b")
    begun = s3.create_multipart_upload(Bucket="cycle", Key="c")
    assert begun["AbortRuleId"] == "uploads"
    advance(binary, own, "12d")
    eventually(lambda: s3.head_object(Bucket="cycle", Key="b").get("StorageClass") == "GLACIER_IR")
    eventually(lambda: "Uploads" not in s3.list_multipart_uploads(Bucket="cycle"))
    assert "StorageClass" not in s3.head_object(Bucket="cycle", Key="logs/a")
    advance(binary, own, "20d")
    eventually(lambda: "DeleteMarkers" in s3.list_object_versions(Bucket="cycle"))
    with refused("404", 404):
        s3.head_object(Bucket="cycle", Key="logs/a")
    # The version behind the marker goes, and then the marker, which is old enough.
    advance(binary, own, "40d")
    eventually(lambda: [row["Key"] for row in s3.list_object_versions(Bucket="cycle")["Versions"]] == ["b"])
    eventually(lambda: "DeleteMarkers" not in s3.list_object_versions(Bucket="cycle"))


def test_a_website_for_everybody(s3, bucket):
    s3.put_object(Bucket=bucket, Key="index.html", Body=b"<h1>hi</h1>", ContentType="text/html")
    s3.put_object(Bucket=bucket, Key="sorry.html", Body=b"sorry")
    site = {"IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "sorry.html"}}
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=site)
    got = s3.get_bucket_website(Bucket=bucket)
    assert {name: got[name] for name in site} == site
    endpoint = s3.meta.endpoint_url
    path = f"{endpoint}/_website/{bucket}/"
    assert fetch(path)[0] == 403
    s3.delete_public_access_block(Bucket=bucket)
    statement = {"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject", "s3:ListBucket"],
                 "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]}  # fmt: skip
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    host = {"Host": f"{bucket}.s3-website.us-east-1.localhost:4566"}
    for url, headers in ((path, {}), (endpoint + "/", host)):
        status, headers, body = fetch(url, headers=headers)
        assert (status, headers["Content-Type"], body) == (200, "text/html", b"<h1>hi</h1>")
    status, headers, body = fetch(path + "none")
    assert (status, headers["x-amz-error-code"], body) == (404, "NoSuchKey", b"sorry")
    s3.delete_bucket_website(Bucket=bucket)
    assert fetch(path)[0] == 404


def test_an_access_log_is_delivered(binary, own):
    s3 = own.client("s3")
    for name in ("seen", "logs"):
        s3.create_bucket(Bucket=name)
    statement = {"Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject",
                 "Resource": "arn:aws:s3:::logs/*", "Condition": {
                     "ArnLike": {"aws:SourceArn": "arn:aws:s3:::seen"},
                     "StringEquals": {"aws:SourceAccount": "000000000000"}}}  # fmt: skip
    s3.put_bucket_policy(Bucket="logs", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    enabled = {"TargetBucket": "logs", "TargetPrefix": "seen/",
               "TargetObjectKeyFormat": {"PartitionedPrefix": {"PartitionDateSource": "DeliveryTime"}}}  # fmt: skip
    s3.put_bucket_logging(Bucket="seen", BucketLoggingStatus={"LoggingEnabled": enabled})
    assert s3.get_bucket_logging(Bucket="seen")["LoggingEnabled"] == enabled

    def logged():
        s3.put_object(Bucket="seen", Key="a", Body=b"12345")
        advance(binary, own, "6m")
        return s3.list_objects_v2(Bucket="logs").get("Contents")

    eventually(logged)
    key = s3.list_objects_v2(Bucket="logs")["Contents"][0]["Key"]
    assert key.startswith("seen/000000000000/us-east-1/seen/")
    lines = s3.get_object(Bucket="logs", Key=key)["Body"].read().decode().splitlines()
    # The question for the configuration may stand before it.
    line = next(line for line in lines if " REST.PUT.OBJECT " in line)
    assert ' a "PUT /seen/a HTTP/1.1" 200 - - 5 ' in line and " SigV4 - AuthHeader " in line


def test_a_name_of_an_accounts_own_namespace(root, s3):
    ours = f"own-{root.account}-us-east-1-an"
    with refused("MissingNamespaceHeader", 400) as refusal:
        s3.create_bucket(Bucket=ours)
    assert refusal.response["Error"]["Header"] == "x-amz-bucket-namespace"
    for name, code in (
        ("own-without", "InvalidNamespaceHeader"),
        (ours.replace(root.account, "999999999999"), "InvalidBucketNamespace"),
    ):
        with refused(code, 400):
            s3.create_bucket(Bucket=name, BucketNamespace="account-regional")
    made = s3.create_bucket(Bucket=ours, BucketNamespace="account-regional")
    assert (made["Location"], made["BucketArn"]) == (f"/{ours}", f"arn:aws:s3:::{ours}")
    s3.delete_bucket(Bucket=ours)


def test_everybody_learns_where_a_bucket_is(other, s3, bucket):
    status, headers, body = fetch(f"{s3.meta.endpoint_url}/{bucket}", "HEAD")
    assert (status, headers["x-amz-bucket-region"], body) == (403, "us-east-1", b"")
    with refused("403", 403) as refusal:
        other.client("s3").head_bucket(Bucket=bucket)
    assert refusal.response["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"] == "us-east-1"


def test_refusals_say_what_is_wrong(s3, bucket):
    def statement(action, *resources):
        statement = {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": resources}
        return json.dumps({"Version": "2012-10-17", "Statement": [statement]})

    arn = f"arn:aws:s3:::{bucket}"
    for policy, message in (
        (statement("s3:ListBucket", f"{arn}/*"), "Action does not apply to any resource(s) in statement"),
        (statement("s3:HeadObject", f"{arn}/*"), "Policy has invalid action"),
    ):
        with refused("MalformedPolicy", 400) as refusal:
            s3.put_bucket_policy(Bucket=bucket, Policy=policy)
        assert refusal.message == message
    s3.put_bucket_policy(Bucket=bucket, Policy=statement(["s3:ListBucket", "s3:DeleteObject"], arn, f"{arn}/*"))
    with refused("InvalidTag", 400) as refusal:
        s3.put_object(Bucket=bucket, Key="k", Tagging="aws%3Aa=b")
    assert refusal.message == "Your TagKey cannot be prefixed with aws:"
    assert "TagValue" not in refusal.response["Error"]
    site = {"IndexDocument": {"Suffix": "i"}, "RoutingRules": [{"Redirect": {"Protocol": "ftp"}}]}
    with refused("InvalidRequest", 400) as refusal:
        s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=site)
    assert refusal.message.startswith("Invalid protocol, protocol can be http or https.")
    s3.put_bucket_ownership_controls(
        Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    )
    with refused("InvalidArgument", 400) as refusal:
        s3.put_bucket_acl(Bucket=bucket, GrantRead='nobody="x"')
    error = refusal.response["Error"]
    assert (error["ArgumentName"], error["ArgumentValue"]) == ("x-amz-grant-read", 'nobody="x"')
    with refused("MalformedACLError", 400):
        s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy={"Owner": s3.get_bucket_acl(Bucket=bucket)["Owner"]})
    logs = {"TargetBucket": bucket, "TargetPrefix": "log/"}
    s3.delete_bucket_policy(Bucket=bucket)
    s3.put_bucket_acl(Bucket=bucket, ACL="log-delivery-write")
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={"LoggingEnabled": logs})
    assert s3.get_bucket_logging(Bucket=bucket)["LoggingEnabled"] == logs
