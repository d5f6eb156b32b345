"""Which jobs of the file are to be asked: each is looked up in the journal, and what is found there is counted.

What a record means stands in `journal.finished`; here it meets what the user wants: `--changed` and `--retry`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from batchrun.errors import ExitCode
from batchrun.failure import Cause
from batchrun.journal.finished import FinishedIndex, Standing
from batchrun.journal.runs import Run
from batchrun.outcome import GivenUp, Status

OVER = frozenset({ExitCode.OK, ExitCode.SOME_FAILED})  # a run that ended so has come to the end of its items
# An enum's member costs a search in its class each time, and these are asked for a million times.
_PENDING, _CHANGED = Standing.PENDING, Standing.CHANGED
EVERYTHING = "all"
# What `--retry` may name: how an item ended, or why it failed.
RETRIABLE = frozenset(
    {EVERYTHING, *(str(status) for status in Status if status is not Status.DONE), *(str(cause) for cause in Cause)}
)


class Changed(StrEnum):
    """What becomes of a finished item whose job asks something else now."""

    KEEP = "keep"
    ASK = "ask"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is asked again on purpose. Of `retry` only what stands in results.jsonl before `retry_before` (bytes): the
    rest has been asked again already, by a run with the same wish that was stopped."""

    changed: Changed = Changed.KEEP
    retry: frozenset[str] = frozenset()
    retry_before: int = 0


class Sorter:
    """`cause_at` tells why the item failed whose result line stands there, None where that cannot be read;
    `is_kept_at` whether that line holds an answer all the same. Of the items that are `named` those that are finished
    without an answer are counted apart."""

    def __init__(
        self,
        index: FinishedIndex,
        wishes: Wishes = Wishes(),
        cause_at: Callable[[str, tuple[int, int]], str | None] = lambda id, place: None,
        is_kept_at: Callable[[str, tuple[int, int]], bool] = lambda id, place: False,
        named: frozenset[str] = frozenset(),
    ) -> None:
        self._index = index
        self._wishes = wishes
        self._causes = wishes.retry - {EVERYTHING, *Status}
        self._cause_at = cause_at
        self._is_kept_at = is_kept_at
        self.given_up = GivenUp()
        self._named = named
        self.finished: Counter[str] = Counter()
        self.wanting: Counter[str] = Counter()  # of those that are named
        self.changed: list[str] = []
        self.pending_again = 0

    def __repr__(self) -> str:
        return f"<Sorter {self.finished.total()} finished, {len(self.changed)} changed, {self.pending_again} again>"

    def is_pending(self, id: str, request: str) -> bool:
        standing, status = self._index.look_up(id, request)
        if standing is _PENDING or status is None:
            return True
        if self._wishes.retry and self._is_retried(id):
            self.pending_again += 1
            return True
        if standing is _CHANGED:
            if self._wishes.changed is Changed.ASK:
                self.pending_again += 1
                return True
            self.changed.append(id)
        self.finished[status] += 1
        if status is Status.FAILED and (place := self._index.failed_at(id, request)) is not None:
            self.given_up = self.given_up.plus(is_kept=self._is_kept_at(id, place))
        if id in self._named:
            self.wanting[status] += 1
        return False

    def pending_among(self, ids: Sequence[str], requests: Sequence[str]) -> list[int]:
        """The places of those that are pending: the same for many at once, most of them answered."""
        if self._wishes.retry:
            return [place for place, id in enumerate(ids) if self.is_pending(id, requests[place])]
        places = self._index.not_done(ids, requests)
        self.finished[Status.DONE] += len(ids) - len(places)
        return [place for place in places if self.is_pending(ids[place], requests[place])]

    def _is_retried(self, id: str) -> bool:
        retry, entry = self._wishes.retry, self._index.entry(id)
        if entry is None or entry.result[0] >= self._wishes.retry_before:
            return False
        if EVERYTHING in retry or entry.status in retry:
            return True
        if not self._causes or entry.status is not Status.FAILED:
            return False
        # An answer that is kept waits for the sinks, whatever kept it from them.
        is_for_sinks = Cause.SINK in self._causes and self._is_kept_at(id, entry.result)
        return is_for_sinks or self._cause_at(id, entry.result) in self._causes


def stopped_retry(runs: Sequence[Run], retry: frozenset[str]) -> Sequence[Run]:
    """The runs that asked for this again and were all stopped, or limited, before they were through, newest first.
    Empty where the last of them was through: who asks for the same after it asks for all of it."""
    stopped: list[Run] = []
    for run in reversed(runs):
        is_same = bool(retry) and frozenset(run.start.retry) == retry
        # A start that found nothing pending asked nobody: it is the end of its own wish and stands between no others.
        if not is_same and not run.start.pending:
            continue
        if not is_same or _is_over(run):
            break
        stopped.append(run)
    return stopped


def retry_before(runs: Sequence[Run], retry: frozenset[str], size: int) -> int:
    """How far into results.jsonl (bytes, of `size`) a retry reaches: to its end, unless it goes on with one that was
    stopped, whose own answers are not asked again."""
    stopped = stopped_retry(runs, retry)
    return stopped[-1].start.results_size if stopped else size


def _is_over(run: Run) -> bool:
    return run.end is not None and run.end.exit_code in OVER and not run.start.limited
