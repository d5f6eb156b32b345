"""One of them is one of them."""

from __future__ import annotations

import pytest

from batchrun.plural import agreed, counted


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 items"), (1, "1 item"), (2, "2 items"), (1.0, "1 item"), (12345, "12,345 items")]
)
def test_a_noun_agrees_with_its_number(number: float, words: str) -> None:
    """Thousands are set apart, and a share that is shown as 1 counts as 1."""
    assert counted(number, "item") == words


def test_a_verb_agrees_too_and_odd_plurals_are_given() -> None:
    """Nothing is guessed."""
    told = [counted(number, "retry is", "retries are") for number in (1, 3)]
    assert told == ["1 retry is", "3 retries are"]
    assert [agreed(number, "has", "have") for number in (1, 2)] == ["has", "have"]
