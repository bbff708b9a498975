"""What `sam build` makes is what is deployed, so that is what must run."""

import platform
import shutil
import subprocess
import zipfile

import pytest

from harness import events
from harness.function import ROOT
from harness.process import tools

ARCHITECTURE = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The folder of the function, as Lambda would unpack it."""
    folder = tmp_path_factory.mktemp("package")
    sam = shutil.which("sam", path=tools()["PATH"])
    done = subprocess.run(
        [sam, "build", "--build-dir", str(folder / "build"), "--parameter-overrides", f"Architecture={ARCHITECTURE}"],
        cwd=ROOT, capture_output=True, text=True, timeout=1800, env=tools())
    assert done.returncode == 0, done.stdout + done.stderr
    archive = shutil.make_archive(str(folder / "function"), "zip", folder / "build" / "ProxyFunction")
    task = folder / "task"
    with zipfile.ZipFile(archive) as unpacked:
        unpacked.extractall(task)
    (task / "bootstrap").chmod(0o755)  # Lambda keeps the mode; Python's zipfile does not
    return task


def test_the_package_holds_the_binary_and_the_configuration_and_nothing_else(package):
    assert sorted(path.name for path in package.iterdir()) == ["bootstrap", "countersign.yaml"]


def test_the_package_runs_from_its_own_folder_with_its_own_configuration(start, moto, package, monkeypatch):
    moto.put("countersign/github", {"token": "ghp_0123456789abcdef"})
    monkeypatch.setenv("COUNTERSIGN_BOOTSTRAP", str(package / "bootstrap"))
    world = start(secrets={}, routes={}, upstreams={}, cwd=package, env={"COUNTERSIGN_CONFIG": "countersign.yaml"})
    answer = world.send(events.rest("GET", "/nowhere"))
    answer.is_problem(404, "route_not_found")
