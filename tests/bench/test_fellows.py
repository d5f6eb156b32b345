"""Runs side by side on one host: each comes to its part, and nobody starves meanwhile."""

from __future__ import annotations

import time

import pytest

from batchrun.bench.fellows import ShareFigures, Shares, share_figures, share_host
from batchrun.gate.steady import steady
from tests.soak import Soak

FEW = 12
MANY = 60


def check(figures: ShareFigures) -> None:
    """Jain's index of the shares; and nobody is kept below what nobody is cut below."""
    assert figures.fairness_median >= 0.9, figures
    assert figures.fairness_p5 >= 0.75, figures
    assert figures.starving <= max(1, 0.02 * figures.hosts), figures


@pytest.mark.parametrize("runs", [2, 4])
def test_runs_on_one_host_come_to_fair_parts(runs: int) -> None:
    """Whenever they begin, and though a stream of one costs up to four times what another's does."""
    check(share_figures([share_host(seed, runs) for seed in range(1, FEW + 1)]))


@pytest.mark.soak
@pytest.mark.parametrize("runs", [2, 4])
def test_runs_on_many_hosts_come_to_fair_parts(soak: Soak, runs: int) -> None:
    """The same on other hosts, as many as there is time for."""
    until = time.monotonic() + soak.budget_seconds / 2
    hosts: list[Shares] = []
    while len(hosts) < MANY or time.monotonic() < until:
        hosts.append(share_host(soak.seed * 100_000 + len(hosts), runs))
    check(share_figures(hosts))


def test_a_law_that_looks_at_the_whole_host_only_is_not_fair() -> None:
    """So the figures can tell: by the steady law whoever came first keeps nearly all of it."""
    hosts = [share_host(seed, 2, steady) for seed in range(1, 5)]
    assert share_figures(hosts).evenness_p5 < 0.4


def test_the_index_tells_equal_from_unequal() -> None:
    """One for equal parts, a half where one of two has all."""
    assert Shares(1, (30.0, 30.0), 0.0).fairness == pytest.approx(1.0)
    assert Shares(1, (60.0, 0.0), 0.0).fairness == pytest.approx(0.5)
    assert Shares(1, (20.0, 40.0), 0.0).evenness == pytest.approx(0.5)
