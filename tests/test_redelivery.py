"""Answers that an earlier run has paid for reach the sinks whatever becomes of the provider."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from batchrun.attempts import Ended, Manner
from batchrun.errors import ExitCode, JobFileUnreadable, weightiest
from batchrun.failure import Cause, Failure
from batchrun.item import Item, kept_in
from batchrun.jobs.job import Job
from batchrun.jobs.reader import JobFile
from batchrun.journal.record import decode_line, encode_result
from batchrun.outcome import Measure, Outcome, Status
from batchrun.redelivery import Redelivery
from batchrun.sinks.sink import Sink, SinkItem
from batchrun.stream.message import Message
from tests.fakes import Deliveries, Script, Stage, failing
from tests.sinks.fakes import SinkThatFails, SinkThatRemembers
from tests.virtual_time import START, in_virtual_time, run_virtual

JOB = Job(id="a", line=1, body={"model": "claude-haiku-5-5"}, request="0123456789abcdef", backend="claude")
ANSWER = Message("", "claude-haiku-5-5", "Ja.", [{"type": "text", "text": "Ja."}], "end_turn", {}, 7)
PAID = Measure(wall=3.0, tokens=7, ttft=0.5, chunks=7, held_up=1.0)


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
    stage.keep(lines)
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


class KeptOnADiskThatFails(JobFile):
    """Gives one more of the jobs whose answers are kept than are delivered at once, and then no more."""

    def kept_jobs(self) -> Iterator[Job]:
        yield from islice(super().kept_jobs(), 33)
        raise JobFileUnreadable("jobs.jsonl: cannot be read at line 44 (Input/output error); check the disk")


def test_a_job_file_that_cannot_be_read_for_the_kept_ones_drains_the_run(tmp_path: Path) -> None:
    """Exit 66: what is in flight is paid for and ends; what was not read stays kept."""
    sink = SinkThatRemembers(wants_deltas=False, seconds_a_call=1)
    stage = stage_with_kept(tmp_path, lambda prompt, seen: [5.0], sink, 50, kept=40)
    stage.jobs = KeptOnADiskThatFails(**{field.name: getattr(stage.jobs, field.name) for field in fields(stage.jobs)})
    outcomes = run_virtual(stage.run())
    assert 0 < len(stage.provider.asked) <= 10
    assert set(outcomes) == {f"i{n}" for n in range(10, 43)} | {f"i{prompt[1:]}" for prompt in stage.provider.asked}
    assert {outcome.status for outcome in outcomes.values()} == {Status.DONE}
    assert weightiest(stage.stop.codes | {ExitCode.STOPPED_EARLY}) is ExitCode.NO_INPUT
    assert stage.stop.reason is not None
    assert stage.stop.reason.startswith("jobs.jsonl: cannot be read")


def test_a_bug_of_ours_on_the_way_keeps_the_answer_and_ends_no_run(tmp_path: Path) -> None:
    """However many there are: it would end every later run as well, for the answer stays kept."""
    sink = SinkThatRemembers(wants_deltas=False)
    stage = stage_with_kept(tmp_path, nobody, sink, 8, kept=8)
    for n in range(6):
        stage.store.lines[f"i{n}"]["stop_reason"] = ["no text, which nothing of ours expects"]
    outcomes = run_virtual(stage.run())
    assert [item.id for item in sink.delivered] == ["i6", "i7"]
    kept = [outcome for outcome in outcomes.values() if outcome.is_kept]
    assert {outcome.id: outcome.text for outcome in kept} == {f"i{n}": f"answer to p{n}" for n in range(6)}
    assert {(outcome.error or {})["cause"] for outcome in kept} == {Cause.BUG}
    assert all(outcome.paid_before and not outcome.final for outcome in kept)
    assert stage.stop.reason is None


@pytest.mark.parametrize(("name", "odd"), [("text", {}), ("flags", {"flags": None})])
def test_a_line_without_an_answer_in_it_is_left_as_it_is(tmp_path: Path, name: str, odd: dict[str, Any]) -> None:
    """No failure is written over what was paid; the others are delivered, and the run says that something is left."""
    sink = SinkThatRemembers(wants_deltas=False)
    stage = stage_with_kept(tmp_path, nobody, sink, 3, kept=3)
    stage.store.lines["i1"].pop(name, None)
    stage.store.lines["i1"] |= odd
    outcomes = run_virtual(stage.run())
    assert set(outcomes) == {"i0", "i2"} == {item.id for item in sink.delivered}
    assert (stage.stop.reason, stage.stop.codes) == (None, {ExitCode.STOPPED_EARLY})


# -- one of them -------------------------------------------------------------------------------------------------------


class Way:
    """One answer on its way into a sink."""

    def __init__(self, tasks: asyncio.TaskGroup, sink: Sink | None) -> None:
        self.rescued: list[Outcome] = []
        self.item = Item(JOB, asyncio.get_running_loop().time(), kept_in(decode_line(encode_result(_unheard()))))
        self._deliveries = Deliveries(tasks)
        self._redelivery = Redelivery(Manner(sink=sink), self._deliveries.start, self.rescued.append)

    async def make(self) -> Ended:
        return await self._redelivery.make(self.item)

    def cut_off_after(self, seconds: float) -> asyncio.Task[Ended]:
        return self._deliveries.cut_off_after(seconds, self.make())


def _unheard() -> Outcome:
    item = Item(JOB, 0.0)
    item.attempts = 2
    return item.failed(Failure(Cause.SINK, "no disk"), PAID, 3.0, final=False, answer=ANSWER)


@asynccontextmanager
async def way_into(sink: Sink | None) -> AsyncIterator[Way]:
    async with asyncio.TaskGroup() as tasks:
        yield Way(tasks, sink)


@pytest.mark.parametrize("wants_deltas", [True, False])
@in_virtual_time
async def test_an_answer_is_delivered_with_the_measure_of_the_run_that_paid(wants_deltas: bool) -> None:
    """Only what held it up is this run's; whoever wants pieces gets it in one, by the attempt that was paid."""
    sink = SinkThatRemembers(wants_deltas=wants_deltas, seconds_a_call=0.25)
    async with way_into(sink) as way:
        ended = await way.make()
    assert ended == Ended(ANSWER, replace(PAID, held_up=0.25 * (1 + wants_deltas)))
    assert sink.told == ["a/2 Ja."] * wants_deltas + ["a/2 is done: Ja."]


@in_virtual_time
async def test_without_a_sink_nothing_holds_it_up() -> None:
    """Who takes the sink away wants no delivery any more."""
    async with way_into(None) as way:
        assert await way.make() == Ended(ANSWER, replace(PAID, held_up=0.0))


@in_virtual_time
async def test_an_answer_that_is_refused_again_is_kept_again() -> None:
    """For the run after this."""
    async with way_into(SinkThatFails()) as way:
        ended = await way.make()
    assert isinstance(ended.result, Failure)
    assert (ended.result.cause, ended.undelivered, ended.measure.wall) == (Cause.SINK, ANSWER, 3.0)


@in_virtual_time
async def test_an_answer_that_is_cut_off_on_its_way_is_not_failed_once_more() -> None:
    """A night that ends early is no reason to count one of its three runs."""
    async with way_into(SinkThatRemembers(seconds_a_call=60)) as way:
        task = way.cut_off_after(5)
        await asyncio.wait([task])
    assert (task.cancelled(), asyncio.get_running_loop().time() - START, way.rescued) == (True, 5, [])


@in_virtual_time
async def test_an_answer_that_the_sink_has_as_the_run_is_cut_off_is_answered() -> None:
    """Nothing is delivered a second time for that moment."""

    class SinkThatIsDoneAsTheRunIsCutOff(SinkThatRemembers):
        """Cuts it off itself."""

        async def deliver(self, item: SinkItem) -> None:
            task.cancel()

    async with way_into(SinkThatIsDoneAsTheRunIsCutOff()) as way:
        task = way.cut_off_after(60)
        await asyncio.wait([task])
    assert task.cancelled()
    assert [(outcome.status, outcome.paid_before) for outcome in way.rescued] == [(Status.DONE, True)]
