"""How a run ended, as a frozen value, and the exit code that follows from it. Nothing is counted or written here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from batchrun.errors import ExitCode, weightiest
from batchrun.journal.state import StateDir
from batchrun.outcome import GivenUp, Status
from batchrun.spent import Spent


@dataclass(frozen=True, slots=True)
class Ending:
    """`finished` counts the items of the whole job file by status, `now` those of this run; `changed` are the ids of
    finished items whose job asks something else now. `overhead` is the share of the process's CPU time that was
    charged to no item, `spent` what this run paid; None where nothing was sent. `undelivered` are the answers that this
    run keeps for the next one to deliver; `sink_error` says why the last that it keeps was not taken. `given_up` is of
    the whole job file. `counted` are the items that were finished before and that the exit code goes by as well: with
    --limit or --only not all of them."""

    state: StateDir
    exit_code: ExitCode
    total: int
    finished: dict[str, int]
    now: dict[str, int]
    changed: tuple[str, ...]
    simulated: bool
    reason: str | None = None
    overhead: float | None = None
    spent: Spent | None = None
    undelivered: int = 0
    sink_error: str = ""
    given_up: GivenUp = field(default_factory=GivenUp)
    counted: Mapping[str, int] = field(default_factory=dict)

    @property
    def pending(self) -> int:
        return self.total - sum(self.finished.values())


def exit_code(finished: Mapping[str, int], accept: frozenset[Status], codes: set[ExitCode]) -> ExitCode:
    """The exit code of a run.

    Args:
        finished: the items that were asked for by status, those of earlier nights among them: one that failed last
            night still is no answer.
        accept: kinds that count as answered.
        codes: why the run stopped early, if it did.
    """
    wanting = [status for status in Status if status is not Status.DONE and status not in accept]
    failed = {ExitCode.SOME_FAILED} if any(finished.get(status, 0) for status in wanting) else set()
    return weightiest(codes | failed)
