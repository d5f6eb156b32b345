"""Whom a bench asks: the embedded provider, started for it, or a backend that costs money. Nothing is asked here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from batchrun.bench.worker import pin, server_core
from batchrun.jobs.job import DEFAULT_MODEL, LimitField
from batchrun.prices.bill import Rates
from batchrun.providers.provider import BackendConfig
from batchrun.simulator.process import start_simulator

FREE = Rates(0.0, 0.0)
OUR_OWN = BackendConfig("bench", simulated=True)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A backend, as a worker is told of it: where the key is found, never the key.

    `limit_field` is what the bound on an answer is called there. `budget_usd` None: it costs nothing;
    else `rates` are what its tokens cost.
    """

    backend: BackendConfig = OUR_OWN
    model: str = DEFAULT_MODEL
    limit_field: LimitField = "max_tokens"
    budget_usd: float | None = None
    rates: Rates = FREE

    @property
    def is_embedded(self) -> bool:
        return self.backend.simulated

    @property
    def base_url(self) -> str:
        """Empty where only the SDK knows it, or the embedded provider is not there yet."""
        return self.backend.base_url or ""

    @property
    def name(self) -> str:
        """For people."""
        return "the embedded provider" if self.is_embedded else self.base_url or self.backend.name

    def at(self, base_url: str) -> Endpoint:
        """The same at that address."""
        return replace(self, backend=replace(self.backend, base_url=base_url))


EMBEDDED = Endpoint()


def endpoint_of(fields: Mapping[str, Any]) -> Endpoint:
    """The endpoint of a worker's order, in which a path is a text and a tuple a list."""
    told = dict(fields["backend"])
    path = told["key_file"]
    told |= {"key_file": None if path is None else Path(path), "betas": tuple(told["betas"])}
    return Endpoint(**{**fields, "backend": BackendConfig(**told), "rates": Rates(**fields["rates"])})


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
        yield endpoint.at(server.base_url)


def share_of(endpoint: Endpoint, spent_usd: float, workers: int) -> Endpoint:
    """The endpoint with an equal share of what is left of its budget, for the next of so many workers."""
    if endpoint.budget_usd is None:
        return endpoint
    return replace(endpoint, budget_usd=max(0.0, endpoint.budget_usd - spent_usd) / workers)
