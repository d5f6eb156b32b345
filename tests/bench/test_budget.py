"""A budget is never passed."""

from __future__ import annotations

import pytest

from batchrun.bench.budget import Budget, reckon
from batchrun.bench.endpoint import EMBEDDED, Endpoint, share_of
from batchrun.prices.bill import Rates
from batchrun.providers.provider import BackendConfig


def test_input_and_output_have_prices_of_their_own() -> None:
    """US dollars a million tokens."""
    assert reckon(Rates(1.0, 10.0), 100, 50) == pytest.approx(0.0006)


def test_what_is_in_flight_counts_at_its_dearest() -> None:
    """Of two requests that might each use up the budget only one is let through."""
    budget = Budget(0.001)
    assert budget.set_aside(0.0006)
    assert not budget.set_aside(0.0006)
    assert budget.is_used_up


def test_what_an_answer_did_not_use_can_be_spent_again() -> None:
    """Booked is what was billed; the rest of what was set aside is free."""
    budget = Budget(0.001)
    assert budget.set_aside(0.0006)
    budget.book(0.0006, used=0.0001)
    assert budget.spent == pytest.approx(0.0001)
    assert budget.set_aside(0.0008)
    assert not budget.is_used_up


def test_a_budget_that_is_used_up_stays_so() -> None:
    """A smaller request that would still fit is refused as well: a bench of small requests alone would tell a lie."""
    budget = Budget(0.001)
    assert not budget.set_aside(0.002)
    assert not budget.set_aside(0.000001)


def test_without_a_price_nothing_is_spent() -> None:
    """A free endpoint needs a budget of 0 and never uses it up; the embedded provider needs none."""
    for budget in (Budget(0.0), Budget(None)):
        assert budget.set_aside(0.0)
        budget.book(0.0, used=0.0)
        assert budget.spent == 0


def test_each_worker_gets_an_equal_share_of_what_is_left() -> None:
    """And never less than nothing; the embedded provider stays free."""
    endpoint = Endpoint(BackendConfig(base_url="https://x"), budget_usd=1.0, rates=Rates(1.0, 1.0))
    assert share_of(endpoint, 0.25, 3).budget_usd == 0.25
    assert share_of(endpoint, 2.0, 1).budget_usd == 0
    assert share_of(EMBEDDED, 2.0, 1).budget_usd is None
