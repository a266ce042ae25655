"""Condition keys that requests, resources and their tags tell, asked for through unmodified clients."""

import urllib.request
from urllib.error import HTTPError

import pytest
from botocore import UNSIGNED
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from support import REGION, allow, deny, policy, refused

TEAM = {"team": "a"}
TAGS = [{"Key": "team", "Value": "a"}]


def queue(caller, tags):
    url = caller.client("sqs").create_queue(QueueName=f"q{len(tags)}", tags=tags)["QueueUrl"]
    return lambda who: who.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])


def topic(caller, tags):
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    arn = caller.client("sns").create_topic(Name=f"t{len(tags)}", Tags=pairs)["TopicArn"]
    return lambda who: who.client("sns").get_topic_attributes(TopicArn=arn)


def table(caller, tags):
    name = f"table{len(tags)}"
    caller.client("dynamodb").create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
    )
    caller.client("dynamodb").get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    return lambda who: who.client("dynamodb").get_item(TableName=name, Key={"k": {"S": "x"}})


def group(caller, tags):
    name = f"group{len(tags)}"
    caller.client("logs").create_log_group(logGroupName=name, tags=tags or {"other": "x"})
    return lambda who: who.client("logs").describe_log_streams(logGroupName=name)


def key(caller, tags):
    pairs = [{"TagKey": key, "TagValue": value} for key, value in tags.items()]
    made = caller.client("kms").create_key(Tags=pairs)["KeyMetadata"]["KeyId"]
    return lambda who: who.client("kms").describe_key(KeyId=made)


def secret(caller, tags):
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    caller.client("secretsmanager").create_secret(Name=f"s{len(tags)}", SecretString="x", Tags=pairs)
    return lambda who: who.client("secretsmanager").get_secret_value(SecretId=f"s{len(tags)}")


def parameter(caller, tags):
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    caller.client("ssm").put_parameter(Name=f"p{len(tags)}", Value="x", Type="String", Tags=pairs)
    return lambda who: who.client("ssm").get_parameter(Name=f"p{len(tags)}")


def api(caller, tags):
    made = caller.client("apigatewayv2").create_api(Name="a", ProtocolType="HTTP", Tags=tags)["ApiId"]
    return lambda who: who.client("apigatewayv2").get_routes(ApiId=made)


def role(caller, tags):
    trust = policy(dict(Effect="Allow", Principal={"Service": "ec2.amazonaws.com"}, Action="sts:AssumeRole"))
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    caller.client("iam").create_role(RoleName=f"r{len(tags)}", AssumeRolePolicyDocument=trust, Tags=pairs)
    return lambda who: who.client("iam").get_role(RoleName=f"r{len(tags)}")


@pytest.mark.parametrize("make", [queue, topic, table, group, key, secret, parameter, api, role])
def test_tags_of_resources_decide(root, make):
    tagged, plain = make(root, TEAM), make(root, {})
    user = root.user("u", allow("*", Condition={"StringEquals": {"aws:ResourceTag/team": "a"}}))
    tagged(user)
    with refused_somehow():
        plain(user)
    root.grant("u", allow("*"), deny("*", Condition={"StringEquals": {"aws:ResourceTag/team": "a"}}))
    plain(user)
    with refused_somehow():
        tagged(user)


def refused_somehow():
    """Services call it differently that something may not be done."""
    return pytest.raises(Exception, match="AccessDenied|AuthorizationError|not authorized")


@pytest.fixture
def bucket(root):
    """A bucket with an object, `k`, of which `user` may do what the test grants."""
    name = f"conditions-{root.account}"
    s3 = root.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    return name


def when(operator, name, value):
    return {operator: {name: value}}


def fetch(url):
    try:
        return urllib.request.urlopen(url).status
    except HTTPError as error:
        return error.code


def test_how_a_request_is_signed_decides(root, bucket):
    user = root.user("u")
    s3 = user.client("s3", signature_version="s3v4")
    url = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})
    get = lambda: s3.get_object(Bucket=bucket, Key="k")
    for name, header, presigned in [
        ("s3:authType", "REST-HEADER", "REST-QUERY-STRING"),
        ("s3:x-amz-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", None),
    ]:
        root.grant("u", allow("s3:*", Condition=when("StringEquals", name, header)))
        get()
        assert fetch(url) == 403, name
        if presigned:
            root.grant("u", allow("s3:*", Condition=when("StringEquals", name, presigned)))
            assert fetch(url) == 200, name
            with refused("AccessDenied", 403):
                get()
    root.grant("u", allow("s3:*", Condition=when("StringEquals", "s3:signatureversion", "AWS4-HMAC-SHA256")))
    get()
    assert fetch(url) == 200
    old = user.client("s3", signature_version="s3").generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"})
    assert "AWSAccessKeyId" in old and fetch(old) == 403
    root.grant("u", allow("s3:*", Condition=when("StringEquals", "s3:signatureversion", "AWS")))
    assert fetch(old) == 200
    root.grant("u", allow("s3:*", Condition=when("NumericLessThan", "s3:signatureAge", "600000")))
    get()
    root.grant("u", allow("s3:*", Condition=when("NumericGreaterThan", "s3:signatureAge", "600000")))
    with refused("AccessDenied", 403):
        get()


def test_whose_a_bucket_is_and_tls_decide(root, bucket):
    user = root.user("u", allow("s3:*", Condition=when("StringEquals", "s3:ResourceAccount", root.account)))
    user.client("s3").get_object(Bucket=bucket, Key="k")
    root.grant("u", allow("s3:*"), deny("s3:*", Condition=when("StringEquals", "aws:ResourceAccount", root.account)))
    with refused("AccessDenied", 403):
        user.client("s3").get_object(Bucket=bucket, Key="k")
    root.grant("u", allow("s3:*", Condition=when("NumericGreaterThanEquals", "s3:TlsVersion", "1.2")))
    with refused("AccessDenied", 403):
        user.client("s3").get_object(Bucket=bucket, Key="k")
    over_tls = user.endpoint.replace("http:", "https:")
    user.client("s3", endpoint_url=over_tls, verify=False).get_object(Bucket=bucket, Key="k")


def test_tags_of_objects_that_are_there_decide(root, bucket):
    s3 = root.client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"1", Tagging="team=a")["VersionId"]
    second = s3.put_object(Bucket=bucket, Key="k", Body=b"2", Tagging="team=b")["VersionId"]
    user = root.user("u", allow("s3:*", Condition=when("StringEquals", "s3:ExistingObjectTag/team", "a")))
    mine = user.client("s3")
    assert mine.get_object(Bucket=bucket, Key="k", VersionId=first)["Body"].read() == b"1"
    mine.get_object_tagging(Bucket=bucket, Key="k", VersionId=first)
    for arguments in ({}, {"VersionId": second}):
        with refused("AccessDenied", 403):
            mine.get_object(Bucket=bucket, Key="k", **arguments)
    with refused("AccessDenied", 403):
        mine.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": TAGS})
    # Writing an object is not about the tags of the one that is there.
    with refused("AccessDenied", 403):
        mine.put_object(Bucket=bucket, Key="k", Body=b"3")
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": TAGS})
    mine.get_object(Bucket=bucket, Key="k")
    mine.get_object_acl(Bucket=bucket, Key="k")


@pytest.mark.parametrize("name", ["aws:ResourceTag/team", "s3:BucketTag/team"])
def test_tags_of_buckets_decide_where_their_owner_says_so(root, bucket, name):
    owner, s3 = root.client("s3"), root.user("u", allow("s3:*", Condition=when("StringEquals", name, "a"))).client("s3")
    owner.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "team", "Value": "a"}]})
    calls = [
        lambda: s3.list_objects_v2(Bucket=bucket),
        lambda: s3.get_object(Bucket=bucket, Key="k"),
        lambda: s3.put_object(Bucket=bucket, Key="n", Body=b"x"),
    ]
    for status, is_allowed in [("Disabled", False), ("Enabled", True), ("Disabled", False)]:
        owner.put_bucket_abac(Bucket=bucket, AbacStatus={"Status": status})
        assert owner.get_bucket_abac(Bucket=bucket)["AbacStatus"] == {"Status": status}
        for call in calls:
            if is_allowed:
                call()
            else:
                with refused("AccessDenied", 403):
                    call()
    # With the bucket's tags denied, it is the other way round.
    root.grant("u", allow("s3:*"), deny("s3:*", Condition=when("StringEquals", name, "a")))
    calls[1]()
    owner.put_bucket_abac(Bucket=bucket, AbacStatus={"Status": "Enabled"})
    with refused("AccessDenied", 403):
        calls[1]()


def test_a_bucket_policy_may_open_what_is_tagged(root, bucket):
    s3 = root.client("s3")
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="open", Body=b"x", Tagging="public=yes")
    public = dict(allow("s3:GetObject", on=f"arn:aws:s3:::{bucket}/*"), Principal="*")
    public["Condition"] = when("StringEquals", "s3:ExistingObjectTag/public", "yes")
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(public))
    nobody = root.client("s3", signature_version=UNSIGNED)
    nobody.get_object(Bucket=bucket, Key="open")
    with refused("AccessDenied", 403):
        nobody.get_object(Bucket=bucket, Key="k")


def test_a_presigned_url_of_no_seconds_has_ended(root, bucket):
    url = root.client("s3", signature_version="s3v4").generate_presigned_url(
        "get_object", {"Bucket": bucket, "Key": "k"}, ExpiresIn=0
    )
    assert fetch(url) == 403


def test_a_presigned_copy_may_name_its_source_in_the_query(root, bucket):
    # SDKs that move headers into the query sign them there; botocore does not, so that its signer is called by hand.
    credentials = Credentials(root.key, root.secret)
    request = AWSRequest("PUT", f"{root.endpoint}/{bucket}/copy", params={"x-amz-copy-source": f"{bucket}/k"})
    S3SigV4QueryAuth(credentials, "s3", REGION).add_auth(request)
    answer = urllib.request.urlopen(urllib.request.Request(request.prepare().url, method="PUT"))
    assert b"CopyObjectResult" in answer.read()
    assert root.client("s3").get_object(Bucket=bucket, Key="copy")["Body"].read() == b"x"
