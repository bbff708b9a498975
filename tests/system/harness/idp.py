"""An identity provider: discovery and keys over HTTP, tokens by PyPI's PyJWT."""

import json
import time

import jwt

from .issuer import Key
from .upstream import Upstream, answer


class Idp(Upstream):
    """Signs what it is told to, and shows the public half of its keys."""

    def __init__(self, alg="RS256"):
        self.keys = {"k1": Key(alg)}
        self.down = False
        super().__init__(self._say)

    @property
    def asked(self):
        """What it was asked for, by path."""
        return [seen.path for seen in self.seen]

    def rotate(self):
        """Another key, another id; the one before is gone."""
        [name] = self.keys
        self.keys = {f"{name}+": Key(self.keys[name].alg)}

    def token(self, key=None, headers=None, **claims):
        """Signed by its newest key, or by another one. A claim of None is left out."""
        now = int(time.time())
        usual = {"iss": self.url, "aud": "https://gate.example.com", "sub": "jane", "iat": now, "exp": now + 300}
        said = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        [(kid, own)] = self.keys.items()
        signer = key or own
        return jwt.encode(said, signer.private, algorithm=signer.alg, headers={"kid": kid, **(headers or {})})

    def _say(self, seen, _):
        if self.down:
            return answer(b"{}", "503 Service Unavailable")
        if seen.path == "/.well-known/openid-configuration":
            return answer(json.dumps({"issuer": self.url, "jwks_uri": f"{self.url}/keys"}).encode())
        if seen.path == "/keys":
            return answer(json.dumps({"keys": [{**key.jwk, "kid": kid} for kid, key in self.keys.items()]}).encode())
        return answer(b"{}", "404 Not Found")
