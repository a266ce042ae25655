"""Unmodified clients judge the cloud: what all their tests share.

FOGBANK_BIN names the binary. Most tests share one server with its state in memory, and each has an account of its own.

    FOGBANK_BIN=target/debug/fogbank .venv/bin/python -m pytest conformance/clients -k presigned
"""

import itertools
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "scripts/lib")]

from fogbank_server import Cloud  # noqa: E402
from support import Caller  # noqa: E402

ACCOUNTS = itertools.count(111100000001)


@pytest.fixture(scope="session")
def binary():
    """The binary under test."""
    path = os.environ.get("FOGBANK_BIN")
    if not path:
        pytest.fail("set FOGBANK_BIN to a fogbank binary")
    return path


@pytest.fixture(scope="session", autouse=True)
def no_settings_of_ones_own(tmp_path_factory):
    """Keeps the clients from what this machine's user has set up for AWS."""
    patch = pytest.MonkeyPatch()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        patch.delenv(name)
    nothing = tmp_path_factory.mktemp("aws") / "nothing"
    patch.setenv("AWS_CONFIG_FILE", str(nothing))
    patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(nothing))
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    yield
    patch.undo()


@pytest.fixture(scope="session")
def start(binary, tmp_path_factory):
    """Starts a server with flags; at the end no server may have panicked."""
    servers = []

    def start(*flags):
        server = Cloud(binary, tmp_path_factory.mktemp("fogbank"), *flags)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        if server.process.poll() is None:
            server.stop()
    for server in servers:
        assert "panicked at" not in server.text(), server.text()


@pytest.fixture(scope="session")
def cloud(start):
    """The server that most tests share."""
    server = start("--ephemeral")
    yield server
    print(f"\nThe end of Fogbank's log:\n{server.tail()}")


@pytest.fixture
def root(cloud):
    """The root of an account that nobody else uses."""
    return new_root(cloud)


@pytest.fixture
def other(cloud):
    """The root of another account."""
    return new_root(cloud)


@pytest.fixture(scope="module")
def module_root(cloud):
    """The root of an account that the tests of one file share."""
    return new_root(cloud)


def new_root(cloud):
    """The root of a new account."""
    account = str(next(ACCOUNTS))
    return Caller(cloud.endpoint, account, account, "test")


@pytest.fixture
def own(start):
    """The root of a server of one's own: whoever moves the clock moves it for everybody."""
    server = start("--ephemeral")
    yield Caller(server.endpoint, "000000000000", "test", "test")


@pytest.fixture
def names_below_localhost(monkeypatch):
    """Resolves names below `localhost` as systems with systemd-resolved, and browsers, do by themselves."""
    resolve = socket.getaddrinfo

    def resolve_below(host, *arguments, **rest):
        return resolve("127.0.0.1" if str(host).endswith(".localhost") else host, *arguments, **rest)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_below)


@pytest.fixture
def clock(binary, root):
    """Runs `fogbank clock` and reads its answer."""

    def clock(*arguments):
        command = [binary, "clock", *arguments, "--json"]
        done = subprocess.run(command, env=root.environment(), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return clock
