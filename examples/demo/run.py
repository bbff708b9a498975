"""`make run`: the proxy on this machine, demo upstreams behind it, a demo page in front.

    python3 examples/demo/run.py                      invented repositories; no account, no network
    GITHUB_TOKEN=... python3 examples/demo/run.py     your own, from the real GitHub; CRM and chat stay invented

Ctrl-C stops everything. Needs Rust and Python 3.9; fetches cargo-lambda if missing.
"""

import argparse
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import tools
from children import Child, stop
from files import (
    CHAT, CONFIG, CRM, GITHUB, HOME, LOG, RECORDS, ROOT, SECRETS, Failed, shown, write_config, write_secrets, write_whole)
from page import PageServer
from ports import answers, free_port

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STARTING = 60  # seconds a built function has to give its first answer
BORN = 2  # seconds after which cargo-lambda has surely started it, so that having no process means it has died

# What cargo-lambda and cargo say at every start; the log file keeps it.
CHATTER = re.compile(r"^\s*(INFO\b|Finished |Running |AWS_LAMBDA_MAX_CONCURRENCY )")


class Demo:
    """All that is running, in the order in which it was started."""

    def __init__(self, ready_file=None):
        self.ready_file = Path(ready_file) if ready_file else None
        self.children, self.pages, self.printing = [], [], threading.Lock()

    def start(self):
        self.unready()
        cargo, cargo_lambda = tools.cargo(), tools.cargo_lambda(ROOT, self.say)
        self.build(cargo)
        HOME.mkdir(parents=True, exist_ok=True)
        own = os.environ.get("GITHUB_TOKEN")
        github, crm, chat = own or invented(), invented(), invented()
        api = f"http://localhost:{free_port(9000)}"
        github_url = GITHUB if own else self.start_upstream("github", github, 8001)
        crm_url, chat_url = self.start_upstream("crm", crm, 8003), self.start_upstream("chat", chat, 8004)
        upstreams = "api.github.com and demo upstreams" if own else "demo upstreams"
        page, foreign = self.start_pages({"api": api, "upstream": upstreams, "seen": f"{crm_url}/_seen"})
        local = {} if own else {GITHUB: github_url}
        write_config(page, {**local, CRM: crm_url, CHAT: f"{chat_url}/v1"})
        write_secrets(github, crm, chat)
        self.start_proxy(cargo_lambda, api)
        places = {"PAGE_URL": f"{page}/", "FOREIGN_PAGE_URL": f"{foreign}/", "API_URL": api,
                  "UPSTREAM_URL": github_url, "CRM_URL": crm_url, "CHAT_URL": chat_url,
                  "SECRETS_FILE": str(SECRETS), "RECORDS_FILE": str(RECORDS), "LOG_FILE": str(LOG)}
        self.announce(places)
        if self.ready_file:
            write_whole(self.ready_file, json.dumps(places, indent=2))

    def start_upstream(self, name, token, preferred):
        port = free_port(preferred)
        script = Path(__file__).with_name(f"{name}.py")
        env = {**os.environ, "DEMO_TOKEN": token}  # not an argument: those are on the process list
        env.pop("GITHUB_TOKEN", None)
        child = Child(name, [sys.executable, str(script), "--port", str(port)], env,
                      lambda line: self.say(line, name))
        self.children.append(child)
        return f"http://127.0.0.1:{port}"

    def start_pages(self, config):
        """The page on two origins: one that the configuration will list, and one that it will not."""
        for preferred in (8000, 8002):
            self.pages.append(PageServer(free_port(preferred), config).start())
        return [f"http://localhost:{server.server_port}" for server in self.pages]

    def build(self, cargo):
        """Apart from the start, so that cargo's own progress shows and its failure is plain."""
        self.say("building the proxy (the first time takes some minutes)")
        building = subprocess.Popen([cargo, "build", "--bin", "proxy"], cwd=ROOT, env=proxy_env(),
                                    stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            if building.wait() != 0:
                raise Failed("the proxy does not build; cargo says why above")
        finally:
            stop(building)

    def start_proxy(self, cargo_lambda, api):
        port = api.rsplit(":", 1)[1]
        # --disable-cors: cargo-lambda's own CORS answers would hide ours.
        # --ignore-changes: an edit elsewhere in the tree must not restart what is being tried out.
        command = [cargo_lambda, "lambda", "watch", "--disable-cors", "--ignore-changes", "--quiet",
                   "--manifest-path", str(ROOT / "Cargo.toml"), "--bin", "proxy", "-A", "127.0.0.1", "-P", port]
        for file in (RECORDS, LOG):
            file.write_text("")
        # cargo-lambda tells the function `localhost` without the port: rewritten links would be relative.
        proxy = Child("proxy", command, {**proxy_env(), "COUNTERSIGN_PUBLIC_URL": api}, self.hear_proxy)
        self.children.append(proxy)
        self.wait_for(proxy, int(port))

    def wait_for(self, proxy, port):
        """Until the function answers: cargo-lambda itself waits for ever for one that has died."""
        began = time.monotonic()
        while not answers(port):
            waited = time.monotonic() - began
            self.check(waited > BORN and not proxy.works() and proxy)
            if waited > STARTING:
                raise Failed(f"the proxy gave no answer within {STARTING} s; see {shown(LOG)}")
            time.sleep(0.3)

    def watch(self):
        """Until something ends that should not. Ctrl-C is the usual way out."""
        proxy = self.children[-1]
        while True:
            time.sleep(1)
            self.check(not proxy.works() and proxy)

    def check(self, dead=None):
        dead = dead or next((child for child in self.children if child.ended()), None)
        if dead:
            time.sleep(0.3)  # let its last words be printed first
            raise Failed(f"the {dead.who} has ended; its last words are above")

    def hear_proxy(self, line):
        """Records are the JSON lines of the function's standard output; the rest is cargo's and cargo-lambda's."""
        record = is_record(line)
        with LOG.open("a", encoding="utf-8") as log:
            log.write(f"{line}\n")
        if record:
            with RECORDS.open("a", encoding="utf-8") as records:
                records.write(f"{line}\n")
        if line.strip() and not CHATTER.match(line) and not is_metric(line):
            self.say(line, "record" if record else "proxy")

    def announce(self, places):
        page, api = places["PAGE_URL"], places["API_URL"]
        lines = [
            ("page", page),
            ("curl", f"curl -i -H 'Origin: {page.rstrip('/')}' '{api}/my-repos?per_page=2'"),
            ("foreign", f"{places['FOREIGN_PAGE_URL']}  (the same page, on an origin that is not allowed)"),
            ("upstreams", f"{places['UPSTREAM_URL']}, {places['CRM_URL']}, {places['CHAT_URL']}"),
            ("arrived", f"{places['CRM_URL']}/_seen  (what the CRM got of the contact form)"),
            ("config", shown(CONFIG)),
            ("records", f"below, and in {shown(RECORDS)}"),
            ("stop", "Ctrl-C"),
        ]
        with self.printing:
            print("\n  Ready.\n", *(f"  {name:<9} {value}" for name, value in lines), "", sep="\n", flush=True)

    def say(self, line, who="demo"):
        with self.printing:
            print(f"{who:>8} | {line}", flush=True)

    def unready(self):
        if self.ready_file:
            self.ready_file.unlink(missing_ok=True)

    def close(self):
        self.unready()
        for child in reversed(self.children):
            child.stop()
        for server in self.pages:
            server.shutdown()
            server.server_close()
        SECRETS.unlink(missing_ok=True)  # it may hold a real token


def proxy_env():
    """What the function sees: our variables, and nothing of anybody's accounts."""
    kept = {name: value for name, value in os.environ.items() if name != "GITHUB_TOKEN" and not name.startswith("AWS_")}
    return {
        **kept,
        "COUNTERSIGN_LOCAL": "true",
        "COUNTERSIGN_STREAMING": "true",
        "COUNTERSIGN_CONFIG": str(CONFIG),
        "COUNTERSIGN_SECRETS_FILE": str(SECRETS),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "unused",
        "AWS_SECRET_ACCESS_KEY": "unused",
    }


def invented():
    return f"demo_{secrets.token_urlsafe(24)}"


def is_record(line):
    return "class_uid" in parsed(line)


def is_metric(line):
    return "_aws" in parsed(line)


def parsed(line):
    try:
        return json.loads(line) if line.startswith("{") else {}
    except ValueError:
        return {}


def interrupt(*_args):
    """The first signal stops us; further ones must not stop the stopping."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main():
    options = argparse.ArgumentParser(description="The proxy, demo upstreams and a demo page, on this machine.")
    options.add_argument("--ready-file", help="write the addresses here, as JSON, once all is up")
    chosen = options.parse_args()
    for number in STOPPING:
        signal.signal(number, interrupt)
    demo = Demo(chosen.ready_file)
    try:
        demo.start()
        demo.watch()
    except KeyboardInterrupt:
        demo.say("stopping")
        return 0
    except (Failed, tools.Missing) as failure:
        demo.say(failure)
        return 1
    finally:
        demo.close()


if __name__ == "__main__":
    sys.exit(main())
