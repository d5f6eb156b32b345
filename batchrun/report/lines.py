"""The checkpoint lines as the report counts them: read through, not kept, and changed by nobody.

A lean view of the journal's record. Building a million full `Checkpoint` values takes 5 s and this takes 1, which is
what lets `report` answer for a million items while somebody waits. What a sound line is stays the journal's to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import Any, NamedTuple

from batchrun.errors import NoRunError
from batchrun.journal.record import BadLine, is_header, parse
from batchrun.journal.scan import scan
from batchrun.journal.state import StateDir
from batchrun.outcome import Status


class Line(NamedTuple):
    """Fields as in `Checkpoint`; of those without a word to say, the last four are None."""

    id: str
    status: str
    final: bool
    result: tuple[int, int]
    finished: str
    tokens: int
    wasted_tokens: int
    attempts: int
    wall: float
    tok_s: float
    elapsed: float
    cores: float
    loop_cores: float
    ttft: float | None
    cost_usd: float | None
    stop_reason: str | None
    error: dict[str, Any] | None
    retried: dict[str, int] | None
    flags: list[str] | None
    held_up: float | None
    saved_tokens: int | None


_STATUSES = frozenset(str(status) for status in Status)
_EXTRAS = ("retried", "flags", "held_up", "saved_tokens")  # written only where they say something
_fields = itemgetter(*(name for name in Line._fields if name not in _EXTRAS))
_NUMBERS = slice(Line._fields.index("wall"), Line._fields.index("ttft"))


class Lines:
    """The lines of a state directory in the order of the file; each iteration reads the file anew.

    `damaged` counts the bytes that the last complete iteration had to pass over; a torn last line is none of them: a
    run may be writing it. Where there is no file, there are no lines. Raises NoRunError where it cannot be read.
    """

    def __init__(self, state: StateDir) -> None:
        self.damaged = 0
        self._path = state.checkpoint

    def __iter__(self) -> Iterator[Line]:
        damaged = torn = 0
        try:
            for _, data, is_sound in scan(self._path):
                line = line_of(data) if is_sound else None
                if line is None and not (is_sound and is_header(data)):
                    torn += len(data)
                    continue
                damaged, torn = damaged + torn, 0
                if line is not None:
                    yield line
        except OSError as exc:
            raise NoRunError(f"{self._path}: cannot read it: {exc.strerror}; read it as the user who ran it") from exc
        self.damaged = damaged


def line_of(data: bytes) -> Line | None:
    """The view of a sound line; None where it is no record."""
    try:
        fields = parse(data)
        values: tuple[Any, ...] = _fields(fields)
        if values[1] not in _STATUSES:
            return None
    except (BadLine, KeyError):
        return None
    if None in values[_NUMBERS]:
        # A number that was none when it was written (NaN) stands as null, and reads as 0.
        numbers = (number or 0.0 for number in values[_NUMBERS])
        values = (*values[: _NUMBERS.start], *numbers, *values[_NUMBERS.stop :])
    return Line._make((*values, *map(fields.get, _EXTRAS)))
