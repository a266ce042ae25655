"""DynamoDB through boto3's client and resource."""

from decimal import Decimal

import pytest
from boto3.dynamodb.conditions import Attr, Key
from support import eventually, refused


@pytest.fixture
def table(root):
    """A table of orders with a global and a local index."""
    tables = root.resource("dynamodb")
    text = [{"AttributeName": name, "AttributeType": "S"} for name in ("customer", "order", "state")]
    made = tables.create_table(
        TableName="orders",
        AttributeDefinitions=[*text, {"AttributeName": "price", "AttributeType": "N"}],
        KeySchema=[
            {"AttributeName": "customer", "KeyType": "HASH"},
            {"AttributeName": "order", "KeyType": "RANGE"},
        ],
        GlobalSecondaryIndexes=[{
            "IndexName": "by-state",
            "KeySchema": [
                {"AttributeName": "state", "KeyType": "HASH"},
                {"AttributeName": "price", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }],
        LocalSecondaryIndexes=[{
            "IndexName": "by-price",
            "KeySchema": [
                {"AttributeName": "customer", "KeyType": "HASH"},
                {"AttributeName": "price", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }],
        BillingMode="PAY_PER_REQUEST",
    )  # fmt: skip
    made.wait_until_exists()
    return made


def fill(table):
    with table.batch_writer() as batch:
        for customer in ("ann", "bob"):
            for number in range(20):
                state = "open" if number % 2 else "shipped"
                item = {"customer": customer, "order": f"{number:03}", "state": state, "price": number * 10}
                batch.put_item(Item=item)


def test_a_table_and_its_description(root, table):
    db = root.client("dynamodb")
    shown = db.describe_table(TableName="orders")["Table"]
    assert shown["TableStatus"] == "ACTIVE"
    assert shown["TableArn"] == f"arn:aws:dynamodb:us-east-1:{root.account}:table/orders"
    assert shown["GlobalSecondaryIndexes"][0]["IndexStatus"] == "ACTIVE"
    assert shown["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    with refused("ResourceInUseException", 400):
        db.create_table(
            TableName="orders", BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )  # fmt: skip
    with refused("ResourceNotFoundException", 400) as refusal:
        db.describe_table(TableName="nothing")
    assert refusal.message == "Requested resource not found: Table: nothing not found"
    table.delete()
    table.wait_until_not_exists()
    assert db.list_tables()["TableNames"] == []


def test_every_type_of_value_comes_back(table):
    item = {
        "customer": "ann", "order": "types", "number": Decimal("-12345678901234567890.123456789"), "bytes": b"\x00\xff",
        "yes": True, "nothing": None, "list": ["a", Decimal(1), {"deep": [b"x"]}], "map": {"a": {"b": "c"}},
        "strings": {"a", "b"}, "numbers": {Decimal(1), Decimal("2.5")}, "binaries": {b"1", b"2"}, "empty": "",
    }  # fmt: skip
    table.put_item(Item=item)
    got = table.get_item(Key={"customer": "ann", "order": "types"}, ConsistentRead=True)["Item"]
    got["bytes"], got["binaries"] = got["bytes"].value, {value.value for value in got["binaries"]}
    got["list"][2]["deep"][0] = got["list"][2]["deep"][0].value
    assert got == item


def test_updates_and_conditions(table):
    key = {"customer": "ann", "order": "1"}
    table.put_item(Item=key | {"price": 1, "tags": {"a", "b"}, "list": [1]}, ConditionExpression="attribute_not_exists(#c)",
                   ExpressionAttributeNames={"#c": "customer"})  # fmt: skip
    with refused("ConditionalCheckFailedException", 400) as refusal:
        table.put_item(Item=key, ConditionExpression=Attr("customer").not_exists())
    assert refusal.message == "The conditional request failed"
    changed = table.update_item(
        Key=key,
        UpdateExpression="SET price = price + :one, #s = if_not_exists(#s, :open), #l = list_append(#l, :l) "
        "REMOVE nothing ADD visits :one DELETE tags :tags",
        ExpressionAttributeNames={"#s": "state", "#l": "list"},
        ExpressionAttributeValues={":one": 1, ":open": "open", ":l": [2], ":tags": {"b"}},
        ReturnValues="ALL_NEW",
    )["Attributes"]
    assert changed == key | {"price": 2, "state": "open", "list": [1, 2], "visits": 1, "tags": {"a"}}
    with refused("ConditionalCheckFailedException") as refusal:
        table.update_item(
            Key=key, UpdateExpression="SET price = :n", ConditionExpression=Attr("price").gt(5),
            ExpressionAttributeValues={":n": 0}, ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )  # fmt: skip
    assert refusal.response["Item"]["price"] == {"N": "2"}
    gone = table.delete_item(Key=key, ConditionExpression="visits = :v", ExpressionAttributeValues={":v": 1},
                             ReturnValues="ALL_OLD")["Attributes"]  # fmt: skip
    assert gone == changed
    assert "Item" not in table.get_item(Key=key)


def test_queries_on_the_table_and_its_indexes(table):
    fill(table)
    ann = table.query(KeyConditionExpression=Key("customer").eq("ann") & Key("order").between("005", "009"))
    assert [item["order"] for item in ann["Items"]] == ["005", "006", "007", "008", "009"]
    last = table.query(KeyConditionExpression=Key("customer").eq("bob"), ScanIndexForward=False, Limit=2)
    assert [item["order"] for item in last["Items"]] == ["019", "018"]
    assert last["LastEvaluatedKey"] == {"customer": "bob", "order": "018"}
    dear = table.query(IndexName="by-state", KeyConditionExpression=Key("state").eq("open") & Key("price").gte(150))
    assert [(item["customer"], int(item["price"])) for item in sorted(dear["Items"], key=lambda i: (i["price"], i["customer"]))] == [
        ("ann", 150), ("bob", 150), ("ann", 170), ("bob", 170), ("ann", 190), ("bob", 190),
    ]  # fmt: skip
    local = table.query(IndexName="by-price", KeyConditionExpression=Key("customer").eq("ann") & Key("price").lt(20))
    assert local["Items"] == [
        {"customer": "ann", "order": "000", "price": 0}, {"customer": "ann", "order": "001", "price": 10},
    ]  # fmt: skip
    some = table.query(
        KeyConditionExpression=Key("customer").eq("ann"), FilterExpression=Attr("state").eq("open") & Attr("price").lt(50),
        ProjectionExpression="#o", ExpressionAttributeNames={"#o": "order"},
    )  # fmt: skip
    assert some["Items"] == [{"order": "001"}, {"order": "003"}] and some["ScannedCount"] == 20
    count = table.query(KeyConditionExpression=Key("customer").eq("ann"), Select="COUNT")
    assert count["Count"] == 20 and "Items" not in count


def test_paginators_see_everything_once(root, table):
    fill(table)
    db = root.client("dynamodb")
    pages = list(db.get_paginator("scan").paginate(TableName="orders", PaginationConfig={"PageSize": 7}))
    seen = [(item["customer"]["S"], item["order"]["S"]) for page in pages for item in page["Items"]]
    assert len(pages) >= 6 and len(seen) == len(set(seen)) == 40
    parts = [
        item["order"]["S"] for segment in range(4)
        for item in db.scan(TableName="orders", Segment=segment, TotalSegments=4)["Items"]
    ]  # fmt: skip
    assert len(parts) == 40
    query = db.get_paginator("query").paginate(
        TableName="orders", IndexName="by-state", KeyConditionExpression="#s = :s",
        ExpressionAttributeNames={"#s": "state"}, ExpressionAttributeValues={":s": {"S": "open"}},
        PaginationConfig={"PageSize": 3},
    )  # fmt: skip
    totals = [int(item["price"]["N"]) for page in query for item in page["Items"]]
    assert len(totals) == 20 and totals == sorted(totals)


def test_an_index_follows_its_table(root, table):
    table.put_item(Item={"customer": "ann", "order": "1", "state": "open", "price": 5})
    by_state = {"IndexName": "by-state", "KeyConditionExpression": Key("state").eq("open")}
    eventually(lambda: table.query(**by_state)["Count"] == 1)
    table.update_item(Key={"customer": "ann", "order": "1"}, UpdateExpression="REMOVE #s",
                      ExpressionAttributeNames={"#s": "state"})  # fmt: skip
    eventually(lambda: table.query(**by_state)["Count"] == 0)
    definitions = [{"AttributeName": "place", "AttributeType": "S"}]
    root.client("dynamodb").update_table(
        TableName="orders", AttributeDefinitions=definitions,
        GlobalSecondaryIndexUpdates=[{"Create": {
            "IndexName": "by-place", "KeySchema": [{"AttributeName": "place", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }}],
    )  # fmt: skip
    table.put_item(Item={"customer": "ann", "order": "2", "place": "here"})
    found = {"IndexName": "by-place", "KeyConditionExpression": Key("place").eq("here")}
    status = lambda: {i["IndexName"]: i["IndexStatus"] for i in root.client("dynamodb").describe_table(TableName="orders")["Table"]["GlobalSecondaryIndexes"]}  # noqa: E731, E501
    eventually(lambda: status()["by-place"] == "ACTIVE")
    assert table.query(**found)["Count"] == 1


def test_batches(root, table):
    db = root.resource("dynamodb")
    fill(table)
    keys = [{"customer": "ann", "order": f"{number:03}"} for number in range(0, 25)]
    answer = db.batch_get_item(RequestItems={"orders": {"Keys": keys, "ProjectionExpression": "price"}})
    assert len(answer["Responses"]["orders"]) == 20 and answer["UnprocessedKeys"] == {}
    with refused("ValidationException") as refusal:
        db.batch_write_item(RequestItems={"orders": [{"DeleteRequest": {"Key": keys[0]}}] * 2})
    assert refusal.message == "Provided list of item keys contains duplicates"


def test_transactions_happen_as_a_whole(root, table):
    db = root.client("dynamodb")

    def key(order):
        return {"customer": {"S": "ann"}, "order": {"S": order}}

    put = {"Put": {"TableName": "orders", "Item": key("1") | {"price": {"N": "1"}}}}
    db.transact_write_items(TransactItems=[put, {"Put": {"TableName": "orders", "Item": key("2")}}])
    grow = {"Update": {
        "TableName": "orders", "Key": key("1"), "UpdateExpression": "ADD price :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }}  # fmt: skip
    check = {"ConditionCheck": {
        "TableName": "orders", "Key": key("2"), "ConditionExpression": "attribute_exists(nothing)",
    }}  # fmt: skip
    with refused("TransactionCanceledException", 400) as refusal:
        db.transact_write_items(TransactItems=[grow, check])
    assert [reason["Code"] for reason in refusal.response["CancellationReasons"]] == ["None", "ConditionalCheckFailed"]
    assert refusal.message == (
        "Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed]"
    )
    got = db.transact_get_items(
        TransactItems=[{"Get": {"TableName": "orders", "Key": key(order)}} for order in ("1", "2", "3")]
    )["Responses"]
    assert got == [{"Item": key("1") | {"price": {"N": "1"}}}, {"Item": key("2")}, {}]
    token = {"ClientRequestToken": "once"}
    for _ in range(2):
        db.transact_write_items(TransactItems=[grow], **token)
    assert table.get_item(Key={"customer": "ann", "order": "1"})["Item"]["price"] == 2
    with refused("IdempotentParameterMismatchException", 400):
        db.transact_write_items(TransactItems=[{"Delete": {"TableName": "orders", "Key": key("1")}}], **token)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"Item": {"customer": "ann"}}, "One or more parameter values were invalid: Missing the key order in the item"),
        (
            {"Item": {"customer": 1, "order": "1"}},
            "One or more parameter values were invalid: Type mismatch for key customer expected: S actual: N",
        ),
        (
            {"Item": {"customer": "", "order": "1"}},
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty "
            "string value. Key: customer",
        ),
        (
            {"Item": {"customer": "a", "order": "1"}, "ConditionExpression": "price > :x"},
            "Invalid ConditionExpression: An expression attribute value used in expression is not defined; "
            "attribute value: :x",
        ),
        (
            {"Item": {"customer": "a", "order": "1"}, "ConditionExpression": "attribute_exists(order)"},
            "Invalid ConditionExpression: Attribute name is a reserved keyword; reserved keyword: order",
        ),
    ],
)
def test_mistakes_are_named_in_dynamodbs_words(table, arguments, message):
    with refused("ValidationException", 400) as refusal:
        table.put_item(**arguments)
    assert refusal.message == message


def test_time_to_live_and_tags(root, table):
    db = root.client("dynamodb")
    db.update_time_to_live(TableName="orders", TimeToLiveSpecification={"Enabled": True, "AttributeName": "ends"})
    shown = db.describe_time_to_live(TableName="orders")["TimeToLiveDescription"]
    assert shown["AttributeName"] == "ends" and shown["TimeToLiveStatus"] in ("ENABLED", "ENABLING")
    arn = table.table_arn
    db.tag_resource(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}])
    assert db.list_tags_of_resource(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "1"}]
