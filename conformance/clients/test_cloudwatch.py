"""CloudWatch as boto3 and the AWS CLI use it (JSON, packed by gzip), and in its other protocols."""

import datetime
import json
import math
import struct
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import replace

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from support import LAMBDA, Caller, allow, archive, eventually, make_function, receive_all, refused

MINUTE = datetime.timedelta(minutes=1)


@pytest.fixture
def cloudwatch(root):
    return root.client("cloudwatch")


def now():
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)


def test_what_is_published_is_told(cloudwatch):
    dimensions = [{"Name": "Host", "Value": "one"}]
    data = [{"MetricName": "Load", "Dimensions": dimensions, "Value": value, "Unit": "Percent"} for value in (1, 2, 6)]
    cloudwatch.put_metric_data(Namespace="App", MetricData=data)
    listed = cloudwatch.list_metrics(Namespace="App")["Metrics"]
    assert listed == [{"Namespace": "App", "MetricName": "Load", "Dimensions": dimensions}]
    asked = {"Namespace": "App", "MetricName": "Load", "Dimensions": dimensions, "Period": 3600}
    span = {"StartTime": now() - 10 * MINUTE, "EndTime": now() + 10 * MINUTE}
    got = cloudwatch.get_metric_statistics(**asked, **span, Statistics=["Sum", "Average", "SampleCount"])
    (point,) = got["Datapoints"]
    assert (point["Sum"], point["Average"], point["SampleCount"], point["Unit"]) == (9, 3, 3, "Percent")
    (point,) = cloudwatch.get_metric_statistics(**asked, **span, ExtendedStatistics=["p50", "TM(:80%)"])["Datapoints"]
    assert point["ExtendedStatistics"]["p50"] == 2
    assert math.isclose(point["ExtendedStatistics"]["TM(:80%)"], (1 + 2 + 6 * 0.4) / 2.4)


def test_a_large_body_comes_packed(cloudwatch):
    """From 10 KiB on, SDKs pack the body."""
    values = [float(value) for value in range(150)]
    data = [{"MetricName": f"M{number}", "Values": values, "Counts": [2.0] * 150} for number in range(100)]
    encodings, names = [], ["Content-Encoding", "Content-Type"]
    cloudwatch.meta.events.register(
        "before-send.cloudwatch.PutMetricData",
        lambda request, **_: encodings.append([request.headers.get(name) for name in names]),
    )
    cloudwatch.put_metric_data(Namespace="Packed", MetricData=data)
    text = [value.decode() if isinstance(value, bytes) else value for value in encodings[0]]
    assert text == ["gzip", "application/x-amz-json-1.0"]
    pages = cloudwatch.get_paginator("list_metrics").paginate(Namespace="Packed")
    assert len([metric for page in pages for metric in page["Metrics"]]) == 100


def test_queries_and_expressions(cloudwatch):
    at = now() - 3 * MINUTE
    for host, value in (("one", 10), ("two", 30)):
        dimensions = [{"Name": "Host", "Value": host}]
        datum = {"MetricName": "Requests", "Dimensions": dimensions, "Value": value, "Timestamp": at}
        cloudwatch.put_metric_data(Namespace="App", MetricData=[datum])

    def stat(query, host):
        metric = {"Namespace": "App", "MetricName": "Requests", "Dimensions": [{"Name": "Host", "Value": host}]}
        return {"Id": query, "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}, "ReturnData": False}

    queries = [
        stat("m1", "one"),
        stat("m2", "two"),
        {"Id": "share", "Expression": "100 * m1 / SUM([m1, m2])", "Label": "share of one"},
        {"Id": "found", "Expression": "SEARCH('{App,Host} requests', 'Sum', 60)"},
    ]
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, StartTime=at - 5 * MINUTE, EndTime=now()
    )
    results = [result for page in pages for result in page["MetricDataResults"]]
    assert [(result["Id"], result["Label"], result["Values"]) for result in results] == [
        ("share", "share of one", [25.0]),
        ("found", "one", [10.0]),
        ("found", "two", [30.0]),
    ]
    assert results[0]["Timestamps"] == [at.replace(second=0)]
    with refused("ValidationError", 400) as refusal:
        wrong = [{"Id": "e1", "Expression": "NOSUCH(1)"}]
        cloudwatch.get_metric_data(MetricDataQueries=wrong, StartTime=at, EndTime=now())
    assert "Error in expression 'e1'" in refusal.message


def test_what_is_refused(cloudwatch):
    with refused("InvalidParameterValue", 400) as refusal:
        cloudwatch.put_metric_data(Namespace="AWS/S3", MetricData=[{"MetricName": "A", "Value": 1}])
    assert "The value AWS/S3 for parameter Namespace is invalid." in refusal.message
    with refused("InvalidParameterValue", 400) as refusal:
        cloudwatch.put_metric_data(Namespace="App", MetricData=[{"MetricName": "A", "Value": math.nan}])
    assert "The value NaN for parameter MetricData.member.1.Value is invalid." in refusal.message
    with refused("InvalidParameterCombination", 400) as refusal:
        datum = {"MetricName": "A", "Value": 1, "Values": [1]}
        cloudwatch.put_metric_data(Namespace="App", MetricData=[datum])
    assert "mutually exclusive" in refusal.message
    too_old = {"MetricName": "A", "Value": 1, "Timestamp": now() - datetime.timedelta(days=15)}
    with refused("InvalidParameterValue", 400) as refusal:
        cloudwatch.put_metric_data(Namespace="App", MetricData=[too_old])
    assert "must specify a time within the past two weeks." in refusal.message


def test_the_command_line(root):
    def aws(*arguments):
        return root.aws("cloudwatch", *arguments)

    aws("put-metric-data", "--namespace", "Cli", "--metric-name", "A", "--value", "3", "--unit", "Count")
    aws("put-metric-data", "--namespace", "Cli", "--metric-name", "A", "--dimensions", "Host=b", "--value", "4")
    listed = aws("list-metrics", "--namespace", "Cli", "--dimensions", "Name=Host,Value=b")["Metrics"]
    assert [metric["Dimensions"] for metric in listed] == [[{"Name": "Host", "Value": "b"}]]
    span = ["--start-time", (now() - 10 * MINUTE).isoformat(), "--end-time", (now() + MINUTE).isoformat()]
    asked = ["--namespace", "Cli", "--metric-name", "A", "--period", "3600", "--statistics", "Maximum"]
    (point,) = aws("get-metric-statistics", *asked, *span)["Datapoints"]
    assert (point["Maximum"], point["Unit"]) == (3, "Count")


def cbor(value):
    """CBOR of a small value: what SDKs of other languages send."""
    match value:
        case float():
            return b"\xfb" + struct.pack(">d", value)
        case int():
            return bytes([value])
        case str():
            return bytes([0x78, len(value.encode())]) + value.encode()
        case list():
            return bytes([0x80 | len(value)]) + b"".join(map(cbor, value))
        case dict():
            return bytes([0xA0 | len(value)]) + b"".join(cbor(key) + cbor(member) for key, member in value.items())


def test_rpc_v2_with_cbor(root):
    def send(operation, value):
        headers = {"Content-Type": "application/cbor", "Accept": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
        path = f"/service/GraniteServiceVersion20100801/operation/{operation}"
        return raw(root, cbor(value), headers, path)

    datum = {"MetricName": "A", "Value": 2.5, "Unit": "Count", "StorageResolution": 1}
    assert send("PutMetricData", {"Namespace": "Cbor", "MetricData": [datum]})[0] == 200
    status, answer = send("ListMetrics", {"Namespace": "Cbor"})
    assert (status, b"MetricName" in answer) == (200, True)
    status, answer = send("PutMetricData", {"Namespace": "AWS/S3", "MetricData": [datum]})
    assert (status, b"com.amazonaws.cloudwatch#InvalidParameterValueException" in answer) == (400, True)
    (metric,) = root.client("cloudwatch").list_metrics(Namespace="Cbor")["Metrics"]
    assert metric["MetricName"] == "A"


def test_the_query_protocol(root):
    """What older clients send."""
    form = {"Action": "PutMetricData", "Version": "2010-08-01", "Namespace": "Old"}
    form |= {"MetricData.member.1.MetricName": "A", "MetricData.member.1.Value": "2.5"}
    form |= {"MetricData.member.1.Dimensions.member.1.Name": "Host", "MetricData.member.1.Dimensions.member.1.Value": "a"}
    assert query(root, form)[0] == 200
    form = {"Action": "ListMetrics", "Version": "2010-08-01", "Namespace": "Old"}
    status, text = query(root, form)
    assert status == 200
    assert "<ListMetricsResult><Metrics><member>" in text
    form |= {"Action": "PutMetricData", "Namespace": "AWS/S3", "MetricData.member.1.MetricName": "A"}
    status, text = query(root, form)
    assert (status, "<Code>InvalidParameterValue</Code>" in text) == (400, True)
    form = {"Action": "GetMetricData", "Version": "2010-08-01", "StartTime": "2026-01-01", "EndTime": "2026-01-01"}
    status, text = query(root, form)
    assert (status, "<Code>ValidationError</Code>" in text) == (400, True)


def query(caller, form):
    """Sends a form; the status and the document."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    status, answer = raw(caller, urllib.parse.urlencode(form).encode(), headers)
    return status, answer.decode()


def raw(caller, body, headers, path="/"):
    """Sends a signed body as it is."""
    request = AWSRequest("POST", f"{caller.endpoint}{path}", data=body, headers=headers)
    SigV4Auth(Credentials(caller.key, caller.secret), "monitoring", "us-east-1").add_auth(request)
    prepared = urllib.request.Request(request.url, data=request.data, headers=dict(request.headers), method="POST")
    try:
        with urllib.request.urlopen(prepared) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.fixture(scope="module")
def fast(start):
    """The root of a server whose clock, set with `advance`, is nobody else's."""
    server = start("--ephemeral")
    yield Caller(server.endpoint, "000000000000", "test", "test")
    print(f"\nThe end of Fogbank's log:\n{server.tail()}")


@pytest.fixture
def advance(binary, fast):
    """Moves the clock of the server of one's own."""

    def advance(span):
        subprocess.run([binary, "clock", "advance", span], env=fast.environment(), check=True, capture_output=True)

    return advance


def test_request_metrics_of_a_bucket(fast, advance):
    s3, cloudwatch = fast.client("s3"), fast.client("cloudwatch")
    s3.create_bucket(Bucket="measured")
    configuration = {"Id": "EntireBucket"}
    s3.put_bucket_metrics_configuration(Bucket="measured", Id="EntireBucket", MetricsConfiguration=configuration)

    def metrics():
        """Requests count from the moment on at which the server has looked at the configuration."""
        s3.put_object(Bucket="measured", Key="a", Body=b"hello")
        s3.get_object(Bucket="measured", Key="a")["Body"].read()
        advance("1m")
        return cloudwatch.list_metrics(Namespace="AWS/S3", MetricName="BytesDownloaded")["Metrics"]

    (metric,) = eventually(metrics)
    dimensions = {it["Name"]: it["Value"] for it in metric["Dimensions"]}
    assert dimensions == {"BucketName": "measured", "FilterId": "EntireBucket"}
    names = {metric["MetricName"] for metric in cloudwatch.list_metrics(Namespace="AWS/S3")["Metrics"]}
    assert {"AllRequests", "GetRequests", "PutRequests", "BytesUploaded", "TotalRequestLatency"} <= names


def test_an_alarm_tells_a_topic(fast, advance):
    cloudwatch, sns, sqs = (fast.client(service) for service in ("cloudwatch", "sns", "sqs"))
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    queue = sqs.create_queue(QueueName="alarms")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    cloudwatch.put_metric_alarm(
        AlarmName="high", Namespace="App", MetricName="Queue", Statistic="Maximum", Period=60, EvaluationPeriods=1,
        Threshold=10, ComparisonOperator="GreaterThanThreshold", AlarmActions=[topic], OKActions=[topic],
    )

    def heard(value):
        """Publishes until the alarm says something."""
        cloudwatch.put_metric_data(Namespace="App", MetricData=[{"MetricName": "Queue", "Value": value}])
        advance("1m")
        answer = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1)
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]

    (message,) = eventually(lambda: heard(50))
    assert (message["AlarmName"], message["NewStateValue"], message["OldStateValue"]) == (
        "high", "ALARM", "INSUFFICIENT_DATA"
    )
    assert "[50.0 (" in message["NewStateReason"]
    assert message["Trigger"]["MetricName"] == "Queue"
    waiter = cloudwatch.get_waiter("alarm_exists")
    waiter.wait(AlarmNames=["high"])
    (alarm,) = cloudwatch.describe_alarms(StateValue="ALARM")["MetricAlarms"]
    assert json.loads(alarm["StateReasonData"])["recentDatapoints"] == [50]
    cloudwatch.disable_alarm_actions(AlarmNames=["high"])
    cloudwatch.set_alarm_state(AlarmName="high", StateValue="OK", StateReason="by hand")
    pages = cloudwatch.get_paginator("describe_alarm_history").paginate(AlarmName="high", HistoryItemType="StateUpdate")
    summaries = [item["HistorySummary"] for page in pages for item in page["AlarmHistoryItems"]]
    assert summaries[-1] == "Alarm updated from INSUFFICIENT_DATA to ALARM"
    assert "Alarm updated from ALARM to OK" in summaries
    cloudwatch.delete_alarms(AlarmNames=["high"])
    assert cloudwatch.describe_alarms()["MetricAlarms"] == []


def test_an_alarm_calls_a_function(fast):
    """The function gets what AWS documents; without the permission it is not called."""
    cloudwatch, functions, sqs = (fast.client(service) for service in ("cloudwatch", "lambda", "sqs"))
    queue = sqs.create_queue(QueueName="called")["QueueUrl"]
    role = fast.role("called", LAMBDA, allow("sqs:SendMessage"))
    code = archive(app__py=CALLED)
    function = make_function(fast, "called", role, code, Environment={"Variables": {"QUEUE": queue}})
    rule = {"Namespace": "App", "MetricName": "Called", "Statistic": "Maximum", "Period": 60, "EvaluationPeriods": 1}
    rule |= {"Threshold": 10, "ComparisonOperator": "GreaterThanThreshold", "AlarmActions": [function]}
    for name in ("kept-out", "let-in"):
        cloudwatch.put_metric_alarm(AlarmName=name, AlarmDescription="a test", **rule)
    alarm = cloudwatch.describe_alarms(AlarmNames=["let-in"])["MetricAlarms"][0]["AlarmArn"]
    functions.add_permission(
        FunctionName="called", StatementId="alarm", Action="lambda:InvokeFunction",
        Principal="lambda.alarms.cloudwatch.amazonaws.com", SourceArn=alarm, SourceAccount=fast.account,
    )
    for name in ("kept-out", "let-in"):
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="by hand")
    (message,) = receive_all(sqs, queue, 1)
    event = json.loads(message["Body"])
    assert (event["source"], event["alarmArn"], event["accountId"]) == ("aws.cloudwatch", alarm, fast.account)
    data = event["alarmData"]
    assert (data["alarmName"], data["state"]["value"], data["state"]["reason"]) == ("let-in", "ALARM", "by hand")
    assert data["previousState"]["value"] == "INSUFFICIENT_DATA"
    assert data["configuration"]["metrics"][0]["metricStat"]["metric"]["name"] == "Called"
    # What is not enabled does nothing, and neither does a state without actions.
    cloudwatch.set_alarm_state(AlarmName="let-in", StateValue="OK", StateReason="by hand")
    cloudwatch.disable_alarm_actions(AlarmNames=["let-in"])
    cloudwatch.set_alarm_state(AlarmName="let-in", StateValue="ALARM", StateReason="again")
    assert receive_all(sqs, queue, 1, seconds=2) == []


CALLED = """
import json, os
import boto3

def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(event))
"""


def test_request_metrics_of_an_access_point(fast, advance, names_below_localhost):
    """A filter by access point counts what comes by it, and by no other way."""
    s3, cloudwatch = fast.client("s3"), fast.client("cloudwatch")
    control = replace(fast, endpoint=fast.endpoint.replace("127.0.0.1", "localhost")).client("s3control")
    s3.create_bucket(Bucket="narrow")
    point = control.create_access_point(AccountId=fast.account, Name="way", Bucket="narrow")
    for name, filtered in [("Way", {"Filter": {"AccessPointArn": point["AccessPointArn"]}}), ("All", {})]:
        configuration = {"Id": name} | filtered
        s3.put_bucket_metrics_configuration(Bucket="narrow", Id=name, MetricsConfiguration=configuration)

    def counts(metric):
        """How often it was counted under each filter."""
        now = datetime.datetime.now(datetime.UTC)
        found = {}
        for name in ("Way", "All"):
            dimensions = [{"Name": "BucketName", "Value": "narrow"}, {"Name": "FilterId", "Value": name}]
            points = cloudwatch.get_metric_statistics(
                Namespace="AWS/S3", MetricName=metric, Dimensions=dimensions, Period=86400, Statistics=["Sum"],
                StartTime=now - datetime.timedelta(days=30), EndTime=now + datetime.timedelta(days=300),
            )["Datapoints"]
            found[name] = sum(point["Sum"] for point in points)
        return found

    def looked_at():
        s3.head_object(Bucket=point["Alias"], Key="a")
        advance("1m")
        return counts("HeadRequests")["Way"]

    s3.put_object(Bucket="narrow", Key="a", Body=b"hello")
    eventually(looked_at)
    before = counts("GetRequests")
    for bucket in (point["Alias"], point["Alias"], "narrow"):
        s3.get_object(Bucket=bucket, Key="a")["Body"].read()

    def told():
        advance("1m")
        now = counts("GetRequests")
        return (now["Way"] - before["Way"], now["All"] - before["All"]) == (2, 3)

    eventually(told)


def test_dashboards_and_composite_alarms(cloudwatch):
    body = json.dumps({"widgets": [{"type": "text", "properties": {"markdown": "hello"}}]})
    assert cloudwatch.put_dashboard(DashboardName="ops", DashboardBody=body)["DashboardValidationMessages"] == []
    assert cloudwatch.get_dashboard(DashboardName="ops")["DashboardBody"] == body
    with refused("InvalidParameterInput", 400) as refusal:
        cloudwatch.put_dashboard(DashboardName="ops", DashboardBody="{")
    assert refusal.response["dashboardValidationMessages"][0]["DataPath"] == "/"
    cloudwatch.delete_dashboards(DashboardNames=["ops"])
    with refused("ResourceNotFound", 404):
        cloudwatch.get_dashboard(DashboardName="ops")
    cloudwatch.put_composite_alarm(AlarmName="always", AlarmRule="TRUE", Tags=[{"Key": "a", "Value": "b"}])
    (alarm,) = cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"] == [{"Key": "a", "Value": "b"}]


def test_queues_and_storage_are_measured(fast, advance):
    sqs, s3, cloudwatch = (fast.client(service) for service in ("sqs", "s3", "cloudwatch"))
    queue = sqs.create_queue(QueueName="counted")["QueueUrl"]
    s3.create_bucket(Bucket="counted")
    s3.put_object(Bucket="counted", Key="a", Body=b"12345")
    advance("1d")

    def measured():
        """Everything is told once a minute of the cloud's clock."""
        sqs.send_message(QueueUrl=queue, MessageBody="a")
        advance("15m")
        names = {
            (metric["Namespace"], metric["MetricName"])
            for page in cloudwatch.get_paginator("list_metrics").paginate()
            for metric in page["Metrics"]
            if {"Name": "QueueName", "Value": "counted"} in metric["Dimensions"]
            or {"Name": "BucketName", "Value": "counted"} in metric["Dimensions"]
        }
        wanted = {("AWS/SQS", "NumberOfMessagesSent"), ("AWS/SQS", "ApproximateNumberOfMessagesVisible")}
        return wanted | {("AWS/S3", "BucketSizeBytes"), ("AWS/S3", "NumberOfObjects")} <= names

    eventually(measured)
    dimensions = [{"Name": "BucketName", "Value": "counted"}, {"Name": "StorageType", "Value": "StandardStorage"}]
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=10)
    got = cloudwatch.get_metric_statistics(
        Namespace="AWS/S3", MetricName="BucketSizeBytes", Dimensions=dimensions, Period=86400, Statistics=["Average"],
        StartTime=end - datetime.timedelta(days=12), EndTime=end,
    )
    assert {point["Average"] for point in got["Datapoints"]} == {5}


def test_functions_are_measured(fast, advance):
    role = fast.role("measured", LAMBDA)
    code = archive(app__py="def handler(event, context):\n    return 1 / event['by']\n")
    make_function(fast, "measured", role, code)
    functions, cloudwatch = fast.client("lambda"), fast.client("cloudwatch")
    begun = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    for by in (1, 2, 0):
        functions.invoke(FunctionName="measured", Payload=json.dumps({"by": by}))
    dimensions = [{"Name": "FunctionName", "Value": "measured"}]

    def told():
        advance("1m")
        asked = {"Namespace": "AWS/Lambda", "Dimensions": dimensions, "Period": 86400, "Statistics": ["Sum"]}
        span = {"StartTime": begun, "EndTime": begun + datetime.timedelta(days=20)}
        sums = {}
        for name in ("Invocations", "Errors", "Throttles"):
            points = cloudwatch.get_metric_statistics(MetricName=name, **asked, **span)["Datapoints"]
            sums[name] = sum(point["Sum"] for point in points)
        return sums["Invocations"] and sums

    assert eventually(told) == {"Invocations": 3, "Errors": 1, "Throttles": 0}
