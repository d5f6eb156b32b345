"""One simulator and one SDK client for the whole folder: either costs more to start than most tests to run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from anthropic import Anthropic, AsyncAnthropic

from batchrun.simulator.process import SimulatorProcess, start_simulator


@pytest.fixture(scope="session")
def simulator() -> Iterator[SimulatorProcess]:
    """A simulator without pace and without faults of its own."""
    with start_simulator("instant") as process:
        yield process


@pytest.fixture(scope="session")
def sdk(simulator: SimulatorProcess) -> Iterator[Anthropic]:
    """The official client, retries off."""
    with Anthropic(api_key="test-key", base_url=simulator.base_url, max_retries=0, timeout=10) as client:
        yield client


@pytest.fixture
async def async_sdk(simulator: SimulatorProcess) -> AsyncIterator[AsyncAnthropic]:
    """The official asynchronous client, retries off."""
    async with AsyncAnthropic(api_key="test-key", base_url=simulator.base_url, max_retries=0, timeout=10) as client:
        yield client
