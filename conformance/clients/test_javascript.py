"""The AWS SDK for JavaScript, installed by npm from javascript/package-lock.json."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support import needs_node

HERE = Path(__file__).resolve().parent / "javascript"


@pytest.fixture(scope="module")
def packages():
    """Installs the SDK once; its folder lies outside of what git sees."""
    if not shutil.which("npm"):
        pytest.skip("SKIPPED: there is no npm in the PATH")
    lock = (HERE / "package-lock.json").read_bytes()
    stamp = HERE / "node_modules/installed-lock"
    if not stamp.exists() or stamp.read_bytes() != lock:
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
        subprocess.run(command, cwd=HERE, check=True, stdout=subprocess.DEVNULL)
        stamp.write_bytes(lock)


@needs_node
def test_the_sdk_for_javascript(root, packages):
    command = ["node", "smoke.mjs", f"js-{root.account}"]
    done = subprocess.run(command, cwd=HERE, env=root.environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "text": "text",
        "metadata": {"a": "1"},
        "range": "xy",
        "presigned": [200, "2", "by fetch"],
        "transfer": ["-3", 12 * 1024 * 1024, True],
        "objects": [
            ["parts", 5 * 1024 * 1024 + 1], ["presigned", 8], ["stream", 12 * 1024 * 1024], ["streamed", 80_000],
            ["ä b", 4],
        ],
        "missing": "NoSuchKey",
        "bytes": [3],
        "scanned": 5,
        "conditional": "ConditionalCheckFailedException",
        "bodies": ["body a ü", "body b ü", "body c ü"],
        "noQueue": "QueueDoesNotExist",
    }, os.linesep + done.stderr


@needs_node
def test_checksums_by_the_sdk_for_javascript(root, packages):
    command = ["node", "checksums.mjs", f"js-sums-{root.account}"]
    done = subprocess.run(command, cwd=HERE, env=root.environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    kinds = {name: "FULL_OBJECT" if name == "CRC64NVME" else "COMPOSITE" for name in seen}
    assert {name: found[:2] for name, found in seen.items()} == {name: [True, kinds[name]] for name in seen}
    # As xxHash's reference computes them.
    assert [seen[name][2] for name in ("XXHASH64", "XXHASH3", "XXHASH128")] == [
        "9q5iJSIUo4A=", "aPAD469leH8=", "f01ZSkFFZC9o8APjr2V4fw==",
    ]  # fmt: skip


@needs_node
def test_cloudwatch_by_the_sdk_for_javascript(root, packages):
    command = ["node", "cloudwatch.mjs"]
    done = subprocess.run(command, cwd=HERE, env=root.environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    arn = f"arn:aws:cloudwatch:us-east-1:{root.account}:alarm:js"
    assert json.loads(done.stdout) == {
        "protocol": "application/x-amz-json-1.0",
        "refused": "InvalidParameterValueException",
        "listed": [{"Namespace": "Js", "MetricName": "A", "Dimensions": [{"Name": "Host", "Value": "one"}]}],
        "results": [["m1", "A", [6.5 / 3], 1], ["e1", "six", [13], 1]],
        "alarms": [[1e9, True, arn]],
        "missing": ["ValidationException", 400],
    }, os.linesep + done.stderr


@needs_node
def test_directory_buckets(root, packages):
    bucket = f"js-{root.account}--use1-az4--x-s3"
    command = ["node", "directory.mjs", bucket]
    done = subprocess.run(command, cwd=HERE, env=root.environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "buckets": [bucket],
        "size": 6,
        "body": "onetwo",
        "prefixes": [{"Prefix": "a/"}],
    }
