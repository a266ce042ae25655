"""Roles and their sessions, and what resources say about callers of other accounts."""

import json
import subprocess

import pytest
from support import LAMBDA, Caller, allow, archive, deny, make_function, policy, refused

CODE = archive(app__py="def handler(event, context):\n    return 'ran'\n")


def test_a_role_is_assumed_with_temporary_credentials(root):
    user = root.user("ann", allow("sts:AssumeRole"))
    role = root.role("worker", {"AWS": f"arn:aws:iam::{root.account}:user/ann"}, allow("sqs:CreateQueue"))
    made = user.client("sts").assume_role(RoleArn=role, RoleSessionName="shift", DurationSeconds=900)
    credentials, assumed = made["Credentials"], made["AssumedRoleUser"]
    assert credentials["AccessKeyId"].startswith("ASIA")
    answered = made["ResponseMetadata"]["HTTPHeaders"]["date"]
    assert abs((credentials["Expiration"] - parse_date(answered)).total_seconds() - 900) < 5
    assert assumed["Arn"] == f"arn:aws:sts::{root.account}:assumed-role/worker/shift"

    session = user.assume(role, "shift")
    identity = session.client("sts").get_caller_identity()
    assert identity["Arn"] == assumed["Arn"] and identity["UserId"] == assumed["AssumedRoleId"]
    session.client("sqs").create_queue(QueueName="q")
    with refused("AccessDenied", 403) as refusal:
        session.client("sqs").delete_queue(QueueUrl=f"{root.endpoint}/{root.account}/q")
    assert refusal.message == (
        f"User: {assumed['Arn']} is not authorized to perform: sqs:deletequeue on resource: "
        f"arn:aws:sqs:us-east-1:{root.account}:q because no identity-based policy allows the sqs:deletequeue action"
    )


def parse_date(text):
    """The time of an HTTP header."""
    from email.utils import parsedate_to_datetime

    return parsedate_to_datetime(text)


def test_who_is_not_trusted_does_not_become_the_role(root):
    user = root.user("ann", allow("sts:*"))
    role = root.role("worker", {"AWS": f"arn:aws:iam::{root.account}:root"})
    root.client("iam").update_assume_role_policy(
        RoleName="worker",
        PolicyDocument=policy(dict(Effect="Allow", Principal=LAMBDA, Action="sts:AssumeRole")),
    )
    for wanted in (role, role + "-that-does-not-exist"):
        with refused("AccessDenied", 403) as refusal:
            user.assume(wanted)
        me = f"arn:aws:iam::{root.account}:user/ann"
        assert refusal.message == f"User: {me} is not authorized to perform: sts:AssumeRole on resource: {wanted}"
    trusting = root.role("trusting", {"AWS": root.account})
    with refused("ValidationError", 400) as refusal:
        user.assume(trusting, DurationSeconds=4000)
    assert refusal.message == "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."


def test_an_external_id_is_asked_for(root, other):
    trust = dict(
        Effect="Allow",
        Principal={"AWS": other.account},
        Action="sts:AssumeRole",
        Condition={"StringEquals": {"sts:ExternalId": "secret:handshake"}},
    )
    iam = root.client("iam")
    role = iam.create_role(RoleName="guest", AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    stranger = other.user("eve", allow("sts:AssumeRole", on=role))
    with refused("AccessDenied", 403):
        stranger.assume(role)
    guest = stranger.assume(role, ExternalId="secret:handshake")
    identity = guest.client("sts").get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::{root.account}:assumed-role/guest/session"


def test_session_policies_only_take_away(root):
    user = root.user("ann", allow("sts:AssumeRole"))
    role = root.role("worker", {"AWS": root.account}, allow("sqs:*"))
    limited = user.assume(role, Policy=policy(allow("sqs:CreateQueue", "sns:*")))
    limited.client("sqs").create_queue(QueueName="q")
    with refused("AccessDenied", 403) as refusal:
        limited.client("sqs").list_queues()
    assert "because no session policy allows the sqs:listqueues action" in refusal.message
    with refused("AuthorizationError", 403) as refusal:
        limited.client("sns").create_topic(Name="t")
    assert "because no identity-based policy allows the SNS:CreateTopic action" in refusal.message
    forbidden = user.assume(role, Policy=policy(allow("*"), deny("sqs:CreateQueue")))
    with refused("AccessDenied", 403) as refusal:
        forbidden.client("sqs").create_queue(QueueName="q2")
    assert "with an explicit deny in a session policy" in refusal.message
    managed = user.assume(role, PolicyArns=[{"arn": "arn:aws:iam::aws:policy/AmazonSNSFullAccess"}])
    with refused("AccessDenied", 403):
        managed.client("sqs").list_queues()


def test_a_grant_to_a_role_counts_at_once_for_its_sessions(root):
    session = root.user("ann", allow("sts:AssumeRole")).assume(root.role("worker", {"AWS": root.account}))
    with refused("AccessDenied"):
        session.client("sqs").list_queues()
    root.client("iam").put_role_policy(
        RoleName="worker", PolicyName="p", PolicyDocument=policy(allow("sqs:ListQueues"))
    )
    session.client("sqs").list_queues()
    root.client("iam").delete_role_policy(RoleName="worker", PolicyName="p")
    with refused("AccessDenied"):
        session.client("sqs").list_queues()


def test_get_session_token_is_the_user_for_a_while(root):
    user = root.user("ann", allow("sqs:*"))
    made = user.client("sts").get_session_token(DurationSeconds=900)["Credentials"]
    session = Caller(
        root.endpoint, root.account, made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"]
    )
    assert session.client("sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{root.account}:user/ann"
    session.client("sqs").list_queues()


def test_the_aws_cli_assumes_a_role_of_its_profile(root, tmp_path):
    user = root.user("ann", allow("sts:AssumeRole"))
    role = root.role("worker", {"AWS": root.account})
    config = tmp_path / "config"
    config.write_text(
        f"[profile base]\naws_access_key_id = {user.key}\naws_secret_access_key = {user.secret}\n"
        f"[profile work]\nrole_arn = {role}\nsource_profile = base\nrole_session_name = cli\n"
    )
    environment = user.environment() | {"AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "work", "HOME": str(tmp_path)}
    del environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]
    done = subprocess.run(
        ["aws", "sts", "get-caller-identity"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["Arn"] == f"arn:aws:sts::{root.account}:assumed-role/worker/cli"


class Neighbours:
    """Two accounts: one owns things, a user of the other may do anything that the owner allows."""

    def __init__(self, owner, other):
        self.owner = owner
        self.user = other.user("eve", allow("*"))
        self.weak = other.user("weak")
        self.principal = {"AWS": f"arn:aws:iam::{other.account}:root"}


@pytest.fixture
def neighbours(root, other):
    return Neighbours(root, other)


def test_a_bucket_policy_lets_another_account_in(neighbours):
    owner, bucket = neighbours.owner.client("s3"), f"shared-{neighbours.owner.account}"
    owner.create_bucket(Bucket=bucket)
    owner.put_object(Bucket=bucket, Key="shared/k", Body=b"x")
    with refused("AccessDenied", 403) as refusal:
        neighbours.user.client("s3").get_object(Bucket=bucket, Key="shared/k")
    assert refusal.message == "Access Denied"
    shared = dict(
        Effect="Allow",
        Principal=neighbours.principal,
        Action=["s3:GetObject", "s3:PutObject"],
        Resource=f"arn:aws:s3:::{bucket}/shared/*",
    )
    owner.put_bucket_policy(Bucket=bucket, Policy=policy(shared))
    assert neighbours.user.client("s3").get_object(Bucket=bucket, Key="shared/k")["Body"].read() == b"x"
    neighbours.user.client("s3").put_object(Bucket=bucket, Key="shared/new", Body=b"x")
    with refused("AccessDenied", 403):
        neighbours.user.client("s3").get_object(Bucket=bucket, Key="k")
    with refused("AccessDenied", 403):
        neighbours.weak.client("s3").get_object(Bucket=bucket, Key="shared/k")
    denied = dict(Effect="Deny", Principal="*", Action="s3:GetObject", Resource=f"arn:aws:s3:::{bucket}/*")
    owner.put_bucket_policy(Bucket=bucket, Policy=policy(shared, denied))
    for caller in (neighbours.user, neighbours.owner):
        with refused("AccessDenied", 403):
            caller.client("s3").get_object(Bucket=bucket, Key="shared/k")
    owner.delete_bucket_policy(Bucket=bucket)
    owner.get_object(Bucket=bucket, Key="shared/k")


def test_a_queue_policy_lets_another_account_in(neighbours):
    owner = neighbours.owner.client("sqs")
    url = owner.create_queue(QueueName="shared")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{neighbours.owner.account}:shared"
    with refused("AccessDenied", 403) as refusal:
        neighbours.user.client("sqs").send_message(QueueUrl=url, MessageBody="x")
    assert refusal.message.endswith("because no resource-based policy allows the sqs:sendmessage action")
    shared = dict(Effect="Allow", Principal=neighbours.principal, Action="sqs:SendMessage", Resource=arn)
    owner.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(shared)})
    neighbours.user.client("sqs").send_message(QueueUrl=url, MessageBody="from afar")
    with refused("AccessDenied", 403):
        neighbours.user.client("sqs").receive_message(QueueUrl=url)
    with refused("AccessDenied", 403):
        neighbours.weak.client("sqs").send_message(QueueUrl=url, MessageBody="x")
    assert owner.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "from afar"


def test_a_topic_policy_lets_another_account_in(neighbours):
    owner = neighbours.owner.client("sns")
    arn = owner.create_topic(Name="shared")["TopicArn"]
    with refused("AuthorizationError", 403):
        neighbours.user.client("sns").publish(TopicArn=arn, Message="x")
    shared = dict(Effect="Allow", Principal=neighbours.principal, Action="sns:Publish", Resource=arn)
    owner.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy(shared))
    neighbours.user.client("sns").publish(TopicArn=arn, Message="x")
    with refused("AuthorizationError", 403):
        neighbours.weak.client("sns").publish(TopicArn=arn, Message="x")


def test_a_functions_policy_lets_another_account_in(neighbours, other):
    owner = neighbours.owner.client("lambda")
    arn = make_function(neighbours.owner, "shared", neighbours.owner.role("f", LAMBDA), CODE)
    with refused("AccessDeniedException", 403) as refusal:
        neighbours.user.client("lambda").invoke(FunctionName=arn)
    assert refusal.message.endswith("because no resource-based policy allows the lambda:InvokeFunction action")
    owner.add_permission(
        FunctionName="shared", StatementId="s", Action="lambda:InvokeFunction", Principal=other.account
    )
    assert json.load(neighbours.user.client("lambda").invoke(FunctionName=arn)["Payload"]) == "ran"
    with refused("AccessDeniedException", 403):
        neighbours.user.client("lambda").delete_function(FunctionName=arn)
    owner.remove_permission(FunctionName="shared", StatementId="s")
    with refused("AccessDeniedException", 403):
        neighbours.user.client("lambda").invoke(FunctionName=arn)
