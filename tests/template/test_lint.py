"""Linters, on what is written and on what SAM makes of it."""

import json

import parliament
import pytest
from world import INFRA, TEMPLATE, deployed, filled, of_type, run, translate

# What SAM itself writes, and we cannot: a DependsOn beside a Ref, an Fn::Sub without a variable.
SAMS_OWN = "W3005,W1020"
# WS1000, WS2002: X-Ray is off on purpose (template.yaml says why).
# WS1004: looks for a log group named after the function; ours is named by LoggingConfig.
WAIVED = "WS1000,WS1004,WS2002"


def passes(result):
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("environment", ["default", "dev", "prod"])
def test_sam_validate_lint_passes(environment):
    passes(run("sam", "validate", "--lint", "--config-env", environment))


@pytest.mark.parametrize("path", [TEMPLATE, *INFRA], ids=lambda path: path.name)
def test_cfn_lint_passes_on_what_is_written(path):
    passes(run("cfn-lint", path))


@pytest.mark.parametrize("streaming", ["true", "false"])
@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_cfn_lint_passes_on_what_sam_makes_of_it(tmp_path, stage, streaming):
    translated = tmp_path / "translated.json"
    translated.write_text(json.dumps(translate(StageName=stage, Streaming=streaming)))
    passes(run("cfn-lint", "--ignore-checks", SAMS_OWN, "--", translated))


def test_the_serverless_rules_pass():
    passes(run("cfn-lint", "-a", "cfn_lint_serverless.rules", "-i", WAIVED, "--", TEMPLATE))


def policies():
    key = "arn:aws:kms:eu-west-1:123456789012:key/k"
    hook = "arn:aws:lambda:eu-west-1:123456789012:function:hook"
    worlds = {"template.yaml": deployed(SecretsKeyArn=key, AuditLogGroup="audit/countersign-dev")}
    worlds |= {path.name: filled(path, Subject="repo:a/b", KmsKeyArn=key, HookArn=hook, BucketDays=30) for path in INFRA}
    for file, resources in worlds.items():
        for name, role in of_type(resources, "AWS::IAM::Role").items():
            for policy in role.get("Policies", []):
                yield pytest.param(policy["PolicyDocument"], id=f"{file}-{name}")
        for name, policy in of_type(resources, "AWS::IAM::ManagedPolicy").items():
            yield pytest.param(policy["PolicyDocument"], id=f"{file}-{name}")


# What it does not know: the ARN of a transform has `aws` for an account, and AWS's
# own manual compares iam:PermissionsBoundary as a string.
UNKNOWN_TO_PARLIAMENT = ("aws:transform/Serverless-2016-10-31", "MISMATCHED_TYPE_BUT_USABLE")
ARNS = {
    "<ProxyLog.Arn>": "arn:aws:logs:eu-west-1:123456789012:log-group:g:*",
    "<StackRole.Arn>": "arn:aws:iam::123456789012:role/r",
    "<Boundary>": "arn:aws:iam::123456789012:policy/b",
    "<Bucket>": "bucket",
    "<Log.Arn>": "arn:aws:logs:eu-west-1:123456789012:log-group:g:*",
}


@pytest.mark.parametrize("policy", list(policies()))
def test_parliament_has_nothing_to_say_about_a_policy(policy):
    text = json.dumps(policy)
    for placeholder, arn in ARNS.items():
        text = text.replace(placeholder, arn)
    findings = [str(finding) for finding in parliament.analyze_policy_string(text).findings]
    assert [each for each in findings if not any(known in each for known in UNKNOWN_TO_PARLIAMENT)] == []
