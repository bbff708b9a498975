"""The templates as AWS would see them: after SAM's transform, and with parameters filled in.

Linters look at what is written; the traps are in what SAM makes of it. Nothing
here asks a network or an account.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

os.environ.update(AWS_DEFAULT_REGION="eu-west-1", AWS_EC2_METADATA_DISABLED="true", SAM_CLI_TELEMETRY="0")

import boto3  # noqa: E402 (the region must be known first)
import yaml  # noqa: E402
from samcli.yamlhelper import yaml_parse  # noqa: E402
from samtranslator.parser.parser import Parser  # noqa: E402
from samtranslator.translator.translator import Translator  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template.yaml"
INFRA = sorted((ROOT / "infra").glob("*.yaml"))
PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::AccountId": "123456789012",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "countersign",
}
NOTHING = object()


def config():
    return yaml.safe_load((ROOT / "countersign.yaml").read_text())


def secret_ids():
    """The ids in Secrets Manager that the deployed configuration names."""
    return {value if isinstance(value, str) else value["id"] for value in config()["secrets"].values()}


def load(path):
    return yaml_parse(path.read_text())


def translate(template=None, **parameters):
    """What CloudFormation gets: `template.yaml` after SAM's transform."""
    template = template or load(TEMPLATE)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = "s3://bucket/key"
    session = boto3.session.Session(region_name="eu-west-1")
    return Translator({}, Parser(), boto_session=session).translate(template, {"StageName": "dev", **parameters})


def deployed(template=None, **parameters):
    """The resources with every parameter, condition and mapping filled in."""
    template = translate(template, **parameters)
    return Filler(template, parameters).fill(template["Resources"])


def filled(path, **parameters):
    """The same for a template without a transform."""
    template = load(path)
    return Filler(template, parameters).fill(template["Resources"])


class Filler:
    """As much of CloudFormation's intrinsic functions as our templates use."""

    def __init__(self, template, parameters):
        declared = template.get("Parameters", {})
        self.values = {name: each.get("Default") for name, each in declared.items()} | PSEUDO | parameters
        self.template = template

    def fill(self, node):
        if isinstance(node, list):
            return [value for value in map(self.fill, node) if value is not NOTHING]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (name, argument), = node.items()
            function = getattr(self, "do_" + name.replace("Fn::", "").lower(), None)
            if function and (name == "Ref" or name.startswith("Fn::")):
                return function(argument)
        pairs = ((key, self.fill(value)) for key, value in node.items())
        return {key: value for key, value in pairs if value is not NOTHING}

    def do_ref(self, name):
        return NOTHING if name == "AWS::NoValue" else self.values.get(name, f"<{name}>")

    def do_getatt(self, path):
        return f"<{path if isinstance(path, str) else '.'.join(path)}>"

    def do_sub(self, argument):
        text, extra = argument if isinstance(argument, list) else (argument, {})
        extra = {key: self.fill(value) for key, value in extra.items()}
        known = self.values | extra
        return re.sub(r"\$\{([^}!]+)\}", lambda found: str(known.get(found[1], f"<{found[1]}>")), text)

    def do_if(self, argument):
        condition, yes, no = argument
        return self.fill(yes if self.holds(self.template["Conditions"][condition]) else no)

    def do_findinmap(self, argument):
        table, row, column = map(self.fill, argument)
        return self.template["Mappings"][table][row][column]

    def holds(self, condition):
        (name, argument), = condition.items()
        if name == "Fn::Not":
            return not self.holds(argument[0])
        assert name == "Fn::Equals", name
        left, right = map(self.fill, argument)
        return left == right


def of_type(resources, kind):
    return {name: each["Properties"] for name, each in resources.items() if each["Type"] == kind}


def only(resources, kind):
    (properties,) = of_type(resources, kind).values()
    return properties


def methods(body):
    """Every (path, method) of an API definition, with what is said about it."""
    return {(path, verb): said for path, verbs in body["paths"].items() for verb, said in verbs.items()}


def run(tool, *arguments, **environment):
    """Runs a tool that stands beside this Python or on PATH."""
    beside = Path(sys.executable).parent / tool
    found = str(beside) if beside.exists() else shutil.which(tool)
    assert found, f"{tool} is not installed; see tests/requirements.txt"
    variables = os.environ | {"PATH": f"{beside.parent}:{os.environ['PATH']}"} | environment
    return subprocess.run(
        [found, *map(str, arguments)], cwd=ROOT, env=variables, capture_output=True, text=True, timeout=300, check=False
    )
