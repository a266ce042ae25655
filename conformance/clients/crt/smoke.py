"""Calls services with requests that the AWS Common Runtime signs by SigV4A, and prints what came of it as JSON."""

import json
import os
import sys
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

BUCKET = sys.argv[1]


def client(service, version, region_set="us-east-1", **settings):
    config = Config(
        signature_version=version, sigv4a_signing_region_set=region_set, retries={"total_max_attempts": 1},
        s3={"addressing_style": "path"}, **settings,
    )
    return boto3.client(service, region_name="us-east-1", endpoint_url=os.environ["AWS_ENDPOINT_URL"], config=config)


def code(call):
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "no error"


schemes = []


def note(request, **_):
    value = request.headers.get("Authorization", b"")
    schemes.append((value.decode() if isinstance(value, bytes) else value).split(" ")[0])


found = {}
s3 = client("s3", "s3v4a", "*")
s3.meta.events.register("before-send", note)
s3.create_bucket(Bucket=BUCKET)
s3.put_object(Bucket=BUCKET, Key="ä b//../c", Body=b"by ecdsa", Metadata={"note": "two  blanks"})
found["object"] = s3.get_object(Bucket=BUCKET, Key="ä b//../c")["Body"].read().decode()
found["keys"] = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix="ä")["Contents"]]
url = client("s3", "s3v4a-query").generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": "ä b//../c"})
found["algorithm"] = "X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256" in url and "X-Amz-Region-Set=us-east-1" in url
found["presigned"] = urllib.request.urlopen(url).read().decode()
try:
    urllib.request.urlopen(url.replace("Region-Set=us-east-1", "Region-Set=eu-west-1"))
except urllib.error.HTTPError as error:
    found["changed"] = error.code

sts = client("sts", "v4a")
sts.meta.events.register("before-send", note)
account = sts.get_caller_identity()["Account"]
found["account"] = account == os.environ["AWS_ACCESS_KEY_ID"]
found["other region set"] = code(client("sts", "v4a", "eu-*").get_caller_identity)

trust = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}}
iam = client("iam", "v4a")
role = iam.create_role(RoleName=BUCKET, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
session = sts.assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
token = {
    "aws_access_key_id": session["AccessKeyId"], "aws_secret_access_key": session["SecretAccessKey"],
    "aws_session_token": session["SessionToken"],
}
config = Config(signature_version="v4a", sigv4a_signing_region_set="*")
by_session = boto3.client("sts", region_name="us-east-1", endpoint_url=os.environ["AWS_ENDPOINT_URL"], config=config, **token)
found["session"] = by_session.get_caller_identity()["Arn"].split("/")[-1]
liar = dict(token, aws_secret_access_key="wrong")
wrong = boto3.client("sts", region_name="us-east-1", endpoint_url=os.environ["AWS_ENDPOINT_URL"], config=config, **liar)
found["wrong secret"] = code(wrong.get_caller_identity)

dynamodb = client("dynamodb", "v4a")
found["tables"] = dynamodb.list_tables()["TableNames"]
found["schemes"] = sorted(set(schemes))
print(json.dumps(found))
