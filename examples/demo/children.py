"""Processes that we start, listen to, and leave none of behind."""

import os
import signal
import subprocess
import threading

PATIENCE = 5  # seconds a process has to end by itself before it is killed


class Child:
    """A process whose every line is handed to `hear`."""

    def __init__(self, who, command, env, hear):
        self.who = who
        # In a session of its own, so that Ctrl-C reaches us first and we stop things in order.
        self.process = subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, encoding="utf-8", errors="replace", start_new_session=True)
        # Two pipes and not one: a record on stdout must not be torn apart by a line on stderr.
        pipes = (self.process.stdout, self.process.stderr)
        self.readers = [threading.Thread(target=listen, args=(pipe, hear), daemon=True) for pipe in pipes]
        for reader in self.readers:
            reader.start()

    def ended(self):
        return self.process.poll() is not None

    def works(self):
        """Whether it has processes of its own, as cargo-lambda has while the function lives."""
        return bool(descendants(self.process.pid))

    def stop(self):
        stop(self.process)
        for reader in self.readers:
            reader.join(1)


def listen(pipe, hear):
    for line in pipe:
        hear(line.rstrip("\n"))


def stop(process):
    """Ends a process and all it has started. cargo-lambda puts the function
    in a session of its own, so the process group alone would not do."""
    others = descendants(process.pid)
    if process.poll() is None:
        tell(os.killpg, process.pid, signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            tell(os.killpg, process.pid, signal.SIGKILL)
            process.wait()
    for pid in others:
        tell(os.kill, pid, signal.SIGKILL)


def tell(how, pid, what):
    try:
        how(pid, what)
    except (ProcessLookupError, PermissionError):
        pass  # gone already


def descendants(pid):
    """Everything that a process has started, and what those have started."""
    rows = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True).stdout
    children = {}
    for row in rows.splitlines():
        child, parent, state = row.split()[:3]
        if not state.startswith("Z"):
            children.setdefault(int(parent), []).append(int(child))
    found, queue = [], [pid]
    while queue:
        born = children.get(queue.pop(), [])
        found += born
        queue += born
    return found
