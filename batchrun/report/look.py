"""The few items that deserve a look in the morning, each with the reason. Pure.

Items that failed are told by their cause elsewhere; these were slow, were asked often, or ended in an odd way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from batchrun.report.census import Census
from batchrun.report.plain import counted, duration

PER_REASON = 3
SLOW = 2.0  # times the median: below it, somebody has to be the slowest


class LookAt(NamedTuple):
    """An item and why it is named."""

    id: str
    reason: str


def items_to_look_at(census: Census) -> list[LookAt]:
    """Each item once, with all that there is to say about it."""
    looks = {look.id: look for look in _slow(census)}
    for look in _often_asked(census):
        looks.setdefault(look.id, look)  # what a slow item has waited for says already how often it was asked
    for id, reason in _odd(census):
        known = looks.get(id)
        looks[id] = LookAt(id, reason if known is None else f"{known.reason}; {reason}")
    return list(looks.values())


def _slow(census: Census) -> Iterator[LookAt]:
    usual = census.elapsed()
    if usual is None:
        return
    for example in census.slowest.best(PER_REASON, census.counts):
        if example.figure > SLOW * usual.p50:
            # An item of which no attempt failed has waited for nothing: it was long.
            more, why = (" with retries and waiting", f": {example.note}") if example.note else ("", "")
            yield LookAt(example.id, f"took {duration(example.figure)}{more} (median {duration(usual.p50)}){why}")


def _often_asked(census: Census) -> Iterator[LookAt]:
    for example in census.most_attempts.best(PER_REASON, census.counts):
        why = f": {example.note}" if example.note else ""
        yield LookAt(example.id, f"{counted(example.figure, 'attempt')}{why}")


def _odd(census: Census) -> Iterator[LookAt]:
    for flag, number in census.flags.most_common(PER_REASON):
        for example in census.kinds.of(f"flag {flag}", 1, census.counts):
            yield LookAt(example.id, f"{flag} ({counted(number, 'item')})")
