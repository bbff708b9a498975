"""Who checks what we prove ourselves with: AWS as moto plays it, with its
checks switched on, and nginx asking for a client certificate."""

import json
import os
import shutil
import sys

import boto3
import pytest
import requests

from .function import ROOT
from .process import Process, free_port
from .vault import REGION


class Aws:
    """`moto_server` in a process of its own: its checks are a setting of the
    whole process, and the other moto must go on taking any key."""

    def __init__(self):
        self.port = free_port()
        self._process = Process(
            [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(self.port)],
            env={**os.environ, "PYTHONWARNINGS": "ignore"})
        self._process.wait_for_port(self.port)
        self._as_root = {"region_name": REGION, "endpoint_url": self.url, "aws_access_key_id": "AKIDROOT",
                         "aws_secret_access_key": "root-only"}
        self.iam, self.s3 = self.client("iam"), self.client("s3")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def client(self, service):
        return boto3.client(service, **self._as_root)

    def user(self, name, actions):
        """A user who may do `actions`; the id and the secret of a key."""
        arn = self.iam.create_user(UserName=name)["User"]["Arn"]
        self.iam.put_user_policy(UserName=name, PolicyName="may", PolicyDocument=_policy(actions))
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        return arn, {"id": key["AccessKeyId"], "key": key["SecretAccessKey"]}

    def role(self, name, actions, trusted):
        """A role that `trusted` may take on; its ARN."""
        trust = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": trusted}}]}
        made = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
        self.iam.put_role_policy(RoleName=name, PolicyName="may", PolicyDocument=_policy(actions))
        return made["Role"]["Arn"]

    def check_from_now_on(self):
        """Every further request must be signed, by somebody who may."""
        requests.post(f"{self.url}/moto-api/reset-auth", data="0", timeout=5).raise_for_status()

    def stop(self):
        self._process.stop()


def _policy(actions):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]})


NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_protocols {protocol};
    ssl_certificate {server}/chain.pem;
    ssl_certificate_key {server}/key.pem;
    ssl_client_certificate {trusted};
    ssl_verify_client on;
    location / {{ default_type text/plain; return 200 "$ssl_client_s_dn $ssl_protocol"; }}
  }}
}}
"""


class Nginx:
    """Asks for a client certificate, and says whose it was. `server` is the
    folder of its own certificate, `trusted` the authority of the clients."""

    def __init__(self, folder, server, trusted, protocol):
        self.port = free_port()
        config = folder / "nginx.conf"
        config.write_text(NGINX.format(folder=folder, port=self.port, server=server, trusted=trusted,
                                       protocol=protocol))
        self._process = Process([_nginx(), "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(config)])
        self._process.wait_for_port(self.port)

    @property
    def url(self):
        return f"https://localhost:{self.port}"

    def stop(self):
        self._process.stop()


def _nginx():
    """The installed one, or what `tests/run.py` has unpacked."""
    paths = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", str(ROOT / "target/nginx/usr/sbin")])
    found = shutil.which("nginx", path=paths)
    if not found:
        pytest.skip("no nginx: install it, or run tests/run.py")
    return found
