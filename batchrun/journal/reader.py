"""Reading what a run has written, while it may still be writing: no lock, no repair, nothing changed (C15)."""

from __future__ import annotations

import os
from typing import Any

from batchrun.errors import JournalError
from batchrun.journal.record import (
    BadLine,
    Checkpoint,
    Header,
    Kind,
    decode_header,
    decode_line,
)
from batchrun.journal.state import StateDir


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
