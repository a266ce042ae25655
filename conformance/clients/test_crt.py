"""SigV4A and checksums by botocore with the AWS Common Runtime, in an environment of its own (crt/requirements.txt)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent / "crt"


@pytest.fixture(scope="module")
def python():
    """The Python of an environment with the Common Runtime, made once beside the one that runs the tests."""
    environment = HERE.parents[2] / ".venv-crt"
    wanted = (HERE / "requirements.txt").read_bytes()
    stamp = environment / "installed"
    python = environment / "bin/python"
    if not stamp.exists() or stamp.read_bytes() != wanted:
        # This environment's pip fills the other one: Debian's Python has no ensurepip.
        subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", environment], check=True)
        install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check",
                   "--only-binary", ":all:", "-r", HERE / "requirements.txt"]
        subprocess.run(install, check=True)
        stamp.write_bytes(wanted)
    return python


def test_what_the_common_runtime_signs_for_regions(root, python):
    command = [python, HERE / "smoke.py", f"crt-{root.account}"]
    done = subprocess.run(command, env=root.environment(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "object": "by ecdsa",
        "keys": ["ä b//../c"],
        "algorithm": True,
        "presigned": "by ecdsa",
        "changed": 403,
        "account": True,
        "other region set": "SignatureDoesNotMatch",
        "session": "session",
        "wrong secret": "SignatureDoesNotMatch",
        "tables": [],
        "schemes": ["AWS4-ECDSA-P256-SHA256"],
    }, os.linesep + done.stderr


def test_checksums_of_every_algorithm(root, python):
    command = [python, "-W", "ignore", HERE / "checksums.py", f"sums-{root.account}"]
    done = subprocess.run(command, env=root.environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    both, full = ["COMPOSITE", "FULL_OBJECT"], [["FULL_OBJECT"], "FULL_OBJECT"]
    of_parts = [["COMPOSITE"], "COMPOSITE"]
    hashes = {name: of_parts for name in ["MD5", "SHA1", "SHA256", "SHA512", "XXHASH64", "XXHASH3", "XXHASH128"]}
    crcs = {name: [both, "COMPOSITE"] for name in ["CRC32", "CRC32C"]} | {"CRC64NVME": full}
    assert json.loads(done.stdout) == crcs | hashes
