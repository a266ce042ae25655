"""What the end-to-end test needs: a Fogbank to talk to, and photographs.

With FOGBANK_BIN the tests own a server, kill it and start it again. With AWS_ENDPOINT_URL alone they use the one that
runs there, and what needs a server of one's own is skipped.
"""

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "scripts/lib")]

from fogbank_server import Cloud  # noqa: E402


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
