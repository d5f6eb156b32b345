"""How much of what is sent may be retries. Pure: times come in as arguments.

When everything fails, retries would multiply the load on a provider that has enough of it already. So they are at most
a share of the last minute's requests; the rest wait their turn. It delays and never fails an item.
"""

from __future__ import annotations

from collections import deque

SHARE = 0.3  # of the requests of the window
ALWAYS = (
    10  # retries a window, however little is sent: two bad items in a small file need not wait for the minute's end
)
WINDOW = 60.0  # seconds
_GRAIN = 1.0  # seconds that are counted together


class RetryBudget:
    """Counts requests by the second over the last minute."""

    def __init__(self) -> None:
        self._seconds: deque[list[float]] = deque()  # when, requests, retries
        self._requests = 0.0
        self._retries = 0.0

    def __repr__(self) -> str:
        return f"<RetryBudget {self._retries:.0f} of {self._requests:.0f} requests>"

    def note(self, now: float, *, is_retry: bool) -> None:
        """A request is sent."""
        self._forget(now)
        if not self._seconds or now - self._seconds[-1][0] >= _GRAIN:
            self._seconds.append([now, 0.0, 0.0])
        self._seconds[-1][1] += 1
        self._seconds[-1][2] += is_retry
        self._requests += 1
        self._retries += is_retry

    def wait(self, now: float) -> float:
        """Seconds until a retry may be sent, if nothing else is sent meanwhile; 0 for at once."""
        self._forget(now)
        if self._retries + 1 <= max(ALWAYS, SHARE * (self._requests + 1)):
            return 0.0
        # No sooner than the oldest second is forgotten, or more is sent.
        return max(_GRAIN, self._seconds[0][0] + WINDOW - now) if self._seconds else 0.0

    def _forget(self, now: float) -> None:
        while self._seconds and self._seconds[0][0] <= now - WINDOW:
            _, requests, retries = self._seconds.popleft()
            self._requests -= requests
            self._retries -= retries
