"""Every operation of Secrets Manager and of Parameter Store through the AWS CLI."""

import json

import pytest
from command_line import CommandLine
from support import LAMBDA, allow, eventually, make_function, policy
from test_secretsmanager import ROTATION

SETTING = "/ssm/parameter-store/default-parameter-tier"
TAGS = [{"Key": "team", "Value": "blue"}]


@pytest.fixture
def secrets(root, tmp_path):
    return CommandLine(root, "secretsmanager", tmp_path)


@pytest.fixture
def ssm(root, tmp_path):
    return CommandLine(root, "ssm", tmp_path)


def test_every_operation_of_secrets_manager(secrets, other):
    of = values(secrets)
    resource_policy(secrets, of, other)
    replicas(secrets, of)
    deletion(secrets, of)
    cross_account(secrets, of, other)
    rotation(secrets)
    assert secrets.missing() == []


def values(secrets):
    made = secrets("create-secret", name="app/db", secret_string="one", tags=TAGS)
    of = {"secret_id": made["ARN"]}
    put = secrets("put-secret-value", **of, secret_string="two")
    assert secrets("get-secret-value", **of)["SecretString"] == "two"
    secrets("update-secret", **of, description="of the database", secret_binary=b"\x00\xff")
    assert secrets("get-secret-value", **of)["SecretBinary"] == "AP8="
    batch = secrets("batch-get-secret-value", secret_id_list=["app/db", "none"])
    assert len(batch["SecretValues"]) == len(batch["Errors"]) == 1
    versions = {row["VersionId"]: row["VersionStages"] for row in secrets("list-secret-version-ids", **of)["Versions"]}
    assert versions[put["VersionId"]] == ["AWSPREVIOUS"]
    secrets("update-secret-version-stage", **of, version_stage="kept", move_to_version_id=put["VersionId"])
    assert secrets("get-secret-value", **of, version_stage="kept")["SecretString"] == "two"
    secrets("tag-resource", **of, tags=[{"Key": "stage", "Value": "test"}])
    secrets("untag-resource", **of, tag_keys=["team"])
    shown = secrets("describe-secret", **of)
    assert (shown["Description"], shown["Tags"]) == ("of the database", [{"Key": "stage", "Value": "test"}])
    listed = secrets("list-secrets", filters=[{"Key": "name", "Values": ["app"]}])["SecretList"]
    assert [row["Name"] for row in listed] == ["app/db"]
    word = secrets("get-random-password", password_length=40, exclude_punctuation=True)["RandomPassword"]
    assert len(word) == 40 and word.isalnum()
    assert "(ResourceNotFoundException)" in secrets.fails("describe-secret", secret_id="none")
    return of


def resource_policy(secrets, of, other):
    friend = f"arn:aws:iam::{other.account}:root"
    document = policy(
        dict(Effect="Allow", Principal={"AWS": friend}, Action="secretsmanager:GetSecretValue", Resource="*")
    )
    assert secrets("validate-resource-policy", resource_policy=document)["PolicyValidationPassed"] is True
    secrets("put-resource-policy", **of, resource_policy=document)
    assert json.loads(secrets("get-resource-policy", **of)["ResourcePolicy"])["Statement"]
    secrets("list-resource-policies", **of)
    secrets("delete-resource-policy", **of)
    assert "ResourcePolicy" not in secrets("get-resource-policy", **of)


def replicas(secrets, of):
    regions = [{"Region": "eu-west-1"}, {"Region": "eu-west-2"}]
    made = secrets("replicate-secret-to-regions", **of, add_replica_regions=regions)["ReplicationStatus"]
    assert {row["Region"] for row in made} == {"eu-west-1", "eu-west-2"}
    left = secrets("remove-regions-from-replication", **of, remove_replica_regions=["eu-west-2"])
    assert [row["Region"] for row in left["ReplicationStatus"]] == ["eu-west-1"]
    there = {"secret_id": "app/db", "region": "eu-west-1"}
    secrets("stop-replication-to-replica", **there)
    assert secrets("get-secret-value", **there)["SecretBinary"] == "AP8="


def cross_account(secrets, of, other):
    there = secrets.as_(other)
    trust = [
        dict(Effect="Allow", Principal={"AWS": f"arn:aws:iam::{account}:root"}, Action=actions, Resource="*")
        for account, actions in [(other.account, "kms:*"), (secrets.caller.account, "kms:Encrypt")]
    ]
    key = other.client("kms").create_key(Policy=policy(*trust))["KeyMetadata"]["Arn"]
    made = there("create-secret", name="copy", cross_account_primary_arn=of["secret_id"], kms_key_id=key)
    service = {"Service": "secretsmanager.amazonaws.com"}
    role = secrets.caller.role("copier", service, allow("kms:Decrypt", "kms:Encrypt"))
    link = {"cross_account_replica_arn": made["ARN"]}
    assert "(InvalidRequestException)" in secrets.fails("associate-cross-account-replica", **of, **link), "no organization"
    secrets(
        "associate-cross-account-replica", **of, **link, replica_restriction="NoRestriction", replication_role_arn=role
    )
    status = lambda: there("describe-secret", secret_id="copy")["CrossAccountPrimary"]["ReplicationStatus"]
    eventually(lambda: status() == "InSync")
    secrets("put-secret-value", **of, secret_string="copied")
    eventually(lambda: there("get-secret-value", secret_id="copy").get("SecretString") == "copied")
    secrets("disassociate-cross-account-replica", **of, **link)
    assert status() == "Detached"
    there("stop-replication-to-replica", secret_id="copy")
    there("delete-secret", secret_id="copy", force_delete_without_recovery=True)


def deletion(secrets, of):
    secrets("delete-secret", **of, recovery_window_in_days=7)
    assert "(InvalidRequestException)" in secrets.fails("get-secret-value", **of)
    secrets("restore-secret", **of)
    assert secrets("get-secret-value", **of)["SecretBinary"] == "AP8="


def rotation(secrets):
    of = {"secret_id": secrets("create-secret", name="rotated", secret_string="old")["ARN"]}
    role = secrets.caller.role("rotator", LAMBDA, allow("secretsmanager:*"))
    function = make_function(secrets.caller, "rotate", role, ROTATION, Timeout=30)
    secrets.caller.client("lambda").add_permission(
        FunctionName="rotate",
        StatementId="secrets",
        Action="lambda:InvokeFunction",
        Principal="secretsmanager.amazonaws.com",
        SourceArn=of["secret_id"],
    )
    secrets("rotate-secret", **of, rotation_lambda_arn=function, rotation_rules={"AutomaticallyAfterDays": 7})
    eventually(lambda: "LastRotatedDate" in secrets("describe-secret", **of))
    assert len(secrets("get-secret-value", **of)["SecretString"]) == 20
    secrets("cancel-rotate-secret", **of)
    assert secrets("describe-secret", **of)["RotationEnabled"] is False


def test_every_operation_of_parameter_store(ssm, other):
    parameters(ssm)
    labels(ssm)
    tags(ssm)
    sharing(ssm, other)
    settings(ssm)
    assert ssm.missing() == []


def parameters(ssm):
    ssm("put-parameter", name="/app/name", value="one", type="String", description="the name")
    assert "(ParameterAlreadyExists)" in ssm.fails("put-parameter", name="/app/name", value="two", type="String")
    assert ssm("put-parameter", name="/app/name", value="two", overwrite=True)["Version"] == 2
    ssm("put-parameter", name="/app/word", value="hidden", type="SecureString")
    shown = ssm("get-parameter", name="/app/word", with_decryption=True)["Parameter"]
    assert (shown["Value"], shown["Type"]) == ("hidden", "SecureString")
    several = ssm("get-parameters", names=["/app/name", "/none"])
    assert several["Parameters"][0]["Value"] == "two" and several["InvalidParameters"] == ["/none"]
    found = ssm("get-parameters-by-path", path="/app", recursive=True)["Parameters"]
    assert [row["Name"] for row in found] == ["/app/name", "/app/word"]
    secure = [{"Key": "Type", "Values": ["SecureString"]}]
    listed = ssm("describe-parameters", parameter_filters=secure)["Parameters"]
    assert [row["Name"] for row in listed] == ["/app/word"]
    history = ssm("get-parameter-history", name="/app/name")["Parameters"]
    assert [row["Value"] for row in history] == ["one", "two"]
    ssm("put-parameter", name="/old", value="x", type="String")
    ssm("delete-parameter", name="/old")
    assert "(ParameterNotFound)" in ssm.fails("get-parameter", name="/old")
    gone = ssm("delete-parameters", names=["/app/word", "/none"])
    assert (gone["DeletedParameters"], gone["InvalidParameters"]) == (["/app/word"], ["/none"])


def labels(ssm):
    of = {"name": "/app/name", "parameter_version": 1}
    ssm("label-parameter-version", **of, labels=["first"])
    assert ssm("get-parameter", name="/app/name:first")["Parameter"]["Value"] == "one"
    assert ssm("unlabel-parameter-version", **of, labels=["first"])["RemovedLabels"] == ["first"]


def tags(ssm):
    of = {"resource_type": "Parameter", "resource_id": "/app/name"}
    ssm("add-tags-to-resource", **of, tags=TAGS)
    assert ssm("list-tags-for-resource", **of)["TagList"] == TAGS
    ssm("remove-tags-from-resource", **of, tag_keys=["team"])
    assert ssm("list-tags-for-resource", **of)["TagList"] == []


def sharing(ssm, other):
    ssm("put-parameter", name="/shared", value="ours", type="String", tier="Advanced")
    arn = ssm("get-parameter", name="/shared")["Parameter"]["ARN"]
    friend = {"AWS": f"arn:aws:iam::{other.account}:root"}
    actions = ["ssm:GetParameter", "ssm:GetParameters", "ssm:GetParameterHistory", "ssm:DescribeParameters"]
    document = policy(dict(Effect="Allow", Principal=friend, Action=actions, Resource=arn))
    made = ssm("put-resource-policy", resource_arn=arn, policy=document)
    assert ssm("get-resource-policies", resource_arn=arn)["Policies"][0]["PolicyId"] == made["PolicyId"]
    shared = ssm.as_(other)("describe-parameters", shared=True)["Parameters"]
    assert [row["ARN"] for row in shared] == [arn]
    assert ssm.as_(other)("get-parameters", names=[arn])["Parameters"][0]["Value"] == "ours"
    of = {"policy_id": made["PolicyId"], "policy_hash": made["PolicyHash"]}
    ssm("delete-resource-policy", resource_arn=arn, **of)
    assert ssm("get-resource-policies", resource_arn=arn)["Policies"] == []


def settings(ssm):
    of = {"setting_id": SETTING}
    assert ssm("get-service-setting", **of)["ServiceSetting"]["SettingValue"] == "Standard"
    ssm("update-service-setting", **of, setting_value="Intelligent-Tiering")
    assert ssm("get-service-setting", **of)["ServiceSetting"]["SettingValue"] == "Intelligent-Tiering"
    assert ssm("reset-service-setting", **of)["ServiceSetting"]["SettingValue"] == "Standard"
