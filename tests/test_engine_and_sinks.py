"""A run with sinks, in virtual time: a slow one, one that fails, one that is still at work as the run is stopped."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from batchrun.attempts import Manner
from batchrun.errors import ExitCode, JournalError
from batchrun.failure import Cause
from batchrun.gate.law import GateBounds
from batchrun.journal.control import Control
from batchrun.journal.record import decode_line, encode_result
from batchrun.outcome import Outcome, Status
from batchrun.sinks.sink import Sink, SinkItem
from batchrun.stream.clocks import ClockLimits
from batchrun.stream.pipe import SinkFailed
from tests.fakes import Stage, Step, StoreInMemory, StoreWhoseDiskIsFull, failing
from tests.sinks.fakes import SinkThatFails, SinkThatRemembers
from tests.virtual_time import START, run_virtual

FOUR = GateBounds(start_slots=4, max_slots=4)


def calm(prompt: str, seen: int) -> list[Step]:
    return [1.0]


class SinkThatRefuses(SinkThatRemembers):
    """Takes every answer but those of the given ids."""

    name = "picky"

    def __init__(self, *ids: str) -> None:
        super().__init__(wants_deltas=False)
        self._ids = ids

    async def deliver(self, item: SinkItem) -> None:
        if item.id in self._ids:
            raise SinkFailed(f"picky: not {item.id}")
        await super().deliver(item)


def manner(sink: Sink, **more: Any) -> Manner:
    return Manner(sink=sink, **more)


def as_the_next_run_finds(outcomes: dict[str, Outcome]) -> dict[str, dict[str, Any]]:
    """The result lines of the answers that were kept."""
    return {id: decode_line(encode_result(outcome)) for id, outcome in outcomes.items() if outcome.is_kept}


# -- slow, and failing -------------------------------------------------------------------------------------------------


def test_a_slow_sink_holds_the_slots_and_loses_nothing(tmp_path: Path) -> None:
    """That is the back-pressure: no more is asked than the sink can take."""
    sink = SinkThatRemembers(wants_deltas=False, seconds_a_call=9)
    stage = Stage(tmp_path, calm, 12, bounds=FOUR, manner=manner(sink))

    async def run() -> float:
        began = asyncio.get_running_loop().time()
        await stage.run()
        return asyncio.get_running_loop().time() - began

    assert run_virtual(run()) == pytest.approx(30, abs=0.1)
    assert sorted(item.id for item in sink.delivered) == sorted(outcome.id for outcome in stage.store.outcomes)
    assert {outcome.measure.held_up for outcome in stage.store.outcomes} == {9.0}
    assert {view.with_sinks for view in stage.views[1:4]} == {4}


def test_an_answer_that_no_sink_took_fails_with_its_text(tmp_path: Path) -> None:
    """Not for good; the others are none the worse."""
    stage = Stage(tmp_path, calm, 6, manner=manner(SinkThatRefuses("i2")))
    outcomes = run_virtual(stage.run())
    bad = outcomes.pop("i2")
    assert (bad.status, bad.final, bad.attempts, bad.retried) == (Status.FAILED, False, 1, {"sink": 1})
    assert bad.error == {"cause": "sink", "message": "picky: not i2", "status": None}
    assert (bad.text, bad.stop_reason, bad.usage, bad.wasted_tokens) == (
        "answer to p2",
        "end_turn",
        {"output_tokens": 4},
        0,
    )
    assert {outcome.status for outcome in outcomes.values()} == {Status.DONE}
    assert stage.stop.codes == set()


def test_five_answers_in_a_row_that_no_sink_took_stop_the_run(tmp_path: Path) -> None:
    """Exit 75: what is in flight is read to its end and kept, the rest is not asked for nothing."""
    script = lambda prompt, seen: [1 + float(prompt[1:]) / 100]  # noqa: E731
    stage = Stage(tmp_path, script, 100, bounds=FOUR, manner=manner(SinkThatFails(seconds_a_call=0.1)))
    outcomes = run_virtual(stage.run())
    assert stage.stop.codes == {ExitCode.STOPPED_EARLY}
    assert stage.stop.reason is not None
    assert stage.stop.reason.startswith("sink: broken: it failed")
    assert len(outcomes) == len(stage.provider.asked) < 10
    assert all(outcome.is_kept and outcome.text for outcome in outcomes.values())


def test_a_sink_that_fails_now_and_then_stops_nobody(tmp_path: Path) -> None:
    """An answer that was taken in between begins the count anew."""
    refused = [f"i{number}" for number in range(40) if number % 5]
    stage = Stage(
        tmp_path, calm, 40, bounds=GateBounds(start_slots=1, max_slots=1), manner=manner(SinkThatRefuses(*refused))
    )
    outcomes = run_virtual(stage.run())
    assert len(outcomes) == 40
    assert sum(outcome.is_kept for outcome in outcomes.values()) == 32
    assert stage.stop.codes == set()


def test_the_next_run_delivers_what_was_kept_and_asks_nobody(tmp_path: Path) -> None:
    """With the measure of the run that paid; what had failed otherwise is asked again."""
    script = lambda prompt, seen: [failing(Cause.BAD_REQUEST, 400)] if prompt == "p5" else [1.0]  # noqa: E731
    first = Stage(tmp_path, script, 6, manner=manner(SinkThatRefuses("i1", "i2", "i3")))
    before = run_virtual(first.run())
    kept = as_the_next_run_finds(before)
    assert set(kept) == {"i1", "i2", "i3"}
    sink = SinkThatRemembers(wants_deltas=False)
    second = Stage(tmp_path, calm, 6, manner=manner(sink))
    second.keep(kept)
    outcomes = run_virtual(second.run())
    assert second.provider.asked == ["p0", "p4", "p5"]
    assert {item.id: item.text for item in sink.delivered} == {f"i{n}": f"answer to p{n}" for n in range(6)}
    for id in kept:
        assert (outcomes[id].status, outcomes[id].final, outcomes[id].error) == (Status.DONE, True, None)
        assert (outcomes[id].measure.wall, outcomes[id].measure.tokens, outcomes[id].measure.chunks) == (1.0, 4, 1)
        assert (outcomes[id].elapsed, outcomes[id].attempts) == (before[id].elapsed, 1)
        assert outcomes[id].elapsed >= outcomes[id].measure.wall
        assert (outcomes[id].usage, outcomes[id].stop_reason) == ({"output_tokens": 4}, "end_turn")
    assert {id for id, outcome in outcomes.items() if outcome.paid_before} == set(kept)


def test_a_kept_answer_that_no_sink_takes_is_no_sign_that_its_backend_lives(tmp_path: Path) -> None:
    """Nobody asked the provider: what is dead goes on being probed by one at a time."""
    refused = ("i9", "i10", "i11")
    first = Stage(tmp_path, calm, 12, manner=manner(SinkThatRefuses(*refused)))
    kept = as_the_next_run_finds(run_virtual(first.run()))
    dead_until = START + 300

    def script(prompt: str, seen: int) -> list[Step]:
        return [failing(Cause.CONNECT)] if asyncio.get_running_loop().time() < dead_until else [1.0]

    second = Stage(tmp_path, script, 12, manner=manner(SinkThatRefuses(*refused)))
    second.keep(kept)
    outcomes = run_virtual(second.run())
    assert {id for id, outcome in outcomes.items() if outcome.is_kept} == set(refused)
    probes = [moment for moment in second.provider.asked_at if START < moment < dead_until]
    assert len(probes) == len(set(probes)) > 3


def test_a_tuned_buffer_reaches_the_pipes_in_use(tmp_path: Path) -> None:
    """`tune --buffer`: within a period the reader goes on, though its sink has not caught up."""
    stage = Stage(
        tmp_path,
        lambda prompt, seen: [("a",) * 8, 0.5],
        1,
        manner=manner(SinkThatRemembers(seconds_a_call=3), buffer=1),
    )

    async def run() -> list[int]:
        open_at = []
        engine = stage.build()
        async with asyncio.TaskGroup() as group:
            group.create_task(engine.run())
            await asyncio.sleep(4.5)
            open_at.append(stage.provider.open_now)
            stage.control = Control(buffer=64)
            await asyncio.sleep(2.5)
            open_at.append(stage.provider.open_now)
        return open_at

    assert run_virtual(run()) == [1, 0]
    [outcome] = stage.store.outcomes
    assert outcome.text == "aaaaaaaaanswer to p0"


# -- stopped while the sink is at work ---------------------------------------------------------------------------------


def stopped(stage: Stage, drain: float, halt: float | None = None) -> tuple[dict[str, Outcome], float]:
    """The run with a first signal and perhaps a second one: its outcomes, and when it ended."""

    async def run() -> tuple[dict[str, Outcome], float]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        loop.call_later(drain, stage.stop.drain, "SIGTERM received", ExitCode.STOPPED_EARLY)
        if halt is not None:
            loop.call_later(halt, stage.stop.halt, ExitCode.TERMINATED)
        return await stage.run(), loop.time() - began

    return run_virtual(run())


@pytest.mark.parametrize(("halt", "end"), [(None, 25.0), (6.0, 6.0)])
def test_answers_that_are_cut_off_on_their_way_into_a_sink_are_kept(
    tmp_path: Path, halt: float | None, end: float
) -> None:
    """At the end of the drain, and at the second signal: they are paid, and are written before the run ends."""
    stage = Stage(
        tmp_path, calm, 20, bounds=FOUR, manner=manner(SinkThatRemembers(wants_deltas=False, seconds_a_call=60))
    )
    outcomes, ended = stopped(stage, 5, halt)
    assert ended == pytest.approx(end, abs=0.1)
    assert set(outcomes) == {"i0", "i1", "i2", "i3"}
    assert all(outcome.is_kept and outcome.text == f"answer to p{id[1:]}" for id, outcome in outcomes.items())
    assert stage.engine is not None
    assert (stage.engine.view().finished["failed"], stage.engine.view().wasted_tokens) == (4, 0)


def test_a_drain_reads_answers_to_their_end_however_slow_the_sink(tmp_path: Path) -> None:
    """What is read can be kept; what a sink's slowness leaves unread is paid for nothing."""
    script = lambda prompt, seen: [step for number in range(40) for step in ((f"{number} ",), 0.1)]  # noqa: E731
    slow = manner(SinkThatRemembers(seconds_a_call=9), buffer=1)
    stage = Stage(tmp_path, script, 1, manner=slow, drain_timeout=6.0)
    outcomes, ended = stopped(stage, 2)
    assert ended == pytest.approx(8, abs=0.1)
    assert outcomes["i0"].is_kept
    assert outcomes["i0"].text == "".join(f"{number} " for number in range(40)) + "answer to p0"


def test_answers_that_the_sink_takes_in_the_drain_are_answered(tmp_path: Path) -> None:
    """A drain is there for this."""
    stage = Stage(
        tmp_path, calm, 20, bounds=FOUR, manner=manner(SinkThatRemembers(wants_deltas=False, seconds_a_call=10))
    )
    outcomes, _ = stopped(stage, 5)
    assert {id: outcome.status for id, outcome in outcomes.items()} == dict.fromkeys(
        ("i0", "i1", "i2", "i3"), Status.DONE
    )


def test_a_journal_that_fails_ends_a_run_with_sinks_as_it_ends_any_run(tmp_path: Path) -> None:
    """Nothing can be rescued any more, and nothing else comes up beside the journal's own error."""
    sink = SinkThatRemembers(wants_deltas=False, seconds_a_call=5)
    stage = Stage(tmp_path, lambda prompt, seen: [float(prompt[1:])], 5, manner=manner(sink))
    stage.store = StoreWhoseDiskIsFull(JournalError("disk full"))
    with pytest.raises(BaseExceptionGroup) as caught:
        run_virtual(stage.run())
    assert caught.value.split(JournalError)[1] is None


# -- F5 ----------------------------------------------------------------------------------------------------------------

SESSIONS, TOKENS, LUMP = 12, 200, 100
SECONDS_A_TOKEN = 0.05
# A full pipe keeps the reader waiting for 4 s within one read, and for 8 s within the answer.
IMPATIENT = ClockLimits(first_byte=2.0, idle=2.0, stall=3.0, total=4.0)


def lumps(prompt: str, seen: int) -> list[Step]:
    """An answer that is gathered while we do not read: each read brings a hundred tokens."""
    return [
        step for lump in range(TOKENS // LUMP) for step in (tuple(token(n + lump * LUMP) for n in range(LUMP)), 0.25)
    ]


def token(number: int) -> str:
    return f"{number:05d}".ljust(500, ".")  # long, so that an answer that is held too long shows in the memory


class ConsumerOf50msAToken(SinkThatRemembers):
    """Counts, and remembers no more of an item than what must come next; `lost` are tokens out of their place."""

    def __init__(self) -> None:
        super().__init__(seconds_a_call=SECONDS_A_TOKEN)
        self.lost = 0
        self.taken = 0
        self._next: dict[str, int] = {}

    async def delta(self, item: SinkItem, text: str) -> None:
        await asyncio.sleep(SECONDS_A_TOKEN)
        number = self._next[item.id] = self._next.get(item.id, -1) + 1
        self.lost += number < TOKENS and text != token(number)
        self.taken += number < TOKENS

    async def deliver(self, item: SinkItem) -> None:
        self.lost += self._next.pop(item.id) != TOKENS  # and the last words


class StoreThatForgets(StoreInMemory):
    """Counts attempts, and keeps nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.attempts = 0
        self.done = 0

    async def commit(self, outcome: Outcome) -> None:
        await asyncio.sleep(0)
        self.attempts += outcome.attempts
        self.done += outcome.status is Status.DONE


def night_of(place: Path, items: int) -> tuple[ConsumerOf50msAToken, StoreThatForgets, int]:
    """So many items in 12 slots: the consumer, the store, and the peak of the memory in bytes."""
    place.mkdir()
    consumer, store = ConsumerOf50msAToken(), StoreThatForgets()
    bounds = GateBounds(start_slots=SESSIONS, max_slots=SESSIONS)
    stage = Stage(place, lumps, items, bounds=bounds, manner=manner(consumer))
    stage.clocks, stage.store = IMPATIENT, store
    gc.collect()
    tracemalloc.start()
    try:
        run_virtual(stage.run())
        return consumer, store, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_consumer_of_50_ms_a_token_at_12_sessions_loses_nothing_and_causes_no_retry(tmp_path: Path) -> None:
    """F5: its lag (8 s an answer) is longer than every clock of the provider; nobody is asked twice for that, no token
    is lost, and twice as many items take no more memory. (Two waves at the least: the end of one meets the beginning of
    the next, which one alone never does.)"""
    _, _, small = night_of(tmp_path / "small", 2 * SESSIONS)
    consumer, store, large = night_of(tmp_path / "large", 4 * SESSIONS)
    assert (consumer.taken, consumer.lost) == (4 * SESSIONS * TOKENS, 0)
    assert (store.done, store.attempts) == (4 * SESSIONS, 4 * SESSIONS)
    assert large < 1.05 * small
