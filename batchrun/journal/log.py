"""One file that only grows, with one writer. What its lines mean is not known here; that each ends in a newline is."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from batchrun.errors import JournalError
from batchrun.journal.disk import DISK, Disk, write_all


def distrust_mark(path: Path) -> Path:
    """The empty file whose presence says that an fsync of `path` has failed and nobody has rebuilt it since (C9)."""
    return path.with_name(path.name + ".distrust")


_REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some of your quota",
    errno.EFBIG: "raise the limit on file size (ulimit -f)",
    errno.EROFS: "mount the file system writable",
    errno.EACCES: "make it yours to write",
    errno.EPERM: "make it yours to write",
    errno.ENOENT: "bring the state directory back",
    errno.ESTALE: "bring the state directory back",
    errno.EMFILE: "allow more open files (ulimit -n)",
    errno.ENOLCK: "keep the state on a local disk",
    errno.ENOTSUP: "keep the state on a local disk",
}


def remedy_for(exc: OSError) -> str:
    """What the user can do about it, to stand behind "cannot ...: strerror; "."""
    return _REMEDIES.get(exc.errno or 0, "look at the disk (dmesg)")


def trouble(path: Path, doing: str, exc: OSError) -> JournalError:
    """What the user is told when the disk refused; `doing` fits after "cannot"."""
    return JournalError(
        f"{path}: cannot {doing}: {exc.strerror or exc}; "
        f"{remedy_for(exc)}, then run the same command again: what was finished is kept"
    )


class Log:
    """An append-only file. After a JournalError it takes nothing more."""

    def __init__(self, path: Path, fd: int, size: int, disk: Disk, *, is_draft: bool = False) -> None:
        self.path = path
        self.size = size  # the last good offset: where the next line will begin
        self._fd = fd
        self._disk = disk
        self._is_draft = is_draft  # nobody relies on it yet: after a failure it is simply written again
        self._is_open = True

    def __repr__(self) -> str:
        return f"<Log {self.path.name} {self.size} bytes{'' if self._is_open else ', closed'}>"

    @classmethod
    def open(cls, path: Path, disk: Disk = DISK) -> Log:
        """The log at `path`, made where there is none. Its tail must be whole: see `recovery`."""
        try:
            fd = disk.open_log(path)
            # Whether it is new or not: the run that made it may have been killed before its name was durable (C11).
            disk.sync_directory(path.parent)
            return cls(path, fd, os.fstat(fd).st_size, disk)
        except OSError as exc:
            raise trouble(path, "open it", exc) from exc

    def append(self, data: bytes) -> int:
        """Write whole lines and return the offset at which they begin. Not durable before `sync`.

        After a failure in the middle the lines that went in whole are kept, for they may be answers that were paid;
        the partial one is cut (C1, C10).
        """
        start = self.size
        written, refusal = write_all(self._disk, self._fd, data)
        if refusal is not None:
            self._cut(start + data.rfind(b"\n", 0, written) + 1)
            raise trouble(self.path, "write to it", refusal) from refusal
        self.size = start + len(data)
        return start

    def sync(self) -> None:
        """Return when everything appended is durable.

        After a failure the kernel may have dropped the pages and a second fsync would say that all is well: the file
        is marked, and the next start rebuilds it from what can be read (C9).
        """
        try:
            self._disk.sync(self._fd)
        except OSError as exc:
            if not self._is_draft:
                self._leave_mark()
            raise trouble(self.path, "make it durable", exc) from exc
        self._require_to_be_ours()

    def cut(self, size: int) -> None:
        """Drop what stands after `size`, durably."""
        try:
            self._disk.truncate(self._fd, size)
        except OSError as exc:
            raise trouble(self.path, "cut its damaged end", exc) from exc
        self.size = size
        self.sync()

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            # Everything acknowledged was synced; what close could still complain of belongs to nobody.
            with suppress(OSError):
                self._disk.close(self._fd)

    def _require_to_be_ours(self) -> None:
        """The kernel goes on taking bytes for a file that nobody will find under its name, and takes those of another
        writer too (C1): then offsets are wrong, and the next start has to sort it out before a checkpoint is written.
        """
        try:
            mine, there = os.fstat(self._fd), self.path.stat()
        except OSError as exc:
            raise trouble(self.path, "go on with it", exc) from exc
        # Some network file systems give one file two inode numbers, but not two lengths and times of the last write.
        is_same = (mine.st_size, mine.st_mtime_ns) == (there.st_size, there.st_mtime_ns)
        if not is_same and not os.path.samestat(mine, there):
            gone = FileNotFoundError(errno.ENOENT, "another file has taken its place")
            raise trouble(self.path, "go on with it", gone)
        if mine.st_size != self.size:
            raise JournalError(
                f"{self.path}: cannot go on with it: another program has written to it or cut it; "
                "see to it that none does, then run the same command again: what was finished is kept"
            )

    def _cut(self, size: int) -> None:
        # Where even this fails the partial line stays, and the next start cuts it (C7).
        with suppress(OSError):
            self._disk.truncate(self._fd, size)
        self.size = size

    def _leave_mark(self) -> None:
        # On a disk that refuses this too, nothing more can be done.
        with suppress(OSError):
            self._disk.close(self._disk.open_new(distrust_mark(self.path)))
            self._disk.sync_directory(self.path.parent)
