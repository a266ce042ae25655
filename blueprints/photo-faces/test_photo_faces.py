"""photo-faces from end to end: unmodified boto3 and AWS CLI, real photographs, a real server."""

import io
import json
import os
import subprocess
import time
import urllib.request
import zipfile
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

import client

HERE = Path(__file__).resolve().parent
ADDRESS = "darkroom@example.com"
PATIENCE_SECS = 120

# Where the eyes and the mouth are, in ratios of the photograph: a box that is right holds all three.
ASTRONAUT = [(202 / 512, 101 / 512), (248 / 512, 103 / 512), (224 / 512, 146 / 512)]
ADMIRAL = [(222 / 512, 190 / 600), (306 / 512, 188 / 600), (266 / 512, 285 / 600)]

# Key under photos/, file, expected status and, for faces, the points above.
PHOTOS = [
    ("astronaut.png", "astronaut.png", "FACES_FOUND", ASTRONAUT),
    ("Grace Hopper (1984) é+ü.jpg", "grace_hopper.jpg", "FACES_FOUND", ADMIRAL),
    ("rocket.jpg", "rocket.jpg", "NO_FACE", None),
    ("2024/kitchen/coffee.png", "coffee.png", "NO_FACE", None),
    ("letter.jpg", None, "INVALID", None),
]
LETTER = b"Dear Sir, please find enclosed no photograph at all.\n" * 20


def eventually(check, seconds=PATIENCE_SECS):
    """Calls until the answer is true and returns it."""
    deadline = time.monotonic() + seconds
    while True:
        answer = check()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"still {answer!r} after {seconds} seconds"
        time.sleep(0.2)


class System:
    """One deployed photo-faces and what the tests ask of it."""

    def __init__(self, script, name):
        self.script, self.name = script, name
        self.results = {}
        self.messages = []

    def deploy(self):
        output = subprocess.run(
            [HERE / self.script, "--name", self.name, "--email", ADDRESS],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout
        self.results = dict(line.split("=", 1) for line in output.splitlines())

    def put(self, key, body):
        return boto3.client("s3").put_object(Bucket=self.results["BUCKET"], Key=f"photos/{key}", Body=body)

    def photo(self, key):
        """The photo as the HTTP API shows it, or None."""
        shown = client.photos(self.results["API"])
        return next((photo for photo in shown if photo["key"] == f"photos/{key}"), None)

    def receive(self, wait_secs=1):
        """Takes what is in the queue and returns all notifications received so far."""
        sqs, queue = boto3.client("sqs"), self.results["QUEUE_URL"]
        answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=wait_secs)
        for message in answer.get("Messages", []):
            self.messages.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return self.messages

    def notified(self, key):
        """How many notifications of this photo were received so far."""
        return [json.loads(message["Message"])["key"] for message in self.messages].count(f"photos/{key}")

    def emails(self):
        """The notifications in the e-mail outbox; a request to confirm a subscription is none."""
        with urllib.request.urlopen(f"{os.environ['AWS_ENDPOINT_URL']}/_fogbank/outbox/email") as response:
            outbox = json.load(response)
        return [
            mail
            for mail in outbox
            if mail["topic_arn"] == self.results["TOPIC_ARN"] and "found" in mail["subject"]
        ]


@pytest.fixture(scope="module", params=[("deploy.sh", "faces-cli"), ("deploy.py", "faces-boto3")], ids=["cli", "boto3"])
def system(request, photographs):
    """photo-faces, deployed by one of its scripts, with all photos uploaded."""
    system = System(*request.param)
    system.deploy()
    for key, file, _, _ in PHOTOS:
        system.put(key, (photographs / file).read_bytes() if file else LETTER)
    return system


@pytest.mark.parametrize(("key", "_file", "status", "points"), PHOTOS, ids=[row[0] for row in PHOTOS])
def test_every_photo_takes_its_path(system, key, _file, status, points):
    photo = eventually(lambda: system.photo(key))
    assert photo["status"] == status, photo
    assert photo["faceCount"] == len(photo["faces"]) == (1 if points else 0)
    if status == "INVALID":
        assert photo["error"] == "InvalidImageFormatException: Request has invalid image format"
    for x, y in points or []:
        box = photo["faces"][0]["boundingBox"]
        assert box["Left"] < x < box["Left"] + box["Width"], box
        assert box["Top"] < y < box["Top"] + box["Height"], box
        assert box["Width"] < 0.6 and box["Height"] < 0.6, "a box of half the photo would hold anything"
        assert 90 <= photo["faces"][0]["confidence"] <= 100
        assert all(0 <= value <= 100 for value in photo["faces"][0]["quality"].values())


def test_the_api_shows_one_photo_and_knows_what_it_does_not_have(system):
    photo = eventually(lambda: system.photo("astronaut.png"))
    api = system.results["API"]
    assert client.get(f"{api}/photos/{photo['photoId']}") == (200, photo)
    status, body = client.get(f"{api}/photos/nobody")
    assert (status, body) == (404, {"message": "There is no photo nobody."})
    status, _ = client.get(f"{api}/no-such-route")
    assert status == 404


def test_subscribers_hear_of_photos_with_faces_and_of_no_others(system):
    for key, *_ in PHOTOS:
        eventually(lambda key=key: system.photo(key))
    with_faces = {f"photos/{key}" for key, _, status, _ in PHOTOS if status == "FACES_FOUND"}
    eventually(lambda: len(system.receive()) >= len(with_faces))
    heard = {}
    for message in system.receive(wait_secs=2):
        assert message["Type"] == "Notification" and message["TopicArn"] == system.results["TOPIC_ARN"]
        assert message["Subject"] == "1 face found"
        assert message["MessageAttributes"]["faceCount"] == {"Type": "Number", "Value": "1"}
        heard[json.loads(message["Message"])["key"]] = json.loads(message["Message"])
    assert set(heard) == with_faces
    photo = system.photo("astronaut.png")
    assert heard["photos/astronaut.png"]["photoId"] == photo["photoId"]
    assert heard["photos/astronaut.png"]["faces"] == photo["faces"]

    emails = eventually(lambda: len(system.emails()) >= len(with_faces) and system.emails())
    assert {mail["to"] for mail in emails} == {ADDRESS}
    assert {json.loads(body)["key"] for body in map(first_json, emails)} == with_faces


def first_json(mail):
    """The message inside an e-mail's body, which SNS follows with a note on how to unsubscribe."""
    body = mail["body"].lstrip()
    _, end = json.JSONDecoder().raw_decode(body)
    return body[:end]


def test_an_event_that_comes_twice_has_its_effect_once(system):
    photo = eventually(lambda: system.photo("astronaut.png"))
    eventually(lambda: system.receive() and system.notified("astronaut.png"))
    before = system.notified("astronaut.png")
    table = boto3.resource("dynamodb").Table(system.results["TABLE"])
    item = table.get_item(Key={"photoId": photo["photoId"]})["Item"]

    for sequencer in (item["sequencer"], "0" * 16):  # once more the same event, and one from before it
        event = {"Records": [{"s3": {
            "bucket": {"name": system.results["BUCKET"]},
            "object": {"key": "photos/astronaut.png", "size": 1, "eTag": "", "sequencer": sequencer},
        }}]}  # fmt: skip
        answer = boto3.client("lambda").invoke(FunctionName=f"{system.name}-detect", Payload=json.dumps(event))
        assert "FunctionError" not in answer, answer["Payload"].read()

    assert table.get_item(Key={"photoId": photo["photoId"]})["Item"] == item
    system.receive(wait_secs=2)
    assert system.notified("astronaut.png") == before


def test_deploying_again_changes_nothing(system):
    eventually(lambda: system.photo("astronaut.png"))
    before = dict(system.results)
    system.deploy()
    assert system.results == before
    assert system.photo("astronaut.png")["status"] == "FACES_FOUND"
    topics = boto3.client("sns")
    subscriptions = topics.list_subscriptions_by_topic(TopicArn=before["TOPIC_ARN"])["Subscriptions"]
    assert sorted(subscription["Protocol"] for subscription in subscriptions) == ["email", "sqs"]


def test_a_function_can_do_only_what_its_role_allows(system):
    eventually(lambda: system.photo("astronaut.png"))
    name = f"{system.name}-blind"
    make_function_without_rekognition(system, name)
    event = {"Records": [{"s3": {
        "bucket": {"name": system.results["BUCKET"]},
        "object": {"key": "photos/astronaut.png", "size": 1, "eTag": "", "sequencer": "f" * 16},
    }}]}  # fmt: skip
    answer = boto3.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    error = json.loads(answer["Payload"].read())
    assert answer["FunctionError"] == "Unhandled"
    # Rekognition's model names this error, so that boto3 raises a class of its own.
    assert error["errorType"] == "AccessDeniedException", error
    assert f"assumed-role/{name}/" in error["errorMessage"] and "rekognition:DetectFaces" in error["errorMessage"]
    assert system.photo("astronaut.png")["status"] == "FACES_FOUND"

    logs = boto3.client("logs")

    def logged():
        try:
            streams = logs.describe_log_streams(logGroupName=f"/aws/lambda/{name}")["logStreams"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [
            event["message"]
            for stream in streams
            for event in logs.get_log_events(
                logGroupName=f"/aws/lambda/{name}", logStreamName=stream["logStreamName"], startFromHead=True
            )["events"]
        ]

    eventually(lambda: any("AccessDeniedException" in line for line in logged()), seconds=60)


def make_function_without_rekognition(system, name):
    """A twin of the detecting function whose role lacks nothing but rekognition:DetectFaces."""
    iam, functions = boto3.client("iam"), boto3.client("lambda")
    original = functions.get_function_configuration(FunctionName=f"{system.name}-detect")
    trust = iam.get_role(RoleName=f"{system.name}-detect")["Role"]["AssumeRolePolicyDocument"]
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    work = iam.get_role_policy(RoleName=f"{system.name}-detect", PolicyName="work")["PolicyDocument"]
    work["Statement"] = [rule for rule in work["Statement"] if rule["Action"] != "rekognition:DetectFaces"]
    logs = iam.get_role_policy(RoleName=f"{system.name}-detect", PolicyName="logs")["PolicyDocument"]
    logs = json.loads(json.dumps(logs).replace(f"{system.name}-detect", name))
    iam.put_role_policy(RoleName=name, PolicyName="work", PolicyDocument=json.dumps(work))
    iam.put_role_policy(RoleName=name, PolicyName="logs", PolicyDocument=json.dumps(logs))
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.write(HERE / "app/detect/handler.py", "handler.py")
    functions.create_function(
        FunctionName=name,
        Runtime=original["Runtime"],
        Handler=original["Handler"],
        Role=role,
        Timeout=30,
        Environment={"Variables": original["Environment"]["Variables"]},
        Code={"ZipFile": package.getvalue()},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})


def test_a_stranger_is_turned_away(system):
    iam = boto3.client("iam")
    user = f"{system.name}-stranger"
    iam.create_user(UserName=user)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    stranger = boto3.client(
        "s3", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"]
    )
    with pytest.raises(ClientError) as refusal:
        stranger.get_object(Bucket=system.results["BUCKET"], Key="photos/astronaut.png")
    error = refusal.value.response["Error"]
    assert error["Code"] == "AccessDenied"
    assert f"user/{user} is not authorized to perform: s3:GetObject" in error["Message"], error


def test_an_acknowledged_upload_survives_kill_9(system, cloud, photographs):
    if cloud is None:
        pytest.skip("SKIPPED: without FOGBANK_BIN there is no server that may be killed")
    eventually(lambda: system.photo("astronaut.png"))
    known = {photo["key"]: photo for photo in client.photos(system.results["API"])}

    system.put("after the lights went out.png", (photographs / "astronaut.png").read_bytes())
    cloud.kill()
    cloud.start()

    photo = eventually(lambda: system.photo("after the lights went out.png"))
    assert photo["status"] == "FACES_FOUND" and photo["faceCount"] == 1
    assert photo["faces"] == known["photos/astronaut.png"]["faces"]
    eventually(lambda: system.receive() and system.notified("after the lights went out.png"))
    now = {photo["key"]: photo for photo in client.photos(system.results["API"])}
    assert now == known | {photo["key"]: photo}
