"""One port for everything, and the commands that lead AWS's tools to it."""

import json
import os
import socket
import subprocess

import pytest
from fogbank_server import server_environment
from support import REGION, needs_curl

# The certificate is the server's own, and clients are told not to verify it.
pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")

IDENTITY = "Action=GetCallerIdentity&Version=2011-06-15"


def test_tls_is_served_on_the_same_port(root, cloud):
    secure = root.client("sqs", endpoint_url=f"https://127.0.0.1:{cloud.port}", verify=False)
    plain = root.client("sqs")
    url = secure.create_queue(QueueName="both")["QueueUrl"]
    assert url.startswith(f"https://127.0.0.1:{cloud.port}/"), "URLs have the scheme that the client used"
    assert plain.get_queue_url(QueueName="both")["QueueUrl"] == url.replace("https:", "http:")
    plain.send_message(QueueUrl=url, MessageBody="hello")
    assert secure.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "hello"


def test_bodies_that_stream_over_tls(root, cloud):
    secure = root.client("s3", endpoint_url=f"https://127.0.0.1:{cloud.port}", verify=False)
    bucket = f"tls-{root.account}"
    secure.create_bucket(Bucket=bucket)
    body = os.urandom(3_000_000)
    secure.put_object(Bucket=bucket, Key="k", Body=body)
    assert secure.get_object(Bucket=bucket, Key="k")["Body"].read() == body


@needs_curl
@pytest.mark.parametrize(
    ("scheme", "flag", "version"),
    [
        ("http", "--http1.1", "1.1"),
        ("http", "--http2-prior-knowledge", "2"),
        ("https", "--http1.1", "1.1"),
        ("https", "--http2", "2"),
    ],
)
def test_curl_calls_in_every_version_of_http(root, cloud, scheme, flag, version):
    if "HTTP2" not in subprocess.run(["curl", "-V"], capture_output=True, text=True).stdout:
        pytest.skip("SKIPPED: this curl does not know HTTP/2")
    command = ["curl", "-sk", flag, "--aws-sigv4", f"aws:amz:{REGION}:sts", "--user", f"{root.key}:test"]
    command += ["-d", IDENTITY, "-w", "\n%{http_code} %{http_version}", f"{scheme}://127.0.0.1:{cloud.port}/"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"<Account>{root.account}</Account>" in said
    assert said.splitlines()[-1] == f"200 {version}"


def test_who_waits_to_be_told_to_send_is_told_the_answer_instead(cloud):
    """A client that asks first need not send a body that is refused, and is told that the connection ends."""
    head = f"PUT /no-such-bucket/k HTTP/1.1\r\nhost: 127.0.0.1:{cloud.port}\r\ncontent-length: 1000000\r\n"
    with socket.create_connection(("127.0.0.1", cloud.port), timeout=20) as connection:
        connection.sendall(f"{head}expect: 100-continue\r\n\r\n".encode())
        said = b""
        while received := connection.recv(65536):
            said += received
    assert said.startswith(b"HTTP/1.1 40") and b"\r\nconnection: close\r\n" in said, said


def test_env_makes_a_shell_use_the_cloud(binary, cloud):
    script = f'eval "$({binary} env --endpoint {cloud.endpoint})" && aws sts get-caller-identity'
    environment = os.environ | {"AWS_PROFILE": "nobody", "AWS_SESSION_TOKEN": "stale"}
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["Arn"] == "arn:aws:iam::000000000000:root"


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("fish", "set -gx AWS_ENDPOINT_URL 'http://127.0.0.1:4566'"),
        ("powershell", "$Env:AWS_ENDPOINT_URL = 'http://127.0.0.1:4566'"),
        ("dotenv", "AWS_ENDPOINT_URL=http://127.0.0.1:4566"),
        ("github", "AWS_ENDPOINT_URL=http://127.0.0.1:4566"),
    ],
)
def test_env_knows_other_shells(binary, shell, line):
    said = subprocess.run([binary, "env", "--shell", shell], capture_output=True, text=True, check=True)
    assert line in said.stdout.splitlines()


def test_run_leads_one_command_to_the_cloud(binary, cloud):
    environment = os.environ | {"AWS_PROFILE": "nobody", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    command = [binary, "run", "--endpoint", cloud.endpoint, "--region", "eu-west-1", "--"]
    aws = ["aws", "--endpoint-url", cloud.endpoint, "sqs", "create-queue", "--queue-name", "run"]
    done = subprocess.run(command + aws, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    url = json.loads(done.stdout)["QueueUrl"]
    attributes = ["aws", "--endpoint-url", cloud.endpoint, "sqs", "get-queue-attributes", "--queue-url", url]
    attributes += ["--attribute-names", "QueueArn", "--query", "Attributes.QueueArn", "--output", "text"]
    said = subprocess.run(command + attributes, env=environment, capture_output=True, text=True).stdout
    assert said.strip() == "arn:aws:sqs:eu-west-1:000000000000:run"
    assert subprocess.run([*command, "bash", "-c", "exit 7"], env=environment).returncode == 7


def test_doctor_says_whether_the_cloud_could_start(binary, cloud, tmp_path):
    command = [binary, "doctor", "--json", "--data-dir", tmp_path, "--listen"]
    well = subprocess.run([*command, "127.0.0.1:0"], env=server_environment(), capture_output=True, text=True)
    findings = {finding["check"]: finding for finding in json.loads(well.stdout)}
    assert well.returncode == 0 and findings["port"]["ok"] and findings["data directory"]["ok"]
    taken = [*command, f"127.0.0.1:{cloud.port}"]
    ill = subprocess.run(taken, env=server_environment(), capture_output=True, text=True)
    findings = {finding["check"]: finding for finding in json.loads(ill.stdout)}
    assert ill.returncode == 5 and not findings["port"]["ok"], findings["port"]


def test_settings_that_are_not_known_are_refused(binary):
    environment = server_environment() | {"FOGBANK_REGOIN": "eu-west-1"}
    done = subprocess.run([binary, "start"], env=environment, capture_output=True, text=True)
    assert done.returncode != 0 and "FOGBANK_REGOIN is not a setting" in done.stderr
