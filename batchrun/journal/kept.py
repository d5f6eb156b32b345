"""An answer that was paid for, though its item has failed: only the sinks have not taken it. Reads one line, writes
nothing; what becomes of the answer is decided elsewhere.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from batchrun.failure import Cause
from batchrun.journal.reader import result_at
from batchrun.journal.record import BadLine


def result_in(results: Path, id: str, place: tuple[int, int]) -> dict[str, Any] | None:
    """The result line of an item at that offset and length; None where it can be read no more."""
    try:
        fd = os.open(results, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return result_at(fd, id, *place)
        finally:
            os.close(fd)
    except (OSError, BadLine):
        return None


def kept_answer(results: Path, id: str, place: tuple[int, int]) -> dict[str, Any] | None:
    """The same, if it holds an answer that no sink took, which is paid and not to be asked again (C6); None for any
    other line."""
    fields = result_in(results, id, place)
    if fields is None:
        return None
    error = fields.get("error")
    has_answer = fields.get("stop_reason") is not None and isinstance(fields.get("content"), list)
    return fields if has_answer and isinstance(error, dict) and error.get("cause") == Cause.SINK else None
