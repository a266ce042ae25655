#!/usr/bin/env bash
# Removes what deploy.sh or deploy.py made, photos and results included. What is gone already does not disturb it.
#
#   ./destroy.sh [--name photo-faces] [--bucket BUCKET]
set -uo pipefail
export AWS_PAGER=""

# Version 1 of the AWS CLI overlooks AWS_ENDPOINT_URL for SQS and would call AWS itself; its option it heeds.
aws() { command aws ${AWS_ENDPOINT_URL:+--endpoint-url "$AWS_ENDPOINT_URL"} "$@"; }

name=photo-faces bucket=""
while (($#)); do
  case $1 in
    --name) name=$2 ;;
    --bucket) bucket=$2 ;;
    *) echo "unknown option: $1" >&2 && exit 2 ;;
  esac
  shift 2
done

account=$(aws sts get-caller-identity --query Account --output text) || exit 1
region=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || true)}}
region=${region:-us-east-1}
export AWS_REGION=$region AWS_DEFAULT_REGION=$region
bucket=${bucket:-$name-$account-$region}
failures=0

# Runs a command; something that does not exist any more is as good as removed.
remove() {
  local problem
  if ! problem=$("$@" 2>&1 >/dev/null) && ! [[ $problem =~ NotFound|NoSuch|NonExistent|does\ not\ exist ]]; then
    echo "$problem" >&2
    failures=$((failures + 1))
  fi
}

api_id=$(aws apigatewayv2 get-apis --query "Items[?Name=='$name'].ApiId | [0]" --output text)
[[ $api_id == None ]] || remove aws apigatewayv2 delete-api --api-id "$api_id"
remove aws s3 rb "s3://$bucket" --force
for function in "$name-detect" "$name-api"; do
  remove aws lambda delete-function --function-name "$function"
  remove aws logs delete-log-group --log-group-name "/aws/lambda/$function"
  remove aws iam delete-role-policy --role-name "$function" --policy-name work
  remove aws iam delete-role-policy --role-name "$function" --policy-name logs
  remove aws iam delete-role --role-name "$function"
done
remove aws sns delete-topic --topic-arn "arn:aws:sns:$region:$account:$name"
for queue in "$name" "$name-dead"; do
  if url=$(aws sqs get-queue-url --queue-name "$queue" --query QueueUrl --output text 2>/dev/null); then
    remove aws sqs delete-queue --queue-url "$url"
  fi
done
remove aws dynamodb delete-table --table-name "$name"
exit $((failures > 0))
