"""Worlds on every core are the worlds that one core would have played."""

from __future__ import annotations

from batchrun.bench.many import ALONE, try_worlds
from batchrun.bench.trial import try_world


def test_many_worlds_are_those_of_their_seeds_in_their_order() -> None:
    """Whoever played them, a figure can be replayed by its seed alone."""
    seeds = range(500, 501 + ALONE)
    trials = try_worlds(seeds)
    assert [trial.world.seed for trial in trials] == list(seeds)
    assert trials[7] == try_world(507)
