"""The items of a run one by one, each with the result that counts for it, as the job file has them or as they ended.

Memory grows with ids and never with text: results are looked up by their offset as they are asked for.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from batchrun.errors import JobFileUnreadable, NoRunError
from batchrun.export.choices import Order
from batchrun.jobs.dialect import id_of
from batchrun.jobs.opening import BOM, open_jobs
from batchrun.jobs.spool import spooled
from batchrun.journal.finished import FinishedIndex
from batchrun.journal.reader import result_at
from batchrun.journal.record import BadLine, parse
from batchrun.journal.scan import scan
from batchrun.journal.state import StateDir
from batchrun.outcome import Status

PENDING = "pending"
KINDS = (*(str(status) for status in Status), PENDING)


class Item(NamedTuple):
    """`result` is its line in results.jsonl without the checksum, None while it is pending."""

    id: str
    result: dict[str, Any] | None


class Items:
    """The items of a state whose kind is wanted; to be gone through once.

    Afterwards `counts` tells how many of each kind there were, wanted or not. `left_out` counts results whose ids the
    job file does not have (any more), `damaged` those that cannot be read, which count as pending; the next run asks
    them again. `jobs_trouble` is why the job file could not be read, where its order was not needed.

    Raises NoRunError where the state cannot be read, JobFileUnreadable where the order is that of a file that cannot.
    """

    def __init__(self, state: StateDir, jobs: Path, order: Order, kinds: frozenset[str] = frozenset(KINDS)) -> None:
        self.counts: Counter[str] = Counter()
        self.left_out = 0
        self.damaged = 0
        self.jobs_trouble: str | None = None
        self._state = state
        self._jobs = jobs
        self._order = order
        self._kinds = kinds
        self._index = FinishedIndex()

    def __repr__(self) -> str:
        return f"<Items of {self._state.path}, {self._order}>"

    def __iter__(self) -> Iterator[Item]:
        for id, request, status, final, (offset, length) in self._records():
            self._index.add(id, request, status, final, offset, length)
        with _opened(self._state.results) as results:
            for id in self._as_in_the_file() if self._order is Order.INPUT else self._as_finished():
                entry = self._index.entry(id)
                kind = PENDING if entry is None else str(entry.status)
                result = None
                if entry is not None and kind in self._kinds:
                    result = _result(results, id, *entry.result)
                    if result is None:
                        self.damaged += 1
                        kind = PENDING
                self.counts[kind] += 1
                if kind in self._kinds:
                    yield Item(id, result)

    def _as_in_the_file(self) -> Iterator[str]:
        known = 0
        for id in self._ids():
            known += id in self._index
            yield id
        self.left_out = len(self._index) - known

    def _as_finished(self) -> Iterator[str]:
        told: set[str] = set()  # a result may have two records
        for id, _, _, _, (offset, _) in self._records():
            entry = self._index.entry(id)
            if entry is not None and entry.result[0] == offset and id not in told:
                told.add(id)
                yield id
        try:
            yield from (id for id in self._ids() if id not in self._index)
        except JobFileUnreadable as exc:
            self.jobs_trouble = str(exc)

    def _ids(self) -> Iterator[str]:
        """The ids of the job file; what stands in its lines else was checked by the run."""
        with open_jobs(spooled(self._jobs, self._state.path)) as file:
            for number, line in enumerate(file, start=1):
                try:
                    fields = orjson.loads(line.removeprefix(BOM) if number == 1 else line)
                except ValueError:
                    continue
                id = id_of(fields) if isinstance(fields, dict) else None
                if isinstance(id, str):
                    yield id

    def _records(self) -> Iterator[tuple[str, str, str, bool, tuple[int, int]]]:
        """What the index must know of each checkpoint; full records would take five times as long."""
        try:
            for _, line, is_sound in scan(self._state.checkpoint):
                try:
                    fields = parse(line) if is_sound else {}
                    offset, length = fields["result"]
                    record = (
                        fields["id"],
                        fields["request"],
                        Status(fields["status"]),
                        fields["final"],
                        (offset, length),
                    )
                except (BadLine, KeyError, TypeError, ValueError):
                    continue  # the header, or damage that the next run mends
                yield record
        except OSError as exc:
            path = self._state.checkpoint
            raise NoRunError(f"{path}: cannot read it: {exc.strerror}; read it as the user who ran it") from exc


def _result(results: int, id: str, offset: int, length: int) -> dict[str, Any] | None:
    try:
        return result_at(results, id, offset, length)
    except (BadLine, OSError):
        return None


@contextmanager
def _opened(results: Path) -> Iterator[int]:
    try:
        fd = os.open(results, os.O_RDONLY | os.O_CLOEXEC) if results.exists() else -1
    except OSError as exc:
        raise NoRunError(f"{results}: cannot read it: {exc.strerror}; read it as the user who ran it") from exc
    try:
        yield fd
    finally:
        if fd >= 0:
            os.close(fd)
