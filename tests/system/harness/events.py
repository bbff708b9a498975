"""The events that a proxy function gets, as the real services send them.

`path` is always given as it stands in the request line (percent-encoded),
`headers` and `query` as lists of pairs, so that a test can repeat names.
"""

import base64
import urllib.parse
import uuid

SOURCE = "203.0.113.7"
AGENT = "Mozilla/5.0 (system test)"


def rest(method="GET", path="/", headers=(), query=(), body=None, stage="prod"):
    """A REST API (payload 1.0) event. Both header maps are always there, and
    what is absent is null; `query` is decoded, as the service decodes it."""
    # A trailing slash is in `path` but not in the parameter.
    rest_of_path = path.strip("/")
    text, encoded = _body(body)
    return {
        "resource": "/{proxy+}" if rest_of_path else "/",
        "path": path,
        "httpMethod": method,
        "headers": dict(headers) or None,
        "multiValueHeaders": _lists(headers) or None,
        "queryStringParameters": dict(query) or None,
        "multiValueQueryStringParameters": _lists(query) or None,
        "pathParameters": {"proxy": rest_of_path} if rest_of_path else None,
        "stageVariables": None,
        "requestContext": {
            "resourceId": "a1b2c3",
            "resourcePath": "/{proxy+}" if rest_of_path else "/",
            "httpMethod": method,
            "extendedRequestId": "Dx0nEGG3DoEF5xA=",
            "requestTime": "21/Nov/2026:12:00:00 +0000",
            "path": f"/{stage}{path}",
            "accountId": "123456789012",
            "protocol": "HTTP/1.1",
            "stage": stage,
            "domainPrefix": "abcdef1234",
            "requestTimeEpoch": 1795262400000,
            "requestId": str(uuid.uuid4()),
            "identity": {
                "cognitoIdentityPoolId": None, "accountId": None, "cognitoIdentityId": None,
                "caller": None, "sourceIp": SOURCE, "principalOrgId": None, "accessKey": None,
                "cognitoAuthenticationType": None, "cognitoAuthenticationProvider": None,
                "userArn": None, "userAgent": AGENT, "user": None,
            },
            "domainName": "abcdef1234.execute-api.eu-west-1.amazonaws.com",
            "deploymentId": "d1e2f3",
            "apiId": "abcdef1234",
        },
        "body": text,
        "isBase64Encoded": encoded,
    }


def http(method="GET", path="/", headers=(), query=(), body=None, stage="$default"):
    """An HTTP API (payload 2.0) event: lowercase header names, repeats joined
    by commas, cookies in a list of their own, the stage in the path."""
    text, encoded = _body(body)
    prefix = "" if stage == "$default" else f"/{stage}"
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": prefix + path,
        "rawQueryString": urllib.parse.urlencode(list(query)),
        "headers": _joined([(n, v) for n, v in headers if n.lower() != "cookie"]),
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdef1234",
            "domainName": "abcdef1234.execute-api.eu-west-1.amazonaws.com",
            "domainPrefix": "abcdef1234",
            "http": {"method": method, "path": prefix + path, "protocol": "HTTP/1.1",
                     "sourceIp": SOURCE, "userAgent": AGENT},
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": stage,
            "time": "21/Nov/2026:12:00:00 +0000",
            "timeEpoch": 1795262400000,
        },
        "isBase64Encoded": encoded,
    }
    cookies = [v for n, v in headers if n.lower() == "cookie"]
    if cookies:
        event["cookies"] = cookies
    if query:
        event["queryStringParameters"] = {n: ",".join(v) for n, v in _lists(query).items()}
    if text is not None:
        event["body"] = text
    return event


def url(method="GET", path="/", headers=(), query=(), body=None):
    """A Function URL event: payload 2.0 from another door."""
    event = http(method, path, headers, query, body)
    event["requestContext"]["domainName"] = "abcdefghijklmnop.lambda-url.eu-west-1.on.aws"
    event["requestContext"]["domainPrefix"] = "abcdefghijklmnop"
    event["requestContext"]["requestId"] = str(uuid.uuid4())
    return event


def alb(method="GET", path="/", headers=(), query=(), body=None):
    """A load balancer's event, from a target group with multi-value headers
    on: no single maps, and a query that nobody has decoded."""
    quoted = [(urllib.parse.quote(n), urllib.parse.quote(v)) for n, v in query]
    event = _alb(method, path, body)
    event["multiValueHeaders"] = _lists([(n.lower(), v) for n, v in headers])
    event["multiValueQueryStringParameters"] = _lists(quoted)
    return event


def alb_single(method="GET", path="/", headers=(), query=(), body=None):
    """A load balancer's event as the default target group sends it."""
    quoted = [(urllib.parse.quote(n), urllib.parse.quote(v)) for n, v in query]
    event = _alb(method, path, body)
    event["headers"] = {n.lower(): v for n, v in headers}
    event["queryStringParameters"] = dict(quoted)
    return event


# Every kind of event, for tests that hold for all of them.
KINDS = {"rest": rest, "http": http, "url": url, "alb": alb, "alb_single": alb_single}


def _alb(method, path, body):
    text, encoded = _body(body)
    arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/proxy/50dc6c495c0c9188"
    return {"requestContext": {"elb": {"targetGroupArn": arn}}, "httpMethod": method,
            "path": path, "body": text or "", "isBase64Encoded": encoded}


def _body(body):
    """Text goes as it is, bytes as base64."""
    if isinstance(body, bytes):
        return base64.b64encode(body).decode(), True
    return body, False


def _lists(pairs):
    lists = {}
    for name, value in pairs:
        lists.setdefault(name, []).append(value)
    return lists


def _joined(pairs):
    return {name: ",".join(values) for name, values in _lists((n.lower(), v) for n, v in pairs).items()}
