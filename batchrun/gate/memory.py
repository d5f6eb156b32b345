"""What the adaptive law remembers from one period to the next. A value: a law is given one and gives back another."""

from __future__ import annotations

from typing import NamedTuple

from batchrun.gate.courtesy import Courtesy
from batchrun.gate.cpu import Gauge

CALM = (0.0, 0.0, 0.0)


class Memory(NamedTuple):
    """`has_grown` says that the limit was not cut since it last grew; `ended` counts the slots that were given back
    since it last changed, and `stale` those that are still to be given back of the ones that were taken when it was
    cut. `shown` is how many had shown what they cost at the end of the last period, and `shown_before` of the one
    before. `left` is the limit that the law left behind, `wary` the one at which somebody else cut it, 0 for nobody.
    `stream` is what one stream that is being answered uses of the host at ease, in points; 0 while that is unknown.

    `strains` are throttling, pressure and lag of this period, and `strains_before` of the last one: one bad moment
    alone changes nothing.
    """

    is_ramping: bool = True
    has_grown: bool = True
    ended: float = 0.0
    stale: float = 0.0
    host: Gauge | None = None
    allowance: Gauge | None = None
    loop: Gauge | None = None
    strains: tuple[float, float, float] = CALM
    strains_before: tuple[float, float, float] = CALM
    courtesy: Courtesy = Courtesy()
    shown: float = 0.0
    shown_before: float = 0.0
    left: int = 0
    wary: int = 0
    stream: float = 0.0


START = Memory()
