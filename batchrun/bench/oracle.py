"""The best fixed limit of a world, found by search: who knows the world beforehand can do no better with one number.

The most slots with which the CPU keeps to the target on the mean; where not even the fewest do, those. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from batchrun.bench.flow import Player
from batchrun.bench.fluid import Play
from batchrun.bench.world import HOUR, LONGEST, Change, World

TOLERANCE = 5.0  # points above the target
MEMORY_KEPT = 0.9  # with less than a tenth of the memory left, somebody is killed


@dataclass(frozen=True, slots=True)
class Best:
    """`backlog` is what that limit begins in an hour: the load of the world; `seconds` what it takes for it."""

    limit: int
    backlog: float
    seconds: float


def best_fixed(world: World) -> Best:
    """An estimate without transients says where to look; the plays around it decide."""
    low, high = world.bounds.min_slots, world.bounds.max_slots
    if world.machine.memory is not None:
        high = max(low, min(high, int(MEMORY_KEPT * world.machine.memory)))
    top = world.bounds.target_cpu + TOLERANCE
    limit = _last(low, high, lambda slots: _estimate(world, slots) <= top)
    play = _fixed(world, limit)
    while limit > low and play.mean_cpu > top:
        limit -= 1
        play = _fixed(world, limit)
    while limit < high and (more := _fixed(world, limit + 1)).mean_cpu <= top:
        limit, play = limit + 1, more
    # What has been begun within the hour: so each world lasts for longer than that.
    flow = play.players[0].flow
    backlog = flow.answered + flow.in_flight
    real = Player(None, limit, backlog)
    Play(world, [real]).run(LONGEST)
    return Best(limit, backlog, real.seconds)


def _fixed(world: World, limit: int) -> Play:
    play = Play(world, [Player(None, limit)])
    play.run(HOUR)
    return play


def _last(low: int, high: int, is_good: Callable[[int], bool]) -> int:
    """The highest number that is good; the lowest one if none is."""
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if is_good(middle) else (low, middle - 1)
    return low


def _estimate(world: World, limit: int) -> float:
    """The mean CPU of the first hour."""
    total = 0.0
    ends = [*(change.at for change in world.changes[1:]), HOUR]
    for change, end in zip(world.changes, ends, strict=True):
        total += max(0.0, min(end, HOUR) - change.at) * _cruise(world, change, limit)
        if end >= HOUR:
            break
    return total / HOUR


def _cruise(world: World, change: Change, limit: int) -> float:
    """The CPU once everything flows evenly."""
    machine, source = world.machine, world.source
    rest = change.others + machine.background
    cost, pace, own = machine.stream_cost * change.cost, 1.0, 0.0
    most = min(machine.quota, machine.loop_quota) - machine.base_cost
    for _ in range(4):  # the pace follows from the streams, and the streams from the pace
        streams = limit / (1.0 + pace * source.latency / source.answer)
        if source.rate is not None:
            streams = min(streams, source.rate * source.answer / pace)
        wanted = min(cost * streams, most)
        squeeze = min(1.0, 100.0 / (wanted + machine.base_cost + rest))
        own = wanted * squeeze + machine.base_cost
        pace = min(1.0, wanted * squeeze / (cost * streams))
    host = min(100.0, own + rest)
    return host if machine.allowance is None else max(host, 100.0 * own / machine.quota)
