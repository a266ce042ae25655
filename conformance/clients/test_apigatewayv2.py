"""HTTP APIs in front of functions and servers, called by plain HTTP."""

import json
import urllib.error
import urllib.request

import pytest
from support import LAMBDA, archive, make_function, refused
from test_sns import http_server

ECHO = archive(
    app__py="""
import base64, json
def handler(event, context):
    match event["rawPath"].rsplit("/", 1)[1]:
        case "plain":
            return {"no": "status"}
        case "binary":
            body = base64.b64encode(bytes(range(256))).decode()
            return {"statusCode": 200, "isBase64Encoded": True, "body": body, "headers": {"content-type": "x/y"}}
        case "fail":
            raise ValueError
    return {"statusCode": 201, "body": json.dumps(event), "cookies": ["a=1", "b=2"], "headers": {"X-Custom": "yes"}}
"""
)


@pytest.fixture(scope="module")
def api(module_root):
    """An API whose every route but one is the function; its id and its address."""
    gateway = module_root.client("apigatewayv2")
    function = make_function(module_root, "echo", module_root.role("echo", LAMBDA), ECHO, Timeout=20)
    made = gateway.create_api(Name="echo", ProtocolType="HTTP", CorsConfiguration={"AllowOrigins": ["https://here"]})
    id = made["ApiId"]
    module_root.client("lambda").add_permission(
        FunctionName="echo", StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:us-east-1:{module_root.account}:{id}/*/*",
    )  # fmt: skip
    integration = gateway.create_integration(
        ApiId=id, IntegrationType="AWS_PROXY", IntegrationUri=function, PayloadFormatVersion="2.0"
    )["IntegrationId"]
    for key in ("GET /things/{id}", "ANY /rest/{proxy+}", "POST /things"):
        gateway.create_route(ApiId=id, RouteKey=key, Target=f"integrations/{integration}")
    gateway.create_stage(ApiId=id, StageName="$default", AutoDeploy=True, StageVariables={"v": "1"})
    return id, made["ApiEndpoint"]


def fetch(url, method="GET", body=None, headers=()):
    request = urllib.request.Request(url, method=method, data=body, headers=dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def test_a_request_reaches_the_function_and_its_answer_the_client(api, module_root):
    id, address = api
    url = f"{address}/things/a%20b?x=1&x=2&y=%C3%A4"
    status, headers, body = fetch(url, headers={"X-Thing": "7", "Cookie": "c=1; d=2"})
    event = json.loads(body)
    assert status == 201 and headers["x-custom"] == "yes" and headers.get_all("set-cookie") == ["a=1", "b=2"]
    assert headers["apigw-requestid"]
    assert event["version"] == "2.0" and event["routeKey"] == "GET /things/{id}"
    assert event["pathParameters"] == {"id": "a b"} and event["queryStringParameters"] == {"x": "1,2", "y": "ä"}
    assert event["headers"]["x-thing"] == "7" and event["cookies"] == ["c=1", "d=2"]
    assert event["requestContext"]["apiId"] == id and event["requestContext"]["accountId"] == module_root.account
    assert event["requestContext"]["http"]["method"] == "GET" and event["stageVariables"] == {"v": "1"}
    assert "body" not in event and event["isBase64Encoded"] is False


def test_bodies_of_both_kinds(api):
    _, address = api
    status, _, body = fetch(f"{address}/things", "POST", b'{"a": 1}', {"content-type": "application/json"})
    assert status == 201 and json.loads(body)["body"] == '{"a": 1}'
    _, _, body = fetch(f"{address}/things", "POST", b"\x00\xff", {"content-type": "application/octet-stream"})
    event = json.loads(body)
    assert (event["body"], event["isBase64Encoded"]) == ("AP8=", True)
    status, headers, body = fetch(f"{address}/rest/any/where/binary", "DELETE")
    assert (status, headers["content-type"], body) == (200, "x/y", bytes(range(256)))
    status, headers, body = fetch(f"{address}/rest/plain")
    assert (status, json.loads(body), headers["content-type"]) == (200, {"no": "status"}, "application/json")


def test_what_goes_wrong_is_answered_as_on_aws(api):
    _, address = api
    status, _, body = fetch(f"{address}/nowhere")
    assert (status, json.loads(body)) == (404, {"message": "Not Found"})
    status, _, body = fetch(f"{address}/rest/fail")
    assert (status, json.loads(body)) == (500, {"message": "Internal Server Error"})


def test_cors_is_answered_for_the_function(api):
    _, address = api
    asked = {"Origin": "https://here", "Access-Control-Request-Method": "GET"}
    status, headers, _ = fetch(f"{address}/things/1", "OPTIONS", headers=asked)
    assert status == 204 and headers["access-control-allow-origin"] == "https://here"
    _, headers, _ = fetch(f"{address}/things/1", headers={"Origin": "https://here"})
    assert headers["access-control-allow-origin"] == "https://here"
    _, headers, _ = fetch(f"{address}/things/1", headers={"Origin": "https://there"})
    assert headers["access-control-allow-origin"] is None


def test_a_function_that_does_not_let_the_api_in_is_not_run(module_root, api):
    gateway = module_root.client("apigatewayv2")
    function = make_function(module_root, "closed", module_root.role("closed", LAMBDA), ECHO)
    made = gateway.create_api(Name="quick", ProtocolType="HTTP", Target=function)
    module_root.client("lambda").get_function(FunctionName="closed")
    status, _, body = fetch(f"{made['ApiEndpoint']}/rest/x")
    assert (status, json.loads(body)) == (500, {"message": "Internal Server Error"})


def test_a_server_behind_the_api(module_root):
    gateway = module_root.client("apigatewayv2")
    with http_server([202]) as (address, heard):
        id = gateway.create_api(Name="proxy", ProtocolType="HTTP")["ApiId"]
        integration = gateway.create_integration(
            ApiId=id, IntegrationType="HTTP_PROXY", IntegrationMethod="POST", IntegrationUri=address,
            PayloadFormatVersion="1.0",
        )["IntegrationId"]  # fmt: skip
        gateway.create_route(ApiId=id, RouteKey="$default", Target=f"integrations/{integration}")
        gateway.create_stage(ApiId=id, StageName="dev", AutoDeploy=True)
        endpoint = gateway.get_api(ApiId=id)["ApiEndpoint"]
        status, _, _ = fetch(f"{endpoint}/dev/any", "POST", b"hello", {"x-thing": "7"})
        headers, body = heard.get(timeout=10)
        assert (status, body, headers["x-thing"]) == (202, "hello", "7")


def test_apis_are_listed_changed_and_deleted(root):
    gateway = root.client("apigatewayv2")
    ids = [gateway.create_api(Name=f"api{number}", ProtocolType="HTTP")["ApiId"] for number in range(5)]
    pages = list(gateway.get_paginator("get_apis").paginate(PaginationConfig={"PageSize": 2}))
    assert sorted(item["ApiId"] for page in pages for item in page["Items"]) == sorted(ids) and len(pages) == 3
    gateway.update_api(ApiId=ids[0], Description="changed")
    assert gateway.get_api(ApiId=ids[0])["Description"] == "changed"
    gateway.delete_api(ApiId=ids[0])
    with refused("NotFoundException", 404):
        gateway.get_api(ApiId=ids[0])
    with refused("BadRequestException", 400):
        gateway.create_route(ApiId=ids[1], RouteKey="nonsense")
