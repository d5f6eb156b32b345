"""Every call of this room that changes something on a disk, and nothing else.

They stand in one class so that a test can be the disk: one that is full, that writes less than it was asked, that fails
an fsync, or that records what a crash may leave. Reading needs no such seam and happens where it is needed.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

if sys.platform == "darwin":
    import fcntl

    def durable(fd: int) -> None:
        """Return when the file's bytes are on the medium; OSError where they are not."""
        try:
            # There fsync hands the bytes to the drive, which keeps them in its own memory; only this flushes it.
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
        except OSError as exc:
            if exc.errno not in _NOT_OFFERED:
                raise
            os.fsync(fd)

else:

    def durable(fd: int) -> None:
        """Return when the file's bytes and its length are on the medium; OSError where they are not."""
        os.fdatasync(fd)


# What network and user-space file systems answer to an fsync that they do not know.
_NOT_OFFERED = (errno.EINVAL, errno.ENOTSUP, errno.ENOTTY)

_MODE = 0o600  # answers and prompts are the owner's alone
_BLOCK = 1 << 20


class Disk:
    """The real disk. Each method raises OSError and nothing else."""

    def open_log(self, path: Path) -> int:
        """A descriptor that can only append; the file is made where there is none."""
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)

    def open_new(self, path: Path, *, exclusive: bool = False) -> int:
        """A descriptor of an empty file; `exclusive` refuses (FileExistsError) a name that is taken."""
        once = os.O_EXCL if exclusive else os.O_TRUNC
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | once, _MODE)

    def make_directory(self, path: Path, mode: int) -> None:
        """A directory, unless there is one already; FileExistsError where a file has the name."""
        path.mkdir(mode, exist_ok=True)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """How many bytes were taken; may be fewer than given."""
        return os.write(fd, data)

    def sync(self, fd: int) -> None:
        durable(fd)

    def truncate(self, fd: int, size: int) -> None:
        os.ftruncate(fd, size)

    def close(self, fd: int) -> None:
        os.close(fd)

    def replace(self, source: Path, target: Path) -> None:
        source.replace(target)

    def remove(self, path: Path) -> None:
        path.unlink()

    def sync_directory(self, path: Path) -> None:
        """Make what was created, renamed or removed in `path` outlive a power cut (C11)."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        except OSError as exc:
            # Such a file system orders its directory by itself; refusing to run on it would help nobody.
            if exc.errno not in _NOT_OFFERED:
                raise
        finally:
            os.close(fd)


DISK = Disk()


def write_all(disk: Disk, fd: int, data: bytes) -> tuple[int, OSError | None]:
    """Write until everything is taken or the disk refuses: how many bytes went in, and the refusal if there was one."""
    rest = memoryview(data)
    try:
        while rest:
            taken = disk.write(fd, rest)
            if taken <= 0:  # taking nothing without an error would keep us here for ever
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            rest = rest[taken:]
    except OSError as exc:
        return len(data) - len(rest), exc
    return len(data), None


def replace_whole(disk: Disk, draft: Path, target: Path, data: bytes) -> None:
    """Put a file in the place of another that somebody may be reading: whole or not at all, though not durably.

    Raises OSError; the draft is gone then, as far as the disk allows.
    """
    try:
        fd = disk.open_new(draft)
        try:
            _, refusal = write_all(disk, fd, data)
        finally:
            disk.close(fd)
        if refusal is not None:
            raise refusal
        disk.replace(draft, target)
    except OSError:
        with suppress(OSError):
            disk.remove(draft)
        raise


def in_blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces in blocks of about a megabyte, for a write of each would cost more than making it."""
    gathered: list[bytes] = []
    size = 0
    for piece in pieces:
        gathered.append(piece)
        size += len(piece)
        if size >= _BLOCK:
            yield b"".join(gathered)
            gathered.clear()
            size = 0
    yield b"".join(gathered)
