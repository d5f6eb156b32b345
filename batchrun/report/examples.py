"""A few items that stand for many: those with the largest figures, or the newest of a kind. Pure.

More candidates are kept than are asked for, because a later line may replace the one that was seen: whoever asks says
which of them still count.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import NamedTuple

KEPT = 64  # enough are left when later lines have replaced some


class Example(NamedTuple):
    """An item as one line told of it. `figure` is what it was picked by, `note` what there is to say of it; `slot` and
    `offset` tell whether that line still counts."""

    figure: float
    id: str
    note: str
    slot: int
    offset: int


class Largest:
    """The candidates with the largest figures. Ask `figure > floor` first: that costs less than making an Example."""

    __slots__ = ("_heap", "floor")

    def __init__(self, floor: float) -> None:
        self.floor = floor
        self._heap: list[Example] = []

    def take(self, example: Example) -> None:
        if len(self._heap) < KEPT:
            heapq.heappush(self._heap, example)
            return
        heapq.heappushpop(self._heap, example)
        self.floor = self._heap[0].figure

    def best(self, number: int, counts: Callable[[Example], bool]) -> list[Example]:
        """At most `number` that still count, the largest first; no id twice."""
        return _first(sorted(self._heap, key=lambda example: (-example.figure, example.id)), number, counts)


class Newest:
    """The newest of each kind."""

    __slots__ = ("_kinds",)

    def __init__(self) -> None:
        self._kinds: dict[str, list[Example]] = {}

    def take(self, kind: str, example: Example) -> None:
        kept = self._kinds.setdefault(kind, [])
        kept.append(example)
        if len(kept) >= 2 * KEPT:
            del kept[:KEPT]

    def of(self, kind: str, number: int, counts: Callable[[Example], bool]) -> list[Example]:
        """At most `number` that still count, the newest first; no id twice."""
        return _first(reversed(self._kinds.get(kind, [])), number, counts)


def _first(examples: Iterable[Example], number: int, counts: Callable[[Example], bool]) -> list[Example]:
    found: dict[str, Example] = {}
    for example in examples:
        if len(found) == number:
            break
        if counts(example):
            found.setdefault(example.id, example)
    return list(found.values())
