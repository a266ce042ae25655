"""Every operation of STS through the AWS CLI, and through boto3 what a SAML provider of one's own vouches for."""

import base64
import json
import time

import pytest
import urllib3
from certificates import SIGN_IN, SamlProvider
from command_line import CommandLine
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from support import SESSION, Caller, allow, policy, refused
from test_identity import Provider, code


@pytest.fixture
def sts(root, tmp_path):
    return CommandLine(root, "sts", tmp_path)


def caller_of(caller, answer):
    """Whoever has the credentials of an answer."""
    made = answer["Credentials"]
    return Caller(
        caller.endpoint, caller.account, made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"]
    )


def who(sts, answer):
    return sts.as_(caller_of(sts.caller, answer))("get-caller-identity")["Arn"]


def test_every_operation(sts):
    account = sts.caller.account
    assert sts("get-caller-identity")["Arn"] == f"arn:aws:iam::{account}:root"
    role = sts.caller.role("worker", {"AWS": account}, allow("sqs:*"))
    made = sts("assume-role", role_arn=role, role_session_name="s1", duration_seconds=900)
    assert who(sts, made) == f"arn:aws:sts::{account}:assumed-role/worker/s1"
    key = made["Credentials"]["AccessKeyId"]
    assert sts("get-access-key-info", access_key_id=key)["Account"] == account
    ann = sts.as_(sts.caller.user("ann", allow("sts:GetFederationToken")))
    made = ann("get-federation-token", name="guest", policy=policy(allow("sqs:*")))
    assert who(sts, made) == f"arn:aws:sts::{account}:federated-user/guest"
    second_factor(sts, ann)
    web_identity(sts)
    saml(sts)
    outbound(sts)
    messages(sts)
    delegation(sts)
    roots(sts)
    assert sts.missing() == []


def second_factor(sts, ann):
    iam = sts.caller.client("iam")
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="ann")["VirtualMFADevice"]
    seed, step = device["Base32StringSeed"], int(time.time()) // 30
    codes = [code(seed, step - 1), code(seed, step)]
    iam.enable_mfa_device(
        UserName="ann", SerialNumber=device["SerialNumber"], AuthenticationCode1=codes[0], AuthenticationCode2=codes[1]
    )
    of = {"serial_number": device["SerialNumber"]}
    assert "(AccessDenied)" in ann.fails("get-session-token", **of, token_code="000000")
    made = ann("get-session-token", **of, token_code=code(seed, step + 1))
    assert who(sts, made).endswith(":user/ann")


def web_identity(sts):
    provider = Provider(sts.caller)
    iam = sts.caller.client("iam")
    arn = iam.create_open_id_connect_provider(Url=provider.issuer, ClientIDList=["app"])["OpenIDConnectProviderArn"]
    trust = policy(dict(Effect="Allow", Principal={"Federated": arn}, Action="sts:AssumeRoleWithWebIdentity"))
    role = iam.create_role(RoleName="web", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    made = sts(
        "assume-role-with-web-identity", role_arn=role, role_session_name="s1", web_identity_token=provider.token()
    )
    assert made["SubjectFromWebIdentityToken"] == "ann"
    assert who(sts, made).endswith(":assumed-role/web/s1")


def saml_role(caller, provider, name="staff"):
    """A SAML provider and a role for those whom it vouches for: their ARNs."""
    iam = caller.client("iam")
    arn = iam.create_saml_provider(Name=name, SAMLMetadataDocument=provider.metadata)["SAMLProviderArn"]
    condition = {"StringEquals": {"SAML:aud": SIGN_IN}}
    trust = policy(
        dict(Effect="Allow", Principal={"Federated": arn}, Action=["sts:AssumeRoleWithSAML", "sts:TagSession"],
             Condition=condition)  # fmt: skip
    )
    return arn, iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]


def saml(sts):
    provider = SamlProvider()
    arn, role = saml_role(sts.caller, provider)
    response = provider.response({"Role": [f"{role},{arn}"], "RoleSessionName": ["ann@example"]})
    made = sts("assume-role-with-saml", role_arn=role, principal_arn=arn, saml_assertion=response)
    assert (made["Issuer"], made["Subject"], made["Audience"]) == (provider.entity, "ann", SIGN_IN)
    assert who(sts, made).endswith(":assumed-role/staff/ann@example")


def outbound(sts):
    issuer = sts.caller.client("iam").enable_outbound_web_identity_federation()["IssuerIdentifier"]
    made = sts(
        "get-web-identity-token",
        audience=["https://api.example"],
        signing_algorithm="RS256",
        duration_seconds=60,
        tags=[{"Key": "job", "Value": "j1"}],
    )
    head, claims, signature = made["WebIdentityToken"].split(".")
    part = lambda text: base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))  # noqa: E731
    said = json.loads(part(claims))
    assert (said["iss"], said["aud"]) == (issuer, "https://api.example")
    assert said["https://sts.amazonaws.com/"]["request_tags"] == {"job": "j1"}
    # Whoever is shown the token finds the key by the issuer alone.
    configuration = urllib3.request("GET", f"{issuer}/.well-known/openid-configuration").json()
    assert configuration["issuer"] == issuer
    keys = urllib3.request("GET", configuration["jwks_uri"]).json()["keys"]
    key = next(key for key in keys if key["kid"] == json.loads(part(head))["kid"])
    number = lambda name: int.from_bytes(part(key[name]), "big")  # noqa: E731
    public = rsa.RSAPublicNumbers(number("e"), number("n")).public_key()
    public.verify(part(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
    assert urllib3.request("GET", f"{issuer}x/.well-known/jwks.json").status == 404


def messages(sts):
    """No service here makes such messages."""
    sts.only_refuses("decode-authorization-message", "InvalidAuthorizationMessageException", encoded_message="AAAA")


def delegation(sts):
    """What trades in is told by the walk through IAM; here the token is another's."""
    sts.only_refuses("get-delegated-access-token", "AccessDenied", trade_in_token="AAAA")


def roots(sts):
    organizations = sts.caller.client("organizations")
    organizations.create_organization()
    organizations.enable_aws_service_access(ServicePrincipal="iam.amazonaws.com")
    sts.caller.client("iam").enable_organizations_root_sessions()
    request = organizations.create_account(AccountName="m", Email="m@example.org")["CreateAccountStatus"]["Id"]
    while True:
        status = organizations.describe_create_account_status(CreateAccountRequestId=request)["CreateAccountStatus"]
        if status["State"] != "IN_PROGRESS":
            break
        time.sleep(0.05)
    member = status["AccountId"]
    root = f"arn:aws:iam::{member}:root"
    task = {"arn": "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"}
    admin = sts.as_(sts.caller.user("admin", allow("sts:AssumeRoot", on=root)))
    made = admin("assume-root", target_principal=member, task_policy_arn=task)
    acting = caller_of(sts.caller, made)
    assert sts.as_(acting)("get-caller-identity") == {"UserId": member, "Account": member, "Arn": root}
    assert acting.client("iam").list_access_keys()["AccessKeyMetadata"] == []
    with refused("AccessDenied", 403):
        acting.client("iam").create_user(UserName="x")

    # Once the account is closed, nobody acts in it any more.
    organizations.close_account(AccountId=member)
    with refused("InvalidClientTokenId", 403):
        acting.client("iam").list_access_keys()
    with refused("InvalidClientTokenId", 403):
        Caller(sts.caller.endpoint, member, member, "test").client("sts").get_caller_identity()
    assert "(AccessDenied)" in admin.fails("assume-root", target_principal=member, task_policy_arn=task)


def test_boto3_assumes_roles_with_saml(root):
    provider = SamlProvider()
    arn, role = saml_role(root, provider, "federated")
    from botocore import UNSIGNED
    from botocore.config import Config

    nobody = SESSION.client("sts", endpoint_url=root.endpoint, config=Config(signature_version=UNSIGNED))
    named = {"Role": [f"{arn},{role}"], "RoleSessionName": ["ann"]}

    def assume(response, **more):
        return nobody.assume_role_with_saml(RoleArn=role, PrincipalArn=arn, SAMLAssertion=response, **more)

    made = assume(provider.response(named | {"PrincipalTag:team": ["blue"], "SessionDuration": ["1800"]}))
    acting = Caller(
        root.endpoint,
        root.account,
        made["Credentials"]["AccessKeyId"],
        made["Credentials"]["SecretAccessKey"],
        made["Credentials"]["SessionToken"],
    )
    assert acting.client("sts").get_caller_identity()["Arn"].endswith(":assumed-role/federated/ann")
    lasts = made["Credentials"]["Expiration"].timestamp() - time.time()
    assert 1700 < lasts <= 1800

    with refused("InvalidIdentityToken", 400):
        assume(provider.response(named, signed=False))
    with refused("InvalidIdentityToken", 400):
        assume(SamlProvider().response(named))
    with refused("InvalidIdentityToken", 400):
        assume(provider.response(named, audience="urn:somebody:else"))
    with refused("ExpiredTokenException", 400):
        assume(provider.response(named, ends_in=-120))
    with refused("InvalidIdentityToken", 400):
        assume(provider.response({"Role": [f"{arn},{role}x"], "RoleSessionName": ["ann"]}))
    changed = base64.b64decode(provider.response(named)).replace(b">ann<", b">bob<")
    with refused("InvalidIdentityToken", 400):
        assume(base64.b64encode(changed).decode())
