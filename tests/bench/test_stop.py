"""`bench stop` counts what was really received, and says what it had to reckon."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from batchrun.bench.endpoint import Endpoint
from batchrun.bench.stop import StopComparison, StopPlan, stop_comparison
from batchrun.bench.stop_worker import measure

EARLY = {"min_tokens": 20, "sentence_end": True}


async def measured(endpoint: Endpoint, rule: dict[str, Any], items: int = 3) -> StopComparison:
    plan = StopPlan(items=items, concurrency=3, max_tokens=400, stop_when=rule)
    told = await measure({"endpoint": asdict(endpoint), "plan": asdict(plan)})
    return stop_comparison(endpoint, plan, told)


async def test_a_stopped_item_uses_fewer_tokens_than_the_same_one_whole(quick: Endpoint) -> None:
    """Every item is asked in both ways; the savings are those of the two figures, and of max_tokens."""
    figures = await measured(quick, EARLY)
    whole, stopped = figures.kinds
    assert [(kind.items, kind.failed) for kind in figures.kinds] == [(3, 0)] * 2
    assert (whole.ended_by_rule, stopped.ended_by_rule) == ({}, {"sentence_end": 3})
    assert whole.tokens
    assert stopped.tokens
    assert stopped.tokens < whole.tokens
    assert figures.saved_of_whole == 1 - stopped.tokens / whole.tokens
    assert figures.saved_of_max_tokens == 1 - stopped.tokens / 400
    assert figures.whole_below_max_tokens == 1 - whole.tokens / 400


async def test_what_no_provider_tells_is_marked_as_reckoned(quick: Endpoint) -> None:
    """Whole answers have the provider's number, an event each and a few round them; stopped ones an estimate."""
    figures = await measured(quick, EARLY)
    whole, stopped = figures.kinds
    assert (whole.is_estimated, stopped.is_estimated) == (False, True)
    assert whole.events_sent
    assert whole.at_rule is None
    assert stopped.at_rule
    assert stopped.tokens
    assert stopped.events_sent
    assert stopped.at_rule <= stopped.tokens
    assert whole.tokens
    assert stopped.events_sent < whole.tokens < whole.events_sent < whole.tokens + 10


async def test_a_rule_that_never_holds_saves_nothing(quick: Endpoint) -> None:
    """The answers are whole both times, and nothing is estimated."""
    figures = await measured(quick, {"max_chars": 10**6})
    whole, stopped = figures.kinds
    assert (stopped.ended_by_rule, stopped.is_estimated, stopped.at_rule) == ({}, False, None)
    assert stopped.tokens == whole.tokens
    assert figures.saved_of_whole == 0


async def test_what_the_provider_had_sent_already_is_told(instant: Endpoint) -> None:
    """Where everything comes at once a client may stop early, and yet the whole answer was generated; with the end in
    the same bytes, that is what it counts."""
    whole, stopped = (await measured(instant, EARLY)).kinds
    assert whole.tokens
    assert stopped.tokens
    assert stopped.events_sent
    assert stopped.tokens <= whole.tokens <= stopped.events_sent


async def test_a_stopped_answer_is_paid_for_as_if_it_were_whole(paid: Endpoint) -> None:
    """Nobody tells what it cost, so the budget takes the most: it holds, and is soon used up."""
    figures = await measured(paid, EARLY, items=6)
    assert figures.is_budget_used_up
    assert figures.spent_usd <= 0.005
    assert figures.kinds[0].events_sent is None


@pytest.mark.parametrize("kind", [0, 1])
async def test_nothing_answered_is_no_figure(kind: int, instant: Endpoint) -> None:
    """Neither tokens nor savings are made up where everything failed."""
    plan = StopPlan(items=1, stop_when=EARLY)
    failed = {"samples": [{"total": 1.0, "connections": 1, "cause": "broken"}], "cpu_seconds": 0.1, "events_sent": 7}
    told = {"kinds": {"whole": failed, "stopped": failed}, "spent_usd": 0.0, "is_budget_used_up": False}
    figures = stop_comparison(instant, plan, told)
    assert (figures.kinds[kind].failed, figures.kinds[kind].causes) == (1, {"broken": 1})
    assert (figures.kinds[kind].tokens, figures.kinds[kind].events_sent, figures.kinds[kind].total) == (
        None,
        None,
        None,
    )
    assert (figures.saved_of_whole, figures.saved_of_max_tokens, figures.characters_a_token) == (None, None, None)
