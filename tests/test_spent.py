"""What a run has spent: it adds up, and what is not known never passes for nothing."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.spent import MODELS_NAMED, Charge, Spent, spent_of


def test_a_run_that_just_began_has_spent_nothing_and_knows_no_price() -> None:
    """Nothing was wasted, which is known; what answers cost is not."""
    assert (Spent().usd, Spent().wasted_usd_estimate, Spent().saved_by_cache_usd) == (None, 0.0, None)
    assert Spent().least_usd == 0


def test_charges_add_up_and_unpriced_answers_are_counted_apart() -> None:
    """What the cache saved may be below nothing."""
    spent = Spent().with_charge(Charge(0.5, 0.1)).with_charge(Charge(0.25, -0.3)).with_unpriced("llama3.2")
    assert (spent.usd, spent.items_priced, spent.items_unpriced) == (0.75, 2, 1)
    assert spent.saved_by_cache_usd == pytest.approx(-0.2)
    assert spent.unknown_models == ("llama3.2",)


def test_only_answers_of_unknown_price_cost_an_unknown_amount() -> None:
    """Not 0. An answer whose model has a price, but that came without a usage, names no model."""
    spent = Spent().with_unpriced("a").with_unpriced("a").with_unpriced(None)
    assert (spent.usd, spent.items_unpriced, spent.unknown_models) == (None, 3, ("a",))


def test_waste_without_a_price_makes_the_estimate_unknown_unless_some_is_known() -> None:
    """Then the rest is told by its tokens."""
    unknown = Spent().with_waste(None, 40)
    assert (unknown.wasted_usd_estimate, unknown.wasted_tokens_unpriced) == (None, 40)
    both = unknown.with_waste(0.02, 10).with_waste(None, 5)
    assert (both.wasted_usd_estimate, both.wasted_tokens_unpriced) == (0.02, 45)
    assert both.least_usd == 0.02


def test_no_more_models_are_named_than_anybody_reads() -> None:
    """A gateway may give each answer's model another name."""
    spent = Spent()
    for number in range(10 * MODELS_NAMED):
        spent = spent.with_unpriced(f"model-{number}")
    assert (len(spent.unknown_models), spent.items_unpriced) == (MODELS_NAMED, 10 * MODELS_NAMED)


def test_what_is_written_comes_back() -> None:
    """Through JSON, rounded as the checkpoint's costs are."""
    spent = Spent(0.123456789, 3, 1, None, 40, -0.5, 1000, ("llama3.2",))
    told = orjson.loads(orjson.dumps(spent.told()))
    assert told["usd"] == 0.12345679
    assert spent_of(told) == Spent(0.12345679, 3, 1, None, 40, -0.5, 1000, ("llama3.2",))


@pytest.mark.parametrize("said", [None, 5, [], {"usd": "much"}, {"items_priced": None}, {"tokens": True}])
def test_what_is_nothing_of_the_kind_is_not_known(said: Any) -> None:
    """An older version told nothing; a file may hold anything."""
    assert spent_of(said) is None


def test_a_later_version_may_tell_more_and_an_earlier_one_less() -> None:
    """What is not told is as at the beginning."""
    assert spent_of({"usd": 1.5, "trees": 3}) == Spent(usd=1.5)


@given(st.lists(st.tuples(st.floats(0, 10), st.booleans()), max_size=20))
def test_every_answer_is_counted_once(answers: list[tuple[float, bool]]) -> None:
    """As priced or as unpriced."""
    spent = Spent()
    for usd, is_known in answers:
        spent = spent.with_charge(Charge(usd)) if is_known else spent.with_unpriced(None)
    known = [usd for usd, is_known in answers if is_known]
    assert spent.items_priced + spent.items_unpriced == len(answers)
    assert spent.usd == (pytest.approx(sum(known)) if known else None)
