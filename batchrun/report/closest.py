"""The ids that somebody may have meant. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from difflib import SequenceMatcher

SHOWN = 3
CANDIDATES = 50  # looked at closely; the close look takes too long for a million ids
ALIKE = 0.6  # difflib's own cutoff for a good match


def closest(wanted: str, ids: Iterable[str]) -> list[str]:
    """The ids most like `wanted`, the best first; none where none is alike."""
    folded = wanted.casefold()
    rough = heapq.nlargest(CANDIDATES, ids, key=lambda id: _overlap(folded, id.casefold()))
    matcher = SequenceMatcher(b=folded)
    scored = []
    for id in rough:
        matcher.set_seq1(id.casefold())
        scored.append((matcher.ratio(), id))
    good = [(score, id) for score, id in scored if score >= ALIKE]
    return [id for _, id in sorted(good, key=lambda found: (-found[0], found[1]))[:SHOWN]]


def _overlap(one: str, other: str) -> float:
    """How much of the longer text the two share at their beginnings and ends; cheap, and what typing errors leave."""
    head = _shared(one, other)
    tail = _shared(one[head:][::-1], other[head:][::-1])
    return (head + tail) / max(len(one), len(other), 1)


def _shared(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (here, there) in pairs if here != there), min(len(one), len(other)))
