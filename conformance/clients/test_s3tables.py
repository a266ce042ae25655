"""Amazon S3 Tables, as boto3, the AWS CLI and Apache's own library for Iceberg meet it."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from support import Caller, allow, policy, refused

HERE = Path(__file__).resolve().parent


@pytest.fixture
def tables(root):
    return root.client("s3tables")


@pytest.fixture
def lake(tables):
    """The ARN of a table bucket with the namespace `sales`."""
    arn = tables.create_table_bucket(name="lake")["arn"]
    tables.create_namespace(tableBucketARN=arn, namespace=["sales"])
    return arn


def made(tables, lake, name):
    """A new table, as GetTable tells of it."""
    tables.create_table(tableBucketARN=lake, namespace="sales", name=name, format="ICEBERG")
    return tables.get_table(tableBucketARN=lake, namespace="sales", name=name)


def test_buckets_namespaces_and_tables_come_and_go(root, tables, lake):
    assert lake == f"arn:aws:s3tables:us-east-1:{root.account}:bucket/lake"
    assert tables.get_table_bucket(tableBucketARN=lake)["ownerAccountId"] == root.account
    with refused("ConflictException", 409):
        tables.create_table_bucket(name="lake")
    with refused("BadRequestException", 400):
        tables.create_table_bucket(name="aws-lake")
    with refused("NotFoundException", 404):
        tables.get_table_bucket(tableBucketARN=f"{lake}-not")
    for name in ("orders", "customers", "returns"):
        made(tables, lake, name)
    pages = tables.get_paginator("list_tables").paginate(
        tableBucketARN=lake, namespace="sales", PaginationConfig={"PageSize": 2}
    )
    assert [table["name"] for page in pages for table in page["tables"]] == ["customers", "orders", "returns"]
    table = tables.get_table(tableBucketARN=lake, namespace="sales", name="orders")
    assert tables.get_table(tableArn=table["tableARN"])["versionToken"] == table["versionToken"]
    location = f"{table['warehouseLocation']}/metadata/1.metadata.json"
    update = {"tableBucketARN": lake, "namespace": "sales", "name": "orders", "versionToken": table["versionToken"]}
    with refused("BadRequestException", 400):
        tables.update_table_metadata_location(metadataLocation=location, **update)
    warehouse = table["warehouseLocation"].removeprefix("s3://")
    root.client("s3").put_object(Bucket=warehouse, Key="metadata/1.metadata.json", Body=b"{}")
    tables.update_table_metadata_location(metadataLocation=location, **update)
    with refused("ConflictException", 409):
        tables.update_table_metadata_location(metadataLocation=location, **update)
    tables.rename_table(tableBucketARN=lake, namespace="sales", name="orders", newName="sold")
    assert tables.get_table(tableArn=table["tableARN"])["metadataLocation"] == location
    with refused("ConflictException", 409):
        tables.delete_namespace(tableBucketARN=lake, namespace="sales")
    for name in ("sold", "customers", "returns"):
        tables.delete_table(tableBucketARN=lake, namespace="sales", name=name)
    tables.delete_namespace(tableBucketARN=lake, namespace="sales")
    tables.delete_table_bucket(tableBucketARN=lake)
    assert tables.list_table_buckets()["tableBuckets"] == []


def test_the_command_line_walks(root):
    arn = root.aws("s3tables", "create-table-bucket", "--name", "walked", "--tags", "team=blue")["arn"]
    at = ["--table-bucket-arn", arn]
    root.aws("s3tables", "create-namespace", *at, "--namespace", "ns")
    root.aws("s3tables", "create-table", *at, "--namespace", "ns", "--name", "t", "--format", "ICEBERG")
    assert root.aws("s3tables", "list-tables", *at)["tables"][0]["name"] == "t"
    assert root.aws("s3tables", "list-tags-for-resource", "--resource-arn", arn)["tags"] == {"team": "blue"}
    status = root.aws("s3tables", "get-table-maintenance-job-status", *at, "--namespace", "ns", "--name", "t")
    assert status["status"]["icebergCompaction"]["status"] == "Not_Yet_Run"
    told = root.aws("s3tables", "get-table-policy", *at, "--namespace", "ns", "--name", "t", fails=True)
    assert "NotFoundException" in told


def test_files_lie_in_warehouses(root, tables, lake):
    s3 = root.client("s3")
    bucket = made(tables, lake, "orders")["warehouseLocation"].removeprefix("s3://")
    s3.put_object(Bucket=bucket, Key="data/a b.parquet", Body=b"rows")
    assert s3.get_object(Bucket=bucket, Key="data/a b.parquet")["Body"].read() == b"rows"
    assert s3.head_object(Bucket=bucket, Key="data/a b.parquet")["ContentLength"] == 4
    with refused("MethodNotAllowed", 405):
        s3.list_objects_v2(Bucket=bucket)
    with refused("MethodNotAllowed", 405):
        s3.delete_object(Bucket=bucket, Key="data/a b.parquet")
    assert bucket not in [known["Name"] for known in s3.list_buckets()["Buckets"]]
    tables.delete_table(tableBucketARN=lake, namespace="sales", name="orders")
    with refused("NoSuchBucket", 404):
        s3.get_object(Bucket=bucket, Key="data/a b.parquet")


def test_who_reads_files_may_read_the_tables_data(root, tables, lake):
    orders, returns = made(tables, lake, "orders"), made(tables, lake, "returns")
    bucket, other = (table["warehouseLocation"].removeprefix("s3://") for table in (orders, returns))
    for name in (bucket, other):
        root.client("s3").put_object(Bucket=name, Key="k", Body=b"rows")
    of_s3 = root.user("of-s3", allow("s3:*")).client("s3")
    with refused("AccessDenied", 403):
        of_s3.get_object(Bucket=bucket, Key="k")
    named_so = {"StringEquals": {"s3tables:tableName": "orders"}}
    only = allow("s3tables:GetTableData", on=f"{lake}/table/*", Condition=named_so)
    reader = root.user("reader", only).client("s3")
    assert reader.get_object(Bucket=bucket, Key="k")["Body"].read() == b"rows"
    with refused("AccessDenied", 403):
        reader.put_object(Bucket=bucket, Key="k", Body=b"")
    with refused("AccessDenied", 403):
        reader.get_object(Bucket=other, Key="k")
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3tables:GetTableData", "Resource": orders["tableARN"]}
    named = {"tableBucketARN": lake, "namespace": "sales", "name": "orders"}
    tables.put_table_policy(resourcePolicy=policy(deny), **named)
    assert json.loads(tables.get_table_policy(**named)["resourcePolicy"])["Statement"] == [deny]
    with refused("AccessDenied", 403):
        reader.get_object(Bucket=bucket, Key="k")
    tables.delete_table_policy(**named)
    assert reader.get_object(Bucket=bucket, Key="k")["Body"].read() == b"rows"


def test_pyiceberg_creates_appends_to_and_scans_tables(root, tables):
    arn = tables.create_table_bucket(name="iceberg")["arn"]
    command = [sys.executable, HERE / "iceberg/walk.py", arn, "pyiceberg.io.pyarrow.PyArrowFileIO"]
    done = subprocess.run(command, env=root.environment(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert done.stdout.splitlines()[-1] == "done"


def test_a_schema_makes_the_first_metadata(root, tables, lake):
    fields = [{"name": "id", "type": "long", "required": True}, {"name": "price", "type": "decimal(10,2)"}]
    named = {"tableBucketARN": lake, "namespace": "sales", "name": "orders"}
    metadata = {"iceberg": {"schema": {"fields": fields}}}
    tables.create_table(format="ICEBERG", metadata=metadata, **named)
    location = tables.get_table_metadata_location(**named)["metadataLocation"]
    bucket, key = location.removeprefix("s3://").split("/", 1)
    written = json.load(root.client("s3").get_object(Bucket=bucket, Key=key)["Body"])
    assert (written["format-version"], written["location"]) == (2, f"s3://{bucket}")
    assert [(field["id"], field["name"], field["type"]) for field in written["schemas"][0]["fields"]] == [
        (1, "id", "long"),
        (2, "price", "decimal(10, 2)"),
    ]
    with refused("BadRequestException", 400):
        metadata = {"iceberg": {"schema": {"fields": [{"name": "id", "type": "nonsense"}]}}}
        tables.create_table(format="ICEBERG", metadata=metadata, **(named | {"name": "other"}))
    assert [table["name"] for table in tables.list_tables(tableBucketARN=lake)["tables"]] == ["orders"]


def test_tables_and_their_files_survive_kills(start):
    server = start()
    root = Caller(server.endpoint, "222200000031", "222200000031", "test")
    tables, s3 = root.client("s3tables"), root.client("s3")
    arn = tables.create_table_bucket(name="killed")["arn"]
    tables.create_namespace(tableBucketARN=arn, namespace=["ns"])
    metadata = {"iceberg": {"schema": {"fields": [{"name": "id", "type": "long"}]}}}
    kept, dropped = {}, []

    def work(worker):
        number = 0
        while True:
            name = f"t{worker}_{number}"
            named = {"tableBucketARN": arn, "namespace": "ns", "name": name}
            try:
                tables.create_table(format="ICEBERG", metadata=metadata, **named)
                bucket = tables.get_table(**named)["warehouseLocation"].removeprefix("s3://")
                s3.put_object(Bucket=bucket, Key="data", Body=name.encode())
                kept[name] = bucket
                if number % 3 == 2:
                    kept.pop(name)
                    tables.delete_table(**named)
                    dropped.append((name, bucket))
            except (BotoCoreError, ClientError):
                return
            number += 1

    for round in range(2):
        workers = [threading.Thread(target=work, args=(f"{round}_{worker}",)) for worker in range(3)]
        for worker in workers:
            worker.start()
        time.sleep(2)
        server.kill()
        for worker in workers:
            worker.join()
        server.start()
    assert len(kept) > 3 and dropped, (len(kept), len(dropped))
    pages = tables.get_paginator("list_tables").paginate(tableBucketARN=arn)
    there = {table["name"]: table["tableARN"] for page in pages for table in page["tables"]}
    assert not set(kept) - set(there)
    assert not {name for name, _ in dropped} & set(there)
    for name, bucket in kept.items():
        assert s3.get_object(Bucket=bucket, Key="data")["Body"].read() == name.encode()
    # What was not acknowledged is whole or not there.
    for table in there.values():
        bucket, key = tables.get_table(tableArn=table)["metadataLocation"].removeprefix("s3://").split("/", 1)
        assert json.load(s3.get_object(Bucket=bucket, Key=key)["Body"])["format-version"] == 2
    for _, bucket in dropped:
        with refused("NoSuchBucket", 404):
            s3.get_object(Bucket=bucket, Key="data")
