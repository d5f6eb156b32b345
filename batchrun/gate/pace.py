"""How fast a backend may be asked. Pure: times come in as arguments.

Two ways to know. Where the provider's headers tell what is left of its limits, the pace keeps a mirror of them and
waits before the wall is hit. Where nothing is told, the allowed rate is learned from refusals: what was admitted
between two of them is what the provider allows, so the pace drops a little below that, climbs back, and beyond it only
gently, but more boldly the longer nothing is refused. Until the first refusal, and without headers, there is no pace.

Not every 429 is a matter of our rate: some providers give them out when they are full. What tells them apart is tried
out, see `truce`; meanwhile refusals teach nothing.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Mapping

from batchrun.gate.mirror import Mirror
from batchrun.gate.truce import Truce
from batchrun.providers.quota import Quota, Unit

CAUTION = 0.95  # of what was admitted between two refusals
CLIMB = 0.005  # a second: back to what was admitted; slower where that would be fewer than ENOUGH requests
PROBE = 0.0005  # a second: beyond it; doubled for each PATIENCE seconds without a refusal
PATIENCE = 30.0
REQUESTS = 60  # at the least, between two of those doublings: where little is allowed each refusal weighs more
SEARCH = 0.02  # a second: beyond what too few requests tell
BOLDEST = 0.05  # a second
A_REQUEST = 0.05  # a request, where little is allowed: growth is seen by requests, not by seconds
CATCH_UP = 1.5  # times the rate, until what a hold kept back has been sent: the provider has saved it up meanwhile
WINDOW = 60.0  # seconds that are looked back on
LONGEST_WINDOW = 600.0  # where little is allowed, for it takes long to admit enough
ENOUGH = 20  # admitted requests that tell a rate; fewer only where there are no more
FEW = 5  # that tell one where nothing else is known: it is the first guess, and the next refusal corrects it
FASTER = 1.5  # times the rate of the last truce is the next one's, where nothing is sure
SLOWER = 0.8  # the same after one that has failed
STEADY = 0.97  # times what was admitted before is the same limit
SPARE = 1.0  # seconds for which more was allowed than anybody wanted: then it is not the pace that limits
BURST = 0.25  # seconds' worth that may be sent at once: timers are late, and lateness must not cost the rate


class Pace:
    """The pace of one backend."""

    def __init__(self) -> None:
        self._sent: list[float] = []  # of the window, in order; those that were refused are taken out
        self._refusals: deque[float] = deque()  # of the window: when, one for each wave
        self.rate: float | None = None  # requests a second; None: unlimited
        self._known = 0.0  # what was admitted, requests a second, when it was last refused
        self._is_sure = False
        self._truce = Truce()
        self._truce_rate: float | None = None  # None: no pace in a truce, until one has failed
        self._given_up = (1 / WINDOW, 0.0, False)  # rate, what was admitted, and whether that was sure, before a truce
        self._patience = PATIENCE
        self._credit = 0.0
        self._pushing_since = 0.0
        self._owed = 0.0
        self._catch_up = CATCH_UP
        self._moved_at = 0.0
        self._mirrors: dict[Unit, Mirror] = {}

    def __repr__(self) -> str:
        told = "unlimited" if self.rate is None else f"{self.rate:.2f} a second"
        return f"<Pace {told}, {len(self._mirrors)} limits told>"

    def wait(self, now: float, *, is_alone: bool = False) -> float:
        """Seconds until the next request may be sent; 0 for at once. `is_alone`: no other one is on the way."""
        waits = [mirror.wait(now, is_alone=is_alone) for mirror in self._mirrors.values()]
        if self.rate is not None:
            self._move(now)
            waits.append(max(0.0, (1.0 - self._credit) / self._speed(self.rate)))
        return max(waits, default=0.0)

    def sent(self, now: float) -> None:
        """A request goes out."""
        self._sent.append(now)
        self._truce.sent()
        if self._sent[0] < now - 2 * self._window():
            del self._sent[: bisect_left(self._sent, now - self._window())]
        for mirror in self._mirrors.values():
            mirror.sent(now)
        if self.rate is not None:
            self._move(now)
            self._credit -= 1
            self._owed = max(0.0, self._owed - (1 - 1 / self._catch_up))

    def refused(self, sent_at: float, now: float, hold: float) -> bool:
        """A request was refused, and nobody is asked for `hold` seconds. False where that is no news: it was on its way
        when the last refusal came."""
        place = bisect_left(self._sent, sent_at)
        if place < len(self._sent) and self._sent[place] == sent_at:
            del self._sent[place]
            self._truce.refused()
        if self._refusals and sent_at <= self._refusals[-1]:
            return False
        if self._truce.is_on(now):
            if self._truce.has_failed:
                self._end_truce(now, hold)
            return True
        admitted, is_sure = self._admitted(now)
        if self.rate is not None and self._begins_truce(now, self.rate, admitted):
            return True
        if self._owed > 0:
            self._catch_up = 1.0  # this one saves nothing up
        self._known, self._is_sure = admitted, is_sure
        if is_sure and self._truce_rate is not None:
            self._truce_rate = max(self._truce_rate, admitted)
        self.rate = max(self._known * CAUTION, 1 / WINDOW)
        self._refusals.append(now)
        # What one more refusal would cost: the longer the hold, the more rarely the limit is tried.
        self._patience = max(PATIENCE, REQUESTS / self.rate) + 10 * min(hold, WINDOW)
        # A hold that is long enough for one lets one go at its end: the provider has said that it may.
        self._credit = min(1.0, hold * self.rate)
        self._owed = hold * self.rate if self._catch_up > 1 else 0.0
        self._moved_at = now + hold
        return True

    def _begins_truce(self, now: float, rate: float, admitted: float) -> bool:
        # A limit is found again each time; what falls from one refusal to the next is none.
        is_explained = self._is_sure and rate >= self._known and admitted >= STEADY * self._known
        if not self._truce.begins(now, is_explained=is_explained, is_sure=self._is_sure):
            return False
        self._given_up = (rate, self._known, self._is_sure)
        self._refusals.clear()
        self._sent.clear()
        if self._truce_rate is not None:
            self._truce_rate *= 1.0 if self._is_sure else FASTER
            self._known = self._truce_rate
            self._refusals.append(now)
        self.rate = self._truce_rate
        return True

    def _end_truce(self, now: float, hold: float) -> None:
        """As before it."""
        self._truce.fail(now)
        self.rate, self._known, self._is_sure = self._given_up
        self._truce_rate = max(self._known, SLOWER * (self._truce_rate or 0.0))
        self._refusals.append(now)
        self._credit, self._owed = min(1.0, hold * self.rate), 0.0
        self._moved_at = now + hold

    def is_in_truce(self, now: float) -> bool:
        """Whether refusals are taken for no matter of our rate at the moment."""
        return self._truce.is_on(now)

    def told(self, quotas: Iterable[Quota], sent_at: float, now: float) -> None:
        """What the headers of an answer said, to a request that was sent then."""
        since = len(self._sent) - bisect_right(self._sent, sent_at)
        for quota in quotas:
            mirror = self._mirrors.setdefault(quota.unit, Mirror())
            mirror.told(quota, since, now - sent_at, now)

    def spent(self, tokens: Mapping[Unit, float]) -> None:
        """What an answer has cost, so that limits on tokens can be counted in requests."""
        for unit, count in tokens.items():
            if unit in self._mirrors and count > 0:
                self._mirrors[unit].spent(count)

    def _admitted(self, now: float) -> tuple[float, bool]:
        """Requests a second that were admitted since the last refusal, or since one before it where that tells too
        little, and whether they were enough to be sure.

        The time before the pace was made full use of tells what we wanted, not what is allowed: we were paused, or had
        few slots. What went before the first refusal is looked at only where nothing else is known: a provider that was
        idle for a while lets more through than it can bear for long.
        """
        while self._refusals and self._refusals[0] < now - self._window():
            self._refusals.popleft()
        begins = [begin for begin in reversed(self._refusals) if begin < now]
        if not begins:
            return self._fastest(now)
        if self._pushing_since < now - SPARE:
            begins = [begin for begin in begins if begin >= self._pushing_since] or [self._pushing_since]
        count = 0
        for begin in begins:
            count = len(self._sent) - bisect_left(self._sent, begin)
            if count >= ENOUGH:
                break
        # With the one that was refused: without it few requests would tell too little, and the next refusal still less.
        admitted = (count + 1) / max(now - begin, 0.1)
        if count < ENOUGH and not self._truce.is_needless(now):
            # A few may be chance, and a truce will tell.
            admitted = max(admitted, self._known * (count + 1) / (count + 2))
        return admitted, count >= ENOUGH

    def _fastest(self, now: float) -> tuple[float, bool]:
        """The same without a pace: at the fastest that went well just before. Over all of the window a pause of our own
        would count, or slots that were few then."""
        sent = self._sent[bisect_left(self._sent, now - WINDOW) :]
        rate, count = 1.0, len(sent)
        if sent:
            rate = count / max(now - sent[0], 0.1)
        while (count := count // 2) >= FEW:
            rate = max(rate, count / max(now - sent[-count], 0.1))
        return rate, len(sent) >= ENOUGH

    def _window(self) -> float:
        """Seconds in which ten times enough was admitted."""
        return WINDOW if self.rate is None else min(max(WINDOW, 10 * ENOUGH / self.rate), LONGEST_WINDOW)

    def _speed(self, rate: float) -> float:
        return rate * self._catch_up if self._owed > 0 else rate

    def _move(self, now: float) -> None:
        """Let time pass: the credit grows, and so does the rate."""
        assert self.rate is not None
        seconds = now - self._moved_at
        if seconds <= 0:
            return
        self._moved_at = now
        if self._truce.is_on(now):
            self._credit = min(max(1.0, self.rate * BURST), self._credit + self.rate * seconds)
            return
        speed = self._speed(self.rate)
        credit, most = self._credit + speed * seconds, max(1.0, speed * BURST)
        self._credit = min(most, credit)
        if credit > most + SPARE * speed:
            self._pushing_since = now
        if self.rate < self._known:
            # Whether a refusal comes below what was admitted is seen by requests, not by seconds.
            climb = min(CLIMB, ((1 - CAUTION) / ENOUGH if self._is_sure else A_REQUEST) * self.rate)
            self.rate = min(self._known, self.rate + self._known * climb * seconds)
            return
        start = PROBE if self._is_sure else SEARCH
        boldness = start * 2.0 ** min(16.0, (now - self._refusals[-1]) / self._patience) if self._refusals else BOLDEST
        self.rate *= 1 + min(BOLDEST, A_REQUEST * self.rate, boldness) * seconds
