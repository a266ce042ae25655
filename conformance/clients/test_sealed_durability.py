"""What was acknowledged under a key of KMS, or under S3's own, is there, sealed, after `kill -9`."""

import io
import json
import subprocess
import threading
import time

import urllib3
from fogbank_server import server_environment
from support import Caller, allow, policy, receive_all

TEXT = "correct horse battery staple"
CONTEXT = {"of": "test"}
KINDS = "secrets", "parameters", "ciphertexts", "objects", "managed", "events", "messages", "versions"
TOPIC, QUEUE = (f"arn:aws:{service}:us-east-1:222200000010:sealed" for service in ("sns", "sqs"))
SERVICES = ["logs.us-east-1.amazonaws.com", "sns.amazonaws.com"]
PRINCIPALS = {"AWS": "arn:aws:iam::222200000010:root", "Service": SERVICES}
STATEMENT = {"Effect": "Allow", "Principal": PRINCIPALS, "Action": "kms:*", "Resource": "*"}
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [STATEMENT]})


def write_until_killed(number, user, key, known):
    """Writes one after the other and notes what was acknowledged; the kill ends it."""
    secrets, parameters, kms = user.client("secretsmanager"), user.client("ssm"), user.client("kms")
    objects, logs, sns = user.client("s3"), user.client("logs"), user.client("sns")
    try:
        logs.create_log_stream(logGroupName="sealed", logStreamName=f"w{number}")
        for n in range(10_000):
            name = f"w{number}-{n}"
            secrets.create_secret(Name=name, SecretString=f"{TEXT} {name}", KmsKeyId=key)
            known["secrets"].append(name)
            parameters.put_parameter(
                Name=name, Value=f"{TEXT} {name}", Type="SecureString", KeyId=key)
            known["parameters"].append(name)
            sealed = kms.encrypt(
                KeyId=key, Plaintext=f"{TEXT} {name}".encode(), EncryptionContext=CONTEXT)
            known["ciphertexts"].append((name, sealed["CiphertextBlob"]))
            objects.put_object(
                Bucket="sealed", Key=name, Body=f"{TEXT} {name}".encode(),
                ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
            known["objects"].append(name)
            objects.put_object(Bucket="sealed", Key=f"managed-{name}", Body=f"{TEXT} {name}".encode())
            known["managed"].append(name)
            event = {"timestamp": int(time.time() * 1000), "message": f"{TEXT} {name}"}
            logs.put_log_events(logGroupName="sealed", logStreamName=f"w{number}", logEvents=[event])
            known["events"].append((f"w{number}", event["message"]))
            sns.publish(TopicArn=TOPIC, Message=f"{TEXT} {name}")
            known["messages"].append(f"{TEXT} {name}")
            secrets.put_secret_value(SecretId=name, SecretString=f"{TEXT} again {name}")
            known["versions"].append(name)
    except Exception:  # The server is gone: what has no answer may be there or not.
        return


def check(user, known):
    """Everything that was acknowledged is there as it was acknowledged."""
    secrets, parameters, kms = user.client("secretsmanager"), user.client("ssm"), user.client("kms")
    objects, again = user.client("s3"), set(known["versions"])
    for name in known["secrets"]:
        current = secrets.get_secret_value(SecretId=name)
        if name in again:
            assert current["SecretString"] == f"{TEXT} again {name}"
            current = secrets.get_secret_value(SecretId=name, VersionStage="AWSPREVIOUS")
            assert current["SecretString"] == f"{TEXT} {name}"
        else:
            # The change of the last one may have happened without an answer.
            assert current["SecretString"] in (f"{TEXT} {name}", f"{TEXT} again {name}")
    for name in known["parameters"]:
        read = parameters.get_parameter(Name=name, WithDecryption=True)
        assert read["Parameter"]["Value"] == f"{TEXT} {name}"
    for name, sealed in known["ciphertexts"]:
        opened = kms.decrypt(CiphertextBlob=sealed, EncryptionContext=CONTEXT)
        assert opened["Plaintext"] == f"{TEXT} {name}".encode()
    for name in known["objects"]:
        read = objects.get_object(Bucket="sealed", Key=name)
        assert read["Body"].read() == f"{TEXT} {name}".encode()
    for name in known["managed"]:
        read = objects.get_object(Bucket="sealed", Key=f"managed-{name}")
        assert read["ServerSideEncryption"] == "AES256"
        assert read["Body"].read() == f"{TEXT} {name}".encode()
    logs = user.client("logs")
    for stream in {stream for stream, _ in known["events"]}:
        read = logs.get_log_events(logGroupName="sealed", logStreamName=stream, startFromHead=True)
        kept = {(stream, event["message"]) for event in read["events"]}
        assert kept >= {event for event in known["events"] if event[0] == stream}


def make_queue_of_a_topic(user, key):
    """A topic and a queue, both with the key, and the queue's URL."""
    user.client("sns").create_topic(Name="sealed", Attributes={"KmsMasterKeyId": key})
    may = allow("sqs:SendMessage", on=QUEUE, Principal={"Service": "sns.amazonaws.com"})
    attributes = {"KmsMasterKeyId": key, "Policy": policy(may)}
    queue = user.client("sqs").create_queue(QueueName="sealed", Attributes=attributes)["QueueUrl"]
    raw = {"RawMessageDelivery": "true"}
    user.client("sns").subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=QUEUE, Attributes=raw)
    return queue


def test_what_was_acknowledged_is_readable_after_a_kill(start):
    cloud = start()
    user = Caller(cloud.endpoint, "222200000010", "222200000010", "test")
    key = user.client("kms").create_key(Policy=POLICY)["KeyMetadata"]["Arn"]
    user.client("logs").create_log_group(logGroupName="sealed", kmsKeyId=key)
    user.client("s3").create_bucket(Bucket="sealed")
    queue = make_queue_of_a_topic(user, key)
    known = {kind: [] for kind in KINDS}
    for life in range(2):
        enough = len(known["versions"]) + 40
        writers = [
            threading.Thread(target=write_until_killed, args=(10 * life + n, user, key, known))
            for n in range(4)
        ]
        for writer in writers:
            writer.start()
        while len(known["versions"]) < enough and any(writer.is_alive() for writer in writers):
            writers[0].join(0.01)
        assert len(known["versions"]) >= enough, "the writers ended by themselves"
        cloud.kill()
        for writer in writers:
            writer.join()
        cloud.start()
        check(user, known)
    expected, arrived = set(known["messages"]), set()
    while not arrived >= expected:  # Some twice, perhaps; each must come once.
        arrived |= {message["Body"] for message in receive_all(user.client("sqs"), queue, 1)}
    cloud.stop()
    assert_sealed(cloud)


def assert_sealed(cloud):
    """No file of a cloud that has ended holds the text. Names lie open, which shows that the search finds what is there."""
    files = [path for path in cloud.data.rglob("*") if path.is_file()]
    assert any(b"sealed" in path.read_bytes() for path in files)
    for path in files:
        assert TEXT.encode() not in path.read_bytes(), f"{path} holds what should be sealed"


def test_objects_lie_sealed_that_nobody_brought_a_key_for(start):
    cloud = start()
    user = Caller(cloud.endpoint, "222200000010", "222200000010", "test")
    s3 = user.client("s3")
    s3.create_bucket(Bucket="sealed")
    small, large = TEXT.encode(), (TEXT * 700_000).encode()
    s3.put_object(Bucket="sealed", Key="small", Body=small)
    s3.put_object(Bucket="sealed", Key="middle", Body=small * 2_000)
    s3.upload_fileobj(io.BytesIO(large), "sealed", "parts")
    s3.copy({"Bucket": "sealed", "Key": "small"}, "sealed", "copy of small")
    s3.copy({"Bucket": "sealed", "Key": "parts"}, "sealed", "copy of parts")
    form = s3.generate_presigned_post("sealed", "form")
    fields = form["fields"] | {"file": ("f", small * 1_000)}
    assert urllib3.request("POST", form["url"], fields=fields).status == 204
    known = {"small": small, "middle": small * 2_000, "parts": large, "copy of small": small,
             "copy of parts": large, "form": small * 1_000}
    cloud.stop()
    assert_sealed(cloud)
    cloud.start()
    s3 = Caller(cloud.endpoint, "222200000010", "222200000010", "test").client("s3")
    for key, body in known.items():
        read = s3.get_object(Bucket="sealed", Key=key)
        assert read["ServerSideEncryption"] == "AES256"
        assert read["Body"].read() == body
        part = s3.get_object(Bucket="sealed", Key=key, Range="bytes=5-20")
        assert part["Body"].read() == body[5:21]
    cloud.kill()
    (cloud.data / "ROOT_KEY").write_text("00" * 32)
    command = [cloud.binary, "start", "--listen", "127.0.0.1:0", "--data-dir", cloud.data]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=server_environment())
    assert done.returncode != 0 and "is not the root key" in done.stderr, done.stderr
