"""A moment is found in a long file without reading all that lies before it."""

from __future__ import annotations

import io

import pytest

from batchrun.journal.since import seek_before

LINES = [b"%06d %s\n" % (number, b"." * (number % 90)) for number in range(20_000)]
STARTS = [0]
for line in LINES:
    STARTS.append(STARTS[-1] + len(line))


def stamp_of(line: bytes) -> str | None:
    return line[:6].decode() if line[:6].isdigit() else None


@pytest.mark.parametrize("since", [0, 1, 9_999, 10_000, 19_999, 20_001])
def test_it_stands_at_a_line_a_little_before_the_moment(since: int) -> None:
    """At the beginning of the file where all of it is younger, near its end where nothing is."""
    file = io.BytesIO(b"".join(LINES))
    begin = seek_before(file, f"{since:06d}", stamp_of)
    first = STARTS[min(since, len(LINES))]
    assert begin == file.tell()
    assert begin in STARTS
    assert first - (1 << 17) <= begin <= first


def test_a_line_that_cannot_be_read_hides_none_behind_it() -> None:
    """It says nothing of its time, so it is taken for a young one."""
    damaged = [b"?" * (len(line) - 1) + b"\n" if number % 2 else line for number, line in enumerate(LINES)]
    begin = seek_before(io.BytesIO(b"".join(damaged)), "015000", stamp_of)
    assert begin in STARTS
    assert begin <= STARTS[15_000]


def test_a_short_or_empty_file_is_read_from_its_beginning() -> None:
    """Another seek would cost more."""
    assert seek_before(io.BytesIO(), "000001", stamp_of) == 0
    assert seek_before(io.BytesIO(b"".join(LINES[:50])), "000049", stamp_of) == 0
