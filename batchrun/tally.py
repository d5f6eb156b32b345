"""How far a run is, in numbers: counted by the engine as things happen, looked at by telemetry and the progress view.

Numbers only: a tally draws nothing and decides nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from batchrun.failure import Failure
from batchrun.outcome import GivenUp, Outcome, Status
from batchrun.spent import Spent

RATE_WINDOW = 300.0  # seconds of finished items behind the ETA: long enough to smooth, short enough to follow


@dataclass(frozen=True, slots=True)
class View:
    """One look at a run. `gates` maps a backend to slots, in_flight, waiting, limited_by and reason; `eta_s` is None
    while nothing can be said. Of those in flight `with_sinks` have their answer and wait for the sinks to take it; of
    those that the next run takes up `again` it asks nobody for the `kept`."""

    elapsed: float
    total: int
    finished: dict[str, int]
    pending: int
    in_flight: int
    backing_off: int
    with_sinks: int
    retries: int
    retried: dict[str, int]
    wasted_tokens: int
    again: int
    tok_s: float
    eta_s: float | None
    gates: dict[str, dict[str, Any]]
    cpu: float | None
    cpu_ewma: float | None
    last_error: dict[str, Any] | None
    stopping: str | None
    spent: Spent = field(default_factory=Spent)
    kept: int = 0
    given_up: GivenUp = field(default_factory=GivenUp)


@dataclass(slots=True)
class Tally:
    """`before` are the items of the job file that were finished when the run began, by status; `todo` is what this
    run is to do; `given_up` is of the whole job file."""

    total: int
    before: dict[str, int]
    todo: int
    began: float
    now: Counter[str] = field(default_factory=Counter)
    retried: Counter[str] = field(default_factory=Counter)
    tokens: int = 0
    wasted_tokens: int = 0
    again: int = 0  # finished now, as failed, but asked again by the next run
    undelivered: int = 0  # those of them whose answer is kept, for the next run to deliver
    given_up: GivenUp = field(default_factory=GivenUp)
    sink_error: str = ""  # why the last of those was not taken
    last_failure: str = ""
    last_error: dict[str, Any] | None = None
    last_finish: float = 0.0
    _recent: deque[float] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.last_finish = self.began

    @property
    def finished_now(self) -> int:
        """Items that this run has finished."""
        return self.now.total()

    @property
    def finished(self) -> dict[str, int]:
        """Finished items of the whole job file, by status."""
        return {str(status): self.before.get(status, 0) + self.now[status] for status in Status}

    def finish(self, outcome: Outcome, when: float, *, is_given_up: bool = False) -> None:
        self.now[outcome.status] += 1
        if is_given_up:
            self.given_up = self.given_up.plus(is_kept=outcome.is_kept)
        else:
            self.again += not outcome.final
            self.undelivered += outcome.is_kept
        if outcome.is_kept:
            self.sink_error = str((outcome.error or {}).get("message"))
        if not outcome.paid_before:
            self.tokens += outcome.measure.tokens
        self.last_finish = when
        self._recent.append(when)
        while self._recent[0] < when - RATE_WINDOW:
            self._recent.popleft()
        if outcome.error is not None:
            self.last_error = {"id": outcome.id, **outcome.error, "t": outcome.finished}

    def retry(self, failure: Failure) -> None:
        self.retried[failure.cause.value] += 1
        self.wasted_tokens += failure.partial_tokens
        self.last_failure = failure.message

    def eta(self, when: float) -> float | None:
        """Seconds until this run's items are finished at the recent pace; None before two of them are.

        Changes nothing: the live view asks from a thread of its own, while the run goes on finishing.
        """
        moments = tuple(self._recent)
        recent = len(moments) - bisect_left(moments, when - RATE_WINDOW)
        window = min(RATE_WINDOW, when - self.began)
        left = self.todo - self.finished_now
        if recent < 2 or window <= 0:
            return None
        return left * window / recent
