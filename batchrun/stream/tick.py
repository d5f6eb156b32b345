"""How long a stream may go unseen. Pure; who waits so long is not known here."""

from __future__ import annotations

from batchrun.providers.provider import Pace

MAX_TICK = 0.25  # seconds; a batch needs no token sooner, and beyond it little more is saved (measured)
TICK_PER_AGE = 1 / 50  # the end is seen half a tick late on the mean: one per cent of the wall
# Bytes that wait are not known to the clocks: near a deadline they are looked for, and told, more often.
TICK_PER_LEFT = 1 / 8


def pace_of(age: float, left: float, *, has_listener: bool = False) -> Pace:
    """The pace of a stream of that age, the next deadline of which is `left` seconds away. With a listener, a rule that
    may end it or a sink that takes its pieces, all that a look finds is handed on at once."""
    longest = max(0.0, min(MAX_TICK, left * TICK_PER_LEFT))
    tick = min(age * TICK_PER_AGE, longest)
    return Pace(tick, tick if has_listener else longest)
