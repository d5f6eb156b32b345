"""Who may go to a backend now, and who has to wait how long: its pace, its circuit and the budget of its retries in
one. Pure: times come in as arguments.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from batchrun.failure import Failure
from batchrun.gate.breaker import Breaker
from batchrun.gate.budget import RetryBudget
from batchrun.gate.pace import Pace
from batchrun.providers.quota import Quota


class Turn(IntEnum):
    """Whose turn it is, in the order in which they go."""

    REFUSED = 0  # a rate limit's: costs no attempt, and nothing of the retries' budget
    RETRY = 1
    FIRST = 2


class Traffic:
    """The traffic with one backend."""

    def __init__(self) -> None:
        self.pace = Pace()
        self.breaker = Breaker()
        self._budget = RetryBudget()

    def __repr__(self) -> str:
        return f"<Traffic {self.pace!r} {self.breaker!r}>"

    @property
    def order(self) -> Iterable[Turn]:
        """Who goes before whom. A probe is a fresh item rather than one that has failed already: what kills the backend
        may be that item's own."""
        return reversed(Turn) if self.breaker.is_open else Turn

    def wait(self, turn: Turn, now: float, *, is_alone: bool) -> float:
        """Seconds until one of them may go; 0 for at once. `is_alone`: nobody else is on the way."""
        if self.breaker.is_open and not is_alone:
            return float("inf")  # until the probe is back
        waits = [self.pace.wait(now, is_alone=is_alone)]
        if turn is Turn.RETRY and not is_alone:
            waits.append(self._budget.wait(now))
        return max(waits)

    def sent(self, turn: Turn, now: float) -> None:
        self.pace.sent(now)
        self._budget.note(now, is_retry=turn is Turn.RETRY)

    def answered(self) -> None:
        self.breaker.answered()

    def failed(self, failure: Failure, id: str, sent_at: float, now: float) -> float:
        """Take in a failed attempt that began at `sent_at`; seconds for which nobody goes, 0 for none."""
        return self.breaker.failed(failure, id, sent_at, now)

    def told(self, quotas: Iterable[Quota], sent_at: float, now: float) -> None:
        """What an answer's headers said of the provider's limits."""
        self.pace.told(quotas, sent_at, now)
