"""Where a moment begins in a file whose lines stand in the order of time. Months may lie before it, so it is searched
for and not read up to.

What a line says of its time is its reader's to know.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import BinaryIO

_NEAR = 1 << 16  # bytes: closer than this, reading on costs less than another seek


def seek_before(file: BinaryIO, since: str, stamp_of: Callable[[bytes], str | None]) -> int:
    """Stand at the beginning of some line, a little before the first that is not older than `since`; where that is.
    `stamp_of` gives a line's stamp, None for a line that cannot be read."""
    low, high = 0, file.seek(0, os.SEEK_END)
    while high - low > _NEAR:
        middle = (low + high) // 2
        file.seek(middle)
        file.readline()
        begin = file.tell()
        stamp = stamp_of(file.readline())
        # An unreadable line says nothing about its time; reading on from before it is always right.
        low, high = (begin, high) if stamp is not None and stamp < since else (low, middle)
    return file.seek(low)
