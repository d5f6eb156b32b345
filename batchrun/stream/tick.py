"""How long a stream may go unread. Pure; who waits so long is not known here."""

from __future__ import annotations

MAX_TICK = 0.25  # seconds; a batch needs no token sooner, and beyond it little more is saved (measured)
TICK_PER_AGE = 1 / 50  # the end is seen half a tick late on the mean: one per cent of the wall
# Bytes that wait in the kernel are not known to the clocks: near a deadline they are looked for more often.
TICK_PER_LEFT = 1 / 8


def tick(age: float, left: float) -> float:
    """Seconds between two reads of a stream of that age, the next deadline of which is `left` seconds away."""
    return max(0.0, min(MAX_TICK, age * TICK_PER_AGE, left * TICK_PER_LEFT))
