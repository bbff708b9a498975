"""The function of infra/rotation.yaml, step by step, against moto's Secrets Manager."""

import importlib.util
import json
import traceback
import uuid

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.secretsmanager.models import secretsmanager_backends
from world import ROOT, filled, load, of_type

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
NAME = "countersign/internal"

spec = importlib.util.spec_from_file_location("rotate", ROOT / "infra" / "rotation" / "rotate.py")
rotate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(rotate)


@pytest.fixture
def manager(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    with mock_aws():
        yield boto3.client("secretsmanager", region_name="eu-west-1")


class Provider:
    """A hook that remembers what it was called with, and fails where it is told to."""

    def __init__(self, fails="", makes=None):
        self.fails, self.makes, self.calls = fails, makes, []

    def call(self, step, secret, token):
        self.calls.append({"Step": step, "SecretId": secret, "ClientRequestToken": token})
        if step == self.fails:
            raise RuntimeError(f"the hook failed in {step}")
        if step == "createSecret" and self.makes:
            self.makes(secret, token)


def begin():
    """What Secrets Manager does before it calls the function. moto does it only where it
    can run a function in a container, so this goes through moto's back door."""
    token = str(uuid.uuid4())
    secret = secretsmanager_backends["123456789012"]["eu-west-1"].secrets[NAME]
    secret.versions[token] = {"createdate": 0, "version_id": token, "version_stages": ["AWSPENDING"]}
    secret.rotation_requested = secret.rotation_enabled = True
    return token


def rotation(manager, hook=None, field="", prefix="int_"):
    return rotate.Rotation(manager, hook, rotate.Shape(field, prefix, 40))


def value(manager, stage="AWSCURRENT"):
    # Without a label moto gives the first version, whatever was moved since.
    return manager.get_secret_value(SecretId=NAME, VersionStage=stage)["SecretString"]


def test_four_steps_make_a_new_key_and_keep_the_old_one_as_the_previous(manager):
    manager.create_secret(Name=NAME, SecretString="int_" + "o" * 40)
    token = begin()
    for step in STEPS:
        before = value(manager)
        rotation(manager).run(step, NAME, token)
        assert (value(manager) != before) == (step == "finishSecret"), step
    assert value(manager).startswith("int_") and len(value(manager)) == 44
    assert value(manager, "AWSPREVIOUS") == "int_" + "o" * 40
    # One that was finished is not made again.
    current = value(manager)
    for step in STEPS:
        rotation(manager).run(step, NAME, token)
    assert value(manager) == current


def test_a_step_that_is_tried_again_makes_no_second_key(manager):
    manager.create_secret(Name=NAME, SecretString="int_" + "o" * 40)
    token = begin()
    rotation(manager).run("createSecret", NAME, token)
    made = value(manager, "AWSPENDING")
    rotation(manager).run("createSecret", NAME, token)
    assert value(manager, "AWSPENDING") == made


def test_the_other_fields_of_a_secret_stay(manager):
    manager.create_secret(Name=NAME, SecretString=json.dumps({"user": "me", "key": "old", "n": [1, "é"]}))
    token = begin()
    for step in STEPS:
        rotation(manager, field="key").run(step, NAME, token)
    fields = json.loads(value(manager))
    assert fields.pop("key") not in ("old", "") and fields == {"user": "me", "n": [1, "é"]}


@pytest.mark.parametrize("fails", STEPS[:3])
def test_a_hook_that_fails_leaves_the_old_key_in_use(manager, fails):
    manager.create_secret(Name=NAME, SecretString="int_" + "o" * 40)
    token, hook = begin(), Provider(fails=fails)
    with pytest.raises(RuntimeError, match=fails):
        for step in STEPS:
            rotation(manager, hook).run(step, NAME, token)
    assert value(manager) == "int_" + "o" * 40
    assert hook.calls[-1] == {"Step": fails, "SecretId": NAME, "ClientRequestToken": token}
    assert "oooo" not in json.dumps(hook.calls)


def test_a_provider_may_make_the_key(manager):
    manager.create_secret(Name=NAME, SecretString="sk_old")

    def makes(secret, token):
        manager.put_secret_value(
            SecretId=secret, ClientRequestToken=token, SecretString="sk_new", VersionStages=["AWSPENDING"])

    token, hook = begin(), Provider(makes=makes)
    for step in STEPS:
        rotation(manager, hook).run(step, NAME, token)
    assert value(manager) == "sk_new" and [each["Step"] for each in hook.calls] == list(STEPS[:3])


@pytest.mark.parametrize("broken", ["int_" + "o" * 40, "", "int_short", "int_" + "ö" * 40, "o" * 44, "int_" + "n" * 41])
def test_a_key_that_is_none_of_ours_never_becomes_current(manager, broken):
    manager.create_secret(Name=NAME, SecretString="int_" + "o" * 40)
    token = begin()
    rotation(manager).run("createSecret", NAME, token)
    spoiled = rotation(manager)
    spoiled.read = lambda secret, stage, token=None: broken if token else value(manager)
    with pytest.raises(ValueError, match="new version of the secret") as raised:
        for step in STEPS[2:]:
            spoiled.run(step, NAME, token)
    assert not broken or broken not in str(raised.value)
    assert value(manager) == "int_" + "o" * 40


@pytest.mark.parametrize("pending", [None, "int_" + "o" * 40])
def test_the_call_that_only_tries_whether_we_can_be_called_is_answered(manager, pending):
    """Secrets Manager runs testSecret alone where a rotation is set up and not started."""
    manager.create_secret(Name=NAME, SecretString="int_" + "o" * 40)
    token, hook = begin(), Provider()
    if pending:
        manager.put_secret_value(
            SecretId=NAME, ClientRequestToken=token, SecretString=pending, VersionStages=["AWSPENDING"])
    for each in (None, hook):
        rotation(manager, each).run("testSecret", NAME, token)
        with pytest.raises(ValueError, match="holds no new key"):
            rotation(manager, each).run("finishSecret", NAME, token)
    assert not hook.calls and value(manager) == "int_" + "o" * 40


@pytest.mark.parametrize("text", ["no json: canary-1", '["canary-1"]', '"canary-1"'])
def test_a_secret_that_has_no_fields_is_not_shown_in_the_error(manager, text):
    manager.create_secret(Name=NAME, SecretString=text)
    token = begin()
    with pytest.raises(ValueError, match="no JSON object") as raised:
        rotation(manager, field="key").run("createSecret", NAME, token)
    shown = "".join(traceback.format_exception(raised.value))
    assert "canary-1" not in shown and value(manager) == text


def test_only_a_version_that_is_being_made_is_touched(manager):
    manager.create_secret(Name=NAME, SecretString="int_" + "o" * 40)
    with pytest.raises(ValueError, match="not to be rotated"):
        rotation(manager).run("createSecret", NAME, "t")
    token = begin()
    with pytest.raises(ValueError, match="not known"):
        rotation(manager).run("createSecret", NAME, str(uuid.uuid4()))
    with pytest.raises(ValueError, match="none of the four steps"):
        rotation(manager).run("deleteSecret", NAME, token)


def test_a_refusal_of_secrets_manager_is_not_taken_for_an_empty_secret():
    class Refusing:
        def get_secret_value(self, **_):
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetSecretValue")

    with pytest.raises(ClientError):
        rotation(Refusing()).read(NAME, "AWSCURRENT")


def test_the_door_says_what_the_template_says(manager, monkeypatch):
    properties = load(ROOT / "infra" / "rotation.yaml")["Resources"]["Rotate"]["Properties"]
    assert properties["Handler"] == "rotate.handler" and properties["Runtime"] == "python3.13"
    assert set(properties["Environment"]["Variables"]) == {"FIELD", "PREFIX", "LENGTH", "HOOK"}
    manager.create_secret(Name=NAME, SecretString="{}")
    token = begin()
    for name, text in {"FIELD": "key", "PREFIX": "p_", "LENGTH": "32", "HOOK": ""}.items():
        monkeypatch.setenv(name, text)
    for step in STEPS:
        rotate.handler({"Step": step, "SecretId": NAME, "ClientRequestToken": token}, None)
    assert len(json.loads(value(manager))["key"]) == 34


def test_the_role_reaches_one_secret_and_only_through_its_own_function():
    resources = filled(ROOT / "infra" / "rotation.yaml", SecretName="countersign/x", **{"AWS::StackName": "rotate-x"})
    (role,) = of_type(resources, "AWS::IAM::Role").values()
    (policy,) = role["Policies"]
    first, log = policy["PolicyDocument"]["Statement"]
    assert first["Resource"].endswith(":secret:countersign/x-??????")
    assert first["Condition"] == {"StringEquals": {
        "secretsmanager:resource/AllowRotationLambdaArn": "arn:aws:lambda:eu-west-1:123456789012:function:rotate-x"}}
    assert resources["Rotate"]["Properties"]["FunctionName"] == "rotate-x"
    assert log["Resource"] == "<Log.Arn>"
    (permission,) = of_type(resources, "AWS::Lambda::Permission").values()
    assert permission["SourceArn"] == first["Resource"] and permission["SourceAccount"] == "123456789012"
