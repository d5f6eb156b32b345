"""Plays cases: the embedded provider on a real socket, the real providers and a real engine for each case, all in one
loop. Only the disk and the load of the machine are told."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import orjson

from batchrun.errors import ExitCode
from batchrun.jobs.job import BackendSpeech, RequestFlags
from batchrun.jobs.reader import JobFile, check_jobs
from batchrun.outcome import Outcome
from batchrun.providers.open import open_provider
from batchrun.providers.provider import BackendConfig, Provider, Wire
from batchrun.retry import RetryPolicy
from batchrun.simulator.request_log import RequestLog
from batchrun.simulator.scenario import Scenario
from batchrun.simulator.server import listening
from batchrun.simulator.service import Exchange, HttpRequest, Service
from batchrun.simulator.stats import Stats
from tests.fakes import Stage
from tests.faults.case import Case, Connection

# A 429 that says nothing else asks for this; short, for it is waited for in real time.
NIGHT = Scenario(ttft=0.0, tokens_per_second=0.0, retry_after=0.02)
MODEL = "claude-haiku-5-5"
AT_ONCE = 24  # cases: few enough that none of them waits for the loop as long as a clock
SPEECH = {
    Wire.MESSAGES: BackendSpeech("claude", model=MODEL),
    Wire.CHAT: BackendSpeech("local", wire=Wire.CHAT, model=MODEL),
}


class RequestsByPrompt(RequestLog):
    """Counts what arrives, in memory; `paths` are those that were asked for."""

    def __init__(self) -> None:
        super().__init__(None)
        self.counts: Counter[str] = Counter()
        self.paths: set[str] = set()

    def arrived(self, *, request: str | None, prompt: str | None, seen: int, fault: str) -> None:
        self.counts[str(prompt)] += 1


class Witness(Service):
    """Knows which paths were asked for."""

    def open(self, request: HttpRequest) -> Exchange:
        if isinstance(self._log, RequestsByPrompt):
            self._log.paths.add(request.path)
        return super().open(request)


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a case. `outcome` None: nothing was recorded."""

    outcome: Outcome | None
    requests: int
    attempts: int
    retried: dict[str, int]
    codes: set[ExitCode]


class CaseStage(Stage):
    """An engine with everything round it over the one job of a case."""

    def __init__(self, place: Path, case: Case, answering: Provider) -> None:
        place.mkdir()
        super().__init__(
            place,
            lambda prompt, seen: [],
            count=1,
            retry=RetryPolicy(max_attempts=case.max_attempts, base=0.01, cap=0.02),
            period=0.25,
            give_up=30.0,
        )
        self.jobs = job_of(place, case)
        self.clocks = case.clocks
        self.answering = answering


class Bench:
    """The embedded provider, and who asks it on each wire."""

    def __init__(self, place: Path, log: RequestsByPrompt, backends: dict[Wire, BackendConfig]) -> None:
        self._place = place
        self._log = log
        self._backends = backends
        self._providers = {wire: open_provider(backend, max_slots=64) for wire, backend in backends.items()}

    async def close(self) -> None:
        for provider in self._providers.values():
            await provider.close()

    async def play(self, cases: Iterable[Case]) -> dict[str, Seen]:
        """What came of each, by its id; those that are about clocks on their own."""
        seen: dict[str, Seen] = {}
        for _, group in groupby(sorted(cases, key=lambda case: case.is_hasty), key=lambda case: case.is_hasty):
            await self._play_together(group, seen)
        return seen

    async def _play_together(self, cases: Iterable[Case], seen: dict[str, Seen]) -> None:
        room = asyncio.Semaphore(AT_ONCE)

        async def one(case: Case) -> None:
            async with room:
                seen[case.id] = await self._play(case)

        async with asyncio.TaskGroup() as group:
            for case in cases:
                group.create_task(one(case))

    async def _play(self, case: Case) -> Seen:
        async with self._asked_by(case) as provider, asyncio.timeout(60):
            stage = CaseStage(self._place / case.id, case, provider)
            outcomes = await stage.run()
        view = stage.engine.view() if stage.engine is not None else None
        retried = view.retried if view is not None else {}
        outcome = outcomes.get(case.id)
        attempts = outcome.attempts if outcome is not None else sum(retried.values())
        return Seen(outcome, self._log.counts[prompt_of(case)], attempts, retried, stage.stop.codes)

    @asynccontextmanager
    async def _asked_by(self, case: Case) -> AsyncIterator[Provider]:
        """The provider of all, or one with connections of its own."""
        if case.connection is Connection.ANY:
            yield self._providers[case.wire]
            return
        provider = open_provider(self._backends[case.wire], max_slots=4)
        try:
            if case.connection is Connection.KEPT:
                await provider.warm(10.0)
            yield provider
        finally:
            await provider.close()


@asynccontextmanager
async def bench(place: Path, log: RequestsByPrompt) -> AsyncIterator[Bench]:
    async with listening(Witness(NIGHT, log, Stats())) as port:
        url = f"http://127.0.0.1:{port}"
        backends = {
            Wire.MESSAGES: BackendConfig(base_url=url, simulated=True),
            Wire.CHAT: BackendConfig("local", "openai", f"{url}/v1", simulated=True),
        }
        stage = Bench(place, log, backends)
        try:
            yield stage
        finally:
            await stage.close()


def prompt_of(case: Case) -> str:
    """Names the case, so that no two of them are one request; the answer is short unless the script says otherwise."""
    return f"{case.id} [[tokens=24]] {case.script}"


def job_of(place: Path, case: Case) -> JobFile:
    speech = SPEECH[case.wire]
    line = {"id": case.id, "backend": speech.name, "stream": case.streamed, "max_tokens": 2000, **case.fields}
    question = [{"role": "user", "content": prompt_of(case)}]
    line["messages"] = [*question, {"role": "assistant", "content": case.prefill}] if case.prefill else question
    path = place / "case.jsonl"
    path.write_bytes(orjson.dumps(line) + b"\n")
    return check_jobs(path, RequestFlags(), {speech.name: speech}, lambda id, request: True)
