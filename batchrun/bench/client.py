"""CPU per streamed event: the loop that everybody writes against batchrun's, on the same server, in one run.

Each client runs in a process of its own, on one core; the server keeps the other. Ratios are the result: the machine
under both is the same, so its speed cancels out.
"""

from __future__ import annotations

from dataclasses import dataclass

from batchrun.bench.worker import client_core, pin, run_worker, server_core
from batchrun.simulator.process import start_simulator

CLIENTS = ("articles", "batchrun")
GRACE_SECONDS = 30.0  # beyond the streams' own length: a client that cannot keep pace on a slow machine


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
    figures = []
    for client in CLIENTS:
        with start_simulator("calm", extra=("--ttft", "0.3", "--tokens-per-second", str(rate))) as server:
            pin(server.pid, server_core())
            tokens = round(rate * seconds)
            order = {"client": client, "base_url": server.base_url, "streams": streams, "tokens": tokens}
            told = run_worker("client_worker", order, seconds + GRACE_SECONDS, client_core())
            figures.append(ClientFigures(**told))
    return figures
