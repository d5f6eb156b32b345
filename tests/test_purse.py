"""A purse counts each answer and each waste, and says once that a limit is reached."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from batchrun.jobs.job import Job
from batchrun.purse import Limit, Limits, Purse, billed_tokens
from batchrun.spent import Charge
from batchrun.stream.message import Message
from tests.fakes import TariffOfADollar

JOB = Job("a", 1, {"model": "mini", "max_tokens": 9, "messages": []}, "0123456789abcdef", "claude")
MYSTERY = Job("b", 2, {"model": "mystery", "max_tokens": 9, "messages": []}, "0123456789abcdef", "claude")


def answer(usage: dict[str, Any] | None = None, tokens: int = 4, model: str = "mini") -> Message:
    usage = {"input_tokens": 6, "output_tokens": tokens} if usage is None else usage
    return Message("m", model, "Ja.", [], "end_turn", usage, tokens)


NO_LIMITS = Limits()


def purse(limits: Limits = NO_LIMITS) -> tuple[Purse, list[Limit]]:
    """A dollar for a token of output, and whom it told of its limits."""
    heard: list[Limit] = []
    return Purse({"claude": TariffOfADollar("mini")}, limits, heard.append), heard


def test_an_answer_is_paid_by_its_usage() -> None:
    """Its cost goes to its record, and to the sum."""
    paying, _ = purse()
    assert [paying.pay(JOB, answer()), paying.pay(JOB, answer(tokens=2))] == [4.0, 2.0]
    assert (paying.spent.usd, paying.spent.items_priced, paying.spent.tokens) == (6.0, 2, 18)


def test_an_answer_of_a_model_without_a_price_costs_an_unknown_amount() -> None:
    """The model that was asked is named: that is the one which a user can set a price for."""
    paying, _ = purse()
    assert paying.pay(MYSTERY, answer(model="mystery-0.9")) is None
    assert (paying.spent.usd, paying.spent.items_unpriced) == (None, 1)
    assert paying.spent.unknown_models == ("mystery",)


def test_an_answer_without_a_usage_costs_an_unknown_amount_and_counts_for_the_limit() -> None:
    """Its output is known by its length; a provider that tells nothing must not make a limit vain."""
    paying, heard = purse(Limits(usd=3.5))
    assert paying.pay(JOB, answer({})) is None
    assert (paying.spent.items_unpriced, paying.spent.unknown_models, paying.spent.tokens) == (1, (), 4)
    assert (heard, paying.least_usd) == ([Limit.COST], 4.0)


def test_waste_is_estimated_by_the_price_of_output() -> None:
    """Where there is none it is told by its tokens; an attempt that brought nothing is no waste."""
    paying, _ = purse()
    for job, tokens in ((JOB, 3), (MYSTERY, 5), (JOB, 0)):
        paying.waste(job, tokens)
    spent = paying.spent
    assert (spent.wasted_usd_estimate, spent.wasted_tokens_unpriced, spent.tokens) == (3.0, 5, 8)


def test_where_nothing_costs_anything_nothing_is_unpriced() -> None:
    """The embedded provider: no price is unknown, there is none."""
    free = Purse()
    assert free.pay(JOB, answer()) is None
    free.waste(JOB, 3)
    spent = free.spent
    assert (spent.usd, spent.items_unpriced, spent.wasted_usd_estimate, spent.tokens) == (None, 0, 0.0, 13)


@pytest.mark.parametrize(
    ("limits", "limit"), [(Limits(usd=8.0), Limit.COST), (Limits(tokens=20), Limit.TOKENS), (Limits(), None)]
)
def test_a_limit_is_told_once_by_what_reaches_it(limits: Limits, limit: Limit | None) -> None:
    """Exactly at the limit there is nothing left; what was in flight is counted all the same."""
    paying, heard = purse(limits)
    paying.pay(JOB, answer())
    assert heard == []
    for _ in range(3):
        paying.pay(JOB, answer())
    assert heard == ([limit] if limit else [])
    assert paying.spent.usd == 16.0


def test_waste_reaches_a_limit_too() -> None:
    """It was paid for."""
    paying, heard = purse(Limits(usd=5.0))
    paying.pay(JOB, answer())
    paying.waste(JOB, 1)
    assert heard == [Limit.COST]


def test_a_limit_in_tokens_needs_no_price() -> None:
    """Also where the embedded provider answers."""
    heard: list[Limit] = []
    Purse(None, Limits(tokens=10), heard.append).pay(JOB, answer())
    assert heard == [Limit.TOKENS]


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 4}, 10),
        ({"input_tokens": 1, "total_tokens": 50}, 1),
        ({"input_tokens": "many", "output_tokens": -5, "cache_read_input_tokens": True}, 0),
        ({}, 0),
    ],
)
def test_tokens_are_counted_as_they_are_billed(usage: Mapping[str, Any], tokens: int) -> None:
    """What the cache took and gave among them; a gateway may send anything."""
    assert billed_tokens(usage) == tokens


def test_a_purse_shows_how_it_stands_in_one_line() -> None:
    """For the log."""
    paying, _ = purse(Limits(usd=8.0))
    paying.pay(JOB, answer())
    assert repr(paying) == "<Purse 4.0000 USD, 10 tokens of Limits(usd=8.0, tokens=None)>"
    assert TariffOfADollar("mini").charge("", "mini", {"output_tokens": 1}) == Charge(1.0)
