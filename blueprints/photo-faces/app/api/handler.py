"""Answers GET /photos and GET /photos/{id} for an API Gateway HTTP API (payload format 2.0)."""

import json
import os

import boto3

table = boto3.resource("dynamodb").Table(os.environ["TABLE"])

# What a reader of the API sees of an item; the rest is bookkeeping.
SHOWN = ["photoId", "bucket", "key", "size", "status", "error", "faceCount", "faces"]


def handler(event, context):
    """Handles one request."""
    photo_id = (event.get("pathParameters") or {}).get("id")
    if photo_id is None:
        return list_photos((event.get("queryStringParameters") or {}).get("after"))
    photo = table.get_item(Key={"photoId": photo_id}).get("Item")
    if photo is None:
        return answer(404, {"message": f"There is no photo {photo_id}."})
    return answer(200, shown(photo))


def list_photos(after):
    """Answers one page of photos; `next`, where present, is the `after` of the following page."""
    start = {"ExclusiveStartKey": {"photoId": after}} if after else {}
    page = table.scan(Limit=100, **start)
    body = {"photos": sorted((shown(item) for item in page["Items"]), key=lambda photo: photo["key"])}
    if "LastEvaluatedKey" in page:
        body["next"] = page["LastEvaluatedKey"]["photoId"]
    return answer(200, body)


def shown(item):
    """Picks what the API shows of an item."""
    return {name: item[name] for name in SHOWN if name in item}


def answer(status, body):
    """Builds the response that API Gateway expects."""
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(body, default=number),
    }


def number(value):
    """DynamoDB hands out decimals, which JSON's writer does not know."""
    return int(value) if value == value.to_integral_value() else float(value)
