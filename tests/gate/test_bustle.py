"""Whatever happens at once before a gate: seeded, so that each run tries the same."""

from __future__ import annotations

import asyncio
import random

import pytest

from batchrun.gate.slots import Gate
from batchrun.gate.traffic import Traffic, Turn
from tests.virtual_time import run_virtual


class WatchedGate(Gate):
    """Looks at each admission at its very moment."""

    admissions = 0

    def _take(self, turn: Turn) -> float:
        assert self.in_flight < self.limit
        assert not self.is_held
        self.admissions += 1
        return super()._take(turn)


@pytest.mark.parametrize("seed", range(12))
def test_the_limit_holds_and_nobody_is_forgotten_under_any_interleaving(seed: int) -> None:
    """Two hundred people who come, stay, come again and are cancelled, while the gate is resized and held at random:
    nobody enters above the limit or during a hold, and at the end every slot is back and everybody was served."""
    run_virtual(_bustle(random.Random(seed)))


async def _bustle(dice: random.Random) -> None:
    a_gate = WatchedGate("claude", 3, asyncio.get_running_loop().time, Traffic())
    ends: list[str] = []
    entered = 0

    async def comes() -> None:
        nonlocal entered
        try:
            await asyncio.sleep(dice.random() * 100)
            for turn in range(dice.randrange(1, 4)):
                slot = await a_gate.admit(Turn.RETRY if turn > 0 else Turn.FIRST)
                assert slot is not None
                with slot:
                    entered += 1
                    await asyncio.sleep(dice.choice([0, 0, 0.5, dice.random() * 5]))
            ends.append("served")
        except asyncio.CancelledError:
            ends.append("cancelled")

    async with asyncio.TaskGroup() as group:
        people = [group.create_task(comes()) for _ in range(200)]
        for _ in range(300):
            await asyncio.sleep(dice.choice([0, dice.random()]))
            match dice.randrange(5):
                case 0:
                    a_gate.resize(dice.randrange(1, 8))
                case 1:
                    a_gate.hold(dice.random() * 3)
                case 2:
                    dice.choice(people).cancel()
    assert (a_gate.in_flight, a_gate.waiting) == (0, 0)
    assert len(ends) == 200
    assert ends.count("served") > 100
    # Some were admitted and cancelled before they could enter; nobody entered without having been admitted.
    assert 200 < entered <= a_gate.admissions
