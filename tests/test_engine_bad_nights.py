"""A provider's bad night, in virtual time: what a run does when a backend is dead, ill or full, and when it has to end
before its items do."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from batchrun.curfew import Curfew, MaxFailures
from batchrun.errors import ExitCode
from batchrun.failure import Cause, Failure
from batchrun.gate.law import GateBounds, LimitedBy
from batchrun.jobs.job import BackendSpeech, RequestFlags
from batchrun.jobs.reader import check_jobs
from batchrun.journal.control import Control, Tuning
from batchrun.outcome import Outcome, Status
from batchrun.retry import RetryPolicy
from tests.fakes import Stage, Step, failing
from tests.virtual_time import START, run_virtual


def calm(prompt: str, seen: int) -> list[Step]:
    return [1.0]


class Outage:
    """Nobody is reached until a moment of the loop's clock; from then on all is well."""

    def __init__(self, seconds: float, cause: Cause = Cause.CONNECT) -> None:
        self.until = START + seconds
        self.cause = cause

    def __call__(self, prompt: str, seen: int) -> list[Step]:
        return [failing(self.cause)] if asyncio.get_running_loop().time() < self.until else [1.0]


@pytest.mark.parametrize("items", [1, 50])
def test_an_hour_without_a_network_costs_no_item_its_attempts(tmp_path: Path, items: int) -> None:
    """F30: fifty items stay fifty items; when the network is back they are answered, and few were asked meanwhile."""
    stage = Stage(tmp_path, Outage(3000), items, retry=RetryPolicy(max_attempts=8))
    outcomes = run_virtual(stage.run())
    assert {outcome.status for outcome in outcomes.values()} == {Status.DONE}
    asked_meanwhile = sum(moment < START + 3000 for moment in stage.provider.asked_at)
    assert asked_meanwhile < 3000 / 30 + 8 + 10 * 8


def test_a_dead_provider_fails_no_item_and_ends_the_run_resumably(tmp_path: Path) -> None:
    """The circuit probes, the give-up ends it with the cause, and nothing is marked failed."""
    stage = Stage(tmp_path, lambda prompt, seen: [failing(Cause.SERVER_ERROR, 503)], 50, give_up=600.0)
    assert run_virtual(stage.run()) == {}
    assert stage.stop.codes == {ExitCode.STOPPED_EARLY}
    assert stage.stop.reason is not None
    assert "server_error" in stage.stop.reason
    assert any(view.gates["claude"]["limited_by"] == LimitedBy.OUTAGE for view in stage.views)


def test_a_proxy_that_drops_each_connection_fails_no_item(tmp_path: Path) -> None:
    """F30: what was reached was only the proxy; fifty items must not become fifty failures."""
    dropped = Failure(Cause.BROKEN, "disconnected without an answer", is_unanswered=True)
    stage = Stage(tmp_path, lambda prompt, seen: [dropped], 50, give_up=600.0)
    assert run_virtual(stage.run()) == {}
    assert stage.stop.codes == {ExitCode.STOPPED_EARLY}
    assert any(view.gates["claude"]["limited_by"] == LimitedBy.OUTAGE for view in stage.views)


def test_forty_failures_at_once_are_probed_after_a_second(tmp_path: Path) -> None:
    """A short trouble costs a short wait, however many were on their way."""
    stage = Stage(tmp_path, Outage(0.5), 50, bounds=GateBounds(start_slots=40))
    outcomes = run_virtual(stage.run())
    assert {outcome.status for outcome in outcomes.values()} == {Status.DONE}
    assert min(moment for moment in stage.provider.asked_at if moment > START) <= START + 1.1


def test_three_items_that_kill_their_worker_are_failed_in_the_end(tmp_path: Path) -> None:
    """Nobody else is left who could show that the provider lives; their probes are their attempts."""
    stage = Stage(tmp_path, lambda prompt, seen: [failing(Cause.SERVER_ERROR, 500)], 3, give_up=3600.0)
    outcomes = run_virtual(stage.run())
    assert {(outcome.status, outcome.final) for outcome in outcomes.values()} == {(Status.FAILED, False)}


def test_an_overloaded_provider_is_spared(tmp_path: Path) -> None:
    """F17: slots are cut at each wave, and grow again when it answers."""
    script = lambda prompt, seen: [failing(Cause.OVERLOADED, 529)] if prompt < "p3" and not seen else [4.0]  # noqa: E731
    stage = Stage(tmp_path, script, 60, bounds=GateBounds(start_slots=20))
    outcomes = run_virtual(stage.run())
    assert {outcome.status for outcome in outcomes.values()} == {Status.DONE}
    slots = [view.gates["claude"]["slots"] for view in stage.views]
    assert min(slots) < 20
    assert slots[-1] > min(slots)


def test_retries_wait_their_turn_while_others_are_asked_first(tmp_path: Path) -> None:
    """Where every second attempt fails, retries are held to their share for as long as there is anything else."""
    script = lambda prompt, seen: [failing(Cause.TRUNCATED)] if not seen else [1.0]  # noqa: E731
    stage = Stage(tmp_path, script, 400, bounds=GateBounds(start_slots=20))
    outcomes = run_virtual(stage.run())
    assert {outcome.status for outcome in outcomes.values()} == {Status.DONE}
    asked = stage.provider.asked
    meanwhile = asked[: asked.index("p399")]
    assert len(meanwhile) - len(set(meanwhile)) <= 0.3 * len(meanwhile) + 1


def test_a_deadline_stops_admission_and_lets_the_rest_end(tmp_path: Path) -> None:
    """What is in flight drains; the rest stays pending: exit 75."""
    began = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)
    stage = Stage(tmp_path, lambda prompt, seen: [10.0], 4000, curfew=Curfew(deadline=began + timedelta(seconds=65)))
    stage.wall_clock = lambda: began + timedelta(seconds=asyncio.get_running_loop().time() - START)
    outcomes = run_virtual(stage.run())
    assert 0 < len(outcomes) < 4000
    assert {outcome.status for outcome in outcomes.values()} == {Status.DONE}
    assert max(stage.provider.asked_at) <= START + 65
    assert stage.stop.codes == {ExitCode.STOPPED_EARLY}
    assert stage.stop.reason == "the deadline of 22:01 has come"


def test_a_length_of_time_stops_a_run_to_the_second(tmp_path: Path) -> None:
    """Not at the next period only."""
    stage = Stage(tmp_path, calm, 4000, period=60.0, curfew=Curfew(max_time=25.0))
    run_virtual(stage.run())
    assert START + 24 <= max(stage.provider.asked_at) <= START + 25.5


def test_too_many_failures_stop_a_run(tmp_path: Path) -> None:
    """A prompt that is wrong in every line need not be paid a million times."""
    script = lambda prompt, seen: [failing(Cause.BAD_REQUEST, 400)]  # noqa: E731
    stage = Stage(tmp_path, script, 4000, curfew=Curfew(max_failures=MaxFailures(count=10)))
    outcomes = run_virtual(stage.run())
    assert 10 <= len(outcomes) < 40
    assert stage.stop.codes == {ExitCode.STOPPED_EARLY}


def test_a_wait_that_would_pass_the_deadline_is_not_begun(tmp_path: Path) -> None:
    """F16: the run stops at once, and nothing is marked failed."""
    script = lambda prompt, seen: [failing(Cause.RATE_LIMITED, 429, 300.0)]  # noqa: E731
    stage = Stage(tmp_path, script, 5, curfew=Curfew(max_time=120.0))
    assert run_virtual(stage.run()) == {}
    assert stage.stop.codes == {ExitCode.STOPPED_EARLY}
    assert max(stage.provider.asked_at) < START + 1


# -- giving up ---------------------------------------------------------------------------------------------------------


def test_a_backend_that_said_when_it_is_back_is_waited_for(tmp_path: Path) -> None:
    """Two holds together may be longer than the patience; what was announced is no silence."""

    def script(prompt: str, seen: int) -> list[Step]:
        is_back = asyncio.get_running_loop().time() >= START + 36
        return [1.0] if is_back else [failing(Cause.RATE_LIMITED, 429, 18.0)]

    stage = Stage(tmp_path, script, 30, give_up=25.0, retry=RetryPolicy(longest_wait=25.0))
    outcomes = run_virtual(stage.run())
    assert {outcome.status for outcome in outcomes.values()} == {Status.DONE}
    assert stage.stop.reason is None


def test_a_backend_that_only_ever_announces_itself_is_not_waited_for_all_night(tmp_path: Path) -> None:
    """No longer than one wait may be, and then the patience."""
    script = lambda prompt, seen: [failing(Cause.RATE_LIMITED, 429, 18.0)]  # noqa: E731
    stage = Stage(tmp_path, script, 3, give_up=25.0, retry=RetryPolicy(longest_wait=25.0))

    async def run() -> float:
        assert await stage.run() == {}
        return asyncio.get_running_loop().time() - START

    assert run_virtual(run()) == pytest.approx(50.0, abs=0.1)
    assert stage.stop.codes == {ExitCode.STOPPED_EARLY}


def test_a_paused_backend_is_waited_for_though_the_others_are_worked_off(tmp_path: Path) -> None:
    """Whoever has nothing left to do is no sign that anything goes on."""
    path = tmp_path / "two.jsonl"
    names = ["claude"] * 3 + ["local"] * 40
    lines = [{"id": f"i{n}", "prompt": f"p{n}", "backend": name} for n, name in enumerate(names)]
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    stage = Stage(tmp_path, calm, give_up=60.0)
    backends = {name: BackendSpeech(name) for name in ("claude", "local")}
    stage.jobs = check_jobs(path, RequestFlags(), backends, lambda id, request: True)

    async def run() -> dict[str, Outcome]:
        stage.control = Control({"local": Tuning(paused=True)})
        asyncio.get_running_loop().call_later(600, setattr, stage, "control", Control({}))
        return await stage.run()

    assert len(run_virtual(run())) == 43
    assert stage.stop.reason is None


def test_a_last_look_that_comes_early_tells_the_true_pace(tmp_path: Path) -> None:
    """Two seconds of a period of sixty are two seconds."""
    stage = Stage(tmp_path, lambda prompt, seen: [("a",) * 20, 30.0], 1, period=60.0, curfew=Curfew(max_time=2.0))

    async def run() -> float:
        engine = stage.build()
        async with asyncio.TaskGroup() as group:
            group.create_task(engine.run())
            await asyncio.sleep(2.5)
        return stage.views[0].tok_s

    assert run_virtual(run()) == pytest.approx(10.0)
