#!/usr/bin/env bash
# Deploys photo-faces with the AWS CLI alone. May be run again at any time; prints what it made as NAME=VALUE lines.
#
#   ./deploy.sh [--name photo-faces] [--bucket BUCKET] [--email ADDRESS]
#
# Credentials, region and endpoint are the CLI's own: set AWS_ENDPOINT_URL for Fogbank, leave it unset for AWS.
# LAMBDA_RUNTIME chooses the functions' runtime.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export AWS_PAGER=""

# Version 1 of the AWS CLI overlooks AWS_ENDPOINT_URL for SQS and would call AWS itself; its option it heeds.
aws() { command aws ${AWS_ENDPOINT_URL:+--endpoint-url "$AWS_ENDPOINT_URL"} "$@"; }

name=photo-faces bucket="" email="" runtime=${LAMBDA_RUNTIME:-python3.13}
while (($#)); do
  case $1 in
    --name) name=$2 ;;
    --bucket) bucket=$2 ;;
    --email) email=$2 ;;
    *) echo "unknown option: $1" >&2 && exit 2 ;;
  esac
  shift 2
done

say() { echo "  $*" >&2; }

# Runs a command and forgives the one error that says that its work was done before.
unless() {
  local known=$1 problem
  shift
  if ! problem=$("$@" 2>&1 >/dev/null) && [[ $problem != *"$known"* ]]; then
    echo "$problem" >&2
    return 1
  fi
}

# Runs a command again while a role that was just made is not yet known everywhere, as happens on AWS.
patiently() {
  local problem
  for _ in 1 2 3 4 5 6 7 8; do
    if problem=$("$@" 2>&1 >/dev/null); then return; fi
    [[ $problem == *"cannot be assumed"* ]] || break
    sleep 3
  done
  echo "$problem" >&2
  return 1
}

account=$(aws sts get-caller-identity --query Account --output text)
region=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || true)}}
region=${region:-us-east-1}
export AWS_REGION=$region AWS_DEFAULT_REGION=$region
bucket=${bucket:-$name-$account-$region}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

say "bucket $bucket"
if ! aws s3api head-bucket --bucket "$bucket" >/dev/null 2>&1; then
  if [[ $region == us-east-1 ]]; then
    aws s3api create-bucket --bucket "$bucket" >/dev/null
  else
    aws s3api create-bucket --bucket "$bucket" \
      --create-bucket-configuration "LocationConstraint=$region" >/dev/null
  fi
fi

say "table $name"
unless ResourceInUseException aws dynamodb create-table --table-name "$name" \
  --attribute-definitions AttributeName=photoId,AttributeType=S \
  --key-schema AttributeName=photoId,KeyType=HASH --billing-mode PAY_PER_REQUEST
aws dynamodb wait table-exists --table-name "$name"
table_arn=arn:aws:dynamodb:$region:$account:table/$name

say "topic $name"
topic_arn=$(aws sns create-topic --name "$name" --query TopicArn --output text)

say "queue $name, with a dead-letter queue"
dead_url=$(aws sqs create-queue --queue-name "$name-dead" --query QueueUrl --output text)
queue_url=$(aws sqs create-queue --queue-name "$name" --query QueueUrl --output text)
dead_arn=$(aws sqs get-queue-attributes --queue-url "$dead_url" --attribute-names QueueArn \
  --query Attributes.QueueArn --output text)
queue_arn=$(aws sqs get-queue-attributes --queue-url "$queue_url" --attribute-names QueueArn \
  --query Attributes.QueueArn --output text)
cat >"$scratch/queue.json" <<EOF
{
  "RedrivePolicy": "{\"deadLetterTargetArn\": \"$dead_arn\", \"maxReceiveCount\": \"5\"}",
  "Policy": "{\"Version\": \"2012-10-17\", \"Statement\": [{\"Effect\": \"Allow\", \"Principal\": {\"Service\": \"sns.amazonaws.com\"}, \"Action\": \"sqs:SendMessage\", \"Resource\": \"$queue_arn\", \"Condition\": {\"ArnEquals\": {\"aws:SourceArn\": \"$topic_arn\"}}}]}"
}
EOF
aws sqs set-queue-attributes --queue-url "$queue_url" --attributes "file://$scratch/queue.json"

say "subscriptions: queue${email:+, $email}"
aws sns subscribe --topic-arn "$topic_arn" --protocol sqs --notification-endpoint "$queue_arn" >/dev/null
if [[ -n $email ]]; then
  aws sns subscribe --topic-arn "$topic_arn" --protocol email --notification-endpoint "$email" >/dev/null
fi

# role NAME < POLICY: a role for a Lambda function with this inline policy and leave to write the function's logs.
role() {
  cat >"$scratch/$1.json"
  unless EntityAlreadyExists aws iam create-role --role-name "$1" --assume-role-policy-document '{
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]
  }'
  aws iam put-role-policy --role-name "$1" --policy-name work --policy-document "file://$scratch/$1.json"
  aws iam put-role-policy --role-name "$1" --policy-name logs --policy-document '{
    "Version": "2012-10-17",
    "Statement": [
      {"Effect": "Allow", "Action": "logs:CreateLogGroup", "Resource": "arn:aws:logs:'"$region:$account"':*"},
      {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
       "Resource": "arn:aws:logs:'"$region:$account:log-group:/aws/lambda/$1"':*"}
    ]
  }'
}

# code NAME FOLDER VARIABLES: a Lambda function of this folder's code, with the role of the same name.
code() {
  python3 -m zipfile -c "$scratch/$1.zip" "$2/handler.py"
  local settings=(--function-name "$1" --runtime "$runtime" --handler handler.handler
    --role "arn:aws:iam::$account:role/$1" --timeout 30 --memory-size 256 --environment "Variables={$3}")
  if aws lambda get-function --function-name "$1" >/dev/null 2>&1; then
    aws lambda update-function-code --function-name "$1" --zip-file "fileb://$scratch/$1.zip" >/dev/null
    aws lambda wait function-updated-v2 --function-name "$1"
    aws lambda update-function-configuration "${settings[@]}" >/dev/null
    aws lambda wait function-updated-v2 --function-name "$1"
  else
    patiently aws lambda create-function "${settings[@]}" --zip-file "fileb://$scratch/$1.zip"
    aws lambda wait function-active-v2 --function-name "$1"
  fi
}

say "function $name-detect"
role "$name-detect" <<EOF
{
  "Version": "2012-10-17",
  "Statement": [
    {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::$bucket/photos/*"},
    {"Effect": "Allow", "Action": "rekognition:DetectFaces", "Resource": "*"},
    {"Effect": "Allow", "Action": ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], "Resource": "$table_arn"},
    {"Effect": "Allow", "Action": "sns:Publish", "Resource": "$topic_arn"}
  ]
}
EOF
code "$name-detect" app/detect "TABLE=$name,TOPIC_ARN=$topic_arn"

say "function $name-api"
role "$name-api" <<EOF
{
  "Version": "2012-10-17",
  "Statement": [
    {"Effect": "Allow", "Action": ["dynamodb:GetItem", "dynamodb:Scan"], "Resource": "$table_arn"}
  ]
}
EOF
code "$name-api" app/api "TABLE=$name"

say "event: new objects under photos/ call $name-detect"
unless ResourceConflictException aws lambda add-permission --function-name "$name-detect" --statement-id s3 \
  --action lambda:InvokeFunction --principal s3.amazonaws.com \
  --source-arn "arn:aws:s3:::$bucket" --source-account "$account"
aws s3api put-bucket-notification-configuration --bucket "$bucket" --notification-configuration '{
  "LambdaFunctionConfigurations": [{
    "LambdaFunctionArn": "arn:aws:lambda:'"$region:$account:function:$name-detect"'",
    "Events": ["s3:ObjectCreated:*"],
    "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "photos/"}]}}
  }]
}'

say "HTTP API $name"
api_id=$(aws apigatewayv2 get-apis --query "Items[?Name=='$name'].ApiId | [0]" --output text)
if [[ $api_id == None ]]; then
  api_id=$(aws apigatewayv2 create-api --name "$name" --protocol-type HTTP --query ApiId --output text)
fi
integration_id=$(aws apigatewayv2 get-integrations --api-id "$api_id" \
  --query "Items[0].IntegrationId" --output text)
if [[ $integration_id == None ]]; then
  integration_id=$(aws apigatewayv2 create-integration --api-id "$api_id" --integration-type AWS_PROXY \
    --integration-uri "arn:aws:lambda:$region:$account:function:$name-api" \
    --payload-format-version 2.0 --query IntegrationId --output text)
fi
for route in "GET /photos" "GET /photos/{id}"; do
  unless ConflictException aws apigatewayv2 create-route --api-id "$api_id" --route-key "$route" \
    --target "integrations/$integration_id"
done
unless ConflictException aws apigatewayv2 create-stage --api-id "$api_id" --stage-name '$default' --auto-deploy
unless ResourceConflictException aws lambda add-permission --function-name "$name-api" \
  --statement-id "api-$api_id" --action lambda:InvokeFunction --principal apigateway.amazonaws.com \
  --source-arn "arn:aws:execute-api:$region:$account:$api_id/*"
endpoint=$(aws apigatewayv2 get-api --api-id "$api_id" --query ApiEndpoint --output text)

cat <<EOF
BUCKET=$bucket
TABLE=$name
TOPIC_ARN=$topic_arn
QUEUE_URL=$queue_url
API=$endpoint
EOF
