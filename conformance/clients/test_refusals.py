"""What a server refuses, and the words in which AWS refuses it: who is not whom they say they are, whose session has ended,
whose session was tampered with, who lacks the external id or the second factor."""

import json
import re
import subprocess
from dataclasses import replace

import pytest
from support import Caller, allow, policy, refused

S3_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your key and signing method."
)
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)
INVALID = "The security token included in the request is invalid."
EXPIRED = "The security token included in the request is expired"


def family(unknown, wrong, ended, tampered):
    return {"unknown": unknown, "wrong": wrong, "ended": ended, "tampered": tampered}


S3 = family(
    ("InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records."),
    ("SignatureDoesNotMatch", 403, S3_MISMATCH),
    ("ExpiredToken", 400, "The provided token has expired."),
    ("InvalidToken", 400, "The provided token is malformed or otherwise invalid."),
)
QUERY = family(
    ("InvalidClientTokenId", 403, INVALID),
    ("SignatureDoesNotMatch", 403, MISMATCH),
    ("ExpiredToken", 403, EXPIRED),
    ("InvalidClientTokenId", 403, INVALID),
)
JSON = family(
    ("UnrecognizedClientException", 400, INVALID),
    ("InvalidSignatureException", 400, MISMATCH),
    ("ExpiredTokenException", 400, EXPIRED),
    ("UnrecognizedClientException", 400, INVALID),
)
REST = {case: (code, 403, message) for case, (code, _, message) in JSON.items()}

# How each service refuses, and a call of it that needs nothing to be there.
SERVICES = {
    "s3": (S3, "list_buckets"),
    "iam": (QUERY, "list_users"),
    "sts": (QUERY, "get_caller_identity"),
    "sns": (QUERY, "list_topics"),
    "sqs": (QUERY, "list_queues"),
    "dynamodb": (JSON, "list_tables"),
    "kms": (JSON, "list_keys"),
    "secretsmanager": (JSON, "list_secrets"),
    "ssm": (JSON, "describe_parameters"),
    "events": (JSON, "list_rules"),
    "logs": (JSON, "describe_log_groups"),
    "organizations": (JSON, "describe_organization"),
    "lambda": (REST, "list_functions"),
    "apigatewayv2": (REST, "get_apis"),
}


@pytest.fixture(scope="module")
def server(start):
    return start("--mode", "server")


@pytest.fixture(scope="module")
def administrator(server):
    """A user who may do everything, made with the root key that the server shows once."""
    [shown] = re.findall(r"AWS_ACCESS_KEY_ID=(\S+) AWS_SECRET_ACCESS_KEY=(\S+)", server.text())
    root = Caller(server.endpoint, "000000000000", *shown)
    return root, root.user("administrator", allow("*"))


@pytest.fixture(scope="module")
def ended(binary, administrator):
    """A session that has ended, and another one that has not."""
    root, user = administrator
    role = root.role("worker", {"AWS": root.account}, allow("*"))
    session = user.assume(role)
    session.client("sqs").list_queues()
    command = [binary, "clock", "advance", "61m", "--json"]
    done = subprocess.run(command, env=root.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return session, user.assume(role)


def check(caller, service, case):
    refusals, method = SERVICES[service]
    code, status, message = refusals[case]
    with refused(code, status) as refusal:
        getattr(caller.client(service), method)()
    assert refusal.message == message, f"{service} {case}"


@pytest.mark.parametrize("service", SERVICES)
def test_a_key_that_nobody_made_is_refused(server, administrator, service):
    for key, secret in [("AKIAIOSFODNN7EXAMPLE", "guess"), ("test", "test"), ("000000000000", "test")]:
        check(Caller(server.endpoint, "", key, secret), service, "unknown")


@pytest.mark.parametrize("service", SERVICES)
def test_a_wrong_secret_is_refused(administrator, service):
    for caller in administrator:
        check(replace(caller, secret=caller.secret[:-1] + ("b" if caller.secret[-1] == "a" else "a")), service, "wrong")


@pytest.mark.parametrize("service", SERVICES)
def test_a_session_that_has_ended_is_refused(ended, service):
    old, new = ended
    check(old, service, "ended")
    check(replace(new, secret=old.secret), service, "wrong")


@pytest.mark.parametrize("service", SERVICES)
def test_a_session_that_was_tampered_with_is_refused(administrator, ended, service):
    _, session = ended
    token = session.token
    middle = len(token) // 2
    flipped = token[:middle] + ("B" if token[middle] == "A" else "A") + token[middle + 1 :]
    # The policy of a session lies with its token: neither is replaced without the other.
    _, user = administrator
    freer = user.assume(f"arn:aws:iam::{user.account}:role/worker")
    for other in (flipped, token[:-4], freer.token, None):
        check(replace(session, token=other), service, "tampered")


def test_a_sessions_policy_cannot_be_shed(administrator):
    """Nobody gets rid of a session's policy with credentials of the session alone."""
    root, user = administrator
    role = root.role("limited", {"AWS": root.account}, allow("*"))
    limited = user.assume(role, Policy=policy(allow("sqs:ListQueues")))
    limited.client("sqs").list_queues()
    with refused("AccessDenied", 403) as refusal:
        limited.client("s3").list_buckets()
    assert refusal.message == (
        f"User: arn:aws:sts::{root.account}:assumed-role/limited/session is not authorized to perform: "
        "s3:ListAllMyBuckets because no session policy allows the s3:ListAllMyBuckets action"
    )
    with refused("AccessDenied", 403):
        limited.assume(role)
    with refused("AccessDenied", 403) as refusal:
        limited.client("sts").get_session_token()
    assert refusal.message == "Cannot call GetSessionToken with session credentials"


def test_a_role_is_not_assumed_without_what_it_asks_for(administrator):
    root, _ = administrator
    user = root.user("deputy", allow("sts:AssumeRole"))
    for name, condition, given in [
        ("partner", {"StringEquals": {"sts:ExternalId": "secret:handshake"}}, {"ExternalId": "secret:handshake"}),
        ("guarded", {"Bool": {"aws:MultiFactorAuthPresent": "true"}}, None),
    ]:
        trust = dict(Effect="Allow", Principal={"AWS": root.account}, Action="sts:AssumeRole", Condition=condition)
        made = root.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]
        for wrong in ({}, {"ExternalId": "guess"}):
            with refused("AccessDenied", 403) as refusal:
                user.assume(made["Arn"], **wrong)
            assert refusal.message == (
                f"User: arn:aws:iam::{root.account}:user/deputy is not authorized to perform: sts:AssumeRole "
                f"on resource: {made['Arn']}"
            )
        if given:
            user.assume(made["Arn"], **given)


def test_a_service_does_for_nobody_what_it_may_do_for_another(administrator):
    """A trust policy that names a service and a source lets no other source of the service in."""
    root, _ = administrator
    meant = f"arn:aws:lambda:us-east-1:{root.account}:function:meant"
    for name, condition in [
        ("by-arn", {"ArnLike": {"aws:SourceArn": meant}}),
        ("by-account", {"StringEquals": {"aws:SourceAccount": "999999999999"}}),
    ]:
        trust = dict(
            Effect="Allow", Principal={"Service": "lambda.amazonaws.com"}, Action="sts:AssumeRole", Condition=condition
        )
        role = root.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
        with refused("InvalidParameterValueException", 400) as refusal:
            root.client("lambda").create_function(
                FunctionName="other",
                Runtime="python3.12",
                Handler="app.handler",
                Role=role,
                Code={"ZipFile": b"x"},
            )
        assert refusal.message == "The role defined for the function cannot be assumed by Lambda."


def test_everything_that_is_refused_is_listed(administrator, binary):
    root, _ = administrator
    user = root.user("curious")
    with refused("AccessDenied", 403):
        user.client("s3").list_buckets()
    command = [binary, "iam", "refused", "--principal", f"arn:aws:iam::{root.account}:user/curious", "--json"]
    done = subprocess.run(command, env=root.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "s3:ListAllMyBuckets" in json.dumps(json.loads(done.stdout))
