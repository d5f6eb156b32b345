"""Whatever a power cut may leave of a night: what was told to be finished is there once, and the next start goes on."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.journal.crash.model import Findings, Model
from tests.journal.crash.mutants import MISTAKEN_DISKS, MISTAKEN_STARTS
from tests.journal.crash.parts import explore_on_all_cores, memory
from tests.journal.crash.stage import RecorderThatHoldsTheWriter, Stage
from tests.journal.crash.workloads import (
    OPERATIONS_OF_A_FIRST_RUN,
    OPERATIONS_OF_A_REPAIR,
    broken_twice,
    nothing,
    workloads,
)
from tests.soak import Soak

ENOUGH = 100_000
ROUND = 40_000  # some twenty seconds on two cores
ROUNDS = 4


@pytest.fixture
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=memory()) as made:
        yield Path(made)


def test_no_crash_breaks_the_promise() -> None:
    """Ten thousand states of all workloads, a quarter of them crashed in the recovery from another one."""
    findings = explore_on_all_cores(11_400, seed=1)
    assert findings.violations == []
    assert findings.distinct >= 10_000


@pytest.mark.soak
def test_no_crash_of_any_seed_breaks_the_promise(soak: Soak, capsys: pytest.CaptureFixture[str]) -> None:
    """A hundred thousand states, others each night; fewer only where the budget is used up."""
    findings, end = Findings(), time.monotonic() + soak.budget_seconds
    for number in range(ROUNDS):
        explored = explore_on_all_cores(ROUND, soak.seed * ROUNDS + number)
        findings.take(explored)
        findings.legal = explored.legal
        if findings.distinct >= ENOUGH or time.monotonic() > end:
            break
    with capsys.disabled():
        sys.stdout.write(f"\ncrash states, seed {soak.seed}: {findings}\n")
    assert findings.violations == []
    assert findings.distinct >= ENOUGH or time.monotonic() > end


@pytest.mark.parametrize(("mutant", "shown_by"), MISTAKEN_DISKS, ids=lambda value: getattr(value, "__name__", value))
def test_the_model_finds_out_what_is_not_asked_of_the_disk(
    place: Path, mutant: type[RecorderThatHoldsTheWriter], shown_by: str
) -> None:
    """A journal that leaves out a sync breaks the promise in some state; so the model is able to fail."""
    assert findings_of(place, shown_by, mutant).violations


@pytest.mark.parametrize(("mutant", "shown_by"), MISTAKEN_STARTS, ids=lambda value: getattr(value, "__name__", value))
def test_the_model_finds_out_what_a_start_leaves_out(
    place: Path, monkeypatch: pytest.MonkeyPatch, mutant: Callable[[pytest.MonkeyPatch], None], shown_by: str
) -> None:
    """Each step of a start is there for a state in which it is missed."""
    mutant(monkeypatch)
    assert findings_of(place, shown_by).violations


@pytest.mark.parametrize("shown_by", sorted({shown_by for _, shown_by in (*MISTAKEN_DISKS, *MISTAKEN_STARTS)}))
def test_the_states_that_find_mutants_out_are_no_trouble_to_the_journal(place: Path, shown_by: str) -> None:
    """It is the mistake that is found, and not something that is always there."""
    assert findings_of(place, shown_by).violations == []


def findings_of(
    place: Path, shown_by: str, kind: type[RecorderThatHoldsTheWriter] = RecorderThatHoldsTheWriter
) -> Findings:
    chosen = [(name, workload) for name, workload in workloads() if name.startswith(shown_by)]
    return Model(place, seed=1, most=1).explore(chosen, 600, kind)


@pytest.mark.parametrize(
    ("first", "operations"), [(nothing, OPERATIONS_OF_A_FIRST_RUN), (broken_twice, OPERATIONS_OF_A_REPAIR)]
)
def test_a_run_is_killed_at_each_of_its_operations(
    place: Path, first: Callable[[Stage], None], operations: int
) -> None:
    """The workloads that are killed leave out no operation, and kill none twice."""
    for operation, is_there in ((operations - 1, True), (operations, False)):
        (place / str(operation)).mkdir()
        stage = Stage(place / str(operation))
        first(stage)
        assert stage.kill(operation, stage.answer("x"), stage.answer("y")) is is_there
