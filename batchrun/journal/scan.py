"""The lines of one file of the journal, in order and in bounded memory (C16): which bytes are lines, which are damage.

What a line means is not known here. Splits at newlines only (C13); nothing is changed (C15).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from batchrun.journal.record import is_sealed, is_sealed_line

# The offset, the bytes, and whether they are a line whose CRC fits (False: they are damage). A tuple, not a class: a
# large file has a million of them, and an object for each would be felt at every start.
Piece = tuple[int, bytes, bool]

# A result of this size cannot have come over the wire; it keeps a file of NULs out of memory.
_MAX_LINE = 256 << 20
_BLOCK = 1 << 20
BLOCK_OF_LINES = 1 << 18  # of short lines some hundreds, which stay in the processor's cache while they are looked at

_BEGIN = re.compile(rb'\{"(?:id|batchrun|event)":')
_SEAL = re.compile(rb',"crc":"[0-9a-f]{8}"\}\n?')
# How often a damaged stretch is read again in the search for whole lines inside it; forged bytes could ask for more.
_SALVAGE_PASSES = 20


def scan(path: Path, start: int = 0, end: int | None = None) -> Iterator[Piece]:
    """The pieces of the file from `start`, up to `end` or to where the file ends now. Together they are all its bytes.

    A last line without its newline is damage, even where its CRC fits (C4): it was never acknowledged. A file that does
    not exist has no pieces.
    Raises OSError.
    """
    if not path.exists():
        return
    with path.open("rb", buffering=_BLOCK) as file:
        file.seek(start)
        offset = start
        while line := file.readline(_MAX_LINE if end is None else min(_MAX_LINE, end - offset)):
            if is_sealed_line(line):
                yield offset, line, True
            elif line.endswith(b"\n") or end is not None:
                yield from salvage(offset, line)
            else:
                yield offset, line, False
                if len(line) < _MAX_LINE:
                    return  # a run may be writing it, and its rest must not be taken for another line
            offset += len(line)


def blocks(path: Path, size: int = BLOCK_OF_LINES) -> Iterator[tuple[int, bytes]]:
    """The same bytes in blocks of whole lines, `size` and the rest of a line, with the offset of each; only the last
    may lack its newline.

    Raises OSError.
    """
    if not path.exists():
        return
    with path.open("rb", buffering=_BLOCK) as file:
        offset = 0
        while block := file.read(size):
            if not block.endswith(b"\n"):
                block += file.readline(_MAX_LINE)
            yield offset, block
            offset += len(block)


def salvage(offset: int, line: bytes) -> Iterator[Piece]:
    """The pieces of one damaged line: whole lines that were glued to a stub, to each other or to foreign bytes (C8)."""
    done = looked = 0
    first: int | None = None  # where a record may begin; looked for once, for ends may come by the million
    budget = _SALVAGE_PASSES * len(line)
    for seal in _SEAL.finditer(line):
        if first is None and (begin := _BEGIN.search(line, looked, seal.start())):
            first = begin.start()
        looked = seal.end()
        if first is None:
            continue
        for at in _begins(line, first, seal.start()):
            budget -= looked - at
            if budget < 0:
                break
            whole = line[at:looked]
            if is_sealed(whole):
                if at > done:
                    yield offset + done, line[done:at], False
                yield offset + at, whole, True
                done, first = looked, None
                break
        if budget < 0:
            break
    if done < len(line):
        yield offset + done, line[done:], False


def _begins(line: bytes, first: int, end: int) -> Iterator[int]:
    """Where the record may begin that ends behind `end`. The nearest place comes first: it is nearly always the right
    one, and those before it stand in stubs."""
    at = line.rfind(b'{"', first, end)
    while at >= 0:
        if _BEGIN.match(line, at):
            yield at
        at = line.rfind(b'{"', first, at)
