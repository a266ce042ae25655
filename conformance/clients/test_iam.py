"""What a user may do: AWS's exact refusals on every service, grants that take effect at once, denies that win."""

import io

import pytest
from support import LAMBDA, Caller, allow, archive, deny, make_function, policy, refused

TABLE = {
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
}
CODE = archive(app__py="def handler(event, context):\n    return 'ran'\n")

# Service, call, the action that policies name, as messages spell it, the resource (None where AWS names none), error
# code and status.
CALLS = {
    "s3 get": (
        lambda w, me: me.client("s3").get_object(Bucket=w.bucket, Key="k"),
        "s3:GetObject", "s3:GetObject", '"arn:aws:s3:::{w.bucket}/k"', "AccessDenied", 403,
    ),
    "s3 put": (
        lambda w, me: me.client("s3").put_object(Bucket=w.bucket, Key="new", Body=b"x"),
        "s3:PutObject", "s3:PutObject", '"arn:aws:s3:::{w.bucket}/new"', "AccessDenied", 403,
    ),
    "s3 list": (
        lambda w, me: me.client("s3").list_objects_v2(Bucket=w.bucket),
        "s3:ListBucket", "s3:ListBucket", '"arn:aws:s3:::{w.bucket}"', "AccessDenied", 403,
    ),
    "s3 buckets": (
        lambda w, me: me.client("s3").list_buckets(),
        "s3:ListAllMyBuckets", "s3:ListAllMyBuckets", None, "AccessDenied", 403,
    ),
    "dynamodb put": (
        lambda w, me: me.client("dynamodb").put_item(TableName="things", Item={"id": {"S": "1"}}),
        "dynamodb:PutItem", "dynamodb:PutItem",
        "arn:aws:dynamodb:us-east-1:{w.account}:table/things", "AccessDeniedException", 400,
    ),
    "dynamodb query": (
        lambda w, me: me.client("dynamodb").query(
            TableName="things", KeyConditionExpression="id = :i", ExpressionAttributeValues={":i": {"S": "1"}}
        ),
        "dynamodb:Query", "dynamodb:Query",
        "arn:aws:dynamodb:us-east-1:{w.account}:table/things", "AccessDeniedException", 400,
    ),
    "sqs send": (
        lambda w, me: me.client("sqs").send_message(QueueUrl=w.queue, MessageBody="x"),
        "sqs:SendMessage", "sqs:sendmessage", "arn:aws:sqs:us-east-1:{w.account}:q", "AccessDenied", 403,
    ),
    "sqs create": (
        lambda w, me: me.client("sqs").create_queue(QueueName="new"),
        "sqs:CreateQueue", "sqs:createqueue", "arn:aws:sqs:us-east-1:{w.account}:new", "AccessDenied", 403,
    ),
    "sns publish": (
        lambda w, me: me.client("sns").publish(TopicArn=w.topic, Message="x"),
        "sns:Publish", "SNS:Publish", "arn:aws:sns:us-east-1:{w.account}:topic", "AuthorizationError", 403,
    ),
    "lambda get": (
        lambda w, me: me.client("lambda").get_function(FunctionName="f"),
        "lambda:GetFunction", "lambda:GetFunction",
        "arn:aws:lambda:us-east-1:{w.account}:function:f", "AccessDeniedException", 403,
    ),
    "lambda invoke": (
        lambda w, me: me.client("lambda").invoke(FunctionName="f"),
        "lambda:InvokeFunction", "lambda:InvokeFunction",
        "arn:aws:lambda:us-east-1:{w.account}:function:f", "AccessDeniedException", 403,
    ),
    "logs create": (
        lambda w, me: me.client("logs").create_log_group(logGroupName="/new"),
        "logs:CreateLogGroup", "logs:CreateLogGroup",
        "arn:aws:logs:us-east-1:{w.account}:log-group:/new:log-stream:", "AccessDeniedException", 400,
    ),
    "iam create": (
        lambda w, me: me.client("iam").create_user(UserName="bob"),
        "iam:CreateUser", "iam:CreateUser", "arn:aws:iam::{w.account}:user/bob", "AccessDenied", 403,
    ),
    "rekognition": (
        lambda w, me: me.client("rekognition").detect_faces(Image={"Bytes": b"no image"}),
        "rekognition:DetectFaces", "rekognition:DetectFaces", None, "AccessDeniedException", 400,
    ),
    "apigateway": (
        lambda w, me: me.client("apigatewayv2").get_apis(),
        "apigateway:GET", "apigateway:GET", "arn:aws:apigateway:us-east-1::/apis", "AccessDeniedException", 403,
    ),
}  # fmt: skip


class World:
    """One of everything, in one account, and a user who may do nothing."""

    def __init__(self, root):
        self.root, self.account = root, root.account
        self.bucket = f"world-{root.account}"
        s3 = root.client("s3")
        s3.create_bucket(Bucket=self.bucket)
        s3.put_object(Bucket=self.bucket, Key="k", Body=b"body")
        root.client("dynamodb").create_table(TableName="things", **TABLE)
        self.queue = root.client("sqs").create_queue(QueueName="q")["QueueUrl"]
        self.topic = root.client("sns").create_topic(Name="topic")["TopicArn"]
        make_function(root, "f", root.role("f", LAMBDA), CODE)
        self.ann = root.user("ann")


@pytest.fixture(scope="module")
def world(module_root):
    return World(module_root)


def attempt(call, world, caller):
    """Makes the call; that the picture is none, is what Rekognition says to those whom it lets in."""
    try:
        return call(world, caller)
    except caller.client("rekognition").exceptions.InvalidImageFormatException as error:
        return error.response


@pytest.mark.parametrize("name", CALLS)
def test_refusals_are_in_aws_words_and_grants_count_at_once(world, name):
    call, action, spelled, resource, code, status = CALLS[name]
    resource = resource and resource.format(w=world)
    start = f"User: arn:aws:iam::{world.account}:user/ann is not authorized to perform: {spelled}"
    start += f" on resource: {resource}" if resource else ""
    world.root.grant("ann", allow("ec2:*"))

    with refused(code, status) as refusal:
        call(world, world.ann)
    assert refusal.message == f"{start} because no identity-based policy allows the {spelled} action"

    world.root.grant("ann", allow(action, on=resource.strip('"') if resource else "*"))
    attempt(call, world, world.ann)

    world.root.grant("ann", allow("*"), deny(action))
    with refused(code, status) as refusal:
        call(world, world.ann)
    assert refusal.message == f"{start} with an explicit deny in an identity-based policy"

    world.root.client("iam").delete_user_policy(UserName="ann", PolicyName="granted")
    with refused(code, status):
        call(world, world.ann)


def test_wildcards_conditions_and_variables_in_policies(world):
    s3 = world.ann.client("s3")
    world.root.grant("ann", allow("s3:*Object", on=f"arn:aws:s3:::{world.bucket}/home/${{aws:username}}/*"))
    s3.put_object(Bucket=world.bucket, Key="home/ann/letter", Body=b"x")
    with refused("AccessDenied"):
        s3.put_object(Bucket=world.bucket, Key="home/bob/letter", Body=b"x")
    only_home = {"StringLike": {"s3:prefix": "home/ann/*"}}
    world.root.grant("ann", allow("s3:ListBucket", Condition=only_home))
    assert s3.list_objects_v2(Bucket=world.bucket, Prefix="home/ann/x")["KeyCount"] == 0
    with refused("AccessDenied"):
        s3.list_objects_v2(Bucket=world.bucket)
    from_elsewhere = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    world.root.grant("ann", allow("s3:*"), deny("s3:*", Condition={"NotIpAddress": from_elsewhere["IpAddress"]}))
    with refused("AccessDenied"):
        s3.get_object(Bucket=world.bucket, Key="k")


def test_policies_of_groups_and_managed_policies(root):
    iam = root.client("iam")
    user = root.user("ann")
    sqs = user.client("sqs")
    iam.create_group(GroupName="senders")
    iam.put_group_policy(GroupName="senders", PolicyName="p", PolicyDocument=policy(allow("sqs:CreateQueue")))
    iam.add_user_to_group(GroupName="senders", UserName="ann")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    with refused("AccessDenied"):
        sqs.send_message(QueueUrl=url, MessageBody="x")
    own = iam.create_policy(PolicyName="own", PolicyDocument=policy(allow("sqs:SendMessage")))["Policy"]["Arn"]
    iam.attach_user_policy(UserName="ann", PolicyArn=own)
    sqs.send_message(QueueUrl=url, MessageBody="x")
    iam.create_policy_version(PolicyArn=own, PolicyDocument=policy(deny("sqs:SendMessage")), SetAsDefault=True)
    with refused("AccessDenied") as refusal:
        sqs.send_message(QueueUrl=url, MessageBody="x")
    assert "explicit deny in an identity-based policy" in refusal.message
    iam.set_default_policy_version(PolicyArn=own, VersionId="v1")
    sqs.send_message(QueueUrl=url, MessageBody="x")
    iam.detach_user_policy(UserName="ann", PolicyArn=own)
    iam.attach_group_policy(GroupName="senders", PolicyArn="arn:aws:iam::aws:policy/AmazonSQSFullAccess")
    sqs.send_message(QueueUrl=url, MessageBody="x")
    iam.remove_user_from_group(GroupName="senders", UserName="ann")
    with refused("AccessDenied"):
        sqs.send_message(QueueUrl=url, MessageBody="x")


def test_a_boundary_limits_whatever_is_granted(root):
    iam = root.client("iam")
    limit = iam.create_policy(PolicyName="limit", PolicyDocument=policy(allow("sns:*")))["Policy"]["Arn"]
    user = root.user("ann", allow("*"))
    iam.put_user_permissions_boundary(UserName="ann", PermissionsBoundary=limit)
    user.client("sns").create_topic(Name="fine")
    with refused("AccessDenied") as refusal:
        user.client("sqs").create_queue(QueueName="q")
    assert "because no permissions boundary allows the sqs:createqueue action" in refusal.message


def test_only_a_careful_user_may_pass_a_role_to_a_function(root):
    role = root.role("power", LAMBDA, allow("*"))
    user = root.user("ann", allow("lambda:*"))
    with refused("AccessDeniedException", 403) as refusal:
        make_function(user, "sneaky", role, CODE)
    assert refusal.message == (
        f"User: arn:aws:iam::{root.account}:user/ann is not authorized to perform: iam:PassRole on resource: {role} "
        "because no identity-based policy allows the iam:PassRole action"
    )
    root.grant("ann", allow("lambda:*"), allow("iam:PassRole", on=role))
    make_function(user, "fine", role, CODE)


def test_malformed_policies_are_refused(root):
    iam = root.client("iam")
    iam.create_user(UserName="ann")
    for document in ("{", "{}", '{"Version": "2012-10-17", "Statement": [{"Effect": "Perhaps"}]}'):
        with refused("MalformedPolicyDocument", 400):
            iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=document)


def test_users_roles_and_policies_come_back_in_pages(root):
    iam = root.client("iam")
    names = [f"user{number}" for number in range(7)]
    for name in names:
        iam.create_user(UserName=name, Path="/team/", Tags=[{"Key": "n", "Value": name}])
    pages = list(iam.get_paginator("list_users").paginate(PathPrefix="/team/", PaginationConfig={"PageSize": 3}))
    assert [len(page["Users"]) for page in pages] == [3, 3, 1]
    assert [user["UserName"] for page in pages for user in page["Users"]] == names
    assert iam.list_user_tags(UserName="user3")["Tags"] == [{"Key": "n", "Value": "user3"}]
    with refused("EntityAlreadyExists", 409) as refusal:
        iam.create_user(UserName="USER3")
    assert refusal.message == "User with name USER3 already exists."
    with refused("NoSuchEntity", 404) as refusal:
        iam.get_user(UserName="nobody")
    assert refusal.message == "The user with name nobody cannot be found."
    iam.create_access_key(UserName="user3")
    with refused("DeleteConflict", 409):
        iam.delete_user(UserName="user3")
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=policy(
        dict(Effect="Allow", Principal=LAMBDA, Action="sts:AssumeRole")
    ))["Role"]  # fmt: skip
    assert iam.get_role(RoleName="r")["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == LAMBDA
    assert role["Arn"] == f"arn:aws:iam::{root.account}:role/r"
    iam.get_waiter("role_exists").wait(RoleName="r")


def test_a_large_upload_is_refused_in_words(world):
    """The refusal comes before the body is read, and must not be lost in a connection that breaks."""
    world.root.grant("ann", allow("s3:GetObject"))
    s3 = world.ann.client("s3")
    s3.meta.events.register("before-send.s3.PutObject", lambda request, **_: request.headers.pop("Expect", None) and None)
    for _ in range(3):
        with refused("AccessDenied", 403):
            s3.put_object(Bucket=world.bucket, Key="large", Body=b"x" * 8_000_000)


def test_anonymous_calls_reach_only_what_is_public(world, cloud):
    from botocore import UNSIGNED

    nobody = Caller(cloud.endpoint, "", "x", "x").client("s3", signature_version=UNSIGNED)
    with refused("AccessDenied", 403):
        nobody.get_object(Bucket=world.bucket, Key="k")
    public = dict(
        Effect="Allow", Principal="*", Action="s3:GetObject", Resource=f"arn:aws:s3:::{world.bucket}/public/*"
    )
    owner = world.root.client("s3")
    with refused("AccessDenied", 403) as refusal:
        owner.put_bucket_policy(Bucket=world.bucket, Policy=policy(public))
    assert "BlockPublicPolicy setting in S3 Block Public Access" in refusal.message
    owner.delete_public_access_block(Bucket=world.bucket)
    owner.upload_fileobj(io.BytesIO(b"news"), world.bucket, "public/news")
    owner.put_bucket_policy(Bucket=world.bucket, Policy=policy(public))
    assert nobody.get_object(Bucket=world.bucket, Key="public/news")["Body"].read() == b"news"
    with refused("AccessDenied", 403):
        nobody.get_object(Bucket=world.bucket, Key="k")
