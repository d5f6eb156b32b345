"""Where an export goes: whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchrun.errors import ExitCode, JournalError, UsageError
from batchrun.export.output import check_apart, write_file, write_stream

FULL = Path("/dev/full")


def breaks_off() -> Iterator[bytes]:
    yield b"half"
    raise RuntimeError("the state cannot be read")


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    """More than one block of it, and nothing else is left beside it."""
    path = tmp_path / "out.jsonl"
    write_file(path, (b"x" * 1000 + b"\n" for _ in range(3000)))
    assert path.stat().st_size == 3_003_000
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_stays_as_it_was_until_the_new_one_is_whole(tmp_path: Path) -> None:
    """What stops an export in the middle costs nothing that was there."""
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"yesterday")
    with pytest.raises(RuntimeError):
        write_file(path, breaks_off())
    assert path.read_bytes() == b"yesterday"
    assert list(tmp_path.iterdir()) == [path]
    write_file(path, [b"today"])
    assert path.read_bytes() == b"today"


def test_what_an_export_is_made_from_is_not_replaced(tmp_path: Path) -> None:
    """The job file under any name, and whatever lies in the state."""
    jobs, state, link = tmp_path / "jobs.jsonl", tmp_path / "jobs.batchrun", tmp_path / "link"
    link.symlink_to(jobs)
    for path in (jobs, link, state / "results.jsonl", tmp_path / "." / "jobs.jsonl"):
        with pytest.raises(UsageError, match="belongs to the run that is exported"):
            check_apart(path, jobs, state)
    check_apart(tmp_path / "out.jsonl", jobs, state)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """What it leads to is replaced."""
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    write_file(link, [b"x"])
    assert link.is_symlink()
    assert target.read_bytes() == b"x"


@pytest.mark.parametrize("name", ["no/such/directory/out", "."])
def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, name: str) -> None:
    """Exit 2, with the option."""
    with pytest.raises(UsageError, match=r"--output .*: cannot be written .*; give another path"):
        write_file(tmp_path / name, [b"x"])


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")
def test_a_full_disk_is_told() -> None:
    """Exit 74; a device is written to and never replaced."""
    with pytest.raises(JournalError, match="No space left on device; free some space") as full:
        write_file(FULL, [b"x"])
    assert full.value.exit_code is ExitCode.IO_ERROR
    assert FULL.is_char_device()


def test_a_stream_gets_everything(tmp_path: Path) -> None:
    """In order and to the end."""
    path = tmp_path / "stdout"
    with path.open("wb") as stream:
        assert write_stream(stream.fileno(), (b"%d\n" % number for number in range(300_000)))
    assert path.read_bytes().splitlines() == [b"%d" % number for number in range(300_000)]


def test_a_reader_that_has_seen_enough_is_no_trouble_of_the_disk() -> None:
    """`batchrun export ... | head` ends quietly."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert not write_stream(writer, [b"x"])
    finally:
        os.close(writer)


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")
def test_a_full_disk_behind_a_stream_is_told() -> None:
    """`batchrun export ... > FILE` must not end well with half a file."""
    with FULL.open("wb") as stream, pytest.raises(JournalError, match="stdout: cannot write it: No space left"):
        write_stream(stream.fileno(), [b"x"])
