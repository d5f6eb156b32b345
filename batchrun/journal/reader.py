"""Reading what a run has written, while it may still be writing: no lock, no repair, nothing changed (C15)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from batchrun.errors import JournalError, NoRunError
from batchrun.journal.record import (
    BadLine,
    Checkpoint,
    Header,
    Kind,
    decode_header,
    decode_line,
    is_header,
    parse_checkpoint,
)
from batchrun.journal.scan import scan
from batchrun.journal.state import StateDir
from batchrun.plural import counted


@dataclass(frozen=True, slots=True)
class Damage:
    """A stretch of a file that is no record; what it held is lost to the reader."""

    file: str
    offset: int
    length: int

    def __str__(self) -> str:
        return f"{self.file}: {counted(self.length, 'damaged byte')} at offset {self.offset}"


class Checkpoints:
    """The checkpoints of a state directory, in the order of the file. Each iteration reads the file anew.

    `damage` tells what the last complete iteration had to skip. An id may come more than once: `outranks` in `finished`
    tells which one counts. Where there is no file yet, there are none. Raises NoRunError where it cannot be read.
    """

    def __init__(self, state: StateDir) -> None:
        self.damage: list[Damage] = []
        self._path = state.checkpoint

    def __iter__(self) -> Iterator[Checkpoint]:
        damage: list[Damage] = []
        pending = 0  # bytes read last that are no record; at the end of the file they are its torn tail
        try:
            for offset, data, is_sound in scan(self._path):
                record = _checkpoint(data) if is_sound else None
                if record is None and not (is_sound and is_header(data)):
                    pending += len(data)
                    continue
                if pending:
                    damage.append(Damage(self._path.name, offset - pending, pending))
                    pending = 0
                if record is not None:
                    yield record
        except OSError as exc:
            raise NoRunError(f"{self._path}: cannot read it: {exc.strerror}; read it as the user who ran it") from exc
        self.damage = damage


def read_checkpoints(state: StateDir) -> Checkpoints:
    """What has finished so far. A torn last line is the end; damage before it is skipped and listed in `.damage`."""
    return Checkpoints(state)


def read_header(state: StateDir) -> Header | None:
    """Who began the state; None where nobody did, or the header is damaged."""
    try:
        with state.checkpoint.open("rb") as file:
            return decode_header(file.readline(), Kind.CHECKPOINT)
    except (OSError, BadLine):
        return None


def read_result(state: StateDir, checkpoint: Checkpoint) -> dict[str, Any]:
    """The result line of `checkpoint`. Raises JournalError where it cannot be read or is damaged."""
    try:
        fd = os.open(state.results, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return result_at(fd, checkpoint.id, *checkpoint.result)
        finally:
            os.close(fd)
    except OSError as exc:
        raise JournalError(f"{state.results}: cannot read it: {exc.strerror}; bring the file back") from exc
    except BadLine as exc:
        raise JournalError(
            f"{state.results}: the answer of {checkpoint.id!r} at offset {checkpoint.result[0]} is damaged ({exc}); "
            "start the run again: an answer without its record is asked anew"
        ) from exc


def result_at(fd: int, id: str, offset: int, length: int) -> dict[str, Any]:
    """The result line at `offset`, which must be that of `id`. Raises BadLine and OSError."""
    fields = decode_line(os.pread(fd, length, offset))
    if fields.get("id") != id:
        raise BadLine(f"it is the answer of {fields.get('id')!r}")
    return fields


def _checkpoint(line: bytes) -> Checkpoint | None:
    try:
        return parse_checkpoint(line)
    except BadLine:
        return None
