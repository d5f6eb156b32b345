"""A measured client in a process of its own: started with an order, pinned to a core, heard once at its end.

Both ends of that conversation are here, JSON on stdin and JSON on stdout: everybody on the machine can read argv, and a
backend's headers are not for everybody. What is measured is not known here.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from batchrun import loop
from batchrun.errors import BatchrunError, ConfigError, CredentialsError, UsageError

Figures = dict[str, Any]
START_SECONDS = 30.0  # beyond what the measurement itself may take: the import of the SDK on a slow machine

# What a worker can die of by its user's fault keeps its class and its exit code on the way to the parent.
_BY_EXIT_CODE: dict[int, type[BatchrunError]] = {
    int(error.exit_code): error for error in (UsageError, ConfigError, CredentialsError)
}
_MARK = "batchrun: "


def run_worker(
    module: str, order: Mapping[str, Any], seconds: float, core: int | None, env: Mapping[str, str] | None = None
) -> Figures:
    """Run a worker of this room to its end, `seconds` being the longest that it may measure; `env` is added to what is
    set here.

    Raises:
        BatchrunError: it did not end well; where it was the user's fault, as the class that says so.
    """
    words = [sys.executable, "-P", "-m", f"batchrun.bench.{module}"]
    said = json.dumps({"core": core, "order": dict(order)}, default=str).encode()  # a path is told as a text
    try:
        around = os.environ | dict(env or {})
        limit = seconds + START_SECONDS
        done = subprocess.run(words, input=said, capture_output=True, timeout=limit, check=False, env=around)
    except subprocess.TimeoutExpired:
        message = f"{module} measured for more than {seconds:.0f} s; ask for less, or try again on a calmer machine"
        raise BatchrunError(message) from None
    if done.returncode != 0:
        raise _failure(module, done.returncode, done.stderr.decode(errors="replace"))
    figures: Figures = json.loads(done.stdout)
    return figures


def be_worker(
    measure: Callable[[Mapping[str, Any]], Coroutine[Any, Any, Figures]],
    *,
    as_usual: Callable[[Mapping[str, Any]], bool] = lambda order: False,
) -> None:
    """The worker's own end: take the order, measure, tell.

    Args:
        as_usual: whether this is a program that knows nothing of what a run does before it begins: it freezes what was
            imported, for after the SDK's import a full collection stalls the loop for 130 ms, and takes a faster loop.
    """
    told = json.load(sys.stdin)
    pin(0, told["core"])
    is_usual = as_usual(told["order"])
    if not is_usual:
        gc.collect()
        gc.freeze()
    try:
        figures = (asyncio.run if is_usual else loop.run)(measure(told["order"]))
    except BatchrunError as exc:
        sys.stderr.write(f"{_MARK}{exc}\n")
        sys.exit(int(exc.exit_code))
    sys.stdout.write(json.dumps(figures))


def client_core() -> int | None:
    """The core of the measured client; None where the system has no say in it, or there is only one."""
    return _cores()[0]


def server_core() -> int | None:
    """The core of the embedded provider, so that what it costs is not charged to the client."""
    return _cores()[1]


def pin(pid: int, core: int | None) -> None:
    """Keep a process (0: this one) on a core; None leaves it free."""
    if core is not None:
        os.sched_setaffinity(pid, {core})


def _cores() -> tuple[int | None, int | None]:
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    cores = sorted(os.sched_getaffinity(0))
    return (cores[0], cores[1]) if len(cores) > 1 else (None, None)


def _failure(module: str, exit_code: int, stderr: str) -> BatchrunError:
    lines = stderr.strip().splitlines() or ["it said nothing"]
    error = _BY_EXIT_CODE.get(exit_code)
    if error is not None and lines[-1].startswith(_MARK):
        return error(lines[-1].removeprefix(_MARK))
    return BatchrunError(f"{module} did not end well: {lines[-1]}")
