"""MFA delete and Object Lock of S3, as boto3 meets them, by a clock that moves."""

import base64
import hashlib
import hmac
from datetime import datetime, timedelta

import pytest
from support import Caller, allow, deny, refused

ACCOUNT = "000000000000"


@pytest.fixture(scope="module")
def server(start):
    """A server of its own, since everybody's clock is changed."""
    return start("--ephemeral")


@pytest.fixture
def root(server):
    return Caller(server.endpoint, ACCOUNT, "test", "test")


def now(clock):
    """The server's time."""
    return datetime.fromisoformat(clock()["now"])


class Device:
    """The virtual MFA device of the root, which shows each code once."""

    def __init__(self, root, clock):
        self.iam, self.clock = root.client("iam"), clock
        made = self.iam.create_virtual_mfa_device(VirtualMFADeviceName="root-account-mfa-device")["VirtualMFADevice"]
        self.seed, self.serial = base64.b32decode(made["Base32StringSeed"]), made["SerialNumber"]
        assert self.serial == f"arn:aws:iam::{ACCOUNT}:mfa/root-account-mfa-device"
        self.iam.enable_mfa_device(
            UserName=ACCOUNT,
            SerialNumber=self.serial,
            AuthenticationCode1=self.code(-2),
            AuthenticationCode2=self.code(-1),
        )

    def code(self, steps=0):
        """A code of RFC 6238, by the server's clock."""
        step = int(now(self.clock).timestamp()) // 30 + steps
        digest = hmac.new(self.seed, step.to_bytes(8, "big"), hashlib.sha1).digest()
        at = digest[-1] & 15
        return f"{(int.from_bytes(digest[at : at + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"

    def header(self):
        """What `x-amz-mfa` takes, with a code that was not shown before."""
        self.clock("advance", "31s")
        return f"{self.serial} {self.code()}"


@pytest.fixture
def device(root, clock):
    device = Device(root, clock)
    yield device
    device.iam.deactivate_mfa_device(SerialNumber=device.serial)
    device.iam.delete_virtual_mfa_device(SerialNumber=device.serial)


def versioning(**settings):
    return {"Bucket": "kept", "VersioningConfiguration": settings}


def test_mfa_delete_wants_the_root_and_its_device(root, device):
    s3 = root.client("s3")
    s3.create_bucket(Bucket="kept")
    assert device.iam.list_mfa_devices()["MFADevices"][0]["SerialNumber"] == device.serial
    assert device.iam.get_account_summary()["SummaryMap"]["AccountMFAEnabled"] == 1
    on = versioning(Status="Enabled", MFADelete="Enabled")
    with refused("AccessDenied", 403) as refusal:
        s3.put_bucket_versioning(**on)
    assert refusal.message == "Mfa Authentication must be used for this request"
    with refused("InvalidArgument", 400) as refusal:
        s3.put_bucket_versioning(**on, MFA="970589")
    assert refusal.message.startswith("Mfa header is invalid -- the header should be formatted as")
    header = device.header()
    s3.put_bucket_versioning(**on, MFA=header)
    told = s3.get_bucket_versioning(Bucket="kept")
    assert (told["Status"], told["MFADelete"]) == ("Enabled", "Enabled")
    first = s3.put_object(Bucket="kept", Key="a", Body=b"1")["VersionId"]
    second = s3.put_object(Bucket="kept", Key="a", Body=b"2")["VersionId"]
    marker = s3.delete_object(Bucket="kept", Key="a")["VersionId"]
    with refused("AccessDenied", 403):
        s3.delete_object(Bucket="kept", Key="a", VersionId=first)
    # A code counts once.
    with refused("InvalidArgument", 400):
        s3.delete_object(Bucket="kept", Key="a", VersionId=first, MFA=header)
    ann = root.user("ann", allow("s3:*")).client("s3")
    with refused("AccessDenied", 403) as refusal:
        ann.delete_object(Bucket="kept", Key="a", VersionId=first, MFA=device.header())
    assert refusal.message == "This operation may only be performed by the bucket owner"
    s3.delete_object(Bucket="kept", Key="a", VersionId=first, MFA=device.header())
    objects = [{"Key": "a", "VersionId": version} for version in (second, marker)]
    with refused("AccessDenied", 403):
        s3.delete_objects(Bucket="kept", Delete={"Objects": [*objects, {"Key": "b"}]})
    told = s3.delete_objects(Bucket="kept", Delete={"Objects": objects}, MFA=device.header())
    assert "Errors" not in told and len(told["Deleted"]) == 2
    assert "Versions" not in s3.list_object_versions(Bucket="kept")
    rules = {"Rules": [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}]}
    with refused("InvalidBucketState", 409):
        s3.put_bucket_lifecycle_configuration(Bucket="kept", LifecycleConfiguration=rules)
    with refused("AccessDenied", 403):
        s3.put_bucket_versioning(**versioning(Status="Suspended"))
    s3.put_bucket_versioning(**versioning(Status="Enabled", MFADelete="Disabled"), MFA=device.header())
    s3.put_bucket_lifecycle_configuration(Bucket="kept", LifecycleConfiguration=rules)
    with refused("InvalidBucketState", 409) as refusal:
        s3.put_bucket_versioning(**on, MFA=device.header())
    assert refusal.message.startswith("Mfa Authentication is not supported on a bucket with lifecycle configuration")
    assert s3.get_bucket_versioning(Bucket="kept")["MFADelete"] == "Disabled"


def test_the_command_line_passes_the_code_on(root, device):
    root.aws("s3api", "create-bucket", "--bucket", "told")
    settings = "Status=Enabled,MFADelete=Enabled"
    turn_on = ("s3api", "put-bucket-versioning", "--bucket", "told", "--versioning-configuration", settings)
    assert "Mfa Authentication must be used" in root.aws(*turn_on, fails=True)
    root.aws(*turn_on, "--mfa", device.header())
    assert root.aws("s3api", "get-bucket-versioning", "--bucket", "told") == {"Status": "Enabled", "MFADelete": "Enabled"}


def test_what_is_held_waits_for_its_event(root, clock):
    s3 = root.client("s3")
    s3.create_bucket(Bucket="contracts", ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "DefaultEventHold": {"Days": 30}}}
    s3.put_object_lock_configuration(
        Bucket="contracts", ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    assert s3.get_object_lock_configuration(Bucket="contracts")["ObjectLockConfiguration"]["Rule"] == rule
    named = {"Bucket": "contracts", "Key": "a"}
    version = s3.put_object(**named, Body=b"signed")["VersionId"]
    own = s3.put_object(
        Bucket="contracts",
        Key="b",
        Body=b"signed",
        ObjectLockMode="GOVERNANCE",
        ObjectLockEventHold="ON",
        ObjectLockEventHoldDurationYears=5,
    )["VersionId"]
    head = s3.head_object(Bucket="contracts", Key="b")
    assert (head["ObjectLockEventHold"], head["ObjectLockEventHoldDurationYears"]) == ("ON", 5)
    assert "ObjectLockEventHoldDurationDays" not in head
    # Who may not read the lock is told nothing of it.
    reader = root.user("reader", allow("s3:GetObject")).client("s3")
    assert not [name for name in reader.head_object(Bucket="contracts", Key="b") if name.startswith("ObjectLock")]
    assert "ObjectLockMode" not in reader.get_object(Bucket="contracts", Key="b")
    root.grant("reader", allow("s3:GetObject", "s3:GetObjectRetention"))
    assert reader.get_object(Bucket="contracts", Key="b")["ObjectLockMode"] == "GOVERNANCE"
    clock("advance", "1000d")
    told = s3.get_object_retention(**named)["Retention"]
    assert (told["EventHold"], told["EventHoldDuration"]) == ("ON", {"Days": 30})
    assert abs(told["RetainUntilDate"] - now(clock) - timedelta(days=30)) < timedelta(minutes=5)
    with refused("AccessDenied", 403) as refusal:
        s3.delete_object(**named, VersionId=version)
    assert "object protected by object lock" in refusal.message
    with refused("AccessDenied", 403):
        s3.put_object_retention(**named, Retention={}, BypassGovernanceRetention=True)
    with refused("InvalidArgument", 400):
        s3.put_object_retention(**named, Retention={"Mode": "COMPLIANCE", "EventHold": "ON"})
    s3.put_object_retention(**named, Retention={"Mode": "COMPLIANCE", "EventHold": "OFF"})
    told = s3.get_object_retention(**named)["Retention"]
    assert told["EventHold"] == "OFF" and "EventHoldDuration" not in told
    clock("advance", "29d")
    with refused("AccessDenied", 403):
        s3.delete_object(**named, VersionId=version)
    clock("advance", "25h")
    s3.delete_object(**named, VersionId=version)
    s3.delete_object(Bucket="contracts", Key="b", VersionId=own, BypassGovernanceRetention=True)
    assert "Versions" not in s3.list_object_versions(Bucket="contracts")


def test_policies_say_who_releases_and_for_how_long_is_held(root, clock):
    s3 = root.client("s3")
    s3.create_bucket(Bucket="ruled", ObjectLockEnabledForBucket=True)
    everything = "arn:aws:s3:::ruled/*"
    keeper = root.user(
        "keeper",
        allow("s3:*"),
        deny("s3:PutObjectRetention", on=everything, Condition={"StringEquals": {"s3:object-lock-event-hold": "OFF"}}),
        deny(
            "s3:PutObject",
            "s3:PutObjectRetention",
            on=everything,
            Condition={"NumericLessThan": {"s3:object-lock-event-hold-duration-days": "90"}},
        ),
    ).client("s3")
    named = {"Bucket": "ruled", "Key": "a"}
    held = {"Mode": "COMPLIANCE", "EventHold": "ON", "EventHoldDuration": {"Years": 1}}
    keeper.put_object(**named, Body=b"x")
    keeper.put_object_retention(**named, Retention=held)
    with refused("AccessDenied", 403):
        keeper.put_object_retention(**named, Retention=held | {"EventHoldDuration": {"Days": 89}})
    with refused("AccessDenied", 403):
        keeper.put_object(
            **named,
            Body=b"x",
            ObjectLockMode="COMPLIANCE",
            ObjectLockEventHold="ON",
            ObjectLockEventHoldDurationDays=89,
        )
    with refused("AccessDenied", 403):
        keeper.put_object_retention(**named, Retention={"Mode": "COMPLIANCE", "EventHold": "OFF"})
    s3.put_object_retention(**named, Retention={"Mode": "COMPLIANCE", "EventHold": "OFF"})
    assert s3.head_object(**named)["ObjectLockEventHold"] == "OFF"
