"""A demo upstream: a CRM that takes contacts as HubSpot does, as JSON and no other way.

It answers with more than a page should learn, so that one can see the proxy
keep it. What arrived is at `/_seen`, for tests and for whoever tries the
contact form: that is how a form looks once it was reshaped.

    DEMO_TOKEN=any-token python3 examples/demo/crm.py --port 8003
"""

import itertools
import json
import time

from upstream import Refusal, Upstream, main

CONTACTS = "/crm/v3/objects/contacts"
NUMBERS = itertools.count(51)


class Crm(Upstream):
    """A demo upstream that takes contacts as HubSpot's CRM does."""

    def serve(self, path):
        self.admit(missing=refusal(401, "Authentication credentials not found."),
                   wrong=refusal(401, "The OAuth token used to make this call is invalid."))
        if (self.command, path) != ("POST", CONTACTS):
            raise refusal(404, "resource not found")
        contact = self.contact()
        self.server.seen.append({"content_type": self.headers.get("content-type"), "body": contact})
        self.json(201, created(contact["properties"]))

    def contact(self):
        kind = self.headers.get_content_type()
        if kind != "application/json":
            raise refusal(415, f"{kind} is not supported")
        try:
            contact = json.loads(self.sent)
        except ValueError:
            raise refusal(400, "Invalid input JSON") from None
        if not isinstance(contact, dict) or not isinstance(contact.get("properties"), dict):
            raise refusal(400, "Some required fields were not set: [properties]")
        return contact


def created(properties):
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    number = str(next(NUMBERS))
    own = {"hs_object_id": number, "hs_lead_score": "17", "hubspot_owner_id": "8814", "createdate": now}
    return {"id": number, "properties": {**properties, **own}, "createdAt": now, "updatedAt": now, "archived": False}


def refusal(status, message):
    return Refusal(status, {"status": "error", "message": message, "correlationId": "demo"})


if __name__ == "__main__":
    main(Crm)
