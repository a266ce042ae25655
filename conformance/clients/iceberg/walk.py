"""What programs do with PyIceberg: create, append to, change, scan and drop tables of a REST catalog."""

import os
import sys

import pyarrow as pa
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NamespaceNotEmptyError,
    NoSuchNamespaceError,
    NoSuchTableError,
    TableAlreadyExistsError,
)
from pyiceberg.expressions import GreaterThan
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import DoubleType, LongType, NestedField, StringType

warehouse, file_io = sys.argv[1:]
endpoint = os.environ["AWS_ENDPOINT_URL"]
catalog = load_catalog(
    "tables",
    **{
        "type": "rest",
        "warehouse": warehouse,
        "uri": f"{endpoint}/iceberg",
        "rest.sigv4-enabled": "true",
        "rest.signing-name": "s3tables",
        "rest.signing-region": os.environ["AWS_REGION"],
        "py-io-impl": file_io,
        "s3.endpoint": endpoint,
        "s3.region": os.environ["AWS_REGION"],
    },
)


def refused(kind, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except kind:
        return
    raise AssertionError(f"{kind.__name__} was expected")


catalog.create_namespace("sales")
refused(NamespaceAlreadyExistsError, catalog.create_namespace, "sales")
assert catalog.list_namespaces() == [("sales",)]
assert catalog.namespace_exists("sales") and not catalog.namespace_exists("none")
refused(NoSuchNamespaceError, catalog.load_namespace_properties, "none")
refused(NoSuchTableError, catalog.load_table, "sales.orders")

schema = Schema(
    NestedField(1, "id", LongType(), required=False),
    NestedField(2, "region", StringType(), required=False),
    NestedField(3, "price", DoubleType(), required=False),
)
spec = PartitionSpec(PartitionField(source_id=2, field_id=1000, transform=IdentityTransform(), name="region"))
table = catalog.create_table("sales.orders", schema, partition_spec=spec, properties={"owner": "walk"})
refused(TableAlreadyExistsError, catalog.create_table, "sales.orders", schema)
assert table.scan().to_arrow().num_rows == 0


def rows(first, count):
    numbers = range(first, first + count)
    return pa.table(
        {
            "id": pa.array(numbers, pa.int64()),
            "region": pa.array(["north" if number % 2 else "south" for number in numbers]),
            "price": pa.array([float(number) for number in numbers]),
        }
    )


for first in range(0, 3000, 1000):
    table.append(rows(first, 1000))
other = catalog.load_table("sales.orders")
found = other.scan().to_arrow()
assert sorted(found["id"].to_pylist()) == list(range(3000)), found.num_rows
assert other.scan(row_filter="region = 'north'").to_arrow().num_rows == 1500
assert other.scan(row_filter=GreaterThan("id", 2989), selected_fields=("price",)).to_arrow().num_rows == 10
assert len(other.history()) == 3

# Who commits to what is no longer the table is told so, and tries again on what it is now, if that is allowed.
late = catalog.load_table("sales.orders")
other.append(rows(3000, 10))
late.append(rows(4000, 10))
assert catalog.load_table("sales.orders").scan().to_arrow().num_rows == 3020
with late.transaction() as transaction:
    transaction.set_properties({"commit.retry.num-retries": "0"})
late = catalog.load_table("sales.orders")
other = catalog.load_table("sales.orders")
other.append(rows(5000, 10))
refused(CommitFailedException, late.append, rows(6000, 10))
assert catalog.load_table("sales.orders").scan().to_arrow().num_rows == 3030

with other.update_schema() as update:
    update.add_column("note", StringType())
other.delete(delete_filter="region = 'south'")
with other.transaction() as transaction:
    transaction.set_properties(owner="nobody", stage="done")
    transaction.remove_properties("stage")
latest = catalog.load_table("sales.orders")
assert latest.properties["owner"] == "nobody" and "stage" not in latest.properties
assert latest.scan().to_arrow().num_rows == 1515
assert "note" in latest.scan().to_arrow().column_names
first = other.history()[0].snapshot_id
assert latest.scan(snapshot_id=first).to_arrow().num_rows == 1000

latest.overwrite(rows(0, 5).append_column("note", pa.array(["x"] * 5)))
assert latest.scan().to_arrow()["note"].to_pylist() == ["x"] * 5

catalog.rename_table("sales.orders", "sales.sold")
assert catalog.list_tables("sales") == [("sales", "sold")]
assert catalog.table_exists("sales.sold") and not catalog.table_exists("sales.orders")
refused(NamespaceNotEmptyError, catalog.drop_namespace, "sales")
catalog.purge_table("sales.sold")
catalog.drop_namespace("sales")
assert catalog.list_namespaces() == []
print("done")
