"""A demo upstream: `GET /user/repos` as GitHub serves it, with invented repositories.

`make run` puts the proxy in front of this, so that trying Countersign needs
neither an account nor a network. It does what GitHub does where that matters
to a proxy: it wants the token and a user agent, it pages with `link`, it
answers 304, and it sends CORS headers of its own, so that one can see the
proxy replace them.

    DEMO_TOKEN=any-token python3 examples/demo/github.py --port 8001
"""

import hashlib
import itertools
import json
import os
import time
from urllib.parse import parse_qs, urlsplit

from repositories import OWNER, Refusal, listing
from upstream import Upstream, main

CORS = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "ETag, Link, Location, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining",
}
NUMBERS = itertools.count(1)


class GitHub(Upstream):
    """A demo upstream that behaves as GitHub's /user/repos."""

    def do_OPTIONS(self):
        allow = {"access-control-allow-methods": "GET, POST, PATCH, PUT, DELETE",
                 "access-control-allow-headers": "Authorization, Content-Type, If-None-Match",
                 "access-control-max-age": "86400"}
        self.send(204, b"", allow)

    def serve(self, path):
        reads = self.command in ("GET", "HEAD")
        if reads and path.startswith(f"/{OWNER}/"):
            return self.send(200, INVENTED_PAGE, {"content-type": "text/html; charset=utf-8"})
        if not self.headers.get("user-agent"):
            raise Refusal(403, "Request forbidden by administrative rules. "
                               "Please make sure your request has a User-Agent header.")
        self.admit(missing=Refusal(401, "Requires authentication"),
                   wrong=Refusal(401, "Bad credentials", "https://docs.github.com/rest"))
        if not reads or path != "/user/repos":
            raise Refusal(404, "Not Found", "https://docs.github.com/rest")
        rows, link = listing(self.server.base, parse_qs(urlsplit(self.path).query))
        self.fresh(rows, {"link": link} if link else {})

    def fresh(self, value, headers):
        """The value, or 304 for a caller who has it."""
        body = json.dumps(value, ensure_ascii=False).encode()
        headers |= {"content-type": "application/json; charset=utf-8",
                    "etag": f'W/"{hashlib.sha256(body).hexdigest()}"',
                    "cache-control": "private, max-age=60, s-maxage=60",
                    "vary": "Accept, Authorization, Cookie, X-GitHub-OTP, Accept-Encoding, Accept, X-Requested-With"}
        known = headers["etag"] in self.headers.get("if-none-match", "")
        self.send(*((304, b"") if known else (200, body)), headers)

    def usual(self):
        """The headers that GitHub puts on everything, and a proxy should not pass on."""
        used = next(NUMBERS)
        return {
            **CORS,
            "x-github-api-version-selected": "2022-11-28",
            "x-github-media-type": "github.v3; format=json",
            "x-github-request-id": f"D3M0:{used:04X}:{os.getpid():X}:{int(time.time()):X}",
            "x-ratelimit-limit": "5000",
            "x-ratelimit-remaining": str(max(0, 5000 - used)),
            "x-ratelimit-reset": str(int(time.time()) // 3600 * 3600 + 3600),
            "x-ratelimit-resource": "core",
            "x-ratelimit-used": str(used),
            "x-frame-options": "deny",
            "x-content-type-options": "nosniff",
            "set-cookie": "_demo_session=upstream-only; Path=/; HttpOnly",
        }

    def version_string(self):
        return "github.com"  # as GitHub names itself


INVENTED_PAGE = b"""<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>An invented repository</title><style>:root{color-scheme:light dark}body{font:1rem/1.5 system-ui;margin:3rem auto;
max-width:30rem;padding:0 1rem}</style><h1>An invented repository</h1><p>It exists only in the demo upstream of
Countersign. Start the demo with <code>GITHUB_TOKEN=\xe2\x80\xa6 make run</code> to see your own.</p>"""


if __name__ == "__main__":
    main(GitHub)
