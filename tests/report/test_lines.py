"""Lines are read as they are, and nothing that is no record is taken for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchrun.errors import NoRunError
from batchrun.journal.record import encode_checkpoint, encode_line, parse_checkpoint
from batchrun.journal.state import StateDir
from batchrun.outcome import Measure
from batchrun.report.lines import Line, Lines, line_of
from tests.report.nights import StateWriter, failed, outcome


def test_a_line_says_what_the_record_says() -> None:
    """Each field of the lean view is that of the journal's own record."""
    for each in (outcome("ä", retried={"silent": 2}, flags=("no_message_stop",)), failed("b", "broken", "reset")):
        data = encode_checkpoint(each, 123, 45)
        line, record = line_of(data), parse_checkpoint(data)
        assert line is not None
        for name in Line._fields:
            seen, expected = getattr(line, name), getattr(record, name)
            assert (seen or None) == (expected or None) or list(seen) == list(expected)


def test_a_number_that_was_none_reads_as_nought() -> None:
    """One NaN does not cost the report."""
    line = line_of(encode_checkpoint(outcome("a", measure=Measure(wall=float("nan"), tok_s=float("inf"))), 0, 1))
    assert line is not None
    assert (line.wall, line.tok_s) == (0.0, 0.0)


@pytest.mark.parametrize(
    "data", [encode_line({"id": "a"}), encode_line({"id": "a", "status": "dreaming"}), b"[1]\n", b"\x00\n", b""]
)
def test_what_is_no_record_is_no_line(data: bytes) -> None:
    """Sound bytes of another kind are passed over."""
    assert line_of(data) is None


def test_a_torn_last_line_is_no_damage(tmp_path: Path) -> None:
    """A run may be writing it at this moment."""
    writer = StateWriter(tmp_path / "jobs.jsonl")
    writer.finish(outcome("a"), outcome("b"))
    writer.state.checkpoint.write_bytes(writer.state.checkpoint.read_bytes()[:-7])
    lines = Lines(writer.state)
    assert [line.id for line in lines] == ["a"]
    assert lines.damaged == 0


def test_damage_before_sound_lines_is_passed_over_and_counted(tmp_path: Path) -> None:
    """C8: both sides are read, and the reader is told how much was lost."""
    writer = StateWriter(tmp_path / "jobs.jsonl")
    writer.finish(outcome("a"))
    with writer.state.checkpoint.open("ab") as file:
        file.write(b"\x00" * 20 + b"\n")
    writer.finish(outcome("b"))
    lines = Lines(writer.state)
    assert [line.id for line in lines] == ["a", "b"]
    assert lines.damaged == 21


def test_no_file_has_no_lines_and_an_unreadable_one_is_told(tmp_path: Path) -> None:
    """Nothing has finished yet; or the path is a directory."""
    state = StateDir(tmp_path)
    assert list(Lines(state)) == []
    state.checkpoint.mkdir()
    with pytest.raises(NoRunError, match="cannot read it"):
        list(Lines(state))
