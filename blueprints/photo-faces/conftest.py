"""What the end-to-end test needs: a Fogbank to talk to, and photographs.

With FOGBANK_BIN the tests own a server, kill it and start it again. With AWS_ENDPOINT_URL alone they use the one that
runs there, and what needs a server of one's own is skipped.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

READY_SECS = 60


class Cloud:
    """The server process that the tests own, on one port and one data directory for all its lives."""

    def __init__(self, binary, folder):
        self.binary = binary
        self.data = folder / "data"
        self.log = folder / "fogbank.log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        """Starts the server and returns once it says that it is ready."""
        written = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "start", "--listen", f"127.0.0.1:{self.port}", "--data-dir", self.data],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=server_environment(),
            )
        deadline = time.monotonic() + READY_SECS
        while b"Ready." not in self.log.read_bytes()[written:]:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Fogbank did not become ready:\n{self.tail()}")
            time.sleep(0.02)

    def kill(self):
        """Ends the server as a power cut would: no handler runs, nothing is flushed."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Ends the server politely."""
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()

    def tail(self):
        """The end of what the server said."""
        return self.log.read_text(errors="replace")[-8000:]


def server_environment():
    """The environment of the server: none of the client's AWS settings, and this Python first.

    On AWS a Python function finds boto3 in its runtime. Here it comes with the interpreter that runs these tests.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    return environment


@pytest.fixture(scope="session")
def cloud(tmp_path_factory):
    """The server that the tests own, or None where they are guests of one that runs already."""
    binary = os.environ.get("FOGBANK_BIN")
    if not binary:
        if not os.environ.get("AWS_ENDPOINT_URL"):
            pytest.fail("set FOGBANK_BIN to a fogbank binary, or AWS_ENDPOINT_URL to a running Fogbank")
        yield None
        return
    server = Cloud(binary, tmp_path_factory.mktemp("fogbank"))
    server.start()
    yield server
    server.stop()
    print(f"\nThe end of Fogbank's log:\n{server.tail()}")


@pytest.fixture(scope="session", autouse=True)
def environment(cloud):
    """Points boto3, the AWS CLI and the scripts at the server, for this process and its children."""
    patch = pytest.MonkeyPatch()
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"):
        patch.delenv(name, raising=False)
    if cloud:
        patch.setenv("AWS_ENDPOINT_URL", cloud.endpoint)
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    patch.setenv("AWS_DEFAULT_REGION", os.environ.get("AWS_DEFAULT_REGION", "us-east-1"))
    patch.setenv("LAMBDA_RUNTIME", f"python3.{sys.version_info.minor}")
    patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    yield
    patch.undo()


@pytest.fixture(scope="session")
def photographs():
    """The folder of real photographs that scripts/test prepares."""
    folder = os.environ.get("FOGBANK_TEST_PHOTOS")
    if not folder:
        pytest.fail("FOGBANK_TEST_PHOTOS is not set; scripts/lib/photos prints the folder")
    return Path(folder)
