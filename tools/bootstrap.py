"""Makes `.venv` and installs a lock file and the project into it: what `make` calls before anything else.

Only the standard library is at hand here, and some of it is not: Debian splits ensurepip off into python3-venv, which
a fresh machine lacks. So pip lies beside this file as a wheel: the same version everywhere, whatever the machine has.
Where packages come from is pip's own affair and the user's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PIP_WHEEL = Path("tools", "pip-26.3-py3-none-any.whl")
VENV = Path(".venv")
PYTHON = VENV / "bin" / "python"

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
    # A wheel of pip is a program too: it installs itself.
    pip_in_wheel: list[str | Path] = [PYTHON, PIP_WHEEL / "pip", "install", "--quiet", "--no-index", PIP_WHEEL]
    subprocess.run(pip_in_wheel, env=ENVIRONMENT, check=True)


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


if __name__ == "__main__":
    main(sys.argv[1])
