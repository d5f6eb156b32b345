"""Medians and tails are right for any number of figures."""

from __future__ import annotations

from array import array

import pytest

from batchrun.report.spread import EXACT, Spread, spread


def test_nothing_has_no_spread() -> None:
    """No figure is no zero."""
    assert spread(array("d")) is None


def test_one_figure_is_its_own_middle_and_tail() -> None:
    """A night of one item has a median."""
    assert spread(array("d", [4.2])) == Spread(4.2, 4.2, 4.2, 1)


def test_percentiles_lie_between_neighbours() -> None:
    """The order of arrival does not matter."""
    figures = spread(array("d", [4, 1, 3, 2]))
    assert figures is not None
    assert (figures.p50, figures.max) == (2.5, 4)
    assert figures.p95 == pytest.approx(3.85)


def test_a_million_figures_are_sampled_but_the_largest_is_exact() -> None:
    """Sampling moves a percentile by less than one in a thousand and never the maximum."""
    many = array("d", range(10 * EXACT))
    many[123_456] = 5e9
    figures = spread(many)
    assert figures is not None
    assert figures.max == 5e9
    assert figures.n == len(many)
    assert figures.p50 == pytest.approx(5 * EXACT, rel=1e-3)
    assert figures.p95 == pytest.approx(9.5 * EXACT, rel=1e-3)
