"""API Gateway's cache is off, and what the guide says about switching it on is true of the template."""

import copy
import re

from samcli.yamlhelper import yaml_parse
from world import ROOT, Filler, deployed, load, only, translate

GUIDE = (ROOT / "docs" / "guides" / "caching.md").read_text()
TEMPLATE = (ROOT / "template.yaml").read_text()


def fragment(about):
    """The YAML block of the guide whose first line says where it goes, with the template's anchors known to it."""
    (text,) = (block for block in re.findall(r"```yaml\n(.*?)```", GUIDE, re.S) if about in block.splitlines()[0])
    for anchor in re.findall(r"\*(\w+)", text):
        text = text.replace(f"*{anchor}", "{ responses: {}, x-amazon-apigateway-integration: { type: aws_proxy } }")
    return yaml_parse(text)


def switched_on():
    template = copy.deepcopy(load(ROOT / "template.yaml"))
    api = template["Resources"]["ProxyApi"]["Properties"]
    api["DefinitionBody"]["paths"].update(fragment("paths:"))
    stage = fragment("Properties")
    everything, one = stage.pop("MethodSettings")
    api["MethodSettings"][0].update(everything)
    api["MethodSettings"].append(one)
    api.update(stage)
    return template


def test_no_gateway_cache_stands_in_front_of_the_records():
    stage = only(deployed(), "AWS::ApiGateway::Stage")
    assert not stage.get("CacheClusterEnabled")
    assert not any(each.get("CachingEnabled") for each in stage["MethodSettings"])
    assert "cacheKeyParameters" not in TEMPLATE


def test_the_guide_keeps_pages_and_queries_apart():
    template = switched_on()
    resources = Filler(template, {}).fill(translate(template)["Resources"])
    stage = only(resources, "AWS::ApiGateway::Stage")
    assert stage["CacheClusterEnabled"] is True
    kept = {(each["ResourcePath"], each["HttpMethod"]): each["CachingEnabled"] for each in stage["MethodSettings"]}
    assert kept == {("/*", "*"): False, ("/~1countries", "GET"): True}
    paths = only(resources, "AWS::ApiGateway::RestApi")["Body"]["paths"]
    assert set(paths["/countries"]) == {"get", "options", "x-amazon-apigateway-any-method"}
    said = paths["/countries"]["get"]
    key = said["x-amazon-apigateway-integration"]["cacheKeyParameters"]
    places = {"query": "querystring", "header": "header"}
    assert key == [f"method.request.{places[each['in']]}.{each['name']}" for each in said["parameters"]]
    assert "method.request.header.Origin" in key
    route = fragment("routes:")["routes"]["GET /countries"]
    for name in route["request"]["query"]:
        assert f"method.request.querystring.{name}" in key
