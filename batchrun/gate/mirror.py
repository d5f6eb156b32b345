"""Our own reckoning of a limit that a provider tells: what is left of it, and how fast it comes back. Pure."""

from __future__ import annotations

from batchrun.providers.quota import Quota

WINDOW = 60.0  # seconds in which a limit comes back where nothing else is told
SMOOTH = 0.2  # the weight of the newest answer in what a request costs in tokens


class Mirror:
    """Of one limit."""

    def __init__(self) -> None:
        self._left = 0.0
        self._refill = 0.0  # units a second
        self._limit = 0.0
        self._at = 0.0
        self._cost = 1.0  # units a request

    def told(self, quota: Quota, since: int, ago: float, now: float) -> None:
        """`since` requests were sent after the one that was answered, which was sent `ago` seconds ago."""
        used = quota.limit - quota.remaining
        refill = used / quota.reset if quota.reset and used > 0 else 0.0
        # A refill that is told in whole seconds is off where little is used: the surest is told by the emptiest.
        self._refill = refill or self._refill or quota.limit / WINDOW
        self._limit = quota.limit
        self._left = min(self._limit, quota.remaining + self._refill * ago) - since * self._cost
        self._at = now

    def sent(self, now: float) -> None:
        self._left = self._at_hand(now) - self._cost
        self._at = now

    def spent(self, units: float) -> None:
        self._cost = units if self._cost == 1.0 else self._cost + SMOOTH * (units - self._cost)

    def wait(self, now: float, *, is_alone: bool) -> float:
        if not self._refill:
            return 0.0
        at_hand = self._at_hand(now)
        if is_alone:
            # No provider's bucket is emptier than empty: what we reckon below was for requests on their way, and none
            # is. Without an answer nothing would ever correct it.
            at_hand = max(at_hand, min(self._limit, self._refill * (now - self._at)))
        # One answer may cost more than the whole limit, and there is never more at hand than that.
        return max(0.0, min(self._cost, self._limit) - at_hand) / self._refill

    def _at_hand(self, now: float) -> float:
        return min(self._limit, self._left + self._refill * (now - self._at))
