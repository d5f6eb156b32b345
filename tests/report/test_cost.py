"""What a night cost: known, estimated and unknown apart, and no unknown that passes for nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from batchrun.outcome import Outcome
from batchrun.report.cost import Cost, cost_facts
from batchrun.report.cost_text import cost_block
from batchrun.report.night import How, Night, NightRun
from batchrun.report.summary import summarise
from batchrun.spent import Spent
from tests.report.lines import lines, said
from tests.report.nights import failed, outcome, stamp

RUN = NightRun("run-1", How.ENDED, stamp(0), stamp(3600), 3600.0, 9, 9, "m", 0, "finished", retried={})
NIGHT = Night("jobs.jsonl", "batchrun run jobs.jsonl", (RUN,), 9, stamp(7200))
DAYS = 365.25 / 12


def cost(*outcomes: Outcome, spent: Spent | None = None, night: Night = NIGHT) -> Cost:
    """Of a night with these items, whose run told this."""
    runs = tuple(replace(run, spent=spent) for run in night.runs)
    return summarise(replace(night, runs=runs), lines(*outcomes), []).cost


def page(found: Cost) -> str:
    return said([cost_block(found)])


def test_a_night_costs_what_its_items_cost() -> None:
    """By their records, also of a run that was killed; and a month as much as so many of such days."""
    found = cost(outcome("a", cost_usd=0.5), outcome("b", cost_usd=1.0), spent=Spent(1.5, 2))
    assert (found.usd, found.items_priced, found.usd_an_item) == (1.5, 2, 0.75)
    assert (found.wasted_usd_estimate, found.items_unpriced) == (0.0, 0)
    assert found.month_usd == pytest.approx(1.5 * DAYS)
    assert page(found).splitlines() == [
        "Cost",
        "answers | $1.50 for 2 items, $0.75 an item",
        "a month | $45.66, if each day is like this one",
    ]


def test_what_is_not_known_is_named_and_makes_the_rest_a_lower_bound() -> None:
    """With the table that would make it known."""
    spent = Spent(0.5, 1, 2, unknown_models=("llama3.2",))
    found = cost(outcome("a", cost_usd=0.5), outcome("b"), outcome("c"), spent=spent)
    assert (found.usd, found.items_unpriced, found.unknown_models) == (0.5, 2, ("llama3.2",))
    text = page(found)
    assert '2 items of unknown price; for the next run batchrun.toml can set [prices."llama3.2"]' in text
    assert "a month | at least $15.22" in text


def test_a_night_without_any_price_costs_an_unknown_amount() -> None:
    """null for programs, no figure for people."""
    found = cost(outcome("a"), spent=Spent(None, 0, 1, None, 40, unknown_models=("llama3.2",)))
    facts = cost_facts(found)
    assert (facts["usd"], facts["usd_an_item"], facts["month_usd"], facts["wasted_usd_estimate"]) == (None,) * 4
    text = page(found)
    assert "answers | not known" in text
    assert "waste | 40 tokens of unknown price" in text
    assert "$" not in text


def test_waste_is_told_apart_as_an_estimate() -> None:
    """It is no part of what answers cost, but of what a month costs."""
    found = cost(outcome("a", cost_usd=0.5), spent=Spent(0.5, 1, 0, 0.25, 30))
    assert (found.usd, found.wasted_usd_estimate, found.wasted_tokens_unpriced) == (0.5, 0.25, 30)
    assert found.month_usd == pytest.approx(0.75 * DAYS)
    expected = "about $0.25 on failed attempts (an estimate, without their input); 30 tokens of unknown price"
    assert f"waste | {expected}" in page(found)


def test_an_item_that_was_paid_for_and_failed_all_the_same_is_waste() -> None:
    """Its answer came; nobody has it."""
    found = cost(failed("a", "broken", "no sink took it", cost_usd=0.5), spent=Spent(0.5, 1, 0, 0.25))
    assert (found.usd, found.items_unpriced, found.wasted_usd_estimate) == (None, 0, 0.75)
    assert "no item was answered" in page(found)


def test_an_answer_that_no_sink_took_is_paid_for_and_no_waste() -> None:
    """It is kept, and its cost is exact, however often it could not be delivered; a month costs it too."""
    kept = failed("a", "sink", "no disk", final=False, stop_reason="end_turn", cost_usd=0.5)
    found = cost(kept, kept, kept, spent=Spent(0.5, 1))
    assert (found.usd, found.wasted_usd_estimate) == (None, 0.0)
    assert cost_facts(found)["undelivered"] == {"items": 1, "tokens": 0, "priced": 1, "usd": 0.5}
    assert page(found).splitlines() == [
        "Cost",
        "not delivered | $0.50 for 1 answer; kept",
        "a month | $15.22, if each day is like this one",
    ]
    both = cost(kept, replace(kept, id="b", cost_usd=None), outcome("c", cost_usd=0.2))
    assert "answers | $0.20 for 1 item\n" in page(both)
    assert "not delivered | $0.50 for 1 answer and 1 answer of unknown price; kept" in page(both)
    assert "a month | at least $21.31" in page(both)
    delivered = cost(kept, outcome("a", cost_usd=0.5))
    assert (delivered.usd, delivered.undelivered.items, delivered.undelivered.usd) == (0.5, 0, None)


def test_where_no_run_told_the_items_do() -> None:
    """An older version's runs: costs stand in the records, and what waste cost is not known."""
    found = cost(outcome("a", cost_usd=0.5, wasted_tokens=40, retried={"broken": 1}))
    assert (found.usd, found.wasted_usd_estimate, found.wasted_tokens_unpriced) == (0.5, None, 40)
    assert cost(outcome("a", cost_usd=0.5)).wasted_usd_estimate == 0.0


@pytest.mark.parametrize(
    ("saved", "told"), [(0.4, "cache | saved $0.40"), (-0.4, "cache | cost $0.40 more than it saved"), (0.0, None)]
)
def test_what_the_cache_saved_is_told_where_there_was_one(saved: float, told: str | None) -> None:
    """Summed over the runs of the night."""
    night = replace(NIGHT, runs=(RUN, replace(RUN, run="run-2")))
    found = cost(outcome("a", cost_usd=0.5), spent=Spent(0.5, 1, saved_by_cache_usd=saved / 2), night=night)
    assert found.saved_by_cache_usd == pytest.approx(saved)
    assert ("cache" in page(found)) is (told is not None)
    assert told is None or told in page(found)


@pytest.mark.parametrize(
    ("night", "days"),
    [
        (replace(NIGHT, hours=1.0), 1.0),
        (replace(NIGHT, hours=72.0), 3.0),
        (replace(NIGHT, runs=(replace(RUN, until=stamp(2 * 86400)),)), 2.0),
    ],
    ids=["an hour is looked back over", "three days are", "a run of two days"],
)
def test_a_month_is_reckoned_from_the_time_that_was_looked_at(night: Night, days: float) -> None:
    """At least a day, for the next night begins tomorrow."""
    found = cost(outcome("a", cost_usd=1.0), spent=Spent(1.0, 1), night=night)
    assert found.month_usd == pytest.approx(DAYS / days)


def test_a_simulated_night_has_no_price() -> None:
    """It is said to be simulated, and none of its items is of unknown price."""
    found = cost(outcome("a"), night=replace(NIGHT, simulated=True))
    assert found == Cost(simulated=True)
    assert page(found) == "Cost\nanswers | nothing: simulated"
    assert cost_facts(found)["usd"] is None


def test_small_costs_are_not_rounded_away() -> None:
    """Most items cost less than a thousandth of a dollar."""
    assert cost_facts(cost(outcome("a", cost_usd=0.00000953)))["usd"] == 0.00000953
