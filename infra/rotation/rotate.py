"""Rotates a key of our own: a random value that no provider has to be asked for.

Secrets Manager calls this once for each of four steps, again where a step
failed, and each may run more than once. The new value is made under the label
AWSPENDING, which Countersign never reads; the last step moves AWSCURRENT to it,
all at once. Whatever fails before leaves the old value in use.

A hook, another function of yours, does what a provider asks for: it makes the
provider accept the new value, tries it, or has the provider make it. No value is
ever in an event, a message or a log: the hook reads the secret by itself.
"""

import json
import os
import secrets
import string

import boto3
from botocore.exceptions import ClientError

ALPHABET = string.ascii_letters + string.digits


def handler(event, _context):
    """The door: Secrets Manager's event, and its environment."""
    rotation = Rotation(
        manager=boto3.client("secretsmanager"),
        hook=Hook(boto3.client("lambda"), os.environ["HOOK"]) if os.environ.get("HOOK") else None,
        shape=Shape(os.environ.get("FIELD", ""), os.environ.get("PREFIX", ""), int(os.environ.get("LENGTH", "40"))),
    )
    rotation.run(event["Step"], event["SecretId"], event["ClientRequestToken"])


class Shape:
    """What a key of ours looks like, and where it stands in the secret."""

    def __init__(self, field, prefix, length):
        self.field, self.prefix, self.length = field, prefix, length

    def renew(self, text):
        """The secret's text with a new key in it. Its other fields stay."""
        key = self.prefix + "".join(secrets.choice(ALPHABET) for _ in range(self.length))
        return json.dumps(self._fields(text) | {self.field: key}) if self.field else key

    def key(self, text):
        """The key that stands in the secret's text; `None` where there is none."""
        return self._fields(text).get(self.field) if self.field else text

    def fits(self, key):
        """Whether a key is one of ours: nothing cut off, nothing beside it."""
        rest = key.removeprefix(self.prefix) if isinstance(key, str) and key.startswith(self.prefix) else ""
        return len(rest) == self.length and set(rest) <= set(ALPHABET)

    @staticmethod
    def _fields(text):
        try:
            fields = json.loads(text or "{}")
        except ValueError:
            fields = None
        if not isinstance(fields, dict):
            # The error's own words would quote the value.
            raise ValueError("the secret is no JSON object, so it has no fields") from None
        return fields


class Hook:
    """A function of yours that knows the provider. It must raise where it fails."""

    def __init__(self, client, name):
        self.client, self.name = client, name

    def call(self, step, secret, token):
        event = {"Step": step, "SecretId": secret, "ClientRequestToken": token}
        answer = self.client.invoke(FunctionName=self.name, Payload=json.dumps(event).encode())
        if answer.get("FunctionError"):
            raise RuntimeError(f"the hook failed in {step}; its own log says why")


class Rotation:
    """The four steps, for one secret."""

    def __init__(self, manager, hook, shape):
        self.manager, self.hook, self.shape = manager, hook, shape

    def run(self, step, secret, token):
        steps = {
            "createSecret": self.create, "setSecret": self.set, "testSecret": self.test, "finishSecret": self.finish,
        }
        if step not in steps:
            raise ValueError("this is none of the four steps of a rotation")
        about = self.manager.describe_secret(SecretId=secret)
        labels = about.get("VersionIdsToStages", {})
        if not about.get("RotationEnabled"):
            raise ValueError("this secret is not to be rotated")
        if token not in labels:
            raise ValueError("this version of the secret is not known")
        if "AWSCURRENT" in labels[token]:
            return  # an earlier try came to its end
        if "AWSPENDING" not in labels[token]:
            raise ValueError("this version of the secret is not the one that is being made")
        steps[step](secret, token, labels)

    def create(self, secret, token, _labels):
        """Makes the new value, unless an earlier try or the hook has made it."""
        if self.hook and self.read(secret, "AWSPENDING", token) is None:
            self.hook.call("createSecret", secret, token)
        if self.read(secret, "AWSPENDING", token) is None:
            made = self.shape.renew(self.read(secret, "AWSCURRENT"))
            self.manager.put_secret_value(
                SecretId=secret, ClientRequestToken=token, SecretString=made, VersionStages=["AWSPENDING"])

    def set(self, secret, token, _labels):
        """Without a hook there is nobody to tell: whoever checks the key reads this secret too."""
        if self.hook:
            self.hook.call("setSecret", secret, token)

    def test(self, secret, token, _labels):
        """Without a hook: that it is a key, and whole.

        When a rotation is set up and not started, Secrets Manager runs this step alone,
        to see whether it may call us. No new key was made then, and none is tried.
        """
        made = self.made(secret, token)
        if made and self.hook:
            self.hook.call("testSecret", secret, token)
        elif made and not self.shape.fits(made):
            raise ValueError("the new version of the secret does not look like a key of ours")

    def finish(self, secret, token, labels):
        """Moves AWSCURRENT. The value before becomes AWSPREVIOUS."""
        if not self.made(secret, token):
            raise ValueError("the new version of the secret holds no new key")
        current = [version for version, stages in labels.items() if "AWSCURRENT" in stages]
        move = {"RemoveFromVersionId": current[0]} if current else {}
        self.manager.update_secret_version_stage(
            SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=token, **move)

    def made(self, secret, token):
        """The new key; `None` where there is none, or it is the old one."""
        pending, current = self.read(secret, "AWSPENDING", token), self.read(secret, "AWSCURRENT")
        made = pending and self.shape.key(pending)
        return made if made and made != self.shape.key(current) else None

    def read(self, secret, stage, token=None):
        """The text under a label; `None` where there is none yet."""
        version = {"VersionId": token} if token else {}
        try:
            return self.manager.get_secret_value(SecretId=secret, VersionStage=stage, **version)["SecretString"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise
