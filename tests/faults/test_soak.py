"""Nights that go on for as long as the budget lasts: every answer is right, nothing leaks, nothing hangs."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from random import Random

import pytest

from batchrun.failure import AttemptFailed
from batchrun.providers.provider import Provider, Request
from batchrun.simulator.answers import answer_for
from batchrun.stream.attempt import attempt
from batchrun.stream.clocks import ClockLimits
from batchrun.stream.message import Message
from batchrun.stream.meter import Account, Meter
from tests.faults.night import bad_provider, idle, night, provider_of, traces
from tests.simulator.wire import body_of
from tests.soak import Soak

ROUND = 250  # items
CANCELLED_AT_ONCE = 40
SLACK_FILES = 2
SLACK_MB = 25.0  # of an allocator that gives nothing back; a stream that stayed would cost 60 KB, a round 15 MB


@pytest.mark.soak
def test_every_item_of_a_bad_night_is_answered_and_nothing_is_left_behind(soak: Soak, tmp_path: Path) -> None:
    """20 % 429, 5 % 529, 5 % truncations, 5 % resets, 1 % silences, 2 % malformed: round after round, each item has the
    right answer, once; files come back to where they were, and the memory stays flat after the first rounds."""
    until = time.monotonic() + soak.budget_seconds

    async def rounds() -> tuple[int, int]:
        with bad_provider(tmp_path, soak.seed) as process:
            before, warm, asked, retried = traces(), None, 0, 0
            while time.monotonic() < until or not asked:
                provider = provider_of(process, max_slots=48)
                store = await night(tmp_path / f"round-{asked}", provider, asked, ROUND)
                await provider.close()
                await idle()
                assert store.wrong == []
                assert len(store.answered) == ROUND
                asked, retried = asked + ROUND, retried + store.retried
                now = traces()
                assert now.files <= before.files + SLACK_FILES
                warm = warm or (now if asked >= 3 * ROUND else None)
                assert warm is None or now.rss_mb < warm.rss_mb + SLACK_MB
            return asked, retried

    asked, retried = asyncio.run(rounds())
    assert retried > asked / 5


@pytest.mark.soak
def test_after_thousands_of_cancelled_streams_every_request_works(soak: Soak, tmp_path: Path) -> None:
    """Cut off at any moment, from before the connection to after the last word: the next hundred are all answered, and
    no file stays open."""
    chance, until = Random(soak.seed), time.monotonic() + soak.budget_seconds

    async def cut_off() -> None:
        with bad_provider(tmp_path, soak.seed, rates={}, ttft=0.01, tokens_per_second=400.0) as process:
            provider = provider_of(process, max_slots=CANCELLED_AT_ONCE)
            try:
                assert await hundred(provider) == 100
                await idle()
                before, cancelled = traces(), 0
                while time.monotonic() < until:
                    cancelled += await cancel_some(provider, chance)
                await idle()
                assert traces().files <= before.files + SLACK_FILES
                assert await hundred(provider) == 100
                assert cancelled > 100
            finally:
                await provider.close()

    asyncio.run(cut_off())


async def cancel_some(provider: Provider, chance: Random) -> int:
    """Begin a few streams, cut each off at a moment of its own; how many there were."""

    async def one(number: int, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await ask(provider, f"Cut off {number}")
        except (TimeoutError, AttemptFailed):
            pass

    async with asyncio.TaskGroup() as group:
        for number in range(CANCELLED_AT_ONCE):
            group.create_task(one(number, chance.choice((0.0, 0.001, 0.01, 0.03, 0.1)) * chance.random()))
    return CANCELLED_AT_ONCE


async def hundred(provider: Provider) -> int:
    """How many of a hundred requests get the right answer."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask(provider, f"Item {number}")) for number in range(100)]
    rights = (answer_for(body_of(f"Item {number} [[tokens=20]]")).text for number in range(100))
    return sum(task.result().text == text for task, text in zip(tasks, rights, strict=True))


async def ask(provider: Provider, prompt: str) -> Message:
    body = body_of(f"{prompt} [[tokens=20]]")
    return await attempt(provider, Request(body), ClockLimits(), Meter(Account()))
