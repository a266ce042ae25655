"""Starts the servers, runs the suite in two rounds, and compares with what is expected to fail."""

import hashlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import xml.etree.ElementTree as ElementTree

HERE = pathlib.Path(__file__).parent
# What does not apply to AWS, or to what this project offers.
LEFT_OUT = [
    "fails_on_aws", "fails_on_s3", "iam_tenant", "auth_aws2", "webidentity_test", "s3select",
    "cloud_transition", "cloud_restore", "appendobject",
]
SUITE = [f"s3tests/functional/test_{part}.py" for part in ("s3", "headers", "iam", "sts", "sns")]
ACCOUNTS = {
    "s3 main": "123456789001", "s3 alt": "223456789002", "s3 tenant": "323456789003",
    "iam": "423456789004", "iam root": "523456789005", "iam alt root": "623456789006",
}


def canonical_id(account):
    """The canonical user id that Fogbank gives an account."""
    return hashlib.sha256(f"canonical user {account}".encode()).hexdigest()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def keys_of_kms(port):
    """The ARNs of two new keys, which the tests of SSE-KMS use."""
    import boto3

    kms = boto3.client(
        "kms", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1",
        aws_access_key_id=ACCOUNTS["s3 main"], aws_secret_access_key="test",
    )
    return [kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2)]


def configuration(port):
    lines = [
        "[DEFAULT]", "host = 127.0.0.1", f"port = {port}", "is_secure = False", "ssl_verify = False",
        "[fixtures]", "bucket prefix = s3tests-{random}-",
        "iam name prefix = s3-tests-", "iam path prefix = /s3-tests/",
    ]
    for section, account in ACCOUNTS.items():
        lines += [
            f"[{section}]", f"access_key = {account}", "secret_key = test",
            # Grants of ACLs name the other account by its canonical id.
            f"user_id = {account if section in ('iam', 'iam root') else canonical_id(account)}",
            f"display_name = {account}", f"email = {section.replace(' ', '-')}@example.com",
        ]
        if section == "s3 main":
            first, second = keys_of_kms(port)
            lines += ["api_name = ", "lc_debug_interval = 1", f"kms_keyid = {first}",
                      f"kms_keyid2 = {second}", "storage_classes = STANDARD_IA, GLACIER_IR"]
        if section == "s3 tenant":
            lines.append("tenant = testx")
    return "\n".join(lines) + "\n"


def start(binary, port, log, *options):
    command = [binary, "start", "--ephemeral", "--listen", f"127.0.0.1:{port}", *options]
    # What is meant for this runner is no setting of the server.
    environment = {name: value for name, value in os.environ.items() if name != "FOGBANK_BIN"}
    server = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_fogbank/health", timeout=1).read()
            return server
        except OSError:
            time.sleep(0.1)
    server.kill()
    sys.exit("the server did not start")


def binary_of(root):
    if "FOGBANK_BIN" in os.environ:
        return os.environ["FOGBANK_BIN"]
    built = [root / "target" / kind / "fogbank" for kind in ("release", "debug")]
    built = [path for path in built if path.exists()]
    return str(max(built, key=lambda path: path.stat().st_mtime)) if built else sys.exit("build first")


def expected_failures():
    """Test names with the reason why each fails."""
    found = {}
    for line in (HERE / "expected").read_text().splitlines():
        name, _, reason = line.partition(": ")
        if name and not name.startswith("#"):
            found[name.strip()] = reason.strip()
    return found


def needs_acls():
    """The tests that use ACLs or public policies, which buckets with today's defaults do not allow."""
    lines = (HERE / "before-2023").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def run_suite(checkout, port, folder, round_name, extra):
    config = folder / f"{round_name}.conf"
    config.write_text(configuration(port))
    report = folder / f"{round_name}.xml"
    left_out = " or ".join(LEFT_OUT)
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=120", "--tb=short",
        "-p", "plugin", "-m", f"not ({left_out})", f"--junitxml={report}", *SUITE, *extra,
    ]
    environment = dict(
        os.environ, S3TEST_CONF=str(config), AWS_DEFAULT_REGION="us-east-1", PYTHONPATH=str(HERE),
        PYTHONDONTWRITEBYTECODE="1", S3_TESTS_ROUND_NAME=round_name,
        S3_TESTS_WITH_ACLS=" ".join(needs_acls()),
    )
    with open(folder / f"{round_name}.out", "w") as out:
        subprocess.run(command, cwd=checkout, env=environment, stdout=out, stderr=out, check=False)
    outcomes = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        kinds = {child.tag for child in case}
        outcome = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        outcomes[case.get("name")] = outcome
    return outcomes


def main():
    root, checkout, extra = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
    folder = pathlib.Path(os.environ.get("S3_TESTS_OUT") or tempfile.mkdtemp(prefix="s3-tests-"))
    folder.mkdir(parents=True, exist_ok=True)
    binary = binary_of(root)
    outcomes = {}
    # The suite takes it that a new bucket takes customers' keys, as it did until April 2026.
    rounds = [(name, ["--s3-bucket-defaults", name]) for name in ("before-2026", "before-2023")]
    only = os.environ.get("S3_TESTS_ROUND")
    for name, options in rounds:
        if only and name != only:
            continue
        port = free_port()
        with open(folder / f"{name}.log", "w") as log:
            server = start(binary, port, log, *options)
            try:
                outcomes |= run_suite(checkout, port, folder, name, extra)
            finally:
                server.send_signal(signal.SIGTERM)
                server.wait()
    judge(outcomes, folder, is_whole=not extra and not only)


def judge(outcomes, folder, is_whole):
    expected = expected_failures()
    counts = {kind: sum(1 for outcome in outcomes.values() if outcome == kind)
              for kind in ("passed", "failed", "skipped")}
    failed = {name for name, outcome in outcomes.items() if outcome == "failed"}
    passed = {name for name, outcome in outcomes.items() if outcome == "passed"}
    ran = counts["passed"] + counts["failed"]
    print(f"{counts['passed']} of {ran} passed ({100 * counts['passed'] / max(ran, 1):.1f} %), "
          f"{counts['failed']} failed, {counts['skipped']} skipped; details in {folder}")
    contradicting = sum(1 for name in failed if expected.get(name, "").startswith("AWS differs"))
    print(f"{contradicting} of these failures are where AWS itself answers otherwise than the suite expects: "
          f"{counts['passed']} of the other {ran - contradicting} passed "
          f"({100 * counts['passed'] / max(ran - contradicting, 1):.1f} %)")
    surprises = sorted(failed - expected.keys())
    better = sorted(name for name in expected if name in passed)
    for name in surprises:
        print(f"failed, and not expected to: {name}")
    for name in better:
        print(f"passed, though expected to fail: {name}")
    if is_whole:
        for name in sorted(expected.keys() - outcomes.keys()):
            print(f"expected to fail, and not run: {name}")
    sys.exit(1 if surprises or better else 0)


if __name__ == "__main__":
    main()
