"""The AWS CLI: a few commands of every service, and trees of files to and from S3."""

import json
import os

import pytest
import urllib3
from support import LAMBDA, PYTHON_RUNTIME, archive, eventually, policy


def tree(folder):
    """The files below a folder and their bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def files(tmp_path):
    """A small tree with names that are easily broken."""
    source = tmp_path / "source"
    for name, body in {
        "a.txt": b"text",
        "empty": b"",
        "follows.txt": b"what comes after it",
        "deep/er/b c.bin": os.urandom(70_000),
        "deep/ü+%&.txt": b"x",
        "large.bin": os.urandom(9 * 1024 * 1024),
    }.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(body)
    return source


def test_s3_copies_syncs_lists_and_removes_trees(root, files, tmp_path):
    bucket = f"s3://cli-{root.account}"
    assert "make_bucket" in root.aws("s3", "mb", bucket)
    root.aws("s3", "cp", files, bucket, "--recursive", "--only-show-errors")
    listed = root.aws("s3", "ls", bucket, "--recursive", "--summarize")
    assert "deep/ü+%&.txt" in listed and "Total Objects: 6" in listed
    top = [line.split()[-1] for line in root.aws("s3", "ls", f"{bucket}/").splitlines()]
    assert top == ["deep/", "a.txt", "empty", "follows.txt", "large.bin"]

    assert root.aws("s3", "sync", files, bucket) == "", "all is there already"
    (files / "a.txt").write_bytes(b"changed text")
    (files / "empty").unlink()
    said = root.aws("s3", "sync", files, bucket, "--delete", "--no-progress")
    assert sorted(line.split(":")[0] for line in said.splitlines()) == ["delete", "upload"], said

    target = tmp_path / "target"
    root.aws("s3", "sync", bucket, target, "--only-show-errors")
    assert tree(target) == tree(files)
    root.aws("s3", "cp", f"{bucket}/a.txt", f"{bucket}/copy.txt", "--only-show-errors")
    root.aws("s3", "mv", f"{bucket}/copy.txt", f"{bucket}/moved.txt", "--only-show-errors")
    assert root.aws("s3", "cp", f"{bucket}/moved.txt", "-") == "changed text"
    root.aws("s3", "cp", "-", f"{bucket}/streamed", input="from a pipe")
    assert root.aws("s3", "cp", f"{bucket}/streamed", "-") == "from a pipe"

    url = root.aws("s3", "presign", f"{bucket}/deep/er/b c.bin", "--expires-in", "60").strip()
    answer = urllib3.request("GET", url)
    assert (answer.status, answer.data) == (200, (files / "deep/er/b c.bin").read_bytes())

    root.aws("s3", "rm", f"{bucket}/a.txt", "--only-show-errors")
    assert "NoSuchKey" in root.aws("s3api", "get-object", "--bucket", bucket[5:], "--key", "a.txt", "/dev/null", fails=True)
    root.aws("s3", "rb", bucket, "--force")
    assert root.aws("s3", "ls") == ""


def test_s3_sends_one_file_after_the_other(root, files, tmp_path, monkeypatch):
    """On one connection: version 1 of the CLI takes the answer to an empty file for that to the next one."""
    config = tmp_path / "config"
    config.write_text("[default]\ns3 =\n  max_concurrent_requests = 1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    bucket = f"s3://cli-{root.account}"
    root.aws("s3", "mb", bucket)
    root.aws("s3", "cp", files, bucket, "--recursive", "--only-show-errors", timeout=25)
    root.aws("s3", "sync", bucket, tmp_path / "target", "--only-show-errors")
    assert tree(tmp_path / "target") == tree(files)


def test_s3api(root, tmp_path):
    bucket = f"api-{root.account}"
    made = root.aws("s3api", "create-bucket", "--bucket", bucket)
    assert made["Location"] == f"/{bucket}"
    body = tmp_path / "body"
    body.write_bytes(b"0123456789")
    put = root.aws("s3api", "put-object", "--bucket", bucket, "--key", "k", "--body", body, "--metadata", "a=1,b=2")
    head = root.aws("s3api", "head-object", "--bucket", bucket, "--key", "k")
    assert head["ETag"] == put["ETag"] and head["Metadata"] == {"a": "1", "b": "2"}
    part = tmp_path / "part"
    root.aws("s3api", "get-object", "--bucket", bucket, "--key", "k", "--range", "bytes=2-4", part)
    assert part.read_bytes() == b"234"
    root.aws("s3api", "wait", "object-exists", "--bucket", bucket, "--key", "k")
    listed = root.aws("s3api", "list-objects-v2", "--bucket", bucket, "--query", "Contents[].Key", "--output", "text")
    assert listed.strip() == "k"


def test_dynamodb(root):
    root.aws(
        "dynamodb", "create-table", "--table-name", "cli", "--billing-mode", "PAY_PER_REQUEST",
        "--attribute-definitions", "AttributeName=id,AttributeType=S", "--key-schema", "AttributeName=id,KeyType=HASH",
    )  # fmt: skip
    root.aws("dynamodb", "wait", "table-exists", "--table-name", "cli")
    item = {"id": {"S": "1"}, "n": {"N": "2"}}
    root.aws("dynamodb", "put-item", "--table-name", "cli", "--item", json.dumps(item))
    got = root.aws("dynamodb", "get-item", "--table-name", "cli", "--key", '{"id": {"S": "1"}}')
    assert got["Item"] == item
    scanned = root.aws("dynamodb", "scan", "--table-name", "cli", "--select", "COUNT")
    assert scanned["Count"] == 1
    said = root.aws("dynamodb", "delete-table", "--table-name", "none", fails=True)
    assert "(ResourceNotFoundException) when calling the DeleteTable operation" in said


def test_sqs_and_sns(root):
    url = root.aws("sqs", "create-queue", "--queue-name", "cli")["QueueUrl"]
    root.aws("sqs", "send-message", "--queue-url", url, "--message-body", "grüße")
    assert root.aws("sqs", "receive-message", "--queue-url", url)["Messages"][0]["Body"] == "grüße"
    arn = f"arn:aws:sqs:us-east-1:{root.account}:cli"
    topic = root.aws("sns", "create-topic", "--name", "cli")["TopicArn"]
    may = policy(dict(Effect="Allow", Principal={"Service": "sns.amazonaws.com"}, Action="sqs:SendMessage", Resource=arn))
    attributes = json.dumps({"Policy": may})
    root.aws("sqs", "set-queue-attributes", "--queue-url", url, "--attributes", attributes)
    root.aws("sns", "subscribe", "--topic-arn", topic, "--protocol", "sqs", "--notification-endpoint", arn)
    root.aws("sns", "publish", "--topic-arn", topic, "--message", "news")
    got = root.aws("sqs", "receive-message", "--queue-url", url, "--wait-time-seconds", "10")
    assert json.loads(got["Messages"][0]["Body"])["Message"] == "news"


def test_iam_and_sts(root):
    root.aws("iam", "create-user", "--user-name", "cli")
    key = root.aws("iam", "create-access-key", "--user-name", "cli")["AccessKey"]
    assert key["AccessKeyId"].startswith("AKIA") and len(key["SecretAccessKey"]) == 40
    document = policy(dict(Effect="Allow", Action="s3:*", Resource="*"))
    root.aws("iam", "put-user-policy", "--user-name", "cli", "--policy-name", "p", "--policy-document", document)
    shown = root.aws("iam", "get-user-policy", "--user-name", "cli", "--policy-name", "p")
    assert shown["PolicyDocument"] == json.loads(document)
    identity = root.aws("sts", "get-caller-identity")
    assert identity["Account"] == root.account


def test_lambda_logs_and_apigatewayv2(root, tmp_path):
    package = tmp_path / "f.zip"
    package.write_bytes(archive(app__py="def handler(event, context):\n    print('ran')\n    return event\n"))
    role = root.role("cli", LAMBDA, dict(Effect="Allow", Action="logs:*", Resource="*"))
    arn = root.aws(
        "lambda", "create-function", "--function-name", "cli", "--runtime", PYTHON_RUNTIME, "--role", role,
        "--handler", "app.handler", "--zip-file", f"fileb://{package}",
    )["FunctionArn"]  # fmt: skip
    root.aws("lambda", "wait", "function-active-v2", "--function-name", "cli")
    result = tmp_path / "result"
    said = root.aws("lambda", "invoke", "--function-name", "cli", "--payload", '{"a": 1}', result)
    assert said["StatusCode"] == 200 and json.loads(result.read_text()) == {"a": 1}
    api = root.aws("apigatewayv2", "create-api", "--name", "cli", "--protocol-type", "HTTP", "--target", arn)
    root.aws(
        "lambda", "add-permission", "--function-name", "cli", "--statement-id", "api", "--action",
        "lambda:InvokeFunction", "--principal", "apigateway.amazonaws.com",
    )  # fmt: skip
    answer = urllib3.request("GET", f"{api['ApiEndpoint']}/any")
    assert answer.status == 200 and json.loads(answer.data)["rawPath"] == "/any"
    query = ["--query", "events[].message", "--output", "text"]
    eventually(lambda: "ran" in root.aws("logs", "filter-log-events", "--log-group-name", "/aws/lambda/cli", *query))


def test_rekognition_and_what_is_not_implemented(root, tmp_path):
    letter = tmp_path / "letter"
    letter.write_bytes(b"no picture")
    said = root.aws("rekognition", "detect-faces", "--image-bytes", f"fileb://{letter}", fails=True)
    assert "InvalidImageFormatException" in said
    said = root.aws("rekognition", "list-collections", fails=True)
    assert "NotImplemented" in said
