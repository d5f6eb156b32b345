"""Where the facts of a run lie: the state that a user means, its runs, and who works in it now. Reads, and never writes
or takes the lock (C15)."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from batchrun.config import state_of
from batchrun.errors import JobFileUnreadable, NoRunError
from batchrun.jobs.spool import spooled
from batchrun.journal.index import newest
from batchrun.journal.lock import Holder, is_running, read_holder
from batchrun.journal.runs import Run, RunStart, read_runs
from batchrun.journal.snapshot import read_snapshot
from batchrun.journal.state import StateDir
from batchrun.report.census import Census, Totals
from batchrun.report.invocation import Place, reached, resume_command
from batchrun.report.job_file import look_into
from batchrun.report.lines import Lines
from batchrun.report.night import Heard, Night, asking, changed_items, choose, tell
from batchrun.report.periods import read_periods
from batchrun.report.plain import moment, stamp
from batchrun.report.program import program_name
from batchrun.report.snapshot import snapshot_of
from batchrun.report.standing import Sighting
from batchrun.sorter import stopped_retry

QUICK_BYTES = 8 << 20  # of the log some 16,000 lines: a tenth of a second, so that `status` stays quick
_BLANK_BYTES = 4096  # a longer file is not read to find out that no job is in it
NEVER = "9"  # sorts behind every stamp: no line is of such a night


@dataclass(frozen=True, slots=True)
class Source:
    """A state that holds something. `jobs` is its job file as it is reached from `here`, `holder` who works in it
    now."""

    state: StateDir
    jobs: Path
    runs: Sequence[Run]
    holder: Holder | None
    here: Path

    @property
    def lines(self) -> Path:
        """Where the lines of the job file can be read: where the run laid them down, if they came packed or piped."""
        try:
            return spooled(self.jobs, self.state.path)
        except JobFileUnreadable:
            return self.jobs

    @property
    def alive(self) -> str | None:
        """The run that is at work, None where none is."""
        is_open = self._is_holders() and self.runs[-1].end is None
        return self.runs[-1].start.run if is_open else None

    @property
    def is_starting(self) -> bool:
        """Whether somebody has the lock who has not begun a run yet: he is reading the job file."""
        return self.holder is not None and not self._is_holders()

    def _is_holders(self) -> bool:
        """Whether the newest run is the holder's, and not that of somebody who was killed before."""
        if self.holder is None or not self.runs:
            return False
        start, holder = self.runs[-1].start, self.holder
        # In a container each run has the same pid.
        is_later = moment(start.started) >= moment(holder.started)
        return (start.pid, start.host) == (holder.pid, holder.host) and is_later

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
        here = str(self.here)
        jobs, state = reached(here, str(self.jobs)), reached(here, str(self.state.path))
        is_beside = state == str(StateDir.for_jobs(Path(jobs)).path)
        place = Place(here, jobs, None if is_beside else state, self.jobs.is_absolute(), program_name())
        if not self.runs:
            return resume_command([], "", jobs, place)
        start = asking(self.runs)[-1].start
        return resume_command(start.args, start.cwd, start.jobs, place, is_over=not self.unfinished_retry)

    @property
    def unfinished_retry(self) -> str:
        """What the newest run was asking again on purpose when it was stopped, as it was asked for; "" for nothing."""
        retry = asking(self.runs)[-1].start.retry if self.runs else []
        return ",".join(retry) if stopped_retry(self.runs, frozenset(retry)) else ""


def find_source(jobs: Path | None, state: Path | None, here: Path) -> Source:
    """The state of `jobs`, or `state` itself; with neither, that of the newest run on this machine.

    Raises NoRunError where there is none, and says how to come by one.
    """
    if state is None and jobs is not None:
        state = state_of(jobs)  # a settings file or the environment may have sent it elsewhere
    place = _place(jobs, state, here)
    _check_is_there(place, jobs)
    runs = read_runs(place)
    holder = read_holder(place)
    alive = holder if holder is not None and is_running(holder) else None
    if not runs and alive is None and not place.status.exists() and next(iter(Lines(place)), None) is None:
        # A run that could not start has left no more than its headers.
        raise NoRunError(_no_run(place, jobs))
    return Source(place, _jobs(jobs, place, runs, here), runs, alive, here)


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
        file=look_into(source.lines, source.runs[-1].start if source.runs else None),
        changed=changed_items(source.runs),
        is_starting=source.is_starting,
        retry=source.unfinished_retry,
        hours=length.total_seconds() / 3600,
    )


def look_at(source: Source, now: datetime) -> Sighting:
    """What the files say at this moment. The log is counted where that is quick, and no run is at work to tell."""
    fields = read_snapshot(source.state)
    snapshot = snapshot_of(fields) if fields is not None else None
    log = source.state.checkpoint
    has_no_run = source.holder is None or source.is_starting
    is_quick = has_no_run and log.exists() and log.stat().st_size <= QUICK_BYTES
    file = look_into(source.lines, source.runs[-1].start if source.runs else None, QUICK_BYTES)
    return Sighting(
        jobs=str(source.jobs),
        command=source.command,
        runs=source.runs,
        holder=source.holder,
        alive=source.alive,
        snapshot=snapshot,
        counted=_counted(source.state, file.ids) if is_quick or snapshot is None else None,
        now=stamp(now),
        file=file,
        changed=changed_items(source.runs),
        is_starting=source.is_starting,
        retry=source.unfinished_retry,
    )


def _counted(state: StateDir, ids: frozenset[str] | None) -> Totals:
    census = Census(since=NEVER)
    census.take(Lines(state))
    if ids is not None:
        census.keep_only(ids)
    return census.totals()


def _heard(source: Source, since: str) -> dict[str, Heard]:
    """When each run was last heard of, and what it told then; not looked up where every run has told its end."""
    if all(run.end is not None for run in source.runs):
        return {}
    periods = read_periods(source.state.telemetry, since)
    return {period.run: Heard(period.stamp, period.retried, period.wasted_tokens, period.spent) for period in periods}


def _place(jobs: Path | None, state: Path | None, here: Path) -> StateDir:
    if state is not None:
        return StateDir(state)
    if jobs is not None:
        return StateDir(jobs) if jobs.is_dir() else StateDir.for_jobs(jobs)
    found = newest(here)
    if found is None:
        raise NoRunError(f"no run has been made on this machine; start one: {program_name()} run JOBS")
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
    raise NoRunError(_no_run(state, jobs))


def _no_run(state: StateDir, jobs: Path | None) -> str:
    if jobs is not None and look_into(jobs, None, _BLANK_BYTES).ids == frozenset():
        return f"{jobs}: the job file has no job, and no run has been made here yet; write a job a line, then run it"
    named = "JOBS" if jobs is None or jobs.is_dir() else shlex.quote(str(jobs))
    return f"{state.path}: no run has been made here yet; start one: {program_name()} run {named}"


def _jobs(jobs: Path | None, state: StateDir, runs: Sequence[Run], here: Path) -> Path:
    if jobs is not None and not jobs.is_dir():
        return jobs
    path = Path(_ran(runs[-1].start)) if runs else here / state.path.with_suffix(".jsonl")
    # From the root every path would be relative, and none would look like one.
    is_near = here != Path("/") and path.is_relative_to(here)
    return path.relative_to(here) if is_near else path


def _ran(start: RunStart) -> str:
    """The job file of a run, without the `..` that led to it."""
    path = Path(start.jobs)
    is_below = bool(start.cwd) and path.is_relative_to(start.cwd)
    return reached(start.cwd, str(path.relative_to(start.cwd))) if is_below else start.jobs
