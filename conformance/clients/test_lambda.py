"""Functions that really run: Python, Node.js and a shell script."""

import base64
import io
import json
import time
import zipfile

import pytest
from support import (
    LAMBDA,
    NODE_RUNTIME,
    PYTHON_RUNTIME,
    allow,
    archive,
    eventually,
    make_function,
    needs_curl,
    needs_node,
    receive_all,
    refused,
)

PYTHON = archive(
    app__py="""
import json, os, sys, time

print("cold start")
calls = 0

def handler(event, context):
    global calls
    calls += 1
    print("told to", event.get("do"))
    match event.get("do"):
        case "fail":
            raise ValueError("as you wished")
        case "sleep":
            time.sleep(60)
        case "exit":
            sys.exit(3)
        case "memory":
            return len(bytearray(10**9))
        case "write":
            open("/var/task/new", "w")
    return {
        "event": event, "calls": calls, "colour": os.environ.get("COLOUR"), "name": context.function_name,
        "arn": context.invoked_function_arn, "version": context.function_version, "id": context.aws_request_id,
        "left": context.get_remaining_time_in_millis(), "memory": context.memory_limit_in_mb,
    }
"""
)


@pytest.fixture(scope="module")
def functions(module_root):
    return module_root.client("lambda")


@pytest.fixture(scope="module")
def role(module_root):
    logs = allow("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", on="arn:aws:logs:*:*:*")
    return module_root.role("runner", LAMBDA, logs)


@pytest.fixture(scope="module")
def python(module_root, role):
    """The function of most tests."""
    return make_function(
        module_root, "python", role, PYTHON, Timeout=20, MemorySize=256, Environment={"Variables": {"COLOUR": "blue"}}
    )


def invoke(functions, name, event=None, **arguments):
    """Invokes and returns the answer with its payload read."""
    answer = functions.invoke(FunctionName=name, Payload=json.dumps(event or {}), **arguments)
    answer["Payload"] = answer["Payload"].read()
    return answer


def test_python_runs_with_its_context(functions, python, module_root):
    answer = invoke(functions, "python", {"a": "ä"}, LogType="Tail")
    said = json.loads(answer["Payload"])
    assert answer["StatusCode"] == 200 and answer["ExecutedVersion"] == "$LATEST" and "FunctionError" not in answer
    assert said["event"] == {"a": "ä"} and said["colour"] == "blue"
    assert (said["name"], said["arn"], said["version"]) == ("python", python, "$LATEST")
    assert said["id"] == answer["ResponseMetadata"]["RequestId"] and said["memory"] == "256"
    assert 1000 < said["left"] <= 20_000
    log = base64.b64decode(answer["LogResult"]).decode()
    assert f"START RequestId: {said['id']} Version: $LATEST" in log and "told to None" in log
    assert f"REPORT RequestId: {said['id']}" in log and "Memory Size: 256 MB" in log
    again = json.loads(invoke(functions, python)["Payload"])
    assert again["calls"] == said["calls"] + 1, "the environment stays warm"


def test_errors_tell_what_happened(functions, python):
    answer = invoke(functions, "python", {"do": "fail"})
    error = json.loads(answer["Payload"])
    assert answer["StatusCode"] == 200 and answer["FunctionError"] == "Unhandled"
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "as you wished")
    assert any('raise ValueError("as you wished")' in line for line in error["stackTrace"])
    answer = invoke(functions, "python", {"do": "exit"})
    assert answer["FunctionError"] == "Unhandled" and json.loads(answer["Payload"])["errorType"] == "Runtime.ExitError"
    answer = invoke(functions, "python", {"do": "write"})
    assert json.loads(answer["Payload"])["errorMessage"] == "[Errno 30] Read-only file system: '/var/task/new'"
    answer = invoke(functions, "python", {"do": "memory"})
    assert answer["FunctionError"] == "Unhandled", answer
    assert "calls" in json.loads(invoke(functions, "python")["Payload"]), "the next invocation gets a new environment"


def test_a_function_that_takes_too_long_is_ended(functions, module_root, role):
    make_function(module_root, "slow", role, PYTHON, Timeout=1)
    begun = time.monotonic()
    answer = invoke(functions, "slow", {"do": "sleep"})
    assert 0.9 < time.monotonic() - begun < 30
    assert answer["FunctionError"] == "Unhandled"
    message = json.loads(answer["Payload"])["errorMessage"]
    assert message.endswith("Task timed out after 1.00 seconds"), message


def test_code_that_does_not_start_says_why(functions, module_root, role):
    make_function(module_root, "broken", role, archive(app__py="import nothing_like_this\n"))
    error = json.loads(invoke(functions, "broken")["Payload"])
    assert error["errorType"] == "Runtime.ImportModuleError"
    assert error["errorMessage"] == "Unable to import module 'app': No module named 'nothing_like_this'"
    make_function(module_root, "misnamed", role, archive(app__py=""))
    error = json.loads(invoke(functions, "misnamed")["Payload"])
    assert error["errorType"] == "Runtime.HandlerNotFound"


@needs_node
def test_node_runs_in_both_module_systems(functions, module_root, role):
    common = archive(index__js="exports.handler = async (event, context) => ({event, name: context.functionName})\n")
    make_function(module_root, "node", role, common, NODE_RUNTIME, "index.handler")
    assert json.loads(invoke(functions, "node", {"a": 1})["Payload"]) == {"event": {"a": 1}, "name": "node"}
    esm = archive(
        index__mjs="export const handler = async event => { if (event.fail) throw new TypeError('no'); return 7 }\n"
    )
    make_function(module_root, "modules", role, esm, NODE_RUNTIME, "index.handler")
    assert invoke(functions, "modules")["Payload"] == b"7"
    answer = invoke(functions, "modules", {"fail": True})
    error = json.loads(answer["Payload"])
    assert answer["FunctionError"] == "Unhandled" and (error["errorType"], error["errorMessage"]) == ("TypeError", "no")


@needs_curl
def test_a_shell_script_is_a_runtime(functions, module_root, role):
    script = archive(
        bootstrap="""#!/bin/sh
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while true; do
  event=$(curl -sS -D /tmp/headers "$api/next")
  id=$(grep -i '^lambda-runtime-aws-request-id' /tmp/headers | tr -d '[:space:]' | cut -d: -f2)
  echo "in $_HANDLER"
  curl -sS -X POST "$api/$id/response" -d "{\\"shell\\": $event}" >/dev/null
done
"""
    )
    make_function(module_root, "shell", role, script, "provided.al2023", "any.thing")
    answer = invoke(functions, "shell", {"a": [1, 2]}, LogType="Tail")
    assert json.loads(answer["Payload"]) == {"shell": {"a": [1, 2]}}
    assert "in any.thing" in base64.b64decode(answer["LogResult"]).decode()


def test_what_it_prints_lands_in_cloudwatch(functions, python, module_root):
    id = json.loads(invoke(functions, "python", {"do": "nothing in particular"})["Payload"])["id"]
    logs = module_root.client("logs")

    def lines():
        try:
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/python")
            return [event["message"] for page in pages for event in page["events"]]
        except logs.exceptions.ResourceNotFoundException:
            return []

    eventually(lambda: any(line.startswith(f"REPORT RequestId: {id}") for line in lines()))
    said = lines()
    start = next(at for at, line in enumerate(said) if line.startswith(f"START RequestId: {id}"))
    assert "told to nothing in particular" in said[start + 1]
    (stream,) = logs.describe_log_streams(logGroupName="/aws/lambda/python", orderBy="LastEventTime", limit=1)["logStreams"]
    assert "[$LATEST]" in stream["logStreamName"]


def test_an_asynchronous_failure_ends_in_the_dead_letters(functions, module_root):
    sqs = module_root.client("sqs")
    url = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = f"arn:aws:sqs:us-east-1:{module_root.account}:dead"
    role = module_root.role("sender", LAMBDA, allow("sqs:SendMessage", on=arn))
    make_function(module_root, "async", role, PYTHON, DeadLetterConfig={"TargetArn": arn}, Timeout=20)
    functions.put_function_event_invoke_config(FunctionName="async", MaximumRetryAttempts=0)
    answer = invoke(functions, "async", {"do": "fail"}, InvocationType="Event")
    assert answer["StatusCode"] == 202 and answer["Payload"] == b""
    (message,) = receive_all(sqs, url, 1)
    assert json.loads(message["Body"]) == {"do": "fail"}
    assert message["MessageAttributes"]["ErrorMessage"]["StringValue"] == "as you wished"
    assert message["MessageAttributes"]["RequestID"]["StringValue"] == answer["ResponseMetadata"]["RequestId"]


def test_an_asynchronous_invocation_happens_soon(functions, module_root):
    sqs = module_root.client("sqs")
    url = sqs.create_queue(QueueName="heard")["QueueUrl"]
    role = module_root.role("teller", LAMBDA, allow("sqs:SendMessage"))
    code = archive(app__py="""
import boto3, os
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=event["say"])
""")
    make_function(module_root, "tell", role, code, Timeout=20, Environment={"Variables": {"QUEUE": url}})
    for number in range(3):
        invoke(functions, "tell", {"say": str(number)}, InvocationType="Event")
    assert sorted(message["Body"] for message in receive_all(sqs, url, 3)) == ["0", "1", "2"]


def test_a_function_can_do_only_what_its_role_allows(functions, module_root):
    role = module_root.role("reader", LAMBDA, allow("dynamodb:GetItem"))
    code = archive(app__py="""
import boto3
def handler(event, context):
    who = boto3.client("sts").get_caller_identity()["Arn"]
    try:
        boto3.client("dynamodb").put_item(TableName="things", Item={"id": {"S": "1"}})
    except Exception as error:
        return [who, str(error)]
""")
    make_function(module_root, "limited", role, code, Timeout=20)
    who, error = json.loads(invoke(functions, "limited")["Payload"])
    assert who == f"arn:aws:sts::{module_root.account}:assumed-role/reader/limited"
    assert f"User: {who} is not authorized to perform: dynamodb:PutItem on resource" in error


def test_a_role_may_be_good_for_one_function_alone(functions, module_root):
    meant = f"arn:aws:lambda:us-east-1:{module_root.account}:function:meant"
    only = allow("sqs:ListQueues", Condition={"ArnEquals": {"lambda:SourceFunctionArn": meant}})
    role = module_root.role("lister", LAMBDA, only)
    code = archive(app__py="""
import boto3
def handler(event, context):
    try:
        boto3.client("sqs").list_queues()
        return "listed"
    except Exception as error:
        return str(error)
""")
    for name in ("meant", "other"):
        make_function(module_root, name, role, code, Timeout=20)
    assert json.loads(invoke(functions, "meant")["Payload"]) == "listed"
    assert "is not authorized to perform: sqs:listqueues" in json.loads(invoke(functions, "other")["Payload"])


def test_a_queue_feeds_a_function(functions, module_root):
    sqs = module_root.client("sqs")
    source, target = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("source", "target"))
    role = module_root.role("consumer", LAMBDA, allow("sqs:*"))
    code = archive(app__py="""
import boto3, os
def handler(event, context):
    failed = []
    for record in event["Records"]:
        if record["body"] == "bad":
            failed.append({"itemIdentifier": record["messageId"]})
        else:
            boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody="got " + record["body"])
    return {"batchItemFailures": failed}
""")
    make_function(module_root, "consume", role, code, Timeout=20, Environment={"Variables": {"QUEUE": target}})
    sqs.set_queue_attributes(QueueUrl=source, Attributes={"VisibilityTimeout": "30"})
    mapping = functions.create_event_source_mapping(
        EventSourceArn=f"arn:aws:sqs:us-east-1:{module_root.account}:source", FunctionName="consume", BatchSize=5,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )["UUID"]  # fmt: skip
    eventually(lambda: functions.get_event_source_mapping(UUID=mapping)["State"] == "Enabled")
    for body in ("1", "bad", "2"):
        sqs.send_message(QueueUrl=source, MessageBody=body)
    assert sorted(message["Body"] for message in receive_all(sqs, target, 2)) == ["got 1", "got 2"]

    def left():
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = sqs.get_queue_attributes(QueueUrl=source, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)

    eventually(lambda: left() == 1)
    functions.delete_event_source_mapping(UUID=mapping)


def test_reserved_concurrency_is_a_limit(functions, module_root, role):
    make_function(module_root, "reserved", role, PYTHON, Timeout=20)
    functions.put_function_concurrency(FunctionName="reserved", ReservedConcurrentExecutions=0)
    with refused("TooManyRequestsException", 429):
        invoke(functions, "reserved")
    functions.delete_function_concurrency(FunctionName="reserved")
    assert "calls" in json.loads(invoke(functions, "reserved")["Payload"])


def test_updates_versions_and_aliases(functions, module_root, role):
    def code(answer):
        return archive(app__py=f"def handler(event, context):\n    return {answer!r}\n")

    arn = make_function(module_root, "changing", role, code("one"))
    assert invoke(functions, "changing")["Payload"] == b'"one"'
    first = functions.publish_version(FunctionName="changing")["Version"]
    functions.create_alias(FunctionName="changing", Name="live", FunctionVersion=first)
    functions.update_function_code(FunctionName="changing", ZipFile=code("two"))
    functions.get_waiter("function_updated_v2").wait(FunctionName="changing", WaiterConfig={"Delay": 1})
    assert invoke(functions, "changing")["Payload"] == b'"two"'
    assert invoke(functions, "changing", Qualifier="live")["Payload"] == b'"one"'
    assert invoke(functions, f"{arn}:{first}")["Payload"] == b'"one"'
    functions.update_function_configuration(FunctionName="changing", Environment={"Variables": {"AB": "1"}}, Timeout=9)
    functions.get_waiter("function_updated_v2").wait(FunctionName="changing", WaiterConfig={"Delay": 1})
    shown = functions.get_function_configuration(FunctionName="changing")
    assert (shown["Environment"]["Variables"], shown["Timeout"], shown["State"]) == ({"AB": "1"}, 9, "Active")
    pages = functions.get_paginator("list_versions_by_function").paginate(FunctionName="changing")
    assert [one["Version"] for page in pages for one in page["Versions"]] == ["$LATEST", "1"]


def test_code_from_s3_and_back(functions, module_root, role):
    import urllib.request

    s3 = module_root.client("s3")
    bucket = f"code-{module_root.account}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="f.zip", Body=PYTHON)
    functions.create_function(
        FunctionName="from-s3", Runtime=PYTHON_RUNTIME, Handler="app.handler", Role=role,
        Code={"S3Bucket": bucket, "S3Key": "f.zip"},
    )  # fmt: skip
    functions.get_waiter("function_active_v2").wait(FunctionName="from-s3", WaiterConfig={"Delay": 1})
    assert "calls" in json.loads(invoke(functions, "from-s3")["Payload"])
    with urllib.request.urlopen(functions.get_function(FunctionName="from-s3")["Code"]["Location"]) as answer:
        assert zipfile.ZipFile(io.BytesIO(answer.read())).namelist() == ["app.py"]


def test_mistakes_are_named(functions, module_root, role):
    with refused("ResourceNotFoundException", 404):
        invoke(functions, "nobody")
    with refused("ResourceNotFoundException", 404) as refusal:
        functions.get_function(FunctionName="nobody")
    assert refusal.message == f"Function not found: arn:aws:lambda:us-east-1:{module_root.account}:function:nobody"
    with refused("InvalidParameterValueException", 400) as refusal:
        make_function(module_root, "x", module_root.role("untrusted", {"Service": "ec2.amazonaws.com"}), PYTHON)
    assert refusal.message == "The role defined for the function cannot be assumed by Lambda."
    with refused("InvalidParameterValueException", 400):
        make_function(module_root, "x", role, b"this is no archive")
    make_function(module_root, "twice", role, PYTHON)
    with refused("ResourceConflictException", 409) as refusal:
        make_function(module_root, "twice", role, PYTHON)
    assert refusal.message == "Function already exist: twice"
    functions.delete_function(FunctionName="twice")
    with refused("ResourceNotFoundException", 404):
        functions.get_function(FunctionName="twice")
    names = [f["FunctionName"] for page in functions.get_paginator("list_functions").paginate() for f in page["Functions"]]
    assert "twice" not in names and names == sorted(names)
