"""What a run costs, in virtual time: each answer once, waste apart, and an end where a limit is reached."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from batchrun.errors import ExitCode
from batchrun.failure import Cause, Failure
from batchrun.gate.law import GateBounds
from batchrun.purse import Limit, Limits, Purse
from tests.fakes import Pause, Script, Stage, Step, TariffOfADollar
from tests.virtual_time import run_virtual

# Each answer of the scripted provider has four tokens.
ANSWER_USD = 4.0
NO_LIMITS = Limits()


def stage_with(place: Path, script: Script, count: int, limits: Limits = NO_LIMITS, slots: int = 2) -> Stage:
    """A run at a dollar a token that stops as a run does at its limits."""
    stage = Stage(place, script, count, bounds=GateBounds(max_slots=slots))

    def stop(limit: Limit) -> None:
        stage.stop.drain(str(limit), ExitCode.STOPPED_EARLY, is_patient=True)

    stage.purse = Purse({"claude": TariffOfADollar()}, limits, stop)
    return stage


def broken(tokens: int) -> Failure:
    return Failure(Cause.BROKEN, "reset", partial_tokens=tokens)


def test_each_item_has_its_cost_and_the_views_have_the_sum(tmp_path: Path) -> None:
    """The answer's, by its usage."""
    stage = stage_with(tmp_path, lambda prompt, seen: [3.0], 4)
    outcomes = run_virtual(stage.run())
    assert {outcome.cost_usd for outcome in outcomes.values()} == {ANSWER_USD}
    assert stage.engine is not None
    assert (stage.engine.view().spent.usd, stage.engine.view().spent.items_priced) == (16.0, 4)
    assert stage.views[0].spent.usd is None


def test_what_failed_attempts_cost_is_no_cost_of_the_item(tmp_path: Path) -> None:
    """The answer costs what it costs; the rest is waste, by the text that was thrown away."""

    def script(prompt: str, seen: int) -> list[Step]:
        return [broken(7)] if seen < 2 else []

    stage = stage_with(tmp_path, script, 1)
    [outcome] = run_virtual(stage.run()).values()
    assert (outcome.cost_usd, outcome.attempts) == (ANSWER_USD, 3)
    spent = stage.purse.spent
    assert spent.usd == ANSWER_USD
    assert spent.wasted_usd_estimate == outcome.wasted_tokens


def test_an_item_that_failed_has_no_cost_and_leaves_its_waste(tmp_path: Path) -> None:
    """None in its record: nobody knows what it cost; what is known stands in the run's sums."""
    stage = stage_with(tmp_path, lambda prompt, seen: [Failure(Cause.BAD_REQUEST, "no", status=400)], 1)
    [outcome] = run_virtual(stage.run()).values()
    assert outcome.cost_usd is None
    assert stage.purse.spent.least_usd == 0


def test_without_prices_no_item_has_a_cost(tmp_path: Path) -> None:
    """The embedded provider's answers are not free, they have no price."""
    outcomes = run_virtual(Stage(tmp_path, lambda prompt, seen: [], 2).run())
    assert {outcome.cost_usd for outcome in outcomes.values()} == {None}


@pytest.mark.parametrize("limits", [Limits(usd=10.0), Limits(tokens=12)])
def test_at_its_limit_a_run_begins_nothing_new(tmp_path: Path, limits: Limits) -> None:
    """Three answers reach it. What was in flight beside the last, and what took the slot that was just given back, is
    paid and kept; the rest stays pending."""
    stage = stage_with(tmp_path, lambda prompt, seen: [1.0], 50, limits)
    outcomes = run_virtual(stage.run())
    assert set(outcomes) == {"i0", "i1", "i2", "i3", "i4"}
    assert len(stage.provider.asked) == 5
    assert stage.stop.codes == {ExitCode.STOPPED_EARLY}


def test_what_is_in_flight_at_the_limit_is_not_cut_off(tmp_path: Path) -> None:
    """It is paid for, and asked again it would be paid twice; the drain time is for somebody who waits."""
    stage = stage_with(tmp_path, lambda prompt, seen: [1.0] if prompt == "p0" else [50.0], 9, Limits(usd=4.0))
    assert set(run_virtual(stage.run())) == {"i0", "i1", "i2"}
    assert stage.provider.open_now == 0


def test_a_signal_at_the_limit_gives_what_is_in_flight_its_drain_time(tmp_path: Path) -> None:
    """Then somebody does wait."""
    stage = stage_with(tmp_path, lambda prompt, seen: [1.0] if prompt == "p0" else [50.0], 9, Limits(usd=4.0))

    async def run() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        loop.call_later(5, stage.stop.drain, "SIGTERM received", ExitCode.STOPPED_EARLY)
        assert set(await stage.run()) == {"i0"}
        return loop.time() - began

    assert run_virtual(run()) == pytest.approx(25, abs=0.1)


def test_an_item_that_would_be_asked_again_stays_pending_at_the_limit(tmp_path: Path) -> None:
    """Another attempt would be another expense; waste reaches the limit, too."""
    stage = stage_with(tmp_path, lambda prompt, seen: [0.01, broken(0)], 1, Limits(usd=0.5))
    stage.purse.waste(next(stage.jobs.jobs("claude")), 1)
    assert run_virtual(stage.run()) == {}
    assert stage.stop.reason == "max_cost"


# -- an answer in parts ------------------------------------------------------------------------------------------------


def pausing(*then: Step) -> Script:
    """The model pauses after 500 tokens, and what comes then comes."""
    return lambda prompt, seen: [("Well, ",), Pause(500)] if not seen else list(then)


def spent_on(stage: Stage) -> tuple[float | None, int, int, int]:
    """US dollars, items with a price, tokens, and those tokens that came to nothing."""
    assert stage.engine is not None
    spent = stage.purse.spent
    return spent.usd, spent.items_priced, spent.tokens, stage.engine.view().wasted_tokens


def test_an_answer_in_parts_costs_what_its_parts_cost(tmp_path: Path) -> None:
    """It is one item all the same."""
    stage = stage_with(tmp_path, pausing(1.0), 1)
    [outcome] = run_virtual(stage.run()).values()
    assert (outcome.cost_usd, outcome.wasted_tokens) == (504.0, 0)
    assert spent_on(stage) == (504.0, 1, 504, 0)


def test_what_a_model_said_before_it_paused_is_paid_though_the_item_fails(tmp_path: Path) -> None:
    """F23: it was billed when it came; no later failure makes it free. Its tokens came to nothing."""
    stage = stage_with(tmp_path, pausing(Failure(Cause.BAD_REQUEST, "no", status=400)), 1)
    [outcome] = run_virtual(stage.run()).values()
    assert (outcome.cost_usd, outcome.wasted_tokens) == (500.0, 500)
    assert spent_on(stage) == (500.0, 1, 500, 500)


def test_a_pause_may_reach_a_limit(tmp_path: Path) -> None:
    """Else a model that pauses would be asked without end."""
    stage = stage_with(tmp_path, pausing(1.0), 9, Limits(usd=400.0), slots=1)
    assert set(run_virtual(stage.run())) == {"i0"}
    assert stage.stop.reason == "max_cost"


def test_what_was_said_by_an_item_that_stays_pending_is_paid(tmp_path: Path) -> None:
    """A drain in its back-off: the next run asks all of it again."""
    stage = stage_with(tmp_path, pausing(Failure(Cause.SERVER_ERROR, "busy", status=500, retry_after=60.0)), 1)

    async def run() -> None:
        asyncio.get_running_loop().call_later(5, stage.stop.drain, "SIGTERM", ExitCode.STOPPED_EARLY)
        assert await stage.run() == {}

    run_virtual(run())
    assert spent_on(stage) == (500.0, 1, 500, 500)


def test_an_item_that_is_cut_off_in_its_second_part_wastes_both_and_pays_the_first_once(tmp_path: Path) -> None:
    """What the provider has not told yet is estimated by its pieces, those of the second part alone."""
    stage = stage_with(tmp_path, pausing(("a", "b", "c"), 50.0), 1)

    async def run() -> None:
        asyncio.get_running_loop().call_later(5, stage.stop.halt, ExitCode.TERMINATED)
        assert await stage.run() == {}

    run_virtual(run())
    assert spent_on(stage) == (500.0, 1, 503, 503)
    assert stage.purse.spent.wasted_usd_estimate == 3.0
