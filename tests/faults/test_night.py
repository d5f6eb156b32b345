"""Bad nights: every answer is right, nothing leaks, nothing hangs. A short one always, and long ones for as long as the
budget of the soak lasts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import count
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

ROUND = 100  # items
CANCELLED_AT_ONCE = 40
WARM_ROUNDS = 5  # until the allocator has what it needs
SLACK_FILES = 2
SLACK_MB = 25.0  # of an allocator that gives nothing back; rounds whose streams stayed would cost 6 MB each

Enough = Callable[[int], bool]  # so many rounds


def budget(soak: Soak) -> Enough:
    until = time.monotonic() + soak.budget_seconds
    return lambda rounds: rounds > 0 and time.monotonic() >= until


def test_every_item_of_a_short_bad_night_is_answered(tmp_path: Path) -> None:
    """A hundred items, one round."""
    asyncio.run(bad_nights(tmp_path, 7, lambda rounds: rounds == 1))


@pytest.mark.soak
def test_every_item_of_a_long_bad_night_is_answered_and_nothing_is_left_behind(soak: Soak, tmp_path: Path) -> None:
    """Round after round."""
    asyncio.run(bad_nights(tmp_path, soak.seed, budget(soak)))


def test_after_some_cancelled_streams_every_request_works(tmp_path: Path) -> None:
    """A hundred and sixty of them."""
    asyncio.run(cut_off(tmp_path, 7, lambda rounds: rounds == 4))


@pytest.mark.soak
def test_after_thousands_of_cancelled_streams_every_request_works(soak: Soak, tmp_path: Path) -> None:
    """As many as the budget allows."""
    asyncio.run(cut_off(tmp_path, soak.seed, budget(soak)))


async def bad_nights(place: Path, seed: int, is_enough: Enough) -> None:
    """20 % 429, 5 % 529, 5 % truncations, 5 % resets, 1 % silences, 2 % malformed: each item is answered once, rightly.
    Files come back to where they were, and after the first rounds the memory stays flat."""
    retried, warm = 0, float("inf")
    with bad_provider(place, seed) as process:
        before = traces()
        for rounds in count():
            if is_enough(rounds):
                break
            provider = provider_of(process, max_slots=48)
            store = await night(place / f"round-{rounds}", provider, rounds * ROUND, ROUND)
            await provider.close()
            await idle()
            assert store.wrong == []
            assert len(store.answered) == ROUND
            retried += store.retried
            now = traces()
            assert now.files <= before.files + SLACK_FILES
            warm = now.rss_mb if rounds == WARM_ROUNDS else warm
            assert now.rss_mb < warm + SLACK_MB
    assert retried > ROUND * rounds / 5


async def cut_off(place: Path, seed: int, is_enough: Enough) -> None:
    """Streams are cut off at any moment, from before the connection to after the last word: the next hundred requests
    are all answered, and no file stays open."""
    chance = Random(seed)
    with bad_provider(place, seed, rates={}, ttft=0.02, tokens_per_second=100.0) as process:
        provider = provider_of(process, max_slots=CANCELLED_AT_ONCE)
        try:
            assert await hundred(provider) == 100
            await idle()
            before = traces()
            for rounds in count():
                if is_enough(rounds):
                    break
                await cancel_some(provider, chance)
            await idle()
            assert traces().files <= before.files + SLACK_FILES
            assert await hundred(provider) == 100
        finally:
            await provider.close()


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
            group.create_task(one(number, chance.choice((0.0, 0.05, 0.1, 0.2, 0.4)) * chance.random()))
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
