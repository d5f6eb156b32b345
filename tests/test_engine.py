"""The run, in virtual time: who is asked when, what becomes of failures, and how it ends."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from batchrun.errors import ExitCode, JournalError
from batchrun.failure import Cause
from batchrun.gate.law import GateBounds
from batchrun.journal.control import Control, Tuning
from batchrun.lane import GateTerms
from batchrun.outcome import Status
from batchrun.retry import RetryPolicy
from batchrun.terms import Fresh
from tests.fakes import TERMS, Stage, Step, StoreWhoseDiskIsFull, failing
from tests.virtual_time import run_virtual


def calm(prompt: str, seen: int) -> list[Step]:
    return [1.0]


def test_every_item_is_answered_once_with_its_own_text(tmp_path: Path) -> None:
    """No text is lost or mixed up among items in flight."""
    outcomes = run_virtual(Stage(tmp_path, calm, 40).run())
    assert {id: outcome.text for id, outcome in outcomes.items()} == {f"i{n}": f"answer to p{n}" for n in range(40)}
    assert {outcome.status for outcome in outcomes.values()} == {Status.DONE}


def test_never_more_are_in_flight_than_there_are_slots(tmp_path: Path) -> None:
    """The limit of the gate is the limit of open requests."""
    stage = Stage(tmp_path, calm, 40, bounds=GateBounds(max_slots=3))
    run_virtual(stage.run())
    assert stage.provider.most_open == 3


def test_items_are_asked_in_the_order_of_the_file(tmp_path: Path) -> None:
    """What stands first is asked first."""
    stage = Stage(tmp_path, calm, 20, bounds=GateBounds(max_slots=2))
    run_virtual(stage.run())
    assert stage.provider.asked == [f"p{n}" for n in range(20)]


def test_the_gate_grows_while_the_machine_is_idle_and_shrinks_when_it_is_not(tmp_path: Path) -> None:
    """Both can be read in the views of the periods."""
    stage = Stage(tmp_path, lambda prompt, seen: [5.0], 400, bounds=GateBounds(start_slots=4))

    async def run() -> None:
        engine = stage.build()
        async with asyncio.TaskGroup() as group:
            group.create_task(engine.run())
            await asyncio.sleep(20)
            stage.load.cpu = 95.0

    run_virtual(run())
    slots = [view.gates["claude"]["slots"] for view in stage.views]
    assert slots[0] == 4
    assert max(slots) > 6
    assert slots[-1] < max(slots)
    assert stage.views[0].gates["claude"]["limited_by"] == "ramp"
    assert stage.views[-1].gates["claude"]["limited_by"] == "cpu"


@pytest.mark.parametrize(
    "cause",
    [Cause.OVERLOADED, Cause.SERVER_ERROR, Cause.BROKEN, Cause.TRUNCATED, Cause.CONNECT, Cause.PROTOCOL, Cause.LOCAL],
)
def test_a_passing_failure_is_asked_again(tmp_path: Path, cause: Cause) -> None:
    """And counted with its cause."""
    outcomes = run_virtual(Stage(tmp_path, lambda prompt, seen: [failing(cause)] if seen < 2 else [], 3).run())
    assert {outcome.status for outcome in outcomes.values()} == {Status.DONE}
    assert all(outcome.retried == {cause: 2} and outcome.attempts == 3 for outcome in outcomes.values())


def test_a_silent_stream_is_ended_by_the_clock_and_asked_again(tmp_path: Path) -> None:
    """Nothing is raised by the wire; the idle clock is 60 s."""
    stage = Stage(tmp_path, lambda prompt, seen: [1000.0] if seen == 0 else [], 1)
    [outcome] = run_virtual(stage.run()).values()
    assert outcome.retried == {Cause.SILENT: 1}
    assert 60 < outcome.elapsed < 62


def test_attempts_are_used_up_and_the_failure_is_not_final(tmp_path: Path) -> None:
    """The next run asks again."""
    stage = Stage(tmp_path, lambda prompt, seen: [failing(Cause.BROKEN)], 1, retry=RetryPolicy(max_attempts=4))
    [outcome] = run_virtual(stage.run()).values()
    assert (outcome.status, outcome.final, outcome.attempts) == (Status.FAILED, False, 4)
    assert outcome.error == {"cause": "broken", "message": "scripted broken", "status": None}


def test_a_bad_request_fails_at_once_and_alone(tmp_path: Path) -> None:
    """One bad item never drags the batch down."""
    stage = Stage(tmp_path, lambda prompt, seen: [failing(Cause.BAD_REQUEST, 400)] if prompt == "p3" else [1.0], 10)
    outcomes = run_virtual(stage.run())
    assert (outcomes["i3"].status, outcomes["i3"].final, outcomes["i3"].attempts) == (Status.FAILED, True, 1)
    assert sum(outcome.status is Status.DONE for outcome in outcomes.values()) == 9


def test_a_rate_limit_holds_everybody_and_costs_no_attempt(tmp_path: Path) -> None:
    """Nobody is asked while the provider's wait lasts, and 20 refusals do not use up 8 attempts."""
    script = lambda prompt, seen: [failing(Cause.RATE_LIMITED, 429, 30.0)] if seen < 20 and prompt == "p0" else [1.0]  # noqa: E731
    stage = Stage(tmp_path, script, 30, bounds=GateBounds(max_slots=1))
    outcomes = run_virtual(stage.run())
    assert outcomes["i0"].retried == {Cause.RATE_LIMITED: 20}
    assert {outcome.status for outcome in outcomes.values()} == {Status.DONE}
    refused = [at for prompt, at in zip(stage.provider.asked, stage.provider.asked_at, strict=True) if prompt == "p0"][
        :20
    ]
    for moment in refused:
        assert not [at for at in stage.provider.asked_at if moment < at < moment + 30]


def test_a_slot_is_free_while_its_item_backs_off(tmp_path: Path) -> None:
    """With one slot, the others go on while the first waits to be asked again."""
    script = lambda prompt, seen: [failing(Cause.BROKEN)] if prompt == "p0" and seen == 0 else [0.01]  # noqa: E731
    stage = Stage(tmp_path, script, 5, bounds=GateBounds(max_slots=1))
    run_virtual(stage.run())
    assert stage.provider.asked.index("p1") < len(stage.provider.asked) - 1 - stage.provider.asked[::-1].index("p0")


def test_three_refused_credentials_in_a_row_stop_the_run(tmp_path: Path) -> None:
    """Nothing is marked failed, and the code says why."""
    stage = Stage(tmp_path, lambda prompt, seen: [failing(Cause.CREDENTIALS, 401)], 20)
    assert run_virtual(stage.run()) == {}
    assert stage.stop.codes == {ExitCode.NO_CREDENTIALS}


def test_an_unknown_model_is_shelved_and_no_further_item_of_it_is_asked(tmp_path: Path) -> None:
    """Its items stay pending, exit 78."""
    stage = Stage(
        tmp_path, lambda prompt, seen: [failing(Cause.UNKNOWN_MODEL, 404)], 50, bounds=GateBounds(max_slots=2)
    )
    assert run_virtual(stage.run()) == {}
    assert stage.stop.codes == {ExitCode.BAD_CONFIG}
    assert len(stage.provider.asked) <= 3


def test_a_quota_stops_the_run_resumably(tmp_path: Path) -> None:
    """A spend limit lasts for weeks; waiting out the night would be wrong."""
    stage = Stage(tmp_path, lambda prompt, seen: [failing(Cause.QUOTA, 429)], 5)
    assert run_virtual(stage.run()) == {}
    assert stage.stop.codes == {ExitCode.STOPPED_EARLY}


def test_a_bug_of_ours_fails_its_item_only(tmp_path: Path) -> None:
    """And is never asked again in this run."""
    stage = Stage(tmp_path, lambda prompt, seen: [ZeroDivisionError("ours")] if prompt == "p1" else [], 4)
    outcomes = run_virtual(stage.run())
    assert outcomes["i1"].error == {"cause": "bug", "message": "ZeroDivisionError: ours", "status": None}
    assert outcomes["i1"].attempts == 1
    assert sum(outcome.status is Status.DONE for outcome in outcomes.values()) == 3


def test_a_drain_lets_what_is_in_flight_end_and_begins_nothing(tmp_path: Path) -> None:
    """Those that wait to be asked again stay pending."""
    script = lambda prompt, seen: [failing(Cause.BROKEN)] if prompt == "p0" else [10.0]  # noqa: E731
    stage = Stage(tmp_path, script, 30, bounds=GateBounds(max_slots=4))

    async def run() -> dict[str, object]:
        asyncio.get_running_loop().call_later(0.1, stage.stop.drain, "SIGTERM received", ExitCode.STOPPED_EARLY)
        return dict(await stage.run())

    outcomes = run_virtual(run())
    assert set(outcomes) == {"i1", "i2", "i3", "i4"}  # the fourth took the slot that the first gave back
    assert stage.provider.open_now == 0


def test_the_drain_has_an_end(tmp_path: Path) -> None:
    """What has not ended after 20 s is cut off, its connection closed, and stays pending."""
    stage = Stage(tmp_path, lambda prompt, seen: [50.0], 4)

    async def run() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        loop.call_later(5, stage.stop.drain, "SIGTERM received", ExitCode.STOPPED_EARLY)
        assert await stage.run() == {}
        return loop.time() - began

    assert run_virtual(run()) == pytest.approx(25, abs=0.1)
    assert stage.provider.open_now == 0


def test_a_second_signal_ends_the_run_at_once(tmp_path: Path) -> None:
    """Nothing is waited for."""
    stage = Stage(tmp_path, lambda prompt, seen: [50.0], 4)

    async def run() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        loop.call_later(5, stage.stop.drain, "SIGINT received", ExitCode.STOPPED_EARLY)
        loop.call_later(6, stage.stop.halt, ExitCode.INTERRUPTED)
        assert await stage.run() == {}
        return loop.time() - began

    assert run_virtual(run()) == pytest.approx(6, abs=0.1)


def test_a_run_in_which_nothing_finishes_gives_up_with_the_cause(tmp_path: Path) -> None:
    """Silence for ever is the complaint that all this began with."""
    script = lambda prompt, seen: [failing(Cause.RATE_LIMITED, 429, 60.0)]  # noqa: E731
    stage = Stage(tmp_path, script, 5, give_up=600.0)
    assert run_virtual(stage.run()) == {}
    assert stage.stop.codes == {ExitCode.STOPPED_EARLY}
    assert stage.stop.reason is not None
    assert "nothing has finished for 10 min" in stage.stop.reason
    assert "rate_limited" in stage.stop.reason


def test_a_journal_that_fails_ends_the_run_and_counts_nothing(tmp_path: Path) -> None:
    """An item is finished when its record is on disk, and only then."""
    stage = Stage(tmp_path, calm, 5)
    stage.store = StoreWhoseDiskIsFull(JournalError("disk full"))
    with pytest.raises(BaseExceptionGroup) as caught:
        run_virtual(stage.run())
    assert caught.value.subgroup(JournalError) is not None
    assert stage.engine is not None
    assert stage.engine.view().finished["done"] == 0


def test_an_hour_in_which_everything_fails_keeps_a_bounded_number_in_hand(tmp_path: Path) -> None:
    """The file is not pulled into memory by items that wait to be asked again."""
    stage = Stage(tmp_path, lambda prompt, seen: [failing(Cause.BROKEN)] if seen < 3 else [], 3000)
    run_virtual(stage.run())
    assert len(stage.store.outcomes) == 3000
    assert max((view.backing_off for view in stage.views), default=0) <= 1000 + 256


def test_views_add_up(tmp_path: Path) -> None:
    """Finished, pending and total agree in every view."""
    stage = Stage(tmp_path, lambda prompt, seen: [3.0], 60)
    run_virtual(stage.run())
    assert stage.views
    for view in stage.views:
        assert sum(view.finished.values()) + view.pending == view.total == 60
        assert view.in_flight <= view.gates["claude"]["slots"]


def test_settings_that_were_read_again_hold_from_the_next_period_on(tmp_path: Path) -> None:
    """Other bounds, another period; items that have begun are left alone."""
    stage = Stage(tmp_path, lambda prompt, seen: [5.0], 40)
    few = GateTerms(GateBounds(max_slots=2))
    once = iter([Fresh(replace(TERMS, period=0.5), {"claude": few, "idle": few})])
    stage.reread = lambda asked_by_tune: next(once, None)
    assert len(run_virtual(stage.run())) == 40
    assert {view.gates["claude"]["slots"] for view in stage.views} == {2}
    assert stage.views[2].elapsed - stage.views[1].elapsed == pytest.approx(0.5)


def test_a_tuned_run_obeys_within_a_period(tmp_path: Path) -> None:
    """Fewer slots at once, and the views tell it; what runs above the new limit runs to its end."""
    stage = Stage(tmp_path, lambda prompt, seen: [1.0], 200)

    async def run() -> None:
        engine = stage.build()
        async with asyncio.TaskGroup() as group:
            group.create_task(engine.run())
            await asyncio.sleep(5)
            stage.control = Control({"*": Tuning(max_slots=2), "claude": Tuning(target_cpu=50.0)})
            await asyncio.sleep(5)
            assert stage.provider.open_now <= 2

    run_virtual(run())
    assert stage.views[-1].gates["claude"]["tuned"] == {"max_slots": 2, "target_cpu": 50.0}
    assert len(stage.store.outcomes) == 200


def test_a_paused_run_admits_nothing_until_it_is_resumed_and_does_not_give_up(tmp_path: Path) -> None:
    """The operator's pause is no stall."""
    stage = Stage(tmp_path, lambda prompt, seen: [1.0], 50, give_up=60.0)

    async def run() -> list[float]:
        engine, loop = stage.build(), asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            group.create_task(engine.run())
            stage.control = Control({"*": Tuning(paused=True)})
            await asyncio.sleep(600)
            asked = len(stage.provider.asked)
            assert stage.views[-1].gates["claude"]["limited_by"] == "paused"
            stage.control = Control({"*": Tuning(paused=False)})
            await asyncio.sleep(5)
            assert len(stage.provider.asked) > asked
        return [loop.time()]

    run_virtual(run())
    assert len(stage.store.outcomes) == 50
    assert stage.stop.reason is None


def test_connections_are_opened_before_the_first_item_needs_one(tmp_path: Path) -> None:
    """As many as were asked for, but no more than there are slots."""
    stage = Stage(tmp_path, calm, 3, prewarm=100)
    run_virtual(stage.run())
    assert stage.provider.warmed == 8


def test_a_signal_while_the_first_cut_is_closing_changes_nothing(tmp_path: Path) -> None:
    """Connections that take their time to close are no reason for an error at the end."""
    stage = Stage(tmp_path, lambda prompt, seen: [50.0], 2)
    stage.provider.closing_seconds = 5.0
    troubles: list[dict[str, object]] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: troubles.append(context))
        loop.call_later(1, stage.stop.drain, "SIGINT received", ExitCode.STOPPED_EARLY)
        loop.call_later(2, stage.stop.halt, ExitCode.INTERRUPTED)
        loop.call_later(3, lambda: stage.stop.on_halt())  # noqa: PLW0108 - what it will be then, not now
        assert await stage.run() == {}

    run_virtual(run())
    assert troubles == []
