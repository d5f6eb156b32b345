"""Starting and ending a simulator in a process of its own.

What it serves is not known here; it is reached over HTTP.
"""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from batchrun.errors import BatchrunError, ConfigError, ExitCode, StateError
from batchrun.simulator.scenario import Scenario

# Measured: it listens after 0.1-0.2 s; ten seconds are for a machine that swaps.
START_SECONDS = 10.0
END_SECONDS = 5.0


class SimulatorProcess:
    """A running simulator. It ends with `close`, with the `with` block, and when this process dies, however it dies."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process = process
        self.port = port
        self.base_url = f"http://127.0.0.1:{port}"
        self.pid = process.pid

    def __repr__(self) -> str:
        state = "running" if self._process.poll() is None else "ended"
        return f"<SimulatorProcess pid={self.pid} {self.base_url} {state}>"

    def __enter__(self) -> SimulatorProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it and wait for its end; what is in flight is cut off. Can be called again."""
        _end(self._process)


def start_simulator(
    scenario: str | None = None, *, seed: int | None = None, log: Path | None = None, extra: Sequence[str] = ()
) -> SimulatorProcess:
    """Start a simulator on a free port of 127.0.0.1 and return once it listens.

    `scenario` is a name or a path, `extra` further options of `python -m batchrun.simulator`. ConfigError: one of them
    is impossible; StateError: it could not be started.
    """
    Scenario.load(scenario or "calm")  # fails here in a millisecond, not there in a second
    options = ["--port", "0", "--scenario", scenario or "calm"]
    options += ["--seed", str(seed)] if seed is not None else []
    options += ["--log", str(log)] if log is not None else []
    with tempfile.TemporaryFile() as stderr:
        # -P: a file named select.py or json.py beside the job file must not become a module of the server.
        # A session of its own: Ctrl-C at the terminal must not end the server before the run has drained.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "batchrun.simulator", *options, *extra],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )
        try:
            return SimulatorProcess(process, _port_of(process))
        except BaseException as exc:
            _end(process)
            if isinstance(exc, _NoPort):
                stderr.seek(0)
                raise _failure(process.returncode, stderr.read().decode(errors="replace")) from None
            raise


class _NoPort(Exception):
    """The process ended, or said nothing in time."""


def _port_of(process: subprocess.Popen[bytes]) -> int:
    """The port from the first line of its stdout."""
    assert process.stdout is not None
    line = _first_line(process.stdout)
    try:
        return int(json.loads(line)["port"])
    except (ValueError, KeyError, TypeError) as exc:
        raise _NoPort from exc


def _first_line(stdout: IO[bytes]) -> bytes:
    deadline = time.monotonic() + START_SECONDS
    line = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        while not line.endswith(b"\n"):
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return b""
            data = stdout.read1(4096)  # type: ignore[attr-defined]  # a pipe's reader is buffered
            if not data:
                return b""
            line += data
    return line


def _failure(returncode: int, stderr: str) -> BatchrunError:
    told = stderr.strip() or "it said nothing"
    if returncode in (ExitCode.BAD_CONFIG, ExitCode.USAGE):
        return ConfigError(f"the simulator refused its options: {told}")
    return StateError(
        f"the simulator did not start (exit {returncode}): {told}; try `{sys.executable} -m batchrun.simulator`"
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
