"""Trees of files, there and back byte for byte, by the tools that people keep them with."""

import hashlib
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def tools():
    """The bin folder of an environment with s3cmd and s3fs, made once beside the one that runs the tests."""
    environment = HERE.parents[1] / ".venv-tools"
    wanted = (HERE / "tools/requirements.txt").read_bytes()
    stamp = environment / "installed"
    if not stamp.exists() or stamp.read_bytes() != wanted:
        # This environment's pip fills the other one: Debian's Python has no ensurepip.
        subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", environment], check=True)
        python = environment / "bin/python"
        install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check",
                   "-r", HERE / "tools/requirements.txt"]
        subprocess.run(install, check=True)
        stamp.write_bytes(wanted)
    return environment / "bin"


def grow(root, count, large=1):
    """Makes `count` files of a few bytes to some KiB, in folders, with names of all kinds, and some large ones."""
    chance = random.Random(count)
    names = ["plain", "with space", "plus+sign", "äöü", "日本", "per%cent", "quote'", "a&b", "(1)", "~tilde", "#hash"]
    for number in range(count):
        folder = root / f"{number % 23}" / chance.choice(names)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{chance.choice(names)} {number}").write_bytes(chance.randbytes(chance.choice([0, 1, 100, 3000])))
    for number in range(large):
        (root / f"large {number}").write_bytes(chance.randbytes(17 * MIB + number))
    return root


def digests(root):
    """The SHA-256 of every file below a folder, by its path."""
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def run(command, root, **more):
    environment = root.environment() | more.pop("environment", {})
    done = subprocess.run([str(part) for part in command], env=environment, capture_output=True, text=True, **more)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_cli_synchronises_ten_thousand_files(root, tmp_path):
    there, back = grow(tmp_path / "there", 10_000), tmp_path / "back"
    bucket = f"s3://sync-{root.account}"
    root.aws("s3", "mb", bucket)
    root.aws("s3", "sync", there, bucket, "--only-show-errors")
    root.aws("s3", "sync", bucket, back, "--only-show-errors")
    expected = digests(there)
    assert len(expected) == 10_001
    assert digests(back) == expected
    # What is there already stays; what is new, changed or gone follows.
    assert root.aws("s3", "sync", there, bucket) == ""
    first, second = sorted(there.rglob("*1"))[:2]
    first.write_bytes(b"changed by now")
    second.unlink()
    (there / "new").write_bytes(b"new")
    lines = root.aws("s3", "sync", there, bucket, "--delete", "--no-progress").splitlines()
    assert sorted(line.split(":")[0] for line in lines) == ["delete", "upload", "upload"]
    root.aws("s3", "sync", bucket, back, "--delete", "--only-show-errors")
    assert digests(back) == digests(there)
    root.aws("s3", "rb", bucket, "--force")


@pytest.mark.skipif(not shutil.which("rclone"), reason="SKIPPED: there is no rclone in the PATH")
def test_rclone_synchronises_and_checks(root, tmp_path):
    there, back = grow(tmp_path / "there", 500), tmp_path / "back"
    remote = f"fogbank:rclone-{root.account}/a tree"
    own = {
        "RCLONE_CONFIG_FOGBANK_TYPE": "s3",
        "RCLONE_CONFIG_FOGBANK_PROVIDER": "Other",
        "RCLONE_CONFIG_FOGBANK_ENV_AUTH": "true",
        "RCLONE_CONFIG_FOGBANK_ENDPOINT": root.endpoint,
        "RCLONE_CONFIG_FOGBANK_REGION": "us-east-1",
        "RCLONE_RETRIES": "1",
        "RCLONE_S3_CHUNK_SIZE": "5M",
        "RCLONE_S3_UPLOAD_CUTOFF": "6M",
        "RCLONE_CONFIG": os.devnull,
    }
    rclone = lambda *arguments: run(["rclone", *arguments], root, environment=own)  # noqa: E731
    rclone("sync", there, remote)
    rclone("check", there, remote, "--download")
    rclone("sync", remote, back)
    assert digests(back) == digests(there)
    rclone("moveto", f"{remote}/large 0", f"{remote}/moved")
    assert rclone("lsf", remote, "--files-only").splitlines() == ["moved"]
    assert f"{17 * MIB}" in rclone("size", f"{remote}/moved", "--json")
    rclone("purge", f"fogbank:rclone-{root.account}")


def test_s3cmd_synchronises(root, tools, tmp_path):
    there, back = grow(tmp_path / "there", 300), tmp_path / "back"
    back.mkdir()
    bucket = f"s3cmd-{root.account}"
    host = root.endpoint.removeprefix("http://")
    settings = tmp_path / "s3cfg"
    settings.write_text(
        f"[default]\naccess_key = {root.key}\nsecret_key = {root.secret}\nhost_base = {host}\nhost_bucket = {host}\n"
        "bucket_location = us-east-1\nuse_https = False\nmultipart_chunk_size_mb = 5\n"
    )
    s3cmd = lambda *arguments: run([tools / "s3cmd", "-c", settings, *arguments], root)  # noqa: E731
    s3cmd("mb", f"s3://{bucket}")
    s3cmd("sync", f"{there}/", f"s3://{bucket}/tree/")
    s3cmd("sync", f"s3://{bucket}/tree/", f"{back}/")
    assert digests(back) == digests(there)
    # Without the flag, s3cmd sets the ACL of what it copies, which fails on AWS, too.
    s3cmd("cp", "--acl-private", f"s3://{bucket}/tree/large 0", f"s3://{bucket}/copy")
    assert f"{17 * MIB}" in s3cmd("ls", f"s3://{bucket}/copy")
    s3cmd("del", "--recursive", "--force", f"s3://{bucket}/")
    s3cmd("rb", f"s3://{bucket}")


def test_s3fs_is_a_file_system_for_python(root, tools, tmp_path):
    there = grow(tmp_path / "there", 200)
    program = [tools / "python", HERE / "tools/filesystem.py", f"s3fs-{root.account}", there, tmp_path / "back"]
    assert run(program, root).strip() == "done"
    assert digests(tmp_path / "back") == digests(there)
