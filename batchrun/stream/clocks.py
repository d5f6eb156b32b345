"""When an attempt has been quiet for too long. Pure: times come in as arguments; `watch.py` does the waiting.

Five clocks: connect (the transport's own), first byte, idle, stall (nothing but pings) and total. An idle clock that is
looked at only when the next chunk arrives can never fire on a dead stream, so all of them are deadlines, not checks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from batchrun.failure import Cause

IDLE_GROWTH = 1.5  # an item whose stream went silent gets a longer idle clock at its next attempt


@dataclass(frozen=True, slots=True)
class ClockLimits:
    """Seconds. Defaults: first byte, stall and total from public reports of stuck streams; idle is 60 and not the
    articles' 30 because healthy gaps above 30 s are on record."""

    connect: float = 10.0
    first_byte: float = 120.0
    idle: float = 60.0
    stall: float = 600.0
    total: float = 3600.0

    def after_idle_retries(self, count: int) -> ClockLimits:
        """The limits for an attempt that `count` silent attempts of the same item went before."""
        return replace(self, idle=min(self.idle * IDLE_GROWTH**count, self.stall))

    def for_document(self) -> ClockLimits:
        """The limits for an answer that comes in one piece: nothing can be heard of it before it is whole."""
        return replace(self, first_byte=self.total, idle=self.total, stall=self.total)


class Clocks:
    """The state of the clocks of one attempt. All times are seconds of one monotonic clock."""

    __slots__ = ("_bytes_at", "_content_at", "_limits", "_quiet", "_requested_at", "_started_at")

    def __init__(self, limits: ClockLimits, now: float) -> None:
        self._limits = limits
        self._quiet = min(limits.idle, limits.stall)
        self._started_at = now
        self._requested_at: float | None = now
        self._bytes_at: float | None = None
        self._content_at = now

    @property
    def is_waiting(self) -> bool:
        """Whether no byte of the answer has come yet."""
        return self._bytes_at is None

    def connecting(self) -> None:
        """A connection is being made: only the transport's connect clock and the total clock run."""
        self._requested_at = None

    def connected(self, now: float) -> None:
        self._requested_at = now

    def received(self, now: float) -> None:
        """Bytes have come, of whatever kind; a ping counts."""
        if self._bytes_at is None:
            self._content_at = now
        self._bytes_at = now

    def progressed(self, now: float) -> None:
        """An event that is no ping has come."""
        self._content_at = now

    def left_at_content(self, now: float) -> float:
        """Seconds to the next deadline, where content has just come."""
        return min(self._quiet, self._started_at + self._limits.total - now)

    def shift(self, seconds: float) -> None:
        """So long we did not read, for reasons of our own: every deadline moves with it (F5)."""
        self._started_at += seconds
        self._content_at += seconds
        if self._bytes_at is not None:
            self._bytes_at += seconds
        if self._requested_at is not None:
            self._requested_at += seconds

    def deadline(self) -> tuple[float, Cause]:
        """The first moment at which one of the clocks will have run out, and which."""
        ends = [(self._started_at + self._limits.total, Cause.TOO_LONG)]
        if self._bytes_at is not None:
            ends.append((self._bytes_at + self._limits.idle, Cause.SILENT))
            ends.append((self._content_at + self._limits.stall, Cause.STALLED))
        elif self._requested_at is not None:
            ends.append((self._requested_at + self._limits.first_byte, Cause.FIRST_BYTE))
        # By time alone: for a document two of them run out together, and its cause must not hang on their names.
        return min(ends, key=lambda end: end[0])

    def explain(self, cause: Cause) -> str:
        """One sentence for the log, with the limit that was passed."""
        limits = self._limits
        return {
            Cause.FIRST_BYTE: f"no byte of an answer within {limits.first_byte:g} s",
            Cause.SILENT: f"the stream went silent: not a byte for {limits.idle:g} s",
            Cause.STALLED: f"the stream stalled: nothing but pings for {limits.stall:g} s",
            Cause.TOO_LONG: f"the attempt took more than {limits.total:g} s",
        }[cause]
