"""Where a run stands at this moment. Pure: what the files say comes in, with the time.

The snapshot is a look-out and the log is the truth: whoever asks may hand in totals that were counted from the log, and
these win. What only a live run has (slots, pace, in flight) is told of a live run and of no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from batchrun.journal.lock import Holder
from batchrun.journal.runs import Run
from batchrun.report.census import Totals
from batchrun.report.job_file import UNREAD, JobFileNow
from batchrun.report.night import Heard, NightRun, asking, tell
from batchrun.report.plain import moment
from batchrun.report.resume import Position, Resume, next_step, with_gap_told
from batchrun.report.snapshot import GateView, LastError, Snapshot
from batchrun.spent import Spent

STALE_SECONDS = 30.0  # a run writes every few seconds; one that has been quiet for so long is suspended or stuck


@dataclass(frozen=True, slots=True)
class Live:
    """What only a run at work has. `quiet` is the seconds since it last wrote."""

    in_flight: int = 0
    backing_off: int = 0
    with_sinks: int = 0
    retries: int = 0
    gates: dict[str, GateView] = field(default_factory=dict)
    cpu: float | None = None
    tok_s: float | None = None
    eta_s: float | None = None
    quiet: float = 0.0
    stopping: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """`live` is None where no run is at work; `last` is the newest run that had something to ask, which is the one
    before while another one `is_starting`. `totals` and `pending` are None where nobody can tell; `counted_at` is when
    the totals were true. `changed` are finished items whose line asks something else now, as far as the newest run
    counted them; `spent` is what `last` has paid, None where it did not tell."""

    jobs: str
    holder: Holder | None
    live: Live | None
    last: NightRun | None
    total: int | None
    totals: Totals | None
    pending: int | None
    counted_at: str
    now: str
    spent: Spent | None
    last_error: LastError | None
    resume: Resume
    simulated: bool
    is_starting: bool
    changed: int

    @property
    def is_running(self) -> bool:
        return self.live is not None


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was found in the files. `alive` is the run of `holder`; `counted` are totals from the log, None where nobody
    counted them. `retry` is what the newest run was to ask again on purpose, if it was stopped."""

    jobs: str
    command: str
    runs: Sequence[Run]
    holder: Holder | None
    alive: str | None
    snapshot: Snapshot | None
    counted: Totals | None
    now: str
    file: JobFileNow = UNREAD
    changed: int = 0
    is_starting: bool = False
    retry: str = ""


def standing(seen: Sighting) -> Standing:
    """Put together what the files say."""
    snapshot, counted = seen.snapshot, seen.counted
    heard = {snapshot.run: Heard(snapshot.stamp, spent=snapshot.spent)} if snapshot else {}
    last = tell(asking(seen.runs)[-1], heard, seen.alive, seen.now) if seen.runs else None
    total = seen.runs[-1].start.total if seen.runs else snapshot.total if snapshot else None
    if counted and seen.file.ids is not None:
        total = len(seen.file.ids)
    totals = counted or (_totals(snapshot) if snapshot else None)
    pending = None if total is None or totals is None else max(total - totals.finished, 0)
    return Standing(
        jobs=seen.jobs,
        holder=seen.holder,
        live=_live(seen) if seen.holder else None,
        last=last,
        total=total,
        totals=totals,
        pending=pending,
        counted_at=snapshot.stamp if snapshot and not counted else seen.now,
        now=seen.now,
        spent=last.spent if last else snapshot.spent if snapshot else None,
        last_error=snapshot.last_error if snapshot else None,
        resume=_resume(seen, last, totals, pending),
        simulated=bool(seen.runs) and seen.runs[-1].start.simulated,
        is_starting=seen.is_starting,
        changed=seen.changed,
    )


def _totals(snapshot: Snapshot) -> Totals:
    return Totals(snapshot.done, snapshot.incomplete, snapshot.refused, snapshot.failed, snapshot.again or 0)


def _resume(seen: Sighting, last: NightRun | None, totals: Totals | None, pending: int | None) -> Resume:
    if totals is None:
        totals, pending = Totals(), None
    at = Position(
        totals=totals,
        pending=pending,
        exit_code=last.exit_code if last else None,
        is_running=seen.holder is not None,
        is_starting=seen.is_starting,
        is_changed=seen.file.is_changed,
        retry=seen.retry,
    )
    step = next_step(seen.command, at)
    has_told = bool(seen.counted) or (seen.snapshot is not None and seen.snapshot.again is not None)
    if step.command is None and totals.failed and not has_told and not seen.holder:
        # An older run's snapshot does not say which failures are final; the command does no harm where all of them are.
        return with_gap_told(Resume(seen.command, "asks again those that failed for reasons that pass"))
    return step


def _live(seen: Sighting) -> Live:
    snapshot = seen.snapshot
    if snapshot is None or snapshot.run != seen.alive:
        return Live()  # it has only just started, and the snapshot is an older run's
    return Live(
        in_flight=snapshot.in_flight,
        backing_off=snapshot.backing_off,
        with_sinks=snapshot.with_sinks,
        retries=snapshot.retries,
        gates=snapshot.gates,
        cpu=snapshot.cpu,
        tok_s=snapshot.tok_s,
        eta_s=snapshot.eta_s,
        quiet=max((moment(seen.now) - moment(snapshot.stamp)).total_seconds(), 0.0),
        stopping=snapshot.stopping,
    )
