"""A demo upstream: a CRM that takes contacts as HubSpot does, as JSON and no other way.

It answers with more than a page should learn, so that one can see the proxy
keep it. What arrived is at `/_seen`, for tests and for whoever tries the
contact form: that is how a form looks once it was reshaped.

    DEMO_TOKEN=any-token python3 examples/demo/crm.py --port 8003
"""

import collections
import itertools
import json
import time

from upstream import Refusal, Upstream, main

UPSERT = "/crm/v3/objects/contacts/batch/upsert"
NUMBERS = collections.defaultdict(itertools.count(51).__next__)  # by address: who writes again keeps the number


class Crm(Upstream):
    """A demo upstream that takes contacts as HubSpot's CRM does."""

    def serve(self, path):
        self.admit(missing=refusal(401, "Authentication credentials not found."),
                   wrong=refusal(401, "The OAuth token used to make this call is invalid."))
        if (self.command, path) != ("POST", UPSERT):
            raise refusal(404, "resource not found")
        asked = self.asked()
        self.server.seen.append({"content_type": self.headers.get("content-type"), "body": asked})
        self.json(200, {"status": "COMPLETE", "results": [kept(contact) for contact in asked["inputs"]]})

    def asked(self):
        kind = self.headers.get_content_type()
        if kind != "application/json":
            raise refusal(415, f"{kind} is not supported")
        try:
            asked = json.loads(self.sent)
        except ValueError:
            raise refusal(400, "Invalid input JSON") from None
        inputs = asked.get("inputs") if isinstance(asked, dict) else None
        if not isinstance(inputs, list) or not all(map(is_contact, inputs)):
            raise refusal(400, "Some required fields were not set: [inputs]")
        return asked


def is_contact(value):
    """Named by its address, which this CRM has at most once."""
    return (isinstance(value, dict) and value.get("idProperty") == "email"
            and isinstance(value.get("id"), str) and isinstance(value.get("properties"), dict))


def kept(contact):
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    new = contact["id"] not in NUMBERS
    number = str(NUMBERS[contact["id"]])
    own = {"hs_object_id": number, "hs_lead_score": "17", "hubspot_owner_id": "8814", "createdate": now}
    return {"id": number, "new": new, "properties": {**contact["properties"], **own}, "createdAt": now,
            "updatedAt": now, "archived": False}


def refusal(status, message):
    return Refusal(status, {"status": "error", "message": message, "correlationId": "demo"})


if __name__ == "__main__":
    main(Crm)
