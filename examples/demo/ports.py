"""Which ports are free, and whether the proxy answers on its own."""

import http.client
import socket


def free_port(preferred):
    """The preferred port, or any. `localhost` may mean either family, so both must be free."""
    return preferred if is_free(preferred) else any_port()


def is_free(port):
    families = [(socket.AF_INET, "127.0.0.1")] + ([(socket.AF_INET6, "::1")] if socket.has_ipv6 else [])
    return not any(taken(family, host, port) for family, host in families)


def taken(family, host, port):
    try:
        with socket.socket(family) as probe:
            probe.settimeout(1)
            return probe.connect_ex((host, port)) == 0
    except OSError:
        return False  # no such family here


def any_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    """Whether the function says anything on a path that leads nowhere: no upstream, no credential."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    except OSError:
        return False
