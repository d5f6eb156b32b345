"""What the limits of a law make of a world, period by period, in virtual time. Pure.

Where more CPU is wanted than there is, everything flows more slowly, and everybody gets the same part of what he wants.
An hour costs some milliseconds, so this is written for speed: a number where elsewhere an object would stand.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from batchrun.bench.flow import STILL, Flow, Player
from batchrun.bench.world import SLOT_MB, Change, World
from batchrun.gate.law import Law, Observation, Signals, smooth

STEPS_AN_ANSWER = 4  # a step is short against what happens in it
TAKEN = 0.9995  # of its time a slot that is always taken is: between two items it is free for a moment
OWN_NOISE = 0.08  # how unevenly one stream uses the CPU; many of them even each other out
_dice = random.Random(1)
NOISE = [_dice.gauss(0.0, 1.0) for _ in range(4096)]


class Play:
    """A world with its players, all of them on one host; `shares_process`: as the gates of one run.

    `cpus` is the CPU as it was measured, in per cent of the host or, where that is nearer its end, of the container's
    allowance; a fixed limit is looked at without the noise of a measurement.
    """

    def __init__(self, world: World, players: Sequence[Player], *, shares_process: bool = False) -> None:
        self.world = world
        self.players = players
        self.cpus: list[float] = []
        self.most_memory = 0.0  # of all that there is
        self._shares_process = shares_process
        self._steps = max(1, math.ceil(world.period * STEPS_AN_ANSWER / world.source.answer))
        self._noise = world.seed * 31 % len(NOISE)
        self._is_fixed = all(player.law is None for player in players)
        self._wanted = 0.0
        for player in players:
            player.flow = Flow(world.source, player.backlog, world.period / self._steps)

    def __repr__(self) -> str:
        return f"<Play of world {self.world.seed}, {len(self.cpus)} periods>"

    @property
    def mean_cpu(self) -> float:
        """Over all periods."""
        return sum(self.cpus) / len(self.cpus)

    @property
    def slot_cost(self) -> float:
        """What a slot comes to, in points, as long as nothing is short; the first token comes in whole steps."""
        source, step = self.world.source, self.world.period / self._steps
        latency = max(1, round(source.latency / step)) * step
        return self.world.machine.stream_cost * source.answer / (source.answer + latency)

    def run(self, most_seconds: float) -> None:
        """Until everybody is done, or so long."""
        world, now = self.world, 0.0
        changes = iter(world.changes)
        change, later = next(changes), next(changes, None)
        present: list[Player] = []
        while now < most_seconds:
            if later is not None and now >= later.at:
                change, later = later, next(changes, None)
            if len(present) < len(self.players) or any(player.is_done for player in present):
                present = [player for player in self.players if now >= player.begins and not player.is_done]
            before = [player.flow.second for player in present] if self._is_fixed else ()
            host = self._period(present, change)
            self.cpus.append(host if world.machine.allowance is None else max(host, self._allowance(present)))
            now += world.period
            for player in present:
                player.note(now)
                if player.law is not None and not player.is_done:
                    self._ask(player, player.law, present, host)
            if self._is_fixed:
                now += self._leap(present, before, min(most_seconds, math.inf if later is None else later.at) - now)
            if all(player.is_done for player in self.players):
                return

    def _leap(self, present: Sequence[Player], before: Sequence[float], seconds: float) -> float:
        """Where nothing changes any more, go on to where something does; gives the seconds that were left out."""
        periods = math.ceil(seconds / self.world.period)
        for player, second in zip(present, before, strict=True):
            if abs(player.flow.second - second) > STILL * second or not player.ended:
                return 0.0
            left = (player.flow.backlog - player.limit) / player.ended
            periods = min(periods, int(left) - 1) if left < math.inf else periods
        if periods <= 0:
            return 0.0
        self.cpus += self.cpus[-1:] * periods
        left_out = periods * self.world.period
        for player in present:
            player.leap(periods, left_out)
        return left_out

    def _period(self, present: Sequence[Player], change: Change) -> float:
        """Let everything flow for a period; gives the CPU of the host as it is measured."""
        machine, steps = self.world.machine, self._steps
        cost, base = machine.stream_cost * change.cost, machine.base_cost * len(present)
        rest = change.others + machine.background
        quota, loop_quota = machine.quota - base, machine.loop_quota - machine.base_cost
        rests = most = 0.0
        for player in present:
            player.ended = player.used = player.own = 0.0
        for _ in range(steps):
            wanted = 0.0
            for player in present:
                flow = player.flow
                player.whole = cost * player.cost * (flow.first + flow.second)
                player.want = player.whole if player.whole <= loop_quota else loop_quota
                wanted += player.want
            most = max(most, wanted)
            allowed = wanted if wanted <= quota else quota
            squeeze = 1.0 if allowed + rest + base <= 100.0 else 100.0 / (allowed + rest + base)
            pace = squeeze * allowed / wanted if wanted else 1.0
            rests += rest * squeeze
            for player in present:
                player.own += player.want * pace
                its_pace = pace if player.want == player.whole else pace * player.want / player.whole
                player.ended += player.flow.go(player.limit, its_pace)
                player.used += player.flow.in_flight
        self._wanted = most + base
        own = 0.0
        for player in present:
            unevenness = OWN_NOISE * self._roll() / math.sqrt(player.flow.streams + 1.0)
            player.own = (player.own / steps + machine.base_cost) * (1.0 + unevenness)
            player.used /= steps
            own += player.own
        if machine.memory is not None:
            self._fill_memory(present, machine.memory)
        return min(100.0, max(own, own + rests / steps + self._roll() * machine.noise))

    def _fill_memory(self, present: Sequence[Player], memory: float) -> None:
        filled = sum(player.used for player in present) / memory
        self.most_memory = max(self.most_memory, filled)
        if filled > 1.0:
            for player in present:
                player.kill()

    def _ask(self, player: Player, law: Law, present: Sequence[Player], host: float) -> None:
        """What a gate of a real run would be told of this period, to the law."""
        own, used, gates = player.own, player.used, 1
        if self._shares_process:
            own, used, gates = sum(mate.own for mate in present), sum(mate.used for mate in present), len(present)
        signals = self._signals(own, used, present, host)
        allowance, source = signals.allowance, self.world.source
        player.samples += 1
        player.smoothed = smooth(player.smoothed, host if allowance is None else max(host, allowance))
        seen = Observation(
            player.smoothed,
            player.samples,
            math.ceil(player.flow.in_flight - 0.01),
            False,
            player.used * TAKEN,
            player.ended,
            player.flow.streams,
            player.used / used if used else 1.0,
            gates,
            0.0,
            None if source.rate is None else source.rate * source.seconds,
            signals,
        )
        decision = law(player.limit, seen, self.world.bounds, player.memory)
        player.limit, player.memory = decision.limit, decision.memory
        player.words.append(decision.limited_by)

    def _signals(self, own: float, used: float, present: Sequence[Player], host: float) -> Signals:
        machine = self.world.machine
        allowance, throttled = None, 0.0
        if machine.allowance is not None:
            allowance = self._allowance(present)
            throttled = max(0.0, 100.0 - 100.0 * machine.quota / self._wanted)
        return Signals(
            host,
            own,
            allowance,
            100.0 * own / machine.quota,
            throttled,
            min(100.0, 100.0 * own / machine.loop_quota),
            None,
            None if machine.memory is None else (machine.memory - used) * SLOT_MB,
            0.0 if machine.memory is None else 0.1 * machine.memory * SLOT_MB,
            used * SLOT_MB,
        )

    def _allowance(self, present: Sequence[Player]) -> float:
        return min(100.0, 100.0 * sum(player.own for player in present) / self.world.machine.quota)

    def _roll(self) -> float:
        if self._is_fixed:
            return 0.0
        self._noise = (self._noise + 1) % len(NOISE)
        return NOISE[self._noise]
