"""Access points of S3, and S3 Control, as boto3 meets them."""

import json
from dataclasses import replace

import pytest
from support import allow, policy, refused


@pytest.fixture
def local(root, names_below_localhost):
    """The account's root at an endpoint under which SDKs can put names."""
    return replace(root, endpoint=root.endpoint.replace("127.0.0.1", "localhost"))


@pytest.fixture
def bucket(root):
    name = f"points-{root.account}"
    root.client("s3").create_bucket(Bucket=name)
    return name


def test_access_points_come_and_go(local, bucket):
    control = local.client("s3control")
    mine = {"AccountId": local.account}
    made = control.create_access_point(Name="front", Bucket=bucket, Tags=[{"Key": "team", "Value": "blue"}], **mine)
    arn = f"arn:aws:s3:us-east-1:{local.account}:accesspoint/front"
    assert made["AccessPointArn"] == arn
    found = control.get_access_point(Name="front", **mine)
    assert (found["Bucket"], found["NetworkOrigin"], found["Alias"]) == (bucket, "Internet", made["Alias"])
    assert found["PublicAccessBlockConfiguration"]["BlockPublicPolicy"] is True
    assert found["Endpoints"]["ipv4"] == "s3-accesspoint.us-east-1.amazonaws.com"
    for number in range(3):
        control.create_access_point(Name=f"more-{number}", Bucket=bucket, **mine)
    first = control.list_access_points(MaxResults=2, **mine)
    second = control.list_access_points(MaxResults=2, NextToken=first["NextToken"], **mine)
    names = [point["Name"] for page in (first, second) for point in page["AccessPointList"]]
    assert (names, "NextToken" in second) == (["front", "more-0", "more-1", "more-2"], False)
    assert control.list_tags_for_resource(ResourceArn=arn, **mine)["Tags"] == [{"Key": "team", "Value": "blue"}]
    control.tag_resource(ResourceArn=arn, Tags=[{"Key": "stage", "Value": "é /+"}], **mine)
    control.untag_resource(ResourceArn=arn, TagKeys=["team"], **mine)
    assert control.list_tags_for_resource(ResourceArn=arn, **mine)["Tags"] == [{"Key": "stage", "Value": "é /+"}]
    with refused("AccessPointAlreadyOwnedByYou", 409):
        control.create_access_point(Name="front", Bucket=bucket, **mine)
    with refused("NoSuchBucket", 404):
        control.create_access_point(Name="other", Bucket=f"{bucket}-not", **mine)
    with refused("BucketHasAccessPointsAttached", 400):
        local.client("s3").delete_bucket(Bucket=bucket)
    control.delete_access_point(Name="front", **mine)
    with refused("NoSuchAccessPoint", 404) as refusal:
        control.get_access_point(Name="front", **mine)
    assert refusal.message == "The specified accesspoint does not exist"
    assert refusal.response["Error"]["AccessPointName"] == "front"


def test_objects_are_reached_by_arn_and_alias(local, bucket):
    control, s3 = local.client("s3control"), local.client("s3")
    made = control.create_access_point(AccountId=local.account, Name="data", Bucket=bucket)
    arn, alias = made["AccessPointArn"], made["Alias"]
    key = "a b/é+1=2.txt"
    s3.put_object(Bucket=arn, Key=key, Body=b"through the point", Tagging="a=b")
    for name in (arn, alias, bucket):
        assert s3.get_object(Bucket=name, Key=key)["Body"].read() == b"through the point"
        assert s3.head_object(Bucket=name, Key=key)["ContentLength"] == 17
        assert [row["Key"] for row in s3.list_objects_v2(Bucket=name)["Contents"]] == [key]
    s3.copy_object(Bucket=arn, Key="copy", CopySource={"Bucket": arn, "Key": key})
    s3.copy_object(Bucket=alias, Key="another", CopySource={"Bucket": alias, "Key": key})
    upload = s3.create_multipart_upload(Bucket=arn, Key="parts")["UploadId"]
    part = s3.upload_part(Bucket=arn, Key="parts", UploadId=upload, PartNumber=1, Body=b"x" * 100)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket=arn, Key="parts", UploadId=upload, MultipartUpload=parts)
    assert s3.get_object_tagging(Bucket=alias, Key=key)["TagSet"] == [{"Key": "a", "Value": "b"}]
    gone = s3.delete_objects(Bucket=arn, Delete={"Objects": [{"Key": "copy"}, {"Key": "another"}, {"Key": "parts"}]})
    assert len(gone["Deleted"]) == 3 and "Errors" not in gone
    with refused("MethodNotAllowed", 405):
        s3.get_bucket_versioning(Bucket=alias)
    with refused("NoSuchAccessPoint", 404):
        s3.get_object(Bucket=arn.replace("data", "none"), Key=key)


def test_users_need_both_and_buckets_may_leave_it_to_access_points(local, bucket):
    control, s3 = local.client("s3control"), local.client("s3")
    made = control.create_access_point(AccountId=local.account, Name="team", Bucket=bucket)
    arn = made["AccessPointArn"]
    s3.put_object(Bucket=bucket, Key="team/a", Body=b"a")
    s3.put_object(Bucket=bucket, Key="else/b", Body=b"b")
    user = local.user("worker")
    mine = user.client("s3")
    with refused("AccessDenied", 403):
        mine.get_object(Bucket=arn, Key="team/a")
    who = {"AWS": f"arn:aws:iam::{local.account}:user/worker"}
    may = allow("s3:GetObject", on=f"{arn}/object/team/*", Principal=who)
    control.put_access_point_policy(AccountId=local.account, Name="team", Policy=policy(may))
    with refused("AccessDenied", 403):
        mine.get_object(Bucket=arn, Key="team/a")
    leave = allow("*", on=f"arn:aws:s3:::{bucket}/*", Principal={"AWS": "*"},
                  Condition={"StringEquals": {"s3:DataAccessPointAccount": local.account}})  # fmt: skip
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(leave))
    assert mine.get_object(Bucket=arn, Key="team/a")["Body"].read() == b"a"
    assert mine.get_object(Bucket=made["Alias"], Key="team/a")["Body"].read() == b"a"
    for name, key in ((arn, "else/b"), (bucket, "team/a")):
        with refused("AccessDenied", 403):
            mine.get_object(Bucket=name, Key=key)
    told = control.get_access_point_policy(AccountId=local.account, Name="team")["Policy"]
    assert json.loads(told)["Statement"] == [may]
    status = control.get_access_point_policy_status(AccountId=local.account, Name="team")
    assert status["PolicyStatus"]["IsPublic"] is False
    with refused("AccessDenied", 403):
        user.client("s3control").get_access_point(AccountId=local.account, Name="team")
    local.grant("worker", allow("s3:GetAccessPoint"))
    assert user.client("s3control").get_access_point(AccountId=local.account, Name="team")["Bucket"] == bucket


def test_an_account_blocks_public_access(local, bucket):
    control, s3 = local.client("s3control"), local.client("s3")
    mine = {"AccountId": local.account}
    with refused("NoSuchPublicAccessBlockConfiguration", 404):
        control.get_public_access_block(**mine)
    s3.delete_public_access_block(Bucket=bucket)
    block = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}
    control.put_public_access_block(PublicAccessBlockConfiguration=block, **mine)
    assert control.get_public_access_block(**mine)["PublicAccessBlockConfiguration"] == block
    public = policy(allow("s3:GetObject", on=f"arn:aws:s3:::{bucket}/*", Principal="*"))
    with refused("AccessDenied", 403):
        s3.put_bucket_policy(Bucket=bucket, Policy=public)
    s3.put_bucket_ownership_controls(
        Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})  # fmt: skip
    with refused("AccessDenied", 403):
        s3.put_object(Bucket=bucket, Key="k", Body=b"", ACL="public-read")
    control.delete_public_access_block(**mine)
    s3.put_bucket_policy(Bucket=bucket, Policy=public)
