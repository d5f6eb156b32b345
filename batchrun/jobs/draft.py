"""A plain copy of jobs while it is being written: under its own name it is whole and durable, or it is not there.

Named by a checksum, and the newest copy of a directory is the one that counts. Where the bytes come from is not known
here.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from batchrun.errors import JournalError

_COPIES = "jobs-*.jsonl"
_DRAFTS = "jobs.*.new"


class Place(Protocol):
    """The state directory, as far as it is needed here."""

    @property
    def path(self) -> Path: ...

    def create(self) -> None: ...


class Draft:
    """`sync` is to return when a file's bytes are on the medium. `made` is what is there now and was not before, the
    directory too where it is new; `lines` counts the newlines so far, `sha256` is that of all bytes."""

    def __init__(self, place: Place, sync: Callable[[int], None]) -> None:
        is_new = not place.path.exists()
        place.create()
        _remove_stale(place.path)
        self.made: tuple[Path, ...] = (place.path,) if is_new else ()
        self.lines = 0
        self._directory = place.path
        self._path = place.path / f"jobs.{os.getpid()}.new"
        self._sync = sync
        self._digest = hashlib.sha256()

    def __repr__(self) -> str:
        return f"<Draft {self._path} {self.lines} lines>"

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, blocks: Iterator[bytes]) -> None:
        """Write all of it, durably. Whatever is raised, by the blocks too, leaves nothing behind.

        Raises JournalError where the disk refuses.
        """
        try:
            with _complaining(self._directory):
                fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                for block in blocks:
                    self._append(fd, block)
                with _complaining(self._directory):
                    self._sync(fd)
            finally:
                os.close(fd)
        except BaseException:
            self.drop()
            raise

    def settle(self, name: str) -> Path:
        """Give it its name, and make it the newest."""
        path = self._directory / name
        with _complaining(self._directory):
            renew(self._path, self._directory)
            self._path.replace(path)
            _sync_directory(self._directory)
        self.made = (path, *self.made)
        return path

    def drop(self) -> None:
        """Remove it, and the directory if it was made for it."""
        discard((self._path, *self.made))

    def _append(self, fd: int, block: bytes) -> None:
        rest = memoryview(block)
        with _complaining(self._directory):
            while rest:
                rest = rest[os.write(fd, rest) :]
        self._digest.update(block)
        self.lines += block.count(b"\n")


def copies(directory: Path) -> list[Path]:
    """The whole copies in a directory, the newest first."""
    return sorted(directory.glob(_COPIES), key=lambda path: path.stat().st_mtime_ns, reverse=True)


def copy_name(sha256: str) -> str:
    return f"jobs-{sha256[:16]}.jsonl"


def renew(path: Path, directory: Path) -> Path:
    """Make a file newer than all copies, whatever the clock says."""
    newest = max((copy.stat().st_mtime_ns for copy in copies(directory)), default=0)
    moment = max(time.time_ns(), newest + 1_000_000)  # some file systems keep no less than that
    os.utime(path, ns=(moment, moment))
    return path


def discard(paths: tuple[Path, ...]) -> None:
    """Remove files, and directories that are empty by then; somebody else may have found a use for one."""
    for path in paths:
        with suppress(OSError):
            path.rmdir() if path.is_dir() else path.unlink()


@contextmanager
def _complaining(directory: Path) -> Iterator[None]:
    """What the disk says becomes what the operator reads; what the blocks themselves raise stays what it is."""
    try:
        yield
    except OSError as exc:
        what = f"{directory}: cannot lay the jobs down there: {exc.strerror or exc}"
        raise JournalError(f"{what}; free some space, or give another place with --state DIR") from exc


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # some file systems order their directories by themselves, and know no fsync of one
            os.fsync(fd)
    finally:
        os.close(fd)


def _remove_stale(directory: Path) -> None:
    """Drafts of processes that were killed; they may be large."""
    for draft in directory.glob(_DRAFTS):
        pid = draft.name.split(".")[1]
        if pid.isdigit() and not _is_alive(int(pid)):
            draft.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
