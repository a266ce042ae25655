"""Secrets: values, versions, rotation by a function that really runs, and the CLI."""

import json

import pytest
from support import LAMBDA, allow, archive, eventually, make_function, refused

ROTATION = archive(
    app__py="""
import boto3, os

def handler(event, context):
    secrets = boto3.client("secretsmanager")
    arn, token, step = event["SecretId"], event["ClientRequestToken"], event["Step"]
    stages = secrets.describe_secret(SecretId=arn)["VersionIdsToStages"]
    assert "AWSPENDING" in stages[token], stages
    if step == "createSecret":
        try:
            secrets.get_secret_value(SecretId=arn, VersionId=token, VersionStage="AWSPENDING")
        except secrets.exceptions.ResourceNotFoundException:
            word = secrets.get_random_password(PasswordLength=20, ExcludePunctuation=True)["RandomPassword"]
            secrets.put_secret_value(
                SecretId=arn, ClientRequestToken=token, SecretString=word, VersionStages=["AWSPENDING"],
                RotationToken=event["RotationToken"],
            )
    if step == "finishSecret":
        current = next(version for version, labels in stages.items() if "AWSCURRENT" in labels)
        if current != token:
            secrets.update_secret_version_stage(
                SecretId=arn, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=current
            )
"""
)


@pytest.fixture
def secrets(root):
    return root.client("secretsmanager")


def test_a_secret_has_versions_with_labels(secrets):
    made = secrets.create_secret(Name="app/db", SecretString="one", Tags=[{"Key": "team", "Value": "blue"}])
    assert made["ARN"].split(":secret:")[1].startswith("app/db-")
    secrets.put_secret_value(SecretId="app/db", SecretString="two")
    assert secrets.get_secret_value(SecretId=made["ARN"])["SecretString"] == "two"
    before = secrets.get_secret_value(SecretId="app/db", VersionStage="AWSPREVIOUS")
    assert (before["SecretString"], before["VersionId"]) == ("one", made["VersionId"])
    secrets.create_secret(Name="bytes", SecretBinary=b"\x00\xff")
    assert secrets.get_secret_value(SecretId="bytes")["SecretBinary"] == b"\x00\xff"
    batch = secrets.batch_get_secret_value(SecretIdList=["app/db", "none"])
    assert [value["Name"] for value in batch["SecretValues"]] == ["app/db"]
    assert batch["Errors"][0]["ErrorCode"] == "ResourceNotFoundException"
    named = [secret["Name"] for secret in secrets.list_secrets(SortBy="name", SortOrder="asc")["SecretList"]]
    assert named == ["app/db", "bytes"]


def test_refusals_are_awss(secrets):
    with refused("ResourceNotFoundException") as refusal:
        secrets.get_secret_value(SecretId="none")
    assert "Secrets Manager can't find the specified secret." in refusal.message
    secrets.create_secret(Name="s", SecretString="x")
    with refused("ResourceExistsException") as refusal:
        secrets.create_secret(Name="s", SecretString="y")
    assert "The operation failed because the secret s already exists." in refusal.message
    secrets.delete_secret(SecretId="s", RecoveryWindowInDays=7)
    doomed = "You can't perform this operation on the secret because it was marked for deletion."
    with refused("InvalidRequestException") as refusal:
        secrets.get_secret_value(SecretId="s")
    assert doomed in refusal.message
    secrets.restore_secret(SecretId="s")
    assert secrets.get_secret_value(SecretId="s")["SecretString"] == "x"


def test_a_function_rotates_a_secret(root, secrets):
    role = root.role("rotator", LAMBDA, allow("secretsmanager:*", on="*"))
    target = make_function(root, "rotate", role, ROTATION, Timeout=30)
    arn = secrets.create_secret(Name="rotated", SecretString="old")["ARN"]
    rules = {"AutomaticallyAfterDays": 7}
    with refused("AccessDeniedException") as refusal:
        secrets.rotate_secret(SecretId=arn, RotationLambdaARN=target, RotationRules=rules)
    assert "Secrets Manager cannot invoke the specified Lambda function." in refusal.message
    root.client("lambda").add_permission(
        FunctionName="rotate",
        StatementId="secrets",
        Action="lambda:InvokeFunction",
        Principal="secretsmanager.amazonaws.com",
        SourceArn=arn,
    )
    token = secrets.rotate_secret(SecretId=arn, RotationLambdaARN=target, RotationRules=rules)["VersionId"]
    eventually(lambda: "LastRotatedDate" in secrets.describe_secret(SecretId=arn))
    assert "AWSCURRENT" in secrets.describe_secret(SecretId=arn)["VersionIdsToStages"][token]
    value = secrets.get_secret_value(SecretId=arn)["SecretString"]
    assert len(value) == 20 and value != "old"
    assert secrets.get_secret_value(SecretId=arn, VersionStage="AWSPREVIOUS")["SecretString"] == "old"


def test_the_cli_serves_secrets(root):
    made = root.aws("secretsmanager", "create-secret", "--name", "cli", "--secret-string", json.dumps({"a": 1}))
    got = root.aws("secretsmanager", "get-secret-value", "--secret-id", made["ARN"])
    assert json.loads(got["SecretString"]) == {"a": 1}
    complaint = root.aws("secretsmanager", "get-secret-value", "--secret-id", "none", fails=True)
    assert "(ResourceNotFoundException)" in complaint
    root.aws("secretsmanager", "delete-secret", "--secret-id", "cli", "--force-delete-without-recovery")
    root.aws("secretsmanager", "get-secret-value", "--secret-id", "cli", fails=True)
