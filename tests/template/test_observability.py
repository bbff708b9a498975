"""infra/observability.yaml: nobody is woken by what AWS drops without a word, and no query asks for what no record has."""

import fnmatch
import json
import re

import pytest
from world import ROOT, deployed, filled, load, of_type, only

FILE = ROOT / "infra" / "observability.yaml"
GUIDE = (ROOT / "docs" / "guides" / "observability.md").read_text()
SCHEMA = json.loads((ROOT / "docs" / "record.schema.json").read_text())
STACK = {"StageName": "prod", "ProxyStack": "countersign-prod"}

# What the function says of itself (`src/proxy/audit/metrics.rs`), by which dimensions beside
# `Service`. Each is there by `Service` alone as well.
METRICS = {
    **dict.fromkeys((
        "Requests", "Retries", "ColdStarts", "InitMs", "InitConfigMs", "InitSecretsMs", "SecretRefreshes",
        "SecretHeals", "Leaks", "WouldDeny", "CacheHits", "AuditUndelivered",
    ), set()),
    "Problems": {"Code"},
    "UpstreamMs": {"Upstream"},
    "UpstreamAnswers": {"Upstream", "Class"},
    "Meter. by Caller": {"Caller"},
    "Meter. by Route": {"Route"},
}
# What others say.
GATEWAY = {"ApiName": "countersign-prod", "Stage": "prod"}
FUNCTION = {"FunctionName": "countersign-prod-proxy"}
THEIRS = {
    ("AWS/ApiGateway", "Count"): GATEWAY,
    ("AWS/ApiGateway", "4XXError"): GATEWAY,
    ("AWS/ApiGateway", "5XXError"): GATEWAY,
    ("AWS/Lambda", "Throttles"): FUNCTION,
    ("AWS/Lambda", "Errors"): FUNCTION,
    **{("Countersign/prod", name): {} for name in ("Alarms", "Leaks", "Undelivered", "Throttled")},
}


def stack(**parameters):
    return filled(FILE, **STACK, **parameters)


def trail(**parameters):
    return only(stack(**parameters), "AWS::Logs::LogGroup")


def proxy(**parameters):
    return deployed(**{"StageName": "prod", "AWS::StackName": "countersign-prod", **parameters})


def is_known(namespace, name, dimensions):
    if namespace == "Countersign":
        return name in METRICS and dimensions == {"Service": "countersign-prod-proxy"}
    return THEIRS[namespace, name] == dimensions


# ---- the trail

def test_the_trail_stays_whatever_becomes_of_the_stack():
    resources = stack(RetentionDays=3653)
    group = resources["Trail"]["Properties"]
    assert (group["LogGroupName"], group["RetentionInDays"]) == ("audit/countersign-prod", 3653)
    assert group["DeletionProtectionEnabled"] is True
    for name in ("Trail", "TrailKey"):
        assert resources[name]["DeletionPolicy"] == resources[name]["UpdateReplacePolicy"] == "Retain", name


def test_the_role_that_deploys_cannot_delete_the_trail_and_the_function_can_write_it():
    resources = filled(ROOT / "infra" / "github-oidc.yaml", Subject="repo:a/b", StageName="prod")
    (policy,) = of_type(resources, "AWS::IAM::Role")["StackRole"]["Policies"]
    (boundary,) = of_type(resources, "AWS::IAM::ManagedPolicy").values()
    group = f"arn:aws:logs:eu-west-1:123456789012:log-group:{trail()['LogGroupName']}"

    def allowed(document, action, arn):
        return any(
            fnmatch.fnmatch(arn, resource)
            for each in document["Statement"] if action in each["Action"]
            for resource in ([each["Resource"]] if isinstance(each["Resource"], str) else each["Resource"])
        )
    for action in ("logs:DeleteLogGroup", "logs:DeleteRetentionPolicy", "logs:PutRetentionPolicy"):
        assert not allowed(policy["PolicyDocument"], action, group), action
        assert not allowed(policy["PolicyDocument"], action, f"{group}:*"), action
    for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
        assert allowed(boundary["PolicyDocument"], action, f"{group}:log-stream:s"), action


def test_the_proxy_writes_where_the_trail_is():
    resources = proxy(AuditLogGroup=trail()["LogGroupName"])
    (policy,) = only(resources, "AWS::IAM::Role")["Policies"]
    may = {each["Sid"]: each for each in policy["PolicyDocument"]["Statement"]}["TheTrail"]
    assert may["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert may["Resource"] == "arn:aws:logs:eu-west-1:123456789012:log-group:audit/countersign-prod:*"
    assert only(resources, "AWS::Lambda::Function")["FunctionName"] == "countersign-prod-proxy"


def test_the_key_opens_for_this_group_and_for_alarms_of_this_stack():
    statements = {each["Sid"]: each for each in only(stack(), "AWS::KMS::Key")["KeyPolicy"]["Statement"]}
    logs = statements["CloudWatchLogsForThisGroup"]
    assert logs["Principal"] == {"Service": "logs.eu-west-1.amazonaws.com"}
    arn = "arn:aws:logs:eu-west-1:123456789012:log-group:audit/countersign-prod"
    assert logs["Condition"] == {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": arn}}
    assert {"kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*"} <= set(logs["Action"])
    assert trail()["KmsKeyId"] == "<TrailKey.Arn>"


def test_a_key_of_ones_own_takes_the_place_of_ours():
    arn = "arn:aws:kms:eu-west-1:123456789012:key/k"
    assert trail(KmsKeyArn=arn)["KmsKeyId"] == only(stack(KmsKeyArn=arn), "AWS::SNS::Topic")["KmsMasterKeyId"] == arn
    assert load(FILE)["Resources"]["TrailKey"]["Condition"] == "OwnKey"


# ---- the second net

def policy():
    return trail()["DataProtectionPolicy"]


def test_what_is_counted_is_masked():
    count, mask = policy()["Statement"]
    assert count["DataIdentifier"] == mask["DataIdentifier"]
    assert count["Operation"] == {"Audit": {"FindingsDestination": {}}}
    assert mask["Operation"] == {"Deidentify": {"MaskConfig": {}}}
    custom = [each["Name"] for each in policy()["Configuration"]["CustomDataIdentifier"]]
    assert set(custom) == {each for each in mask["DataIdentifier"] if not each.startswith("arn:")}


def test_aws_takes_the_patterns():
    """Its limits: ten, of 200 characters, of these alone. A bracket for a group is none of them."""
    custom = policy()["Configuration"]["CustomDataIdentifier"]
    assert len(custom) <= 10
    for each in custom:
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,128}", each["Name"])
        assert re.fullmatch(r"[A-Za-z0-9_#=@/;, ^$?\[\]{}|\\*+.-]{1,200}", each["Regex"]), each


@pytest.mark.parametrize(("text", "name"), [
    ("ghp_" + "a1" * 18, "GitHubToken"),
    ("github_pat_" + "a_" * 41, "GitHubFineGrainedToken"),
    ("sk_live_" + "a1" * 12, "StripeKey"),
    ("rk_test_" + "a1" * 12, "StripeKey"),
    ("xoxb-" + "1-" * 10, "SlackToken"),
    (".".join(["eyJ" + "a" * 17] * 3), "SignedToken"),
    # What records do hold: hashes, ids, names.
    ('"value":"' + "0f" * 32 + '"', None),
    ('{"chain_uid":"2026/11/22/[$LATEST]0123456789abcdef0123456789abcdef/0123456789abcdef"}', None),
    ('{"name":"github.token","type":"secret","version":"6f0c1e2d-8b7a-4d35-9e60-1a2b3c4d5e6f"}', None),
])
def test_the_patterns_find_tokens_and_leave_records_alone(text, name):
    patterns = policy()["Configuration"]["CustomDataIdentifier"]
    assert [each["Name"] for each in patterns if re.search(each["Regex"], text)] == ([name] if name else [])


# ---- who is woken

ALARMS = of_type(stack(), "AWS::CloudWatch::Alarm")


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_watches_what_is_measured_and_wakes_somebody(name):
    alarm = ALARMS[name]
    assert alarm["AlarmActions"] == ["<Topic>"] and alarm["TreatMissingData"] == "notBreaching"
    assert alarm["AlarmDescription"]
    measured = [each["MetricStat"]["Metric"] for each in alarm.get("Metrics", []) if "MetricStat" in each]
    if "MetricName" in alarm:
        measured.append(alarm)
    for each in measured:
        dimensions = {one["Name"]: one["Value"] for one in each.get("Dimensions", [])}
        assert is_known(each["Namespace"], each["MetricName"], dimensions), each
    if not measured:
        assert "LogGroupName = 'audit/countersign-prod'" in alarm["Metrics"][0]["Expression"]


def test_what_may_publish_is_what_the_alarms_are_called():
    """An alarm of another name would be dropped, by the key or by the topic, and nobody would know."""
    anchors = filled(ROOT / "infra" / "audit-anchor.yaml", ProxyStack="countersign-prod", **{"AWS::StackName": "else"})
    names = [each["AlarmName"] for each in [*ALARMS.values(), *of_type(anchors, "AWS::CloudWatch::Alarm").values()]]
    assert len(names) == len(set(names)) == 10
    (topic,) = only(stack(), "AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    key = only(stack(), "AWS::KMS::Key")["KeyPolicy"]["Statement"][-1]
    for door in (topic, key):
        assert door["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
        assert door["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"}
        pattern = door["Condition"]["ArnLike"]["aws:SourceArn"]
        for name in names:
            assert fnmatch.fnmatch(f"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{name}", pattern), name


WAITED_FOR = {"SecretAlarm": "Alarms", "UndeliveredAlarm": "Undelivered", "ThrottledAlarm": "Throttled", "LeakAlarm": "Leaks"}


@pytest.mark.parametrize("alarm", WAITED_FOR)
def test_what_an_alarm_waits_for_is_counted_also_where_metrics_are_turned_off(alarm):
    counted = {}
    for resources in (proxy(), stack()):
        for each in of_type(resources, "AWS::Logs::MetricFilter").values():
            (metric,) = each["MetricTransformations"]
            counted.setdefault((metric["MetricNamespace"], metric["MetricName"]), []).append(each["LogGroupName"])
    waits = (ALARMS[alarm]["Namespace"], ALARMS[alarm]["MetricName"])
    assert waits == ("Countersign/prod", WAITED_FOR[alarm])
    # Records are in one of two groups.
    groups = {"Leaks": ["<ProxyLog>", "<Trail>"], "Throttled": ["<AccessLog>"]}
    assert counted[waits] == groups.get(WAITED_FOR[alarm], ["<ProxyLog>"])


# ---- what one looks at

def widgets():
    body = only(stack(), "AWS::CloudWatch::Dashboard")["DashboardBody"]
    return json.loads(body.replace("${!", "${"))["widgets"]


def test_the_dashboard_has_a_place_for_everything():
    taken = set()
    for each in widgets():
        cells = {(x, y) for x in range(each["x"], each["x"] + each["width"]) for y in range(each["y"], each["y"] + each["height"])}
        assert max(x for x, _ in cells) < 24 and not cells & taken, each["properties"]["title"]
        taken |= cells
    assert widgets()[0]["properties"]["alarms"] == [f"<{name}.Arn>" for name in ALARMS]


def test_the_dashboard_shows_what_is_measured_and_all_of_it():
    shown = set()
    for row in (row for each in widgets() for row in each["properties"].get("metrics", [])):
        if isinstance(row[0], dict):
            shown.add(searched(row[0]))
            continue
        namespace, name, *rest = (each for each in row if isinstance(each, str))
        assert is_known(namespace, name, dict(zip(rest[::2], rest[1::2], strict=True))), row
        shown.add(name)
    # Undelivered records are shown as the alarm counts them, which it does without metrics too.
    assert set(METRICS) - {"AuditUndelivered"} <= shown


def searched(row):
    """The metric of a SEARCH. Its braces name a namespace and exactly the dimensions, or nothing is found."""
    found = re.fullmatch(
        r"SEARCH\('\{Countersign,([\w,]+)\} (?:MetricName=\"(\w+)\" )?Service=\"countersign-prod-proxy\"', '\w+', \d+\)",
        row["expression"],
    )
    # Meters have names of the configuration, and are told by their dimensions.
    name = found[2] or f"Meter. by {found[1].removesuffix(',Service')}"
    assert set(found[1].split(",")) == METRICS[name] | {"Service"}, row
    assert set(re.findall(r"PROP\('Dim\.(\w+)'\)", row["label"])) == METRICS[name]
    return name


# ---- what one asks

QUERIES = {
    **{name: each["QueryString"] for name, each in of_type(stack(), "AWS::Logs::QueryDefinition").items()},
    "dashboard": next(each["properties"]["query"] for each in widgets() if each["type"] == "log"),
}


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_asks_for_fields_that_records_have(name):
    text = re.sub(r"SOURCE '[^']+'", "", QUERIES[name])
    fields = set(re.findall(r"\b[a-z_]+(?:\.[a-z0-9_{}]+)+", text)) | set(re.findall(r"\b(?:status|class)_\w+", text))
    assert fields
    for field in fields - {"unmapped.meters.{{meter}}"}:
        assert has(SCHEMA, field.split(".")), field


def has(schema, path):
    """Whether a record may have a value at a path."""
    if "$ref" in schema:
        return has(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], path)
    if not path:
        return True
    inner = schema.get("items") if path[0].isdigit() else schema.get("properties", {}).get(path[0])
    options = schema.get("anyOf", []) + schema.get("oneOf", [])
    return bool(inner and has(inner, path[1:])) or any(has(each, path) for each in options)


def test_a_query_looks_into_the_trail_and_names_its_parameters():
    for name, each in of_type(stack(), "AWS::Logs::QueryDefinition").items():
        assert each["LogGroupNames"] == ["<Trail>"], name
        assert set(re.findall(r"\{\{(\w+)\}\}", each["QueryString"])) == {one["Name"] for one in each.get("Parameters", [])}


# ---- the guide

def test_the_guide_names_every_metric_alarm_and_query():
    resources = stack()
    queries = [each["Name"].partition("/")[2] for each in of_type(resources, "AWS::Logs::QueryDefinition").values()]
    alarms = [each["AlarmName"].removeprefix("countersign-prod-") for each in ALARMS.values()]
    for name in [*METRICS, *alarms, *queries]:
        assert f"`{name.partition('. by')[0]}" in GUIDE, name


def test_the_policy_of_the_guide_forbids_all_that_ends_a_trail():
    """An organization's policy: the only thing that binds an account's own administrators."""
    (text,) = re.findall(r"```json\n(\{\s*\"Version\".*?)```", GUIDE, re.S)
    ends, writes, _ = json.loads(text)["Statement"]
    assert ends["Effect"] == writes["Effect"] == "Deny"
    assert {
        "logs:DeleteLogGroup", "logs:DeleteLogStream", "logs:PutRetentionPolicy", "logs:DeleteRetentionPolicy",
        "logs:PutLogGroupDeletionProtection", "logs:AssociateKmsKey", "logs:DisassociateKmsKey",
        "logs:PutDataProtectionPolicy", "logs:DeleteDataProtectionPolicy",
    } == set(ends["Action"])
    assert set(writes["Action"]) == {"logs:CreateLogStream", "logs:PutLogEvents"}
    group = "arn:aws:logs:eu-west-1:123456789012:log-group:audit/countersign-prod"
    for arn in (group, f"{group}:*", f"{group}:log-stream:s", f"{group}/anchors:log-stream:1"):
        assert fnmatch.fnmatch(arn, ends["Resource"]) and fnmatch.fnmatch(arn, writes["Resource"]), arn
