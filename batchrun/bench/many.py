"""Many worlds at once, on every core: which they are and in which order they come is all that counts. No law here."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from batchrun.bench.trial import Trial, try_world

ALONE = 20  # worlds take about a second; fewer are not worth new processes
PORTION = 5


def try_worlds(seeds: Iterable[int]) -> list[Trial]:
    """The worlds of these seeds, in their order; each is the same whoever plays it."""
    seeds = list(seeds)
    if len(seeds) <= ALONE:
        return [try_world(seed) for seed in seeds]
    # A fork of a process that has threads may never come out of it.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        return list(pool.map(try_world, seeds, chunksize=PORTION))
