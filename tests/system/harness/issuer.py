"""Who gives out tokens: npm's oidc-provider, with an API that takes them, and
a token endpoint of ours that judges what it is sent by PyPI's PyJWT."""

import json
import pathlib
import re
import shutil
import urllib.parse

import jwt
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from .process import Process, tools, wait_until
from .upstream import Upstream, answer

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "oidc"
PEM = serialization.Encoding.PEM
NO_PASSPHRASE = serialization.NoEncryption()


_MAKERS = {
    **dict.fromkeys(("RS", "PS"), lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


class Key:
    """A key pair: PEM as people keep it, and the public half."""

    def __init__(self, alg):
        self.alg = alg
        self._key = _MAKERS[alg[:2] if alg[:2] in ("RS", "PS") else alg]()

    @property
    def pem(self):
        return self._written(serialization.PrivateFormat.PKCS8)

    @property
    def old_pem(self):
        """PKCS#1 or SEC 1, as GitHub and openssl write it."""
        return self._written(serialization.PrivateFormat.TraditionalOpenSSL)

    @property
    def private(self):
        return self._key

    @property
    def public(self):
        return self._key.public_key()

    @property
    def jwk(self):
        maker = jwt.algorithms.get_default_algorithms()[self.alg]
        return {**maker.to_jwk(self.public, as_dict=True), "use": "sig", "alg": self.alg}

    def _written(self, form):
        return self._key.private_bytes(PEM, form, NO_PASSPHRASE).decode()


class OidcProvider:
    """The real server. `clients` are as RFC 7591 describes them."""

    def __init__(self, clients, folder):
        assert (FOLDER / "node_modules").exists(), f"npm ci in {FOLDER} was not run"
        file = folder / "clients.json"
        file.write_text(json.dumps(clients))
        self._process = Process([shutil.which("node"), "server.mjs", str(file)], env=tools(), cwd=FOLDER)
        self.port = int(wait_until(self._said, "oidc-provider"))
        self.url = f"http://127.0.0.1:{self.port}"

    def _said(self):
        assert self._process.exit_code is None, self._process.stderr.decode()
        found = re.search(rb"^port (\d+)$", self._process.stdout, re.MULTILINE)
        return found and found[1]

    @property
    def granted(self):
        """How often a token was asked for."""
        return int(requests.get(f"{self.url}/granted", timeout=5).text)

    def forget_all(self):
        """Takes back every token that the API has seen."""
        requests.delete(f"{self.url}/tokens", timeout=5).raise_for_status()

    def stop(self):
        self._process.stop()


class Judge(Upstream):
    """A token endpoint that takes what PyJWT verifies, and an API that takes
    the token; `claims` are those of the assertions so far."""

    TOKEN = "issued-by-the-judge-0123456789"

    def __init__(self, key, **claims):
        self.key, self.expected, self.claims, self.headers = key, claims, [], []
        super().__init__(self._judge)

    def verify(self, token):
        self.headers.append(jwt.get_unverified_header(token))
        claims = jwt.decode(token, self.key.public, algorithms=[self.key.alg], **self.expected)
        self.claims.append(claims)
        return claims

    def _judge(self, seen, _):
        proof = (seen.header("authorization") or "").removeprefix("Bearer ")
        try:
            if seen.path == "/token":
                self.verify(dict(urllib.parse.parse_qsl(seen.body.decode()))["assertion"])
                return answer(json.dumps({"access_token": self.TOKEN, "expires_in": 600}).encode())
            if seen.path.endswith("/access_tokens"):
                self.verify(proof)
                ends = {"token": self.TOKEN, "expires_at": "2100-01-01T00:00:00Z"}
                return answer(json.dumps(ends).encode(), "201 Created")
            if proof != self.TOKEN:
                self.verify(proof)
            return answer(b'{"ok":true}')
        except (jwt.PyJWTError, KeyError) as error:
            return answer(json.dumps({"error": repr(error)}).encode(), "401 Unauthorized")
