"""Disks as they are met at night: full, slow, lying, and one that keeps a diary."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from batchrun.journal.disk import Disk


class DiskInMemory(Disk):
    """A disk that calls everything durable at once: for tests that ask what is written, not what survives."""

    def sync(self, fd: int) -> None:
        pass

    def sync_directory(self, path: Path) -> None:
        pass


class DiskThatKnowsNames(Disk):
    """Remembers which file each descriptor is."""

    def __init__(self) -> None:
        self.names: dict[int, str] = {}

    def open_log(self, path: Path) -> int:
        fd = super().open_log(path)
        self.names[fd] = path.name
        return fd

    def open_new(self, path: Path, *, exclusive: bool = False) -> int:
        fd = super().open_new(path, exclusive=exclusive)
        self.names[fd] = path.name
        return fd


class DiskWithDiary(DiskThatKnowsNames):
    """Notes each operation as a verb and the name of the file."""

    def __init__(self) -> None:
        super().__init__()
        self.diary: list[tuple[str, str]] = []

    def make_directory(self, path: Path, mode: int) -> None:
        self.diary.append(("make", path.name))
        super().make_directory(path, mode)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        self._note("write", fd)
        return super().write(fd, data)

    def sync(self, fd: int) -> None:
        super().sync(fd)
        self._note("sync", fd)

    def truncate(self, fd: int, size: int) -> None:
        self._note("truncate", fd)
        super().truncate(fd, size)

    def replace(self, source: Path, target: Path) -> None:
        self.diary.append(("replace", target.name))
        super().replace(source, target)

    def sync_directory(self, path: Path) -> None:
        super().sync_directory(path)
        self.diary.append(("sync", "directory"))

    def _note(self, verb: str, fd: int) -> None:
        self.diary.append((verb, self.names[fd]))


class DiskThatTakesLittle(DiskInMemory):
    """Takes at most `most` bytes at a time."""

    def __init__(self, most: int) -> None:
        self._most = most

    def write(self, fd: int, data: bytes | memoryview) -> int:
        return super().write(fd, data[: self._most])


class DiskThatFillsUp(DiskInMemory):
    """Has room for `room` bytes; the write that meets the end is short, the next one is refused."""

    def __init__(self, room: int) -> None:
        self.room = room

    def write(self, fd: int, data: bytes | memoryview) -> int:
        if self.room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = super().write(fd, data[: self.room])
        self.room -= taken
        return taken


class DiskThatTakesNothing(Disk):
    """Neither writes nor complains."""

    def write(self, fd: int, data: bytes | memoryview) -> int:
        return 0


class DiskThatCannotSync(DiskThatKnowsNames):
    """Refuses to make the file with this name durable, once `is_broken` is set."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.is_broken = False
        self._name = name

    def sync(self, fd: int) -> None:
        if self.is_broken and self.names[fd] == self._name:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().sync(fd)


class PowerCut(BaseException):
    """The machine is gone; nothing of ours may catch this."""


class DiskUntilThePowerCut(DiskInMemory):
    """The power goes at operation number `last`, counted from 0: before it, or in the middle of a write."""

    def __init__(self, last: int, *, tears_writes: bool = False) -> None:
        self._left = last
        self._tears_writes = tears_writes
        self.is_gone = False

    def make_directory(self, path: Path, mode: int) -> None:
        self._step()
        super().make_directory(path, mode)

    def open_log(self, path: Path) -> int:
        self._step()
        return super().open_log(path)

    def open_new(self, path: Path, *, exclusive: bool = False) -> int:
        self._step()
        return super().open_new(path, exclusive=exclusive)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        try:
            self._step()
        except PowerCut:
            if self._tears_writes:
                super().write(fd, data[: len(data) // 2])
            raise
        return super().write(fd, data)

    def sync(self, fd: int) -> None:
        self._step()

    def truncate(self, fd: int, size: int) -> None:
        self._step()
        super().truncate(fd, size)

    def replace(self, source: Path, target: Path) -> None:
        self._step()
        super().replace(source, target)

    def remove(self, path: Path) -> None:
        self._step()
        super().remove(path)

    def sync_directory(self, path: Path) -> None:
        self._step()

    def _step(self) -> None:
        if self._left == 0:
            self.is_gone = True
        if self.is_gone:
            raise PowerCut
        self._left -= 1
