"""Lines are read as they are, and nothing that is no record is taken for one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.errors import NoRunError
from batchrun.journal.record import Header, Kind, encode_checkpoint, encode_header, encode_line, parse_checkpoint
from batchrun.journal.state import StateDir
from batchrun.outcome import Measure, Status
from batchrun.report.census import Census
from batchrun.report.lines import Line, Lines, Stretch, line_of
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


def state_with(directory: Path, *parts: bytes) -> StateDir:
    state = StateDir(directory)
    state.checkpoint.write_bytes(b"".join(parts))
    return state


def test_ordinary_lines_come_together(tmp_path: Path) -> None:
    """Until one has more to say; each then says what it says alone."""
    outcomes = [outcome(f"item-{number}", cost_usd=0.5) for number in range(30)]
    outcomes[20] = outcome("odd", retried={"silent": 1})
    state = state_with(tmp_path, *(encode_checkpoint(each, 9 * place, 9) for place, each in enumerate(outcomes)))
    found = list(Lines(state).in_stretches())
    assert [len(each) if isinstance(each, Stretch) else each.id for each in found] == [20, "odd", 9]
    singly = [line for each in found for line in (each if isinstance(each, Stretch) else [each])]
    assert [tuple(line) for line in singly] == [tuple(line) for line in Lines(state)]


ORDINARY = st.builds(
    outcome,
    id=st.sampled_from([f"item-{number}" for number in range(99)]),
    finished=st.sampled_from([10.0, 90.0, 90.0]),
    cost_usd=st.sampled_from([None, 0.25, 0.25]),
    elapsed=st.floats(0, 500),
    stop_reason=st.sampled_from(["end_turn", "end_turn", "stop_sequence", None, "stop_rule:json"]),
    wasted_tokens=st.integers(0, 3),
    measure=st.builds(
        Measure,
        wall=st.sampled_from([1.0, 2.0]),
        cores=st.sampled_from([0.1, 0.99]),
        loop_cores=st.sampled_from([0.2, 0.2, 0.95]),
        tokens=st.integers(0, 9),
        ttft=st.sampled_from([None, 0.5]),
    ),
)
ANY = st.one_of(
    ORDINARY,
    ORDINARY,
    st.builds(outcome, id=st.sampled_from("abc"), measure=st.just(Measure(wall=float("nan")))),
    st.builds(outcome, id=st.sampled_from("abc"), retried=st.just({"silent": 2}), attempts=st.just(3)),
    st.builds(outcome, id=st.sampled_from("abc"), status=st.sampled_from([Status.INCOMPLETE, Status.REFUSED])),
    st.builds(failed, id=st.sampled_from("abc"), cause=st.just("silent"), message=st.just(""), final=st.booleans()),
    st.builds(failed, id=st.just("a"), cause=st.just("sink"), message=st.just(""), stop_reason=st.just("end_turn")),
    st.builds(outcome, id=st.just("b"), stop_reason=st.just("stop_rule:json"), saved_tokens=st.integers(0, 9)),
    st.builds(outcome, id=st.sampled_from("abc"), measure=st.just(Measure(wall=4.0, held_up=3.0))),
)
RUNS = st.one_of(
    st.lists(ORDINARY, min_size=9, max_size=16),
    st.lists(ORDINARY, min_size=9, max_size=16, unique_by=lambda each: each.id),
)
HEADER = encode_header(Kind.CHECKPOINT, Header("run-1", "", "", ""))
# Many slow items first, so that the ordinary ones which follow, a stretch of their own, are not among the slowest.
CALM = [outcome(f"slow-{number}", cost_usd=0.5, elapsed=400.0 + number) for number in range(80)]
CALM += [outcome("odd", retried={"silent": 1})]
CALM += [outcome(f"calm-{number}", cost_usd=0.25, wasted_tokens=number) for number in range(10)]
CALM += [outcome("odd too", retried={"silent": 1})]
NIGHTS = st.sampled_from(["", "2026-11-20T22:01:00.000Z", "9"])


def inside(thing: Any) -> Any:
    """All that an object holds, in values that can be compared."""
    if isinstance(thing, float):
        return round(thing, 9)
    names = vars(thing) if hasattr(thing, "__dict__") else getattr(type(thing), "__slots__", ())
    return {name: inside(getattr(thing, name)) for name in names} if names else thing


@given(RUNS, st.lists(ANY, max_size=12), NIGHTS, st.data())
def test_a_census_by_stretches_is_a_census_by_lines(
    tmp_path_factory: pytest.TempPathFactory, ordinary: list[Any], any: list[Any], since: str, data: st.DataObject
) -> None:
    """To the last figure, whatever the lines say, whichever of them is damaged, and wherever the night begins."""
    every = CALM * data.draw(st.booleans()) + ordinary + any
    parts = [HEADER, *(encode_checkpoint(each, 9 * place, 9) for place, each in enumerate(every))]
    if harm := data.draw(st.one_of(st.none(), st.sampled_from([b"\0\0\n", b"x\r\n", b"{}\n", HEADER[:40]]))):
        parts.insert(data.draw(st.integers(0, len(parts))), harm)
    lines = Lines(state_with(tmp_path_factory.mktemp("any"), *parts))
    by_lines, by_stretches = Census(since), Census(since)
    by_lines.take(lines)
    damaged = lines.damaged
    by_stretches.take(lines.in_stretches())
    assert inside(by_stretches) == inside(by_lines)
    assert lines.damaged == damaged


def test_a_torn_last_line_is_the_end_of_the_stretches(tmp_path: Path) -> None:
    """As it is the end of the lines; no damage, and no file has none."""
    whole = [encode_checkpoint(outcome(str(number)), 9 * number, 9) for number in range(20)]
    lines = Lines(state_with(tmp_path, *whole, whole[0][:-9]))
    found = [line.id for each in lines.in_stretches() for line in (each if isinstance(each, Stretch) else [each])]
    assert (found, lines.damaged) == ([str(number) for number in range(20)], 0)
    assert list(Lines(StateDir(tmp_path / "nothing")).in_stretches()) == []
