"""What to do next. Pure; the command itself is `invocation`'s."""

from __future__ import annotations

from dataclasses import dataclass

from batchrun.failure import Cause
from batchrun.journal.finished import MAX_FAILED_RUNS
from batchrun.masking import MASK
from batchrun.outcome import GivenUp, Status
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
    totals, pending, given_up = at.totals, at.pending, at.totals.given_up
    if at.is_starting:
        return Resume(None, "a run is just starting: nothing to do")
    if at.is_running:
        return Resume(None, "a run is at work: nothing to do")
    if at.is_changed and not pending and not totals.again:
        return Resume(command, f"{CHANGED}: run it again to see what is pending")
    if pending is None:
        return Resume(command, "no run told how many items there are")
    if not pending and not totals.again and not at.retry:
        wanting = totals.failed + totals.refused + totals.incomplete - given_up.items
        told = f"; {counted(wanting, 'item')} without a full answer will not be asked again" if wanting else ""
        if given_up.items:
            return Resume(f"{command} {_retry_of(given_up)}", given_up_words(given_up) + told)
        return Resume(None, f"nothing is left to ask{told}")
    if not pending and not totals.again:
        return Resume(command, f"--retry {at.retry} was stopped before it was through")
    left = [f"{count(pending)} pending"] if pending else []
    left += [again_words(totals)] if totals.again else []
    first = [advice for code, advice in FIRST_DO.items() if code == at.exit_code]
    more = [given_up_words(given_up)] if given_up.items else []
    return Resume(command, "; ".join([" and ".join(left), *more, *([CHANGED] if at.is_changed else []), *first]))


def again_words(totals: Totals, of: str = " of the failed") -> str:
    """What the next run does with those of the failed that it takes up again."""
    asked = totals.again - totals.kept
    parts = [f"{count(asked)}{of} to be asked again"] if asked else []
    parts += [f"{counted(totals.kept, 'kept answer')} to be delivered, not asked again"] if totals.kept else []
    return " and ".join(parts)


def given_up_words(given_up: GivenUp) -> str:
    """Those that the next run leaves alone, with what takes them up all the same."""
    kept, asked, parts = given_up.kept, given_up.items - given_up.kept, []
    if kept:
        told = "whole answer is kept" if kept == 1 else "whole answers are kept"
        ways = f"--retry {Cause.SINK} delivers {'it' if kept == 1 else 'them'}, and nobody is asked"
        parts.append(f"{count(kept)} {told} that no sink took in {MAX_FAILED_RUNS} runs: {ways}")
    if asked:
        ways = f"--retry {Status.FAILED} asks {'it' if asked == 1 else 'them'} again"
        parts.append(f"{counted(asked, 'item')} failed in {MAX_FAILED_RUNS} runs of what may pass: {ways}")
    return "; ".join(parts)


def _retry_of(given_up: GivenUp) -> str:
    # Either delivers what is kept; `failed` asks again what has failed for good, too.
    return f"--retry {Status.FAILED if given_up.kept < given_up.items else Cause.SINK}"
