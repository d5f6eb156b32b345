"""Those who stand before a gate: a queue whose members stay until they are told to leave."""

from __future__ import annotations

import asyncio

from batchrun.gate.slots import Gate, Slot
from batchrun.gate.traffic import Turn
from tests.virtual_time import settle


def gate(limit: int) -> Gate:
    return Gate("claude", limit, asyncio.get_running_loop().time)


async def slot_of(a_gate: Gate) -> Slot:
    slot = await a_gate.admit()
    assert slot is not None
    return slot


def give_back(slot: Slot) -> None:
    with slot:
        pass


class Queue:
    """People before a gate: who asks gets in turn, and stays until told to leave."""

    def __init__(self, a_gate: Gate, group: asyncio.TaskGroup) -> None:
        self.gate = a_gate
        self.admitted: list[str] = []
        self.turned_away: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._group = group
        self._leave: dict[str, asyncio.Event] = {}

    async def ask(self, *names: str, again: bool = False) -> None:
        for name in names:
            self._leave[name] = asyncio.Event()
            self.tasks[name] = self._group.create_task(self._stay(name, again))
        await settle()

    async def leave(self, *names: str) -> None:
        for name in names:
            self._leave[name].set()
        await settle()

    async def leave_all(self) -> None:
        await self.leave(*self._leave)

    async def _stay(self, name: str, again: bool) -> None:
        slot = await self.gate.admit(Turn.RETRY if again else Turn.FIRST)
        if slot is None:
            self.turned_away.append(name)
            return
        with slot:
            self.admitted.append(name)
            await self._leave[name].wait()
