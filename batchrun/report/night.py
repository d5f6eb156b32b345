"""Which runs make up the night, and how each of them ended. Pure: what the files say comes in, with the time.

A night is the runs that ended in the last 24 hours (`--since` moves that), those that were killed then, and the one
that still runs; where there is none of these, the newest run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

from batchrun.errors import ExitCode
from batchrun.journal.runs import Run
from batchrun.report.job_file import UNREAD, JobFileNow
from batchrun.report.plain import moment
from batchrun.spent import Spent, spent_of


class How(StrEnum):
    """How a run ended."""

    RUNNING = "running"
    ENDED = "ended"  # it came to the end of its items
    DRAINED = "drained"  # stopped early; what was in flight was waited for
    HALTED = "halted"  # a second signal: stopped at once
    STOPPED = "stopped"  # credentials, configuration, disk
    KILLED = "killed"  # no end was written: SIGKILL, out of memory, power


_HOW = {
    ExitCode.OK: How.ENDED,
    ExitCode.SOME_FAILED: How.ENDED,
    ExitCode.STOPPED_EARLY: How.DRAINED,
    ExitCode.HANGUP: How.HALTED,
    ExitCode.INTERRUPTED: How.HALTED,
    ExitCode.TERMINATED: How.HALTED,
}


class Heard(NamedTuple):
    """The last that a run told of itself while it was at work, and when. `retried` is None where it did not tell."""

    stamp: str
    retried: Mapping[str, int] | None = None
    wasted_tokens: int = 0
    spent: Spent | None = None


@dataclass(frozen=True, slots=True)
class NightRun:
    """One run of the night. `until` is its end; of a killed one the last that was heard of it, of a running one now.
    `exit_code` and `reason` are None where no end was written. `retried` are all its failed attempts by cause, up to
    what was last heard of it, and `spent` what it paid; None where it told nothing of them."""

    run: str
    how: How
    started: str
    until: str
    seconds: float
    total: int
    pending: int
    model: str
    exit_code: int | None = None
    reason: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    retried: Mapping[str, int] | None = None
    wasted_tokens: int = 0
    spent: Spent | None = None


@dataclass(frozen=True, slots=True)
class Night:
    """What is known before anything is counted.

    `jobs` is the job file as the reader reaches it, `command` what it takes to go on with it, `total` its items (None
    where nobody told), `file` how it stands now. `until` is the moment of the report. `changed` are the finished items
    whose line asks something else now, as far as the newest run counted them; `is_starting` tells of a run that has
    the lock and has not begun yet. `retry` is what the newest run was to ask again on purpose, if it was stopped.
    `hours` is how long a time the reader looks back over.
    """

    jobs: str
    command: str
    runs: tuple[NightRun, ...]
    total: int | None
    until: str
    simulated: bool = False
    file: JobFileNow = UNREAD
    changed: int = 0
    is_starting: bool = False
    retry: str = ""
    hours: float = 24.0

    @property
    def since(self) -> str:
        """When the first of the runs began; without any run, the beginning of time."""
        return min((run.started for run in self.runs), default="")

    @property
    def is_running(self) -> bool:
        return any(run.how is How.RUNNING for run in self.runs)

    @property
    def is_older(self) -> bool:
        """Whether no run ended in the time that is looked back over, so that the newest one stands for it."""
        since = moment(self.until) - timedelta(hours=self.hours)
        return bool(self.runs) and all(moment(run.until) < since for run in self.runs)

    @property
    def seconds(self) -> float:
        """How long a run was alive."""
        return sum(run.seconds for run in self.runs)


def changed_items(runs: Sequence[Run]) -> int:
    """The finished items whose line asked something else when the newest run that ended looked."""
    counted = (run.end.counts.get("changed", 0) for run in reversed(runs) if run.end is not None)
    return next(counted, 0)


def asking(runs: Sequence[Run]) -> Sequence[Run]:
    """Those that had something to ask, or all of them where none had. A start that finds nothing pending is no run of a
    night: it is written down where the job file was another one, so that this is known to have been seen."""
    return [run for run in runs if run.start.pending] or runs


def choose(runs: Sequence[Run], heard: Mapping[str, Heard], alive: str | None, since: str) -> list[Run]:
    """The runs of the night in the order of their starts.

    Args:
        heard: run -> its last telemetry, for those that left some since `since`.
        alive: the run that is running now.
    """
    asked = asking(runs)
    chosen = [run for run in asked if run.start.run == alive or _until(run, heard) >= since]
    return chosen or list(asked[-1:])


def tell(run: Run, heard: Mapping[str, Heard], alive: str | None, now: str) -> NightRun:
    """How one run went."""
    start, end = run.start, run.end
    last = heard.get(start.run, Heard(""))
    told = end if end is not None and end.retried is not None else last
    spent = last.spent if end is None or end.spent is None else spent_of(end.spent)
    is_alive = start.run == alive
    until = now if is_alive else _until(run, heard)
    if end is None:
        how = How.RUNNING if is_alive else How.KILLED
    else:
        how = _HOW.get(ExitCode(end.exit_code), How.STOPPED) if end.exit_code in _CODES else How.STOPPED
    return NightRun(
        run=start.run,
        how=how,
        started=start.started,
        until=until,
        seconds=max((moment(until) - moment(start.started)).total_seconds(), 0.0),
        total=start.total,
        pending=start.pending,
        model=start.model,
        exit_code=None if end is None else end.exit_code,
        reason=None if end is None else end.reason,
        counts={} if end is None else end.counts,
        retried=told.retried,
        wasted_tokens=told.wasted_tokens,
        spent=spent,
    )


def _until(run: Run, heard: Mapping[str, Heard]) -> str:
    if run.end is not None:
        return run.end.ended
    return max(run.start.started, heard.get(run.start.run, Heard("")).stamp)


_CODES = frozenset(int(code) for code in ExitCode)
