"""A server with its state in memory, and a client of its S3."""

import contextlib
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/lib"))

import boto3  # noqa: E402
from fogbank_server import Cloud  # noqa: E402


@contextlib.contextmanager
def served(binary):
    """The server's endpoint and a client, as long as it runs."""
    server = Cloud(binary, Path(tempfile.mkdtemp(prefix="parquet-")), "--ephemeral")
    server.start()
    try:
        yield server.endpoint, boto3.client(
            "s3", endpoint_url=server.endpoint, region_name="us-east-1",
            aws_access_key_id="test", aws_secret_access_key="test",
        )  # fmt: skip
    finally:
        server.stop()
