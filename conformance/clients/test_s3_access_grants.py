"""S3 Access Grants, as boto3 and the AWS CLI meet them: credentials for what is granted, and for nothing else."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import boto3
import pytest
from botocore.exceptions import ClientError
from support import Caller, allow, deny, policy, refused
from test_s3_batch import COMMAND_LINE

GRANTS = "access-grants.s3.amazonaws.com"


@pytest.fixture
def local(root, names_below_localhost):
    """The account's root at an endpoint under which SDKs can put names."""
    return replace(root, endpoint=root.endpoint.replace("127.0.0.1", "localhost"))


class Instance:
    """An account's instance with its default location, and a bucket with objects."""

    def __init__(self, caller):
        self.caller = caller
        self.account = {"AccountId": caller.account}
        self.control = caller.client("s3control")
        self.arn = self.control.create_access_grants_instance(**self.account)["AccessGrantsInstanceArn"]
        source = {"aws:SourceAccount": caller.account, "aws:SourceArn": self.arn}
        trust = policy({
            "Effect": "Allow",
            "Principal": {"Service": GRANTS},
            "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
            "Condition": {"StringEquals": source},
        })
        iam = caller.client("iam")
        self.role = iam.create_role(RoleName="keeper", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        through = {"ArnEquals": {"s3:AccessGrantsInstanceArn": self.arn}}
        document = policy(allow("s3:*", Condition=through), allow("kms:*"))
        iam.put_role_policy(RoleName="keeper", PolicyName="data", PolicyDocument=document)
        self.bucket = f"granted-{caller.account}"
        self.s3 = caller.client("s3")
        self.s3.create_bucket(Bucket=self.bucket)
        for key in ("team/a", "team/b*c", "team-b/a", "other"):
            self.s3.put_object(Bucket=self.bucket, Key=key, Body=key.encode())
        made = self.control.create_access_grants_location(
            LocationScope="s3://", IAMRoleArn=self.role, **self.account
        )
        self.location = made["AccessGrantsLocationId"]

    def grant(self, grantee, sub_prefix, permission, **more):
        return self.control.create_access_grant(
            AccessGrantsLocationId=self.location,
            AccessGrantsLocationConfiguration={"S3SubPrefix": f"{self.bucket}/{sub_prefix}"},
            Grantee={"GranteeType": "IAM", "GranteeIdentifier": grantee},
            Permission=permission,
            **self.account,
            **more,
        )

    def data(self, caller, target, permission, **more):
        """A caller with the credentials that it gets for some data, and what was matched."""
        given = caller.client("s3control").get_data_access(
            Target=f"s3://{self.bucket}/{target}", Permission=permission, **self.account, **more
        )
        made = given["Credentials"]
        assert made["Expiration"] is not None
        session = Caller(
            caller.endpoint, caller.account, made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"]
        )
        return session.client("s3"), given["MatchedGrantTarget"]


@pytest.fixture
def instance(local):
    return Instance(local)


def user(instance, name):
    """A user who may ask for data, and whose own policies let it see none."""
    return instance.caller.user(name, allow("s3:GetDataAccess", "s3:ListCallerAccessGrants"))


def arn_of(instance, name):
    return f"arn:aws:iam::{instance.caller.account}:user/{name}"


def test_credentials_are_good_for_the_grant_alone(instance):
    ann = user(instance, "ann")
    instance.grant(arn_of(instance, "ann"), "team/*", "READ")
    bucket = instance.bucket
    with refused("AccessDenied", 403):
        ann.client("s3").get_object(Bucket=bucket, Key="team/a")
    s3, matched = instance.data(ann, "team/*", "READ")
    assert matched == f"s3://{bucket}/team/*"
    for key in ("team/a", "team/b*c"):
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="team/")
    assert [row["Key"] for row in listed["Contents"]] == ["team/a", "team/b*c"]
    for key in ("team-b/a", "other"):
        with refused("AccessDenied", 403):
            s3.get_object(Bucket=bucket, Key=key)
    for prefix in ("", "team", "other"):
        with refused("AccessDenied", 403):
            s3.list_objects_v2(Bucket=bucket, Prefix=prefix)
    with refused("AccessDenied", 403):
        s3.put_object(Bucket=bucket, Key="team/new", Body=b"x")
    with refused("AccessDenied", 403):
        s3.delete_object(Bucket=bucket, Key="team/a")
    with refused("AccessDenied", 403) as refusal:
        instance.data(ann, "team/*", "READWRITE")
    asked = f"s3://{bucket}/team/*"
    assert refusal.message == f"You do not have READWRITE permissions to the requested S3 Prefix: {asked}"
    with refused("AccessDenied", 403):
        instance.data(ann, "*", "READ")


def test_writing_objects_and_less_than_the_grant(instance):
    bob = user(instance, "bob")
    instance.grant(arn_of(instance, "bob"), "team/*", "READWRITE")
    instance.grant(arn_of(instance, "bob"), "other", "READ", S3PrefixType="Object")
    bucket = instance.bucket
    s3, _ = instance.data(bob, "team/*", "READWRITE")
    s3.put_object(Bucket=bucket, Key="team/new", Body=b"new")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="team/parts")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="team/parts", UploadId=upload, PartNumber=1, Body=b"x" * 100)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket=bucket, Key="team/parts", UploadId=upload, MultipartUpload=parts)
    s3.delete_object(Bucket=bucket, Key="team/new")
    written, _ = instance.data(bob, "team/*", "WRITE")
    written.put_object(Bucket=bucket, Key="team/blind", Body=b"x")
    with refused("AccessDenied", 403):
        written.get_object(Bucket=bucket, Key="team/blind")
    narrow, matched = instance.data(bob, "team/a", "READ", Privilege="Minimal", TargetType="Object")
    assert matched == f"s3://{bucket}/team/a"
    assert narrow.get_object(Bucket=bucket, Key="team/a")["Body"].read() == b"team/a"
    with refused("AccessDenied", 403):
        narrow.get_object(Bucket=bucket, Key="team/b*c")
    literal, _ = instance.data(bob, "team/b*c", "READ", Privilege="Minimal", TargetType="Object")
    instance.s3.put_object(Bucket=bucket, Key="team/bxc", Body=b"x")
    assert literal.get_object(Bucket=bucket, Key="team/b*c")["Body"].read() == b"team/b*c"
    with refused("AccessDenied", 403):
        literal.get_object(Bucket=bucket, Key="team/bxc")
    single, matched = instance.data(bob, "other", "READ", TargetType="Object")
    assert matched == f"s3://{bucket}/other"
    assert single.get_object(Bucket=bucket, Key="other")["Body"].read() == b"other"
    with refused("AccessDenied", 403):
        instance.data(bob, "oth*", "READ")


def test_a_role_and_its_end(instance):
    trusted = {"AWS": instance.caller.account}
    role = instance.caller.role("reader", trusted, allow("s3:GetDataAccess"))
    made = instance.grant(role, "team*", "READ")
    ann = instance.caller.user("ann", allow("sts:AssumeRole")).assume(role)
    s3, _ = instance.data(ann, "team-b/*", "READ", DurationSeconds=900)
    assert s3.get_object(Bucket=instance.bucket, Key="team-b/a")["Body"].read() == b"team-b/a"
    with refused("StsValidationError", 400):
        instance.data(ann, "team-b/*", "READ", DurationSeconds=43200)
    instance.control.delete_access_grant(AccessGrantId=made["AccessGrantId"], **instance.account)
    with refused("AccessDenied", 403):
        instance.data(ann, "team-b/*", "READ")
    # What was given out is good to its end, as long as the role is.
    s3.get_object(Bucket=instance.bucket, Key="team-b/a")
    iam = instance.caller.client("iam")
    iam.put_role_policy(RoleName="keeper", PolicyName="no", PolicyDocument=policy(deny("s3:GetObject")))
    with refused("AccessDenied", 403):
        s3.get_object(Bucket=instance.bucket, Key="team-b/a")


def test_instances_locations_and_lists(instance):
    control, account = instance.control, instance.account
    found = control.get_access_grants_instance(**account)
    assert (found["AccessGrantsInstanceId"], found["AccessGrantsInstanceArn"]) == ("default", instance.arn)
    listed = control.list_access_grants_instances(**account)["AccessGrantsInstancesList"]
    assert [one["AccessGrantsInstanceArn"] for one in listed] == [instance.arn]
    place = control.get_access_grants_instance_for_prefix(S3Prefix=f"s3://{instance.bucket}/a*", **account)
    assert place["AccessGrantsInstanceArn"] == instance.arn
    with refused("AccessGrantsInstanceNotExistsError", 404):
        control.get_access_grants_instance_for_prefix(S3Prefix="s3://of-somebody-else/a*", **account)
    made = control.create_access_grants_location(
        LocationScope=f"s3://{instance.bucket}/team*", IAMRoleArn=instance.role,
        Tags=[{"Key": "a", "Value": "b"}], **account,
    )
    tags = control.list_tags_for_resource(ResourceArn=made["AccessGrantsLocationArn"], **account)["Tags"]
    assert tags == [{"Key": "a", "Value": "b"}]
    ids = {one["AccessGrantsLocationId"] for one in control.list_access_grants_locations(**account)["AccessGrantsLocationsList"]}
    assert ids == {"default", made["AccessGrantsLocationId"]}
    where = {"AccessGrantsLocationId": made["AccessGrantsLocationId"]}
    again = control.update_access_grants_location(IAMRoleArn=instance.role, **where, **account)
    assert again["LocationScope"] == f"s3://{instance.bucket}/team*"
    with refused("InvalidIamRole", 400):
        control.update_access_grants_location(IAMRoleArn=f"{instance.role}-not", **where, **account)
    ann = user(instance, "ann")
    scopes = []
    for number in range(5):
        grant = instance.grant(arn_of(instance, "ann"), f"{number}/*", "READ")
        scopes.append(grant["GrantScope"])
    pages = ann.client("s3control").get_paginator("list_caller_access_grants")
    seen = [
        one["GrantScope"]
        for page in pages.paginate(**account, PaginationConfig={"PageSize": 2})
        for one in page["CallerAccessGrantsList"]
    ]
    assert sorted(seen) == sorted(scopes)
    seen, token = [], {}
    while token is not None:
        page = control.list_access_grants(MaxResults=2, **token, **account)
        seen += [one["GrantScope"] for one in page["AccessGrantsList"]]
        token = {"NextToken": page["NextToken"]} if "NextToken" in page else None
    assert sorted(seen) == sorted(scopes)
    with refused("AccessGrantsLocationNotEmptyError", 400):
        control.delete_access_grants_location(AccessGrantsLocationId="default", **account)
    with refused("AccessGrantsInstanceNotEmptyError", 400):
        control.delete_access_grants_instance(**account)
    control.delete_access_grants_location(**where, **account)


def test_another_account_and_its_policy(instance, names_below_localhost):
    other = Caller(instance.caller.endpoint, "333300000077", "333300000077", "test")
    ann = other.user("ann", allow("s3:GetDataAccess"))
    grantee = "arn:aws:iam::333300000077:user/ann"
    instance.grant(grantee, "team/*", "READ")
    target = {"Target": f"s3://{instance.bucket}/team/*", "Permission": "READ", **instance.account}
    # The host bears the account of the instance, which is also the header's.
    with refused("AccessDenied", 403):
        ann.client("s3control").get_data_access(**target)
    document = policy(allow("s3:GetDataAccess", on=instance.arn, Principal={"AWS": grantee}))
    instance.control.put_access_grants_instance_resource_policy(Policy=document, **instance.account)
    found = instance.control.get_access_grants_instance_resource_policy(**instance.account)
    assert found["Policy"] == document
    s3, _ = instance.data(ann, "team/*", "READ")
    assert s3.get_object(Bucket=instance.bucket, Key="team/a")["Body"].read() == b"team/a"


def test_the_command_line(instance):
    ann = user(instance, "ann")
    instance.grant(arn_of(instance, "ann"), "team/*", "READ")

    def aws(caller, *arguments):
        command = [sys.executable, "-c", COMMAND_LINE, "--endpoint-url", caller.endpoint, *arguments]
        return subprocess.run(command, env=caller.environment(), capture_output=True, text=True)

    given = aws(
        ann, "s3control", "get-data-access", "--account-id", ann.account, "--permission", "READ",
        "--target", f"s3://{instance.bucket}/team/*",
    )  # fmt: skip
    assert given.returncode == 0, given.stderr
    made = json.loads(given.stdout)["Credentials"]
    reader = replace(ann, key=made["AccessKeyId"], secret=made["SecretAccessKey"], token=made["SessionToken"])
    read = ("s3api", "get-object", "--bucket", instance.bucket, os.devnull, "--key")
    assert aws(reader, *read, "team/a").returncode == 0
    assert "AccessDenied" in aws(reader, *read, "other").stderr


def test_credentials_cannot_ask_sts_or_iam(instance):
    ann = user(instance, "ann")
    instance.grant(arn_of(instance, "ann"), "team/*", "READ")
    given = ann.client("s3control").get_data_access(
        Target=f"s3://{instance.bucket}/team/*", Permission="READ", **instance.account
    )["Credentials"]
    session = boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], "us-east-1")
    who = session.client("sts", endpoint_url=ann.endpoint).get_caller_identity()
    assert ":assumed-role/keeper/access-grants-" in who["Arn"]
    with pytest.raises(ClientError):
        session.client("iam", endpoint_url=ann.endpoint).list_users()
