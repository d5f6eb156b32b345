"""Providers to measure: embedded ones, and one that a bench has to pay for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from batchrun.bench.endpoint import EMBEDDED, Endpoint
from batchrun.prices.bill import Rates
from batchrun.providers.provider import BackendConfig
from batchrun.simulator.process import start_simulator

PRICE = 10.0  # USD a million tokens


@pytest.fixture(scope="session")
def instant() -> Iterator[Endpoint]:
    """Answers at once."""
    with start_simulator("instant") as server:
        yield EMBEDDED.at(server.base_url)


@pytest.fixture(scope="session")
def quick() -> Iterator[Endpoint]:
    """Answers at a pace at which a stream can still be stopped."""
    with start_simulator("calm", extra=("--ttft", "0.01", "--tokens-per-second", "500")) as server:
        yield EMBEDDED.at(server.base_url)


@pytest.fixture
def paid(instant: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    """A real endpoint, as far as a bench can see, with half a cent to spend."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-any")
    backend = BackendConfig(base_url=instant.base_url, claudes_key=True)
    return Endpoint(backend, budget_usd=0.005, rates=Rates(PRICE, PRICE))
