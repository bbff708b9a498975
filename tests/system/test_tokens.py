"""Tokens that are fetched or signed, judged by those whose business that is:
npm's oidc-provider, and PyPI's PyJWT."""

import pytest

from harness.canary import canary
from harness.issuer import Judge, Key, OidcProvider
from harness.world import route, upstream

SECRETS = {"basic": canary("basic"), "post": canary("post")}
RSA, EC = Key("RS256"), Key("ES256")


def client(name, method, **more):
    return {"client_id": name, "token_endpoint_auth_method": method, "grant_types": ["client_credentials"],
            "redirect_uris": [], "response_types": [], "scope": "read write", **more}


CLIENTS = [
    # The name has what a form must encode, and a colon.
    client("the basic:client", "client_secret_basic", client_secret=SECRETS["basic"]),
    client("post", "client_secret_post", client_secret=SECRETS["post"]),
    *(client(key.alg, "private_key_jwt", token_endpoint_auth_signing_alg=key.alg, jwks={"keys": [key.jwk]})
      for key in (RSA, EC)),
]


@pytest.fixture(scope="module")
def provider(tmp_path_factory):
    server = OidcProvider(CLIENTS, tmp_path_factory.mktemp("oidc"))
    yield server
    server.stop()


def world_with(start, server, secret, recipe):
    """A world with one upstream, the server's API, and one secret, `key`."""
    return start(secrets={"key": secret}, upstreams={"api": upstream(server.url, recipe)},
                 routes={"GET /x": route("/api"), "GET /again": route("/api")})


def oauth2(provider, client_id, **more):
    return {"oauth2": {"token_url": f"{provider.url}/token", "client_id": client_id, **more}}


STYLES = {
    "basic": ("the basic:client", SECRETS["basic"], {"client_secret": "key"}),
    "post": ("post", SECRETS["post"], {"client_secret": "key", "style": "post"}),
    "private_key_jwt with RS256": ("RS256", RSA.pem, {"key": "key", "style": "private_key_jwt"}),
    "private_key_jwt with ES256": ("ES256", EC.old_pem, {"key": "key", "style": "private_key_jwt", "alg": "ES256"}),
}


@pytest.mark.parametrize("style", STYLES)
def test_a_real_server_gives_us_one_token_for_many_calls(start, provider, style):
    name, secret, more = STYLES[style]
    world = world_with(start, provider, secret, oauth2(provider, name, scope="read", **more))
    before = provider.granted
    for path in ("/x", "/again", "/x"):
        answer = world.get(path)
        assert answer.status == 200, answer.body
        assert answer.json()["clientId"] == name and answer.json()["scope"] == "read"
    assert provider.granted == before + 1
    assert [used["name"] for used in answer.record["secrets"]] == ["key"]


def test_an_assertion_may_be_for_the_server_and_not_its_endpoint(start, provider):
    recipe = oauth2(provider, "RS256", key="key", style="private_key_jwt", assertion_audience=provider.url)
    assert world_with(start, provider, RSA.pem, recipe).get("/x").status == 200


def test_the_resource_that_a_token_is_for_is_told(start, provider):
    recipe = oauth2(provider, "post", client_secret="key", style="post", scope=["read", "write"],
                    resource="https://api.example.com/v1")
    answer = world_with(start, provider, SECRETS["post"], recipe).get("/x")
    assert answer.status == 200, answer.body
    assert answer.json() == {"clientId": "post", "scope": "read write", "aud": "https://api.example.com/v1"}


def test_a_token_that_was_taken_back_is_fetched_once_more(start, provider):
    world = world_with(start, provider, SECRETS["post"], oauth2(provider, "post", client_secret="key", style="post"))
    assert world.get("/x").status == 200
    before = provider.granted
    provider.forget_all()
    assert world.get("/x").status == 200
    assert provider.granted == before + 1


WRONG = {
    "the secret": ("post", canary("wrong"), {"client_secret": "key", "style": "post"}),
    "the key": ("RS256", Key("RS256").pem, {"key": "key", "style": "private_key_jwt"}),
    "the audience": ("RS256", RSA.pem, {
        "key": "key", "style": "private_key_jwt", "assertion_audience": "https://elsewhere.example"}),
    "the scope": ("post", SECRETS["post"], {"client_secret": "key", "style": "post", "scope": "admin"}),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_a_real_server_refuses_is_a_clear_problem(start, provider, what):
    name, secret, more = WRONG[what]
    answer = world_with(start, provider, secret, oauth2(provider, name, **more)).get("/x")
    assert (answer.status, answer.code) == (503, "secret_unavailable")
    assert "the token endpoint said 4" in answer.record["cause"]


def test_a_key_that_cannot_sign_as_declared_is_refused_at_the_start(start, provider):
    recipe = oauth2(provider, "ES256", key="key", style="private_key_jwt")
    told = world_with(start, provider, EC.pem, recipe).failed_start()
    assert b"`key`: its private key does not fit the `alg`" in told


@pytest.mark.parametrize("key, written", [
    (RSA, RSA.pem), (RSA, RSA.old_pem), (RSA, RSA.pem.replace("\n", "\\n")), (RSA, RSA.pem.replace("\n", " ")),
    (EC, EC.pem), (EC, EC.old_pem)])
def test_what_we_sign_is_what_pyjwt_verifies(start, key, written):
    judge = Judge(key, issuer="me", audience="them", options={"require": ["iss", "aud", "exp", "iat", "jti"]})
    recipe = {"jwt": {"key": "key", "alg": key.alg, "key_id": "k1", "issuer": "me", "audience": "them"}}
    try:
        answer = world_with(start, judge, written, recipe).get("/x")
    finally:
        judge.stop()
    assert answer.status == 200, answer.body
    assert judge.headers[0] == {"alg": key.alg, "typ": "JWT", "kid": "k1"}


def test_a_service_account_of_googles_kind_works(start):
    """The secret is the JSON file as Google hands it out."""
    judge = Judge(RSA, issuer="robot@example.iam.gserviceaccount.com", options={"verify_aud": False})
    account = {"type": "service_account", "private_key_id": "k1", "private_key": RSA.pem,
               "client_email": "robot@example.iam.gserviceaccount.com"}
    recipe = {"jwt": {
        "key": "key.private_key", "key_id": {"secret": "key.private_key_id"},
        "issuer": {"secret": "key.client_email"}, "lifetime": "1h", "claims": {"scope": "a b"},
        "exchange": {"token_url": f"{judge.url}/token"}}}
    try:
        world = start(secrets={"key": account}, upstreams={"api": upstream(judge.url, recipe)},
                      routes={"GET /x": route("/api")})
        assert [world.get("/x").status for _ in range(2)] == [200, 200]
    finally:
        judge.stop()
    [claims] = judge.claims
    assert claims["aud"] == f"{judge.url}/token" and claims["scope"] == "a b"
    assert claims["exp"] - claims["iat"] == 3600


def test_a_github_app_gets_a_token_that_is_narrowed(start):
    judge = Judge(RSA, issuer="12345")
    recipe = {"github_app": {"app_id": 12345, "installation_id": 67890, "private_key": "key",
                             "repositories": ["hello"], "permissions": {"contents": "read"}}}
    try:
        world = world_with(start, judge, RSA.old_pem, recipe)
        assert [world.get("/x").status for _ in range(2)] == [200, 200]
    finally:
        judge.stop()
    asked, *calls = judge.seen
    assert asked.path == "/app/installations/67890/access_tokens"
    assert asked.body == b'{"repositories":["hello"],"permissions":{"contents":"read"}}'
    assert [call.header("authorization") for call in calls] == [f"Bearer {Judge.TOKEN}"] * 2
    assert judge.claims[0]["exp"] - judge.claims[0]["iat"] == 600
