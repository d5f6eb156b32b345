"""An answer that was paid for, though its item has failed: only the sinks have not taken it. Reads one line, writes
nothing; what becomes of the answer is decided elsewhere.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from batchrun.journal.reader import result_at
from batchrun.journal.record import BadLine, checkpoint_from_result


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
    try:
        is_kept = fields is not None and checkpoint_from_result(fields, *place).is_kept
    except BadLine:
        return None
    return fields if is_kept else None
