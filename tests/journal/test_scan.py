"""A file is taken apart into lines and damage, and nothing of it disappears."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.journal.record import Kind, encode_header, encode_line
from batchrun.journal.scan import Piece, salvage, scan
from tests.journal.builders import HEADER

A, B, C = (encode_line({"id": name, "text": 'quotes " and {"id": in a text'}) for name in "abc")
HEAD = encode_header(Kind.CHECKPOINT, HEADER)


def pieces_of(path: Path, data: bytes) -> list[Piece]:
    path.write_bytes(data)
    return list(scan(path))


def sound(pieces: list[Piece]) -> list[bytes]:
    return [data for _, data, is_sound in pieces if is_sound]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.jsonl"


def test_whole_lines_come_out_as_they_went_in(path: Path) -> None:
    """Offsets and bytes are those of the file."""
    assert pieces_of(path, HEAD + A + B) == [
        (0, HEAD, True),
        (len(HEAD), A, True),
        (len(HEAD + A), B, True),
    ]


def test_a_last_line_without_newline_does_not_count(path: Path) -> None:
    """Even where its CRC fits it was never acknowledged (C4)."""
    assert pieces_of(path, A + B[:-1]) == [(0, A, True), (len(A), B[:-1], False)]


def test_a_line_that_is_being_written_is_the_end(path: Path) -> None:
    """Its rest, written while somebody reads, is not taken for a line of its own, nor for damage."""
    path.write_bytes(A + B[:30])
    pieces = scan(path)
    assert [next(pieces), next(pieces)] == [(0, A, True), (len(A), B[:30], False)]
    with path.open("ab") as file:
        file.write(B[30:] + C)
    assert list(pieces) == []
    assert sound(list(scan(path))) == [A, B, C]


@pytest.mark.parametrize("stub", [1, 20, len(A) - 1])
def test_a_record_glued_to_a_stub_is_found(path: Path, stub: int) -> None:
    """A tool that appended after a torn line lost nobody's record (C8)."""
    pieces = pieces_of(path, A[:stub] + B + C)
    if stub == len(A) - 1:  # only the newline is missing: the first record is whole
        assert sound(pieces) == [A[:-1], B, C]
    else:
        assert pieces == [(0, A[:stub], False), (stub, B, True), (stub + len(B), C, True)]


def test_records_without_any_newline_between_them_are_found(path: Path) -> None:
    """A damaged newline costs nothing but itself."""
    assert sound(pieces_of(path, A[:-1] + b"\x00" + B[:-1] + C)) == [A[:-1], B[:-1], C]


@pytest.mark.parametrize("junk", [b"\0" * 5000, b"\xff\xfe", b"\xef\xbb\xbf", b"no JSON", b"\xc3"])
def test_junk_hides_no_neighbour(path: Path, junk: bytes) -> None:
    """NULs, invalid UTF-8, a BOM: before, between and after records, with and without a newline of their own."""
    for end in (b"", b"\n"):
        for data in (junk + end + A + B, A + junk + end + B, A + B + junk + end):
            assert sound(pieces_of(path, data)) == [A, B]


def test_carriage_returns_are_damage_but_the_records_live(path: Path) -> None:
    """An editor that turned the file into CRLF has lost nobody's record."""
    data = (A + B).replace(b"\n", b"\r\n")
    assert sound(pieces_of(path, data)) == [A[:-1], B[:-1]]


def test_a_part_of_the_file_can_be_scanned(path: Path) -> None:
    """From the start of a record to the end of another, with the offsets of the whole file."""
    path.write_bytes(A + B + C)
    assert list(scan(path, len(A), len(A + B))) == [(len(A), B, True)]
    assert list(scan(path, len(A))) == [(len(A), B, True), (len(A + B), C, True)]


def test_a_file_that_is_not_there_has_no_pieces(path: Path) -> None:
    """A run that has not begun is no error."""
    assert list(scan(path)) == []


@given(
    st.lists(
        st.sampled_from([A, B, HEAD, A[:30], b"\0\0", b"\n", b"\r\n", b'{"id":', b',"crc":"00000000"}']), max_size=8
    )
)
def test_no_byte_disappears_and_no_whole_record_is_missed(parts: list[bytes]) -> None:
    """The pieces of a damaged line are the line, and each whole record in it is found."""
    line = b"".join(parts)
    pieces = list(salvage(100, line))
    assert b"".join(data for _, data, _ in pieces) == line
    assert [offset for offset, _, _ in pieces] == [
        100 + sum(len(data) for _, data, _ in pieces[:place]) for place in range(len(pieces))
    ]
    found = b"".join(data for _, data, is_sound in pieces if is_sound)
    assert found.count(b'"crc"') >= sum(part in (A, B, HEAD) for part in parts)


def test_a_forged_line_costs_bounded_time() -> None:
    """A line of nothing but beginnings and false seals is given up, not searched in every combination."""
    forged = b'{"id":' * 20_000 + b',"crc":"00000000"}' * 20_000
    assert sound(list(salvage(0, forged))) == []


@pytest.mark.parametrize("junk", [b',"crc":"00000000"}', b'{"id":', b'{"', b'{"id":' + b"x" * 500])
def test_forged_beginnings_and_ends_cost_nobody_a_record(path: Path, junk: bytes) -> None:
    """However many there are: the record behind them is found, and the line is not read once for each (C16)."""
    many = junk * 100_000
    assert pieces_of(path, many + A) == [(0, many, False), (len(many), A, True)]
