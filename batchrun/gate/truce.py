"""Whether refusals are a matter of our rate, found by trying: is more refused without a pace than with one? Pure.

A provider that is full refuses at random, and to ask it more slowly would not help. Such refusals come though the pace
is below what was admitted before. Where that happens again and again there is no pace for a while, a truce; and if then
more is refused than before, it was the rate after all, and the next truce is at the rate that had been admitted.
"""

from __future__ import annotations

STRAYS = 3  # refusals in a row that no rate explains: then it is tried
STRAYS_UNSURE = 8  # the same where what was admitted was too little to be sure of
SHORTEST, LONGEST = 60.0, 3600.0  # seconds of a truce; doubled each time
LONGEST_RESPITE = 300.0  # seconds between one that failed and the next; one may fail by chance
TRIED = 24  # requests that tell ...
FEW = 8  # ... and so few, where nearly all of them are refused
RECENT = 200  # requests; of those before them half are forgotten, for a limit may come later
MORE, CHANCE = 1.5, 0.15  # times the share that was refused before, and this on top, is no chance
WORST, NEARLY_ALL = 0.5, 0.7  # of them refused is too much, whatever the cause


class Truce:
    """Of one backend, whose every request and every refusal it is told of."""

    def __init__(self) -> None:
        self._strays = 0
        self._sent = 0  # since the first stray, or since the truce began
        self._refused = 0
        self._before = 0.0  # the share that was refused before the truce
        self._until = 0.0
        self._length = SHORTEST
        self._not_before = 0.0
        self._respite = SHORTEST

    def __repr__(self) -> str:
        return f"<Truce until {self._until:.0f}, {self._strays} strays>"

    def sent(self) -> None:
        self._sent += 1
        if self._sent > RECENT:
            self._sent, self._refused = self._sent // 2, self._refused // 2

    def refused(self) -> None:
        """One of those that were sent."""
        self._refused += 1

    def is_on(self, now: float) -> bool:
        return now < self._until

    def is_needless(self, now: float) -> bool:
        """Whether it is plain that refusals are a matter of the rate: one has failed, or nearly all are refused."""
        return now < self._not_before or self._is_worse_than(WORST)

    @property
    def has_failed(self) -> bool:
        """Whether more is refused than before it."""
        return self._is_worse_than(min(WORST, MORE * self._before + CHANCE))

    def begins(self, now: float, *, is_explained: bool, is_sure: bool) -> bool:
        """Whether this refusal was one too many. `is_explained`: the pace was not below what was admitted before;
        `is_sure`: enough was, to say so."""
        if is_explained:
            self._strays = 0
            return False
        if self._strays == 0:
            self._sent = self._refused = 1
        self._strays += 1
        if self._strays < (STRAYS if is_sure else STRAYS_UNSURE) or self.is_needless(now):
            return False
        self._before = self._share()
        self._strays = self._sent = self._refused = 0
        self._until = now + self._length
        self._length = min(LONGEST, 2 * self._length)
        return True

    def fail(self, now: float) -> None:
        """It was the rate after all, and that is not tried again so soon."""
        self._until, self._length = now, SHORTEST
        self._not_before = now + self._respite
        self._respite = min(LONGEST_RESPITE, 2 * self._respite)

    def _is_worse_than(self, share: float) -> bool:
        refused = self._share()
        return (self._sent >= TRIED and refused > share) or (self._sent >= FEW and refused > NEARLY_ALL)

    def _share(self) -> float:
        # What was sent before the count began may be refused after it.
        return min(1.0, self._refused / max(1, self._sent))
