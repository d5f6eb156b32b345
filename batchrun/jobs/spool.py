"""Jobs that cannot be read by offset, packed ones and those on standard input, laid down as a plain file in the state.

A run that goes on finds them there again, and a file that has not changed is not unpacked twice. What stands in them is
not known here.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from batchrun.errors import Fault, JobFileError, JobFileUnreadable, UsageError
from batchrun.jobs.draft import Draft, Place, copies, copy_name, discard, renew
from batchrun.jobs.gunzip import MAGIC, BadGzip, gunzip
from batchrun.jobs.opening import open_jobs

STDIN = "-"
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Spooled:
    """Where the jobs are read, and what their owner calls them. `notice` is a sentence for the operator; `made` is what
    was laid down just now, the directory too where it is new."""

    path: Path
    shown: str
    notice: str | None = None
    made: tuple[Path, ...] = ()

    def discard(self) -> None:
        """Take back what was laid down just now: a job file at fault leaves nothing behind."""
        discard(self.made)


def is_stdin(jobs: Path) -> bool:
    return jobs.name == STDIN


def check_place(jobs: Path, state: Path | None) -> None:
    """Raises UsageError where jobs come on standard input and nobody said where their state goes."""
    if is_stdin(jobs) and state is None:
        raise UsageError(
            "jobs on standard input need a place of their own: add --state DIR; "
            "with the same DIR the next run goes on where this one ends"
        )


def spool(jobs: Path, place: Place, stdin: BinaryIO | None, sync: Callable[[int], None] = os.fsync) -> Spooled:
    """Make `jobs` readable by offset; a plain file is left where it is.

    The caller holds the lock of a state that is there already. `sync` returns when a file's bytes are on the medium.

    Raises:
        JobFileUnreadable: the file cannot be read, or nothing came on standard input and nothing is there.
        JobFileError: the gzip data are damaged or not whole.
        UsageError: standard input is a terminal.
        StateError, JournalError: the state cannot be made or written.
    """
    if is_stdin(jobs):
        return _from_stdin(place, stdin, sync)
    with open_jobs(jobs) as file:
        if not _is_packed(jobs, file):
            return Spooled(jobs, str(jobs))
        name = copy_name(_sha256(_blocks(file)))
        if (place.path / name).exists():
            return Spooled(renew(place.path / name, place.path), str(jobs))
        file.seek(0)
        draft = Draft(place, sync)
        _fill(draft, gunzip(_blocks(file)), str(jobs), "copy or compress it again")
    path = draft.settle(name)
    for old in copies(place.path)[1:]:
        old.unlink(missing_ok=True)  # what it was unpacked from is its owner's to keep
    return Spooled(path, str(jobs), made=draft.made)


def spooled(jobs: Path, directory: Path) -> Path:
    """Where those who only look read `jobs`: what the last run laid down, or the file itself.

    Raises JobFileUnreadable where there is neither.
    """
    newest = next(iter(copies(directory)), None)
    if newest is not None and (is_stdin(jobs) or (jobs.suffix == ".gz" and not jobs.exists())):
        return newest
    if is_stdin(jobs):
        raise JobFileUnreadable(f"-: {directory} holds no jobs that came on standard input; check --state")
    with open_jobs(jobs) as file:
        if not _is_packed(jobs, file):
            return jobs
    if newest is None:
        raise JobFileUnreadable(f"{jobs}: is packed, and no run has unpacked it yet; gunzip it, or run it first")
    return newest


def _from_stdin(place: Place, stdin: BinaryIO | None, sync: Callable[[int], None]) -> Spooled:
    before = copies(place.path)
    is_terminal = stdin is not None and stdin.isatty()
    first = b"" if stdin is None or is_terminal else stdin.read(_BLOCK)
    if stdin is None or not first:
        if before:
            return Spooled(before[0], STDIN)
        if is_terminal:
            raise UsageError("standard input is a terminal; pipe the jobs in, or name a job file instead of -")
        raise JobFileUnreadable(f"-: nothing came on standard input, and {place.path} holds no jobs; pipe them in")
    blocks = chain((first,), _blocks(stdin))
    draft = Draft(place, sync)
    unpacked = gunzip(blocks) if first.startswith(MAGIC) else blocks
    _fill(draft, unpacked, STDIN, "look at what the command before the pipe says")
    name = copy_name(draft.sha256)
    if any(path.name == name for path in before):
        draft.drop()
        return Spooled(renew(place.path / name, place.path), STDIN)
    path = draft.settle(name)
    for old in before[1:]:
        old.unlink(missing_ok=True)
    # The jobs of the run before stand nowhere else: they are kept once more.
    notice = f"standard input brought other jobs than the run before; those are kept in {before[0]}" if before else None
    return Spooled(path, STDIN, notice, draft.made)


def _fill(draft: Draft, blocks: Iterator[bytes], shown: str, remedy: str) -> None:
    try:
        draft.write(blocks)
    except BadGzip as exc:
        raise JobFileError([Fault(shown, draft.lines + 1, str(exc), remedy)], 1) from exc
    except OSError as exc:  # the disk's own are JournalErrors by now
        raise JobFileUnreadable(f"{shown}: cannot be read ({exc.strerror or exc}); {remedy}") from exc


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(_BLOCK):
        yield block


def _sha256(blocks: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


def _is_packed(jobs: Path, file: BinaryIO) -> bool:
    """By content, for a download may be unpacked under its packed name; but a download that broke may be empty."""
    magic = file.read(len(MAGIC))
    file.seek(0)
    if not magic and jobs.suffix == ".gz":
        raise JobFileError([Fault(str(jobs), 1, "the file is empty, not even gzip", "copy or compress it again")], 1)
    return magic == MAGIC
