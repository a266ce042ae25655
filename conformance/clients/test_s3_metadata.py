"""Metadata configurations of buckets, as boto3 meets them, and the tables that come of them."""

import pytest
from support import advance, eventually, refused

JOURNAL = {"RecordExpiration": {"Expiration": "DISABLED"}}


@pytest.fixture
def s3(root):
    return root.client("s3")


@pytest.fixture
def bucket(root, s3):
    name = f"meta-data.{root.account}"
    s3.create_bucket(Bucket=name)
    return name


def configured(s3, bucket):
    told = s3.get_bucket_metadata_configuration(Bucket=bucket)
    return told["GetBucketMetadataConfigurationResult"]["MetadataConfigurationResult"]


def status(s3, bucket, table):
    return configured(s3, bucket)[f"{table}TableConfigurationResult"].get("TableStatus")


def test_a_configuration_comes_and_goes(root, s3, bucket):
    with refused("MetadataConfigurationNotFound", 404):
        s3.get_bucket_metadata_configuration(Bucket=bucket)
    given = {"JournalTableConfiguration": {"RecordExpiration": {"Expiration": "ENABLED", "Days": 10}}}
    s3.create_bucket_metadata_configuration(Bucket=bucket, MetadataConfiguration=given)
    told = configured(s3, bucket)
    assert told["DestinationResult"] == {
        "TableBucketType": "aws",
        "TableBucketArn": f"arn:aws:s3tables:us-east-1:{root.account}:bucket/aws-s3",
        "TableNamespace": f"b_meta-data_{root.account}",
    }
    journal = told["JournalTableConfigurationResult"]
    assert (journal["TableName"], journal["RecordExpiration"]) == ("journal", {"Expiration": "ENABLED", "Days": 10})
    assert told["InventoryTableConfigurationResult"] == {"ConfigurationState": "DISABLED"}
    s3.update_bucket_metadata_journal_table_configuration(Bucket=bucket, JournalTableConfiguration=JOURNAL)
    assert configured(s3, bucket)["JournalTableConfigurationResult"]["RecordExpiration"] == {"Expiration": "DISABLED"}
    with refused("MetadataConfigurationAlreadyExists", 409):
        s3.create_bucket_metadata_configuration(Bucket=bucket, MetadataConfiguration=given)
    with refused("MethodNotAllowed", 405):
        s3.get_bucket_metadata_table_configuration(Bucket=bucket)
    with refused("MethodNotAllowed", 405):
        s3.delete_bucket_metadata_table_configuration(Bucket=bucket)
    answer = s3.delete_bucket_metadata_configuration(Bucket=bucket)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    with refused("MetadataConfigurationNotFound", 404):
        s3.delete_bucket_metadata_configuration(Bucket=bucket)


def test_tables_are_made_and_stay(root, s3, bucket):
    tables = root.client("s3tables")
    both = {"JournalTableConfiguration": JOURNAL, "InventoryTableConfiguration": {"ConfigurationState": "ENABLED"}}
    s3.create_bucket_metadata_configuration(Bucket=bucket, MetadataConfiguration=both)
    eventually(lambda: status(s3, bucket, "Journal") == "ACTIVE")
    arn = configured(s3, bucket)["JournalTableConfigurationResult"]["TableArn"]
    table = tables.get_table(tableArn=arn)
    assert (table["name"], table["namespace"], table["type"]) == ("journal", [f"b_meta-data_{root.account}"], "aws")
    assert table["managedByService"] == "metadata.s3.amazonaws.com"
    # What is there already stays, and keeps another configuration from having it.
    s3.delete_bucket_metadata_configuration(Bucket=bucket)
    assert tables.get_table(tableArn=arn)["name"] == "journal"
    s3.create_bucket_metadata_configuration(Bucket=bucket, MetadataConfiguration=both)
    eventually(lambda: status(s3, bucket, "Journal") == "FAILED")
    told = configured(s3, bucket)
    assert told["JournalTableConfigurationResult"]["Error"]["ErrorCode"] == "JournalTableAlreadyExists"
    assert told["InventoryTableConfigurationResult"]["Error"]["ErrorCode"] == "JournalTableNotAvailable"


def test_a_table_of_the_first_version_lies_in_a_bucket_of_the_customers(root, s3, bucket):
    tables = root.client("s3tables")
    arn = tables.create_table_bucket(name=f"mine-{root.account}")["arn"]

    def create(arn, table):
        to = {"S3TablesDestination": {"TableBucketArn": arn, "TableName": table}}
        s3.create_bucket_metadata_table_configuration(Bucket=bucket, MetadataTableConfiguration=to)

    def told():
        return s3.get_bucket_metadata_table_configuration(Bucket=bucket)["GetBucketMetadataTableConfigurationResult"]

    create(f"{arn}-not", "changes")
    assert (told()["Status"], told()["Error"]["ErrorCode"]) == ("FAILED", "TableBucketNotFound")
    s3.delete_bucket_metadata_table_configuration(Bucket=bucket)
    create(arn, "changes")
    eventually(lambda: told()["Status"] == "ACTIVE")
    table = tables.get_table(tableBucketARN=arn, namespace="aws_s3_metadata", name="changes")
    assert told()["MetadataTableConfigurationResult"]["S3TablesDestinationResult"]["TableArn"] == table["tableARN"]


def test_records_come_into_the_journal(binary, own):
    s3, tables = own.client("s3"), own.client("s3tables")
    s3.create_bucket(Bucket="watched")
    given = {"JournalTableConfiguration": JOURNAL}
    s3.create_bucket_metadata_configuration(Bucket="watched", MetadataConfiguration=given)
    eventually(lambda: status(s3, "watched", "Journal") == "ACTIVE")
    arn = configured(s3, "watched")["JournalTableConfigurationResult"]["TableArn"]
    before = tables.get_table(tableArn=arn)["metadataLocation"]
    for number in range(3):
        s3.put_object(Bucket="watched", Key=f"k{number}", Body=b"x")
    advance(binary, own, "1m")
    eventually(lambda: tables.get_table(tableArn=arn)["metadataLocation"] != before)
