"""The adaptive law: fast until the first sign of saturation, then no further than there is room for. Pure.

A cut goes at once to what is borne. Growth waits until the slots that are there have shown what they cost: a slot that
waits for its first token costs nothing yet.
"""

from __future__ import annotations

from batchrun.gate import courtesy
from batchrun.gate.ceiling import lowest
from batchrun.gate.cpu import CUT, FLOOR, NEWS, TELLING, Gauge, Mix, Use, dearer, follow, is_full, stream_cost
from batchrun.gate.law import MIN_SAMPLES, USED, Decision, GateBounds, LimitedBy, Observation
from batchrun.gate.memory import START, Memory
from batchrun.gate.reason import REASONS, Facts
from batchrun.plural import counted

IDLE = 0.001  # slots, or of what the run has in flight: it is nothing
SHOWN = 0.75  # of the slots must have shown what they cost since the limit was changed, for it to grow ...
TYPICAL = 0.9  # ... and so many, for what they cost to be believed
MUCH = 1.1  # times an equal part
COMPANY = 4  # beside others a quarter of the way: so many may see the same room at once and yet not overfill it
WARY, GENTLE = 0.9, 16  # near the limit that was too much for somebody: by a sixteenth only
STILL_GROWING = frozenset({LimitedBy.RAMP, LimitedBy.JOBS, LimitedBy.MAX_SLOTS})  # no signs of saturation


def adaptive(limit: int, seen: Observation, bounds: GateBounds, memory: Memory = START) -> Decision:
    """What follows from one more period."""
    within = min(max(limit, bounds.min_slots), bounds.max_slots)
    if within != limit:
        return Decision(within, LimitedBy.MAX_SLOTS, "the bounds were changed", memory)
    if seen.cpu is None:
        return Decision(limit, LimitedBy.RAMP, "no sample of the CPU yet", memory)
    if min(seen.share, seen.in_flight) < IDLE:
        # What is used is not used by this gate, and says nothing of its slots.
        by = LimitedBy.RATE_LIMIT if seen.is_held else LimitedBy.JOBS
        return Decision(limit, by, f"none of {counted(limit, 'slot')} was used", memory)
    use = Use(seen.in_flight, seen.share, seen.gates)
    host, memory = _learn(_heed(memory, limit), limit, seen, use)
    most, by, shared = lowest(limit, seen, bounds, memory, use)
    goal = max(int(most), bounds.min_slots)
    if goal < limit:
        then, memory = goal, _cut(memory, use)
    elif (hindrance := _hindrance(goal, by, limit, seen, bounds, memory)) is not None:
        by = hindrance
        then, memory = _rest(limit, by, bounds, memory, use)
    else:
        by, is_ramping = LimitedBy.RAMP, memory.is_ramping and goal >= 2 * limit
        then = 2 * limit if is_ramping else limit + _step(limit, goal, shared, host, memory.wary)
        memory = memory._replace(is_ramping=is_ramping, has_grown=True, ended=_still_shown(limit, seen, host, memory))
    if memory.left != then:
        memory = memory._replace(left=then)
    return Decision(then, by, REASONS[by](Facts(limit, then, seen, bounds, host)), memory)


def _heed(memory: Memory, limit: int) -> Memory:
    """Somebody else may have cut the limit since, because a provider or the system had enough: that is a sign."""
    if limit < memory.left:
        return memory._replace(is_ramping=False, wary=memory.left)
    return memory._replace(wary=0) if memory.wary and limit > 2 * memory.wary else memory


def _learn(memory: Memory, limit: int, seen: Observation, use: Use) -> tuple[Gauge, Memory]:
    """What this period adds to what is known."""
    told, of_run = seen.signals, use.of_run
    ended, stale = memory.ended + seen.ended, max(0.0, memory.stale - seen.ended)
    # Whoever began to answer within the period has not used much in it.
    shown_before, shown = memory.shown, ended + seen.answering
    is_typical = min(shown_before, shown) >= TYPICAL * limit
    mix = Mix.DRAINING if stale else Mix.TYPICAL if is_typical else Mix.WAITING
    is_squeezed = is_full(memory.host, told.host) or is_full(memory.allowance, told.allowance or 0.0)
    loop = follow(memory.loop, told.loop, told.loop, of_run, _less(mix, is_squeezed))
    is_squeezed = is_squeezed or is_full(memory.loop, told.loop)
    mix = _less(mix, is_squeezed)
    host = follow(memory.host, told.host, told.own, of_run, mix)
    allowance = memory.allowance
    if told.allowance is not None:
        allowance = follow(allowance, told.allowance, told.own_allowance, of_run, mix)
    stream = memory.stream if is_squeezed else stream_cost(memory.stream, told.own * use.share, seen.answering)
    manners = courtesy.hurry(memory.courtesy) if host.news == NEWS else memory.courtesy
    strains = (told.throttled, told.pressure or 0.0, seen.lag_ms)
    return host, Memory(
        memory.is_ramping,
        memory.has_grown,
        ended,
        stale,
        host,
        allowance,
        loop,
        strains,
        memory.strains,
        manners,
        shown,
        shown_before,
        memory.left,
        memory.wary,
        stream,
    )


def _less(mix: Mix, is_squeezed: bool) -> Mix:
    """Who has to wait for one CPU seems to cost less than usual on every other one."""
    return Mix.WAITING if is_squeezed and mix is Mix.TYPICAL else mix


def _cut(memory: Memory, use: Use) -> Memory:
    """The slots that are taken now do not tell any more what one costs; but if growth led here, they tell it once."""
    host, allowance = memory.host, memory.allowance
    if memory.has_grown:
        host, allowance = host and dearer(host), allowance and dearer(allowance)
    return memory._replace(
        is_ramping=False, has_grown=False, ended=0.0, stale=use.in_flight, host=host, allowance=allowance
    )


def _hindrance(
    goal: int, by: LimitedBy, limit: int, seen: Observation, bounds: GateBounds, memory: Memory
) -> LimitedBy | None:
    """What keeps the limit from growing now; None where nothing does."""
    if seen.is_held:
        return LimitedBy.RATE_LIMIT
    if seen.in_flight < USED * limit:
        return LimitedBy.JOBS
    if goal <= limit:
        return by
    # What is too much at this moment may be somebody who has just come, and no noise.
    is_busy = seen.signals.own > FLOOR and seen.signals.host > bounds.target_cpu + CUT
    if memory.courtesy.is_waiting or is_busy:
        return LimitedBy.CPU
    is_shown = min(memory.shown_before, memory.shown) >= SHOWN * limit
    host, loop = memory.host, memory.loop
    # Who costs the machine next to nothing need not be sure: on a host that is always full nothing ever is.
    is_light = host is not None and host.own <= FLOOR and loop is not None and loop.busy < TELLING
    is_known = memory.is_ramping or loop is None or loop.is_sure or not loop.cost or is_light
    return None if is_shown and is_known and seen.samples >= MIN_SAMPLES else LimitedBy.RAMP


def _still_shown(limit: int, seen: Observation, host: Gauge, memory: Memory) -> float:
    """How many slots need not show again what they cost, though they wait for a first token: those that did before the
    limit grew. Beside others all have to, for they are watched meanwhile as well."""
    return max(0.0, min(memory.shown, limit) - seen.answering) if host.others <= FLOOR else 0.0


def _step(limit: int, goal: int, shared: float, host: Gauge, wary: int) -> int:
    """How much the limit grows: no more than it is, however much room there is. Others see the room on the host, too;
    the way to what is ours alone, such as the event loop, is not shared."""
    way = min(goal - limit, limit)
    if limit + way > WARY * wary > 0:
        way = max(1, min(way, int(WARY * wary) - limit), limit // GENTLE)
    return max(1, int(min(way, (shared - limit) / COMPANY))) if host.others > FLOOR else way


def _rest(limit: int, by: LimitedBy, bounds: GateBounds, memory: Memory, use: Use) -> tuple[int, Memory]:
    """The limit stays, but for a courtesy to those with whom the host is shared."""
    host, manners = memory.host, memory.courtesy
    if memory.is_ramping and by not in STILL_GROWING:
        memory = memory._replace(is_ramping=False)
    if host is None or not (
        manners.is_waiting or ((by is LimitedBy.CPU or host.busy > bounds.target_cpu) and _has_much(host, use))
    ):
        return limit, memory
    own = host.own * use.share
    others = host.busy - own
    manners = courtesy.wait(manners, others)
    gift = courtesy.part_of(limit, own, others)
    if not manners.due:
        manners = courtesy.postpone(manners, gift / limit)
    if manners.due or limit - gift < bounds.min_slots:
        return limit, memory._replace(courtesy=manners)
    manners = courtesy.give(manners, gift * host.cost, gift / limit, others)
    return limit - gift, memory._replace(courtesy=manners, ended=0.0, stale=use.in_flight)


def _has_much(host: Gauge, use: Use) -> bool:
    """Whether this gate, beside others, has more than its part, as far as it can know."""
    own = host.own * use.share
    others = host.busy - own
    if min(own, others) <= FLOOR:
        return False
    if host.others <= FLOOR:
        return use.share * use.gates > MUCH
    return own > others / 2
