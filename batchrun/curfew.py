"""When a run has to end though its items have not: a deadline, a length of time, too many failures. Pure: times and
counts come in as arguments; who hears of it stops the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from batchrun.plural import agreed, counted

SURE = 20  # finished items before a share of them says anything: the first one alone would be 100 %


@dataclass(frozen=True, slots=True)
class MaxFailures:
    """So many items, or such a share of what this run has finished (0 to 1); one of the two is None."""

    count: int | None = None
    share: float | None = None

    def __str__(self) -> str:
        return f"{self.count}" if self.share is None else f"{self.share * 100:g}%"

    def is_reached(self, failed: int, finished: int) -> bool:
        if self.count is not None:
            return failed >= self.count
        return self.share is not None and finished >= SURE and failed >= self.share * finished


@dataclass(frozen=True, slots=True)
class Curfew:
    """`deadline` is aware; `max_time` is in seconds from the run's first moment. None: without that bound."""

    deadline: datetime | None = None
    max_time: float | None = None
    max_failures: MaxFailures | None = None

    def left(self, now: datetime, elapsed: float) -> float:
        """Seconds until time is up; infinite where there is no bound."""
        lefts = [] if self.deadline is None else [(self.deadline - now).total_seconds()]
        lefts += [] if self.max_time is None else [self.max_time - elapsed]
        return min(lefts, default=float("inf"))

    def time_is_up(self, now: datetime, elapsed: float) -> str | None:
        """Why time is up; None while it is not."""
        if self.deadline is not None and now >= self.deadline:
            return f"the deadline of {self.deadline.strftime('%H:%M')} has come"
        if self.max_time is not None and elapsed >= self.max_time:
            return f"the run has lasted {_told(self.max_time)} (--max-time)"
        return None

    def too_many_failed(self, failed: int, finished: int) -> str | None:
        """Why what has failed is enough; None while it is not."""
        if self.max_failures is None or not self.max_failures.is_reached(failed, finished):
            return None
        have = agreed(failed, "has", "have")
        return f"{failed:,} of {counted(finished, 'item')} {have} failed (--max-failures {self.max_failures})"


def next_occurrence(clock: time, now: datetime) -> datetime:
    """The next moment at which a clock on the wall shows this; `now` is aware, in the zone of that clock."""
    today = now.replace(hour=clock.hour, minute=clock.minute, second=0, microsecond=0)
    moment = today if today > now else today + timedelta(days=1)
    # What the zone makes of that hour may be another offset than now's.
    return moment.replace(tzinfo=None).astimezone() if now.tzinfo is not None else moment


def _told(seconds: float) -> str:
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
