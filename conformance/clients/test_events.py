"""EventBridge as boto3 and the AWS CLI use it: rules, targets, schedules, and what S3 tells the default bus."""

import json
import queue
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

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


@contextmanager
def listener():
    """A host that gives tokens and takes events; its URL, and what it was asked."""
    asked = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            asked.put((self.path, dict(self.headers), body))
            answer = json.dumps({"access_token": "token-1", "expires_in": 3600}) if self.path == "/token" else ""
            self.send_response(200)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()


def test_api_destinations(root, events):
    role = root.role("invoker", EVENTS, allow("events:InvokeApiDestination"))
    put_rule(events, "orders", {"source": ["shop"]})
    kinds = {
        "BASIC": {"BasicAuthParameters": {"Username": "ann", "Password": "secret"}},
        "API_KEY": {"ApiKeyAuthParameters": {"ApiKeyName": "x-key", "ApiKeyValue": "secret"}},
        "OAUTH_CLIENT_CREDENTIALS": {"OAuthParameters": {
            "ClientParameters": {"ClientID": "me", "ClientSecret": "secret"}, "HttpMethod": "POST",
        }},
    }  # fmt: skip
    with listener() as (url, asked):
        kinds["OAUTH_CLIENT_CREDENTIALS"]["OAuthParameters"]["AuthorizationEndpoint"] = f"{url}/token"
        for kind, parameters in kinds.items():
            parameters["InvocationHttpParameters"] = {
                "BodyParameters": [{"Key": "from", "Value": "fogbank", "IsValueSecret": False}],
            }
            made = events.create_connection(Name=kind, AuthorizationType=kind, AuthParameters=parameters)
            shown = events.describe_connection(Name=kind)
            assert shown["ConnectionState"] == "AUTHORIZED" and "secret" not in str(shown["AuthParameters"])
            destination = events.create_api_destination(
                Name=kind,
                ConnectionArn=made["ConnectionArn"],
                InvocationEndpoint=f"{url}/orders/*",
                HttpMethod="POST",
            )["ApiDestinationArn"]
            events.put_targets(Rule="orders", Targets=[{
                "Id": "t", "Arn": destination, "RoleArn": role, "InputPath": "$.detail",
                "HttpParameters": {
                    "PathParameterValues": ["$.detail.id"], "QueryStringParameters": {"q": "a b"},
                    "HeaderParameters": {"x-kind": kind},
                },
            }])  # fmt: skip
            send(events, id="7/8")
            if kind == "OAUTH_CLIENT_CREDENTIALS":
                path, _, body = asked.get(timeout=30)
                assert (path, body) == ("/token", "grant_type=client_credentials&client_id=me&client_secret=secret")
            path, headers, body = asked.get(timeout=30)
            assert path == "/orders/7%2F8?q=a%20b"
            assert json.loads(body) == {"id": "7/8", "from": "fogbank"}
            headers = {name.lower(): value for name, value in headers.items()}
            assert headers["x-kind"] == kind
            if kind == "API_KEY":
                assert headers["x-key"] == "secret"
            else:
                expected = {"BASIC": "Basic YW5uOnNlY3JldA=="}.get(kind, "Bearer token-1")
                assert headers["authorization"] == expected
        assert asked.empty()


def test_a_replay(root, events):
    bus = f"arn:aws:events:us-east-1:{root.account}:event-bus/default"
    archive = events.create_archive(ArchiveName="all", EventSourceArn=bus)["ArchiveArn"]
    began = int(time.time()) - 60
    sent = {send(events, number=number) for number in range(30)}
    rule = put_rule(events, "late", {"source": ["shop"]})
    url, target = make_queue(root, "late", rule)
    events.put_targets(Rule="late", Targets=[{"Id": "q", "Arn": target}])
    events.start_replay(
        ReplayName="again",
        EventSourceArn=archive,
        EventStartTime=began,
        EventEndTime=began + 3600,
        Destination={"Arn": bus},
    )
    arrived = receive(root, url, 30)
    assert {event["id"] for event in arrived} == sent
    assert {event["replay-name"] for event in arrived} == {"again"}
    assert events.describe_replay(ReplayName="again")["State"] == "COMPLETED"
    assert events.describe_archive(ArchiveName="all")["EventCount"] == 30


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
    archives_and_replays(events, bus)
    connections(events)
    source = {"name": "aws.partner/example.com/source"}
    assert events("list-event-sources")["EventSources"] == []
    for operation in ("describe", "activate", "deactivate"):
        events.only_refuses(f"{operation}-event-source", "ResourceNotFoundException", **source)
    events("remove-targets", rule="r", **of, ids=["q"])
    events("delete-rule", name="r", **of)
    events("delete-event-bus", name="own")
    assert events.missing() == []


def archives_and_replays(events, bus):
    archive = events("create-archive", archive_name="all", event_source_arn=bus)["ArchiveArn"]
    events("update-archive", archive_name="all", retention_days=1)
    assert events("describe-archive", archive_name="all")["RetentionDays"] == 1
    assert len(events("list-archives")["Archives"]) == 1
    events(
        "start-replay",
        replay_name="again",
        event_source_arn=archive,
        event_start_time="2026-01-01T00:00:00Z",
        event_end_time="2026-01-02T00:00:00Z",
        destination={"Arn": bus},
    )
    eventually(lambda: events("describe-replay", replay_name="again")["State"] == "COMPLETED")
    assert len(events("list-replays")["Replays"]) == 1
    events.only_refuses("cancel-replay", "IllegalStatusException", replay_name="again")
    events("delete-archive", archive_name="all")


def connections(events):
    basic = {"BasicAuthParameters": {"Username": "ann", "Password": "secret"}}
    made = events("create-connection", name="c", authorization_type="BASIC", auth_parameters=basic)
    events("update-connection", name="c", description="mine")
    assert events("describe-connection", name="c")["AuthorizationType"] == "BASIC"
    assert len(events("list-connections")["Connections"]) == 1
    # The CLI would fetch a URL that is given as a flag.
    endpoint = {"ConnectionArn": made["ConnectionArn"], "InvocationEndpoint": "https://example.com/"}
    events("create-api-destination", cli_input_json={"Name": "d", "HttpMethod": "POST", **endpoint})
    events("update-api-destination", name="d", description="theirs")
    assert events("describe-api-destination", name="d")["ApiDestinationState"] == "ACTIVE"
    assert len(events("list-api-destinations")["ApiDestinations"]) == 1
    events("delete-api-destination", name="d")
    events("deauthorize-connection", name="c")
    events("delete-connection", name="c")
