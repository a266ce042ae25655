"""Finds the faces in every photo that arrives in the bucket.

Amazon S3 calls this function asynchronously and at least once for each upload. What becomes of a photo:

* faces were found: status FACES_FOUND, and one notification to the topic;
* no face was found: status NO_FACE, and no notification, because nobody asked to hear of it;
* the file is no image that Rekognition reads: status INVALID with the reason, no notification and no retry, because
  trying again would not turn it into a photo.

Anything else (a throttled call, a missing permission) is raised, so that Lambda tries again.
"""

import hashlib
import json
import logging
import os
from decimal import Decimal
from urllib.parse import unquote_plus

import boto3
from botocore.exceptions import ClientError

log = logging.getLogger()
log.setLevel(logging.INFO)

rekognition = boto3.client("rekognition")
sns = boto3.client("sns")
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])
topic_arn = os.environ["TOPIC_ARN"]

# What Rekognition says about the file itself: no attempt will end differently.
NOT_A_PHOTO = {"InvalidImageFormatException", "ImageTooLargeException", "InvalidParameterException"}


def handler(event, context):
    """Handles one S3 event."""
    for record in event.get("Records", []):
        process(record["s3"]["bucket"]["name"], record["s3"]["object"])


def process(bucket, s3_object):
    """Brings one photo's item up to date and sends its notification, however often it is called."""
    key = unquote_plus(s3_object["key"])
    photo_id = hashlib.sha256(f"{bucket}/{key}".encode()).hexdigest()[:20]
    # S3 orders the events of one key by this number; shorter ones are to be padded on the right.
    sequencer = s3_object.get("sequencer", "").ljust(40, "0")

    photo = table.get_item(Key={"photoId": photo_id}, ConsistentRead=True).get("Item")
    if photo is None or photo["sequencer"] < sequencer:
        photo = examine(bucket, key, s3_object) | {"photoId": photo_id, "sequencer": sequencer}
        if not save(photo):
            log.info("%s was overtaken by a newer upload", key)
            return
    elif photo["sequencer"] > sequencer:
        log.info("%s is older than what is known already", key)
        return

    if photo["status"] == "FACES_FOUND" and not photo["notified"]:
        notify(photo)
        table.update_item(
            Key={"photoId": photo_id},
            UpdateExpression="SET notified = :yes",
            ConditionExpression="sequencer = :sequencer",
            ExpressionAttributeValues={":yes": True, ":sequencer": sequencer},
        )
    log.info("%s: %s, %d faces", key, photo["status"], photo["faceCount"])


def examine(bucket, key, s3_object):
    """Asks Rekognition for the faces and returns the item, still without its keys."""
    photo = {
        "bucket": bucket,
        "key": key,
        "eTag": s3_object.get("eTag", ""),
        "size": s3_object.get("size", 0),
        "faces": [],
        "faceCount": 0,
        "notified": False,
    }
    try:
        answer = rekognition.detect_faces(Image={"S3Object": {"Bucket": bucket, "Name": key}})
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code not in NOT_A_PHOTO:
            raise
        return photo | {"status": "INVALID", "error": f"{code}: {error.response['Error']['Message']}"}

    faces = [
        {
            "boundingBox": face["BoundingBox"],
            "confidence": face["Confidence"],
            "quality": face["Quality"],
        }
        for face in answer["FaceDetails"]
    ]
    return photo | {
        "status": "FACES_FOUND" if faces else "NO_FACE",
        # DynamoDB's numbers are decimal: floats must be written as they would be printed.
        "faces": json.loads(json.dumps(faces), parse_float=Decimal),
        "faceCount": len(faces),
    }


def save(photo):
    """Writes the item unless a newer upload of the same key was there first; says whether it did."""
    try:
        table.put_item(
            Item=photo,
            ConditionExpression="attribute_not_exists(photoId) OR sequencer < :sequencer",
            ExpressionAttributeValues={":sequencer": photo["sequencer"]},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            return False
        raise
    return True


def notify(photo):
    """Tells the topic. Subscribers may hear twice of one upload and recognise it by photoId and sequencer."""
    count = int(photo["faceCount"])
    sns.publish(
        TopicArn=topic_arn,
        Subject=f"{count} {'face' if count == 1 else 'faces'} found"[:100],
        Message=json.dumps(
            {
                "photoId": photo["photoId"],
                "sequencer": photo["sequencer"],
                "bucket": photo["bucket"],
                "key": photo["key"],
                "faceCount": count,
                "faces": photo["faces"],
            },
            default=float,
        ),
        MessageAttributes={"faceCount": {"DataType": "Number", "StringValue": str(count)}},
    )
