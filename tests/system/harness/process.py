"""Starting a program, reading what it says, and stopping it for certain."""

import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time


def tools():
    """The environment for a command of this virtual environment, such as
    `sam` or `cargo lambda`, however the tests themselves were started."""
    path = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    return {**os.environ, "PATH": path, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "eu-west-1"}


_given = set()


def free_port():
    """A port that nothing listens on, and that was not given out before: whoever
    got it may not listen yet. Below the range from which the kernel
    takes the ports of outgoing connections, so that none of those gets it
    between our looking and the program's binding."""
    while True:
        port = random.randint(20000, 32000)
        if port in _given:
            continue
        _given.add(port)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def wait_until(condition, what, seconds=20):
    """Waits for `condition` to be true; its value is returned."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"waited {seconds} s for {what}")


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Process:
    """A program in a process group of its own, its output kept in files: a
    pipe that nobody empties would stop it."""

    def __init__(self, command, env=None, cwd=None, pass_fds=()):
        self._out, self._err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        self._child = subprocess.Popen(
            command, env=env, cwd=cwd, pass_fds=pass_fds, stdin=subprocess.DEVNULL,
            stdout=self._out, stderr=self._err, start_new_session=True)

    @property
    def pid(self):
        return self._child.pid

    @property
    def exit_code(self):
        return self._child.poll()

    @property
    def stdout(self):
        return _all_of(self._out)

    @property
    def stderr(self):
        return _all_of(self._err)

    def wait_for_port(self, port):
        def ready():
            assert self.exit_code is None, f"ended with {self.exit_code}: {self.stderr.decode()}"
            return listens(port)
        wait_until(ready, f"port {port}")

    def stop(self):
        """Politely first; then the whole group, so that no child is left."""
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(3)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self._child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._child.wait()


def _all_of(file):
    return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0)
