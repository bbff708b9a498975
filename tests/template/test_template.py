"""The proxy's stack, as AWS would see it. Each trap here passes every linter."""

import itertools
import json
import os
import re
import sys
import tomllib

import pytest
from world import (
    INFRA,
    ROOT,
    TEMPLATE,
    config,
    deployed,
    filled,
    load,
    methods,
    of_type,
    only,
    run,
    secret_ids,
    translate,
)

ANY = "x-amazon-apigateway-any-method"
BOTH = pytest.mark.parametrize("required", ["true", "false"])


def api(**parameters):
    return only(deployed(**parameters), "AWS::ApiGateway::RestApi")["Body"]


def stage(**parameters):
    return only(deployed(**parameters), "AWS::ApiGateway::Stage")


def deployment(template=None):
    """The name under which SAM deploys the API. A new one goes live, an old one does not."""
    (name,) = of_type(translate(template)["Resources"], "AWS::ApiGateway::Deployment")
    return name


# ---- what is served

def test_every_path_and_method_leads_to_the_function():
    body = api()
    assert set(methods(body)) == {(path, verb) for path in ("/", "/{proxy+}") for verb in (ANY, "options")}
    for place, said in methods(body).items():
        integration = said["x-amazon-apigateway-integration"]
        assert integration["type"] == "aws_proxy", place
        assert integration["httpMethod"] == "POST", place


def integrations(**parameters):
    return {place: said["x-amazon-apigateway-integration"] for place, said in methods(api(**parameters)).items()}


def test_trap_3_no_integration_pretends_to_stream():
    for place, integration in integrations().items():
        assert not {"responseTransferMode", "timeoutInMillis"} & set(integration), place
        assert integration["uri"].endswith("path/2015-03-31/functions/<ProxyFunction.Arn>/invocations"), place
    assert "ResponseTransferMode" not in TEMPLATE.read_text()


def test_every_integration_streams_when_asked_for():
    for place, integration in integrations(Streaming="true").items():
        assert integration["responseTransferMode"] == "STREAM", place
        assert integration["timeoutInMillis"] == 900_000, place
        path = "path/2021-11-15/functions/<ProxyFunction.Arn>/response-streaming-invocations"
        assert integration["uri"].endswith(path), place
        assert (integration["type"], integration["httpMethod"]) == ("aws_proxy", "POST"), place


@pytest.mark.parametrize("streaming", ["true", "false"])
def test_the_function_and_the_gateway_agree_on_the_mode(streaming):
    function = only(deployed(Streaming=streaming), "AWS::Lambda::Function")
    assert function["Environment"]["Variables"]["COUNTERSIGN_STREAMING"] == streaming
    patience = {each.get("timeoutInMillis", 29_000) for each in integrations(Streaming=streaming).values()}
    assert {function["Timeout"] * 1000 + 1000} == patience


def test_streaming_changes_nothing_else():
    """But for the mode, both values deploy the same stack."""
    def rest(streaming):
        text = json.dumps(deployed(Streaming=streaming), sort_keys=True, default=str)
        for each in (
            r', "responseTransferMode": "STREAM"', r', "timeoutInMillis": 900000',
            r"path/(2015-03-31|2021-11-15)/functions/<ProxyFunction.Arn>/(response-streaming-)?invocations",
            r'"Timeout": (28|899)', r'"COUNTERSIGN_STREAMING": "(true|false)"', r"ProxyApiDeployment\w+",
            r"Deployment\d* id: \w+", r"Stage\w*\d+",
        ):
            text = re.sub(each, "", text)
        return text
    assert rest("true") == rest("false")


def test_trap_4_no_mock_answers_beside_binary_media_types():
    rest = only(deployed(), "AWS::ApiGateway::RestApi")
    assert rest["BinaryMediaTypes"] == ["*~1*"]
    assert "mock" not in json.dumps(rest["Body"]).lower()


def test_trap_5_the_definition_is_swagger_2_and_there_is_no_second_stage():
    resources = deployed()
    body = api()
    assert load(TEMPLATE)["Resources"]["ProxyApi"]["Properties"]["OpenApiVersion"] == "2.0"
    assert body["swagger"] == "2.0" and "openapi" not in body and '"schema"' not in json.dumps(body)
    assert len(of_type(resources, "AWS::ApiGateway::Stage")) == 1
    assert "StageName" not in only(resources, "AWS::ApiGateway::Deployment")


def test_trap_7_every_deployment_goes_live_whatever_was_changed(monkeypatch):
    clock = itertools.count(1_000)
    monkeypatch.setattr("time.time", lambda: next(clock))
    before = deployment()
    assert before != deployment()
    other = load(TEMPLATE)
    other["Resources"]["ProxyApi"]["Properties"]["ApiKeySourceType"] = "AUTHORIZER"
    assert before != deployment(other)


# ---- who may ask

@BOTH
def test_a_preflight_needs_no_key(required):
    for (path, verb), said in methods(api(RequireApiKey=required)).items():
        if verb == "options":
            assert not said.get("security"), path


def test_every_other_method_needs_a_key_when_asked_for():
    body = api(RequireApiKey="true")
    for (path, verb), said in methods(body).items():
        if verb != "options":
            assert said["security"] == [{"api_key": []}], path
    assert body["securityDefinitions"]["api_key"] == {"type": "apiKey", "name": "x-api-key", "in": "header"}


def test_no_method_needs_a_key_otherwise():
    for place, said in methods(api(RequireApiKey="false")).items():
        assert "security" not in said, place


def test_an_event_could_not_have_said_so():
    """Why the definition is written out. When this fails, SAM has learnt it."""
    template = load(TEMPLATE)
    del template["Resources"]["ProxyApi"]["Properties"]["DefinitionBody"]
    event = template["Resources"]["ProxyFunction"]["Properties"]["Events"]["AnyPath"]["Properties"]
    event["Auth"] = {"ApiKeyRequired": {"Fn::If": ["KeyRequired", True, False]}}
    body = only(deployed(template, RequireApiKey="false"), "AWS::ApiGateway::RestApi")["Body"]
    assert body["paths"]["/{proxy+}"][ANY]["security"] == [{"api_key": []}]


# ---- limits

@pytest.mark.parametrize("name", ["dev", "prod"])
def test_everybody_is_throttled_and_each_key_has_a_plan(name):
    resources = deployed(StageName=name)
    (setting,) = stage(StageName=name)["MethodSettings"]
    assert (setting["ResourcePath"], setting["HttpMethod"]) == ("/*", "*")
    plan = only(resources, "AWS::ApiGateway::UsagePlan")
    assert 0 < plan["Throttle"]["RateLimit"] <= setting["ThrottlingRateLimit"]
    assert 0 < plan["Throttle"]["BurstLimit"] <= setting["ThrottlingBurstLimit"]
    assert plan["Quota"]["Limit"] > 0 and plan["Quota"]["Period"] == "DAY"
    assert plan["ApiStages"] == [{"ApiId": "<ProxyApi>", "Stage": "<ProxyApiStage>"}]
    assert only(resources, "AWS::ApiGateway::UsagePlanKey")["KeyId"] == "<ProxyApiApiKey>"


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_the_stage_is_named_as_asked(name):
    assert stage(StageName=name)["StageName"] == name


def test_the_gateway_waits_longer_than_the_function():
    assert only(deployed(), "AWS::Lambda::Function")["Timeout"] < 29


# ---- secrets

def statements(**parameters):
    role = only(deployed(**parameters), "AWS::IAM::Role")
    assert "ManagedPolicyArns" not in role
    (policy,) = role["Policies"]
    return {each["Sid"]: each for each in policy["PolicyDocument"]["Statement"]}


def test_the_role_reads_the_secrets_of_the_file_and_no_other():
    prefix = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:"
    may = statements()["TheSecretsOfTheFile"]
    assert may["Action"] == "secretsmanager:GetSecretValue"
    assert set(may["Resource"]) == {f"{prefix}{name}-??????" for name in secret_ids()}


def test_the_role_may_do_nothing_else():
    actions = {sid: each["Action"] for sid, each in statements().items() if sid != "TheSecretsOfTheFile"}
    assert actions == {
        "OneRoundTrip": "secretsmanager:BatchGetSecretValue",
        "ItsOwnLog": ["logs:CreateLogStream", "logs:PutLogEvents"],
    }
    assert statements()["ItsOwnLog"]["Resource"] == "<ProxyLog.Arn>"


def test_a_key_of_ones_own_opens_only_through_secrets_manager():
    key = "arn:aws:kms:eu-west-1:123456789012:key/k"
    may = statements(SecretsKeyArn=key)["OnlyForSecretsManager"]
    assert (may["Action"], may["Resource"]) == ("kms:Decrypt", key)
    assert may["Condition"]["StringEquals"]["kms:ViaService"] == "secretsmanager.eu-west-1.amazonaws.com"


def test_a_boundary_is_kept_where_one_is_given():
    assert "PermissionsBoundary" not in only(deployed(), "AWS::IAM::Role")
    role = only(deployed(PermissionsBoundary="arn:aws:iam::1:policy/b"), "AWS::IAM::Role")
    assert role["PermissionsBoundary"] == "arn:aws:iam::1:policy/b"


@pytest.mark.parametrize("path", [TEMPLATE, *INFRA, ROOT / "samconfig.toml"], ids=lambda path: path.name)
def test_no_template_opens_the_door_for_laptops(path):
    assert not re.search("COUNTERSIGN_LOCAL|SECRETS_FILE", path.read_text())


# ---- logs

def test_every_log_group_ends_and_none_ends_with_the_stack():
    resources = deployed(LogRetentionDays=30)
    groups = {name: each for name, each in resources.items() if each["Type"] == "AWS::Logs::LogGroup"}
    assert set(groups) == {"ProxyLog", "AccessLog"}
    for name, group in groups.items():
        assert group["Properties"]["RetentionInDays"] == 30, name
        assert group["DeletionPolicy"].startswith("Retain"), name
    assert only(resources, "AWS::Lambda::Function")["LoggingConfig"]["LogGroup"] == "<ProxyLog>"
    assert stage()["AccessLogSetting"]["DestinationArn"] == "<AccessLog.Arn>"


def test_leaks_are_counted_where_the_records_are():
    leaks = of_type(deployed(StageName="prod"), "AWS::Logs::MetricFilter")["Leaks"]
    assert leaks["LogGroupName"] == "<ProxyLog>"
    # As the record has it: docs/record.schema.json.
    assert leaks["FilterPattern"] == "{ $.unmapped.leak IS TRUE || $.record.unmapped.leak IS TRUE }"
    (metric,) = leaks["MetricTransformations"]
    assert (metric["MetricNamespace"], metric["MetricName"], metric["MetricValue"]) == ("Countersign/prod", "Leaks", "1")


# As `src/proxy/renew.rs` and `src/trail/delivery.rs` write them, and the format of the access log above.
WAKING = {
    "Alarms": ("<ProxyLog>", '{ $.type = "alarm" }'),
    "Undelivered": ("<ProxyLog>", '{ $.type = "undelivered" }'),
    "Throttled": ("<AccessLog>", '{ $.error_type = "THROTTLED" || $.error_type = "QUOTA_EXCEEDED" }'),
}


@pytest.mark.parametrize("name", WAKING)
def test_lines_that_should_wake_somebody_are_counted(name):
    found = of_type(deployed(), "AWS::Logs::MetricFilter")[name]
    assert (found["LogGroupName"], found["FilterPattern"]) == WAKING[name]
    assert '"error_type":"$context.error.responseType"' in stage()["AccessLogSetting"]["Format"]


@pytest.mark.parametrize("group", ["", "audit/countersign-dev"])
def test_the_function_is_told_of_the_trail_that_it_may_write(group):
    variables = only(deployed(AuditLogGroup=group), "AWS::Lambda::Function")["Environment"]["Variables"]
    assert variables["COUNTERSIGN_AUDIT_LOG_GROUP"] == group
    assert ("TheTrail" in statements(AuditLogGroup=group)) == bool(group)


def test_no_log_holds_headers_or_bodies():
    (setting,) = stage()["MethodSettings"]
    assert setting["DataTraceEnabled"] is False
    assert setting["LoggingLevel"] == "OFF"


@pytest.mark.parametrize("value", ["-", "value", "203.0.113.7", "GET"])
def test_the_access_log_is_one_line_of_json(value):
    line = re.sub(r"\$context\.[A-Za-z.]+", value, stage()["AccessLogSetting"]["Format"])
    assert "\n" not in line and "$" not in line
    assert set(json.loads(line).values()) == {value}


def test_the_access_log_fits_and_says_who_but_holds_no_key():
    text = stage()["AccessLogSetting"]["Format"]
    assert len(text.encode()) < 3 * 1024
    for wanted in ("requestId", "identity.sourceIp", "identity.userAgent", "identity.apiKeyId", "authorizer.principalId"):
        assert f'"$context.{wanted}"' in text
    assert '"$context.identity.apiKey"' not in text


# ---- the gateway's own answers

RESPONSES = api()["x-amazon-apigateway-gateway-responses"]
EACH = pytest.mark.parametrize("kind", RESPONSES)


@EACH
def test_a_page_can_read_what_the_gateway_says(kind):
    header = {name.rpartition(".")[2].lower(): value for name, value in RESPONSES[kind]["responseParameters"].items()}
    assert header["access-control-allow-origin"] == "'https://app.example.com'"
    assert header["vary"] == "'Origin'"
    assert header["content-type"] == "'application/problem+json'"
    if RESPONSES[kind].get("statusCode") == "429":
        assert re.fullmatch(r"'\d+'", header["retry-after"])
        assert header["access-control-expose-headers"] == "'Retry-After'"


@EACH
def test_the_gateway_says_it_as_a_problem(kind):
    (text,) = RESPONSES[kind]["responseTemplates"].values()
    text = text.replace("$context.error.messageString", '"Forbidden"').replace("$context.requestId", "r-1")
    problem = json.loads(text)
    assert {"type", "title", "detail", "code", "request_id"} <= set(problem)
    assert problem["type"] == f"urn:countersign:problem:{problem['code']}"
    assert str(problem.get("status", "")) == RESPONSES[kind].get("statusCode", "")


def test_the_gateway_uses_the_codes_of_the_proxy():
    status = {kind: (said.get("statusCode"), code_of(said)) for kind, said in RESPONSES.items()}
    assert status == {
        "DEFAULT_4XX": (None, "gateway_refused"),
        "DEFAULT_5XX": ("500", "internal"),
        "INVALID_API_KEY": ("403", "caller_not_allowed"),
        "REQUEST_TOO_LARGE": ("413", "body_too_large"),
        "THROTTLED": ("429", "rate_limited"),
        "QUOTA_EXCEEDED": ("429", "rate_limited"),
        "INTEGRATION_TIMEOUT": ("504", "upstream_timeout"),
    }


def code_of(response):
    return re.search('"code":"([a-z_]+)"', *response["responseTemplates"].values())[1]


def test_the_page_of_the_gateway_is_a_page_of_the_proxy():
    origins = config()["cors"]["origins"]
    assert load(TEMPLATE)["Parameters"]["AllowedOrigin"]["Default"] in origins


# ---- building and deploying

@pytest.mark.parametrize("environment", ["default", "dev", "prod"])
def test_sam_build_zips_the_binary_and_the_file_without_copying_the_source(tmp_path, environment):
    """With a stand-in for cargo: the real one is asked elsewhere, once."""
    cargo = tmp_path / "bin" / "cargo"
    cargo.parent.mkdir()
    cargo.write_text(
        '#!/bin/sh\nmkdir -p "$CARGO_TARGET_DIR/lambda/proxy"\n'
        'pwd > "$CARGO_TARGET_DIR/lambda/proxy/bootstrap"\necho "$@" > "$CARGO_TARGET_DIR/arguments"\n'
    )
    cargo.chmod(0o755)
    path = f"{cargo.parent}:{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    target = tmp_path / "target"
    result = run(
        "sam", "build", "--config-env", environment, "--build-dir", tmp_path / "build",
        PATH=path, CARGO_TARGET_DIR=str(target),
    )
    assert result.returncode == 0, result.stderr
    built = tmp_path / "build" / "ProxyFunction"
    assert {each.name for each in built.iterdir()} == {"bootstrap", "countersign.yaml"}
    assert (built / "bootstrap").read_text().strip() == str(ROOT)
    default = load(TEMPLATE)["Parameters"]["Architecture"]["Default"]
    assert ("--arm64" in (target / "arguments").read_text()) == (default == "arm64")


def test_each_stage_has_a_stack_of_its_own():
    settings = tomllib.loads((ROOT / "samconfig.toml").read_text())
    for name, wanted in (("default", "dev"), ("dev", "dev"), ("prod", "prod")):
        common, deploy = (settings[name][command]["parameters"] for command in ("global", "deploy"))
        assert common["stack_name"] == deploy["s3_prefix"] == f"countersign-{wanted}"
        assert f"StageName={wanted}" in common["parameter_overrides"].split()
        assert settings[name]["build"]["parameters"]["build_in_source"] is True
        assert settings[name]["validate"]["parameters"]["lint"] is True
        assert (deploy["resolve_s3"], deploy["capabilities"]) == (True, "CAPABILITY_IAM")
    # A stage that people rely on keeps its records where nobody deletes them.
    trail = only(filled(ROOT / "infra" / "observability.yaml", ProxyStack="countersign-prod"), "AWS::Logs::LogGroup")
    assert f"AuditLogGroup={trail['LogGroupName']}" in settings["prod"]["global"]["parameters"]["parameter_overrides"]


def test_the_template_can_be_read_in_one_sitting():
    assert len(TEMPLATE.read_text().splitlines()) < 290


# ---- what lives longer

def test_the_vault_holds_the_secrets_of_the_file_without_their_values():
    resources = filled(ROOT / "infra" / "secrets.yaml")
    secrets = of_type(resources, "AWS::SecretsManager::Secret")
    assert {each["Name"] for each in secrets.values()} == secret_ids()
    for name, each in secrets.items():
        assert not {"SecretString", "GenerateSecretString"} & set(each), name
        assert resources[name]["DeletionPolicy"] == resources[name]["UpdateReplacePolicy"] == "Retain"


def test_only_one_environment_of_one_repository_becomes_the_deploy_role():
    roles = of_type(filled(ROOT / "infra" / "github-oidc.yaml", Subject="repo:me/it", StageName="prod"), "AWS::IAM::Role")
    (trust,) = roles["DeployRole"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert trust["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": "repo:me/it:environment:prod",
        }
    }


def test_no_deployment_makes_a_role_beyond_the_boundary():
    roles = of_type(filled(ROOT / "infra" / "github-oidc.yaml", Subject="repo:me/it"), "AWS::IAM::Role")
    widening = {"iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"}
    (policy,) = roles["StackRole"]["Policies"]
    for statement in policy["PolicyDocument"]["Statement"]:
        if widening & set(statement["Action"]):
            assert statement["Condition"] == {"StringEquals": {"iam:PermissionsBoundary": "<Boundary>"}}
        assert not {"iam:AttachRolePolicy", "iam:DeleteRolePermissionsBoundary"} & set(statement["Action"])
