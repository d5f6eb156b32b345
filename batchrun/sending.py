"""The second half of `run`: provider, engine, journal and telemetry put together, from the first request to the last
record. Imported only when something is pending, for it imports the SDK.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import socket
import sys
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from batchrun import __version__
from batchrun.attempts import Manner
from batchrun.config import RunConfig
from batchrun.ending import Ending, exit_code
from batchrun.engine import Engine, Surroundings, Terms
from batchrun.errors import BatchrunError, ConfigError, ExitCode, JournalError
from batchrun.gate.laws import LAWS
from batchrun.gate.load import Load, LoadSampler, raise_open_files
from batchrun.item import timestamp
from batchrun.jobs.reader import JobFile
from batchrun.journal.control import forget_control, read_control
from batchrun.journal.index import remember
from batchrun.journal.runs import RunEnd, RunStart, record_end, record_start
from batchrun.journal.snapshot import write_snapshot
from batchrun.journal.writer import Journal
from batchrun.lane import Lane
from batchrun.outcome import Status
from batchrun.providers.open import open_provider
from batchrun.providers.provider import Provider
from batchrun.simulator.process import start_simulator
from batchrun.sinks.chain import build_sink
from batchrun.stop import StopSwitch
from batchrun.stream.stop_rule import parse_stop_when
from batchrun.tally import Tally, View
from batchrun.telemetry import TelemetryLog, snapshot
from batchrun.teller import Teller


@dataclass(frozen=True, slots=True)
class Told:
    """What is known before the first request: how things stood, the run's name, who listens, and what may stop it."""

    before: Ending
    run: str
    teller: Teller
    stop: StopSwitch


def send(config: RunConfig, jobs: JobFile, journal: Journal, told: Told) -> Ending:
    """Ask what is pending.

    Raises:
        BatchrunError: no credentials, or the run cannot go on; its end is told in the state either way.
    """
    state = told.before.state
    with ExitStack() as stack:
        stack.enter_context(_logging(config.log))
        providers = _providers(config, jobs, stack)
        start = _start(config, jobs, told.run, state.results.stat().st_size)
        told.teller.begin(_about(config, jobs, told.before, providers))
        forget_control(state)
        record_start(state, start)
        warning = remember(state)
        if warning:
            told.teller.say(warning)
        sending = _Sending(config, jobs, journal, providers, told, start)
        try:
            done = asyncio.run(sending.work())
        except BatchrunError as exc:
            # The disk may be what ended it; the run then counts as killed, which is no lie.
            with contextlib.suppress(JournalError):
                record_end(state, sending.run_end(exc.exit_code, str(exc), {}))
            raise
        record_end(state, sending.run_end(done.exit_code, sending.reason or "finished", done.now))
        return done


class _Sending:
    """The asynchronous middle of a run."""

    def __init__(
        self,
        config: RunConfig,
        jobs: JobFile,
        journal: Journal,
        providers: Mapping[str, Provider],
        told: Told,
        start: RunStart,
    ) -> None:
        self._config = config
        self._jobs = jobs
        self._journal = journal
        self._providers = providers
        self._told = told
        self._start = start
        self._sink = build_sink(config.sinks)
        self._tally: Tally | None = None
        self.reason: str | None = None

    def run_end(self, code: ExitCode, reason: str, now: dict[str, int]) -> RunEnd:
        """The last line of this run in runs.jsonl."""
        retried = {} if self._tally is None else dict(self._tally.retried)
        wasted = 0 if self._tally is None else self._tally.wasted_tokens
        counts = now | {"changed": len(self._told.before.changed)}
        return RunEnd(self._told.run, timestamp(), int(code), reason, counts, retried, wasted)

    async def work(self) -> Ending:
        before, loop = self._told.before, asyncio.get_running_loop()
        tally = self._tally = Tally(self._jobs.total, before.finished, self._jobs.pending_count, loop.time())
        with TelemetryLog(before.state.telemetry, self._told.run) as telemetry:
            # After the SDK's import a full collection stalls the loop for 130 ms; what is there now is there for good.
            gc.collect()
            gc.freeze()
            engine = Engine(self._terms(), self._jobs, self._journal, self._lanes(), tally, self._around(telemetry))
            self._write_status(engine.view())
            cpu_began = _cpu_seconds()
            self._told.stop.begin()
            try:
                if self._sink is not None:
                    await self._sink.open()
                with self._told.teller.watching(engine.view):
                    await _unwrapped(engine.run())
            except BatchrunError as exc:
                self._write_status(engine.view(), {"exit_code": int(exc.exit_code), "reason": str(exc)})
                raise
            finally:
                self._told.stop.end()
                if self._sink is not None:
                    await self._sink.close()
                for provider in self._providers.values():
                    await provider.close()
        return self._end(engine, tally, _cpu_seconds() - cpu_began)

    def _end(self, engine: Engine, tally: Tally, cpu: float) -> Ending:
        stop, finished = self._told.stop, tally.finished
        codes, self.reason = stop.codes, stop.reason
        if sum(finished.values()) == tally.total:
            # Everything came home in the drain: nothing is left that could be resumed.
            codes, self.reason = codes - {ExitCode.STOPPED_EARLY}, None
        for (backend, model), message in engine.shelved.items():
            asked = self._providers[backend].base_url
            self.reason = self.reason or f"unknown model {model}: {message} (asked {asked})"
            remedy = "mend the model's name or the base URL; its items stay pending"
            self._told.teller.say(f"unknown model {model!r}: {message} (asked {asked}); {remedy}")
        code = stop.halt_code or exit_code(finished, self._config.accept, codes)
        self._write_status(engine.view(), {"exit_code": int(code), "reason": self.reason})
        return replace(
            self._told.before,
            exit_code=code,
            finished=finished,
            now={str(status): tally.now[status] for status in Status},
            reason=self.reason if stop.reason else None,
            overhead=max(0.0, 1 - engine.accounts_cpu / cpu) if cpu > 0 else None,
        )

    def _around(self, telemetry: TelemetryLog) -> Surroundings:
        return Surroundings(
            self._told.stop,
            LoadSampler(),
            partial(self._take_period, telemetry),
            control=partial(read_control, self._told.before.state),
            on_drain=self._tell_drain,
        )

    def _terms(self) -> Terms:
        config = self._config
        return Terms(
            retry=config.retry,
            period=config.period,
            drain_timeout=config.drain_timeout,
            give_up=config.give_up,
            manner=Manner(
                config.stream,
                None if config.stop_when is None else parse_stop_when(config.stop_when),
                self._sink,
                config.buffer,
            ),
            prewarm=config.prewarm,
        )

    def _lanes(self) -> dict[str, Lane]:
        bearable, now = raise_open_files(), asyncio.get_running_loop().time
        lanes = {}
        for name, provider in self._providers.items():
            backend = self._config.backends[name]
            bounds = replace(backend.bounds, max_slots=min(backend.bounds.max_slots, bearable))
            lanes[name] = Lane.open(name, provider, bounds, backend.clocks, now, LAWS[self._config.law])
        return lanes

    def _tell_drain(self, in_flight: int) -> None:
        stop, seconds = self._told.stop, self._config.drain_timeout
        if in_flight:
            waits = f"waiting up to {seconds:g} s for what is in flight ({in_flight}); a second signal stops at once"
            self._told.teller.say(f"stopping: {stop.reason}; {waits}")

    def _take_period(self, telemetry: TelemetryLog, view: View, load: Load, lag_ms: float) -> None:
        telemetry.append(view, load, lag_ms)
        self._write_status(view)
        self._told.teller.period(view)

    def _write_status(self, view: View, ended: dict[str, object] | None = None) -> None:
        """Replace the snapshot; a look-out for people, so what keeps it from being written is nobody's error."""
        start = self._start
        facts = {"run": start.run, "jobs": start.jobs, "started": start.started, "model": start.model}
        write_snapshot(self._told.before.state, snapshot(view, facts, ended))


async def _unwrapped(run: Coroutine[object, object, None]) -> None:
    """Await the engine; of a group of errors the first of ours is the one to tell."""
    try:
        await run
    except BaseExceptionGroup as group:
        error: BaseException | None = group.subgroup(BatchrunError)
        if error is None:
            raise
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from None


def _providers(config: RunConfig, jobs: JobFile, stack: ExitStack) -> dict[str, Provider]:
    """Those who are asked in this run, and nobody else: an idle backend needs no credentials."""
    simulator = stack.enter_context(start_simulator(config.scenario)) if config.simulate else None
    providers: dict[str, Provider] = {}
    for name in jobs.pending:
        backend = config.backends[name]
        asked = backend.provider
        if simulator is not None:
            base_url = simulator.base_url + ("/v1" if asked.kind == "openai" else "")
            asked = replace(asked, base_url=base_url, key_file=None, simulated=True)
        providers[name] = open_provider(asked, backend.bounds.max_slots)
    return providers


def _start(config: RunConfig, jobs: JobFile, run: str, results_size: int) -> RunStart:
    return RunStart(
        run=run,
        started=timestamp(),
        pid=os.getpid(),
        host=socket.gethostname(),
        version=__version__,
        jobs=str(config.jobs.absolute()),
        jobs_sha256=jobs.sha256,
        args=sys.argv[1:],
        total=jobs.total,
        pending=jobs.pending_count,
        model=_models(jobs),
        simulated=config.simulate,
        cwd=str(Path.cwd()),
        retry=sorted(config.again),
        results_size=results_size,
    )


def _about(config: RunConfig, jobs: JobFile, ending: Ending, providers: Mapping[str, Provider]) -> str:
    real = ", ".join(f"{provider.base_url} ({provider.credential})" for provider in providers.values())
    asked = "the embedded provider" if config.simulate else real
    pending = f"{jobs.pending_count:,} of {jobs.total:,} items pending"
    return f"{pending}; model {_models(jobs)}; asking {asked}; answers go to {ending.state.results}"


def _models(jobs: JobFile) -> str:
    return ", ".join(sorted(jobs.models))


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system


@contextmanager
def _logging(path: Path | None) -> Iterator[None]:
    """Decisions go to a file if one was asked for; nobody else hears them."""
    logger = logging.getLogger("batchrun")
    logger.propagate = False
    # What the SDK would print (two credentials where one is used) belongs there too, and not into cron's mail.
    logging.getLogger("anthropic").addHandler(logging.NullHandler())
    try:
        if path is not None:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600))
        handler = logging.NullHandler() if path is None else logging.FileHandler(path, encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"--log {path}: cannot be written ({exc.strerror}); give another path") from exc
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()
