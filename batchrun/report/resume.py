"""What to do next, and the command with which a run goes on. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from batchrun.report.census import Totals
from batchrun.report.plain import count, counted
from batchrun.report.words import FIRST_DO

# What held for one run only, or would keep a person from seeing anything; with the number of values that follow.
_NOT_CARRIED_ON = {"--limit": 1, "--only": 1, "--quiet": 0, "--json": 0}


@dataclass(frozen=True, slots=True)
class Resume:
    """`command` is None where there is nothing to type."""

    command: str | None
    why: str


def next_step(command: str, *, is_running: bool, exit_code: int | None, totals: Totals, pending: int | None) -> Resume:
    """What an operator does now. `exit_code` is that of the newest run, None where it has none."""
    if is_running:
        return Resume(None, "a run is at work: nothing to do")
    if pending is None:
        return Resume(command, "no run told how many items there are")
    if not pending and not totals.again:
        wanting = totals.failed + totals.refused + totals.incomplete
        told = f"; {counted(wanting, 'item')} without a full answer will not be asked again" if wanting else ""
        return Resume(None, f"nothing is left to ask{told}")
    left = [f"{count(pending)} pending"] if pending else []
    left += [f"{count(totals.again)} of the failed to be asked again"] if totals.again else []
    first = [advice for code, advice in FIRST_DO.items() if code == exit_code]
    return Resume(command, "; ".join([" and ".join(left), *first]))


def resume_command(args: Sequence[str], jobs: str, shown: str) -> str:
    """What to type, quoted for a shell.

    Args:
        args: the arguments of the run that is to go on, the word `run` included.
        jobs: its job file as the state has it.
        shown: the job file as it is reached from where the reader stands.
    """
    rest = list(args[1:]) if args[:1] == ["run"] else list(args)
    named = next((arg for arg in rest if PurePath(arg).name == PurePath(jobs).name), None)
    if named is not None:
        rest.remove(named)
    return shlex.join(["batchrun", "run", shown, *_carried_on(rest)])


def _carried_on(args: Sequence[str]) -> list[str]:
    kept, skip = [], 0
    for arg in args:
        if skip:
            skip -= 1
        elif arg in _NOT_CARRIED_ON:
            skip = _NOT_CARRIED_ON[arg]
        elif arg.partition("=")[0] not in _NOT_CARRIED_ON:
            kept.append(arg)
    return kept
