"""Which bytes of the results have a checkpoint, however the checkpoints came to their places."""

from __future__ import annotations

import tempfile
from collections import deque
from itertools import accumulate
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from batchrun.journal.record import Kind, encode_checkpoint, encode_header, encode_line, encode_result
from batchrun.journal.survey import Claims, Stretches, Survey
from tests.journal.builders import HEADER, failure, outcome, state_in

REQUEST, OTHER = "0123456789abcdef", "fedcba9876543210"
RECORDS = [
    outcome("a", request=REQUEST),
    failure("b", request=REQUEST),
    outcome('quoted "c"', request=REQUEST),
    outcome("a", request=OTHER),
    failure("b", request=REQUEST),
    outcome("d", request="no fingerprint"),
]
RESULTS = [encode_header(Kind.RESULTS, HEADER), *map(encode_result, RECORDS)]
OFFSETS = list(accumulate(map(len, RESULTS)))
CHECKPOINTS = [
    encode_checkpoint(record, offset, len(result))
    for record, offset, result in zip(RECORDS, OFFSETS, RESULTS[1:], strict=False)
]
HEAD = encode_header(Kind.CHECKPOINT, HEADER)
# A result that is not there, a result of somebody else, a sealed line that is no record, and damage of each kind.
ASTRAY = [encode_checkpoint(RECORDS[0], 10**6, 9), encode_checkpoint(RECORDS[0], 3, 9), encode_line({"id": "a"})]
DAMAGE = [b"\0\0", b"\n", CHECKPOINTS[1][:40], CHECKPOINTS[2][:-1], CHECKPOINTS[3].replace(b"done", b"d0ne")]

# Results of these lengths stand one behind the other; checkpoints for some of them are read, in some order, some twice.
LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=12)


@given(LENGTHS, st.data())
def test_what_is_claimed_is_no_hole_and_all_else_is(lengths: list[int], data: st.DataObject) -> None:
    """Claimed and unclaimed bytes together are the file, in any order of claims; a second claim is refused."""
    ends = [sum(lengths[: place + 1]) for place in range(len(lengths))]
    extents = [(end - length, end) for end, length in zip(ends, lengths, strict=True)]
    claimed = data.draw(st.lists(st.sampled_from(extents), max_size=20))
    claims = Claims()
    answers = [claims.claim(*extent) for extent in claimed]
    assert answers == [extent not in claimed[:place] for place, extent in enumerate(claimed)]
    in_claims = {byte for extent in claimed for byte in range(*extent)}
    in_holes = [byte for hole in claims.holes(ends[-1]) for byte in range(*hole)]
    assert sorted(in_holes) == in_holes
    assert set(in_holes) == set(range(ends[-1])) - in_claims


def test_stretches_that_touch_are_one() -> None:
    """Damage is told in places, not in lines; only what reaches the end of the file is its tail."""
    stretches = Stretches(100)
    for offset in (10, 20, 40, 90):
        stretches.note(offset, 10)
    assert stretches.in_the_middle == [(10, 30), (40, 50)]
    assert stretches.tail == 90


def test_a_file_without_a_damaged_end_has_no_tail() -> None:
    """What is cut is nothing then."""
    stretches = Stretches(100)
    assert stretches.tail == 100
    stretches.note(10, 80)
    assert stretches.tail == 100


def told_by(survey: Survey) -> tuple[object, ...]:
    """All that a start asks a survey."""
    index = survey.finished
    items = [(each.id, index.entry(each.id), index.look_up(each.id, each.request)[0]) for each in RECORDS]
    damage = (survey.damage.tail, survey.damage.in_the_middle, survey.needs_rebuilding, survey.vouches_for_newest())
    return items, len(index), survey.claims.holes(1 << 20), damage, survey.header, survey.rejected


@given(st.lists(st.sampled_from([HEAD, *CHECKPOINTS, *ASTRAY, *DAMAGE]), max_size=12), st.integers(1, 3000))
def test_in_blocks_or_line_by_line_a_file_says_the_same(parts: list[bytes], block_size: int) -> None:
    """Whatever stands in checkpoint.jsonl, in whatever order, and wherever a block ends."""
    with tempfile.TemporaryDirectory() as directory:
        state = state_in(Path(directory))
        state.results.write_bytes(b"".join(RESULTS))
        state.checkpoint.write_bytes(b"".join(parts))
        in_blocks, line_by_line = Survey(state), Survey(state)
        in_blocks.read(block_size)
        deque(line_by_line.pieces(), maxlen=0)
        assert told_by(in_blocks) == told_by(line_by_line)


def test_a_block_of_plain_lines_is_taken_at_once(tmp_path: Path) -> None:
    """An id that comes twice is counted as often as it comes, within a block and over blocks."""
    state = state_in(tmp_path)
    state.results.write_bytes(b"".join(RESULTS))
    state.checkpoint.write_bytes(b"".join([HEAD, *CHECKPOINTS]))
    for block_size in (1, len(HEAD), len(HEAD + CHECKPOINTS[0]), 1 << 20):
        survey = Survey(state)
        survey.read(block_size)
        failed = survey.finished.entry("b")
        assert failed is not None
        assert (failed.failed_runs, len(survey.finished)) == (2, 4)
