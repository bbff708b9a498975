"""Secrets are read once per cold start, in one round trip."""

from harness.canary import canary
from harness.world import route, upstream


def many(count, url):
    """`count` upstreams with a secret each."""
    names = [f"s{number}" for number in range(count)]
    return {
        "secrets": {name: {"token": canary()} for name in names},
        "upstreams": {name: upstream(url, f"{name}.token") for name in names},
        "routes": {f"GET /{name}": route("/anything/x", name) for name in names},
    }


def test_there_is_one_call_per_cold_start_and_none_per_request(start, tap):
    world = start(**many(3, tap.url))
    for name in ("s0", "s1", "s2", "s0", "s1"):
        assert world.get(f"/{name}").status == 200
        assert tap.seen[-1].header("authorization") == f"Bearer {world.secrets[name]['token']}"
    assert world.front.operations == ["BatchGetSecretValue"]
    assert sorted(world.front.calls[0][1]["SecretIdList"]) == sorted(world.ids.values())


def test_without_the_permission_to_read_many_each_is_read_once(start, tap):
    world = start(**many(3, tap.url), front={"deny": ["BatchGetSecretValue"]})
    for name in ("s0", "s1", "s2", "s0"):
        assert world.get(f"/{name}").status == 200
    assert sorted(world.front.operations) == ["BatchGetSecretValue"] + ["GetSecretValue"] * 3


def test_more_secrets_than_one_call_takes_are_read_in_as_few_calls_as_possible(start, tap):
    """BatchGetSecretValue takes 20 ids at most."""
    world = start(**many(21, tap.url))
    assert world.get("/s20").status == 200
    assert world.front.operations == ["BatchGetSecretValue"] * 2
    assert max(len(asked["SecretIdList"]) for _, asked in world.front.calls) <= 20


def test_a_secret_that_nothing_uses_is_not_read_by_a_call_of_its_own(start, tap):
    world = start(to=tap, routes={"GET /x": route("/anything/x")})
    assert world.get("/x").status == 200
    assert len(world.front.calls) == 1


def test_the_record_names_the_version_that_was_used(start, tap):
    world = start(to=tap, routes={"GET /x": route("/anything/x")})
    assert world.get("/x").record["secrets"] == [{"name": "github.token", "version": world.versions["github"]}]


def test_a_secret_may_be_named_by_its_arn(start, moto, tap):
    value = canary()
    arn = moto.secrets.create_secret(Name=f"countersign/arn-{value[7:20]}", SecretString=value)["ARN"]
    world = start(to=upstream(tap.url, "named"), secrets={}, places={"named": arn},
                  routes={"GET /x": route("/anything/x")})
    world.secrets = {"named": value}
    assert world.get("/x").status == 200
    assert tap.seen[-1].header("authorization") == f"Bearer {value}"
