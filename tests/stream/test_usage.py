"""What a usage says in tokens, whatever a gateway sends there."""

from __future__ import annotations

import pytest

from batchrun.stream.usage import count_of, told_tokens


@pytest.mark.parametrize("odd", [True, False, -1, "12", 12.0, None, [], {}])
def test_what_is_no_count_says_nothing(odd: object) -> None:
    """`true` is no 1, and nothing is guessed."""
    assert count_of(odd) is None
    assert told_tokens({"output_tokens": odd}, "output_tokens") == 0


def test_a_count_is_taken_as_it_is() -> None:
    """Nought is one, too: it was told."""
    assert (count_of(0), count_of(7)) == (0, 7)
    assert told_tokens({"output_tokens": 7}, "output_tokens") == 7
    assert told_tokens({}, "output_tokens") == 0
