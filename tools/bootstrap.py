"""Makes `.venv` and installs a lock file and the project into it: what `make` calls before anything else.

Only the standard library is at hand here, and some of it is not: Debian splits ensurepip off into python3-venv, which
a fresh machine lacks. So pip comes from ensurepip, else from the system's pip, else as a wheel checked by its hash.
"""

from __future__ import annotations

import configparser
import hashlib
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = Path(".venv")
PYTHON = VENV / "bin" / "python"

PIP_WHEEL = "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
PYPI = "https://pypi.org/simple"

# A user's pip may be set to --user, which a virtual environment refuses.
ENVIRONMENT = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_USER": "0"}


def main(lock: str) -> None:
    os.chdir(ROOT)
    print(f"Setting up .venv from {lock} ...", flush=True)
    if not succeeds(PYTHON, "-m", "pip", "--version"):
        make_venv()
    pip("--requirement", lock)
    # The build backend stands in the lock as well: an isolated build would fetch an unlocked one.
    pip("--no-deps", "--no-build-isolation", "--editable", ".")


def make_venv() -> None:
    """A new `.venv` with pip in it; what an interrupted set-up left there goes first."""
    shutil.rmtree(VENV, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", VENV], check=True)
    if succeeds(PYTHON, "-m", "ensurepip", "--default-pip"):
        return
    if succeeds(sys.executable, "-m", "pip", "--python", PYTHON, "install", "pip"):
        return
    install_pip_wheel()


def succeeds(*command: str | Path) -> bool:
    try:
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def pip(*arguments: str) -> None:
    done = subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", *arguments], env=ENVIRONMENT, check=False)
    if done.returncode != 0:
        sys.exit(f"pip could not install {arguments[-1]}: see its message above, then run make again.")


def install_pip_wheel() -> None:
    """A pip wheel is a program too: it installs itself."""
    with tempfile.TemporaryDirectory() as directory:
        wheel = Path(directory, PIP_WHEEL)
        try:
            wheel.write_bytes(fetch_pip_wheel())
        except (OSError, ValueError) as error:
            sys.exit(
                f"This Python has no pip, and none could be fetched ({error}).\n"
                "Install it with your package manager (Debian, Ubuntu: sudo apt install python3-venv), then try again."
            )
        subprocess.run([PYTHON, wheel / "pip", "install", "--quiet", "--no-index", wheel], env=ENVIRONMENT, check=True)


def fetch_pip_wheel() -> bytes:
    page_url = f"{index_url().rstrip('/')}/pip/"
    page = fetch(page_url).decode()
    link = re.search(rf'href="([^"#]*{re.escape(PIP_WHEEL)})[#"]', page)
    if link is None:
        raise ValueError(f"{page_url} does not offer {PIP_WHEEL}")
    wheel = fetch(urllib.parse.urljoin(page_url, link[1]))
    if hashlib.sha256(wheel).hexdigest() != PIP_SHA256:
        raise ValueError(f"{link[1]} is not the file that is locked")
    return wheel


def index_url() -> str:
    """Where pip itself would look: its environment variable, its configuration files, PyPI."""
    home = Path.home()
    files = configparser.ConfigParser(interpolation=None)
    files.read(["/etc/pip.conf", home / ".pip/pip.conf", home / ".config/pip/pip.conf"])
    return os.environ.get("PIP_INDEX_URL") or str(files.get("global", "index-url", fallback=PYPI))


def fetch(url: str) -> bytes:
    context = ssl.create_default_context(cafile=os.environ.get("PIP_CERT"))
    with urllib.request.urlopen(url, timeout=60, context=context) as response:
        body: bytes = response.read()
    return body


if __name__ == "__main__":
    main(sys.argv[1])
