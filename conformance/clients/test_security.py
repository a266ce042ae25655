"""Nobody does what nobody allowed: every operation through an unmodified client, and the ways around it."""

import json
import re
import time
import tomllib
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import replace
from pathlib import Path

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from support import LAMBDA, Caller, allow, archive, deny, make_function, policy, receive_all, refused

OPERATIONS = Path(__file__).resolve().parents[2] / "models/operations"
ACCOUNT = "@account@"

# What AWS lets everybody do who signs, or refuses in other words because another policy than the caller's decides, or
# because its input names the key or the grant in a sealed form that cannot be made up (test_kms.py asks with real ones).
OPEN = {
    "kms:Decrypt",
    "kms:ReEncrypt",
    "kms:RetireGrant",
    "s3:DeleteObjects",
    "sts:AssumeRole",
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
    "sts:DecodeAuthorizationMessage",
    "sts:GetCallerIdentity",
    "sts:GetSessionToken",
}

# Values for members whose meaning no model tells.
HINTS = {
    "TopicArn": f"arn:aws:sns:us-east-1:{ACCOUNT}:plausible",
    "SubscriptionArn": f"arn:aws:sns:us-east-1:{ACCOUNT}:plausible:0b8f1a52-5a3b-4c1d-9e0f-000000000000",
    "QueueUrl": f"http://127.0.0.1:4566/{ACCOUNT}/plausible",
    "CopySource": f"plausible-{ACCOUNT}/source",
    "Bucket": f"plausible-{ACCOUNT}",
    "Layers": [f"arn:aws:lambda:us-east-1:{ACCOUNT}:layer:plausible:1"],
    "Resource": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:plausible",
    "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/plausible",
    "Role": f"arn:aws:iam::{ACCOUNT}:role/plausible",
    "PolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/plausible",
    "PolicyDocument": policy(allow("sqs:*")),
    "AssumeRolePolicyDocument": policy(dict(Effect="Allow", Principal="*", Action="sts:AssumeRole")),
    "VersionId": "v1",
    "AuthenticationCode1": "123456",
    "AuthenticationCode2": "654321",
    "Code": {"ZipFile": b"x"},
    "Content": {"ZipFile": b"x"},
}
SERVICE_HINTS = {
    "s3control": {"AccountId": ACCOUNT, "ResourceArn": f"arn:aws:s3:us-east-1:{ACCOUNT}:accesspoint/plausible"},
    "apigatewayv2": {"ResourceArn": "arn:aws:apigateway:us-east-1::/apis/plausible"},
    "dynamodb": {
        "ResourceArn": f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/plausible",
        "Key": {"id": {"S": "plausible"}},
        "Item": {"id": {"S": "plausible"}},
        "KeyConditionExpression": "id = :id",
    },
    "dynamodb:TransactWriteItems": {
        "TransactItems": [{"Delete": {"TableName": "plausible", "Key": {"id": {"S": "plausible"}}}}]
    },
    "events": {
        "EventSourceArn": f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/plausible",
        "ConnectionArn": f"arn:aws:events:us-east-1:{ACCOUNT}:connection/plausible/0b8f1a52-5a3b-4c1d-9e0f-000000000000",
    },
    "events:ActivateEventSource": {"Name": "aws.partner/plausible.example/plausible"},
    "events:DeactivateEventSource": {"Name": "aws.partner/plausible.example/plausible"},
    "events:DescribeEventSource": {"Name": "aws.partner/plausible.example/plausible"},
    "iam": {"EntityPath": "o-plausible0/r-plau"},
    "iam:CreateDelegationRequest": {
        "Permissions": {"PolicyTemplateArn": "arn:aws:iam::aws:policy/AdministratorAccess"}
    },
    "sts:AssumeRoot": {"TaskPolicyArn": {"arn": "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"}},
    "kms": {"KeyId": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/0b8f1a52-5a3b-4c1d-9e0f-000000000000"},
    "lambda": {
        "Arn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:layer:plausible:1",
        "Action": "lambda:InvokeFunction",
        "UUID": "0b8f1a52-5a3b-4c1d-9e0f-000000000000",
    },
    "logs": {"resourceArn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:plausible"},
    "s3": {"VersionId": None},
    "s3:CreateSession": {"Bucket": f"plausible-{ACCOUNT}--use1-az4--x-s3"},
    "s3:RenameObject": {"Bucket": f"plausible-{ACCOUNT}--use1-az4--x-s3"},
    "s3tables": {
        "tableBucketARN": f"arn:aws:s3tables:us-east-1:{ACCOUNT}:bucket/plausible",
        "tableArn": f"arn:aws:s3tables:us-east-1:{ACCOUNT}:bucket/plausible/table/0b8f1a52-5a3b-4c1d-9e0f-000000000000",
        "resourceArn": f"arn:aws:s3tables:us-east-1:{ACCOUNT}:bucket/plausible",
    },
    "organizations": {"Target": {"Id": "111122223333", "Type": "ACCOUNT"}},
    "secretsmanager": {"SecretId": f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:plausible-a1b2c3"},
    "sns": {"ResourceArn": f"arn:aws:sns:us-east-1:{ACCOUNT}:plausible"},
}
# Members that handlers ask for though the model lets them be left out.
NEEDED = {"sns": {"TopicArn"}, "logs": {"logGroupName"}}
TEXTS = [
    "plausible",
    "plausible.example",
    "111122223333",
    "arn:aws:iam::111122223333:role/plausible",
    "AKIAPLAUSIBLE0000000",
    "/plausible",
    "alias/plausible",
    "0b8f1a52-5a3b-4c1d-9e0f-000000000000",
    "o-plausible0",
    "h-plausible",
    "car-plausible0",
    "p-plausible0",
    "r-plau",
    "ou-plau-plausible",
    "us-east-1",
    "a@plausible.example",
    "https://plausible.example",
    "1",
]


def implemented():
    """Every operation of every service, as the ledger lists them."""
    for path in sorted(OPERATIONS.glob("*.toml")):
        listed = tomllib.loads(path.read_text())
        for operation in listed["operations"]:
            yield path.stem, listed["botocore"], operation


class Plausible:
    """Arguments made up from botocore's model."""

    def __init__(self, service, operation, account):
        hints = HINTS | SERVICE_HINTS.get(service, {}) | SERVICE_HINTS.get(f"{service}:{operation}", {})
        self.hints = json.loads(json.dumps(hints, default=lambda raw: {"raw": raw.decode()}).replace(ACCOUNT, account))
        self.needed = NEEDED.get(service, set())

    def input(self, shape):
        """The members that an input must have."""
        if shape is None:
            return {}
        names = set(shape.required_members) | (self.needed & set(shape.members))
        return {name: self.value(name, shape.members[name]) for name in sorted(names)}

    def value(self, name, shape, depth=0):
        """Something that fits a shape."""
        if (hint := self.hints.get(name)) and (shape.type_name == "string") == isinstance(hint, str):
            return unraw(hint)
        match shape.type_name:
            case "structure":
                members = shape.required_members or (list(shape.members)[:1] if shape.is_tagged_union else [])
                return {member: self.value(member, shape.members[member], depth + 1) for member in members}
            case "list":
                return [self.value(name, shape.member, depth + 1)] * max(1, shape.metadata.get("min", 1))
            case "map":
                return {self.value("key", shape.key): self.value("value", shape.value, depth + 1)}
            case "string":
                return shape.enum[0] if shape.enum else text(shape.metadata)
            case "integer" | "long":
                return max(1, shape.metadata.get("min", 1))
            case "float" | "double":
                return 1.0
            case "boolean":
                return True
            case "timestamp":
                return 1_767_225_600
            case "blob":
                return b"plausible"
        raise AssertionError(f"{name}: nothing plausible of {shape.type_name}")


def unraw(hint):
    """Bytes that JSON cannot hold."""
    if isinstance(hint, dict):
        return hint["raw"].encode() if set(hint) == {"raw"} else {name: unraw(value) for name, value in hint.items()}
    return hint


def text(limits):
    """A text that fits limits; if none comes to mind, one that does not, and the test will say so."""
    short, long = limits.get("min", 0), limits.get("max", 10**9)

    def fits(candidate):
        try:
            pattern = limits.get("pattern")
            matches = pattern is None or re.fullmatch(pattern, candidate)
        except re.error:
            matches = True
        return matches and short <= len(candidate) <= long

    padded = ["plausible" * (short // 9 + 1), "a" * max(short, 1)]
    return next(filter(fits, TEXTS + padded), TEXTS[0])


def test_a_user_without_a_policy_can_do_nothing(root, names_below_localhost):
    nobody = root.user("nobody")
    root.client("s3").create_bucket(Bucket=f"plausible-{root.account}")
    root.client("s3").create_bucket(
        Bucket=f"plausible-{root.account}--use1-az4--x-s3",
        CreateBucketConfiguration={
            "Location": {"Type": "AvailabilityZone", "Name": "use1-az4"},
            "Bucket": {"Type": "Directory", "DataRedundancy": "SingleAvailabilityZone"},
        },
    )
    models = botocore.session.get_session()
    complaints, refusals = [], 0
    for service, name, operation in implemented():
        if f"{service}:{operation}" in OPEN:
            continue
        service_model = models.get_service_model(name)
        # Iceberg's REST catalog is served besides what the SDK's model names; the test below asks it.
        if operation not in service_model.operation_names:
            continue
        model = service_model.operation_model(operation)
        arguments = Plausible(service, operation, root.account).input(model.input_shape)
        # Clients of S3 Control put the account in front of the host.
        endpoint = root.endpoint.replace("127.0.0.1", "localhost") if name == "s3control" else root.endpoint
        client = nobody.client(name, parameter_validation=False, endpoint_url=endpoint)
        method = next(m for m, op in client.meta.method_to_api_mapping.items() if op == operation)
        try:
            answer = getattr(client, method)(**arguments)
            complaints.append(f"{service}:{operation} answers {answer}")
        except ClientError as error:
            if complaint := wrong(error, root.account, model.http["method"]):
                complaints.append(f"{service}:{operation}: {complaint}")
            else:
                refusals += 1
    assert not complaints, "\n".join([f"{len(complaints)} complaints", *complaints])
    assert refusals > 250
    assert root.client("iam").list_users()["Users"][0]["UserName"] == "nobody"
    assert not root.client("dynamodb").list_tables()["TableNames"]


def test_a_user_without_a_policy_reads_no_catalog(root):
    bucket = root.client("s3tables").create_table_bucket(name="catalog")["arn"]
    root.client("s3tables").create_namespace(tableBucketARN=bucket, namespace=["space"])
    prefix = urllib.parse.quote(bucket, safe="")
    paths = [f"config?warehouse={prefix}", f"{prefix}/namespaces", f"{prefix}/namespaces/space/tables"]

    def ask(caller, path):
        request = AWSRequest("GET", f"{caller.endpoint}/iceberg/v1/{path}")
        SigV4Auth(Credentials(caller.key, caller.secret), "s3tables", "us-east-1").add_auth(request)
        try:
            with urllib.request.urlopen(urllib.request.Request(request.url, headers=dict(request.headers))) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    nobody = root.user("nobody")
    assert [ask(root, path) for path in paths] == [200, 200, 200]
    assert [ask(nobody, path) for path in paths] == [403, 403, 403]


def wrong(error, account, method):
    """What a refusal does not say as AWS would."""
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    if method == "HEAD":
        return None if (code, status) == ("403", 403) else f"{code} {status}"
    words = re.fullmatch(
        rf"User: arn:aws:iam::{account}:user/nobody is not authorized to perform: (\S+)( on resource: .+)?"
        r" because no identity-based policy allows the \1 action",
        message,
    )
    if code not in ("AccessDenied", "AccessDeniedException", "AuthorizationError") or not words:
        return f"{code}: {message}"
    return None if status in (400, 403) else f"status {status}"


def test_the_anonymous_are_refused(root):
    bucket = f"private-{root.account}"
    root.client("s3").create_bucket(Bucket=bucket)
    root.client("s3").put_object(Bucket=bucket, Key="k", Body=b"x")
    queue = root.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    requests = [
        (f"{root.endpoint}/{bucket}/k", {}, None, 403, "AccessDenied"),
        (f"{root.endpoint}/{bucket}", {}, None, 403, "AccessDenied"),
        (f"{root.endpoint}/?Action=SendMessage&MessageBody=x&QueueUrl={queue}", {}, None, 403, "AccessDenied"),
        (
            root.endpoint,
            {"X-Amz-Target": "DynamoDB_20120810.ListTables", "Content-Type": "application/x-amz-json-1.0"},
            b"{}",
            400,
            "MissingAuthenticationToken",
        ),
        (f"{root.endpoint}/2015-03-31/functions/", {}, None, 403, "MissingAuthenticationToken"),
    ]
    for url, headers, body, status, code in requests:
        with pytest.raises(urllib.error.HTTPError) as raised:
            urllib.request.urlopen(urllib.request.Request(url, data=body, headers=headers), timeout=30)
        said = raised.value.read().decode() + str(raised.value.headers)
        assert raised.value.code == status and code in said, f"{url} {raised.value.code} {said}"


@pytest.mark.parametrize("service", ["s3", "iam", "sqs", "lambda", "dynamodb", "sns", "logs"])
def test_a_wrong_secret_of_a_user_and_a_tampered_token_are_refused(root, service):
    cheap = {
        "s3": ("list_buckets", "SignatureDoesNotMatch", "InvalidToken"),
        "iam": ("list_users", "SignatureDoesNotMatch", "InvalidClientTokenId"),
        "sqs": ("list_queues", "SignatureDoesNotMatch", "InvalidClientTokenId"),
        "sns": ("list_topics", "SignatureDoesNotMatch", "InvalidClientTokenId"),
        "lambda": ("list_functions", "InvalidSignatureException", "UnrecognizedClientException"),
        "dynamodb": ("list_tables", "InvalidSignatureException", "UnrecognizedClientException"),
        "logs": ("describe_log_groups", "InvalidSignatureException", "UnrecognizedClientException"),
    }
    method, signature, token = cheap[service]
    user = root.user("ann", allow("*"))
    getattr(user.client(service), method)()
    with refused(signature):
        getattr(replace(user, secret=user.secret[:-1] + "+").client(service), method)()
    session = user.assume(root.role("worker", {"AWS": root.account}, allow("*")), Policy=policy(deny("*")))
    for tampered in (session.token[:-4] + "AAAA", session.token[:-1], user.secret, None):
        with refused(token) as refusal:
            getattr(replace(session, token=tampered).client(service), method)()
        assert refusal.message in (
            "The security token included in the request is invalid.",
            "The security token included in the request is invalid",
            "The provided token is malformed or otherwise invalid.",
        )
    with refused(denied_code(service)):
        getattr(session.client(service), method)()


def denied_code(service):
    """How a service says that something is not allowed."""
    if service == "sns":
        return "AuthorizationError"
    return "AccessDenied" if service in ("s3", "iam", "sqs") else "AccessDeniedException"


def test_what_asks_for_mfa_is_refused_without(root):
    with_mfa = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    user = root.user("ann", allow("sqs:CreateQueue", Condition=with_mfa), allow("sts:AssumeRole"))
    made = user.client("sts").get_session_token()["Credentials"]
    session = Caller(
        root.endpoint, root.account, made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"]
    )
    for caller in (user, session):
        with refused("AccessDenied", 403) as refusal:
            caller.client("sqs").create_queue(QueueName="q")
        assert refusal.message == (
            f"User: arn:aws:iam::{root.account}:user/ann is not authorized to perform: sqs:createqueue on resource: "
            f"arn:aws:sqs:us-east-1:{root.account}:q because no identity-based policy allows the sqs:createqueue action"
        )
    without = {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}
    root.grant("ann", allow("*"), deny("sqs:*", Condition=without))
    for caller in (user, session):
        with refused("AccessDenied", 403) as refusal:
            caller.client("sqs").create_queue(QueueName="q")
        assert refusal.message.endswith("with an explicit deny in an identity-based policy")
    trust = dict(
        Effect="Allow", Principal={"AWS": root.account}, Action="sts:AssumeRole", Condition=with_mfa
    )
    role = root.client("iam").create_role(RoleName="guarded", AssumeRolePolicyDocument=policy(trust))
    for caller in (user, session):
        with refused("AccessDenied", 403):
            caller.assume(role["Role"]["Arn"])


def test_a_notification_of_a_bucket_that_is_not_meant_is_refused(root, other):
    """The confused deputy: S3 would do for somebody what it may do for another."""
    mine, theirs = f"mine-{root.account}", f"theirs-{other.account}"
    root.client("s3").create_bucket(Bucket=mine)
    other.client("s3").create_bucket(Bucket=theirs)
    s3_may = {"Principal": {"Service": "s3.amazonaws.com"}, "Effect": "Allow"}
    of_mine = {
        "ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{mine}"},
        "StringEquals": {"aws:SourceAccount": root.account},
    }
    sqs, sns = root.client("sqs"), root.client("sns")
    url = sqs.create_queue(QueueName="events")["QueueUrl"]
    queue = f"arn:aws:sqs:us-east-1:{root.account}:events"
    topic = sns.create_topic(Name="events")["TopicArn"]
    may_send = dict(s3_may, Action="sqs:SendMessage", Resource=queue, Condition=of_mine)
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(may_send)})
    may_publish = dict(s3_may, Action="sns:Publish", Resource=topic, Condition=of_mine)
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy(may_publish))
    code = archive(app__py="def handler(event, context):\n    return 'ran'\n")
    function = make_function(root, "events", root.role("f", LAMBDA), code)
    root.client("lambda").add_permission(
        FunctionName="events",
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{mine}",
        SourceAccount=root.account,
    )
    events = ["s3:ObjectCreated:*"]
    for wanted in (
        {"QueueConfigurations": [{"QueueArn": queue, "Events": events}]},
        {"TopicConfigurations": [{"TopicArn": topic, "Events": events}]},
        {"LambdaFunctionConfigurations": [{"LambdaFunctionArn": function, "Events": events}]},
    ):
        with refused("InvalidArgument", 400) as refusal:
            other.client("s3").put_bucket_notification_configuration(
                Bucket=theirs, NotificationConfiguration=wanted
            )
        assert refusal.message == "Unable to validate the following destination configurations"
        root.client("s3").put_bucket_notification_configuration(Bucket=mine, NotificationConfiguration=wanted)


def test_a_topic_that_is_not_meant_reaches_no_queue(root, other):
    sqs = root.client("sqs")
    url = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    queue = f"arn:aws:sqs:us-east-1:{root.account}:inbox"
    mine = root.client("sns").create_topic(Name="mine")["TopicArn"]
    theirs = other.client("sns").create_topic(Name="theirs")["TopicArn"]
    may_send = dict(
        Effect="Allow",
        Principal={"Service": "sns.amazonaws.com"},
        Action="sqs:SendMessage",
        Resource=queue,
        Condition={"ArnEquals": {"aws:SourceArn": mine}},
    )
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(may_send)})
    root.client("sns").subscribe(TopicArn=mine, Protocol="sqs", Endpoint=queue)
    # Nobody of the queue's account has confirmed this one.
    other.client("sns").subscribe(TopicArn=theirs, Protocol="sqs", Endpoint=queue)
    other.client("sns").publish(TopicArn=theirs, Message="smuggled")
    root.client("sns").publish(TopicArn=mine, Message="first")
    time.sleep(1)
    root.client("sns").publish(TopicArn=mine, Message="second")
    got = [json.loads(message["Body"])["Message"] for message in receive_all(sqs, url, 2)]
    assert sorted(got) == ["first", "second"]
    assert not receive_all(sqs, url, 1, seconds=2)


def test_accounts_do_not_meet(root, other):
    """The same names in two accounts are two things, and what is one's own is not there for the other."""
    role = f"arn:aws:iam::{root.account}:role/f"
    mine = root.client("apigatewayv2").create_api(Name="api", ProtocolType="HTTP")["ApiId"]
    with refused("NotFoundException", 404):
        other.client("apigatewayv2").get_api(ApiId=mine)
    with refused("NotFoundException", 404):
        other.client("apigatewayv2").delete_api(ApiId=mine)
    assert other.client("apigatewayv2").get_apis()["Items"] == []

    for number, caller in enumerate([root, other]):
        caller.client("sqs").create_queue(QueueName="same", Attributes={"DelaySeconds": str(number)})
        caller.client("sns").create_topic(Name="same")
        caller.client("logs").create_log_group(logGroupName="/same")
        caller.client("iam").create_user(UserName="same")
        caller.client("ssm").put_parameter(Name="/same", Value=f"{number}", Type="SecureString")
        caller.client("secretsmanager").create_secret(Name="same", SecretString=f"{number}")
        caller.client("kms").create_alias(
            AliasName="alias/same", TargetKeyId=caller.client("kms").create_key()["KeyMetadata"]["KeyId"]
        )
        caller.client("dynamodb").create_table(
            TableName="same",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        caller.role("f", LAMBDA)
        code = archive(app__py=f"def handler(event, context):\n    return {number}\n")
        make_function(caller, "same", role.replace(root.account, caller.account), code)
    for number, caller in enumerate([root, other]):
        url = caller.client("sqs").get_queue_url(QueueName="same")["QueueUrl"]
        assert f"/{caller.account}/" in url
        assert len(caller.client("sns").list_topics()["Topics"]) == 1
        assert len(caller.client("logs").describe_log_groups(logGroupNamePrefix="/same")["logGroups"]) == 1
        parameter = caller.client("ssm").get_parameter(Name="/same", WithDecryption=True)["Parameter"]
        assert parameter["Value"] == f"{number}"
        assert caller.client("secretsmanager").get_secret_value(SecretId="same")["SecretString"] == f"{number}"
        aliases = caller.client("kms").list_aliases()["Aliases"]
        assert [each["AliasName"] for each in aliases if each["AliasName"] == "alias/same"] == ["alias/same"]
        assert caller.client("dynamodb").list_tables()["TableNames"] == ["same"]
        answer = caller.client("lambda").invoke(FunctionName="same")
        assert json.loads(answer["Payload"].read()) == number

    # The resource's policy lets a stranger in who may do it at home, too.
    secret = root.client("secretsmanager").describe_secret(SecretId="same")["ARN"]
    with refused("AccessDeniedException"):
        other.client("secretsmanager").describe_secret(SecretId=secret)
    statement = allow("secretsmanager:DescribeSecret", Principal={"AWS": other.account})
    root.client("secretsmanager").put_resource_policy(SecretId="same", ResourcePolicy=policy(statement))
    assert other.client("secretsmanager").describe_secret(SecretId=secret)["ARN"] == secret
    queue = root.client("sqs").get_queue_url(QueueName="same")["QueueUrl"]
    with refused("AccessDenied", 403):
        other.client("sqs").send_message(QueueUrl=queue, MessageBody="x")
