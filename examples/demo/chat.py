"""A demo upstream: a chat that streams its answer word by word, as OpenAI does, and takes its time.

What it was asked, and when its first and its last word left, is at `/_seen`:
a test holds that against the time when the page showed its first one.

    DEMO_TOKEN=any-token python3 examples/demo/chat.py --port 8004
"""

import json
import re
import time

from upstream import Refusal, Upstream, main

COMPLETIONS = "/v1/chat/completions"
PAUSE = 0.15  # seconds between two words
ANSWER = """Every word of this answer left the upstream by itself, and is shown as soon as it is here.

No model wrote it, no account was needed, and the page holds no key: naïve, but quick. ☕"""


class Chat(Upstream):
    """A demo upstream that streams as OpenAI's chat completions do."""

    def serve(self, path):
        self.admit(missing=refusal(401, "You didn't provide an API key."),
                   wrong=refusal(401, "Incorrect API key provided."))
        if (self.command, path) != ("POST", COMPLETIONS):
            raise refusal(404, f"Invalid URL ({self.command} {path})")
        asked = self.asked()
        seen = {"body": asked, "text": ANSWER, "first": None, "last": None}
        self.server.seen.append(seen)
        self.begin(200, {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache",
                         "transfer-encoding": "chunked"})
        self.stream(asked["model"], seen)

    def asked(self):
        try:
            asked = json.loads(self.sent)
        except ValueError:
            raise refusal(400, "We could not parse the JSON body of your request.") from None
        if not isinstance(asked, dict) or not asked.get("model") or not asked.get("messages"):
            raise refusal(400, "you must provide a model parameter and messages")
        if asked.get("stream") is not True:
            raise refusal(400, "this demo upstream only streams")
        return asked

    def stream(self, model, seen):
        """The role, the words, why it ended, and the mark behind the last event."""
        words = re.findall(r"\s*\S+", ANSWER)
        self.event(chunk(model, {"role": "assistant", "content": ""}))
        for number, word in enumerate(words, 1):
            time.sleep(PAUSE)
            if number in (1, len(words)):
                seen["first" if number == 1 else "last"] = round(time.time() * 1000)  # as Date.now() in a page
            self.event(chunk(model, {"content": word}))
        self.event(chunk(model, {}, "stop"))
        self.event("[DONE]")
        self.piece(b"")

    def event(self, data):
        self.piece(f"data: {data}\n\n".encode())

    def piece(self, content):
        """One chunk of the body (RFC 9112 §7.1); the empty one is the last."""
        self.wfile.write(b"%x\r\n%b\r\n" % (len(content), content))
        self.wfile.flush()


def chunk(model, delta, finish_reason=None):
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return json.dumps({"id": "chatcmpl-demo", "object": "chat.completion.chunk", "created": int(time.time()),
                       "model": model, "system_fingerprint": "fp_demo", "choices": [choice]}, ensure_ascii=False)


def refusal(status, message):
    return Refusal(status, {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}})


if __name__ == "__main__":
    main(Chat)
