"""The job file on disk: one pass that checks every line and notes where the pending ones begin, then reads on demand.

Streamed: memory grows with the number of ids (to find duplicates) and by 16 bytes a pending item, never with the text.
The file is read again while the run goes on; a line that is no longer the one that was checked ends the run.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from batchrun import __version__
from batchrun.errors import Fault, JobFileError, JobFileUnreadable, UsageError
from batchrun.jobs.job import Job, RequestFlags
from batchrun.jobs.line import Backends, BadJobLine, StopCheck, is_blank, job_of, parse_line, read_line
from batchrun.jobs.notes import WORTH_NOTING, Foot, Notes, NoteTaker, recalled
from batchrun.jobs.opening import BOM, open_jobs
from batchrun.jobs.prefill import Prefills
from batchrun.jobs.volume import Volume

SHOWN_FAULTS = 100  # all of them are counted; a screen of a hundred is as many as anybody mends in one go


@dataclass(frozen=True, slots=True)
class Selection:
    """Which of the pending items are wanted. `limit` None: all; `only` empty: all ids."""

    limit: int | None = None
    only: frozenset[str] = frozenset()


class KnownIds(Protocol):
    """Ids that somebody keeps already, each with a number of its own below `places`: a million of them need not be kept
    twice."""

    @property
    def places(self) -> int: ...

    def place(self, id: str) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Reading:
    """How a job file is read. `shown` is what it is called in messages, its path where None; without `check_stop_when`
    stop rules are not looked at. `pending_among` gives the places of the pending in lists of ids and requests, and is
    asked where many are known at once; `known` may hold some of the ids; `notes` is where the check notes what it found
    in a file of `worth_noting` bytes and more, None for nowhere. `is_kept` tells of a pending one whether its answer is
    there and has only to be delivered."""

    shown: str | None = None
    check_stop_when: StopCheck | None = None
    pending_among: Callable[[Sequence[str], Sequence[str]], Sequence[int]] | None = None
    known: KnownIds | None = None
    is_kept: Callable[[str, str], bool] | None = None
    notes: Path | None = None
    worth_noting: int = WORTH_NOTING


@dataclass(slots=True)
class PendingLines:
    """Where the pending lines of one backend begin, their line numbers and checksums, in the order of the file."""

    offsets: array[int] = field(default_factory=lambda: array("Q"))
    numbers: array[int] = field(default_factory=lambda: array("I"))
    checksums: array[int] = field(default_factory=lambda: array("I"))

    def __len__(self) -> int:
        return len(self.offsets)


@dataclass(frozen=True, slots=True)
class JobFile:
    """A job file that was read through and found good.

    `total` counts its jobs, `pending` what is to be asked now, per backend, and `kept` what has only to be delivered;
    `models` both of them by model. `volumes` says how much is asked, by backend and model; `prefills` are those of the
    asked that begin their own answer.
    """

    path: Path
    sha256: str
    total: int
    flags: RequestFlags
    backends: Backends
    pending: dict[str, PendingLines]
    models: dict[str, int]
    volumes: dict[tuple[str, str], Volume] = field(default_factory=dict)
    prefills: Prefills = field(default_factory=Prefills)
    kept: PendingLines = field(default_factory=PendingLines)
    reading: Reading = Reading()

    @property
    def pending_count(self) -> int:
        return sum(len(lines) for lines in self.pending.values()) + len(self.kept)

    def jobs(self, backend: str) -> Iterator[Job]:
        """The pending jobs of one backend, read as they are asked for.

        Raises:
            JobFileError: a line changed since it was checked.
            JobFileUnreadable: the file is gone, or its disk fails.
        """
        return self._read(self.pending[backend])

    def kept_jobs(self) -> Iterator[Job]:
        """The same of those whose answer has only to be delivered, whatever their backend."""
        return self._read(self.kept)

    def _read(self, lines: PendingLines) -> Iterator[Job]:
        with open_jobs(self.path) as file:
            for offset, number, checksum in zip(lines.offsets, lines.numbers, lines.checksums, strict=True):
                line = _line_at(file, offset, self.path, number)
                if zlib.crc32(line) != checksum:
                    raise _changed_meanwhile(self.path, self.reading, number)
                yield parse_line(line, number, self.flags, self.backends, self.reading.check_stop_when)


def check_jobs(
    path: Path,
    flags: RequestFlags,
    backends: Backends,
    is_pending: Callable[[str, str], bool],
    selection: Selection = Selection(),
    reading: Reading = Reading(),
) -> JobFile:
    """Read the whole file once, check every line, and note the lines for which `is_pending(id, request)` holds.

    Raises:
        JobFileUnreadable: the file cannot be opened.
        JobFileError: some lines are at fault; all faults are counted and the first hundred told.
        UsageError: `selection.only` names an id that is not in the file.
    """
    checker = _Checker(path, flags, backends, is_pending, selection, reading)
    settings = _settings_of(flags, backends, reading)
    with open_jobs(path) as file, recalled(reading.notes, file, settings) as notes:
        return checker.check(file, settings) if notes is None else checker.recall(file, notes)


class _Checker:
    """What one pass over the file has found so far, or over what an earlier pass has noted."""

    def __init__(
        self,
        path: Path,
        flags: RequestFlags,
        backends: Backends,
        is_pending: Callable[[str, str], bool],
        selection: Selection,
        reading: Reading,
    ) -> None:
        self._path = path
        self._flags = flags
        self._backends = backends
        self._is_pending = is_pending
        self._selection = selection
        self._reading = reading
        self._first_line: dict[str, int] = {}
        self._known = reading.known
        self._first_line_of_known = array("I", bytes(4 * (reading.known.places if reading.known else 0)))
        self._named: set[str] = set()  # those of `selection.only` that are there
        self._total = 0
        self._faults: list[Fault] = []
        self._fault_count = 0
        self._pending: dict[str, PendingLines] = {}
        self._kept = PendingLines()
        self._models: dict[str, int] = {}
        self._volumes: dict[tuple[str, str], Volume] = {}
        self._prefills = Prefills()

    def check(self, file: BinaryIO, settings: str) -> JobFile:
        """Read every line, and take notes where that is worth it."""
        place = self._reading.notes
        is_large = os.fstat(file.fileno()).st_size >= self._reading.worth_noting
        taker = NoteTaker(place) if place is not None and is_large else None
        try:
            offset, digest = 0, hashlib.sha256()
            file.seek(0)
            try:
                for number, line in enumerate(file, start=1):
                    digest.update(line)
                    self._take(line, number, offset, taker)
                    offset += len(line)
            except OSError as exc:
                what = f"{self._path}: cannot be read at byte {offset} ({exc.strerror}); check the disk"
                raise JobFileUnreadable(what) from exc
            found = self._result(digest.hexdigest())
        except BaseException:
            if taker is not None:
                taker.drop()
            raise
        if taker is not None:
            taker.settle(Foot(offset, found.sha256, settings))
        return found

    def recall(self, file: BinaryIO, notes: Notes) -> JobFile:
        """Go by the notes of an earlier check of this very file; only what is pending is read again."""
        for offsets, numbers, ids, requests in notes:
            self._total += len(ids)
            self._named |= self._selection.only.intersection(ids)
            for place in self._pending_among(ids, requests):
                if self._is_selected(ids[place]):
                    self._note_again(file, offsets[place], numbers[place], requests[place])
        return self._result(notes.foot.jobs_sha256)

    def _take(self, line: bytes, number: int, offset: int, taker: NoteTaker | None) -> None:
        bare = _without_bom(line, number)
        if is_blank(bare):
            return
        try:
            checked = read_line(bare, self._flags, self._backends, self._reading.check_stop_when)
        except BadJobLine as bad:
            for what, remedy in bad.complaints:
                self._fault(number, what, remedy)
            if bad.id is not None:
                self._is_new(bad.id, number)
            return
        if not self._is_new(checked.id, number):
            return
        offset += len(line) - len(bare)
        if taker is not None:
            taker.note(offset, number, checked.id, checked.request)
        if checked.id in self._selection.only:
            self._named.add(checked.id)
        # First, and for every job: whoever answers also counts what is finished, selected or not.
        if self._is_pending(checked.id, checked.request) and self._is_selected(checked.id):
            self._note(job_of(checked, number), bare, offset)

    def _note_again(self, file: BinaryIO, offset: int, number: int, request: str) -> None:
        line = _line_at(file, offset, self._path, number)
        try:
            job = parse_line(line, number, self._flags, self._backends, self._reading.check_stop_when)
        except BadJobLine:
            job = None
        if job is None or job.request != request:
            raise _changed_meanwhile(self._path, self._reading, number)
        self._note(job, line, offset)

    def _result(self, sha256: str) -> JobFile:
        if self._fault_count:
            raise JobFileError(self._faults, self._fault_count)
        if not self._total:
            # A generator that failed leaves just this, and a night that asked nothing would look like a success.
            remedy = 'write a line such as {"id": "a", "prompt": "..."}'
            raise JobFileError([Fault(str(self._path), 1, "no job in the whole file", remedy)], 1)
        unknown = sorted(self._selection.only - self._named)
        if unknown:
            shown = _shown(self._path, self._reading)
            raise UsageError(f"--only {', '.join(unknown)}: {shown} has no such item; check the spelling")
        return JobFile(
            path=self._path,
            sha256=sha256,
            total=self._total,
            flags=self._flags,
            backends=self._backends,
            pending=self._pending,
            models=self._models,
            volumes=self._volumes,
            prefills=self._prefills,
            kept=self._kept,
            reading=self._reading,
        )

    def _fault(self, number: int, what: str, remedy: str) -> None:
        self._fault_count += 1
        if len(self._faults) < SHOWN_FAULTS:
            self._faults.append(Fault(_shown(self._path, self._reading), number, what, remedy))

    def _is_new(self, id: str, number: int) -> bool:
        """Whether no line before this one has the id; else that is a fault."""
        place = None if self._known is None else self._known.place(id)
        if place is None:
            first = self._first_line.setdefault(id, number)
        else:
            first = self._first_line_of_known[place] = self._first_line_of_known[place] or number
        if first != number:
            self._fault(number, f"duplicate id {id!r}, first used on line {first}", "make each id unique")
            return False
        self._total += 1
        return True

    def _pending_among(self, ids: Sequence[str], requests: Sequence[str]) -> Sequence[int]:
        if self._reading.pending_among is not None:
            return self._reading.pending_among(ids, requests)
        pairs = enumerate(zip(ids, requests, strict=True))
        return [place for place, (id, request) in pairs if self._is_pending(id, request)]

    def _is_selected(self, id: str) -> bool:
        only, limit = self._selection.only, self._selection.limit
        return (not only or id in only) and (limit is None or sum(self._models.values()) < limit)

    def _note(self, job: Job, line: bytes, offset: int) -> None:
        is_kept = self._reading.is_kept is not None and self._reading.is_kept(job.id, job.request)
        lines = self._kept if is_kept else self._pending.setdefault(job.backend, PendingLines())
        lines.offsets.append(offset)
        lines.numbers.append(job.line)
        lines.checksums.append(zlib.crc32(line))
        self._models[job.model] = self._models.get(job.model, 0) + 1
        if not is_kept:
            self._volumes.setdefault((job.backend, job.model), Volume()).add(job)
            self._prefills.add(job)


def _line_at(file: BinaryIO, offset: int, path: Path, number: int) -> bytes:
    try:
        file.seek(offset)
        return file.readline()
    except OSError as exc:
        raise JobFileUnreadable(f"{path}: cannot be read at line {number} ({exc.strerror}); check the disk") from exc


def _changed_meanwhile(path: Path, reading: Reading, number: int) -> JobFileError:
    what, remedy = (
        "the file was changed while the run was reading it",
        "run it again: nothing that is finished is asked",
    )
    return JobFileError([Fault(_shown(path, reading), number, what, f"{remedy} again")], 1)


def _settings_of(flags: RequestFlags, backends: Backends, reading: Reading) -> str:
    """A hash of all that the outcome of a check depends on, besides the file."""
    settings = (__version__, flags, sorted(backends.items()), reading.check_stop_when is not None)
    return hashlib.sha256(repr(settings).encode()).hexdigest()[:16]


def _shown(path: Path, reading: Reading) -> str:
    return str(path) if reading.shown is None else reading.shown


def _without_bom(line: bytes, number: int) -> bytes:
    """Editors on Windows put a byte order mark before the first line."""
    return line.removeprefix(BOM) if number == 1 else line
