"""Secret values that can be recognised in every spelling.

A test that says "the secret is not in the output" is worth as much as the
search behind it: a leak is rarely verbatim. So each canary is searched raw,
in pieces, and in the encodings in which values travel through headers,
URLs, bodies, logs and debug output.
"""

import base64
import html
import json
import re
import secrets
import urllib.parse

# As long a piece of a random value as this is not there by chance.
PIECE = 12


def canary(label="canary"):
    """A fresh secret. It holds characters that JSON, HTML, URLs and base64
    each write differently, and all are legal in a header."""
    return f"{label}-{secrets.token_hex(12)}+/=&\"~"


def spellings(value):
    """Every form in which `value` is searched for, as bytes."""
    raw = value.encode()
    forms = {raw[at:at + PIECE] for at in range(len(raw) - PIECE + 1)}
    forms |= {json.dumps(value)[1:-1].encode(), html.escape(value).encode()}
    # The plain part by itself too: escaped and then encoded, the rest of a
    # value no longer looks like itself.
    plain = max(re.findall(rb"[\w-]+", raw), key=len, default=b"")
    for text in {raw, plain if len(plain) >= PIECE else raw}:
        forms |= {text, text.hex().encode(), text.hex().upper().encode()}
        forms |= set(_percent(text)) | set(base64_forms(text))
        forms.add(", ".join(str(byte) for byte in text).encode())  # what `{:?}` prints of bytes
    return forms


def found(values, haystack):
    """Which of `values` show in `haystack`, with the spelling that showed."""
    return [(value, form) for value in values for form in spellings(value) if form in haystack]


def _percent(raw):
    quoted = urllib.parse.quote(raw, safe="").encode()
    everything = "".join(f"%{byte:02X}" for byte in raw)
    form = urllib.parse.quote_plus(raw).encode()
    return [quoted, form, everything.encode(), everything.lower().encode()]


def base64_forms(raw):
    """base64 and base64url at the three places where a value can begin, less
    the letters at either end that share bits with its neighbours."""
    for shift, head in ((0, 0), (1, 2), (2, 3)):
        padded = bytes(shift) + raw
        tail = 0 if len(padded) % 3 == 0 else 1
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(padded).rstrip(b"=")
            yield text[head:len(text) - tail]
