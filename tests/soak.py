"""Seed and budget of the long suites, as `make soak` hands them on through the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Soak:
    """`seed` replays a run; `budget_seconds` is how long one test may go on trying."""

    seed: int
    budget_seconds: float


def soak_of_environment(sharers: int) -> Soak:
    """What each of `sharers` tests gets; a soak test that is run by hand, without `make soak`, gets a minute."""
    seed = int(os.environ.get("BATCHRUN_SOAK_SEED", "0"))
    budget = float(os.environ.get("BATCHRUN_SOAK_BUDGET", "60"))
    return Soak(seed, budget / max(1, sharers))
