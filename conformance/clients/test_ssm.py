"""Parameters: hierarchies, secure values, versions, and the CLI."""

import base64

import pytest
from support import refused


@pytest.fixture
def parameters(root):
    return root.client("ssm")


def test_hierarchies_are_read_by_path(parameters):
    for name in ("/app/db/host", "/app/db/port", "/app/name"):
        parameters.put_parameter(Name=name, Value=name, Type="String")
    pages = parameters.get_paginator("get_parameters_by_path").paginate(Path="/app", Recursive=True, MaxResults=2)
    assert [it["Name"] for page in pages for it in page["Parameters"]] == ["/app/db/host", "/app/db/port", "/app/name"]
    got = parameters.get_parameters(Names=["/app/name", "/none"])
    assert ([it["Value"] for it in got["Parameters"]], got["InvalidParameters"]) == (["/app/name"], ["/none"])
    under = [{"Key": "Path", "Option": "OneLevel", "Values": ["/app"]}]
    described = parameters.describe_parameters(ParameterFilters=under)["Parameters"]
    assert [it["Name"] for it in described] == ["/app/name"]


@pytest.mark.parametrize("tier", ["Standard", "Advanced"])
def test_secure_values_are_sealed(parameters, tier):
    parameters.put_parameter(Name="/secret", Value="correct horse", Type="SecureString", Tier=tier)
    sealed = parameters.get_parameter(Name="/secret")["Parameter"]["Value"]
    assert b"correct" not in base64.b64decode(sealed)
    opened = parameters.get_parameter(Name="/secret", WithDecryption=True)["Parameter"]
    assert (opened["Value"], opened["Type"]) == ("correct horse", "SecureString")


def test_versions_have_numbers_and_labels(parameters):
    parameters.put_parameter(Name="/v", Value="one", Type="String")
    with refused("ParameterAlreadyExists") as refusal:
        parameters.put_parameter(Name="/v", Value="two", Type="String")
    assert "To overwrite this value, set the overwrite option in the request to true." in refusal.message
    assert parameters.put_parameter(Name="/v", Value="two", Overwrite=True)["Version"] == 2
    parameters.label_parameter_version(Name="/v", ParameterVersion=1, Labels=["first"])
    assert parameters.get_parameter(Name="/v:first")["Parameter"]["Value"] == "one"
    history = parameters.get_parameter_history(Name="/v")["Parameters"]
    assert [(it["Value"], it["Labels"]) for it in history] == [("one", ["first"]), ("two", [])]
    with pytest.raises(parameters.exceptions.ParameterNotFound):
        parameters.get_parameter(Name="/none")


def test_secrets_are_read_by_way_of_parameters(root, parameters):
    root.client("secretsmanager").create_secret(Name="s", SecretString="hidden")
    got = parameters.get_parameter(Name="/aws/reference/secretsmanager/s", WithDecryption=True)
    assert got["Parameter"]["Value"] == "hidden"


def test_the_cli_serves_parameters(root):
    root.aws("ssm", "put-parameter", "--name", "/cli", "--value", "v", "--type", "SecureString")
    got = root.aws("ssm", "get-parameter", "--name", "/cli", "--with-decryption")
    assert got["Parameter"]["Value"] == "v"
    assert "(ParameterNotFound)" in root.aws("ssm", "get-parameter", "--name", "/none", fails=True)
    root.aws("ssm", "delete-parameter", "--name", "/cli")
