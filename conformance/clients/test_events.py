"""EventBridge as boto3 and the AWS CLI use it: rules, targets, schedules, and what S3 tells the default bus."""

import json
import subprocess

import pytest
from command_line import CommandLine
from support import LAMBDA, allow, archive, eventually, make_function, policy, receive_all, refused

EVENTS = {"Service": "events.amazonaws.com"}
TAGS = [{"Key": "team", "Value": "blue"}]


@pytest.fixture
def events(root):
    return root.client("events")


def make_queue(root, name, rule=None, **attributes):
    """A queue, open to a rule; its URL and ARN."""
    sqs = root.client("sqs")
    arn = f"arn:aws:sqs:us-east-1:{root.account}:{name}"
    if rule:
        may = allow("sqs:SendMessage", on=arn, Principal=EVENTS, Condition={"ArnEquals": {"aws:SourceArn": rule}})
        attributes["Policy"] = policy(may)
    return sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"], arn


def put_rule(events, name, pattern, **more):
    return events.put_rule(Name=name, EventPattern=json.dumps(pattern), **more)["RuleArn"]


def send(events, **detail):
    entry = {"Source": "shop", "DetailType": "Order Placed", "Detail": json.dumps(detail)}
    answer = events.put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 0
    return answer["Entries"][0]["EventId"]


def receive(root, url, count):
    found = [json.loads(message["Body"]) for message in receive_all(root.client("sqs"), url, count)]
    assert len(found) == count
    return found


def test_objects_of_s3_reach_a_queue_and_a_function(root, events):
    s3 = root.client("s3")
    bucket = f"photos-{root.account}"
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    rule = put_rule(events, "photos", {
        "source": ["aws.s3"],
        "detail-type": ["Object Created", "Object Deleted"],
        "detail": {"bucket": {"name": [bucket]}, "object": {"key": [{"prefix": "in/"}]}},
    })  # fmt: skip
    url, queue = make_queue(root, "photos", rule)
    done, sink = make_queue(root, "done")
    code = archive(app__py="""
import boto3, json, os

def handler(event, context):
    body = json.dumps([event["detail-type"], event["detail"]["object"]["key"]])
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=body)
""")
    role = root.role("worker", LAMBDA, allow("sqs:SendMessage"))
    function = make_function(root, "photos", role, code, Environment={"Variables": {"QUEUE": done}}, Timeout=30)
    root.client("lambda").add_permission(
        FunctionName="photos",
        StatementId="events",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
    )
    targets = [{"Id": "queue", "Arn": queue}, {"Id": "function", "Arn": function}]
    assert events.put_targets(Rule="photos", Targets=targets)["FailedEntryCount"] == 0
    s3.put_object(Bucket=bucket, Key="out/a.png", Body=b"out")
    s3.put_object(Bucket=bucket, Key="in/a.png", Body=b"image")
    [event] = receive(root, url, 1)
    assert (event["version"], event["source"], event["account"]) == ("0", "aws.s3", root.account)
    assert (event["detail-type"], event["resources"]) == ("Object Created", [f"arn:aws:s3:::{bucket}"])
    assert event["detail"]["object"]["size"] == 5 and event["detail"]["reason"] == "PutObject"
    s3.delete_object(Bucket=bucket, Key="in/a.png")
    assert receive(root, url, 1)[0]["detail-type"] == "Object Deleted"
    assert sorted(receive(root, done, 2)) == [["Object Created", "in/a.png"], ["Object Deleted", "in/a.png"]]
    assert sink


def test_inputs_dead_letters_and_roles(root, events):
    rule = put_rule(events, "orders", {"source": ["shop"], "detail": {"total": [{"numeric": [">", 10]}]}})
    url, queue = make_queue(root, "orders", rule)
    _, closed = make_queue(root, "closed")
    dead_url, dead = make_queue(root, "dead", rule)
    role = root.role("sender", EVENTS, allow("sqs:SendMessage"))
    template = '{"who": <who>, "text": "<who> pays <total>", "rule": "<aws.events.rule-name>"}'
    paths = {"who": "$.detail.who", "total": "$.detail.total"}
    events.put_targets(Rule="orders", Targets=[
        {"Id": "whole", "Arn": queue, "InputTransformer": {"InputPathsMap": paths, "InputTemplate": template}},
        {"Id": "closed", "Arn": closed, "DeadLetterConfig": {"Arn": dead}},
        {"Id": "role", "Arn": closed, "RoleArn": role, "InputPath": "$.detail"},
    ])  # fmt: skip
    send(events, who="bob", total=9)
    event_id = send(events, who="ann", total=11)
    assert receive(root, url, 1) == [{"who": "ann", "text": "ann pays 11", "rule": "orders"}]
    [letter] = receive_all(root.client("sqs"), dead_url, 1)
    assert json.loads(letter["Body"])["id"] == event_id
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert attributes["ERROR_CODE"] == "NO_PERMISSIONS"
    assert (attributes["RULE_ARN"], attributes["TARGET_ARN"]) == (rule, closed)
    closed_url = root.client("sqs").get_queue_url(QueueName="closed")["QueueUrl"]
    assert receive(root, closed_url, 1) == [{"who": "ann", "total": 11}]


def test_refusals(root, events):
    with refused("InvalidEventPatternException", 400) as refusal:
        put_rule(events, "r", {"source": ["shop"], "detail": {"lender": "a"}})
    assert refusal.message.startswith('Event pattern is not valid. Reason: "lender" must be an object or an array\n at [')
    with refused("ValidationException", 400) as refusal:
        events.put_rule(Name="r", ScheduleExpression="rate(5 minute)")
    assert refusal.message == "Parameter ScheduleExpression is not valid."
    with refused("ResourceNotFoundException", 400) as refusal:
        events.describe_rule(Name="r")
    assert refusal.message == "Rule r does not exist on EventBus default."
    with refused("ResourceNotFoundException", 400):
        events.describe_event_bus(Name="none")
    answer = events.put_events(Entries=[
        {"Source": "aws.ec2", "DetailType": "d", "Detail": "{}"},
        {"Source": "shop", "DetailType": "d", "Detail": "[1]"},
        {"Source": "shop", "DetailType": "d"},
    ])  # fmt: skip
    assert [entry["ErrorCode"] for entry in answer["Entries"]] == [
        "NotAuthorizedForSourceException", "MalformedDetail", "InvalidArgument",
    ]  # fmt: skip
    user = root.user("sender", allow("events:PutEvents", Condition={"StringEquals": {"events:source": "shop"}}))
    send(user.client("events"))
    with refused("AccessDeniedException", 400):
        user.client("events").put_events(Entries=[{"Source": "other", "DetailType": "d", "Detail": "{}"}])
    with refused("AccessDeniedException", 400):
        user.client("events").list_rules()


def test_another_account(root, other, events):
    theirs = f"arn:aws:events:us-east-1:{other.account}:event-bus/shared"
    bus = other.client("events")
    bus.create_event_bus(Name="shared")
    bus.put_permission(EventBusName="shared", Action="events:PutEvents", Principal=root.account, StatementId="root")
    put_rule(events, "on", {"source": ["shop"]})
    rule = put_rule(bus, "in", {"account": [root.account]}, EventBusName="shared")
    url, queue = make_queue(other, "in", rule)
    bus.put_targets(Rule="in", EventBusName="shared", Targets=[{"Id": "q", "Arn": queue}])
    events.put_targets(Rule="on", Targets=[{"Id": "bus", "Arn": theirs}])
    event_id = send(events)
    [event] = receive(other, url, 1)
    assert (event["id"], event["account"]) == (event_id, root.account)


def test_schedules_and_kills(start, binary):
    """A rule fires by the cloud's clock; what was acknowledged before a kill arrives after it."""
    from support import Caller

    server = start()
    root = Caller(server.endpoint, "000000000000", "test", "test")
    events = root.client("events")
    rule = events.put_rule(Name="daily", ScheduleExpression="cron(0 12 * * ? *)")["RuleArn"]
    url, queue = make_queue(root, "daily", rule)
    events.put_targets(Rule="daily", Targets=[{"Id": "q", "Arn": queue, "InputPath": "$.resources"}])
    for _ in range(2):
        subprocess.run([binary, "clock", "advance", "1d"], env=root.environment(), check=True)
        assert receive(root, url, 1) == [[rule]]
    orders = put_rule(events, "orders", {"source": ["shop"]})
    url, queue = make_queue(root, "orders", orders)
    events.put_targets(Rule="orders", Targets=[{"Id": "q", "Arn": queue}])
    sent = {send(events, number=number) for number in range(50)}
    server.kill()
    server.start()
    sqs = Caller(server.endpoint, "000000000000", "test", "test").client("sqs")
    arrived = set()

    def take():
        arrived.update(json.loads(message["Body"])["id"] for message in receive_all(sqs, url, 10, seconds=1))
        return sent <= arrived

    eventually(take)
    assert arrived == sent


def test_every_operation(root, tmp_path):
    events = CommandLine(root, "events", tmp_path)
    bus = events("create-event-bus", name="own", tags=TAGS)["EventBusArn"]
    events("update-event-bus", name="own", description="mine")
    assert events("describe-event-bus", name="own")["Description"] == "mine"
    assert [bus["Name"] for bus in events("list-event-buses")["EventBuses"]] == ["default", "own"]
    events("put-permission", event_bus_name="own", action="events:PutEvents", principal="*", statement_id="all")
    events("remove-permission", event_bus_name="own", statement_id="all")
    of = {"event_bus_name": "own"}
    rule = events("put-rule", name="r", **of, event_pattern=json.dumps({"source": ["shop"]}))["RuleArn"]
    assert rule.endswith(":rule/own/r")
    assert events("describe-rule", name="r", **of)["State"] == "ENABLED"
    events("disable-rule", name="r", **of)
    events("enable-rule", name="r", **of)
    assert len(events("list-rules", **of)["Rules"]) == 1
    queue = f"arn:aws:sqs:us-east-1:{root.account}:q"
    events("put-targets", rule="r", **of, targets=[{"Id": "q", "Arn": queue}])
    assert events("list-targets-by-rule", rule="r", **of)["Targets"] == [{"Id": "q", "Arn": queue}]
    assert events("list-rule-names-by-target", target_arn=queue, **of)["RuleNames"] == ["r"]
    for arn in (bus, rule):
        events("tag-resource", resource_arn=arn, tags=TAGS)
        assert events("list-tags-for-resource", resource_arn=arn)["Tags"] == TAGS
        events("untag-resource", resource_arn=arn, tag_keys=["team"])
    event = {
        "id": "1", "account": "1", "source": "shop", "time": "2026-01-01T00:00:00Z", "region": "us-east-1",
        "resources": [], "detail-type": "d",
    }  # fmt: skip
    tested = events("test-event-pattern", event_pattern=json.dumps({"source": ["shop"]}), event=json.dumps(event))
    assert tested["Result"] is True
    entry = {"Source": "shop", "DetailType": "d", "Detail": "{}", "EventBusName": "own"}
    assert events("put-events", entries=[entry])["FailedEntryCount"] == 0
    events("remove-targets", rule="r", **of, ids=["q"])
    events("delete-rule", name="r", **of)
    events("delete-event-bus", name="own")
    assert events.missing() == []
