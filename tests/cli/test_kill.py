"""SIGKILL in the middle of the night: what was finished stays finished, and the next start goes on."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from batchrun.simulator.process import start_simulator
from tests.cli.program import (
    RequestPipe,
    assert_each_answered_once,
    batchrun,
    prompts,
    records,
    start_batchrun,
    write_jobs,
)
from tests.soak import Soak

PACE = ("--ttft", "0.02", "--tokens-per-second", "400")


def kill_again_and_again(place: Path, kills: int, items: int, seed: int) -> None:
    """Run, kill once some more items are finished, and so on; then let it end, and hold it to the promise."""
    chance = random.Random(seed)
    jobs = write_jobs(place / "jobs.jsonl", prompts(items, "[[tokens=40]] number {}"))
    log = place / "jobs.batchrun" / "checkpoint.jsonl"
    finished: set[str] = set()
    with RequestPipe(place / "requests") as heard, start_simulator(log=heard.path, extra=PACE) as server:
        env = {"ANTHROPIC_API_KEY": "sk-any", "ANTHROPIC_BASE_URL": server.base_url}
        for _ in range(kills):
            asked_before = len(heard.requests())
            wanted = len(finished) + chance.randint(1, 4)
            run = start_batchrun("run", "jobs.jsonl", "--max-slots", "4", cwd=place, env=env)
            # A new request comes when an item has given its slot back: a good moment to look.
            while len(records(log)) < wanted:
                heard.wait_for(heard.count("request") + 1)
            run.kill()
            run.communicate()
            asked = [line["prompt"].split()[-1] for line in heard.requests()[asked_before:]]
            assert not finished & {f"item-{int(number):04d}" for number in asked}, "asked again though finished"
            now = {line["id"] for line in records(log)}
            assert finished <= now, "a finished item was lost"
            assert len(now) > len(finished), "no progress between two kills"
            finished = now
        asked_before = len(heard.requests())
        last = batchrun("run", "jobs.jsonl", cwd=place, env=env)
        assert last.returncode == 0, last.stderr
        asked = [line["prompt"].split()[-1] for line in heard.requests()[asked_before:]]
        assert not finished & {f"item-{int(number):04d}" for number in asked}, "asked again though finished"
    assert_each_answered_once(jobs)


def test_twenty_kills_lose_nothing_and_ask_nothing_finished_again(tmp_path: Path) -> None:
    """At the end each id has one result with the right text."""
    kill_again_and_again(tmp_path, kills=20, items=200, seed=1)


@pytest.mark.soak
def test_kills_of_many_seeds_lose_nothing(tmp_path: Path, soak: Soak) -> None:
    """The same for other moments of the kill, for as long as the budget lasts."""
    seed = soak.seed
    end = os.times().elapsed + soak.budget_seconds
    while True:
        seed += 1
        place = tmp_path / str(seed)
        place.mkdir()
        kill_again_and_again(place, kills=20, items=200, seed=seed)
        if os.times().elapsed > end:
            return
