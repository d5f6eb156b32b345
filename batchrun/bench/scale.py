"""`bench scale`: what a start, `status` and `report` take when the journal holds a million finished items.

Each command runs in a process of its own, as a user's would; what it used is what the system says of that process.
"""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from batchrun.bench.command import run_command
from batchrun.bench.scale_state import Made, make_state, run_start
from batchrun.bench.statistics import statistics_of
from batchrun.errors import BatchrunError
from batchrun.item import timestamp
from batchrun.journal.lock import Lock
from batchrun.journal.runs import record_start


@dataclass(frozen=True, slots=True)
class ScalePlan:
    """`pending` items stand in the job file besides the finished ones; each command runs `rounds` times."""

    items: int = 1_000_000
    pending: int = 10_000
    rounds: int = 3


@dataclass(frozen=True, slots=True)
class Bound:
    """What a command may take at a million items; None: no bound."""

    seconds: float | None = None
    mb: float | None = None


@dataclass(frozen=True, slots=True)
class ScaleFigures:
    """What one command took: the median of its rounds, of `peak_mb` (resident) the largest."""

    what: str
    wall_seconds: float
    cpu_seconds: float
    peak_mb: float
    most_seconds: float | None
    most_mb: float | None


@dataclass(frozen=True, slots=True)
class ScaleComparison:
    """Sizes in bytes: a line of checkpoint.jsonl on the mean, and the whole files."""

    plan: ScalePlan
    made_seconds: float
    checkpoint_line: float
    checkpoint_bytes: int
    results_bytes: int
    jobs_bytes: int
    commands: list[ScaleFigures]


# Set by the task that the journal has: a start that nobody waits for, a look that nobody notices.
_START, _STATUS, _REPORT = Bound(3.0, 300.0), Bound(0.3), Bound(5.0)


def measure_scale(plan: ScalePlan) -> ScaleComparison:
    """Make the state in a temporary directory, and measure.

    Raises:
        BatchrunError: there is no room for it, or a command did not end well.
    """
    with tempfile.TemporaryDirectory(prefix="batchrun-scale-") as directory:
        began = time.perf_counter()
        try:
            made = make_state(Path(directory), plan.items, plan.pending)
        except OSError as exc:
            raise BatchrunError(f"{directory}: cannot make the state there ({exc.strerror}); set TMPDIR") from exc
        made_seconds = time.perf_counter() - began
        checkpoint = made.state.checkpoint.stat().st_size
        return ScaleComparison(
            plan=plan,
            made_seconds=made_seconds,
            checkpoint_line=checkpoint / max(plan.items, 1),
            checkpoint_bytes=checkpoint,
            results_bytes=made.state.results.stat().st_size,
            jobs_bytes=made.jobs.stat().st_size,
            commands=list(_commands(made, plan.rounds)),
        )


def _commands(made: Made, rounds: int) -> Iterator[ScaleFigures]:
    jobs = str(made.jobs)
    # A finished item is asked for, so that the run ends when it knows what is pending, and sends nothing.
    more = ["run", str(made.more_jobs), "--state", str(made.state.path), "--simulate", "--only", made.first_id]
    run_command(
        "the first start", more
    )  # which checks the job file, and notes what it found, as the night's own start did
    yield _measured(f"start, {made.pending:,} pending", more, rounds, _START)
    run_command("the first start", ["run", jobs, "--simulate"])
    yield _measured("start, nothing pending", ["run", jobs, "--simulate"], rounds, _START)
    yield _measured("start, job file edited", ["run", jobs, "--simulate"], rounds, Bound(), _without_notes(made))
    yield _measured("status", ["status", jobs], rounds, _STATUS)
    with _living_run(made):
        yield _measured("status of a living run", ["status", jobs], rounds, _STATUS)
    yield _measured("report", ["report", jobs], rounds, _REPORT)
    yield _measured("report --json", ["report", jobs, "--json"], rounds, _REPORT)


@contextmanager
def _living_run(made: Made) -> Iterator[None]:
    """This process is the run for as long as the block lasts: it has the lock, and has told of its start."""
    lock = Lock.take(made.state)
    try:
        record_start(made.state, run_start(made, os.getpid(), socket.gethostname(), timestamp()))
        yield
    finally:
        lock.release()


def _without_notes(made: Made) -> Callable[[], None]:
    return partial(made.state.checked.unlink, missing_ok=True)


def _measured(
    what: str, words: Sequence[str], rounds: int, bound: Bound, before: Callable[[], object] = int
) -> ScaleFigures:
    taken = []
    for _ in range(rounds):
        before()
        taken.append(run_command(what, words))
    walls, cpus, peaks = zip(*taken, strict=True)
    wall, cpu = statistics_of(walls), statistics_of(cpus)
    assert wall is not None
    assert cpu is not None
    return ScaleFigures(what, wall.median, cpu.median, max(peaks), bound.seconds, bound.mb)
