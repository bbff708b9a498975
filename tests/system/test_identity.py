"""Callers who show a token: signed by PyPI's PyJWT, verified by us with keys that we find by ourselves."""

import time

import pytest

from harness.idp import Idp
from harness.issuer import Key
from harness.upstream import ok
from harness.world import CORS, PAGE, upstream

AUDIENCE = "https://gate.example.com"


@pytest.fixture
def idp():
    running = []

    def begin(alg="RS256"):
        running.append(Idp(alg))
        return running[-1]
    yield begin
    for server in running:
        server.stop()


@pytest.fixture
def gate(start, serve):
    """A function with a route for staff, one for staff or anybody, and one for anybody."""
    def begin(idp, **issuer):
        server = serve(ok(b"{}"))
        declared = {"url": idp.url, "audience": AUDIENCE, "dangerous_plain_http": True,
                    "dangerous_private_network": True, **issuer}
        config = {
            "version": 1, **CORS, "upstreams": {"api": upstream(server.url)}, "issuers": {"idp": declared},
            "callers": {"website": {"anonymous": True},
                        "staff": {"issuer": "idp", "match": {"groups": {"contains": "staff"}}, "human": "sub"}},
            "routes": {"GET /staff": {"allow": ["staff"], "upstream": "api", "path": "/x"},
                       "GET /both": {"allow": ["website", "staff"], "upstream": "api", "path": "/x"},
                       "GET /all": {"allow": ["website"], "upstream": "api", "path": "/x"}}}
        world = start(config=config)
        world.upstream = server
        return world
    return begin


def ask(world, token, path="/staff"):
    answer = world.get(path, [("Authorization", f"Bearer {token}")] if token else [])
    if token:
        assert token.encode() not in world.function.output
        assert token.encode() not in answer.body
    return answer


@pytest.mark.parametrize("alg", ["RS256", "ES256", "ES384", "PS256", "EdDSA"])
def test_a_token_of_the_issuer_opens_the_route_and_the_record_names_the_human(gate, idp, alg):
    provider = idp(alg)
    world = gate(provider, algs=[alg])
    answer = ask(world, provider.token(groups=["staff"]))
    assert answer.status == 200, answer.body
    assert (answer.record["caller"], answer.record["human"], answer.record["issuer"]) == ("staff", "jane", "idp")
    [seen] = world.upstream.seen
    assert seen.header("authorization") == f"Bearer {world.secrets['github']['token']}"
    # One look at the document and one at the keys, for as many calls as there are.
    assert ask(world, provider.token(groups=["staff"])).status == 200
    assert provider.asked == ["/.well-known/openid-configuration", "/keys"]


# Times are seconds from now on.
WRONG = {
    "another audience": ({"aud": "https://else.example.com"}, 401, "wrong_audience"),
    "several audiences": ({"aud": [AUDIENCE, "sts.amazonaws.com"]}, 401, "wrong_audience"),
    "no audience": ({"aud": None}, 401, "claim_missing"),
    "expired": ({"iat": -900, "exp": -600}, 401, "expired"),
    "of the future": ({"iat": 900, "exp": 1200}, 401, "not_yet_valid"),
    "another group": ({"groups": ["guests"]}, 403, "claim_mismatch"),
    "no group": ({"groups": None}, 403, "claim_missing"),
    "another issuer": ({"iss": "https://evil.example.net"}, 401, "untrusted_issuer"),
}


def test_what_is_wrong_with_a_token_is_said_as_far_as_its_bearer_may_know(gate, idp):
    provider = idp()
    world = gate(provider)
    for what, (claims, status, reason) in WRONG.items():
        claims = {name: value + int(time.time()) if name in ("iat", "exp") else value for name, value in claims.items()}
        answer = ask(world, provider.token(**{"groups": ["staff"], **claims}))
        problem = answer.is_problem(status, "token_invalid" if status == 401 else "caller_not_allowed")
        assert problem["reason"] == reason, (what, problem)
        assert ("Bearer" in (answer.header("www-authenticate") or "")) == (status == 401), what
        # What would have fitted is for the record.
        own = str(claims)
        assert all(word in own or word not in answer.body.decode() for word in ("staff", "gate.example.com")), what
    assert not world.upstream.seen


def test_a_signature_of_somebody_else_is_refused(gate, idp):
    provider = idp()
    world = gate(provider)
    forged = provider.token(key=Key("RS256"), groups=["staff"])
    assert ask(world, forged).is_problem(401, "token_invalid")["reason"] == "bad_signature"
    head, payload, _ = provider.token(groups=["staff"]).split(".")
    assert ask(world, f"{head}.{payload}.").is_problem(401, "token_invalid")["reason"] == "malformed"


def test_without_a_token_it_is_said_that_one_is_missing(gate, idp):
    world = gate(idp())
    answer = ask(world, None)
    answer.is_problem(401, "token_missing")
    assert answer.header("www-authenticate") == "Bearer"
    assert "authorization" in world.preflight("/staff").words("access-control-allow-headers")
    assert "authorization" not in world.preflight("/all").words("access-control-allow-headers")


def test_anybody_may_show_a_token_where_anybody_may_call(gate, idp):
    provider = idp()
    world = gate(provider)
    callers = [(ask(world, token, path).status, answer_caller(world)) for token, path in (
        (provider.token(groups=["staff"]), "/both"), (provider.token(groups=["guests"]), "/both"), (None, "/both"))]
    assert callers == [(200, "staff"), (200, "website"), (200, "website")]
    # One that is forged is no mistake of an honest caller.
    assert ask(world, provider.token(key=Key("RS256"), groups=["staff"]), "/both").status == 401
    # Where no caller proves anything, it is nobody's business.
    assert ask(world, "whatever", "/all").status == 200


def answer_caller(world):
    return world.records()[-1]["caller"]


def test_a_key_that_is_new_is_looked_for_once(gate, idp):
    provider = idp()
    world = gate(provider)
    assert ask(world, provider.token(groups=["staff"])).status == 200
    provider.rotate()
    assert ask(world, provider.token(groups=["staff"])).status == 200
    assert provider.asked.count("/keys") == 2
    # A stranger's key id costs the issuer nothing, however often it is shown.
    for number in range(5):
        refused = ask(world, provider.token(groups=["staff"], headers={"kid": f"made-up-{number}"}))
        assert refused.is_problem(401, "token_invalid")["reason"] == "unknown_key"
    assert provider.asked.count("/keys") <= 3


def test_an_issuer_that_is_down_is_not_the_callers_fault(gate, idp):
    provider = idp()
    world = gate(provider)
    provider.down = True
    answer = ask(world, provider.token(groups=["staff"]))
    assert answer.is_problem(503, "issuer_unavailable")["retryable"] is True
    assert PAGE in answer.values("access-control-allow-origin")
