"""Batch Operations of S3, as boto3 and the AWS CLI meet them."""

import csv
import gzip
import io
import json
import subprocess
import sys
import urllib.parse
import uuid
from dataclasses import replace

import pytest
from support import LAMBDA, Caller, allow, archive, eventually, make_function, policy, refused

BATCH = {"Service": "batchoperations.s3.amazonaws.com"}
KEYS = ["plain", "a b/é+1=2.txt", 'quo"te,comma', "folder/%41"]


@pytest.fixture
def local(root, names_below_localhost):
    """The account's root at an endpoint under which SDKs can put names."""
    return at_localhost(root)


def at_localhost(caller):
    return replace(caller, endpoint=caller.endpoint.replace("127.0.0.1", "localhost"))


class Batch:
    """An account with a bucket of objects, one for reports, and a role."""

    def __init__(self, caller):
        self.caller = caller
        self.control, self.s3 = caller.client("s3control"), caller.client("s3")
        self.mine = {"AccountId": caller.account}
        self.source, self.reports = (f"{name}-{uuid.uuid4().hex[:8]}" for name in ("photos", "reports"))
        for bucket in (self.source, self.reports):
            self.s3.create_bucket(Bucket=bucket)
        self.role = caller.role("worker", BATCH, allow("s3:*", "lambda:InvokeFunction"))

    def manifest(self, rows, *fields):
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        written = self.s3.put_object(Bucket=self.reports, Key="manifest.csv", Body=text.getvalue().encode())
        return {
            "Spec": {"Format": "S3BatchOperations_CSV_20180820", "Fields": ["Bucket", "Key", *fields]},
            "Location": {"ObjectArn": f"arn:aws:s3:::{self.reports}/manifest.csv", "ETag": written["ETag"].strip('"')},
        }

    def named(self, keys):
        return self.manifest([(self.source, urllib.parse.quote_plus(key, safe="/")) for key in keys])

    def asked(self, operation, manifest=None, **rest):
        request = {
            "Operation": operation,
            "Report": {
                "Enabled": True,
                "Bucket": f"arn:aws:s3:::{self.reports}",
                "Prefix": "told",
                "Format": "Report_CSV_20180820",
                "ReportScope": "AllTasks",
            },
            "ClientRequestToken": uuid.uuid4().hex,
            "Priority": 10,
            "RoleArn": self.role,
            "ConfirmationRequired": False,
        }
        if manifest:
            request["Manifest"] = manifest
        return request | self.mine | rest

    def create(self, *arguments, **rest):
        return self.control.create_job(**self.asked(*arguments, **rest))["JobId"]

    def describe(self, job):
        return self.control.describe_job(JobId=job, **self.mine)["Job"]

    def until(self, job, *statuses):
        return eventually(lambda: (found := self.describe(job))["Status"] in statuses and found, seconds=120)

    def done(self, *arguments, **rest):
        found = self.until(self.create(*arguments, **rest), "Complete", "Failed")
        counts = ("TotalNumberOfTasks", "NumberOfTasksSucceeded", "NumberOfTasksFailed")
        return found, tuple(found["ProgressSummary"][name] for name in counts)

    def told(self, job):
        """The rows of a job's report by their keys, and the report's manifest."""
        folder = f"told/job-{job['JobId']}"
        manifest = json.loads(self.read(f"{folder}/manifest.json"))
        rows = {}
        for file in manifest["Results"]:
            for row in csv.reader(io.StringIO(self.read(file["Key"]))):
                key = urllib.parse.unquote_plus(row[1])
                assert key not in rows, "told of twice"
                rows[key] = row
                assert row[3] == file["TaskExecutionStatus"]
        return rows, manifest

    def read(self, key):
        return self.s3.get_object(Bucket=self.reports, Key=key)["Body"].read().decode()


@pytest.fixture
def batch(local):
    return Batch(local)


def test_a_job_tags_copies_and_tells(batch):
    for key in KEYS:
        batch.s3.put_object(Bucket=batch.source, Key=key, Body=key.encode())
    manifest = batch.named([*KEYS, "missing"])
    tags = [{"Key": "colour", "Value": "blue"}]
    job, counts = batch.done({"S3PutObjectTagging": {"TagSet": tags}}, manifest, Description="tags")
    assert (job["Status"], counts) == ("Complete", (5, 4, 1)), job
    assert job["JobArn"] == f"arn:aws:s3:us-east-1:{batch.caller.account}:job/{job['JobId']}"
    assert job["Description"] == "tags" and job["Manifest"] == manifest and job["RoleArn"] == batch.role
    assert job["Operation"] == {"S3PutObjectTagging": {"TagSet": tags}}
    assert job["TerminationDate"] >= job["CreationTime"]
    for key in KEYS:
        assert batch.s3.get_object_tagging(Bucket=batch.source, Key=key)["TagSet"] == tags
    rows, told = batch.told(job)
    assert sorted(rows) == sorted([*KEYS, "missing"])
    assert rows["plain"] == [batch.source, "plain", "", "succeeded", "200", "", "Successful"]
    assert rows["missing"][3:6] == ["failed", "404", "NoSuchKey"]
    assert told["Format"] == "Report_CSV_20180820"
    assert told["ReportSchema"].startswith("Bucket, Key, VersionId, TaskStatus")
    copies = f"copies-{uuid.uuid4().hex[:8]}"
    batch.s3.create_bucket(Bucket=copies)
    operation = {
        "S3PutObjectCopy": {
            "TargetResource": f"arn:aws:s3:::{copies}",
            "TargetKeyPrefix": "from/photos",
            "StorageClass": "STANDARD_IA",
            "NewObjectTagging": [{"Key": "copied", "Value": "yes"}],
        }
    }
    job, counts = batch.done(operation, batch.named(KEYS))
    assert counts == (4, 4, 0), batch.told(job)
    for key in KEYS:
        found = batch.s3.get_object(Bucket=copies, Key=f"from/photos/{key}")
        assert (found["Body"].read(), found["StorageClass"]) == (key.encode(), "STANDARD_IA")
    job, counts = batch.done({"S3DeleteObjectTagging": {}}, batch.named(KEYS))
    assert counts == (4, 4, 0)
    assert batch.s3.get_object_tagging(Bucket=batch.source, Key="plain")["TagSet"] == []


FUNCTION = """
import json, urllib.parse

def handler(event, context):
    task = event["tasks"][0]
    key = urllib.parse.unquote_plus(task["s3Key"])
    answer = {"taskId": task["taskId"], "resultCode": "Succeeded", "resultString": json.dumps(event, sort_keys=True)}
    if key == "raises":
        raise ValueError("no such thing")
    if key in ("PermanentFailure", "TemporaryFailure"):
        answer |= {"resultCode": key, "resultString": "told so"}
    return {
        "invocationSchemaVersion": event["invocationSchemaVersion"],
        "invocationId": event["invocationId"],
        "treatMissingKeysAs": "PermanentFailure",
        "results": [answer] if key != "silent" else [],
    }
"""


def test_functions_do_what_they_say(batch):
    role = batch.caller.role("runs", LAMBDA)
    arn = make_function(batch.caller, "task", role, archive(app__py=FUNCTION))
    keys = ["a b", "raises", "PermanentFailure", "TemporaryFailure", "silent"]
    for version in ("1.0", "2.0"):
        invoke = {"FunctionArn": arn, "InvocationSchemaVersion": version}
        if version == "2.0":
            invoke["UserArguments"] = {"colour": "blue"}
        job, counts = batch.done({"LambdaInvoke": invoke}, batch.named(keys))
        assert (job["Status"], counts) == ("Complete", (5, 1, 4)), job
        rows, _ = batch.told(job)
        assert rows["a b"][3:6] == ["succeeded", "200", ""]
        event = json.loads(rows["a b"][6])
        assert event["job"]["id"] == job["JobId"] and event["invocationSchemaVersion"] == version
        task = event["tasks"][0]
        assert (task["s3Key"], task["s3VersionId"]) == ("a+b", None)
        if version == "2.0":
            assert (task["s3Bucket"], event["job"]["userArguments"]) == (batch.source, {"colour": "blue"})
        else:
            assert task["s3BucketArn"] == f"arn:aws:s3:::{batch.source}"
        assert rows["raises"][5] == "PermanentFailure" and "no such thing" in rows["raises"][6]
        assert rows["PermanentFailure"][4:] == ["200", "PermanentFailure", "told so"]
        assert rows["TemporaryFailure"][4:] == ["200", "TemporaryFailure", "told so"]
        assert rows["silent"][5] == "PermanentFailure"
    batch.caller.client("iam").put_role_policy(RoleName="worker", PolicyName="granted", PolicyDocument=policy(allow("s3:*")))
    job, counts = batch.done({"LambdaInvoke": {"FunctionArn": arn}}, batch.named(keys[:1]))
    rows, _ = batch.told(job)
    assert rows["a b"][3:6] == ["failed", "403", "AccessDeniedException"]


def test_an_inventory_is_a_manifest(batch):
    for number in range(30):
        batch.s3.put_object(Bucket=batch.source, Key=f"k {number}", Body=b"x")
    lines = "".join(f'"{batch.source}","k+{number}","1"\n' for number in range(30))
    batch.s3.put_object(Bucket=batch.reports, Key="data/1.csv.gz", Body=gzip.compress(lines.encode()))
    inventory = {
        "sourceBucket": batch.source, "destinationBucket": f"arn:aws:s3:::{batch.reports}", "version": "2016-11-30",
        "fileFormat": "CSV", "fileSchema": "Bucket, Key, Size", "files": [{"key": "data/1.csv.gz", "size": 1}],
    }  # fmt: skip
    written = batch.s3.put_object(Bucket=batch.reports, Key="manifest.json", Body=json.dumps(inventory).encode())
    manifest = {
        "Spec": {"Format": "S3InventoryReport_CSV_20161130"},
        "Location": {"ObjectArn": f"arn:aws:s3:::{batch.reports}/manifest.json", "ETag": written["ETag"]},
    }
    job, counts = batch.done({"S3PutObjectTagging": {"TagSet": [{"Key": "k", "Value": "v"}]}}, manifest)
    assert counts == (30, 30, 0), job


def test_jobs_wait_to_be_confirmed_and_are_cancelled(batch):
    batch.s3.put_object(Bucket=batch.source, Key="k", Body=b"x")
    manifest = batch.named(["k"])
    job = batch.create({"S3DeleteObjectTagging": {}}, manifest, ConfirmationRequired=True)
    found = batch.until(job, "Suspended")
    assert found["SuspendedCause"] and found["SuspendedDate"]
    assert batch.control.update_job_priority(JobId=job, Priority=77, **batch.mine)["Priority"] == 77
    batch.control.update_job_status(JobId=job, RequestedJobStatus="Ready", **batch.mine)
    assert batch.until(job, "Complete")["Priority"] == 77
    other = batch.create({"S3DeleteObjectTagging": {}}, manifest, ConfirmationRequired=True)
    batch.until(other, "Suspended")
    told = batch.control.update_job_status(
        JobId=other, RequestedJobStatus="Cancelled", StatusUpdateReason="never mind", **batch.mine
    )
    assert (told["Status"], told["StatusUpdateReason"]) == ("Cancelling", "never mind")
    assert batch.until(other, "Cancelled")["StatusUpdateReason"] == "never mind"
    with refused("JobStatusException", 400):
        batch.control.update_job_status(JobId=other, RequestedJobStatus="Ready", **batch.mine)
    with refused("BadRequestException", 400):
        batch.control.update_job_priority(JobId=other, Priority=1, **batch.mine)
    with refused("NotFoundException", 404):
        batch.describe(str(uuid.uuid4()))
    ids = [item["JobId"] for item in batch.control.list_jobs(**batch.mine)["Jobs"]]
    assert ids == [other, job]
    listed = batch.control.list_jobs(JobStatuses=["Cancelled"], **batch.mine)["Jobs"]
    assert [(item["JobId"], item["Operation"]) for item in listed] == [(other, "S3DeleteObjectTagging")]


def test_tokens_tags_and_refusals(batch):
    batch.s3.put_object(Bucket=batch.source, Key="k", Body=b"x")
    request = batch.asked({"S3DeleteObjectTagging": {}}, batch.named(["k"]), Tags=[{"Key": "team", "Value": "blue"}])
    job = batch.control.create_job(**request)["JobId"]
    assert batch.control.create_job(**request)["JobId"] == job
    with refused("IdempotencyException", 400):
        batch.control.create_job(**request | {"Priority": 1})
    named = {"JobId": job} | batch.mine
    assert batch.control.get_job_tagging(**named)["Tags"] == [{"Key": "team", "Value": "blue"}]
    batch.control.put_job_tagging(Tags=[{"Key": "a", "Value": "b"}], **named)
    assert batch.control.get_job_tagging(**named)["Tags"] == [{"Key": "a", "Value": "b"}]
    with refused("TooManyTagsException", 400):
        batch.control.put_job_tagging(Tags=[{"Key": str(n), "Value": ""} for n in range(51)], **named)
    batch.control.delete_job_tagging(**named)
    assert batch.control.get_job_tagging(**named)["Tags"] == []
    with refused("InvalidRequest", 400):
        batch.control.create_job(**batch.asked({}, request["Manifest"]))


def test_what_a_user_may_depends_on_the_job(batch):
    batch.s3.put_object(Bucket=batch.source, Key="k", Body=b"x")
    request = batch.asked({"S3DeleteObjectTagging": {}}, batch.named(["k"]), ConfirmationRequired=True)
    user = batch.caller.user("somebody", allow("s3:CreateJob"))
    control = user.client("s3control")
    with refused("AccessDenied", 403) as refusal:
        control.create_job(**request)
    assert "iam:PassRole" in refusal.message
    passing = allow("iam:PassRole", on=batch.role)
    low = allow("s3:CreateJob", Condition={
        "NumericLessThanEquals": {"s3:RequestJobPriority": "10"},
        "StringEquals": {"s3:RequestJobOperation": "S3DeleteObjectTagging"},
    })  # fmt: skip
    batch.caller.grant("somebody", passing, low)
    for changed in ({"Priority": 11}, {"Operation": {"S3PutObjectTagging": {"TagSet": []}}}):
        with refused("AccessDenied", 403):
            control.create_job(**request | changed)
    job = control.create_job(**request)["JobId"]
    batch.until(job, "Suspended")
    with refused("AccessDenied", 403):
        control.describe_job(JobId=job, **batch.mine)
    for existing, may in (("11", False), ("10", True)):
        changing = allow("s3:UpdateJobPriority", Condition={
            "NumericEquals": {"s3:ExistingJobPriority": existing, "s3:RequestJobPriority": "12"},
        })  # fmt: skip
        batch.caller.grant("somebody", changing)
        if may:
            control.update_job_priority(JobId=job, Priority=12, **batch.mine)
        else:
            with refused("AccessDenied", 403):
                control.update_job_priority(JobId=job, Priority=12, **batch.mine)
    cancelling = allow("s3:UpdateJobStatus", on=f"arn:aws:s3:us-east-1:{user.account}:job/*", Condition={
        "StringEquals": {"s3:JobSuspendedCause": "AWAITING_CONFIRMATION"},
    })  # fmt: skip
    batch.caller.grant("somebody", cancelling)
    control.update_job_status(JobId=job, RequestedJobStatus="Cancelled", **batch.mine)
    batch.until(job, "Cancelled")


# Unmodified, but for where names below `localhost` lead, which many systems know by themselves.
COMMAND_LINE = """
import socket, sys
resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: resolve("127.0.0.1" if str(host).endswith(".localhost") else host, *rest, **more)
from awscli.clidriver import main
sys.exit(main())
"""


def test_the_command_line_creates_and_lists_jobs(batch):
    def aws(*arguments):
        command = [sys.executable, "-c", COMMAND_LINE, "--endpoint-url", batch.caller.endpoint, "s3control", *arguments]
        done = subprocess.run(command, env=batch.caller.environment(), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    batch.s3.put_object(Bucket=batch.source, Key="k", Body=b"x")
    manifest = batch.named(["k"])
    account = ("--account-id", batch.caller.account)
    report = (
        f"Bucket=arn:aws:s3:::{batch.reports},Prefix=told,Format=Report_CSV_20180820,Enabled=true,ReportScope=AllTasks"
    )
    made = aws(
        "create-job", *account, "--no-confirmation-required", "--priority", "42", "--role-arn", batch.role,
        "--operation", '{"S3PutObjectTagging": {"TagSet": [{"Key": "k", "Value": "v"}]}}',
        "--manifest", json.dumps(manifest), "--report", report, "--client-request-token", uuid.uuid4().hex,
        "--description", "from the command line",
    )  # fmt: skip
    batch.until(made["JobId"], "Complete")
    shown = aws("describe-job", *account, "--job-id", made["JobId"])["Job"]
    assert shown["ProgressSummary"]["NumberOfTasksSucceeded"] == 1
    listed = aws("list-jobs", *account, "--job-statuses", "Complete")["Jobs"]
    assert [job["Description"] for job in listed] == ["from the command line"]
    aws("put-job-tagging", *account, "--job-id", made["JobId"], "--tags", "Key=a,Value=b")
    assert aws("get-job-tagging", *account, "--job-id", made["JobId"])["Tags"] == [{"Key": "a", "Value": "b"}]
    aws("delete-job-tagging", *account, "--job-id", made["JobId"])


def test_a_killed_server_goes_on_and_tells_once(start, names_below_localhost):
    server = start()
    root = at_localhost(Caller(server.endpoint, "222200000041", "222200000041", "test"))
    batch = Batch(root)
    keys = [f"k{number:04}" for number in range(1200)]
    # The others are missing, but not so many that the job fails early.
    for key in keys[:700]:
        batch.s3.put_object(Bucket=batch.source, Key=key, Body=b"x")
    manifest = batch.named(keys)
    job = batch.create({"S3PutObjectTagging": {"TagSet": [{"Key": "k", "Value": "v"}]}}, manifest)
    kills, seen = 0, -1
    while batch.describe(job)["Status"] not in ("Complete", "Failed"):
        done = batch.describe(job)["ProgressSummary"]
        count = done["NumberOfTasksSucceeded"] + done["NumberOfTasksFailed"]
        if count > seen and kills < 6:
            kills, seen = kills + 1, count
            server.kill()
            server.start()
            batch = at_new(batch, server)
    found = batch.describe(job)
    summary = found["ProgressSummary"]
    assert (found["Status"], summary["NumberOfTasksSucceeded"], summary["NumberOfTasksFailed"]) == ("Complete", 700, 500)
    rows, _ = batch.told(found)
    assert sorted(rows) == keys
    assert kills > 1


def at_new(batch, server):
    """The same account at a server that was started again."""
    caller = replace(batch.caller, endpoint=server.endpoint.replace("127.0.0.1", "localhost"))
    again = Batch.__new__(Batch)
    again.__dict__ |= batch.__dict__ | {
        "caller": caller, "control": caller.client("s3control"), "s3": caller.client("s3"),
    }  # fmt: skip
    return again


def test_what_is_there_is_replicated_by_a_job(batch):
    from_bucket, to_bucket = (f"{name}-{uuid.uuid4().hex[:8]}" for name in ("from", "to"))
    for bucket in (from_bucket, to_bucket):
        batch.s3.create_bucket(Bucket=bucket)
        batch.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key in ("in/a", "in/b", "out/c"):
        batch.s3.put_object(Bucket=from_bucket, Key=key, Body=key.encode())
    batch.s3.put_object(Bucket=from_bucket, Key="in/a", Body=b"newer")
    copier = batch.caller.role("copier", {"Service": "s3.amazonaws.com"}, allow("s3:*"))
    rule = {
        "ID": "r", "Status": "Enabled", "Priority": 1, "Filter": {"Prefix": "in/"},
        "DeleteMarkerReplication": {"Status": "Disabled"}, "Destination": {"Bucket": f"arn:aws:s3:::{to_bucket}"},
    }  # fmt: skip
    batch.s3.put_bucket_replication(Bucket=from_bucket, ReplicationConfiguration={"Role": copier, "Rules": [rule]})
    generator = {
        "S3JobManifestGenerator": {
            "ExpectedBucketOwner": batch.caller.account,
            "SourceBucket": f"arn:aws:s3:::{from_bucket}",
            "EnableManifestOutput": False,
            "Filter": {"EligibleForReplication": True, "ObjectReplicationStatuses": ["NONE", "FAILED"]},
        }
    }
    job, counts = batch.done({"S3ReplicateObject": {}}, ManifestGenerator=generator)
    assert (job["Status"], counts) == ("Complete", (3, 3, 0)), job
    listed = batch.s3.list_object_versions(Bucket=to_bucket)["Versions"]
    ours = batch.s3.list_object_versions(Bucket=from_bucket, Prefix="in/")["Versions"]
    assert [(item["Key"], item["VersionId"], item["IsLatest"]) for item in listed] == [
        (item["Key"], item["VersionId"], item["IsLatest"]) for item in ours
    ]
    for item in ours:
        named = {"Key": item["Key"], "VersionId": item["VersionId"]}
        assert batch.s3.head_object(Bucket=from_bucket, **named)["ReplicationStatus"] == "COMPLETED"
        assert batch.s3.head_object(Bucket=to_bucket, **named)["ReplicationStatus"] == "REPLICA"
    manifest = batch.manifest([(from_bucket, "out/c"), (from_bucket, "missing"), (batch.source, "k")])
    job, counts = batch.done({"S3ReplicateObject": {}}, manifest)
    assert counts == (3, 0, 3)
    rows, _ = batch.told(job)
    assert (rows["missing"][5], rows["k"][5]) == ("NoSuchKey", "ReplicationConfigurationNotFoundError")
