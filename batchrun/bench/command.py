"""A program in a process of its own, as a user starts it, and what it used by the system's own account."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from batchrun.bench.worker import pin
from batchrun.errors import BatchrunError, ExitCode

_TO_MB = 2**20 if sys.platform == "darwin" else 1024
_SETTINGS = ("BATCHRUN_", "XDG_")


class Used(NamedTuple):
    """Seconds of the wall and of CPUs, and the most memory that was resident. Linux tells no less of a child than its
    parent had when it was started."""

    wall_seconds: float
    cpu_seconds: float
    peak_mb: float


def run_command(
    what: str,
    words: Sequence[str],
    *,
    module: str = "batchrun",
    core: int | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Used:
    """Run a module of Python's to its end, on that core where one is given; `env` is added to what is set here.

    Raises:
        BatchrunError: it did not end with 0.
    """
    # The user's own settings and the list of his runs have no part in this.
    around = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
    around |= {"XDG_CONFIG_HOME": os.devnull, "XDG_STATE_HOME": os.devnull} | dict(env or {})
    with tempfile.TemporaryFile() as told:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *words],
            cwd=cwd,
            env=around,
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=told,
        )
        try:
            pin(process.pid, core)
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != ExitCode.OK:
            told.seek(0)
            raise BatchrunError(f"{what} did not end well: {told.read().decode(errors='replace').strip()[-500:]}")
    return Used(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / _TO_MB)
