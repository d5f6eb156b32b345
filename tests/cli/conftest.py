"""Providers for the installed program to ask: one that takes its time, and one that answers at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from batchrun.simulator.process import SimulatorProcess, start_simulator
from tests.cli.program import RequestPipe


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[RequestPipe]:
    """What the calm provider is asked, as it is asked."""
    with RequestPipe(tmp_path / "requests") as pipe:
        yield pipe


@pytest.fixture
def calm(heard: RequestPipe) -> Iterator[SimulatorProcess]:
    """A provider that answers slowly enough for a signal to find streams in flight."""
    with start_simulator("calm", log=heard.path) as server:
        yield server


@pytest.fixture
def instant() -> Iterator[SimulatorProcess]:
    with start_simulator("instant") as server:
        yield server
