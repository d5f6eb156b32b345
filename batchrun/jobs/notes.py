"""What the check of a large job file found, noted for the next start: a file that is still the same is not checked
again, which takes a tenth of the time.

Derived, and never believed against the job file: the file's sha256, the settings of the check and the sha256 of the
notes themselves must fit, else the notes are passed over. They may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

import orjson

from batchrun.errors import JobFileUnreadable

WORTH_NOTING = 8 << 20  # bytes of a job file: a smaller one is checked in half a second
_LINES_AT_ONCE = 4096  # some 200 KB: quick to read, and little to hold
_LONGEST_FOOT = 4096  # bytes
_BLOCK = 1 << 20


class Stretch(NamedTuple):
    """So many lines in the order of the file: where each begins, its number, its id and its fingerprint."""

    offsets: list[int]
    numbers: list[int]
    ids: list[str]
    requests: list[str]


class Foot(NamedTuple):
    """The last line: of which job file the notes are, how it was checked, and what the notes before it add up to."""

    jobs_bytes: int
    jobs_sha256: str
    settings: str
    notes_sha256: str = ""


class Notes:
    """Notes that were found to fit. Read in order, a stretch at a time."""

    def __init__(self, path: Path, file: BinaryIO, end: int, foot: Foot) -> None:
        self.foot = foot
        self._path = path
        self._file = file
        self._end = end

    def __repr__(self) -> str:
        return f"<Notes, {self._end} bytes>"

    def __iter__(self) -> Iterator[Stretch]:
        """Raises JobFileUnreadable where they have been harmed since they were found to fit."""
        self._file.seek(0)
        read = 0
        while read < self._end:
            try:
                line = self._file.readline()
                stretch = Stretch(**orjson.loads(line))
            except (OSError, TypeError, ValueError) as exc:
                raise JobFileUnreadable(f"{self._path}: cannot be read ({exc}); remove it and run again") from exc
            read += len(line)
            yield stretch


@contextmanager
def recalled(path: Path | None, jobs: BinaryIO, settings: str) -> Iterator[Notes | None]:
    """The notes at `path`, as long as the block lasts, if they are on these very jobs and were taken with these
    settings; None else, and where there are none."""
    if path is None:
        yield None
        return
    try:
        file = path.open("rb", buffering=_BLOCK)
    except OSError:
        yield None
        return
    with file:
        yield _fitting(path, file, jobs, settings)


def _fitting(path: Path, file: BinaryIO, jobs: BinaryIO, settings: str) -> Notes | None:
    try:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _LONGEST_FOOT))
        last = file.read().splitlines(keepends=True)[-1]
        foot = Foot(**orjson.loads(last))
        if foot.settings != settings or foot.jobs_bytes != os.fstat(jobs.fileno()).st_size:
            return None
        end = size - len(last)
        if foot.notes_sha256 != _sha256(file, end):
            return None
        is_same = foot.jobs_sha256 == _sha256(jobs, foot.jobs_bytes)
        return Notes(path, file, end, foot) if is_same else None
    except (OSError, IndexError, TypeError, ValueError):
        return None


def _sha256(file: BinaryIO, end: int) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while end > 0 and (block := file.read(min(end, _BLOCK))):
        digest.update(block)
        end -= len(block)
    return digest.hexdigest()


class NoteTaker:
    """Writes the notes beside their place and moves them there when they are whole. A disk that refuses costs the notes
    and nothing else: who needs the disk will hear of it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._draft = path.with_name(path.name + ".new")
        self._lines: list[tuple[int, int, str, str]] = []
        self._digest = hashlib.sha256()
        self._has_made_directory = False
        self._file: BinaryIO | None = None
        with suppress(OSError):
            self._file = self._open()

    def __repr__(self) -> str:
        return f"<NoteTaker {self._path} {'closed' if self._file is None else 'open'}>"

    def note(self, offset: int, number: int, id: str, request: str) -> None:
        self._lines.append((offset, number, id, request))
        if len(self._lines) == _LINES_AT_ONCE:
            self._write_stretch()

    def settle(self, foot: Foot) -> None:
        """All is noted, and the job file was good."""
        self._write_stretch()
        self._append(orjson.dumps(foot._replace(notes_sha256=self._digest.hexdigest())._asdict()) + b"\n")
        if self._file is not None:
            try:
                self._file.close()
                self._draft.replace(self._path)
            except OSError:
                self.drop()

    def drop(self) -> None:
        """Leave nothing behind, and the notes that were there as they are."""
        if self._file is None:
            return
        with suppress(OSError):
            self._file.close()
        self._file = None
        with suppress(OSError):
            self._draft.unlink(missing_ok=True)
            if self._has_made_directory:
                self._path.parent.rmdir()

    def _open(self) -> BinaryIO:
        # The state of a job file that has never run is made by who runs it; here only to have a place.
        with suppress(FileExistsError):
            self._path.parent.mkdir(mode=0o700)
            self._has_made_directory = True
        fd = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        return os.fdopen(fd, "wb")

    def _write_stretch(self) -> None:
        if self._lines:
            stretch = Stretch(*map(list, zip(*self._lines, strict=True)))
            self._lines.clear()
            self._append(orjson.dumps(stretch._asdict()) + b"\n")

    def _append(self, line: bytes) -> None:
        if self._file is None:
            return
        try:
            self._file.write(line)
            self._digest.update(line)
        except OSError:
            self.drop()
