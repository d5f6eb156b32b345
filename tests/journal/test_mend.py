"""Damaged files are mended without losing a record: torn ends, bad bytes in the middle, other tools' doings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from batchrun.errors import JournalError
from batchrun.journal.reader import read_result
from batchrun.journal.record import Kind, encode_header, is_sealed_line
from batchrun.journal.state import StateDir
from batchrun.outcome import Outcome
from tests.journal.builders import (
    HEADER,
    checkpoints,
    damage,
    finished_after_restart,
    ids,
    kept_aside,
    lines_of,
    outcome,
    state_in,
    text_of,
    write,
)
from tests.journal.disks import DiskThatFillsUp, DiskWithDiary

OUTCOMES = [outcome(name) for name in "abcde"]
NAMES = list("abcde")
NEXT = outcome("next")


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    """A state directory in which five items have finished."""
    state = state_in(tmp_path)
    write(state, *OUTCOMES)
    return state


# -- torn ends (C7) ----------------------------------------------------------------------------------------------------


def test_a_torn_end_is_kept_aside_and_told(state: StateDir) -> None:
    """No byte is thrown away, and the operator reads where it went."""
    damage(state.checkpoint, lambda data: data + b'{"id":"f","sta')
    [notice] = write(state)
    assert "checkpoint.jsonl" in notice
    assert "checkpoint.jsonl.bad-1" in notice
    assert kept_aside(state) == b'{"id":"f","sta'


@pytest.mark.parametrize("name", ["checkpoint.jsonl", "results.jsonl"])
def test_bytes_are_safe_aside_before_they_are_cut(state: StateDir, name: str) -> None:
    """A power cut during the repair finds them in one place at least."""
    damage(state.path / name, lambda data: data + b"torn")
    disk = DiskWithDiary()
    write(state, disk=disk)
    cut = disk.diary.index(("truncate", name))
    assert disk.diary[cut - 2 : cut + 2] == [
        ("sync", f"{name}.bad-1"),
        ("sync", "directory"),
        ("truncate", name),
        ("sync", name),
    ]


def test_on_a_full_disk_no_half_copy_is_left_behind(state: StateDir) -> None:
    """A start that cannot keep the bytes aside takes none out and leaves nothing; the one after that can."""
    torn = b"torn" * 100
    damage(state.results, lambda data: data + torn)
    before = {path.name: path.read_bytes() for path in state.path.iterdir()}
    for _ in range(2):
        with pytest.raises(JournalError, match="free some space"):
            write(state, disk=DiskThatFillsUp(300))
    assert {path.name: path.read_bytes() for path in state.path.iterdir()} == before
    write(state, NEXT)
    assert kept_aside(state) == torn
    assert finished_after_restart(state, *OUTCOMES, NEXT) == [*NAMES, "next"]


@pytest.mark.parametrize("name", ["checkpoint.jsonl", "results.jsonl"])
@pytest.mark.parametrize("size", [1, 4096, 3 << 20])
def test_a_tail_of_nuls_is_cut(state: StateDir, name: str, size: int) -> None:
    """A file system that allocated before it wrote leaves NULs; they are no records and hide none (C10)."""
    damage(state.path / name, lambda data: data + b"\0" * size)
    write(state, NEXT)
    assert finished_after_restart(state, *OUTCOMES, NEXT) == [*NAMES, "next"]
    assert b"\0" not in (state.path / name).read_bytes()


FIRST_LINE = encode_header(Kind.CHECKPOINT, HEADER)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 300,
        b"{",
        FIRST_LINE[:15],
        FIRST_LINE[:30] + b"\0\0",
        b"\0" * 30 + FIRST_LINE[30:],
        FIRST_LINE[:6] + b"\0" * 30 + FIRST_LINE[36:],
    ],
)
def test_a_file_that_was_torn_at_its_birth_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    """Killed before the first header was whole, the state is ours all the same."""
    state = state_in(tmp_path)
    state.checkpoint.write_bytes(content)
    write(state, NEXT)
    assert finished_after_restart(state, NEXT) == ["next"]


@pytest.mark.parametrize("name", ["checkpoint.jsonl", "results.jsonl"])
def test_a_record_that_lost_its_newline_to_a_torn_end_is_not_glued_to_the_next(state: StateDir, name: str) -> None:
    """What is torn may begin with that very newline; the record counts, and the next one begins a line."""
    damage(state.path / name, lambda data: data[:-1] + b"\0" * 30 + b"}\n")
    write(state, NEXT)
    assert b"\0" * 30 + b"}\n" in kept_aside(state)
    assert b"}{" not in (state.path / name).read_bytes()
    assert finished_after_restart(state, *OUTCOMES, NEXT) == [*NAMES, "next"]
    assert write(state) == []


# -- damage in the middle (C8) -----------------------------------------------------------------------------------------


def test_a_bad_byte_in_a_checkpoint_costs_nothing(state: StateDir) -> None:
    """Both sides are salvaged, the record is rebuilt from its result, the bad bytes are kept, and it is said."""
    lines = lines_of(state.checkpoint)
    bad = lines[3].replace(b'"done"', b'"dome"')
    state.checkpoint.write_bytes(b"".join([*lines[:3], bad, *lines[4:]]))
    notices = write(state)
    assert finished_after_restart(state, *OUTCOMES) == NAMES
    assert kept_aside(state) == bad
    assert any("rebuilt" in notice for notice in notices)
    assert any("adopted" in notice for notice in notices)
    assert write(state) == []


def test_a_bad_byte_in_a_result_is_found_at_the_next_start(state: StateDir) -> None:
    """Its item is asked again, alone; the bytes stay where they are, for offsets point behind them."""
    damage(state.results, lambda data: data.replace(b"answer to c", b"answer to X"))
    notices = write(state, outcome("c"))
    assert any("no valid result" in notice for notice in notices)
    assert any("damaged bytes in 1 place," in notice for notice in notices)
    assert sorted(ids(state)) == NAMES
    assert finished_after_restart(state, *OUTCOMES) == NAMES
    assert [read_result(state, each)["text"] for each in checkpoints(state)] == [text_of(id) for id in ids(state)]


def test_records_glued_by_another_tool_are_taken_apart(state: StateDir) -> None:
    """A stub with a record behind it in one line costs the stub."""
    lines = lines_of(state.checkpoint)
    state.checkpoint.write_bytes(b"".join([*lines[:2], lines[2][:40], *lines[2:]]))
    write(state)
    assert ids(state) == NAMES
    assert kept_aside(state) == lines[2][:40]


@pytest.mark.parametrize("name", ["checkpoint.jsonl", "results.jsonl"])
def test_an_editor_that_wrote_a_bom_and_crlf_has_destroyed_nothing(state: StateDir, name: str) -> None:
    """Every offset is wrong then; the answers are found all the same."""
    damage(state.path / name, lambda data: b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n"))
    write(state, NEXT)
    assert finished_after_restart(state, *OUTCOMES, NEXT) == [*NAMES, "next"]
    assert sorted(ids(state)) == sorted([*NAMES, "next"])
    assert {each.id: read_result(state, each)["text"] for each in checkpoints(state)} == {
        id: text_of(id) for id in [*NAMES, "next"]
    }


@pytest.mark.parametrize("name", ["checkpoint.jsonl", "results.jsonl"])
def test_a_damaged_header_does_not_make_the_file_foreign(state: StateDir, name: str) -> None:
    """What follows is ours by its CRC."""
    damage(state.path / name, lambda data: b"\0" * 50 + data[50:])
    write(state, NEXT)
    assert finished_after_restart(state, *OUTCOMES, NEXT) == [*NAMES, "next"]


def test_a_file_that_lost_its_header_gets_one(state: StateDir) -> None:
    """Whoever cut off the first line has not made the file foreign (C2)."""
    damage(state.checkpoint, lambda data: data.partition(b"\n")[2])
    write(state)
    assert lines_of(state.checkpoint)[0] == encode_header(Kind.CHECKPOINT, HEADER)
    assert ids(state) == NAMES


def test_a_rebuilt_file_has_one_header_and_each_record_once(state: StateDir) -> None:
    """The first header stays: it tells which run began the file."""
    damage(state.checkpoint, lambda data: data.replace(b"\n", b"\njunk\n", 3))
    write(state)
    assert lines_of(state.checkpoint)[0] == encode_header(Kind.CHECKPOINT, HEADER)
    assert state.checkpoint.read_bytes().count(b'"batchrun"') == 1
    assert ids(state) == NAMES


def test_a_rebuilt_file_is_a_record_a_line(state: StateDir) -> None:
    """Whoever reads it with a program of his own finds whole lines, the header alone on the first (C8)."""
    damage(state.checkpoint, lambda data: data.replace(b"\n", b"\r\n"))
    write(state)
    assert [is_sealed_line(line) for line in lines_of(state.checkpoint)] == [True] * 6
    assert lines_of(state.checkpoint)[0] == encode_header(Kind.CHECKPOINT, HEADER)


def glued(lines: list[bytes]) -> bytes:
    return b"".join(lines).replace(b"}\n{", b"}{")


def backwards(lines: list[bytes]) -> bytes:
    return b"".join(reversed(lines))


@pytest.mark.parametrize("order", [glued, backwards])
def test_lines_that_are_glued_or_out_of_place_are_put_in_order(
    state: StateDir, order: Callable[[list[bytes]], bytes]
) -> None:
    """Nothing is damaged, and yet others could not read it, nor find the header that says who answered (C2)."""
    state.checkpoint.write_bytes(order(lines_of(state.checkpoint)))
    assert any("rebuilt" in notice for notice in write(state))
    assert lines_of(state.checkpoint)[0] == encode_header(Kind.CHECKPOINT, HEADER)
    assert sorted(ids(state)) == NAMES
    assert len(lines_of(state.checkpoint)) == 6


def test_a_second_header_is_kept_aside(state: StateDir) -> None:
    """Of two files that were put together the first one's counts."""
    second = encode_header(Kind.CHECKPOINT, replace(HEADER, run="another"))
    damage(state.checkpoint, lambda data: data + second)
    write(state)
    assert kept_aside(state) == second
    assert ids(state) == NAMES


def test_a_million_nul_lines_do_not_count(tmp_path: Path) -> None:
    """A file of nothing but NULs is a torn birth; it is kept aside whole."""
    state = state_in(tmp_path)
    state.results.write_bytes(b"\0" * (2 << 20))
    write(state, NEXT)
    assert finished_after_restart(state, NEXT) == ["next"]
    assert len(kept_aside(state)) == 2 << 20


def test_the_newest_results_are_read_again_at_each_start(tmp_path: Path) -> None:
    """What a lying disk lost at the end is noticed though its checkpoint survived."""
    state = state_in(tmp_path)
    many: list[Outcome] = [outcome(str(number)) for number in range(30)]
    write(state, *many)
    damage(state.results, lambda data: data[:-100] + b"\0" * 100)
    write(state)
    assert finished_after_restart(state, *many) == [each.id for each in many[:-1]]
