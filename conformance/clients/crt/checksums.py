"""Has botocore compute and verify S3's checksums by every algorithm with the Common Runtime, and prints what came of it."""

import base64
import hashlib
import io
import json
import os
import sys

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.httpchecksum import _CHECKSUM_CLS

BUCKET = sys.argv[1]
ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
ALGORITHMS = "CRC32 CRC32C CRC64NVME MD5 SHA1 SHA256 SHA512 XXHASH64 XXHASH3 XXHASH128".split()
PART = 5 << 20
BODY = bytes(range(256)) * (PART // 256) + b"and a little more"


def client(endpoint):
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    return boto3.client("s3", region_name="us-east-1", endpoint_url=endpoint, verify=False, config=config)


def checksum(algorithm, data):
    if algorithm == "MD5":
        return base64.b64encode(hashlib.md5(data).digest()).decode()
    return _CHECKSUM_CLS[algorithm.lower()]().handle(data)


def asked(algorithm, data):
    """Arguments that have botocore send a checksum. It computes all but MD5."""
    if algorithm == "MD5":
        return {"ChecksumMD5": checksum(algorithm, data)}
    return {"ChecksumAlgorithm": algorithm}


def refusal(call, *arguments, **named):
    try:
        call(*arguments, **named)
    except ClientError as error:
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
    return "no error"


def whole(s3, algorithm, body):
    """Writes an object of one piece, and reads it with its checksum, which botocore holds against the bytes."""
    name = f"Checksum{algorithm}"
    expected = checksum(algorithm, body)
    # Of a stream without bytes botocore does not tell the length.
    stream = io.BytesIO(body) if body else body
    written = s3.put_object(Bucket=BUCKET, Key=algorithm, Body=stream, **asked(algorithm, body))
    assert (written[name], written["ChecksumType"]) == (expected, "FULL_OBJECT"), written
    read = s3.get_object(Bucket=BUCKET, Key=algorithm)
    assert read["Body"].read() == body and read[name] == expected, read
    context = read["ResponseMetadata"]["HTTPHeaders"]
    assert context[f"x-amz-checksum-{algorithm.lower()}"] == expected


def parts(s3, algorithm, kind):
    """Uploads an object in parts; answers what a completion without the right checksums is told."""
    name = f"Checksum{algorithm}"
    at = {"Bucket": BUCKET, "Key": f"parts/{algorithm}"}
    begun = s3.create_multipart_upload(**at, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    assert (begun["ChecksumAlgorithm"], begun["ChecksumType"]) == (algorithm, kind), begun
    at["UploadId"] = begun["UploadId"]
    pieces = [BODY[:PART], BODY[PART:]]
    done = []
    for number, piece in enumerate(pieces, 1):
        told = s3.upload_part(**at, PartNumber=number, Body=io.BytesIO(piece), **asked(algorithm, piece))
        assert told[name] == checksum(algorithm, piece), told
        done.append({"PartNumber": number, "ETag": told["ETag"], name: told[name]})
    values = [base64.b64decode(part[name]) for part in done]
    if kind == "COMPOSITE":
        expected = f"{checksum(algorithm, b''.join(values))}-2"
    else:
        expected = checksum(algorithm, BODY)
    wrong = [done[0], done[1] | {name: done[0][name]}]
    told = refusal(s3.complete_multipart_upload, **at, MultipartUpload={"Parts": wrong})
    assert told.startswith("InvalidPart: "), told
    told = refusal(
        s3.complete_multipart_upload, **at, MultipartUpload={"Parts": done}, ChecksumType=kind,
        **{name: checksum(algorithm, b"something else")},
    )
    assert told.startswith("BadDigest: "), told
    told = s3.complete_multipart_upload(**at, MultipartUpload={"Parts": done})
    assert (told[name], told["ChecksumType"]) == (expected, kind), told
    del at["UploadId"]
    seen = s3.get_object_attributes(**at, ObjectAttributes=["Checksum", "ObjectParts"])
    assert seen["Checksum"] == {name: expected.split("-")[0], "ChecksumType": kind}, seen
    assert s3.get_object(**at)["Body"].read() == BODY
    if kind == "COMPOSITE":
        part = s3.get_object(**at, PartNumber=2, ChecksumMode="ENABLED")
        assert part["Body"].read() == pieces[1] and part[name] == done[1][name], part


def transferred(s3, algorithm):
    """The same by the transfer manager, which chooses the type itself."""
    settings = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)
    at = {"Bucket": BUCKET, "Key": f"transferred/{algorithm}"}
    s3.upload_fileobj(io.BytesIO(BODY), **at, ExtraArgs={"ChecksumAlgorithm": algorithm}, Config=settings)
    into = io.BytesIO()
    s3.download_fileobj(**at, Fileobj=into, Config=settings)
    assert into.getvalue() == BODY
    return s3.head_object(**at, ChecksumMode="ENABLED")["ChecksumType"]


def documents(s3, algorithm):
    """What is no object's body has a checksum, too."""
    tags = {"TagSet": [{"Key": "algorithm", "Value": algorithm}]}
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging=tags, ChecksumAlgorithm=algorithm)
    s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": algorithm}]}, ChecksumAlgorithm=algorithm)
    assert s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"] == tags["TagSet"]


plain, secure = client(ENDPOINT), client(ENDPOINT.replace("http:", "https:"))
plain.create_bucket(Bucket=BUCKET)
found = {}
for algorithm in ALGORITHMS:
    # Over TLS the checksum follows the body.
    for s3 in (plain, secure):
        for body in (b"", b"123456789", BODY[:70_000]):
            whole(s3, algorithm, body)
    types = []
    for kind in ("COMPOSITE", "FULL_OBJECT"):
        try:
            parts(secure, algorithm, kind)
            types.append(kind)
        except ClientError as error:
            message = error.response["Error"]["Message"]
            expected = f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum algorithm."
            assert message == expected, message
    if algorithm == "MD5":
        found[algorithm] = [types, types[0]]
        continue
    found[algorithm] = [types, transferred(plain, algorithm)]
    documents(plain, algorithm)
print(json.dumps(found))
