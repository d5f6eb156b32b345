"""When a backend counts as dead, and when it is asked again. Pure.

A dead provider, or a network that is gone, must not turn fifty items into fifty failures. Once so many attempts in a
row were not answered at all, one probe at a time is sent, at growing intervals. Any sign of life closes the circuit.
"""

from __future__ import annotations

from batchrun.failure import Cause, Failure

# Where not even a connection came about no item has any part in it: few failures are enough, though all were of one.
UNREACHED_IN_A_ROW = 3
# An error of the server may be an item's own doing, and so may a connection that it drops without an answer: it takes
# more of them, by several items.
ILL_IN_A_ROW = 10
ITEMS = 3
ILL = frozenset({Cause.SERVER_ERROR, Cause.OVERLOADED, Cause.FIRST_BYTE})
FIRST_WAIT = 1.0  # seconds
LONGEST_WAIT = 30.0  # seconds; the cap of the backoff, the articles'

# Whatever it means for the item, a backend that says this is well. What breaks in mid-answer says neither.
SIGNS_OF_LIFE = frozenset(
    {
        Cause.RATE_LIMITED,
        Cause.BAD_REQUEST,
        Cause.TOO_LARGE,
        Cause.CREDENTIALS,
        Cause.UNKNOWN_MODEL,
        Cause.QUOTA,
        Cause.SINK,
    }
)


class Breaker:
    """The circuit of one backend."""

    def __init__(self) -> None:
        self._unreached = 0
        self._ill = 0
        self._ids: set[str] = set()
        self._wait = 0.0
        self._probes_since = 0.0

    def __repr__(self) -> str:
        return f"<Breaker {'open' if self.is_open else 'closed'}, {self._unreached + self._ill} in a row>"

    @property
    def is_open(self) -> bool:
        """Whether the backend counts as dead: one probe at a time is all that is sent."""
        return self._wait > 0

    def answered(self) -> None:
        """A sign of life."""
        self._unreached = self._ill = 0
        self._ids.clear()
        self._wait = 0.0

    def failed(self, failure: Failure, id: str, sent_at: float, now: float) -> float:
        """Take in a failed attempt that began at `sent_at`; seconds to wait until the next probe, 0 for no news."""
        cause = failure.cause
        if cause in SIGNS_OF_LIFE:
            self.answered()
        elif cause is Cause.CONNECT:
            self._unreached += 1
        elif cause in ILL or failure.is_unanswered:
            self._ill += 1
            if len(self._ids) < ITEMS:
                self._ids.add(id)
        else:
            return 0.0
        is_ill = self._ill >= ILL_IN_A_ROW and len(self._ids) >= ITEMS
        if not is_ill and self._unreached < UNREACHED_IN_A_ROW:
            return 0.0
        # What was on its way when the circuit opened is no probe: with forty slots it would make the longest wait of
        # the first failure.
        if self.is_open and sent_at <= self._probes_since:
            return 0.0
        self._probes_since = now
        self._wait = min(LONGEST_WAIT, max(FIRST_WAIT, self._wait * 2))
        return self._wait
