"""Answers that an earlier run has paid for reach the sinks whatever becomes of the provider."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from batchrun.attempts import Manner
from batchrun.errors import ExitCode
from batchrun.failure import Cause
from batchrun.jobs.job import BackendSpeech, RequestFlags
from batchrun.jobs.reader import Reading, Selection, check_jobs
from batchrun.journal.record import decode_line, encode_result
from batchrun.outcome import Outcome, Status
from batchrun.sinks.sink import Sink
from tests.fakes import Script, Stage, failing
from tests.sinks.fakes import SinkThatFails, SinkThatRemembers
from tests.virtual_time import run_virtual


def nobody(prompt: str, seen: int) -> list[Any]:
    """A provider that cannot be reached."""
    return [failing(Cause.CONNECT)]


def stage_with_kept(place: Path, script: Script, sink: Sink | None, count: int, kept: int, **terms: Any) -> Stage:
    """The run after one whose sink has failed: the answers of the last so many items are kept."""
    place.joinpath("before").mkdir()
    before = Stage(place / "before", lambda prompt, seen: [1.0], count, manner=Manner(sink=SinkThatRemembers()))
    answers = run_virtual(before.run())
    lines = {id: as_kept(answers[id]) for id in sorted(answers, key=lambda id: int(id[1:]))[count - kept :]}
    stage = Stage(place, script, count, manner=Manner(sink=sink), **terms)
    stage.store.lines = lines
    claude, reading = {"claude": BackendSpeech("claude")}, Reading(is_kept=lambda id, request: id in lines)
    stage.jobs = check_jobs(stage.jobs.path, RequestFlags(), claude, lambda id, request: True, Selection(), reading)
    return stage


def as_kept(outcome: Outcome) -> dict[str, Any]:
    failed = {"status": "failed", "final": False, "error": {"cause": "sink", "message": "no disk", "status": None}}
    return decode_line(encode_result(outcome)) | failed


def test_where_all_is_kept_nobody_is_asked_and_no_backend_is_there(tmp_path: Path) -> None:
    """So no key is needed either: there is no lane, and nothing is paid."""
    sink = SinkThatRemembers(wants_deltas=False)
    stage = stage_with_kept(tmp_path, nobody, sink, 3, kept=3)
    assert (stage.jobs.pending, stage.jobs.volumes, stage.jobs.pending_count) == ({}, {}, 3)
    outcomes = run_virtual(stage.run())
    assert {item.id: item.text for item in sink.delivered} == {f"i{n}": f"answer to p{n}" for n in range(3)}
    assert {(outcome.status, outcome.paid_before) for outcome in outcomes.values()} == {(Status.DONE, True)}
    assert (stage.provider.asked, stage.purse.spent.tokens) == ([], 0)


def test_a_provider_that_is_down_holds_up_no_kept_answer(tmp_path: Path) -> None:
    """They stand behind the others in the file, and are delivered all the same before the run gives up."""
    sink = SinkThatRemembers(wants_deltas=False)
    stage = stage_with_kept(tmp_path, nobody, sink, 6, kept=2, give_up=60.0)
    outcomes = run_virtual(stage.run())
    assert {id for id, outcome in outcomes.items() if outcome.status is Status.DONE} == {"i4", "i5"}
    assert stage.stop.codes == {ExitCode.STOPPED_EARLY}


def test_without_a_sink_a_kept_answer_is_finished_as_it_is(tmp_path: Path) -> None:
    """Nobody wants it any more, and it is an answer."""
    outcomes = run_virtual(stage_with_kept(tmp_path, nobody, None, 2, kept=2).run())
    assert {outcome.status for outcome in outcomes.values()} == {Status.DONE}


def test_so_many_are_delivered_at_once_and_no_more(tmp_path: Path) -> None:
    """A thousand texts in memory would stand in line for the sink's threads; those under way are shown."""
    sink = SinkThatRemembers(wants_deltas=False, seconds_a_call=5)
    stage = stage_with_kept(tmp_path, nobody, sink, 40, kept=40)

    async def run() -> float:
        began = asyncio.get_running_loop().time()
        await stage.run()
        return asyncio.get_running_loop().time() - began

    assert run_virtual(run()) == pytest.approx(10, abs=0.1)
    assert [(view.in_flight, view.with_sinks) for view in stage.views[:3]] == [(32, 32), (32, 32), (8, 8)]


def test_a_sink_that_goes_on_failing_ends_the_run_with_all_of_them_kept(tmp_path: Path) -> None:
    """Five in a row, as of any answers; the next run finds them as they were."""
    stage = stage_with_kept(tmp_path, nobody, SinkThatFails(seconds_a_call=0.1), 50, kept=50)
    outcomes = run_virtual(stage.run())
    assert stage.stop.codes == {ExitCode.STOPPED_EARLY}
    assert 5 <= len(outcomes) <= 32
    assert all(outcome.is_kept and outcome.paid_before and outcome.text for outcome in outcomes.values())


def test_what_is_cut_off_on_its_way_stays_kept_as_it_was(tmp_path: Path) -> None:
    """No second record is written: the first one says all."""
    stage = stage_with_kept(tmp_path, nobody, SinkThatRemembers(wants_deltas=False, seconds_a_call=60), 3, kept=3)

    async def run() -> dict[str, Outcome]:
        asyncio.get_running_loop().call_later(5, stage.stop.drain, "SIGTERM received", ExitCode.STOPPED_EARLY)
        return await stage.run()

    assert run_virtual(run()) == {}
