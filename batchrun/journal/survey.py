"""One pass over checkpoint.jsonl at a start: what is finished, what is damaged, which results have no checkpoint.

Reads only; what is done about it is decided in `recovery`. Memory grows with ids and with stretches of damage (C16).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from batchrun.journal.block import read_block
from batchrun.journal.finished import FinishedIndex
from batchrun.journal.reader import result_at
from batchrun.journal.record import BadLine, is_header, parse
from batchrun.journal.scan import BLOCK_OF_LINES, blocks, scan
from batchrun.journal.state import StateDir

# How much of the newest results a start reads again: what a power cut can have harmed is at the end. All of them would
# be gigabytes each night; 64 MB take 0.1 s.
_SAMPLE_RECORDS = 1_000
_SAMPLE_BYTES = 64 << 20


class Claims:
    """Which bytes of results.jsonl belong to a checkpoint.

    Checkpoints are written in the order of their results, so the claims follow one another; what is left out is a
    hole, in which a result without its checkpoint may stand (C6).
    """

    def __init__(self) -> None:
        self._edge = 0
        self._holes: dict[int, int] = {}  # start -> end

    def claim(self, offset: int, end: int) -> bool:
        """Whether these bytes were unclaimed until now; False is a record that was counted already."""
        if self.claim_next(offset, end):
            return True
        start = offset if offset in self._holes else self._hole_around(offset)
        if start is None or end > self._holes[start]:
            return False
        hole_end = self._holes.pop(start)
        if start < offset:
            self._holes[start] = offset
        if end < hole_end:
            self._holes[end] = hole_end
        return True

    def claim_next(self, offset: int, end: int) -> bool:
        """The same for bytes behind all that was claimed before; False where they are not."""
        if offset < self._edge:
            return False
        if offset > self._edge:
            self._holes[self._edge] = offset
        self._edge = end
        return True

    def holes(self, size: int) -> list[tuple[int, int]]:
        """The unclaimed stretches of a file of `size` bytes, as start and end, in order."""
        tail = [(self._edge, size)] if self._edge < size else []
        return sorted(self._holes.items()) + tail

    def _hole_around(self, offset: int) -> int | None:
        return next((start for start, end in self._holes.items() if start < offset < end), None)


class Stretches:
    """Which stretches (start, end) of a file of `size` bytes count for nothing; noted in the order of the file."""

    def __init__(self, size: int) -> None:
        self._all: list[tuple[int, int]] = []
        self._size = size

    def note(self, offset: int, length: int) -> None:
        end = offset + length
        if self._all and self._all[-1][1] == offset:
            offset, _ = self._all.pop()
        self._all.append((offset, end))

    @property
    def tail(self) -> int:
        """Where the stretch at the end of the file begins; the size of the file where there is none."""
        return self._all[-1][0] if self._all and self._all[-1][1] >= self._size else self._size

    @property
    def in_the_middle(self) -> list[tuple[int, int]]:
        return [stretch for stretch in self._all if stretch[1] < self._size]


class Survey:
    """What checkpoint.jsonl holds, gathered record by record.

    With `is_thorough` each result is read and checked as well, which takes as long as reading results.jsonl.
    """

    def __init__(self, state: StateDir, is_thorough: bool = False) -> None:
        self.finished = FinishedIndex()
        self.claims = Claims()
        self.damage = Stretches(_size_of(state.checkpoint))
        self.header: bytes | None = None
        self._is_orderly = True  # one header, at the head, and a line a record: what programs of other people rely on
        self.rejected = 0  # checkpoints without a valid result: asked again
        self._newest: deque[tuple[str, int, int]] = deque(maxlen=_SAMPLE_RECORDS)
        self._checkpoints = state.checkpoint
        self._results = state.results
        self._results_size = _size_of(state.results)
        self._is_thorough = is_thorough

    def read(self, block_size: int = BLOCK_OF_LINES) -> None:
        """Go over the file as `pieces` does, three times as fast, where nobody wants the bytes. Raises OSError."""
        with _opened(self._results) as results:
            for start, lines in blocks(self._checkpoints, block_size):
                # A header belongs at the head and nowhere else: there the lines are looked at singly.
                if start > 0 and self._takes_all(lines):
                    continue
                is_last = not lines.endswith(b"\n")
                for offset, data, is_sound in scan(self._checkpoints, start, None if is_last else start + len(lines)):
                    self._counts(offset, data, is_sound, results)
                if is_last:
                    break

    def pieces(self) -> Iterator[tuple[bytes, bool]]:
        """Go over the file: its bytes piece by piece, and whether each counts. To be exhausted. Raises OSError."""
        with _opened(self._results) as results:
            for offset, data, is_sound in scan(self._checkpoints):
                yield data, self._counts(offset, data, is_sound, results)

    @property
    def needs_rebuilding(self) -> bool:
        """Whether more is wrong than a torn end: damage, records without their results, lines glued or out of place."""
        return bool(self.damage.in_the_middle) or self.rejected > 0 or not self._is_orderly

    def vouches_for_newest(self) -> bool:
        """Whether the newest results are what their checkpoints say. Raises OSError."""
        budget = _SAMPLE_BYTES
        with _opened(self._results) as results:
            for id, offset, length in reversed(self._newest):
                budget -= length
                if budget < 0:
                    break
                if not _has_result(results, id, offset, length):
                    return False
        return True

    def _counts(self, offset: int, data: bytes, is_sound: bool, results: int) -> bool:
        counts = is_sound and self._takes(data, results)
        if not counts:
            self.damage.note(offset, len(data))
        elif (offset == 0) is not is_header(data) or not data.endswith(b"\n"):
            self._is_orderly = False
        return counts

    def _takes_all(self, lines: bytes) -> bool:
        """Take in a block of lines in which there is nothing to decide; False where they must be looked at singly."""
        block = None if self._is_thorough else read_block(lines)
        if block is None or block.end > self._results_size or not self.claims.claim_next(block.start, block.end):
            return False
        self.finished.add_all(block)
        self._newest.extend(zip(block.ids, block.offsets, block.lengths, strict=True))
        return True

    def _takes(self, line: bytes, results: int) -> bool:
        try:
            fields = parse(line)
            id, (offset, length) = fields["id"], fields["result"]
            end = offset + length
            is_backed = 0 <= offset < end <= self._results_size
            if not is_backed or (self._is_thorough and not _has_result(results, id, offset, length)):
                self.rejected += 1
                return False
            # A second line for the same result is ours too, and counts for nothing.
            if self.claims.claim(offset, end):
                self.finished.add(id, fields["request"], fields["status"], fields["final"], offset, length)
                self._newest.append((id, offset, length))
            return True
        except (BadLine, KeyError, TypeError, ValueError, OverflowError):
            return self._takes_header(line)

    def _takes_header(self, line: bytes) -> bool:
        if not is_header(line):
            return False
        self.header = self.header or line
        return True


def _has_result(results: int, id: str, offset: int, length: int) -> bool:
    try:
        result_at(results, id, offset, length)
    except BadLine:
        return False
    return True


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    # A checkpoint is only looked up in a file that is long enough for it: of no file, nobody asks.
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC) if path.exists() else -1
    try:
        yield fd
    finally:
        if fd >= 0:
            os.close(fd)
