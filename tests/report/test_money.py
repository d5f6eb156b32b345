"""Money in words: what is known as a figure, what is not by its name, and never one for the other."""

from __future__ import annotations

import pytest

from batchrun.prices.bill import Outlook, PriceRange
from batchrun.report.money import outlook_words, spent_words
from batchrun.spent import Spent

SPAN = PriceRange(0.12, 3.4)


@pytest.mark.parametrize(
    ("outlook", "said"),
    [
        (Outlook(SPAN), "cost $0.12 to $3.40"),
        (Outlook(SPAN, ("llama3.2", "mini")), "cost $0.12 to $3.40, without llama3.2, mini (no known price)"),
        (Outlook(SPAN, (), ("gpt-5",)), "cost $0.12 to $3.40, without gpt-5 (not every item has a bound)"),
        (Outlook(None, ("llama3.2",)), "cost unknown: no price is known for llama3.2"),
        (Outlook(None, (), ("gpt-5",)), "cost unknown: not every item of gpt-5 has a bound"),
        (Outlook(PriceRange(0.0, 0.0)), "cost $0.00 to $0.00"),
    ],
)
def test_the_start_line_tells_what_a_run_may_cost(outlook: Outlook, said: str) -> None:
    """From and to; models that are not in it are named with the reason."""
    assert outlook_words(outlook) == said


@pytest.mark.parametrize(
    ("spent", "said"),
    [
        (Spent(), ""),
        (Spent(1.5, 3), "$1.50"),
        (Spent(0.0, 3), "$0.00"),
        (Spent(None, 0, 1), "1 item of unknown price"),
        (Spent(1.5, 3, 2, 0.25), "$1.50, 2 items of unknown price, about $0.25 more on failed attempts"),
        (Spent(1.5, 3, 0, None, 40), "$1.50"),
    ],
)
def test_what_was_spent_is_told_as_far_as_it_is_known(spent: Spent, said: str) -> None:
    """Nothing is said where there is nothing to say."""
    assert spent_words(spent) == said
