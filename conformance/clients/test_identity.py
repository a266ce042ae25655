"""Who somebody is, through unmodified clients: tokens of a provider, second factors, and why a call was refused."""

import base64
import hashlib
import hmac
import json
import os
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from botocore import UNSIGNED
from fogbank_server import server_environment
from support import SESSION, Caller, allow, deny, policy, refused

ALGORITHM = "RSASSA_PKCS1_V1_5_SHA_256"


def urlsafe(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def elements(der):
    """The elements of a DER sequence."""
    found, at = [], 0
    while at < len(der):
        length, at = der[at + 1], at + 2
        if length & 0x80:
            more = length & 0x7F
            length, at = int.from_bytes(der[at : at + more], "big"), at + more
        found.append(der[at : at + length])
        at += length
    return found


class Provider:
    """An OpenID Connect provider on loopback, whose key lies in KMS."""

    def __init__(self, caller):
        self.kms = caller.client("kms")
        self.key = self.kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                document = provider.documents().get(self.path)
                self.send_response(200 if document else 404)
                self.end_headers()
                self.wfile.write(json.dumps(document).encode())

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def documents(self):
        public = elements(self.kms.get_public_key(KeyId=self.key)["PublicKey"])[0]
        modulus, exponent = elements(elements(elements(public)[1][1:])[0])
        key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one"}
        key |= {"n": urlsafe(modulus.lstrip(b"\0")), "e": urlsafe(exponent)}
        return {
            "/.well-known/openid-configuration": {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"},
            "/keys": {"keys": [key]},
        }

    def token(self, head=None, **claims):
        """A token that the provider signs; claims that are None are left out."""
        now = int(time.time())
        base = {"iss": self.issuer, "aud": "app", "sub": "ann", "iat": now, "exp": now + 600}
        body = {name: value for name, value in (base | claims).items() if value is not None}
        head = head or {"alg": "RS256", "kid": "one", "typ": "JWT"}
        signed = f"{urlsafe(json.dumps(head).encode())}.{urlsafe(json.dumps(body).encode())}"
        answer = self.kms.sign(KeyId=self.key, Message=signed.encode(), SigningAlgorithm=ALGORITHM)
        return f"{signed}.{urlsafe(answer['Signature'])}"


@pytest.fixture
def provider(root):
    provider = Provider(root)
    yield provider
    provider.server.shutdown()


def web_role(root, provider):
    """A role for subjects of the provider whose name is ann."""
    host = provider.issuer.removeprefix("http://")
    arn = root.client("iam").create_open_id_connect_provider(Url=provider.issuer, ClientIDList=["app"])
    trusted = {"Federated": arn["OpenIDConnectProviderArn"]}
    condition = {"StringEquals": {f"{host}:sub": "ann", f"{host}:aud": "app"}}
    trust = dict(Effect="Allow", Principal=trusted, Action="sts:AssumeRoleWithWebIdentity", Condition=condition)
    role = root.client("iam").create_role(RoleName="web", AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    granted = allow("sqs:ListQueues", Condition={"StringEquals": {f"{host}:sub": "ann"}})
    root.client("iam").put_role_policy(RoleName="web", PolicyName="granted", PolicyDocument=policy(granted))
    return role


def test_a_token_of_a_provider_becomes_a_session(root, provider):
    role = web_role(root, provider)
    # Nobody has keys before: the call is not signed.
    sts = root.client("sts", signature_version=UNSIGNED)

    def assume(token):
        return sts.assume_role_with_web_identity(RoleArn=role, RoleSessionName="web", WebIdentityToken=token)

    made = assume(provider.token())
    assert made["SubjectFromWebIdentityToken"] == "ann" and made["Audience"] == "app"
    assert made["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{root.account}:assumed-role/web/web"
    keys = made["Credentials"]
    session = dict(
        endpoint_url=root.endpoint,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    assert SESSION.client("sts", **session).get_caller_identity()["Arn"] == made["AssumedRoleUser"]["Arn"]
    SESSION.client("sqs", **session).list_queues()
    with refused("AccessDenied", 403):
        SESSION.client("sqs", **session).create_queue(QueueName="q")

    with refused("AccessDenied", 403):
        assume(provider.token(sub="bob"))
    with refused("InvalidIdentityToken", 400) as refusal:
        assume(provider.token(aud="other"))
    assert refusal.message == "Incorrect token audience"
    with refused("ExpiredTokenException", 400):
        assume(provider.token(iat=1, exp=2))
    with refused("InvalidIdentityToken", 400):
        assume(provider.token(iss="http://127.0.0.1:1"))
    with refused("InvalidIdentityToken", 400):
        assume(provider.token(head={"alg": "none", "typ": "JWT"}))
    head, body, signature = provider.token(sub="bob").split(".")
    with refused("InvalidIdentityToken", 400):
        assume(".".join([head, provider.token().split(".")[1], signature]))


def code(seed, step):
    """A code of RFC 6238."""
    digest = hmac.new(base64.b32decode(seed), step.to_bytes(8, "big"), hashlib.sha1).digest()
    at = digest[-1] & 15
    number = int.from_bytes(digest[at : at + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def test_a_second_factor_really_counts(root):
    ann = root.user("ann", allow("sqs:*"), deny("sqs:*", Condition={"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}))
    iam = root.client("iam")
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="ann")["VirtualMFADevice"]
    seed, serial = device["Base32StringSeed"], device["SerialNumber"]
    assert device["QRCodePNG"].startswith(b"\x89PNG")
    step = int(time.time()) // 30
    with refused("InvalidAuthenticationCode", 403):
        iam.enable_mfa_device(
            UserName="ann", SerialNumber=serial, AuthenticationCode1="000000", AuthenticationCode2="000001"
        )
    iam.enable_mfa_device(
        UserName="ann",
        SerialNumber=serial,
        AuthenticationCode1=code(seed, step - 1),
        AuthenticationCode2=code(seed, step),
    )
    with refused("AccessDenied", 403):
        ann.client("sqs").list_queues()
    sts = ann.client("sts")
    with refused("AccessDenied", 403):
        sts.get_session_token(SerialNumber=serial, TokenCode="000000")
    keys = sts.get_session_token(SerialNumber=serial, TokenCode=code(seed, step + 1))["Credentials"]
    SESSION.client(
        "sqs",
        endpoint_url=root.endpoint,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    ).list_queues()
    # A code counts once.
    with refused("AccessDenied", 403):
        sts.get_session_token(SerialNumber=serial, TokenCode=code(seed, step + 1))


def test_the_command_line_of_iam(root):
    root.aws("iam", "create-user", "--user-name", "ann")
    root.aws("iam", "create-account-alias", "--account-alias", f"alias-{root.account}")
    assert root.aws("iam", "list-account-aliases")["AccountAliases"] == [f"alias-{root.account}"]
    root.aws("iam", "create-instance-profile", "--instance-profile-name", "machines")
    root.aws("iam", "update-account-password-policy", "--minimum-password-length", "12")
    complaint = root.aws(
        "iam", "create-login-profile", "--user-name", "ann", "--password", "short", fails=True
    )
    assert "PasswordPolicyViolation" in complaint
    root.aws("iam", "create-login-profile", "--user-name", "ann", "--password", "long enough, surely")
    assert root.aws("iam", "get-account-summary")["SummaryMap"]["Users"] == 1
    assert root.aws("iam", "generate-credential-report")["State"] in ("STARTED", "COMPLETE")
    report = base64.b64decode(root.aws("iam", "get-credential-report")["Content"]).decode()
    assert report.splitlines()[0].startswith("user,arn,user_creation_time,password_enabled")
    answer = root.aws(
        "iam", "simulate-custom-policy", "--policy-input-list", policy(allow("s3:GetObject")),
        "--action-names", "s3:GetObject", "s3:PutObject",
    )
    assert [each["EvalDecision"] for each in answer["EvaluationResults"]] == ["allowed", "implicitDeny"]
    details = root.aws("iam", "get-account-authorization-details", "--filter", "User")
    assert [user["UserName"] for user in details["UserDetailList"]] == ["ann"]
    complaint = root.aws("iam", "delete-user", "--user-name", "ann", fails=True)
    assert "DeleteConflict" in complaint


def test_a_refusal_is_explained_and_a_policy_suggested(cloud, binary):
    # The commands are the administrator's, who is the root of the cloud's own account.
    account = "000000000000"
    root = Caller(cloud.endpoint, account, "test", "test")
    environment = server_environment() | {"AWS_ENDPOINT_URL": cloud.endpoint}

    def fogbank(*arguments):
        done = subprocess.run([binary, *arguments], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    name = f"refused-{os.getpid()}"
    ann = root.user(name, allow("sqs:ListQueues"))
    with refused("AccessDenied", 403) as refusal:
        ann.client("sqs").create_queue(QueueName="never")
    request = refusal.response["ResponseMetadata"]["RequestId"]
    told = fogbank("iam", "explain", request)
    arn = f"arn:aws:iam::{account}:user/{name}"
    assert arn in told and "sqs:CreateQueue" in told and f"arn:aws:sqs:us-east-1:{account}:never" in told
    assert request in fogbank("iam", "refused", "--principal", arn)
    ann.client("sqs").list_queues()
    suggested = json.loads(fogbank("iam", "suggest", "--principal", arn))
    actions = str([statement["Action"] for statement in suggested["Statement"]])
    assert "sqs:ListQueues" in actions and "sqs:CreateQueue" not in actions
