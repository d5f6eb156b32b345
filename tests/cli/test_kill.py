"""SIGKILL in the middle of the night: what was finished stays finished, and the next start goes on."""

from __future__ import annotations

import math
import random
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from batchrun.simulator.process import SimulatorProcess, start_simulator
from tests.cli.program import (
    LIMIT_SECONDS,
    RequestPipe,
    assert_each_answered_once,
    records,
    start_batchrun,
    write_jobs,
)
from tests.soak import Soak

PACE = ("--ttft", "0.02", "--tokens-per-second", "400")
UNREAD = 60  # items at most
BROKEN_STREAMS = "ttft = 0.05\ntokens_per_second = 400\nrate_drop = 0.05\n"


@dataclass(frozen=True, slots=True)
class Nights:
    """So many `items`, `slots` at once, in a run that is killed again and again, but not after `end` (by the monotonic
    clock), nor when few are left. `scenario` is what the provider plays (a file of the simulator's), at `PACE` where
    there is none."""

    kills: int
    items: int
    slots: int = 4
    longest: int = 60  # tokens; answers of one length would all be finished at once
    scenario: str | None = None
    end: float = math.inf


def kill_again_and_again(place: Path, nights: Nights, seed: int) -> int:
    """Run, kill once some more items are finished, and so on; then let it end, and hold it to the promise. Returns how
    often it was killed."""
    chance, kills = random.Random(seed), 0
    jobs = write_jobs(place / "jobs.jsonl", _jobs(nights))
    log = place / "jobs.batchrun" / "checkpoint.jsonl"
    finished: set[str] = set()
    with RequestPipe(place / "requests") as heard, _provider(place, nights, heard) as server:
        env = {"ANTHROPIC_API_KEY": "sk-any", "ANTHROPIC_BASE_URL": server.base_url}
        # As many at once on a busy machine as on an idle one.
        words = ("run", "jobs.jsonl", "--max-slots", str(nights.slots), "--min-slots", str(nights.slots))
        for _ in range(nights.kills):
            asked_before = len(heard.requests())
            wanted = len(finished) + chance.randint(1, 4)
            run = start_batchrun(*words, cwd=place, env=env)
            # A new request comes when an item has given its slot back: a good moment to look.
            while len(records(log)) < wanted:
                heard.wait_for(heard.count("request") + 1)
            run.kill()
            run.communicate()
            kills += 1
            assert finished.isdisjoint(_asked(heard, asked_before)), "asked again though finished"
            now = {line["id"] for line in records(log)}
            assert finished <= now, "a finished item was lost"
            assert len(now) > len(finished), "no progress between two kills"
            finished = now
            if time.monotonic() > nights.end or nights.items - len(finished) < 3 * nights.slots:
                break
        asked_before = len(heard.requests())
        last = start_batchrun(*words, cwd=place, env=env)
        # The pipe holds the words of some hundred items; unread, it would stop the provider.
        while len(records(log)) < nights.items - UNREAD:
            heard.wait_for(heard.count("end") + UNREAD // 4, "end")
        _, told = last.communicate(timeout=LIMIT_SECONDS)
        assert last.returncode == 0, told
        assert finished.isdisjoint(_asked(heard, asked_before)), "asked again though finished"
    assert_each_answered_once(jobs)
    return kills


def _jobs(nights: Nights) -> list[dict[str, str]]:
    tokens = (20 + number * 37 % (nights.longest - 20) for number in range(nights.items))
    return [{"id": f"item-{n:04d}", "prompt": f"[[tokens={count}]] number {n}"} for n, count in enumerate(tokens)]


def _provider(place: Path, nights: Nights, heard: RequestPipe) -> SimulatorProcess:
    if nights.scenario is None:
        return start_simulator(log=heard.path, extra=PACE)
    scenario = place / "scenario.toml"
    scenario.write_text(nights.scenario, encoding="utf-8")
    return start_simulator(str(scenario), log=heard.path)


def _asked(heard: RequestPipe, before: int) -> set[str]:
    """The ids of those who were asked since there were so many requests."""
    return {f"item-{int(line['prompt'].split()[-1]):04d}" for line in heard.requests()[before:]}


def test_twenty_kills_lose_nothing_and_ask_nothing_finished_again(tmp_path: Path) -> None:
    """At the end each id has one result with the right text."""
    kill_again_and_again(tmp_path, Nights(kills=20, items=200), seed=1)


@pytest.mark.soak
def test_kills_of_many_seeds_lose_nothing(tmp_path: Path, soak: Soak) -> None:
    """The same for other moments of the kill, for as long as the budget lasts."""
    seed = soak.seed
    end = time.monotonic() + soak.budget_seconds
    while True:
        seed += 1
        place = tmp_path / str(seed)
        place.mkdir()
        kill_again_and_again(place, Nights(kills=20, items=200), seed=seed)
        if time.monotonic() > end:
            return


@pytest.mark.soak
def test_forty_kills_at_full_width_lose_nothing(tmp_path: Path, soak: Soak) -> None:
    """With 64 slots, where one stream in twenty breaks; fewer kills only where the budget is used up."""
    end = time.monotonic() + soak.budget_seconds
    nights = Nights(kills=40, items=2_000, slots=64, longest=400, scenario=BROKEN_STREAMS, end=end)
    kill_again_and_again(tmp_path, nights, soak.seed)
