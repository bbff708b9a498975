"""Third-party APIs on loopback: a tap in front of httpbin, which shows what
was really sent, and servers that misbehave on purpose."""

import dataclasses
import datetime
import ipaddress
import os
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.parse

from .process import Process, wait_until


@dataclasses.dataclass
class Seen:
    """One request, as it came over the wire."""
    method: str
    target: str
    headers: list
    body: bytes

    def values(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name):
        """The only value of a header; None where it is absent."""
        values = self.values(name)
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    @property
    def path(self):
        return self.target.partition("?")[0]

    @property
    def query(self):
        return urllib.parse.parse_qsl(self.target.partition("?")[2], keep_blank_values=True)


class _Loopback:
    """Listens on a free port of 127.0.0.1, with a thread per connection."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.connections = 0
        self.seen = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def stop(self):
        # shutdown wakes the thread that waits in accept; close alone does not.
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._guarded, args=(connection,), daemon=True).start()

    def _guarded(self, connection):
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._serve(connection)
        except (OSError, ValueError):  # the other side went away: not our test's business
            pass
        finally:
            connection.close()


class Upstream(_Loopback):
    """An API that does what `script` says: it gets the request and the
    connection, and returns the bytes of the answer, or None to hang up."""

    def __init__(self, script, tls=None):
        self._script, self._tls = script, tls
        super().__init__()

    @property
    def url(self):
        return super().url if self._tls is None else f"https://localhost:{self.port}"

    def _serve(self, connection):
        if self._tls is not None:
            connection = self._tls.wrap_socket(connection, server_side=True)
        stream = connection.makefile("rb")
        while (seen := read_request(stream)) is not None:
            self.seen.append(seen)
            answer = self._script(seen, connection)
            if answer is None:
                return
            connection.sendall(answer)


class Tap(_Loopback):
    """Passes every byte on to the port `target`, and keeps the requests."""

    def __init__(self, target):
        self._target = target
        super().__init__()

    def _serve(self, connection):
        with socket.create_connection(("127.0.0.1", self._target)) as onward:
            onward.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=_pump, args=(onward, connection), daemon=True)
            back.start()
            stream, copied = connection.makefile("rb"), bytearray()
            while (seen := read_request(stream, copied.extend)) is not None:
                self.seen.append(seen)  # before it goes on: a test looks as soon as there is an answer
                onward.sendall(copied)
                copied.clear()
            onward.shutdown(socket.SHUT_WR)
            back.join()


def _pump(source, sink):
    try:
        while chunk := source.recv(65536):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def read_request(stream, copy=lambda _: None):
    """The next request of a connection; None at its end."""
    def line():
        text = stream.readline()
        copy(text)
        return text.decode("latin-1").rstrip("\r\n")

    def exactly(size):
        data = stream.read(size)
        copy(data)
        return data

    first = line()
    if not first:
        return None
    method, target, _ = first.split(" ", 2)
    headers = []
    while header := line():
        name, _, value = header.partition(":")
        headers.append((name, value.strip()))
    seen = Seen(method, target, headers, b"")
    if seen.values("transfer-encoding"):
        while size := int(line().partition(";")[0], 16):
            seen.body += exactly(size)
            line()
        line()
    else:
        seen.body = exactly(int(seen.header("content-length") or 0))
    return seen


# --- scripts ---

def answer(body=b"{}", status="200 OK", headers=(("content-type", "application/json"),)):
    """The bytes of a proper answer."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def says(raw):
    """Always the same bytes; then it goes on listening."""
    return lambda seen, connection: raw


def ok(body=b"{}", **more):
    return says(answer(body, **more))


def says_and_hangs_up(raw):
    def script(_, connection):
        connection.sendall(raw)
    return script


def resets(raw=b""):
    """A connection reset, after `raw`, instead of an orderly end."""
    def script(_, connection):
        connection.sendall(raw)
        if raw:
            time.sleep(0.1)  # else the reset overtakes what was sent
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return script


def late(seconds, then=None):
    """Nothing for a while."""
    def script(_, connection):
        time.sleep(seconds)
        return then or answer()
    return script


def drips(seconds):
    """A head at once, then a body that does not end in time."""
    def script(_, connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 1000\r\n\r\n")
        for _ in range(int(seconds * 10)):
            connection.sendall(b".")
            time.sleep(0.1)
    return script


def in_turn(*scripts):
    """The first script for the first request, and so on; the last one stays."""
    left = list(scripts)

    def script(seen, connection):
        now = left.pop(0) if len(left) > 1 else left[0]
        return now(seen, connection)
    return script


# --- httpbin ---

class Httpbin:
    """PyPI's httpbin under gunicorn, with connections kept alive as a real
    API keeps them."""

    def __init__(self):
        # We bind and hand the socket over: no other process can get the port.
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        fd = self._listener.fileno()
        self._process = Process(
            [sys.executable, "-m", "gunicorn", "--bind", f"fd://{fd}", "--worker-class", "gthread",
             "--threads", "8", "--keep-alive", "60", "--no-control-socket", "httpbin:app"],
            env={**os.environ, "PYTHONWARNINGS": "ignore"}, pass_fds=[fd])
        wait_until(lambda: b"Booting worker" in self._process.stderr, "httpbin", 30)

    def stop(self):
        self._process.stop()
        self._listener.close()


# --- TLS ---

def certificate_for(name, folder):
    """A certificate authority of one certificate: a TLS context to serve
    with, and the PEM file to trust."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    authority, authority_key = _signed(x509, ec, hashes, "Test CA", None, None)
    leaf, leaf_key = _signed(x509, ec, hashes, name, authority.subject, authority_key)
    pem = serialization.Encoding.PEM
    chain, key, root = folder / "chain.pem", folder / "key.pem", folder / "root.pem"
    chain.write_bytes(leaf.public_bytes(pem))
    root.write_bytes(authority.public_bytes(pem))
    key.write_bytes(leaf_key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return context, root


def _signed(x509, ec, hashes, name, issuer, issuer_key):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    is_authority = issuer is None
    names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer or subject)
               .public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(now - datetime.timedelta(days=1))
               .not_valid_after(now + datetime.timedelta(days=1))
               .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True))
    if not is_authority:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key or key, hashes.SHA256()), key
