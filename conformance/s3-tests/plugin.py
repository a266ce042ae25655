"""A plugin of pytest for one round of the suite: which tests it runs, and a region for every client."""

import os

import boto3

_make_client = boto3.client


def _client(*arguments, **options):
    """The suite asks for IAM and STS clients of the region '', which neither AWS nor a signature can have."""
    if options.get("region_name") == "":
        options["region_name"] = "us-east-1"
    return _make_client(*arguments, **options)


boto3.client = _client


def pytest_collection_modifyitems(config, items):
    """Keeps the tests of this round. pytest's own --deselect takes names for beginnings of names."""
    with_acls = set(os.environ["S3_TESTS_WITH_ACLS"].split())
    wants_acls = os.environ["S3_TESTS_ROUND_NAME"] == "before-2023"
    kept = [item for item in items if (item.originalname in with_acls) == wants_acls]
    kept_ids = {id(item) for item in kept}
    config.hook.pytest_deselected(items=[item for item in items if id(item) not in kept_ids])
    items[:] = kept
