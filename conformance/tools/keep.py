"""Keeps objects through libraries that know nothing of Fogbank, and reads them back. Stops at the first difference."""

import asyncio
import concurrent.futures
import io
import os
import sys
import tempfile
import urllib.request
import uuid
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts/lib"))

import boto3  # noqa: E402
from fogbank_server import Cloud  # noqa: E402

# A bundle of certificates in the environment is of no use to plain HTTP, and some libraries stumble over it.
os.environ.pop("AWS_CA_BUNDLE", None)
os.environ.update(
    AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="us-east-1", AWS_REGION="us-east-1"
)
BIG = os.urandom(13 << 20)


def with_minio(endpoint, bucket, _client):
    from minio import Minio, S3Error
    from minio.commonconfig import GOVERNANCE, ComposeSource, CopySource
    from minio.deleteobjects import DeleteObject
    from minio.retention import Retention

    client = Minio(
        endpoint=endpoint.removeprefix("http://"), access_key="test", secret_key="test", secure=False, region="us-east-1"
    )
    own = f"{bucket}-minio"
    client.make_bucket(bucket_name=own, object_lock=True)
    client.put_object(bucket_name=own, object_name="a/ü +&", data=io.BytesIO(BIG), length=-1, part_size=5 << 20)
    client.put_object(bucket_name=own, object_name="n", data=io.BytesIO(b"hi"), length=2)
    found = client.get_object(bucket_name=own, object_name="a/ü +&", offset=7, length=100)
    assert found.read() == BIG[7:107]
    source = {"bucket_name": own, "object_name": "a/ü +&"}
    client.copy_object(bucket_name=own, object_name="c", source=CopySource(**source))
    sources = [ComposeSource(**source), ComposeSource(bucket_name=own, object_name="n")]
    client.compose_object(bucket_name=own, object_name="composed", sources=sources)
    assert client.stat_object(bucket_name=own, object_name="composed").size == len(BIG) + 2
    until = Retention(GOVERNANCE, datetime.now(timezone.utc) + timedelta(hours=1))
    client.set_object_retention(bucket_name=own, object_name="n", config=until)
    url = client.presigned_get_object(bucket_name=own, object_name="n")
    assert urllib.request.urlopen(url).read() == b"hi"
    try:
        client.stat_object(bucket_name=own, object_name="none")
    except S3Error as error:
        assert error.code == "NoSuchKey", error
    listed = list(client.list_objects(bucket_name=own, recursive=True, include_version=True))
    assert sorted(one.object_name for one in listed) == ["a/ü +&", "c", "composed", "n"]
    gone = [DeleteObject(one.object_name, one.version_id) for one in listed]
    refused = client.remove_objects(bucket_name=own, delete_object_list=gone, bypass_governance_mode=True)
    assert not list(refused)
    client.remove_bucket(bucket_name=own)


def with_aiobotocore(endpoint, bucket, _client):
    from aiobotocore.session import get_session

    async def keep():
        async with get_session().create_client("s3", endpoint_url=endpoint) as client:
            puts = [client.put_object(Bucket=bucket, Key=f"aio/{n}", Body=b"x" * n) for n in range(200)]
            await asyncio.gather(*puts)
            pages = client.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix="aio/", PaginationConfig={"PageSize": 17}
            )
            assert sum([len(page["Contents"]) async for page in pages]) == 200

    asyncio.run(keep())


def with_smart_open(_endpoint, bucket, client):
    import smart_open

    given = {"client": client, "min_part_size": 5 << 20}
    with smart_open.open(f"s3://{bucket}/lines.gz", "wb", transport_params=given) as file:
        for number in range(400_000):
            file.write(b"%d %s\n" % (number, os.urandom(20).hex().encode()))
    with smart_open.open(f"s3://{bucket}/lines.gz", "rb", transport_params={"client": client}) as file:
        assert sum(1 for _ in file) == 400_000


def with_pyarrow(endpoint, bucket, _client):
    import pyarrow as pa
    import pyarrow.dataset as ds
    from pyarrow import fs

    files = fs.S3FileSystem(
        access_key="test", secret_key="test", endpoint_override=endpoint, region="us-east-1",
        allow_bucket_creation=True, allow_bucket_deletion=True,
    )
    own = f"{bucket}-arrow"
    files.create_dir(f"{own}/d/e", recursive=True)
    assert files.get_file_info(f"{own}/d/e").type == fs.FileType.Directory
    with files.open_output_stream(f"{own}/d/big") as file:
        file.write(BIG)
    files.copy_file(f"{own}/d/big", f"{own}/d/copy")
    files.move(f"{own}/d/copy", f"{own}/d/moved")
    with files.open_input_file(f"{own}/d/moved") as file:
        assert file.read() == BIG
    table = pa.table({"a": list(range(10_000)), "p": [n % 7 for n in range(10_000)]})
    ds.write_dataset(table, f"{own}/set", filesystem=files, format="parquet", partitioning=["p"])
    assert ds.dataset(f"{own}/set", filesystem=files, partitioning=["p"]).count_rows() == 10_000
    files.delete_dir_contents(own)
    files.delete_dir(own)


def with_polars_and_delta(endpoint, bucket, _client):
    import polars as pl
    from deltalake import DeltaTable, write_deltalake

    options = {"aws_endpoint_url": endpoint, "aws_allow_http": "true", "aws_conditional_put": "etag"}
    frame = pl.DataFrame({"a": range(50_000), "b": [str(n) for n in range(50_000)]})
    frame.write_parquet(f"s3://{bucket}/pl/x.parquet", storage_options=options)
    found = pl.scan_parquet(f"s3://{bucket}/pl/*.parquet", storage_options=options)
    assert found.filter(pl.col("a") > 49_990).collect().height == 9
    table = f"s3://{bucket}/delta"
    write_deltalake(table, frame.to_arrow(), storage_options=options)

    def append(number):
        row = pl.DataFrame({"a": [number], "b": ["w"]}).to_arrow()
        write_deltalake(table, row, mode="append", storage_options=options)

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(append, range(18)))
    kept = DeltaTable(table, storage_options=options)
    assert kept.version() == 18
    kept.delete("b = 'w'")
    kept.optimize.compact()
    kept.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert pl.read_delta(table, storage_options=options).height == 50_000


def with_django_storages(endpoint, bucket, _client):
    from django.conf import settings
    from django.core.files.base import ContentFile

    settings.configure(USE_TZ=True)
    from storages.backends.s3 import S3Storage

    # Of its owner's account a bucket without ACLs takes `private`.
    for more in ({}, {"gzip": True, "file_overwrite": False}, {"default_acl": "private"}):
        storage = S3Storage(bucket_name=bucket, endpoint_url=endpoint, location="media", **more)
        name = storage.save("a b.txt", ContentFile(b"hello" * 1000))
        assert storage.open(name).read() == b"hello" * 1000
        assert storage.exists(name) and not storage.exists("none")
        assert urllib.request.urlopen(storage.url(name)).status == 200
        storage.delete(name)


def with_resources(endpoint, bucket, _client):
    kept = boto3.resource("s3", endpoint_url=endpoint).Bucket(bucket)
    for number in range(30):
        kept.put_object(Key=f'del/{number} &<>"é', Body=b"x")
    outcomes = kept.objects.filter(Prefix="del/").delete()
    assert sum(len(outcome["Deleted"]) for outcome in outcomes) == 30


def with_cloudpathlib(endpoint, bucket, _client):
    from cloudpathlib import S3Client

    path = S3Client(endpoint_url=endpoint).CloudPath(f"s3://{bucket}/cloud/x/y.txt")
    path.write_text("hi")
    assert path.read_text() == "hi" and [one.name for one in path.parent.iterdir()] == ["y.txt"]
    path.rename(path.parent.parent / "n")
    path.parent.parent.rmtree()
    assert not path.exists()


def with_obstore(endpoint, bucket, _client):
    import obstore
    from obstore.store import S3Store

    store = S3Store(bucket, endpoint=endpoint, client_options={"allow_http": True}, prefix="obs")
    obstore.put(store, "big", BIG, chunk_size=5 << 20, use_multipart=True)
    made = obstore.put(store, "a", b"1")
    obstore.put(store, "a", b"2", mode={"e_tag": made["e_tag"]})
    for mode in ("create", {"e_tag": made["e_tag"]}):
        try:
            obstore.put(store, "a", b"3", mode=mode)
        except (obstore.exceptions.AlreadyExistsError, obstore.exceptions.PreconditionError):
            continue
        raise AssertionError(f"{mode} did not hold")
    assert [one["path"] for one in obstore.list(store, offset="a").collect()] == ["big"]


def with_opendal(endpoint, bucket, _client):
    import opendal

    store = opendal.Operator("s3", bucket=bucket, endpoint=endpoint, region="us-east-1", root="/opendal")
    store.write("a/b", b"123")
    store.write("big", BIG, chunk=5 << 20)
    store.copy("a/b", "c")
    assert store.read("c") == b"123"
    with store.open("big", "rb") as file:
        file.seek(100)
        assert file.read(5) == BIG[100:105]
    try:
        store.write("c", b"1", if_not_exists=True)
        raise AssertionError("written twice")
    except opendal.exceptions.ConditionNotMatch:
        pass


PROGRAMS = {
    "minio": with_minio,
    "aiobotocore": with_aiobotocore,
    "smart_open": with_smart_open,
    "pyarrow": with_pyarrow,
    "deltalake": with_polars_and_delta,
    "django-storages": with_django_storages,
    "boto3": with_resources,
    "cloudpathlib": with_cloudpathlib,
    "obstore": with_obstore,
    "opendal": with_opendal,
}


def main():
    server = Cloud(sys.argv[1], Path(tempfile.mkdtemp(prefix="tools-")), "--ephemeral")
    server.start()
    try:
        client = boto3.client("s3", endpoint_url=server.endpoint)
        bucket = f"kept-{uuid.uuid4().hex[:8]}"
        client.create_bucket(Bucket=bucket)
        for name, keep in PROGRAMS.items():
            keep(server.endpoint, bucket, client)
            print(name, version(name), flush=True)
    finally:
        server.stop()


main()
