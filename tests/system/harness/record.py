"""Records: OCSF in the log, plain names in the tests."""

import copy

from ocsf.v1_7_0.events import ApiActivity, ApplicationLifecycle

CLASSES = {6002: ApplicationLifecycle, 6003: ApiActivity}
MORE = ("api_key_id", "cache", "leak", "leaked", "reason", "renewed", "stale", "stream", "would_deny")
PROVEN = (("issuer", "idp", "name"), ("human", "user", "uid"))


def facts(line):
    """What a record of a request says, by plainer names. It must be one of OCSF's: the
    models are others' work, one version behind, and OCSF takes nothing back within 1.x."""
    check(line)
    more, response = line["unmapped"], line.get("http_response", {})
    answered = line["api"].get("response", {})
    found = {
        "time": line["time"],
        "request_id": line["metadata"]["correlation_uid"],
        "method": line["http_request"].get("http_method", ""),
        "route": _named(line["api"]["operation"]),
        "caller": _named(line["actor"]["app_name"]),
        "origin": line["http_request"].get("http_headers", [{"value": None}])[0]["value"],
        "source": line["src_endpoint"].get("ip", ""),
        "status": response.get("code", 0),
        "code": answered.get("error"),
        "duration_ms": more["duration_us"] / 1000,
        "upstream": line["api"].get("service", {}).get("name"),
        "upstream_status": more.get("upstream_status"),
        "upstream_ms": more["upstream_us"] / 1000 if "upstream_us" in more else None,
        "retries": more.get("retries", 0),
        "secrets": [{name: each[name] for name in ("name", "version") if name in each}
                    for each in line.get("resources", [])],
        "bytes_in": line["http_request"]["body_length"],
        "bytes_out": response.get("body_length", 0),
    }
    found |= {name: more[name] for name in MORE if name in more}
    found |= {name: line["actor"][noun][key] for name, noun, key in PROVEN if noun in line["actor"]}
    return found | ({"cause": line["status_detail"]} if "status_detail" in line else {})


def check(line):
    # A copy: the models write into what they are given. They take a method for a number,
    # which OCSF 1.8 has as a text.
    known = copy.deepcopy(line)
    known.get("http_request", {}).pop("http_method", None)
    CLASSES[line["class_uid"]].model_validate(known)


def _named(name):
    return None if name == "-" else name
