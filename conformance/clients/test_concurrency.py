"""Many clients at once: nothing is lost, nothing happens twice, conditions let one through."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

CLIENTS = 8


def together(work):
    """Runs `work(number)` in so many threads at once and returns what they return."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(work, range(CLIENTS)))


def outcome(call, **arguments):
    """The code of the error, or `done`."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "done"


@pytest.fixture
def db(root):
    """A client of DynamoDB with a table of counters."""
    db = root.client("dynamodb")
    db.create_table(
        TableName="counters", BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )  # fmt: skip
    return db


def read(db, id):
    return int(db.get_item(TableName="counters", Key={"id": {"S": id}}, ConsistentRead=True)["Item"]["n"]["N"])


def test_increments_are_not_lost(root, db):
    def count(_):
        mine = root.client("dynamodb")
        for _ in range(25):
            mine.update_item(
                TableName="counters", Key={"id": {"S": "total"}}, UpdateExpression="ADD n :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
            )  # fmt: skip

    together(count)
    assert read(db, "total") == CLIENTS * 25


def test_transactions_keep_the_sum(root, db):
    names = ["a", "b", "c"]
    for name in names:
        db.put_item(TableName="counters", Item={"id": {"S": name}, "n": {"N": "100"}})

    def change(name, by, limit):
        return {"Update": {
            "TableName": "counters", "Key": {"id": {"S": name}}, "UpdateExpression": "SET n = n + :by",
            "ConditionExpression": "n >= :limit",
            "ExpressionAttributeValues": {":by": {"N": str(by)}, ":limit": {"N": str(limit)}},
        }}  # fmt: skip

    def move(number):
        chance, mine = random.Random(number), root.client("dynamodb")
        codes = Counter()
        for _ in range(20):
            giver, taker = chance.sample(names, 2)
            amount = chance.randint(1, 60)
            items = [change(giver, -amount, amount), change(taker, amount, 0)]
            codes[outcome(mine.transact_write_items, TransactItems=items)] += 1
        return codes

    codes = sum(together(move), Counter())
    assert set(codes) <= {"done", "TransactionCanceledException"} and codes["done"] > 0
    left = [read(db, name) for name in names]
    assert sum(left) == 300 and min(left) >= 0


def test_of_many_who_create_one_wins(root, db):
    bucket = f"race-{root.account}"
    root.client("s3").create_bucket(Bucket=bucket)
    items = {"id": {"S": "once"}}
    clients = [(root.client("s3"), root.client("dynamodb"), root.client("iam")) for _ in range(CLIENTS)]

    def race(number):
        s3, mine, iam = clients[number]
        return (
            outcome(s3.put_object, Bucket=bucket, Key="once", Body=str(number), IfNoneMatch="*"),
            outcome(mine.put_item, TableName="counters", Item=items, ConditionExpression="attribute_not_exists(id)"),
            outcome(iam.create_user, UserName="once"),
        )

    objects, rows, users = (Counter(codes) for codes in zip(*together(race), strict=True))
    assert objects["done"] == 1 and set(objects) <= {"done", "PreconditionFailed", "ConditionalRequestConflict"}
    assert rows == {"done": 1, "ConditionalCheckFailedException": CLIENTS - 1}
    assert users == {"done": 1, "EntityAlreadyExists": CLIENTS - 1}


def test_every_message_is_received_once(root):
    queue = root.client("sqs").create_queue(QueueName="work")["QueueUrl"]

    def send(number):
        sqs = root.client("sqs")
        entries = [{"Id": str(at), "MessageBody": f"{number}-{at}"} for at in range(10)]
        for at in range(0, 30, 10):
            batch = [entry | {"MessageBody": f"{number}-{at + int(entry['Id'])}"} for entry in entries]
            assert "Failed" not in sqs.send_message_batch(QueueUrl=queue, Entries=batch)

    def receive(_):
        sqs, got = root.client("sqs"), []
        while True:
            messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=3, WaitTimeSeconds=1).get("Messages")
            if not messages:
                return got
            got += [message["Body"] for message in messages]
            handles = [
                {"Id": str(at), "ReceiptHandle": message["ReceiptHandle"]} for at, message in enumerate(messages)
            ]
            sqs.delete_message_batch(QueueUrl=queue, Entries=handles)

    together(send)
    got = Counter(body for bodies in together(receive) for body in bodies)
    assert got == Counter(f"{number}-{at}" for number in range(CLIENTS) for at in range(30))
