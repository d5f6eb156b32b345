"""The checkpoint lines as the report counts them: read through, not kept, and changed by nobody.

A lean view of the journal's record. Building a million full `Checkpoint` values takes 5 s and this takes 1, which is
what lets `report` answer for a million items while somebody waits. What a sound line is stays the journal's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

from orjson import loads

from batchrun.errors import NoRunError
from batchrun.journal.block import sealed_lines
from batchrun.journal.record import BadLine, Checkpoint, is_header, parse
from batchrun.journal.scan import blocks, scan
from batchrun.journal.state import StateDir
from batchrun.outcome import Status


class Line(NamedTuple):
    """Fields as in `Checkpoint`; of those without a word to say, the last five are None."""

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
    paid_before: bool | None


_STATUSES = frozenset(str(status) for status in Status)
_EXTRAS = ("retried", "flags", "held_up", "saved_tokens", "paid_before")  # written only where they say something
_COMMON = tuple(name for name in Line._fields if name not in _EXTRAS)
_fields = itemgetter(*_COMMON)
# What `_make` does, without a look at the length.
_line: Callable[[tuple[Any, ...]], Line] = partial(tuple.__new__, Line)
_NUMBERS = slice(Line._fields.index("wall"), Line._fields.index("ttft"))
_NO_EXTRAS = (None,) * len(_EXTRAS)
_STATUS = _COMMON.index("status")
# How many keys a record has that says no more than it must, its CRC among them.
_ORDINARY_KEYS = len(Checkpoint.__dataclass_fields__) - len(_EXTRAS) + 1
_SHORTEST_STRETCH = 8  # fewer lines are taken sooner one by one

T = TypeVar("T")


class Stretch:
    """Ordinary lines that follow one another: `done`, and with nothing to say in `retried` and its like. `columns` has
    their values by field; by the column they are taken in half the time."""

    def __init__(self, rows: Sequence[tuple[Any, ...]]) -> None:
        self._rows = rows
        self.columns = dict(zip(_COMMON, zip(*rows, strict=True), strict=True))

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Line]:
        return (_line((*row, *_NO_EXTRAS)) for row in self._rows)


class Lines:
    """The lines of a state directory in the order of the file; each iteration reads the file anew.

    `damaged` counts the bytes that the last complete iteration had to pass over; a torn last line is none of them: a
    run may be writing it. Where there is no file, there are no lines. Raises NoRunError where it cannot be read.
    """

    def __init__(self, state: StateDir) -> None:
        self.damaged = 0
        self._path = state.checkpoint

    def __iter__(self) -> Iterator[Line]:
        return self._sound(self._singly())

    def in_stretches(self) -> Iterator[Line | Stretch]:
        """The same lines in the same order, those that are ordinary together."""
        return self._sound(self._together())

    def _sound(self, found: Iterator[T | int]) -> Iterator[T]:
        """What was found, without the numbers: so many bytes in which nothing was, or 0 for a header."""
        damaged = torn = 0
        try:
            for each in found:
                if isinstance(each, int) and each:
                    torn += each
                    continue
                damaged, torn = damaged + torn, 0
                if not isinstance(each, int):
                    yield each
        except OSError as exc:
            raise NoRunError(f"{self._path}: cannot read it: {exc.strerror}; read it as the user who ran it") from exc
        self.damaged = damaged

    def _singly(self, start: int = 0, end: int | None = None) -> Iterator[Line | int]:
        for _, data, is_sound in scan(self._path, start, end):
            yield (_record_or_size(data) if is_sound else len(data))

    def _together(self) -> Iterator[Line | Stretch | int]:
        for start, block in blocks(self._path):
            rows = _rows_in(block)
            if rows is not None:
                yield from _stretches(rows)
            elif block.endswith(b"\n"):
                yield from self._singly(start, start + len(block))
            else:
                yield from self._singly(start)
                return


def line_of(data: bytes) -> Line | None:
    """The view of a sound line; None where it is no record."""
    try:
        fields = parse(data)
        values: tuple[Any, ...] = _fields(fields)
    except (BadLine, KeyError):
        return None
    return _line_of((*values, *map(fields.get, _EXTRAS))) if values[_STATUS] in _STATUSES else None


def _line_of(values: tuple[Any, ...]) -> Line:
    if None in values[_NUMBERS]:
        # A number that was none when it was written (NaN) stands as null, and reads as 0.
        numbers = (number or 0.0 for number in values[_NUMBERS])
        values = (*values[: _NUMBERS.start], *numbers, *values[_NUMBERS.stop :])
    return _line(values)


def _rows_in(block: bytes) -> list[tuple[Any, ...] | bytes] | None:
    """The values of each ordinary line, and any other line as it stands; None where not all are sound."""
    lines = sealed_lines(block)
    try:
        return None if lines is None else [_row_or_line(line) for line in lines]
    except (ValueError, KeyError, TypeError):
        return None


def _row_or_line(line: bytes) -> tuple[Any, ...] | bytes:
    fields = loads(line)
    if len(fields) != _ORDINARY_KEYS:
        return line
    row: tuple[Any, ...] = _fields(fields)
    return row if row[_STATUS] == "done" else line


def _stretches(rows: list[Any]) -> Iterator[Line | Stretch | int]:
    begin = 0
    for place in (*(place for place, row in enumerate(rows) if row.__class__ is bytes), len(rows)):
        yield from _stretch(rows[begin:place])
        if place < len(rows):
            yield _record_or_size(rows[place] + b"\n")
        begin = place + 1


def _stretch(rows: list[tuple[Any, ...]]) -> Iterator[Line | Stretch]:
    if len(rows) >= _SHORTEST_STRETCH:
        stretch = Stretch(rows)
        if not any(None in stretch.columns[name] for name in _COMMON[_NUMBERS]):
            yield stretch
            return
    for row in rows:
        yield _line_of((*row, *_NO_EXTRAS))


def _record_or_size(data: bytes) -> Line | int:
    line = line_of(data)
    if line is None:
        return 0 if is_header(data) else len(data)
    return line
