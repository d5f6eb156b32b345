"""A disk that does what it is asked and writes down what was asked, as the events of `medium`.

It can be told to end the process at an operation, to refuse a sync, or to be full. It outlives the process that used
it, as the page cache does: the next one may go on with the same disk.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from batchrun.journal.disk import Disk
from tests.journal.crash.medium import (
    FOLDER,
    Cut,
    Event,
    Named,
    NamesSynced,
    Removed,
    Renamed,
    Synced,
    SyncFailed,
    Told,
    Wrote,
)


class Killed(BaseException):
    """The process is gone; nothing of ours may catch this."""


class Recorder(Disk):
    """Notes what is done to the files below `place`; those that stand there now are taken for safe."""

    def __init__(self, place: Path) -> None:
        self.found = {str(path.relative_to(place)): path.read_bytes() for path in _files(place)}
        self.folders = [str(path.relative_to(place)) for path in place.rglob("*") if path.is_dir()]
        self.trace: list[Event] = []
        self.operations = 0
        self.last: int | None = None  # the number of the operation at which the process is killed
        self.is_gone = False
        self.refused: tuple[str, int] | None = None  # one fsync: of which file, and after how many that went well
        self.room: int | None = None  # bytes until the disk is full
        self._place = place
        self._numbers = {name: number for number, name in enumerate(self.found)}
        self._next = len(self._numbers)
        self._open: dict[int, tuple[int, str]] = {}  # descriptor -> number and name of its file

    def tell(self, lines: frozenset[bytes]) -> None:
        self.trace.append(Told(lines))

    def name_of(self, fd: int) -> str:
        return Path(self._open[fd][1]).name

    def make_directory(self, path: Path, mode: int) -> None:
        self._step()
        super().make_directory(path, mode)
        self.trace.append(Named(self._name(path), FOLDER))

    def open_log(self, path: Path) -> int:
        self._step()
        return self._opened(path, super().open_log(path))

    def open_new(self, path: Path, *, exclusive: bool = False) -> int:
        self._step()
        fd = super().open_new(path, exclusive=exclusive)
        if (number := self._numbers.get(self._name(path))) is not None:
            self.trace.append(Cut(number, 0))
        return self._opened(path, fd)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        if self.operations == self.last and not self.is_gone:
            self._write(fd, data[: len(data) // 2])
        self._step()
        if self.room is not None:
            if self.room <= 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            data = data[: self.room]
            self.room -= len(data)
        return self._write(fd, data)

    def sync(self, fd: int) -> None:
        self._step()
        number, name = self._open[fd]
        if self.refused is not None and Path(name).name == self.refused[0]:
            self.refused = (self.refused[0], self.refused[1] - 1) if self.refused[1] else None
            if self.refused is None:
                self.trace.append(SyncFailed(number))
                raise OSError(errno.EIO, os.strerror(errno.EIO))
        self.trace.append(Synced(number))

    def truncate(self, fd: int, size: int) -> None:
        self._step()
        super().truncate(fd, size)
        self.trace.append(Cut(self._open[fd][0], size))

    def close(self, fd: int) -> None:
        self._open.pop(fd, None)
        super().close(fd)

    def replace(self, source: Path, target: Path) -> None:
        self._step()
        super().replace(source, target)
        number = self._numbers.pop(self._name(source))
        self._numbers[self._name(target)] = number
        self.trace.append(Renamed(self._name(source), self._name(target), number))

    def remove(self, path: Path) -> None:
        self._step()
        super().remove(path)
        del self._numbers[self._name(path)]
        self.trace.append(Removed(self._name(path)))

    def sync_directory(self, path: Path) -> None:
        self._step()
        self.trace.append(NamesSynced(self._name(path)))

    def _write(self, fd: int, data: bytes | memoryview) -> int:
        offset = os.fstat(fd).st_size
        taken = super().write(fd, data)
        if taken:
            self.trace.append(Wrote(self._open[fd][0], offset, bytes(data[:taken])))
        return taken

    def _opened(self, path: Path, fd: int) -> int:
        name = self._name(path)
        if name not in self._numbers:
            self._numbers[name] = self._next
            self._next += 1
            self.trace.append(Named(name, self._numbers[name]))
        self._open[fd] = (self._numbers[name], name)
        return fd

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self._place))

    def _step(self) -> None:
        if self.operations == self.last:
            self.is_gone = True
        if self.is_gone:
            raise Killed
        self.operations += 1


def _files(place: Path) -> list[Path]:
    return sorted(path for path in place.rglob("*") if path.is_file())
