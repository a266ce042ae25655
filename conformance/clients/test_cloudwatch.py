"""CloudWatch as boto3 (CBOR, packed by gzip), the AWS CLI (query), plain JSON and the SDK for JavaScript use it."""

import datetime
import math
import subprocess

import pytest
from support import Caller, eventually, refused

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
    encodings = []
    cloudwatch.meta.events.register(
        "before-send.cloudwatch.PutMetricData",
        lambda request, **_: encodings.append(request.headers.get("Content-Encoding")),
    )
    cloudwatch.put_metric_data(Namespace="Packed", MetricData=data)
    assert encodings in (["gzip"], [b"gzip"])
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
