"""How long a stream may go unseen. Pure; who waits so long is not known here."""

from __future__ import annotations

from batchrun.providers.provider import Pace

MAX_TICK = 0.25  # seconds; a batch needs no token sooner, and beyond it little more is saved (measured)
TICK_PER_AGE = 1 / 52  # the end is seen half a tick late on the mean: one per cent of the wall at the most
MAX_HELD = 1.0  # seconds; by then a wake-up is a small part of what the pieces cost that it takes
HELD_PER_AGE = 1 / 4  # the tick is told anew at each wake-up: where the age still grows fast, they come faster
# Bytes that wait are not known to the clocks: near a deadline they are looked for, and told, more often.
TICK_PER_LEFT = 1 / 8


def pace_of(age: float, left: float, *, has_listener: bool = False) -> Pace:
    """The pace of a stream of that age, the next deadline of which is `left` seconds away. With a listener, a rule that
    may end it or a sink that takes its pieces, all that a look finds is handed on at once."""
    most = max(0.0, left * TICK_PER_LEFT)
    held = min(MAX_HELD, most, max(MAX_TICK, age * HELD_PER_AGE))
    if has_listener:
        tick = min(MAX_TICK, most, age * TICK_PER_AGE)
        return Pace(tick, 0.0)
    # It holds until the next wake-up: as long as it should be in the middle of that time.
    return Pace(min(MAX_TICK, most, (age + held / 2) * TICK_PER_AGE), held)
