#!/usr/bin/env python3
"""Deploys photo-faces with boto3: the same system as deploy.sh, resource by resource.

May be run again at any time; prints what it made as NAME=VALUE lines. Credentials, region and endpoint are boto3's own:
set AWS_ENDPOINT_URL for Fogbank, leave it unset for AWS. LAMBDA_RUNTIME chooses the functions' runtime.
"""

import argparse
import io
import json
import os
import sys
import time
import zipfile
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

HERE = Path(__file__).resolve().parent


def say(text):
    """Tells a human what is going on; standard output is for the results."""
    print(f"  {text}", file=sys.stderr)


def unless(code, call, **parameters):
    """Makes a call and forgives the one error that says that its work was done before."""
    try:
        return call(**parameters)
    except ClientError as error:
        if error.response["Error"]["Code"] != code:
            raise
        return None


def allow(*statements):
    """A policy document of statements that allow (actions, resource)."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": actions, "Resource": resource} for actions, resource in statements
            ],
        }
    )


class Deployment:
    """One photo-faces system with its names."""

    def __init__(self, name, bucket=None, email=None):
        self.session = boto3.Session()
        self.region = os.environ.get("AWS_REGION") or self.session.region_name or "us-east-1"
        self.account = self.client("sts").get_caller_identity()["Account"]
        self.runtime = os.environ.get("LAMBDA_RUNTIME", "python3.13")
        self.name = name
        self.bucket = bucket or f"{name}-{self.account}-{self.region}"
        self.email = email

    def client(self, service):
        return self.session.client(service, region_name=self.region)

    def arn(self, service, resource):
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def deploy(self):
        """Makes everything, in the order in which one thing needs another, and returns the results."""
        self.make_bucket()
        self.make_table()
        topic_arn = self.client("sns").create_topic(Name=self.name)["TopicArn"]
        queue_url = self.make_queue(topic_arn)
        self.make_function(
            f"{self.name}-detect",
            HERE / "app/detect",
            allow(
                ("s3:GetObject", f"arn:aws:s3:::{self.bucket}/photos/*"),
                ("rekognition:DetectFaces", "*"),
                (
                    ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
                    self.arn("dynamodb", f"table/{self.name}"),
                ),
                ("sns:Publish", topic_arn),
            ),
            {"TABLE": self.name, "TOPIC_ARN": topic_arn},
        )
        self.make_function(
            f"{self.name}-api",
            HERE / "app/api",
            allow((["dynamodb:GetItem", "dynamodb:Scan"], self.arn("dynamodb", f"table/{self.name}"))),
            {"TABLE": self.name},
        )
        self.connect_bucket()
        return {
            "BUCKET": self.bucket,
            "TABLE": self.name,
            "TOPIC_ARN": topic_arn,
            "QUEUE_URL": queue_url,
            "API": self.make_api(),
        }

    def make_bucket(self):
        say(f"bucket {self.bucket}")
        s3 = self.client("s3")
        elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": self.region}}
        unless(
            "BucketAlreadyOwnedByYou",
            s3.create_bucket,
            Bucket=self.bucket,
            **({} if self.region == "us-east-1" else elsewhere),
        )

    def make_table(self):
        say(f"table {self.name}")
        dynamodb = self.client("dynamodb")
        unless(
            "ResourceInUseException",
            dynamodb.create_table,
            TableName=self.name,
            AttributeDefinitions=[{"AttributeName": "photoId", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "photoId", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        dynamodb.get_waiter("table_exists").wait(TableName=self.name, WaiterConfig={"Delay": 1})

    def make_queue(self, topic_arn):
        say(f"topic and queue {self.name}, with a dead-letter queue")
        sqs, sns = self.client("sqs"), self.client("sns")
        dead_url = sqs.create_queue(QueueName=f"{self.name}-dead")["QueueUrl"]
        queue_url = sqs.create_queue(QueueName=self.name)["QueueUrl"]
        dead_arn, queue_arn = (
            sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
            for url in (dead_url, queue_url)
        )
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "sns.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": queue_arn,
                    "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
                }
            ],
        }
        redrive = {"deadLetterTargetArn": dead_arn, "maxReceiveCount": "5"}
        sqs.set_queue_attributes(
            QueueUrl=queue_url,
            Attributes={"RedrivePolicy": json.dumps(redrive), "Policy": json.dumps(policy)},
        )
        sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn)
        if self.email:
            sns.subscribe(TopicArn=topic_arn, Protocol="email", Endpoint=self.email)
        return queue_url

    def make_role(self, name, policy):
        iam = self.client("iam")
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        }
        unless(
            "EntityAlreadyExists", iam.create_role, RoleName=name, AssumeRolePolicyDocument=json.dumps(trust)
        )
        iam.put_role_policy(RoleName=name, PolicyName="work", PolicyDocument=policy)
        logs = allow(
            ("logs:CreateLogGroup", self.arn("logs", "*")),
            (
                ["logs:CreateLogStream", "logs:PutLogEvents"],
                self.arn("logs", f"log-group:/aws/lambda/{name}:*"),
            ),
        )
        iam.put_role_policy(RoleName=name, PolicyName="logs", PolicyDocument=logs)
        return f"arn:aws:iam::{self.account}:role/{name}"

    def make_function(self, name, folder, policy, variables):
        say(f"function {name}")
        functions = self.client("lambda")
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(folder / "handler.py", "handler.py")
        settings = {
            "FunctionName": name,
            "Runtime": self.runtime,
            "Handler": "handler.handler",
            "Role": self.make_role(name, policy),
            "Timeout": 30,
            "MemorySize": 256,
            "Environment": {"Variables": variables},
        }
        soon = {"FunctionName": name, "WaiterConfig": {"Delay": 1}}
        try:
            functions.get_function(FunctionName=name)
        except functions.exceptions.ResourceNotFoundException:
            self.create_function(settings | {"Code": {"ZipFile": package.getvalue()}})
            functions.get_waiter("function_active_v2").wait(**soon)
            return
        functions.update_function_code(FunctionName=name, ZipFile=package.getvalue())
        functions.get_waiter("function_updated_v2").wait(**soon)
        functions.update_function_configuration(**settings)
        functions.get_waiter("function_updated_v2").wait(**soon)

    def create_function(self, settings):
        """Tries for a while, because on AWS a role that was just made is not yet known everywhere."""
        functions = self.client("lambda")
        for _ in range(8):
            try:
                return functions.create_function(**settings)
            except functions.exceptions.InvalidParameterValueException as error:
                if "cannot be assumed" not in str(error):
                    raise
                time.sleep(3)
        return functions.create_function(**settings)

    def connect_bucket(self):
        say(f"event: new objects under photos/ call {self.name}-detect")
        unless(
            "ResourceConflictException",
            self.client("lambda").add_permission,
            FunctionName=f"{self.name}-detect",
            StatementId="s3",
            Action="lambda:InvokeFunction",
            Principal="s3.amazonaws.com",
            SourceArn=f"arn:aws:s3:::{self.bucket}",
            SourceAccount=self.account,
        )
        event = {
            "LambdaFunctionArn": self.arn("lambda", f"function:{self.name}-detect"),
            "Events": ["s3:ObjectCreated:*"],
            "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "photos/"}]}},
        }
        self.client("s3").put_bucket_notification_configuration(
            Bucket=self.bucket, NotificationConfiguration={"LambdaFunctionConfigurations": [event]}
        )

    def make_api(self):
        say(f"HTTP API {self.name}")
        gateway = self.client("apigatewayv2")
        api = next((item for item in gateway.get_apis()["Items"] if item["Name"] == self.name), None)
        api = api or gateway.create_api(Name=self.name, ProtocolType="HTTP")
        api_id = api["ApiId"]
        integration = next(iter(gateway.get_integrations(ApiId=api_id)["Items"]), None)
        integration = integration or gateway.create_integration(
            ApiId=api_id,
            IntegrationType="AWS_PROXY",
            IntegrationUri=self.arn("lambda", f"function:{self.name}-api"),
            PayloadFormatVersion="2.0",
        )
        target = f"integrations/{integration['IntegrationId']}"
        for route in ("GET /photos", "GET /photos/{id}"):
            unless("ConflictException", gateway.create_route, ApiId=api_id, RouteKey=route, Target=target)
        unless(
            "ConflictException", gateway.create_stage, ApiId=api_id, StageName="$default", AutoDeploy=True
        )
        unless(
            "ResourceConflictException",
            self.client("lambda").add_permission,
            FunctionName=f"{self.name}-api",
            StatementId=f"api-{api_id}",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=self.arn("execute-api", f"{api_id}/*"),
        )
        return api["ApiEndpoint"]


def main():
    """Reads the command line and deploys."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--name", default="photo-faces")
    parser.add_argument("--bucket", help="the bucket's name, which must be unique on AWS")
    parser.add_argument("--email", help="an address that is to hear of photos with faces")
    options = parser.parse_args()
    for name, value in Deployment(options.name, options.bucket, options.email).deploy().items():
        print(f"{name}={value}")


if __name__ == "__main__":
    main()
