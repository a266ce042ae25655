"""Callers, and the little that several files of tests need."""

import io
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

REGION = "us-east-1"
PYTHON_RUNTIME = f"python3.{sys.version_info.minor}"
NODE_RUNTIME = "nodejs20.x"
SESSION = boto3.Session(region_name=REGION)

needs_node = pytest.mark.skipif(not shutil.which("node"), reason="SKIPPED: there is no node in the PATH")
needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="SKIPPED: there is no curl in the PATH")


@dataclass
class Caller:
    """Credentials and what AWS's tools make of them."""

    endpoint: str
    account: str
    key: str
    secret: str
    token: str | None = None

    def client(self, service, **settings):
        """A client of boto3 that tries once: what a second try would hide is a finding."""
        return SESSION.client(service, **self._arguments(settings))

    def resource(self, service, **settings):
        """A resource of boto3."""
        return SESSION.resource(service, **self._arguments(settings))

    def _arguments(self, settings):
        verify = settings.pop("verify", None)
        endpoint = settings.pop("endpoint_url", self.endpoint)
        config = {"retries": {"total_max_attempts": 1}, "read_timeout": 60} | settings
        return {
            "endpoint_url": endpoint,
            "verify": verify,
            "aws_access_key_id": self.key,
            "aws_secret_access_key": self.secret,
            "aws_session_token": self.token,
            "config": Config(**config),
        }

    def environment(self):
        """The environment in which other tools are this caller."""
        variables = {name: value for name, value in os.environ.items() if not name.startswith("FOGBANK_")}
        variables |= {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
        }
        if self.token:
            variables["AWS_SESSION_TOKEN"] = self.token
        return variables

    def aws(self, *arguments, fails=False, **options):
        """Runs the AWS CLI and returns what it printed, as JSON where it is; or its complaint, where it `fails`."""
        # Version 1 of the CLI takes the endpoint of a few services from the flag only.
        command = ["aws", "--endpoint-url", self.endpoint, *map(str, arguments)]
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, **options)
        assert (done.returncode != 0) == fails, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
        if fails:
            return done.stderr
        try:
            return json.loads(done.stdout)
        except ValueError:
            return done.stdout

    def user(self, name, *statements):
        """Creates a user who may do what the statements say, and is that user from now on."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="granted", PolicyDocument=policy(*statements))
        made = iam.create_access_key(UserName=name)["AccessKey"]
        return Caller(self.endpoint, self.account, made["AccessKeyId"], made["SecretAccessKey"])

    def grant(self, name, *statements):
        """Replaces what a user may do."""
        document = policy(*statements)
        self.client("iam").put_user_policy(UserName=name, PolicyName="granted", PolicyDocument=document)

    def role(self, name, trusted, *statements):
        """Creates a role, such as of Lambda's functions, and returns its ARN."""
        iam = self.client("iam")
        trust = policy(dict(Effect="Allow", Principal=trusted, Action="sts:AssumeRole"))
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="granted", PolicyDocument=policy(*statements))
        return arn

    def assume(self, role, session="session", **arguments):
        """Is a role from now on."""
        sts = self.client("sts")
        made = sts.assume_role(RoleArn=role, RoleSessionName=session, **arguments)["Credentials"]
        account = role.split(":")[4]
        return Caller(
            self.endpoint, account, made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"]
        )


LAMBDA = {"Service": "lambda.amazonaws.com"}


def allow(*actions, on="*", **rest):
    """A statement that allows."""
    return dict(Effect="Allow", Action=list(actions), Resource=on, **rest)


def deny(*actions, on="*", **rest):
    """A statement that denies."""
    return dict(Effect="Deny", Action=list(actions), Resource=on, **rest)


def policy(*statements):
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@contextmanager
def refused(code, status=None):
    """Expects a refusal with this code; what it said is in the `message` of what is yielded."""
    refusal = Refusal()
    with pytest.raises(ClientError) as raised:
        yield refusal
    response = raised.value.response
    refusal.message = response["Error"].get("Message", "")
    refusal.response = response
    assert response["Error"]["Code"] == code, response
    assert status in (None, response["ResponseMetadata"]["HTTPStatusCode"]), response


class Refusal:
    """What a service said when it refused."""

    message = ""
    response = None


def eventually(check, seconds=30, pause=0.05):
    """Calls until the answer is true and returns it."""
    deadline = time.monotonic() + seconds
    while True:
        answer = check()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"still {answer!r} after {seconds} seconds"
        time.sleep(pause)


def advance(binary, caller, span):
    """Moves the clock of the caller's server."""
    subprocess.run([binary, "clock", "advance", span], env=caller.environment(), check=True, stdout=subprocess.DEVNULL)


def archive(**files):
    """A zip archive; double underscores in names stand for a dot, and `bootstrap` may be executed."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as target:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name.replace("__", "."))
            entry.external_attr = (0o100755 if name == "bootstrap" else 0o100644) << 16
            target.writestr(entry, text)
    return package.getvalue()


def make_function(caller, name, role, code, runtime=PYTHON_RUNTIME, handler="app.handler", **rest):
    """Creates a function, waits until it is active and returns its ARN."""
    functions = caller.client("lambda")
    made = functions.create_function(
        FunctionName=name, Runtime=runtime, Handler=handler, Role=role, Code={"ZipFile": code}, **rest
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    return made["FunctionArn"]


def receive_all(sqs, queue, count, seconds=30):
    """Takes messages out of a queue until there are `count`."""
    found = []
    deadline = time.monotonic() + seconds
    while len(found) < count and time.monotonic() < deadline:
        answer = sqs.receive_message(
            QueueUrl=queue,
            MaxNumberOfMessages=10,
            WaitTimeSeconds=1,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        for message in answer.get("Messages", []):
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            found.append(message)
    return found
