"""Courtesy: how runs on one host come to equal shares without knowing of each other. Pure.

Who has found its place beside others gives up a little of it now and then and looks whether somebody takes it. A part
of a large share is more than a part of a small one, while whoever sees room takes the same from it: so the shares
become equal. Where nobody takes it (a backup does not care) it is taken back, and the next try is later and later.
"""

from __future__ import annotations

from typing import NamedTuple

SOONEST, LATEST = 6, 128  # periods between two gifts; later where the least gift, a slot, is a large part of all
WAIT = 16  # periods in which somebody may take what was given
PART, LARGE_PART = 1 / 16, 1 / 12  # of the slots; the large one of who has more than all others
TAKEN = 0.5  # of the gift: so much more of others' use is no chance


class Courtesy(NamedTuple):
    """`due` periods are left until the next gift, or, where `given` points lie on the table, until they are taken back;
    `before` is what the others used when they were given."""

    interval: int = SOONEST
    due: int = SOONEST
    given: float = 0.0
    before: float = 0.0
    latest: int = LATEST

    @property
    def is_waiting(self) -> bool:
        return self.given > 0


def part_of(limit: int, own: float, others: float) -> int:
    """How many slots a gift is. Who has more than all others gives two of eighteen already: noise may hide one."""
    slots = limit * (LARGE_PART if own > others else PART)
    return max(1, int(slots) if slots >= 2 or own <= others else round(slots))


def postpone(courtesy: Courtesy, part: float) -> Courtesy:
    """A gift is due, but where a single slot is a large part of all it comes later: a slot of two, given away for a
    while every few minutes, would cost more than a per cent of the night."""
    soonest = int(SOONEST * (part / PART) ** 2) if part > LARGE_PART else SOONEST
    if courtesy.interval >= soonest:
        return courtesy
    return courtesy._replace(interval=soonest, due=soonest - courtesy.interval)


def wait(courtesy: Courtesy, others: float) -> Courtesy:
    """A period has passed."""
    if courtesy.due > 1:
        return courtesy._replace(due=courtesy.due - 1)
    if not courtesy.is_waiting:
        return courtesy._replace(due=0)
    is_taken = others >= courtesy.before + TAKEN * courtesy.given
    interval = SOONEST if is_taken else min(2 * courtesy.interval, courtesy.latest)
    return Courtesy(interval, interval)


def give(courtesy: Courtesy, points: float, part: float, others: float) -> Courtesy:
    """So much is on the table now: so many points, which are a part of ours."""
    return Courtesy(courtesy.interval, WAIT, points, others, int(LATEST * max(1.0, part / PART)))


def hurry(courtesy: Courtesy) -> Courtesy:
    """Others have come or gone: what was learned about them is old."""
    return courtesy if courtesy.is_waiting else Courtesy(SOONEST, min(courtesy.due, SOONEST))
