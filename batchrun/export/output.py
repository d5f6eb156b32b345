"""Where an export goes: a file that is there whole or not at all, or a stream. What is written is not known here."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from batchrun.errors import JournalError, UsageError
from batchrun.journal.disk import in_blocks


def check_apart(path: Path, jobs: Path, state: Path) -> None:
    """Raises UsageError where an export would replace what it is made from."""
    target = path.resolve()
    if target == jobs.resolve() or target.is_relative_to(state.resolve()):
        raise UsageError(f"--output {path}: belongs to the run that is exported; give another path")


def write_file(path: Path, pieces: Iterable[bytes]) -> None:
    """Replace the file at `path` once everything is written and durable; until then what stood there stays.

    What is no regular file (a device, a named pipe) is written to as it is; a link stays a link.

    Raises:
        UsageError: it cannot be written there. JournalError: the disk refuses.
        BrokenPipeError: whoever reads from a named pipe has seen enough.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        _write(target, os.O_WRONLY, pieces, path)
        return
    draft = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        _write(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, pieces, path, is_durable=True)
        with _complaining(path):
            draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def write_stream(fd: int, pieces: Iterable[bytes]) -> bool:
    """Write to an open file; whether all of it was wanted: a reader that has seen enough is nobody's fault.

    Unbuffered, so that nothing is left over that the interpreter would flush into a closed pipe. Raises JournalError.
    """
    try:
        for block in in_blocks(pieces):
            _write_all(fd, block, "stdout")
    except BrokenPipeError:
        return False
    return True


def _write(target: Path, flags: int, pieces: Iterable[bytes], path: Path, *, is_durable: bool = False) -> None:
    try:
        fd = os.open(target, flags | os.O_CLOEXEC, 0o666)  # who else may read it is the umask's to say
    except OSError as exc:
        raise UsageError(f"--output {path}: cannot be written ({exc.strerror}); give another path") from exc
    try:
        for block in in_blocks(pieces):
            _write_all(fd, block, path)
        if is_durable:
            with _complaining(path):
                os.fsync(fd)
    finally:
        os.close(fd)


def _write_all(fd: int, block: bytes, shown: Path | str) -> None:
    rest = memoryview(block)
    with _complaining(shown):
        while rest:
            rest = rest[os.write(fd, rest) :]


@contextmanager
def _complaining(shown: Path | str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as exc:
        what = f"{shown}: cannot write it: {exc.strerror or exc}"
        raise JournalError(f"{what}; free some space or give another path; what stood there is as it was") from exc
