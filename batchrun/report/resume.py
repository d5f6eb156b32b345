"""What to do next. Pure; the command itself is `invocation`'s."""

from __future__ import annotations

from dataclasses import dataclass

from batchrun.masking import MASK
from batchrun.report.census import Totals
from batchrun.report.plain import count, counted
from batchrun.report.words import FIRST_DO

FILL_IN = f"type the secret again where {MASK} stands: it is kept nowhere"
CHANGED = "the job file has changed since the last run"


@dataclass(frozen=True, slots=True)
class Resume:
    """`command` is None where there is nothing to type."""

    command: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Position:
    """What the next step follows from. `exit_code` is that of the newest run, None where it has none; `is_changed`
    tells that the job file is no longer the one of that run; `retry` is what that run was to ask again on purpose, if
    it was stopped."""

    totals: Totals
    pending: int | None
    exit_code: int | None = None
    is_running: bool = False
    is_starting: bool = False
    is_changed: bool = False
    retry: str = ""


def next_step(command: str, at: Position) -> Resume:
    """What an operator does now; in a command with a gap the secret is theirs to fill in."""
    return with_gap_told(_next_step(command, at))


def with_gap_told(step: Resume) -> Resume:
    return Resume(step.command, f"{step.why}; {FILL_IN}") if has_gap(step.command) else step


def has_gap(command: str | None) -> bool:
    """Whether a secret stood in the command, which no state keeps."""
    return command is not None and MASK in command


def _next_step(command: str, at: Position) -> Resume:
    totals, pending = at.totals, at.pending
    if at.is_starting:
        return Resume(None, "a run is just starting: nothing to do")
    if at.is_running:
        return Resume(None, "a run is at work: nothing to do")
    if at.is_changed and not pending and not totals.again:
        return Resume(command, f"{CHANGED}: run it again to see what is pending")
    if pending is None:
        return Resume(command, "no run told how many items there are")
    if not pending and not totals.again and not at.retry:
        wanting = totals.failed + totals.refused + totals.incomplete
        told = f"; {counted(wanting, 'item')} without a full answer will not be asked again" if wanting else ""
        return Resume(None, f"nothing is left to ask{told}")
    if not pending and not totals.again:
        return Resume(command, f"--retry {at.retry} was stopped before it was through")
    left = [f"{count(pending)} pending"] if pending else []
    left += [again_words(totals)] if totals.again else []
    first = [advice for code, advice in FIRST_DO.items() if code == at.exit_code]
    return Resume(command, "; ".join([" and ".join(left), *([CHANGED] if at.is_changed else []), *first]))


def again_words(totals: Totals, of: str = " of the failed") -> str:
    """What the next run does with those of the failed that it takes up again."""
    asked = totals.again - totals.kept
    parts = [f"{count(asked)}{of} to be asked again"] if asked else []
    parts += [f"{counted(totals.kept, 'kept answer')} to be delivered, not asked again"] if totals.kept else []
    return " and ".join(parts)
