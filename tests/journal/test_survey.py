"""Which bytes of the results have a checkpoint, however the checkpoints came to their places."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batchrun.journal.survey import Claims, Stretches

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
