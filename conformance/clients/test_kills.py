"""`kill -9` while single rows change again and again: what is there then is what was, or what was to be, as a whole."""

import datetime
import json
import random
import threading

from support import Caller

ROUNDS = 6
METRIC = {"Namespace": "Kills", "MetricName": "Count"}


def run_until_killed(cloud, change, workers, random_numbers):
    """Has several workers change things; the kill ends them after a number of changes that chance tells."""
    done, enough = [], random_numbers.randint(5, 60)
    progress = threading.Condition()

    def work(worker):
        try:
            for number in range(100_000):
                change(worker, number)
                with progress:
                    done.append(worker)
                    progress.notify()
        except Exception:  # The server is gone: what has no answer may have happened or not.
            with progress:
                done.append(None)
                progress.notify()

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(workers)]
    for thread in threads:
        thread.start()
    with progress:
        assert progress.wait_for(lambda: len(done) >= enough or None in done, timeout=120)
        assert None not in done, "a change failed by itself"
    cloud.kill()
    for thread in threads:
        thread.join()
    cloud.start()


def test_an_objects_encryption_is_the_old_or_the_new_one(start):
    cloud, chance = start(), random.Random(7)
    user = Caller(cloud.endpoint, "222200000011", "222200000011", "test")
    s3, kms = user.client("s3"), user.client("kms")
    keys = [kms.create_key()["KeyMetadata"]["Arn"] for _ in range(3)]
    s3.create_bucket(Bucket="changing")
    # As small ones lie in rows, larger ones in segments and files, and some in parts.
    bodies = [bytes([worker]) * size for worker, size in enumerate([5, 40_000, 300_000, 5_000_000])]
    for worker, body in enumerate(bodies):
        s3.put_object(Bucket="changing", Key=f"o{worker}", Body=body)
        s3.put_object_annotation(Bucket="changing", Key=f"o{worker}", AnnotationName="note", AnnotationPayload=b"n" * 50_000)
    clients = [user.client("s3") for _ in bodies]
    # What was acknowledged last, and what was under way.
    state = {worker: (None, None) for worker in range(len(bodies))}

    def change(worker, number):
        client, key = clients[worker], keys[(number + worker) % len(keys)]
        acknowledged, _ = state[worker]
        state[worker] = (acknowledged, key)
        client.update_object_encryption(
            Bucket="changing", Key=f"o{worker}", ObjectEncryption={"SSEKMS": {"KMSKeyArn": key}}
        )
        state[worker] = (key, key)

    for _ in range(ROUNDS):
        run_until_killed(cloud, change, len(bodies), chance)
        for worker, body in enumerate(bodies):
            found = s3.get_object(Bucket="changing", Key=f"o{worker}")
            assert found["Body"].read() == body
            assert found.get("SSEKMSKeyId") in state[worker]
            note = s3.get_object_annotation(Bucket="changing", Key=f"o{worker}", AnnotationName="note")
            assert note["AnnotationPayload"].read() == b"n" * 50_000
            state[worker] = (found.get("SSEKMSKeyId"), found.get("SSEKMSKeyId"))


def test_alarms_dashboards_and_data_are_whole(start):
    cloud, chance = start(), random.Random(8)
    user = Caller(cloud.endpoint, "222200000012", "222200000012", "test")
    cloudwatch, clients = user.client("cloudwatch"), [user.client("cloudwatch") for _ in range(3)]
    counted = {worker: [0, 0] for worker in range(3)}
    written = {worker: (-1, -1) for worker in range(3)}

    def change(worker, number):
        client = clients[worker]
        counted[worker][1] += 1
        dimensions = [{"Name": "Worker", "Value": str(worker)}]
        data = {"MetricName": METRIC["MetricName"], "Value": 1, "Dimensions": dimensions}
        client.put_metric_data(Namespace=METRIC["Namespace"], MetricData=[data])
        counted[worker][0] = counted[worker][1]
        acknowledged, _ = written[worker]
        number = max(written[worker]) + 1
        written[worker] = (acknowledged, number)
        client.put_metric_alarm(
            AlarmName=f"a{worker}", Threshold=number, AlarmDescription=f"number {number}", **METRIC,
            Statistic="Sum", Period=60, EvaluationPeriods=1, ComparisonOperator="GreaterThanThreshold",
        )
        body = json.dumps({"widgets": [{"type": "text", "properties": {"markdown": f"number {number}"}}]})
        client.put_dashboard(DashboardName=f"d{worker}", DashboardBody=body)
        client.set_alarm_state(AlarmName=f"a{worker}", StateValue="ALARM" if number % 2 else "OK", StateReason=f"number {number}")
        written[worker] = (number, number)

    for _ in range(ROUNDS):
        run_until_killed(cloud, change, 3, chance)
        now = datetime.datetime.now(datetime.UTC)
        for worker in range(3):
            got = cloudwatch.get_metric_statistics(
                **METRIC, Dimensions=[{"Name": "Worker", "Value": str(worker)}], Period=3600, Statistics=["Sum"],
                StartTime=now - datetime.timedelta(hours=3), EndTime=now + datetime.timedelta(hours=1),
            )
            total = sum(point["Sum"] for point in got["Datapoints"])
            least, most = counted[worker]
            assert least <= total <= most
            counted[worker] = [int(total), int(total)]
            old, new = written[worker]
            if new < 0:
                continue
            alarms = cloudwatch.describe_alarms(AlarmNames=[f"a{worker}"])["MetricAlarms"]
            assert alarms or old < 0
            for alarm in alarms:
                # The threshold and the description are of one request, and so are the state and its reason.
                assert alarm["Threshold"] in (old, new)
                assert alarm["AlarmDescription"] == f"number {int(alarm['Threshold'])}"
                reason = alarm.get("StateReason", "")
                if reason.startswith("number "):
                    number = int(reason.removeprefix("number "))
                    assert number in (old, new)
                    assert alarm["StateValue"] in ("ALARM" if number % 2 else "OK", "INSUFFICIENT_DATA")
            dashboards = cloudwatch.list_dashboards(DashboardNamePrefix=f"d{worker}")["DashboardEntries"]
            assert dashboards or old < 0
            for dashboard in dashboards:
                body = cloudwatch.get_dashboard(DashboardName=dashboard["DashboardName"])["DashboardBody"]
                markdown = json.loads(body)["widgets"][0]["properties"]["markdown"]
                assert markdown in (f"number {old}", f"number {new}")
