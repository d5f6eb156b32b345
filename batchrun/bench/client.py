"""CPU per streamed event: the loop that everybody writes against batchrun's, on the same server, in one run.

Each client runs in a process of its own, on one core; the server keeps the other. Ratios are the result: the machine
under both is the same, so its speed cancels out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from batchrun.errors import BatchrunError
from batchrun.simulator.process import start_simulator

CLIENTS = ("articles", "batchrun")
GRACE_SECONDS = 60.0  # beyond the streams' own length: the import of the SDK, a slow machine


@dataclass(frozen=True, slots=True)
class ClientFigures:
    """What one client cost. `unattributed` is the share of the process's CPU that was charged to no item, None where
    the client does not charge items."""

    client: str
    events: int
    cpu_seconds: float
    wall_seconds: float
    peak_mb: float
    unattributed: float | None

    @property
    def microseconds_an_event(self) -> float:
        return self.cpu_seconds / self.events * 1e6


def measure_clients(streams: int, rate: float, seconds: float) -> list[ClientFigures]:
    """Run each client once against a fresh server: so many streams of so many events a second, for so long.

    Raises:
        BatchrunError: a client did not end well.
    """
    client_core, server_core = _cores()
    figures = []
    for client in CLIENTS:
        with start_simulator("calm", extra=("--ttft", "0.3", "--tokens-per-second", str(rate))) as server:
            _pin(server.pid, server_core)
            order = {
                "client": client,
                "base_url": server.base_url,
                "streams": streams,
                "tokens": round(rate * seconds),
                "core": client_core,
            }
            figures.append(ClientFigures(**_run_worker(order, seconds + GRACE_SECONDS)))
    return figures


def _run_worker(order: dict[str, Any], timeout: float) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "batchrun.bench.client_worker", json.dumps(order)],
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode != 0:
        told = done.stderr.decode(errors="replace").strip().splitlines()
        raise BatchrunError(f"the client {order['client']} did not end well: {told[-1] if told else 'it said nothing'}")
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def _cores() -> tuple[int | None, int | None]:
    """A core for the client and one for the server; None where the system has no say in it or there is only one."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    cores = sorted(os.sched_getaffinity(0))
    return (cores[0], cores[1]) if len(cores) > 1 else (None, None)


def _pin(pid: int, core: int | None) -> None:
    if core is not None:
        os.sched_setaffinity(pid, {core})
