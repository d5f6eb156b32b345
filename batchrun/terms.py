"""How a run is to be done, and what reaches it from outside: the values that a run is given. Nothing is done here."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from batchrun.attempts import Manner
from batchrun.curfew import Curfew
from batchrun.gate.load import Load
from batchrun.journal.control import Control
from batchrun.lane import GateTerms
from batchrun.purse import Purse
from batchrun.retry import RetryPolicy
from batchrun.stop import StopSwitch
from batchrun.tally import View


class Sampler(Protocol):
    def sample(self) -> Load: ...


@dataclass(frozen=True, slots=True)
class Terms:
    """How this run is to be done. Times in seconds; `prewarm` is how many connections each backend opens beforehand."""

    retry: RetryPolicy
    period: float
    drain_timeout: float
    give_up: float
    manner: Manner
    prewarm: int = 0
    curfew: Curfew = field(default_factory=Curfew)


@dataclass(frozen=True, slots=True)
class Fresh:
    """What holds from now on, after the settings were read again; `gates` by backend."""

    terms: Terms
    gates: Mapping[str, GateTerms]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What reaches the engine from outside, and whom it tells: once a period `on_period` gets the view, the load and
    the loop's lag in milliseconds. `chance` is uniform in [0, 1), for the jitter of the backoff; `control` gives what
    the operator asks of the run at this moment; `on_drain` hears how many are in flight when the run begins to stop;
    `purse` pays for each answer; `reread` is told how often `tune` has asked for the settings to be read again, and
    gives them where that, or a signal, has asked for it since the last call."""

    stop: StopSwitch
    sampler: Sampler
    on_period: Callable[[View, Load, float], None]
    chance: Callable[[], float] = random.random
    control: Callable[[], Control | None] = lambda: None
    on_drain: Callable[[int], None] = lambda in_flight: None
    wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    purse: Purse = field(default_factory=Purse)
    reread: Callable[[int], Fresh | None] = lambda asked_by_tune: None
