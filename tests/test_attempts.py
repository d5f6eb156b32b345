"""One attempt of a run, with its sinks and its rule, in virtual time: however it goes, it ends as a value."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from batchrun.attempts import CUT_OFF, Attempts, Ended, Hands, Manner
from batchrun.failure import Cause, Failure
from batchrun.gate.law import GateBounds
from batchrun.item import Item
from batchrun.jobs.job import Job
from batchrun.lane import GateTerms, Lane
from batchrun.outcome import Outcome, Status
from batchrun.sinks.sink import Sink, SinkItem
from batchrun.stream.message import Message
from batchrun.stream.meter import Account
from batchrun.stream.stop_rule import parse_stop_when
from tests.fakes import Deliveries, ScriptedProvider, Step, failing
from tests.sinks.fakes import SinkThatFails, SinkThatRemembers
from tests.virtual_time import START, in_virtual_time, settle

BODY = {"model": "claude-haiku-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "p"}]}
JOB = Job(id="a", line=1, body=BODY, request="0123456789abcdef", backend="claude")
BROKEN = failing(Cause.BROKEN)


def now() -> float:
    """Seconds since the test began."""
    return asyncio.get_running_loop().time() - START


class Room:
    """Attempts with somebody's hands, at a provider that plays a script, and at each further attempt the next one."""

    def __init__(self, tasks: asyncio.TaskGroup, manner: Manner, *scripts: Sequence[Step]) -> None:
        self.rescued: list[Outcome] = []
        self.wasted = 0
        self._deliveries = Deliveries(tasks)
        self.provider = ScriptedProvider(lambda prompt, seen: scripts[min(seen, len(scripts) - 1)])
        self.attempts = Attempts(manner, Hands(self._deliveries.start, self.rescued.append, self._waste, self._pay))
        self._lane = Lane.open("claude", self.provider, GateTerms(GateBounds()), asyncio.get_running_loop().time)

    def item(self, job: Job = JOB) -> Item:
        return Item(job, asyncio.get_running_loop().time())

    async def make(self, item: Item | None = None) -> Ended:
        return await self.attempts.make(item or self.item(), self._lane, Account())

    def cut_off_after(self, seconds: float, item: Item | None = None) -> asyncio.Task[Ended]:
        return self._deliveries.cut_off_after(seconds, self.make(item))

    def _waste(self, job: Job, tokens: int) -> None:
        self.wasted += tokens

    def _pay(self, job: Job, message: Message, goes_on: bool) -> float | None:
        return None


@asynccontextmanager
async def room(
    *script: Step, then: Sequence[Step] = (), sink: Sink | None = None, **manner: Any
) -> AsyncIterator[Room]:
    async with asyncio.TaskGroup() as tasks:
        yield Room(tasks, Manner(sink=sink, **manner), script, then or script)


def text_of(ended: Ended) -> str:
    assert isinstance(ended.result, Message), ended
    return ended.result.text


def failure_of(ended: Ended) -> Failure:
    assert isinstance(ended.result, Failure), ended
    return ended.result


# -- without sinks -----------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_an_answer_comes_with_its_measure() -> None:
    """The attempt is counted, measured, and no longer under way."""
    async with room(2.0) as made:
        item = made.item()
        ended = await made.make(item)
        assert (text_of(ended), ended.measure.wall, ended.measure.tokens) == ("answer to p", 2.0, 4)
        assert (item.attempts, made.attempts.chunks, repr(made.attempts)) == (1, 0, "<Attempts 0 under way>")


@in_virtual_time
async def test_a_failure_comes_as_a_value() -> None:
    """With what was received in vain."""
    async with room(("Half an ",), BROKEN) as made:
        failure = failure_of(await made.make())
        assert (failure.cause, failure.partial_tokens) == (Cause.BROKEN, 2)


@in_virtual_time
async def test_a_bug_comes_as_a_value_too() -> None:
    """It must not take the whole night with it; a sink hears that what it was given is void."""
    sink = SinkThatRemembers()
    async with room(("Half",), 1.0, ZeroDivisionError("ours"), sink=sink) as made:
        failure = failure_of(await made.make())
        assert (failure.cause, failure.message) == (Cause.BUG, "ZeroDivisionError: ours")
    assert sink.told == ["a/1 Half", "a/1 is void"]


@in_virtual_time
async def test_what_comes_is_counted_while_it_comes() -> None:
    """About a token a piece, for the pace that is shown."""
    async with room(("a", "b", "c"), 5.0) as made:
        task = made.cut_off_after(1)
        await settle()
        assert made.attempts.chunks == 3
        await asyncio.wait([task])
    assert (task.cancelled(), made.wasted, made.rescued) == (True, 3, [])


@in_virtual_time
async def test_a_run_that_has_heard_enough_stops_every_answer() -> None:
    """Unless its line has a rule of its own."""
    async with room(("One. ", "Two. ", "Three. "), stop_when=parse_stop_when({"max_chars": 4})) as made:
        ended = await made.make()
        assert (text_of(ended), ended.measure.tokens) == ("One.", 5)
        own = replace(JOB, stop_when={"max_chars": 7})
        assert text_of(await made.make(made.item(own))) == "One. Tw"


class CountedWhileOthersBegin:
    """What is under way, and each look at it lets another one begin: so it is where the live view looks from a thread
    of its own."""

    def __init__(self, others: Any) -> None:
        self._others = others

    @property
    def chunks(self) -> int:
        begin(self._others)
        return 1

    is_waiting = chunks


def begin(under_way: Any) -> None:
    """One more, in a set or in a dictionary by backend."""
    one = CountedWhileOthersBegin(under_way)
    if isinstance(under_way, set):
        under_way.add(one)
    else:
        under_way[one] = "a"


@pytest.mark.parametrize(("figure", "kept_in"), [("chunks", "_meters"), ("with_sinks", "_deliveries")])
@in_virtual_time
async def test_what_is_under_way_can_be_counted_while_it_changes(figure: str, kept_in: str) -> None:
    """A set that grows in mid-count would end the live view for the rest of the night."""
    async with room() as made:
        under_way = getattr(made.attempts, kept_in)
        begin(under_way)
        assert getattr(made.attempts, figure) == 1
        assert len(under_way) == 2


# -- with sinks --------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_it_ends_when_the_sink_has_the_answer() -> None:
    """Its lag is part of the wall, and told apart from it."""
    sink = SinkThatRemembers(seconds_a_call=2)
    async with room(1.0, sink=sink) as made:
        ended = await made.make()
    assert (text_of(ended), ended.measure.wall, ended.measure.held_up) == ("answer to p", 5.0, 4.0)
    assert sink.told == ["a/1 answer to p", "a/1 is done: answer to p"]


@in_virtual_time
async def test_a_sink_is_told_who_it_is_that_comes() -> None:
    """Id, attempt, model, and the user's own metadata."""
    sink = SinkThatRemembers(wants_deltas=False)
    async with room(sink=sink) as made:
        await made.make(made.item(replace(JOB, metadata={"site": "b"})))
    [item] = sink.delivered
    assert (item.id, item.attempt, item.model, item.metadata) == ("a", 1, "claude-haiku-5-5", {"site": "b"})


@in_virtual_time
async def test_deltas_end_where_the_answer_ends() -> None:
    """A rule cuts both."""
    sink = SinkThatRemembers()
    async with room(("One. ", "Two. ", "Three. "), sink=sink, stop_when=parse_stop_when({"max_chars": 7})) as made:
        await made.make()
    assert sink.told == ["a/1 One. ", "a/1 Tw", "a/1 is done: One. Tw"]


@in_virtual_time
async def test_a_sink_that_refuses_the_answer_leaves_it_in_our_hands() -> None:
    """It is whole and paid: nothing is wasted."""
    async with room(1.0, sink=SinkThatFails(wants_deltas=False)) as made:
        ended = await made.make()
    failure = failure_of(ended)
    assert (failure.cause, failure.partial_tokens) == (Cause.SINK, 0)
    assert failure.message.startswith("broken: it failed at 'a/1 is done")
    assert ended.undelivered is not None
    assert (ended.undelivered.text, ended.measure.tokens) == ("answer to p", 4)


@pytest.mark.parametrize("size", [1, 16])
@in_virtual_time
async def test_an_answer_whose_sink_fails_in_the_middle_is_read_to_its_end(size: int) -> None:
    """Begun means paid: closed there, the whole of it would be asked and paid again. Also while the pipe is full."""
    sink = SinkThatFails(after=1, seconds_a_call=1)
    async with room(("One. ", "Two. ", "Three. ", "Four. "), 5.0, sink=sink, buffer=size) as made:
        ended = await made.make()
    assert failure_of(ended).cause is Cause.SINK
    assert ended.undelivered is not None
    assert ended.undelivered.text == "One. Two. Three. Four. answer to p"
    assert sink.told == ["a/1 One. ", "a/1 Two. "]
    assert made.provider.open_now == 0


@in_virtual_time
async def test_where_both_fail_there_is_nothing_to_keep() -> None:
    """And nothing to try again for: the sink would not take it."""
    async with room(("Half", " an "), 2.0, BROKEN, sink=SinkThatFails()) as made:
        ended = await made.make()
    assert (failure_of(ended).cause, failure_of(ended).partial_tokens, ended.undelivered) == (Cause.SINK, 2, None)


@in_virtual_time
async def test_a_new_attempt_begins_anew_for_the_sink() -> None:
    """It hears that the first is void, and then a higher number."""
    sink = SinkThatRemembers()
    async with room(("Half",), 1.0, BROKEN, then=[2.0], sink=sink) as made:
        item = made.item()
        assert failure_of(await made.make(item)).cause is Cause.BROKEN
        assert text_of(await made.make(item)) == "answer to p"
    assert sink.told == ["a/1 Half", "a/1 is void", "a/2 answer to p", "a/2 is done: answer to p"]


@in_virtual_time
async def test_whatever_a_sink_raises_is_its_own_failure() -> None:
    """A fault of ours in a sink costs its item, and not the run from whose tasks it would come up."""

    class SinkWithABug(SinkThatRemembers):
        """Trips over itself."""

        async def deliver(self, item: SinkItem) -> None:
            raise ZeroDivisionError

    async with room(sink=SinkWithABug()) as made:
        ended = await made.make()
    assert failure_of(ended).message.startswith("memory: ZeroDivisionError")
    assert ended.undelivered is not None


# -- a run that is cut off ---------------------------------------------------------------------------------------------


@in_virtual_time
async def test_an_answer_that_is_cut_off_on_its_way_into_the_sink_is_rescued() -> None:
    """It is paid; the next run has only to deliver it."""
    async with room(1.0, sink=SinkThatRemembers(wants_deltas=False, seconds_a_call=60)) as made:
        task = made.cut_off_after(5)
        await asyncio.wait([task])
    assert (task.cancelled(), now(), made.wasted) == (True, 5, 0)
    [outcome] = made.rescued
    assert (outcome.status, outcome.final, outcome.text, outcome.is_kept) == (Status.FAILED, False, "answer to p", True)
    assert outcome.error == {"cause": "sink", "message": CUT_OFF, "status": None}
    assert (outcome.measure.wall, outcome.measure.held_up) == (5.0, 4.0)


@in_virtual_time
async def test_an_answer_that_the_sink_has_at_that_moment_is_answered() -> None:
    """Between its last word and our next step the run may be cut off: nothing is delivered a second time for it."""

    class SinkThatIsDoneAsTheRunIsCutOff(SinkThatRemembers):
        """Cuts it off itself."""

        async def deliver(self, item: SinkItem) -> None:
            task.cancel()

    async with room(sink=SinkThatIsDoneAsTheRunIsCutOff()) as made:
        task = made.cut_off_after(60)
        await asyncio.wait([task])
    assert task.cancelled()
    assert [outcome.status for outcome in made.rescued] == [Status.DONE]


@in_virtual_time
async def test_in_a_hurry_no_reader_waits_for_its_sink() -> None:
    """What is read can be kept; and nobody makes the pipes smaller again."""
    sink = SinkThatRemembers(seconds_a_call=60)
    async with room(("a", "b", "c", "d"), 1.0, sink=sink, buffer=1) as made:
        task = made.cut_off_after(5)
        await settle()
        made.attempts.hurry()
        made.attempts.resize(1)
        await asyncio.wait([task])
    assert [outcome.text for outcome in made.rescued] == ["abcdanswer to p"]
    assert sink.told == []


@in_virtual_time
async def test_a_larger_buffer_lets_the_reader_go_on_at_once() -> None:
    """In the pipes that are in use, and in those to come."""
    async with room(("a", "b", "c", "d"), sink=SinkThatRemembers(seconds_a_call=1), buffer=1) as made:
        task = made.cut_off_after(60)
        await settle()
        assert made.provider.open_now == 1
        made.attempts.resize(16)
        await settle()
        assert (made.provider.open_now, now()) == (0, 0)
        assert text_of(await task) == "abcdanswer to p"
        assert (await made.make()).measure.held_up == 6.0
