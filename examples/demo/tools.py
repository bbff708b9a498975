"""Finds cargo-lambda, or fetches it into `target/tools`, where `cargo clean` removes it again."""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

VERSION = "1.9.2"


class Missing(Exception):
    """A tool that is needed and cannot be had; says how to get it."""


def cargo():
    found = shutil.which("cargo")
    if not found:
        raise Missing("Rust is not installed (no `cargo` on the PATH). See https://rustup.rs, then try again.")
    return found


def cargo_lambda(root, say):
    """The path of a cargo-lambda that can leave CORS to us."""
    home = root / "target" / "tools"
    kept = home / "bin" / "cargo-lambda"
    for path in (shutil.which("cargo-lambda"), Path.home() / ".cargo/bin/cargo-lambda", kept):
        if path and usable(path):
            return str(path)
    say(f"cargo-lambda is not installed: fetching {VERSION} from PyPI into {home.relative_to(root)} (once)")
    install(home)
    if not usable(kept):
        raise Missing(f"{kept} was installed but does not run. {BY_HAND}")
    return str(kept)


BY_HAND = "Install it by hand (https://www.cargo-lambda.info/guide/installation.html), then try again."


def usable(path):
    """Older versions answer preflights themselves, and cannot be told not to."""
    try:
        told = subprocess.run([path, "lambda", "watch", "--help"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return told.returncode == 0 and "--disable-cors" in told.stdout


def install(home):
    # Without its dependencies: the only one is the Zig compiler (100 MB),
    # which cross-compiles for Lambda; a run on this machine has no use for it.
    pip = [home / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    try:
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([*pip, f"cargo-lambda=={VERSION}"], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        raise Missing(f"cargo-lambda {VERSION} could not be installed. {BY_HAND}") from None
