"""Fakes for the engine: a provider that plays a script per item, a journal in memory, a load that is told.

They wait on the loop's clock only, so that a night passes in no time in `run_virtual`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from batchrun.attempts import Ended, Manner
from batchrun.engine import Engine
from batchrun.failure import AttemptFailed, Cause, Failure
from batchrun.gate.law import GateBounds
from batchrun.gate.load import Load
from batchrun.jobs.job import BackendSpeech, RequestFlags
from batchrun.jobs.reader import JobFile, Reading, Selection, check_jobs
from batchrun.journal.control import Control
from batchrun.lane import GateTerms, Lane
from batchrun.outcome import Outcome
from batchrun.providers.provider import ConnectionWatch, HearsQuotas, Pace, Provider, Request, Wire
from batchrun.purse import Purse
from batchrun.retry import RetryPolicy
from batchrun.spent import Charge
from batchrun.stop import StopSwitch
from batchrun.stream.clocks import ClockLimits
from batchrun.tally import Tally, View
from batchrun.terms import Fresh, Surroundings, Terms


@dataclass(frozen=True, slots=True)
class Pause:
    """The model pauses, after so many tokens of this part."""

    output_tokens: int


Step = float | tuple[str, ...] | Failure | Pause | BaseException
Script = Callable[[str, int], Sequence[Step]]  # prompt, how many times it was asked before -> what happens


class ScriptedReply:
    """Waits for the numbers of its script, says its texts (those of one step in one read), breaks at its failures, ends
    at a pause; at the end of it answers with the prompt."""

    def __init__(self, prompt: str, steps: Sequence[Step]) -> None:
        self._prompt = prompt
        self._steps = steps

    is_stream = True

    def pace(self, pace: Pace) -> None:
        pass

    async def chunks(self) -> AsyncIterator[bytes]:
        yield _sse({"type": "message_start", "message": {"id": "m", "model": "claude-haiku-5-5", "usage": {}}})
        yield _sse({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
        for step in self._steps:
            if isinstance(step, Failure):
                raise AttemptFailed(step)
            if isinstance(step, BaseException):
                raise step
            if isinstance(step, Pause):
                yield _end("pause_turn", step.output_tokens)
                return
            if isinstance(step, tuple):
                yield b"".join(_piece(text) for text in step)
                continue
            await asyncio.sleep(step)
            yield _sse({"type": "ping"})
        yield _piece(f"answer to {self._prompt}")
        yield _end("end_turn", 4)


class ScriptedProvider:
    """Plays a script for each prompt and remembers who was asked when, and how many at once."""

    wire = Wire.MESSAGES
    base_url = "http://scripted"
    credential = "none"

    def __init__(self, script: Script) -> None:
        self._script = script
        self.asked: list[str] = []
        self.asked_at: list[float] = []
        self.open_now = 0
        self.most_open = 0
        self.warmed = 0
        self.dropped = 0
        self.closing_seconds = 0.0

    @asynccontextmanager
    async def open(
        self, request: Request, connect_timeout: float, watch: ConnectionWatch
    ) -> AsyncIterator[ScriptedReply]:
        prompt = request.body["messages"][0]["content"]
        steps = self._script(prompt, self.asked.count(prompt))
        self.asked.append(prompt)
        self.asked_at.append(asyncio.get_running_loop().time())
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        try:
            if steps and isinstance(steps[0], Failure) and steps[0].status is not None:
                raise AttemptFailed(steps[0])
            yield ScriptedReply(prompt, steps)
        finally:
            await asyncio.sleep(self.closing_seconds)
            self.open_now -= 1

    async def warm(self, connect_timeout: float) -> None:
        self.warmed += 1

    def listen(self, heard: HearsQuotas) -> None:
        self.heard = heard

    async def drop(self) -> None:
        self.dropped += 1

    def scrubbed(self, text: str) -> str:
        return text

    async def close(self) -> None:
        pass


class StoreInMemory:
    """A journal without a disk."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.lines: dict[str, dict[str, Any]] = {}  # what an earlier run has left of an item

    async def commit(self, outcome: Outcome) -> None:
        await asyncio.sleep(0)
        self.outcomes.append(outcome)

    async def wait_for_room(self) -> None:
        pass

    def kept(self, id: str, request: str) -> dict[str, Any] | None:
        return self.lines.get(id)

    def gives_up(self, id: str, request: str) -> bool:
        return False


class StoreWhoseDiskIsFull(StoreInMemory):
    """Refuses everything."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    async def commit(self, outcome: Outcome) -> None:
        raise self._error


class ToldLoad:
    """A sampler that says what it was told; `cpu` can be changed while the run goes on."""

    def __init__(self, cpu: float = 10.0) -> None:
        self.cpu = cpu
        self._samples = 0

    def sample(self) -> Load:
        self._samples += 1
        return Load(self.cpu, self.cpu, 5.0, 50.0, None, None, self._samples)


class TariffOfADollar:
    """Takes a dollar for each token of output of one model, and has no price for another."""

    def __init__(self, model: str = "claude-haiku-5-5") -> None:
        self._model = model

    def charge(self, answered: str, asked: str, usage: Mapping[str, Any]) -> Charge | None:
        tokens = usage.get("output_tokens")
        return Charge(float(tokens)) if self._model in (answered, asked) and tokens is not None else None

    def output(self, model: str, tokens: int) -> float | None:
        return float(tokens) if model == self._model else None


def failing(cause: Cause, status: int | None = None, retry_after: float | None = None) -> Failure:
    return Failure(cause, f"scripted {cause}", status=status, retry_after=retry_after)


BOUNDS = GateBounds()
SPEECHES = {"claude": BackendSpeech("claude")}
TERMS = Terms(
    retry=RetryPolicy(),
    period=2.0,
    drain_timeout=20.0,
    give_up=3600.0,
    manner=Manner(),
)


class Stage:
    """An engine with everything round it, over so many simple jobs."""

    def __init__(self, place: Path, script: Script, count: int = 10, bounds: GateBounds = BOUNDS, **terms: Any) -> None:
        path = place / "jobs.jsonl"
        path.write_bytes(b"".join(orjson.dumps({"id": f"i{n}", "prompt": f"p{n}"}) + b"\n" for n in range(count)))
        self.jobs: JobFile = check_jobs(path, RequestFlags(), SPEECHES, _all)
        self.provider = ScriptedProvider(script)
        self.store = StoreInMemory()
        self.load = ToldLoad()
        self.stop = StopSwitch()
        self.views: list[View] = []
        self.clocks = ClockLimits()
        self.control: Control | None = None
        self.wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC) + self.slept
        self.purse = Purse()
        self.slept = timedelta()
        self.reread: Callable[[int], Fresh | None] = lambda asked_by_tune: None
        self.answering: Provider = self.provider
        self._bounds = bounds
        self._terms = replace(TERMS, **terms)
        self.engine: Engine | None = None

    def keep(self, lines: dict[str, dict[str, Any]]) -> None:
        """An earlier run has paid for the answers in these result lines, by id, and no sink took them."""
        self.store.lines = lines
        reading = Reading(is_kept=lambda id, request: id in lines)
        self.jobs = check_jobs(self.jobs.path, RequestFlags(), SPEECHES, _all, Selection(), reading)

    def build(self) -> Engine:
        """Inside the loop: the engine asks it for its clock."""
        now = asyncio.get_running_loop().time
        tally = Tally(self.jobs.total, {}, self.jobs.pending_count, now())
        around = Surroundings(
            self.stop,
            self.load,
            lambda view, load, lag: self.views.append(view),
            lambda: 0.5,
            lambda: self.control,
            wall_clock=self._read_wall_clock,
            purse=self.purse,
            reread=self.reread,
        )
        lanes = {
            name: Lane.open(name, self.answering, GateTerms(self._bounds, self.clocks), now)
            for name in self.jobs.pending
        }
        self.engine = Engine(self._terms, self.jobs, self.store, lanes, tally, around)
        return self.engine

    def _read_wall_clock(self) -> datetime:
        return self.wall_clock()

    async def run(self) -> dict[str, Outcome]:
        """The outcomes by id, each of which came once."""
        await self.build().run()
        ids = [outcome.id for outcome in self.store.outcomes]
        assert len(ids) == len(set(ids))
        return {outcome.id: outcome for outcome in self.store.outcomes}


def _all(id: str, request: str) -> bool:
    return True


def _piece(text: str) -> bytes:
    return _sse({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})


def _end(stop_reason: str, output_tokens: int) -> bytes:
    usage = {"output_tokens": output_tokens}
    end = _sse({"type": "message_delta", "delta": {"stop_reason": stop_reason}, "usage": usage})
    return end + _sse({"type": "message_stop"})


def _sse(event: dict[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (event["type"].encode(), orjson.dumps(event))


class Deliveries:
    """The deliveries of an item as an engine starts them, beside the item itself."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self._tasks = tasks
        self._started: list[asyncio.Task[None]] = []

    def start(self, run: Coroutine[Any, Any, None]) -> None:
        self._started.append(self._tasks.create_task(run))

    def cut_off_after(self, seconds: float, making: Coroutine[Any, Any, Ended]) -> asyncio.Task[Ended]:
        """As a drain that runs out does it: the item and its deliveries, both."""
        task = self._tasks.create_task(making)
        asyncio.get_running_loop().call_later(seconds, self._cut, task)
        return task

    def _cut(self, task: asyncio.Task[Ended]) -> None:
        for each in (task, *self._started):
            each.cancel()
