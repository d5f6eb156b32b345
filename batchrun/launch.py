"""One invocation of `run`, put together from the rooms: check, lock, recover, ask, record, tell.

Knows the order of things and nothing about how any of them is done; prints nothing itself (see `Teller`).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import logging
import os
import secrets
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from batchrun import __version__
from batchrun.config import RunConfig
from batchrun.errors import BatchrunError, ConfigError, ExitCode, JournalError, weightiest
from batchrun.item import timestamp
from batchrun.jobs.reader import JobFile, check_jobs
from batchrun.journal.finished import FinishedIndex, Standing
from batchrun.journal.index import remember
from batchrun.journal.record import Header
from batchrun.journal.runs import RunEnd, RunStart, read_runs, record_end, record_start
from batchrun.journal.snapshot import write_snapshot
from batchrun.journal.state import StateDir
from batchrun.journal.writer import Journal
from batchrun.outcome import Status
from batchrun.stop import StopSwitch
from batchrun.tally import Tally, View
from batchrun.telemetry import TelemetryLog, snapshot

if TYPE_CHECKING:
    from batchrun.gate.load import Load
    from batchrun.providers.base import Provider


class Teller(Protocol):
    """Who tells people how it goes."""

    def say(self, text: str) -> None:
        """A remark: something that a person should know, in one line."""

    def begin(self, text: str) -> None:
        """What this run is about to do, in one line."""

    def watching(self, view: Callable[[], View]) -> AbstractContextManager[None]:
        """Around the run; `view` may be called from another thread."""

    def period(self, view: View) -> None:
        """Once a period."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended. `finished` counts the items of the whole job file by status, `now` those of this run;
    `overhead` is the share of the process's CPU time that was charged to no item, None where nothing ran."""

    run: str
    exit_code: ExitCode
    reason: str | None
    state: StateDir
    total: int
    finished: dict[str, int]
    now: dict[str, int]
    changed: int = 0
    simulated: bool = False
    overhead: float | None = None

    @property
    def pending(self) -> int:
        return self.total - sum(self.finished.values())


class Sorter:
    """Looks each job of the file up in the journal, and counts what it finds."""

    def __init__(self, index: FinishedIndex) -> None:
        self._index = index
        self.finished: Counter[str] = Counter()
        self.changed = 0

    def is_pending(self, id: str, request: str) -> bool:
        standing = self._index.verdict(id, request)
        if standing is Standing.PENDING:
            return True
        entry = self._index.entry(id)
        if entry is not None:
            self.finished[str(entry.status)] += 1
        self.changed += standing is Standing.CHANGED
        return False


def launch(config: RunConfig, teller: Teller) -> Ending:
    """Run what is pending.

    Raises:
        BatchrunError: before anything was sent, or because the state cannot be written any more.
    """
    state = StateDir(config.state) if config.state is not None else StateDir.for_jobs(config.jobs)
    with ExitStack() as stack:
        run = f"{timestamp()[:19].replace(':', '')}Z-{secrets.token_hex(3)}"
        journal, jobs, sorter = _open(config, state, run, stack)
        for notice in journal.notices:
            teller.say(notice)
        simulated = _is_simulated(state)
        seen = dict(sorter.finished)
        ending = Ending(run, _code(config, seen, set()), None, state, jobs.total, seen, {}, sorter.changed)
        if not jobs.pending_count:
            return replace(ending, simulated=bool(simulated))
        if simulated is not None and simulated != config.simulate:
            raise ConfigError(_mixed(state, config))
        stack.enter_context(_logging(config.log))
        with contextlib.ExitStack() as provided:
            provider = _provider(config, provided)
            teller.begin(_about(config, jobs, state, provider))
            return _run(config, jobs, journal, provider, teller, replace(ending, simulated=config.simulate))


def _open(config: RunConfig, state: StateDir, run: str, stack: ExitStack) -> tuple[Journal, JobFile, Sorter]:
    """Check the job file before a state is made, but look into a state that is there under its lock."""
    journal = _journal(config, state, run, "") if state.checkpoint.exists() else None
    if journal is not None:
        stack.callback(journal.close)
    jobs, sorter = _check(config, FinishedIndex() if journal is None else journal.finished)
    if journal is None:
        journal = _journal(config, state, run, jobs.sha256)
        stack.callback(journal.close)
        if len(journal.finished):
            # Another run came and went between our look and our lock.
            jobs, sorter = _check(config, journal.finished)
    return journal, jobs, sorter


def _journal(config: RunConfig, state: StateDir, run: str, sha256: str) -> Journal:
    settings = repr((config.flags, config.clocks, config.retry, config.gate, config.stream))
    hashed = hashlib.sha256(settings.encode()).hexdigest()[:16]
    return Journal.open(state, Header(run, sha256, hashed, timestamp()))


def _check(config: RunConfig, index: FinishedIndex) -> tuple[JobFile, Sorter]:
    sorter = Sorter(index)
    jobs = check_jobs(config.jobs, config.flags, config.backends, sorter.is_pending, config.selection)
    return jobs, sorter


def _run(
    config: RunConfig, jobs: JobFile, journal: Journal, provider: Provider, teller: Teller, ending: Ending
) -> Ending:
    """From the first request to the last record; the run's end is told in the state whatever happens."""
    state = ending.state
    start = _run_start(config, jobs, ending)
    record_start(state, start)
    warning = remember(state)
    if warning:
        teller.say(warning)
    night = _Night(config, jobs, journal, provider, teller, ending, start)
    try:
        done = asyncio.run(night.work())
    except BatchrunError as exc:
        night.tell_end(exc.exit_code, str(exc))
        # The disk may be what ended it; then this run counts as killed, which is no lie.
        with contextlib.suppress(JournalError):
            record_end(state, RunEnd(start.run, timestamp(), int(exc.exit_code), str(exc)))
        raise
    record_end(state, RunEnd(start.run, timestamp(), int(done.exit_code), done.reason or "finished", done.now))
    return done


class _Night:
    """The asynchronous middle of a run."""

    def __init__(
        self,
        config: RunConfig,
        jobs: JobFile,
        journal: Journal,
        provider: Provider,
        teller: Teller,
        ending: Ending,
        start: RunStart,
    ) -> None:
        self._config = config
        self._jobs = jobs
        self._journal = journal
        self._provider = provider
        self._teller = teller
        self._ending = ending
        self._run = start.run
        self._facts = {"run": start.run, "jobs": start.jobs, "started": start.started, "model": start.model}
        self._stop = StopSwitch()
        self._view: View | None = None

    async def work(self) -> Ending:
        from batchrun.engine import Engine

        loop = asyncio.get_running_loop()
        tally = Tally(self._jobs.total, self._ending.finished, self._jobs.pending_count, loop.time())
        with TelemetryLog(self._ending.state.telemetry, self._run) as telemetry:
            engine = Engine(
                self._terms(),
                self._jobs,
                self._journal,
                {self._config.backend.name: self._provider},
                tally,
                self._sampler(),
                self._stop,
                lambda view, load, lag_ms: self._take_period(telemetry, view, load, lag_ms),
            )
            self._write_status(engine.view())
            cpu_began = os.times()
            try:
                with self._teller.watching(engine.view):
                    await _unwrapped(engine.run())
            finally:
                self._view = engine.view()
                await self._provider.close()
        cpu_ended = os.times()
        cpu = cpu_ended.user + cpu_ended.system - cpu_began.user - cpu_began.system
        for model in engine.shelved_models:
            self._teller.say(f"model {model!r} is not known to the provider; its items stay pending: mend the model")
        finished, now = tally.finished, {str(status): count for status, count in tally.now.items()}
        code = self._stop.halt_code or _code(self._config, finished, self._stop.codes)
        self.tell_end(code, self._stop.reason)
        overhead = max(0.0, 1 - engine.accounts_cpu / cpu) if cpu > 0 else None
        return replace(
            self._ending, exit_code=code, reason=self._stop.reason, finished=finished, now=now, overhead=overhead
        )

    def tell_end(self, code: ExitCode, reason: str | None) -> None:
        if self._view is not None:
            self._write_status(self._view, {"exit_code": int(code), "reason": reason})

    def _terms(self) -> Any:
        from batchrun.engine import Terms
        from batchrun.gate.load import raise_open_files

        config = self._config
        bounds = replace(config.gate, max_slots=min(config.gate.max_slots, raise_open_files()))
        return Terms(
            bounds, config.clocks, config.retry, config.period, config.drain_timeout, config.give_up, config.stream
        )

    def _sampler(self) -> Any:
        from batchrun.gate.load import LoadSampler

        # After the SDK's import a full collection stalls the loop for 130 ms; what is there now is there for good.
        gc.collect()
        gc.freeze()
        return LoadSampler()

    def _take_period(self, telemetry: TelemetryLog, view: View, load: Load, lag_ms: float) -> None:
        telemetry.append(view, load, lag_ms)
        self._write_status(view)
        self._teller.period(view)

    def _write_status(self, view: View, ended: Mapping[str, Any] | None = None) -> None:
        # A look-out for people; a disk that is full will be told by the journal.
        with contextlib.suppress(OSError):
            write_snapshot(self._ending.state, snapshot(view, self._facts, None if ended is None else dict(ended)))


async def _unwrapped(run: Any) -> None:
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


def _code(config: RunConfig, finished: Mapping[str, int], codes: set[ExitCode]) -> ExitCode:
    """The exit code: why the run stopped early, else whether all that is finished was answered or accepted."""
    wanting = [status for status in Status if status is not Status.DONE and status not in config.accept]
    failed = {ExitCode.SOME_FAILED} if any(finished.get(status, 0) for status in wanting) else set()
    return weightiest(codes | failed)


def _provider(config: RunConfig, provided: ExitStack) -> Provider:
    backend = config.backend
    if config.simulate:
        from batchrun.simulator.process import start_simulator

        simulator = provided.enter_context(start_simulator(config.scenario))
        backend = replace(backend, base_url=simulator.base_url)
    from batchrun.providers.anthropic import AnthropicProvider

    return AnthropicProvider(backend, config.gate.max_slots)


def _run_start(config: RunConfig, jobs: JobFile, ending: Ending) -> RunStart:
    return RunStart(
        run=ending.run,
        started=timestamp(),
        pid=os.getpid(),
        host=socket.gethostname(),
        version=__version__,
        jobs=str(config.jobs.absolute()),
        jobs_sha256=jobs.sha256,
        args=sys.argv[1:],
        total=jobs.total,
        pending=jobs.pending_count,
        model=", ".join(sorted(jobs.models)),
        simulated=config.simulate,
    )


def _is_simulated(state: StateDir) -> bool | None:
    """Whether the answers in this state come from the embedded provider; None while there are none."""
    first = next(iter(read_runs(state)), None)
    return None if first is None else first.start.simulated


def _mixed(state: StateDir, config: RunConfig) -> str:
    if config.simulate:
        return f"{state.path} holds real answers; to simulate, give another place with --state DIR"
    remedy = f"for real ones remove it (rm -r {str(state.path)!r}) or give another place with --state DIR"
    return f"{state.path} holds answers of the embedded provider, made with --simulate; {remedy}"


def _about(config: RunConfig, jobs: JobFile, state: StateDir, provider: Provider) -> str:
    models = ", ".join(sorted(jobs.models))
    where = "the embedded provider" if config.simulate else provider.base_url
    return (
        f"{jobs.pending_count:,} of {jobs.total:,} items pending; model {models}; {where}, {provider.credential}; "
        f"price unknown; answers go to {state.results}"
    )


@contextmanager
def _logging(path: Path | None) -> Iterator[None]:
    """Decisions go to a file if one was asked for; nobody else hears them."""
    logger = logging.getLogger("batchrun")
    logger.propagate = False
    if path is None:
        logger.addHandler(logging.NullHandler())
        yield
        return
    try:
        handler = logging.FileHandler(path, encoding="utf-8")
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
