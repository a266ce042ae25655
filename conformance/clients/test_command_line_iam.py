"""Every operation of IAM through the AWS CLI, in the order in which somebody would come to need it."""

import base64
import csv
import io
import json
import time

import pytest
from certificates import Certificate
from command_line import CommandLine
from support import Caller, allow, policy, receive_all
from test_identity import code

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
READ = policy(allow("s3:GetObject", on="arn:aws:s3:::b/*"))
TRUST = policy(dict(Effect="Allow", Principal={"Service": "lambda.amazonaws.com"}, Action="sts:AssumeRole"))
TAGS = [{"Key": "team", "Value": "blue"}]


@pytest.fixture
def iam(root, tmp_path):
    return CommandLine(root, "iam", tmp_path)


def test_every_operation(iam, other, tmp_path):
    users(iam)
    groups(iam)
    roles(iam)
    policies(iam)
    attachments(iam)
    boundaries(iam)
    instance_profiles(iam)
    passwords(iam)
    devices(iam, tmp_path)
    providers(iam)
    linked_roles(iam)
    certificates(iam)
    keys_of_services(iam)
    account(iam)
    simulations(iam)
    reports(iam)
    outbound(iam)
    organization(iam)
    delegation(iam, iam.as_(other))
    assert iam.missing() == []


def tagging(iam, noun, plural=None, **of):
    """Puts tags on something and takes them off again."""
    iam(f"tag-{noun}", **of, tags=[{"Key": "stage", "Value": "test"}])
    shown = iam(f"list-{noun}-tags", **of)
    assert {"Key": "stage", "Value": "test"} in shown["Tags"]
    iam(f"untag-{noun}", **of, tag_keys=["stage"])
    assert {"Key": "stage", "Value": "test"} not in iam(f"list-{noun}-tags", **of)["Tags"]


def inline(iam, noun, **of):
    """Gives somebody a policy of its own and takes it away."""
    iam(f"put-{noun}-policy", **of, policy_name="own", policy_document=READ)
    assert iam(f"get-{noun}-policy", **of, policy_name="own")["PolicyDocument"] == json.loads(READ)
    assert iam(f"list-{noun}-policies", **of)["PolicyNames"] == ["own"]
    iam(f"delete-{noun}-policy", **of, policy_name="own")
    assert iam(f"list-{noun}-policies", **of)["PolicyNames"] == []


def users(iam):
    made = iam("create-user", user_name="ann", path="/staff/", tags=TAGS)["User"]
    assert made["Arn"].endswith(":user/staff/ann")
    assert iam("get-user", user_name="ann")["User"]["Tags"] == TAGS
    iam("update-user", user_name="ann", new_user_name="bea", new_path="/")
    assert [user["UserName"] for user in iam("list-users", path_prefix="/")["Users"]] == ["bea"]
    tagging(iam, "user", user_name="bea")
    inline(iam, "user", user_name="bea")
    key = iam("create-access-key", user_name="bea")["AccessKey"]
    bea = Caller(iam.caller.endpoint, iam.caller.account, key["AccessKeyId"], key["SecretAccessKey"])
    assert "AccessDenied" in iam.as_(bea).fails("list-users")
    used = iam("get-access-key-last-used", access_key_id=key["AccessKeyId"])
    assert used["UserName"] == "bea" and used["AccessKeyLastUsed"]["ServiceName"] == "iam"
    iam("update-access-key", user_name="bea", access_key_id=key["AccessKeyId"], status="Inactive")
    listed = iam("list-access-keys", user_name="bea")["AccessKeyMetadata"]
    assert [row["Status"] for row in listed] == ["Inactive"]
    assert "InvalidClientTokenId" in iam.as_(bea).fails("list-users")
    iam("delete-access-key", user_name="bea", access_key_id=key["AccessKeyId"])


def groups(iam):
    iam("create-group", group_name="builders")
    iam("add-user-to-group", group_name="builders", user_name="bea")
    assert [user["UserName"] for user in iam("get-group", group_name="builders")["Users"]] == ["bea"]
    iam("update-group", group_name="builders", new_group_name="makers")
    assert [group["GroupName"] for group in iam("list-groups")["Groups"]] == ["makers"]
    assert iam("list-groups-for-user", user_name="bea")["Groups"][0]["GroupName"] == "makers"
    inline(iam, "group", group_name="makers")
    iam("attach-group-policy", group_name="makers", policy_arn=BASIC)
    assert iam("list-attached-group-policies", group_name="makers")["AttachedPolicies"][0]["PolicyArn"] == BASIC
    iam("detach-group-policy", group_name="makers", policy_arn=BASIC)
    iam("remove-user-from-group", group_name="makers", user_name="bea")
    iam("delete-group", group_name="makers")
    assert "NoSuchEntity" in iam.fails("get-group", group_name="makers")


def roles(iam):
    made = iam("create-role", role_name="worker", assume_role_policy_document=TRUST, tags=TAGS)["Role"]
    assert made["AssumeRolePolicyDocument"] == json.loads(TRUST)
    iam("update-role", role_name="worker", max_session_duration=7200, description="works")
    iam("update-role-description", role_name="worker", description="really works")
    role = iam("get-role", role_name="worker")["Role"]
    assert (role["MaxSessionDuration"], role["Description"]) == (7200, "really works")
    trust = policy(dict(Effect="Allow", Principal={"AWS": iam.caller.account}, Action="sts:AssumeRole"))
    iam("update-assume-role-policy", role_name="worker", policy_document=trust)
    assert [role["RoleName"] for role in iam("list-roles")["Roles"]] == ["worker"]
    tagging(iam, "role", role_name="worker")
    inline(iam, "role", role_name="worker")
    iam("create-role", role_name="short", assume_role_policy_document=TRUST)
    iam("delete-role", role_name="short")
    assert "NoSuchEntity" in iam.fails("get-role", role_name="short")


def policies(iam):
    made = iam("create-policy", policy_name="reads", policy_document=READ, description="reads", tags=TAGS)["Policy"]
    arn = made["Arn"]
    every = policy(allow("s3:*"))
    second = iam("create-policy-version", policy_arn=arn, policy_document=every)["PolicyVersion"]
    assert (second["VersionId"], second["IsDefaultVersion"]) == ("v2", False)
    iam("set-default-policy-version", policy_arn=arn, version_id="v2")
    assert iam("get-policy", policy_arn=arn)["Policy"]["DefaultVersionId"] == "v2"
    shown = iam("get-policy-version", policy_arn=arn, version_id="v2")["PolicyVersion"]
    assert shown["Document"] == json.loads(every)
    assert len(iam("list-policy-versions", policy_arn=arn)["Versions"]) == 2
    iam("delete-policy-version", policy_arn=arn, version_id="v1")
    assert [row["PolicyName"] for row in iam("list-policies", scope="Local")["Policies"]] == ["reads"]
    tagging(iam, "policy", policy_arn=arn)
    iam("delete-policy", policy_arn=arn)
    # The CLI asks page by page until it has all.
    of_aws = {row["PolicyName"]: row for row in iam("list-policies", scope="AWS")["Policies"]}
    assert len(of_aws) > 1500
    document = iam(
        "get-policy-version", policy_arn=ADMINISTRATOR, version_id=of_aws["AdministratorAccess"]["DefaultVersionId"]
    )["PolicyVersion"]["Document"]
    assert document["Statement"] == [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
    assert "NoSuchEntity" in iam.fails("get-policy", policy_arn="arn:aws:iam::aws:policy/NoSuchThing")


def attachments(iam):
    for noun, name in [("user", "bea"), ("role", "worker")]:
        of = {f"{noun}_name": name}
        iam(f"attach-{noun}-policy", **of, policy_arn=BASIC)
        shown = iam(f"list-attached-{noun}-policies", **of)["AttachedPolicies"]
        assert [row["PolicyArn"] for row in shown] == [BASIC]
    entities = iam("list-entities-for-policy", policy_arn=BASIC)
    assert entities["PolicyUsers"][0]["UserName"] == "bea" and entities["PolicyRoles"][0]["RoleName"] == "worker"
    iam("detach-role-policy", role_name="worker", policy_arn=BASIC)
    iam("detach-user-policy", user_name="bea", policy_arn=BASIC)


def boundaries(iam):
    for noun, name in [("user", "bea"), ("role", "worker")]:
        of = {f"{noun}_name": name}
        iam(f"put-{noun}-permissions-boundary", **of, permissions_boundary=BASIC)
        shown = iam(f"get-{noun}", **of)[noun.capitalize()]["PermissionsBoundary"]
        assert shown["PermissionsBoundaryArn"] == BASIC
        iam(f"delete-{noun}-permissions-boundary", **of)
        assert "PermissionsBoundary" not in iam(f"get-{noun}", **of)[noun.capitalize()]


def instance_profiles(iam):
    of = {"instance_profile_name": "machines"}
    iam("create-instance-profile", **of)
    iam("add-role-to-instance-profile", **of, role_name="worker")
    shown = iam("get-instance-profile", **of)["InstanceProfile"]
    assert [role["RoleName"] for role in shown["Roles"]] == ["worker"]
    assert len(iam("list-instance-profiles")["InstanceProfiles"]) == 1
    assert len(iam("list-instance-profiles-for-role", role_name="worker")["InstanceProfiles"]) == 1
    tagging(iam, "instance-profile", **of)
    iam("remove-role-from-instance-profile", **of, role_name="worker")
    iam("delete-instance-profile", **of)


def passwords(iam):
    iam("update-account-password-policy", minimum_password_length=10, require_numbers=True,
        allow_users_to_change_password=True)  # fmt: skip
    assert iam("get-account-password-policy")["PasswordPolicy"]["MinimumPasswordLength"] == 10
    assert "PasswordPolicyViolation" in iam.fails("create-login-profile", user_name="bea", password="short")
    iam("create-login-profile", user_name="bea", password="correct-horse-1", password_reset_required=True)
    assert iam("get-login-profile", user_name="bea")["LoginProfile"]["PasswordResetRequired"] is True
    iam("update-login-profile", user_name="bea", password="correct-horse-2")
    key = iam("create-access-key", user_name="bea")["AccessKey"]
    bea = Caller(iam.caller.endpoint, iam.caller.account, key["AccessKeyId"], key["SecretAccessKey"])
    own = iam.as_(bea)
    own_password = "arn:aws:iam::aws:policy/IAMUserChangePassword"
    iam("attach-user-policy", user_name="bea", policy_arn=own_password)
    own("change-password", old_password="correct-horse-2", new_password="correct-horse-3")
    assert "AccessDenied" in own.fails(
        "change-password", old_password="correct-horse-2", new_password="correct-horse-4"
    )
    iam("detach-user-policy", user_name="bea", policy_arn=own_password)
    iam("delete-access-key", user_name="bea", access_key_id=key["AccessKeyId"])
    iam("delete-login-profile", user_name="bea")
    iam("delete-account-password-policy")
    assert "NoSuchEntity" in iam.fails("get-account-password-policy")


def devices(iam, folder):
    seed = folder / "seed"
    made = iam("create-virtual-mfa-device", virtual_mfa_device_name="phone", outfile=seed,
               bootstrap_method="Base32StringSeed")  # fmt: skip
    serial = made["VirtualMFADevice"]["SerialNumber"]
    of = {"user_name": "bea", "serial_number": serial}
    codes = lambda now: {  # noqa: E731
        "authentication_code1": code(seed.read_text(), int(now) // 30 - 1),
        "authentication_code2": code(seed.read_text(), int(now) // 30),
    }
    wrong = iam.fails("enable-mfa-device", **of, authentication_code1="000000", authentication_code2="000000")
    assert "InvalidAuthenticationCode" in wrong
    iam("enable-mfa-device", **of, **codes(time.time()))
    assert iam("get-mfa-device", serial_number=serial, user_name="bea")["UserName"] == "bea"
    assert iam("list-mfa-devices", user_name="bea")["MFADevices"][0]["SerialNumber"] == serial
    listed = iam("list-virtual-mfa-devices", assignment_status="Assigned")["VirtualMFADevices"]
    assert [row["SerialNumber"] for row in listed] == [serial]
    iam("resync-mfa-device", **of, **codes(time.time() + 60))
    tagging(iam, "mfa-device", serial_number=serial)
    iam("deactivate-mfa-device", **of)
    iam("delete-virtual-mfa-device", serial_number=serial)


def providers(iam):
    made = iam("create-open-id-connect-provider", url="https://idp.example", client_id_list=["app"])
    of = {"open_id_connect_provider_arn": made["OpenIDConnectProviderArn"]}
    iam("add-client-id-to-open-id-connect-provider", **of, client_id="other")
    iam("update-open-id-connect-provider-thumbprint", **of, thumbprint_list=["0" * 40])
    shown = iam("get-open-id-connect-provider", **of)
    assert (shown["ClientIDList"], shown["ThumbprintList"]) == (["app", "other"], ["0" * 40])
    iam("remove-client-id-from-open-id-connect-provider", **of, client_id="other")
    assert len(iam("list-open-id-connect-providers")["OpenIDConnectProviderList"]) == 1
    tagging(iam, "open-id-connect-provider", **of)
    iam("delete-open-id-connect-provider", **of)

    metadata = Certificate.make("idp.example").metadata("https://idp.example")
    made = iam("create-saml-provider", name="staff", saml_metadata_document=metadata)
    of = {"saml_provider_arn": made["SAMLProviderArn"]}
    newer = Certificate.make("idp.example").metadata("https://idp.example")
    iam("update-saml-provider", **of, saml_metadata_document=newer)
    assert iam("get-saml-provider", **of)["SAMLMetadataDocument"] == newer
    assert len(iam("list-saml-providers")["SAMLProviderList"]) == 1
    tagging(iam, "saml-provider", **of)
    iam("delete-saml-provider", **of)


def linked_roles(iam):
    role = iam("create-service-linked-role", aws_service_name="ecs.amazonaws.com")["Role"]
    attached = iam("list-attached-role-policies", role_name=role["RoleName"])["AttachedPolicies"]
    assert [row["PolicyName"] for row in attached] == ["AmazonECSServiceRolePolicy"]
    task = iam("delete-service-linked-role", role_name=role["RoleName"])["DeletionTaskId"]
    status = iam("get-service-linked-role-deletion-status", deletion_task_id=task)
    assert status["Status"] == "SUCCEEDED"


def certificates(iam):
    made = Certificate.make("www.example")
    of = {"server_certificate_name": "web"}
    uploaded = iam("upload-server-certificate", **of, certificate_body=made.pem, private_key=made.key_pem)
    assert uploaded["ServerCertificateMetadata"]["ServerCertificateName"] == "web"
    wrong = Certificate.make("www.example").key_pem
    complaint = iam.fails(
        "upload-server-certificate", server_certificate_name="other", certificate_body=made.pem, private_key=wrong
    )
    assert "KeyPairMismatch" in complaint
    tagging(iam, "server-certificate", **of)
    iam("update-server-certificate", **of, new_server_certificate_name="front")
    of = {"server_certificate_name": "front"}
    assert iam("get-server-certificate", **of)["ServerCertificate"]["CertificateBody"].strip() == made.pem.strip()
    assert len(iam("list-server-certificates")["ServerCertificateMetadataList"]) == 1
    iam("delete-server-certificate", **of)

    uploaded = iam("upload-signing-certificate", user_name="bea", certificate_body=made.pem)["Certificate"]
    of = {"user_name": "bea", "certificate_id": uploaded["CertificateId"]}
    iam("update-signing-certificate", **of, status="Inactive")
    listed = iam("list-signing-certificates", user_name="bea")["Certificates"]
    assert [row["Status"] for row in listed] == ["Inactive"]
    iam("delete-signing-certificate", **of)


def keys_of_services(iam):
    body = Certificate.make("x").ssh_key()
    uploaded = iam("upload-ssh-public-key", user_name="bea", ssh_public_key_body=body)["SSHPublicKey"]
    of = {"user_name": "bea", "ssh_public_key_id": uploaded["SSHPublicKeyId"]}
    shown = iam("get-ssh-public-key", **of, encoding="PEM")["SSHPublicKey"]
    assert shown["SSHPublicKeyBody"].startswith("-----BEGIN PUBLIC KEY-----")
    iam("update-ssh-public-key", **of, status="Inactive")
    assert iam("list-ssh-public-keys", user_name="bea")["SSHPublicKeys"][0]["Status"] == "Inactive"
    iam("delete-ssh-public-key", **of)

    made = iam("create-service-specific-credential", user_name="bea", service_name="codecommit.amazonaws.com")
    made = made["ServiceSpecificCredential"]
    of = {"user_name": "bea", "service_specific_credential_id": made["ServiceSpecificCredentialId"]}
    again = iam("reset-service-specific-credential", **of)["ServiceSpecificCredential"]
    assert again["ServicePassword"] != made["ServicePassword"]
    iam("update-service-specific-credential", **of, status="Inactive")
    listed = iam("list-service-specific-credentials", user_name="bea")["ServiceSpecificCredentials"]
    assert [row["Status"] for row in listed] == ["Inactive"]
    iam("delete-service-specific-credential", **of)


def account(iam):
    alias = f"cli-{iam.caller.account}"
    iam("create-account-alias", account_alias=alias)
    assert iam("list-account-aliases")["AccountAliases"] == [alias]
    iam("delete-account-alias", account_alias=alias)
    assert iam("get-account-summary")["SummaryMap"]["Users"] == 1
    iam("set-security-token-service-preferences", global_endpoint_token_version="v2Token")
    details = iam("get-account-authorization-details", filter="User")
    assert [user["UserName"] for user in details["UserDetailList"]] == ["bea"]


def simulations(iam):
    arn = f"arn:aws:iam::{iam.caller.account}:user/bea"
    iam("put-user-policy", user_name="bea", policy_name="own",
        policy_document=policy(allow("s3:GetObject", Condition={"Bool": {"aws:SecureTransport": "true"}})))  # fmt: skip
    entries = [{"ContextKeyName": "aws:SecureTransport", "ContextKeyType": "boolean", "ContextKeyValues": ["true"]}]
    outcome = iam("simulate-principal-policy", policy_source_arn=arn, action_names=["s3:GetObject", "s3:PutObject"],
                  context_entries=entries)["EvaluationResults"]  # fmt: skip
    assert [row["EvalDecision"] for row in outcome] == ["allowed", "implicitDeny"]
    outcome = iam("simulate-custom-policy", policy_input_list=[READ], action_names=["s3:PutObject"])
    assert outcome["EvaluationResults"][0]["EvalDecision"] == "implicitDeny"
    keys = iam("get-context-keys-for-principal-policy", policy_source_arn=arn)
    assert keys["ContextKeyNames"] == ["aws:SecureTransport"]
    assert iam("get-context-keys-for-custom-policy", policy_input_list=[READ])["ContextKeyNames"] == []


def reports(iam):
    arn = f"arn:aws:iam::{iam.caller.account}:user/bea"
    granting = iam("list-policies-granting-service-access", arn=arn, service_namespaces=["s3"])
    assert granting["PoliciesGrantingServiceAccess"][0]["Policies"][0]["PolicyName"] == "own"
    job = iam("generate-service-last-accessed-details", arn=arn)["JobId"]
    details = iam("get-service-last-accessed-details", job_id=job)
    assert [row["ServiceNamespace"] for row in details["ServicesLastAccessed"]] == ["s3"]
    used = [row["ActionName"] for row in actions(iam, arn, "iam")]
    assert "ChangePassword" in used and "CreateUser" not in used
    entities = iam("get-service-last-accessed-details-with-entities", job_id=job, service_namespace="s3")
    assert entities["EntityDetailsList"][0]["EntityInfo"]["Name"] == "bea"
    iam("generate-credential-report")
    report = iam("get-credential-report")
    rows = list(csv.DictReader(io.StringIO(base64.b64decode(report["Content"]).decode())))
    assert [row["user"] for row in rows] == ["<root_account>", "bea"]
    iam("delete-user-policy", user_name="bea", policy_name="own")
    iam("delete-user", user_name="bea")


def actions(iam, arn, service):
    """The actions of a service that somebody was seen to do."""
    iam("put-user-policy", user_name="bea", policy_name="more", policy_document=policy(allow(f"{service}:*")))
    job = iam("generate-service-last-accessed-details", arn=arn, granularity="ACTION_LEVEL")["JobId"]
    iam("delete-user-policy", user_name="bea", policy_name="more")
    services = iam("get-service-last-accessed-details", job_id=job)["ServicesLastAccessed"]
    found = next(row for row in services if row["ServiceNamespace"] == service)
    return found["TrackedActionsLastAccessed"]


def outbound(iam):
    issuer = iam("enable-outbound-web-identity-federation")["IssuerIdentifier"]
    assert iam("get-outbound-web-identity-federation-info")["IssuerIdentifier"] == issuer
    iam("disable-outbound-web-identity-federation")
    assert "FeatureDisabled" in iam.fails("get-outbound-web-identity-federation-info")


def organization(iam):
    organizations = iam.caller.client("organizations")
    organizations.create_organization()
    organizations.enable_aws_service_access(ServicePrincipal="iam.amazonaws.com")
    root = organizations.list_roots()["Roots"][0]["Id"]
    organization = organizations.describe_organization()["Organization"]["Id"]
    assert iam("list-organizations-features")["EnabledFeatures"] == []
    iam("enable-organizations-root-credentials-management")
    enabled = iam("enable-organizations-root-sessions")["EnabledFeatures"]
    assert enabled == ["RootCredentialsManagement", "RootSessions"]
    iam("disable-organizations-root-sessions")
    assert iam("disable-organizations-root-credentials-management")["EnabledFeatures"] == []
    job = iam("generate-organizations-access-report", entity_path=f"{organization}/{root}")["JobId"]
    report = iam("get-organizations-access-report", job_id=job, sort_key="SERVICE_NAMESPACE_DESCENDING")
    names = [row["ServiceNamespace"] for row in report["AccessDetails"]]
    assert names == sorted(names, reverse=True) and "s3" in names


def request_of(partner, account, workflow):
    """Another account asks for access, and hears of it by a topic whose queue is returned with the request's id."""
    topic, queue = heard(partner.caller)
    name = f"template-{workflow}"
    template = partner.caller.client("iam").create_policy(
        PolicyName=name, PolicyDocument=policy(allow("iam:GetUser", on="arn:aws:iam::*:user/@{username}"))
    )["Policy"]["Arn"]
    made = partner(
        "create-delegation-request",
        owner_account_id=account,
        description="to set things up",
        permissions={
            "PolicyTemplateArn": template,
            "Parameters": [{"Name": "username", "Values": ["dan"], "Type": "string"}],
        },
        requestor_workflow_id=workflow,
        notification_channel=topic,
        session_duration=900,
    )
    return made["DelegationRequestId"], queue


def heard(caller):
    """A topic that IAM may publish to, and a queue that hears of it."""
    sns, sqs = caller.client("sns"), caller.client("sqs")
    topic = sns.create_topic(Name="heard")["TopicArn"]
    publish = dict(Effect="Allow", Principal={"Service": "iam.amazonaws.com"}, Action="sns:Publish", Resource=topic)
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy(publish))
    queue = sqs.create_queue(QueueName="heard")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    deliver = dict(Effect="Allow", Principal={"Service": "sns.amazonaws.com"}, Action="sqs:SendMessage", Resource=arn)
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy(deliver)})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    return topic, queue


def delegation(iam, partner):
    rejected, _ = request_of(partner, iam.caller.account, "workflow-1")
    iam("associate-delegation-request", delegation_request_id=rejected)
    iam("reject-delegation-request", delegation_request_id=rejected, notes="too much")
    shown = iam("get-delegation-request", delegation_request_id=rejected)["DelegationRequest"]
    assert (shown["State"], shown["RejectionReason"]) == ("REJECTED", "too much")

    request, queue = request_of(partner, iam.caller.account, "workflow-2")
    of = {"delegation_request_id": request}
    iam("associate-delegation-request", **of)
    iam("update-delegation-request", **of, notes="please look")
    assert {row["DelegationRequestId"] for row in iam("list-delegation-requests")["DelegationRequests"]} == {
        rejected,
        request,
    }
    arn = f"arn:aws:iam::{iam.caller.account}:delegation-request/{request}"
    assert iam("get-human-readable-summary", entity_arn=arn)["SummaryState"] == "NOT_AVAILABLE"
    assert "(InvalidInput)" in iam.fails("accept-delegation-request", **of), "the root cannot be limited"
    iam.as_(iam.caller.user("approver", allow("iam:*")))("accept-delegation-request", **of)
    iam("send-delegation-token", **of)

    message = receive_all(partner.caller.client("sqs"), queue, 1)[0]
    token = json.loads(message["Body"])["exchangeToken"]
    sts = CommandLine(partner.caller, "sts", iam.folder)
    made = sts("get-delegated-access-token", trade_in_token=token)
    assert made["AssumedPrincipal"].endswith(":user/approver")
    made = made["Credentials"]
    acting = iam.as_(
        Caller(
            iam.caller.endpoint, iam.caller.account, made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"]
        )
    )
    iam("create-user", user_name="dan")
    assert acting("get-user", user_name="dan")["User"]["UserName"] == "dan"
    assert "(AccessDenied)" in acting.fails("list-users")
