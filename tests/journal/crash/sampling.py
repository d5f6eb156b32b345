"""The states that a moment allows, as numbered members of families: all of them can be gone through, or any of them
drawn, without the others being made. Pure.
"""

from __future__ import annotations

import random
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from tests.journal.crash.medium import LOST, Fate, Moment, Wrote, whole

_NEWLINE = re.compile(b"\n")
_KINDS = 4  # ways in which a write can be torn at a byte
_ALL_SUBSETS_UP_TO = 6  # changes on their way at once; of more, the ends and the gaps


@dataclass(frozen=True, slots=True)
class State:
    """One state: the moment, and how each change on its way fared."""

    moment: Moment
    fates: tuple[Fate, ...]


class Torn:
    """One write is torn in every way there is; the others have fared as `others` says."""

    def __init__(self, moment: Moment, place: int, others: tuple[Fate, ...]) -> None:
        self._moment = moment
        self._place = place
        self._others = others
        change = moment.waiting[place]
        assert isinstance(change, Wrote)
        self._length = len(change.data)
        ends = [match.start() for match in _NEWLINE.finditer(change.data)]
        near = {place for end in ends for place in range(end - 1, end + 3) if 0 <= place < self._length}
        # Members torn near the end of a line: where a line ends a rule may end as well.
        self.edges = [kind * self._length + at for kind in range(_KINDS) for at in sorted(near)]

    def __len__(self) -> int:
        return _KINDS * self._length

    def member(self, number: int) -> State:
        kind, at = divmod(number, self._length)
        fates = list(self._others)
        fates[self._place] = self._fate(kind, at)
        return State(self._moment, tuple(fates))

    def _fate(self, kind: int, at: int) -> Fate:
        length = self._length
        match kind:
            case 0:
                return (0, at, "part")
            case 1:
                return (0, at, "amid nuls")
            case 2:
                return (at, length, "amid nuls")
            case _:  # a hole from here to somewhere; not everywhere, for there are a million of them
                return (at, at + 1 + at * 17 % (length - at), "but a hole")


class Whole:
    """Each change on its way has arrived whole or not at all."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment
        self._all = list(_subsets(moment))

    def __len__(self) -> int:
        return len(self._all)

    def member(self, number: int) -> State:
        return State(self._moment, self._all[number])


class States:
    """All states that some moments allow."""

    def __init__(self, moments: Sequence[Moment]) -> None:
        self._plain = [Whole(moment) for moment in moments]
        self._torn = [torn for moment in moments for torn in _torn(moment)]
        self._ends = list(accumulate(len(family) for family in self._torn))
        self.count = sum(map(len, self._plain)) + (self._ends[-1] if self._ends else 0)

    def __iter__(self) -> Iterator[State]:
        """Each of them once."""
        families: list[Whole | Torn] = [*self._plain, *self._torn]
        for family in families:
            for place in range(len(family)):
                yield family.member(place)

    def draw(self, number: int, chance: random.Random) -> Iterator[State]:
        """So many of them: first those in which nothing is torn, then torn ones by lot, half of them near the ends of
        lines. A torn one may come twice."""
        plain = [(family, place) for family in self._plain for place in range(len(family))]
        for whole_or_not, place in chance.sample(plain, min(number, len(plain))):
            yield whole_or_not.member(place)
        number = max(0, number - len(plain))
        edges = [(family, place) for family in self._torn for place in family.edges]
        near = chance.sample(edges, min(number // 2, len(edges)))
        torn = range(self._ends[-1] if self._ends else 0)
        anywhere = chance.sample(torn, min(number - len(near), len(torn)))
        for family, place in near:
            yield family.member(place)
        for place in anywhere:
            yield self._member(place)

    def _member(self, number: int) -> State:
        family = bisect_right(self._ends, number)
        before = self._ends[family - 1] if family else 0
        return self._torn[family].member(number - before)


def _subsets(moment: Moment) -> Iterator[tuple[Fate, ...]]:
    """Everything and nothing of each change; of many changes: each beginning, and all but each."""
    full = tuple(whole(change) for change in moment.waiting)
    count = len(full)
    if count <= _ALL_SUBSETS_UP_TO:
        choices = list(range(2**count))
    else:
        everything = 2**count - 1
        beginnings = [2**length - 1 for length in range(count)]
        gaps = [everything ^ 2**place for place in range(count)]
        choices = sorted({*beginnings, *gaps, everything})
    for choice in choices:
        yield tuple(fate if choice >> place & 1 else LOST for place, fate in enumerate(full))


def _torn(moment: Moment) -> Iterator[Torn]:
    """Of each write, beside all others, beside none, and beside those before it."""
    full = tuple(whole(change) for change in moment.waiting)
    nothing = (LOST,) * len(full)
    for place, change in enumerate(moment.waiting):
        if isinstance(change, Wrote):
            before, behind = full[:place], full[place + 1 :]
            for rest in dict.fromkeys(
                [(before, behind), (before, nothing[place + 1 :]), (nothing[:place], nothing[place + 1 :])]
            ):
                yield Torn(moment, place, (*rest[0], LOST, *rest[1]))
