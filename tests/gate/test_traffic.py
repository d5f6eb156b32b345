"""Who goes to a backend, in which order, and who has to wait."""

from __future__ import annotations

import asyncio
import math

from batchrun.failure import Cause, Failure
from batchrun.gate.budget import ALWAYS, SHARE, WINDOW, RetryBudget
from batchrun.gate.slots import Gate
from batchrun.gate.traffic import Traffic, Turn
from tests.gate.people import Queue
from tests.virtual_time import START, in_virtual_time

REFUSED = Failure(Cause.CONNECT, "refused")


def test_retries_are_at_most_their_share_of_a_minute() -> None:
    """F17: the rest waits; what was long ago counts no more."""
    budget = RetryBudget()
    for _ in range(100):
        budget.note(0.0, is_retry=False)
    sent = 0
    while budget.wait(1.0) == 0:
        budget.note(1.0, is_retry=True)
        sent += 1
    assert sent <= SHARE * (100 + sent) < sent + 1
    assert 0 < budget.wait(1.0) <= WINDOW
    assert budget.wait(1.0 + 2 * WINDOW) == 0


def test_a_few_retries_are_always_allowed() -> None:
    """A file of three items has no minute to wait for."""
    budget = RetryBudget()
    for _ in range(ALWAYS):
        assert budget.wait(0.0) == 0
        budget.note(0.0, is_retry=True)
    assert budget.wait(0.0) > 0


def test_whoever_is_alone_may_always_retry() -> None:
    """The budget delays; it stops nobody for good."""
    traffic = Traffic()
    for _ in range(5 * ALWAYS):
        assert traffic.wait(Turn.RETRY, 0.0, is_alone=True) == 0
        traffic.sent(Turn.RETRY, 0.0)
    assert traffic.wait(Turn.RETRY, 0.0, is_alone=False) > 0
    assert traffic.wait(Turn.REFUSED, 0.0, is_alone=False) == 0
    assert traffic.wait(Turn.FIRST, 0.0, is_alone=False) == 0


def test_a_dead_backend_gets_one_probe_at_a_time_and_a_fresh_item_first() -> None:
    """What has failed already may be what kills it."""
    traffic = Traffic()
    assert list(traffic.order) == [Turn.REFUSED, Turn.RETRY, Turn.FIRST]
    for _ in range(3):
        traffic.failed(REFUSED, "a", 0.0, 0.0)
    assert next(iter(traffic.order)) is Turn.FIRST
    assert traffic.wait(Turn.FIRST, 0.0, is_alone=True) == 0
    assert traffic.wait(Turn.FIRST, 0.0, is_alone=False) == math.inf


@in_virtual_time
async def test_the_gate_admits_as_the_pace_allows() -> None:
    """Slots are free, and still one goes after the other."""
    now = asyncio.get_running_loop().time
    traffic = Traffic()
    for moment in range(60):
        traffic.sent(Turn.FIRST, START - 60 + moment)
    traffic.pace.refused(START - 1, START, 0.0)
    async with asyncio.TaskGroup() as group:
        queue = Queue(Gate("claude", 8, now, traffic), group)
        await queue.ask("a", "b", "c")
        assert queue.admitted == []
        assert queue.gate.is_paced
        await asyncio.sleep(3.5)
        assert queue.admitted == ["a", "b", "c"]
        assert queue.gate.take_paced()
        assert not queue.gate.take_paced()
        await queue.leave_all()


@in_virtual_time
async def test_who_waits_for_the_probe_goes_when_the_backend_answers() -> None:
    """One is in; the others wait without a timer until somebody says that there is life."""
    traffic = Traffic()
    async with asyncio.TaskGroup() as group:
        queue = Queue(Gate("claude", 8, asyncio.get_running_loop().time, traffic), group)
        for _ in range(3):
            traffic.failed(REFUSED, "x", 0.0, 0.0)
        await queue.ask("probe", "b", "c")
        assert queue.admitted == ["probe"]
        await asyncio.sleep(1000)
        assert queue.admitted == ["probe"]
        traffic.answered()
        queue.gate.look_again()
        await queue.leave("probe")
        assert queue.admitted == ["probe", "b", "c"]
        await queue.leave_all()
