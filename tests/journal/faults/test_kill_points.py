"""A process is killed, or its disk fails it, at each call that changes something: what it told to be finished is there,
once, and the next start goes on.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from batchrun.errors import ExitCode
from batchrun.journal.log import distrust_mark
from batchrun.journal.record import encode_result
from batchrun.journal.state import StateDir
from tests.journal.builders import damage, ids, write
from tests.journal.crash.files import read_back
from tests.journal.crash.inspection import Crashed, Inspector
from tests.journal.crash.parts import memory
from tests.journal.faults.calls import ways
from tests.journal.faults.nursery import Nursery, Order, Reply, jobs, nursery
from tests.soak import Soak

ITEMS = 6
OURS = {encode_result(job): job for job in jobs(ITEMS)}
# An error may be of no consequence (the lock cannot be emptied at the end), or end the night with one of these.
ENDS = (ExitCode.OK, ExitCode.CANNOT_CREATE, ExitCode.IO_ERROR)


def first_run(state: StateDir) -> None:
    """Nothing is there."""


def resume(state: StateDir) -> None:
    state.create()
    write(state, *jobs(ITEMS)[:3])


def repair(state: StateDir) -> None:
    """Both ends are torn, a checkpoint is bad, two answers have none, and results.jsonl is distrusted."""
    resume(state)
    damage(state.checkpoint, lambda data: data.replace(b'"done"', b'"dome"', 1)[:-30])
    damage(state.results, lambda data: data + b'{"id":"torn","te')
    distrust_mark(state.results).touch()


SCENARIOS: list[Callable[[StateDir], None]] = [first_run, resume, repair]


@dataclass(frozen=True, slots=True)
class Point:
    """One call of one scenario, and what becomes of it."""

    scenario: Callable[[StateDir], None]
    call: int
    name: str
    how: str

    def __str__(self) -> str:
        return f"{self.scenario.__name__}: call {self.call}, {self.name}, {self.how}"


class Ground:
    """Where the nights take place: the same scenario can be had again and again."""

    def __init__(self, place: Path, nights: Nursery) -> None:
        self._place = place
        self._nights = nights
        self._state = StateDir(place / "jobs.batchrun")
        self._inspector = Inspector(place / "inspected")

    def points(self) -> list[Point]:
        """Each call of each scenario in each way."""
        return [
            Point(scenario, call, name, how)
            for scenario in SCENARIOS
            for call, name in enumerate(self._night(scenario).calls)
            for how in ways(name)
        ]

    def violations(self, point: Point) -> list[str]:
        """What the promise was broken by, at the point and at the next start."""
        spoiled = self._night(point.scenario, point.call, point.how)
        found = _wrong_end(point, spoiled)
        told = frozenset(line for line, job in OURS.items() if job.id in spoiled.finished)
        if self._state.path.exists():
            found += self._inspector.violations(Crashed(read_back(self._state.path), told, OURS))
        next_night = self._nights.night(Order(str(self._state.path), ITEMS))
        if next_night.exit != 0 or sorted(ids(self._state)) != sorted(job.id for job in OURS.values()):
            found.append(f"the next start does not finish the rest: {next_night.said}")
        return [f"{point}: {each}" for each in found]

    def _night(self, scenario: Callable[[StateDir], None], call: int | None = None, how: str = "") -> Reply:
        shutil.rmtree(self._state.path, ignore_errors=True)
        scenario(self._state)
        return self._nights.night(Order(str(self._state.path), ITEMS, call, how))


def _wrong_end(point: Point, reply: Reply) -> list[str]:
    # What gathers in a commit is a matter of luck, and with it which call has which number.
    is_another_call = reply.exit == 0 and reply.calls[point.call : point.call + 1] != [point.name]
    if "killed" in point.how:
        return [] if reply.exit == -9 or is_another_call else [f"not killed: {reply.exit} {reply.said}"]
    if reply.exit not in ENDS:
        return [f"ended with {reply.exit}: {reply.said}"]
    if reply.exit == 0 and len(reply.finished) != ITEMS:
        return ["ended well and finished nothing"]
    if reply.exit != 0 and "; " not in reply.said:
        return [f"does not say what to do: {reply.said}"]
    if point.how == "takes less" and reply.exit != 0 and point.name == "write":
        return [f"a short write ended the night: {reply.said}"]
    return []


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with nursery() as nights, tempfile.TemporaryDirectory(dir=memory()) as place:
        yield Ground(Path(place), nights)


def test_there_are_enough_points(ground: Ground) -> None:
    """In each scenario each kind of call is met; a journal that asks less of its disk would make the next test idle."""
    points = ground.points()
    assert len(points) >= 300
    for scenario in SCENARIOS:
        met = {point.name for point in points if point.scenario is scenario}
        assert {"write", "pwrite", "fdatasync", "fsync", "ftruncate", "open"} <= met
    assert {"replace", "unlink", "mkdir"} <= {point.name for point in points}


def test_a_night_that_is_stopped_anywhere_loses_nothing(ground: Ground) -> None:
    """A tenth of the points, the same each time."""
    points = ground.points()
    drawn = random.Random(1).sample(points, len(points) // 10)
    assert [violation for point in drawn for violation in ground.violations(point)] == []


@pytest.mark.soak
def test_a_night_that_is_stopped_at_each_point_loses_nothing(
    ground: Ground, soak: Soak, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of them, in the order of the seed; fewer only where the budget is used up."""
    points, tried, violations = ground.points(), 0, []
    random.Random(soak.seed).shuffle(points)
    end = time.monotonic() + soak.budget_seconds
    for tried, point in enumerate(points, start=1):  # noqa: B007 - how many is told below
        violations += ground.violations(point)
        if time.monotonic() > end:
            break
    with capsys.disabled():
        told = f"{tried} of {len(points)} points, {len(violations)} violations"
        sys.stdout.write(f"\nkill points, seed {soak.seed}: {told}\n")
    assert violations == []
