"""How many slots a CPU bears: what of it is ours to give, and what a slot costs. Pure.

Points are hundredths of one CPU: of the host, of the allowance of a container, or of the core that the event loop has.
"""

from __future__ import annotations

from enum import Enum
from math import ceil, inf
from typing import NamedTuple

# Found by playing thousands of worlds, unless it says otherwise.
ALPHA = 0.12  # of the smoothing; slower than the articles' 0.3, for what is far off is not smoothed at all
NEWS_ALPHA = 0.5
FAR = 10.0  # points: what is off by so much twice running is news and no noise
FLOOR = 5.0  # points: a run that costs the machine no more is never cut, however busy others keep it
AIM = 3.0  # points above the target up to which slots are added
TOP = 5.0  # points above the target that the last slot may reach, where a slot costs much
CUT = 6.0  # points above the target from which on slots are taken away ...
CUT_PER_COST = 0.1  # ... and so much more for each point that a slot costs, up to
MOST_COST = 30.0
NEWS = 5  # periods for which a jump is news: the time in which a gate makes room for whoever has come
SQUEEZED = 95.0  # per cent: beyond it everybody gets less than he could use, and a slot seems to cost less than it does
LEAST_SQUEEZE = 1.15  # times what others got is what they wanted then, at least
COST_ALPHA = 0.1
STREAM_ALPHA = 0.2  # quicker: it is known in every period with CPU to spare
A_SLOT = 0.8  # slots: one that is always taken is, on the mean, free for the moment in which items change
NOTHING = 1e-6  # points: what costs less is not known to cost anything
PEGGED = 95.0  # per cent of the time: an event loop that is busy for longer has no time left
FULLY = 1.25  # times the slots that it bears on the mean: a slot that waits for its first token leaves it idle
ALTERNATING = 2  # slots: while one waits for its first token the other one is answered
TELLING = 48.0  # per cent: a slot that takes half of a CPU is known well enough, for two that peg it tell no more
AMPLY = 1.4  # the same where it has still some time left with so many
FULL = 98.0  # per cent of the time: beyond it, noise hides whether there is any left
DESCENT = 0.7  # of the slots stay, as long as nothing is known but that they peg it
SLACK = 0.9  # slots beyond those that peg it are taken away when they are a tenth of all


class Gauge(NamedTuple):
    """One CPU, smoothed: how busy it was and our `own` part, in points, while the run had so many `slots` taken.

    `cost` is what a slot comes to, in points; 0 as long as that is unknown, and `is_sure` once it was seen while there
    was CPU to spare. `news` is for how many periods a jump is still news: one period that was far from those before it,
    and another one that agreed with it.
    """

    busy: float
    own: float
    slots: float
    cost: float = 0.0
    is_far: bool = False
    news: int = 0
    is_sure: bool = False

    @property
    def others(self) -> float:
        return self.busy - self.own


class Mix(Enum):
    """What the slots that are taken tell of what a slot costs."""

    TYPICAL = "typical"
    WAITING = "waiting"  # too little: many wait for their first token, which costs nothing yet
    DRAINING = "draining"  # too much: nobody has begun of late, so more of them than usual are being answered


class Use(NamedTuple):
    """What a gate has in flight, which `share` of the run's that is, and how many of its gates have anything."""

    in_flight: float
    share: float
    gates: int

    @property
    def of_run(self) -> float:
        return self.in_flight / self.share if self.share > 0 else 0.0

    def when_full(self, limit: int) -> float:
        """What the run would have in flight with every slot of this gate taken."""
        return self.of_run + max(0.0, limit - self.in_flight)


def is_full(gauge: Gauge | None, busy: float) -> bool:
    """Whether a CPU has nothing to spare, now or on the mean: noise lets it seem to have some now and then."""
    return busy >= SQUEEZED or (gauge is not None and gauge.busy >= SQUEEZED)


def follow(gauge: Gauge | None, busy: float, own: float, slots: float, mix: Mix) -> Gauge:
    """The gauge after another period; `slots` are those taken in the whole run, on the mean."""
    seen = own / slots if slots >= A_SLOT else 0.0
    seen = seen if seen > NOTHING else 0.0
    if gauge is None:
        return Gauge(busy, own, slots, seen)
    old_busy, old_own, old_slots, cost, was_far, news, is_sure = gauge
    if cost < NOTHING:
        cost = seen
    elif mix is Mix.TYPICAL and seen and not is_full(gauge, busy):
        cost += (COST_ALPHA if is_sure else 1.0) * (seen - cost)
        is_sure = True
    elif seen > cost and mix is not Mix.DRAINING:
        cost += NEWS_ALPHA * (seen - cost)
        is_sure = is_sure or cost >= TELLING
    grown, others_grown = own - old_own, busy - own - old_busy + old_own
    is_far = abs(busy - old_busy) > FAR or abs(others_grown) > FAR
    if is_far and was_far:
        # Whoever grows as we do is another run that saw the same room.
        news = NEWS if abs(others_grown) > max(FAR, 2 * grown) else 0
        return Gauge(busy, own, slots, cost, is_far, news, is_sure)
    alpha = NEWS_ALPHA if news else ALPHA
    return Gauge(
        old_busy + alpha * (busy - old_busy),
        old_own + alpha * (own - old_own),
        old_slots + alpha * (slots - old_slots),
        cost,
        is_far,
        max(0, news - 1),
        is_sure,
    )


def stream_cost(before: float, own: float, streams: float) -> float:
    """What one stream that is being answered comes to, in points; 0 as long as that is unknown. Unlike a slot's cost it
    stays the same however many slots wait for their first token."""
    if streams < 1:
        return before
    return before + STREAM_ALPHA * (own / streams - before) if before else own / streams


def dearer(gauge: Gauge) -> Gauge:
    """Growth has led too far: a slot costs what it costs at this moment, or more."""
    if gauge.slots < A_SLOT or gauge.own <= gauge.cost * gauge.slots:
        return gauge
    return gauge._replace(cost=gauge.own / gauge.slots)


def fitting(gauge: Gauge, target: float, limit: int, use: Use, most: float = inf, squeeze: float = 1.0) -> float:
    """The most slots of a gate on a CPU that is shared with others: fewer than `limit` where it is too busy, otherwise
    as many as there is room for. The run cannot use more than `most` points of it, however many slots there are, and
    wanted `squeeze` times what it got."""
    cost, others = gauge.cost, gauge.busy - gauge.own
    margin = AIM if gauge.news else CUT + min(cost, MOST_COST) * CUT_PER_COST
    if gauge.busy > target + margin and gauge.own > FLOOR:
        return min(limit, _borne(gauge, target, limit, use, most, squeeze))
    if not cost:
        return inf
    full = min(most, cost * use.when_full(limit))
    room = max(target + AIM - others, FLOOR) - full
    if full == most:
        # More slots would use no more of this CPU.
        return inf if room > 0 else limit
    if room < cost:
        # Rounded to the nearest slot, for a little less noise than usual is no room for one.
        return limit + (room > cost / 2 and others + min(most, full + cost) <= target + TOP)
    return limit + room / cost / use.gates


def _borne(gauge: Gauge, target: float, limit: int, use: Use, most: float, squeeze: float) -> int:
    """How many slots a CPU bears that is too busy."""
    cost, others = gauge.cost, gauge.busy - gauge.own
    if gauge.news and not gauge.is_sure:
        return 0  # somebody has come, and who does not know what a slot costs can only give all but the least
    if gauge.busy >= SQUEEZED and cost:
        # What others got is not what they wanted: they were squeezed as we were.
        others = min(100.0, others * max(LEAST_SQUEEZE, squeeze))
    cost = max(cost, gauge.own / gauge.slots) if gauge.slots >= A_SLOT else cost
    room = max(target - others, FLOOR)
    if not gauge.news:
        # All who share the host see that it is too busy: each gives up his part, and not all of it.
        room = max(room, gauge.own * target / gauge.busy)
    least = int(use.share * room / cost) if cost else limit
    # Where a slot costs much, what is taken away with the last one may be far too much.
    is_fit = others + min(most, (least + 1) / use.share * cost) <= target + (AIM if gauge.news else TOP)
    return least + is_fit


def bearable(gauge: Gauge, limit: int, use: Use, *, is_draining: bool = False) -> float:
    """The same for a CPU that is nobody else's: the fewest slots that keep it busy all the time, for more of them would
    only make each stream slower."""
    if not gauge.cost:
        return inf
    enough, full = 100.0 / gauge.cost, use.when_full(limit)
    knee = ceil(FULLY * enough)
    if gauge.busy > PEGGED:
        if not gauge.is_sure:
            # It was pegged from the first moment on, so nothing tells by how many slots.
            return limit if is_draining else min(limit, max(ALTERNATING, int(DESCENT * limit)))
        if AMPLY * enough < SLACK * full:
            return min(limit, ceil(use.share * knee))
        if gauge.busy < FULL:
            knee = ceil(AMPLY * enough)  # a slot costs less than it seemed, and there is no room any more to learn it
    return limit + max(0.0, (knee - full) / use.gates)
