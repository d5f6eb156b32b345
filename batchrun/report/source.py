"""Where the facts of a run lie: the state that a user means, its runs, and who works in it now. Reads, and never writes
or takes the lock (C15)."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from batchrun.errors import NoRunError
from batchrun.journal.index import newest
from batchrun.journal.lock import Holder, is_running, read_holder
from batchrun.journal.runs import Run, read_runs
from batchrun.journal.snapshot import read_snapshot
from batchrun.journal.state import StateDir
from batchrun.report.census import Census, Totals
from batchrun.report.lines import Lines
from batchrun.report.night import Night, choose, tell
from batchrun.report.periods import read_periods
from batchrun.report.plain import stamp
from batchrun.report.resume import resume_command
from batchrun.report.snapshot import snapshot_of
from batchrun.report.standing import Sighting

QUICK_BYTES = 8 << 20  # some 16,000 lines: a tenth of a second, so that `status` stays quick
NEVER = "9"  # sorts behind every stamp: no line is of such a night


@dataclass(frozen=True, slots=True)
class Source:
    """A state that holds something. `jobs` is its job file as it is reached from here, `holder` who works in it now."""

    state: StateDir
    jobs: Path
    runs: Sequence[Run]
    holder: Holder | None

    @property
    def alive(self) -> str | None:
        """The run that is at work, None where none is."""
        is_open = self.holder is not None and self.runs and self.runs[-1].end is None
        return self.runs[-1].start.run if is_open else None

    @property
    def total(self) -> int | None:
        """How many items the job file had for the newest run; None where no run told."""
        return self.runs[-1].start.total if self.runs else None

    @property
    def simulated(self) -> bool:
        """Whether the answers are the embedded provider's."""
        return bool(self.runs) and self.runs[-1].start.simulated

    @property
    def command(self) -> str:
        """What to type to go on."""
        if not self.runs:
            return resume_command([], str(self.jobs), str(self.jobs))
        newest_run = self.runs[-1].start
        return resume_command(newest_run.args, newest_run.jobs, str(self.jobs))


def find_source(jobs: Path | None, state: Path | None, here: Path) -> Source:
    """The state of `jobs`, or `state` itself; with neither, that of the newest run on this machine.

    Raises NoRunError where there is none, and says how to come by one.
    """
    place = _place(jobs, state, here)
    _check_is_there(place, jobs)
    runs = read_runs(place)
    holder = read_holder(place)
    alive = holder if holder is not None and is_running(holder) else None
    return Source(place, _jobs(jobs, place, runs, here), runs, alive)


def night_of(source: Source, length: timedelta, now: datetime) -> Night:
    """The runs of the last `length` of time before `now`, and what is known of them before anything is counted."""
    since = stamp(now - length)
    heard = _heard(source, since)
    runs = choose(source.runs, heard, source.alive, since)
    if runs and not heard:
        heard = _heard(source, runs[0].start.started)
    return Night(
        jobs=str(source.jobs),
        command=source.command,
        runs=tuple(tell(run, heard, source.alive, stamp(now)) for run in runs),
        total=source.total,
        until=stamp(now),
        simulated=source.simulated,
    )


def look_at(source: Source, now: datetime) -> Sighting:
    """What the files say at this moment. The log is counted where that is quick, and no run is at work to tell."""
    fields = read_snapshot(source.state)
    snapshot = snapshot_of(fields) if fields is not None else None
    log = source.state.checkpoint
    is_quick = source.holder is None and log.exists() and log.stat().st_size <= QUICK_BYTES
    return Sighting(
        jobs=str(source.jobs),
        command=source.command,
        runs=source.runs,
        holder=source.holder,
        alive=source.alive,
        snapshot=snapshot,
        counted=_counted(source.state) if is_quick or snapshot is None else None,
        now=stamp(now),
    )


def _counted(state: StateDir) -> Totals:
    census = Census(since=NEVER)
    census.take(Lines(state))
    return census.totals()


def _heard(source: Source, since: str) -> dict[str, str]:
    """When each run that has written no end was last heard of."""
    if all(run.end is not None for run in source.runs):
        return {}
    return {period.run: period.stamp for period in read_periods(source.state.telemetry, since)}


def _place(jobs: Path | None, state: Path | None, here: Path) -> StateDir:
    if state is not None:
        return StateDir(state)
    if jobs is not None:
        return StateDir(jobs) if jobs.is_dir() else StateDir.for_jobs(jobs)
    found = newest(here)
    if found is None:
        raise NoRunError("no run has been made on this machine; start one: batchrun run JOBS")
    return found


def _check_is_there(state: StateDir, jobs: Path | None) -> None:
    try:
        if any(file.exists() for file in (state.runs, state.checkpoint, state.status)):
            return
        is_misspelt = jobs is not None and not jobs.exists()
    except PermissionError as exc:
        raise NoRunError(f"{state.path}: not permitted; look as the user who ran it") from exc
    if is_misspelt:
        raise NoRunError(f"{jobs}: there is no such job file, and no run of it ({state.path}); check the path")
    named = "JOBS" if jobs is None else shlex.quote(str(jobs))
    raise NoRunError(f"{state.path}: no run has been made here; start one: batchrun run {named}")


def _jobs(jobs: Path | None, state: StateDir, runs: Sequence[Run], here: Path) -> Path:
    if jobs is not None and not jobs.is_dir():
        return jobs
    path = Path(runs[-1].start.jobs) if runs else state.path.with_suffix(".jsonl")
    return path.relative_to(here) if path.is_relative_to(here) else path
