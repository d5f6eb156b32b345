"""Whom a bench asks: the embedded provider, started for it, or an endpoint that costs money. Nothing is asked here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from batchrun.bench.worker import pin, server_core
from batchrun.jobs.job import DEFAULT_MODEL
from batchrun.prices.bill import Rates
from batchrun.simulator.process import start_simulator

FREE = Rates(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """In values that JSON can carry, for a worker gets it in its arguments: where the key is found, never the key.

    `kind` is that of a backend. `budget_usd` None: it costs nothing; else `rates` are what its tokens cost.
    """

    base_url: str | None = None
    is_embedded: bool = True
    kind: str = "anthropic"
    key_file: str | None = None
    key_env: str | None = None
    model: str = DEFAULT_MODEL
    budget_usd: float | None = None
    rates: Rates = FREE

    @property
    def name(self) -> str:
        """For people."""
        return "the embedded provider" if self.is_embedded else str(self.base_url)


EMBEDDED = Endpoint()


def endpoint_of(fields: dict[str, Any]) -> Endpoint:
    """The endpoint of a worker's order."""
    return Endpoint(**(fields | {"rates": Rates(**fields["rates"])}))


@contextmanager
def open_endpoint(endpoint: Endpoint, scenario: str = "calm", extra: Sequence[str] = ()) -> Iterator[Endpoint]:
    """The endpoint with its address; the embedded provider lives for as long as the block, on a core of its own.

    Raises:
        ConfigError, StateError: the embedded provider could not be started so.
    """
    if not endpoint.is_embedded:
        yield endpoint
        return
    with start_simulator(scenario, extra=extra) as server:
        pin(server.pid, server_core())
        yield replace(endpoint, base_url=server.base_url)


def share_of(endpoint: Endpoint, spent_usd: float, workers: int) -> Endpoint:
    """The endpoint with an equal share of what is left of its budget, for the next of so many workers."""
    if endpoint.budget_usd is None:
        return endpoint
    return replace(endpoint, budget_usd=max(0.0, endpoint.budget_usd - spent_usd) / workers)
