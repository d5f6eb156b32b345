"""The second half of `run`: provider, engine, journal and telemetry put together, from the first request to the last
record. Imported only when something is pending, for it takes a while; the SDK, which takes longer, waits until somebody
is to be asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
from collections import Counter
from collections.abc import Coroutine, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

from batchrun import loop
from batchrun.attempts import Manner
from batchrun.backends import what_if_unknown
from batchrun.config import RunConfig
from batchrun.curfew import Curfew, next_occurrence
from batchrun.ending import Ending, exit_code
from batchrun.engine import Engine
from batchrun.errors import BatchrunError, ExitCode, JournalError, NoCredentialsError
from batchrun.gate.laws import LAWS
from batchrun.gate.load import Load, LoadSampler, raise_open_files
from batchrun.item import timestamp
from batchrun.jobs.reader import JobFile
from batchrun.journal.control import forget_control, read_control
from batchrun.journal.index import remember
from batchrun.journal.runs import RunEnd, RunStart, record_end, record_start
from batchrun.journal.snapshot import write_snapshot
from batchrun.journal.writer import Journal
from batchrun.lane import GateTerms, Lane
from batchrun.log_file import logging_to
from batchrun.outcome import Status
from batchrun.plural import agreed
from batchrun.prices.bill import Outlook
from batchrun.providers.open import open_provider
from batchrun.providers.provider import Provider
from batchrun.purse import Limit, Limits, Purse, Tariff
from batchrun.reload import Reload
from batchrun.report.money import outlook_words
from batchrun.report.opening_text import asked_words, until_words
from batchrun.report.plain import dollars
from batchrun.simulator.process import start_simulator
from batchrun.sinks.sink import Sink
from batchrun.stop import StopSwitch
from batchrun.stream.stop_rule import parse_stop_when
from batchrun.tally import Tally, View
from batchrun.telemetry import TelemetryLog, forget_old, snapshot
from batchrun.teller import Teller
from batchrun.terms import Fresh, Surroundings, Terms


@dataclass(frozen=True, slots=True)
class Told:
    """What is known before the first request: how things stood, how the run begins, who listens, what may stop it, what
    reads the settings again, and who takes the answers."""

    before: Ending
    start: RunStart
    teller: Teller
    stop: StopSwitch
    reload: Reload = field(default_factory=Reload)
    sink: Sink | None = None


@dataclass(frozen=True, slots=True)
class Answerers:
    """Who is asked in this run, by backend, and what each takes for it; `tariffs` None: nothing, it is simulated."""

    providers: Mapping[str, Provider]
    tariffs: Mapping[str, Tariff] | None


def send(config: RunConfig, jobs: JobFile, journal: Journal, told: Told) -> Ending:
    """Ask what is pending.

    Raises:
        BatchrunError: no credentials, or the run cannot go on; its end is told in the state either way.
    """
    state = told.before.state
    with ExitStack() as stack:
        stack.enter_context(logging_to(config.log, told.teller.say))
        providers = _providers(config, jobs, stack)
        tariffs, outlook = _prices(config, jobs, providers)
        curfew = _curfew(config)
        told.teller.begin(_about(config, jobs, told, providers, outlook, curfew))
        forget_control(state)
        record_start(state, told.start)
        forget_old(state.telemetry, datetime.now(UTC))
        warning = remember(state)
        if warning:
            told.teller.say(warning)
        sending = _Sending(config, jobs, journal, Answerers(providers, tariffs), told, curfew)
        try:
            done = loop.run(sending.work())
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
        asked: Answerers,
        told: Told,
        curfew: Curfew,
    ) -> None:
        self._config = config
        self._curfew = curfew  # what the run has said at its start
        self._jobs = jobs
        self._journal = journal
        self._providers = asked.providers
        self._told = told
        self._sink = told.sink
        self._purse = Purse(asked.tariffs, Limits(config.max_cost, config.max_tokens_total), self._stop_at)
        self._tally: Tally | None = None
        self.reason: str | None = None

    def run_end(self, code: ExitCode, reason: str, now: dict[str, int]) -> RunEnd:
        """The last line of this run in runs.jsonl."""
        retried = {} if self._tally is None else dict(self._tally.retried)
        wasted = 0 if self._tally is None else self._tally.wasted_tokens
        counts = now | {"changed": len(self._told.before.changed)}
        spent = self._purse.spent.told()
        return RunEnd(self._told.start.run, timestamp(), int(code), reason, counts, retried, wasted, spent)

    async def work(self) -> Ending:
        before, loop = self._told.before, asyncio.get_running_loop()
        tally = self._tally = Tally(self._jobs.total, before.finished, self._jobs.pending_count, loop.time())
        tally.given_up = before.given_up
        with TelemetryLog(before.state.telemetry, self._told.start.run) as telemetry:
            # After the SDK's import a full collection stalls the loop for 130 ms; what is there now is there for good.
            gc.collect()
            gc.freeze()
            engine = Engine(
                self._terms(self._config), self._jobs, self._journal, self._lanes(), tally, self._around(telemetry)
            )
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
        if tally.finished_now == tally.todo and not tally.undelivered:
            # Everything came home in the drain: nothing is left that could be resumed.
            codes, self.reason = codes - {ExitCode.STOPPED_EARLY}, None
        for (backend, model), message in engine.shelved.items():
            asked = self._providers[backend].base_url
            self.reason = self.reason or f"unknown model {model}: {message} (asked {asked})"
            remedy = f"{what_if_unknown(backend, self._config.backends)}; its items stay pending"
            self._told.teller.say(f"unknown model {model!r}: {message} (asked {asked}); {remedy}")
        judged = Counter(self._told.before.counted) + tally.now
        code = stop.halt_code or exit_code(judged, self._config.accept, codes)
        self._write_status(engine.view(), {"exit_code": int(code), "reason": self.reason})
        return replace(
            self._told.before,
            exit_code=code,
            finished=finished,
            now={str(status): tally.now[status] for status in Status},
            reason=self.reason if stop.reason else None,
            undelivered=tally.undelivered,
            sink_error=tally.sink_error,
            given_up=tally.given_up,
            overhead=max(0.0, 1 - engine.accounts_cpu / cpu) if cpu > 0 else None,
            spent=self._purse.spent,
        )

    def _around(self, telemetry: TelemetryLog) -> Surroundings:
        return Surroundings(
            self._told.stop,
            LoadSampler(),
            partial(self._take_period, telemetry),
            control=partial(read_control, self._told.before.state),
            on_drain=self._tell_drain,
            purse=self._purse,
            reread=self._reread,
        )

    def _reread(self, asked_by_tune: int) -> Fresh | None:
        """What is wrong with the settings ends no run: those that hold go on to hold."""
        try:
            config = self._told.reload.take(asked_by_tune)
            if config is None:
                return None
            fresh = Fresh(self._terms(config), self._gates(config))
        except BatchrunError as exc:
            self._told.teller.say(f"the settings stay as they are: {exc}")
            return None
        self._told.teller.say("the settings were read again")
        self._config = replace(self._config, drain_timeout=config.drain_timeout)
        return fresh

    def _terms(self, config: RunConfig) -> Terms:
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
            curfew=self._curfew,
        )

    def _lanes(self) -> dict[str, Lane]:
        now, gates = asyncio.get_running_loop().time, self._gates(self._config)
        return {name: Lane.open(name, provider, gates[name], now) for name, provider in self._providers.items()}

    def _gates(self, config: RunConfig) -> dict[str, GateTerms]:
        bearable, gates = raise_open_files(), {}
        for name in self._providers.keys() & config.backends.keys():
            backend = config.backends[name]
            bounds = replace(backend.bounds, max_slots=min(backend.bounds.max_slots, bearable))
            bounds = replace(bounds, min_slots=min(bounds.min_slots, bounds.max_slots))
            gates[name] = GateTerms(bounds, backend.clocks, LAWS[config.law])
        return gates

    def _tell_drain(self, in_flight: int) -> None:
        stop, seconds = self._told.stop, self._config.drain_timeout
        if not in_flight:
            return
        waits = f"waiting up to {seconds:g} s for what is in flight ({in_flight}); a second signal stops at once"
        if stop.is_patient:
            waits = f"waiting for what is in flight ({in_flight}), for it is paid; a signal gives it {seconds:g} s"
        self._told.teller.say(f"stopping: {stop.reason}; {waits}")

    def _stop_at(self, limit: Limit) -> None:
        """Begin nothing new. What is in flight will be billed: cut off, it would be paid again by the next run."""
        purse, config = self._purse, self._config
        if limit is Limit.COST:
            reason = f"spent {dollars(purse.least_usd)}, and --max-cost is {dollars(config.max_cost or 0.0)}"
        else:
            reason = f"used {purse.spent.tokens:,} tokens, and --max-tokens-total is {config.max_tokens_total:,}"
        self._told.stop.drain(reason, ExitCode.STOPPED_EARLY, is_patient=True)

    def _take_period(self, telemetry: TelemetryLog, view: View, load: Load, lag_ms: float) -> None:
        telemetry.append(view, load, lag_ms)
        self._write_status(view)
        self._told.teller.period(view)

    def _write_status(self, view: View, ended: dict[str, object] | None = None) -> None:
        """Replace the snapshot; a look-out for people, so what keeps it from being written is nobody's error."""
        start = self._told.start
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
    is_simulated = config.simulate and bool(jobs.pending)
    simulator = stack.enter_context(start_simulator(config.scenario)) if is_simulated else None
    providers: dict[str, Provider] = {}
    for name in jobs.pending:
        backend = config.backends[name]
        asked = backend.provider
        if simulator is not None:
            base_url = simulator.base_url + ("/v1" if asked.kind == "openai" else "")
            asked = replace(asked, base_url=base_url, key_file=None, simulated=True)
        try:
            providers[name] = open_provider(asked, backend.bounds.max_slots)
        except NoCredentialsError as exc:
            raise NoCredentialsError(f"{exc}; to try batchrun without a key add --simulate") from exc
    return providers


def _prices(
    config: RunConfig, jobs: JobFile, providers: Mapping[str, Provider]
) -> tuple[Mapping[str, Tariff] | None, Outlook | None]:
    """What is taken for an answer and what this run may come to; nothing where the embedded provider answers.

    Raises:
        ConfigError: there is a limit in US dollars, and a model without a known price.
    """
    if config.simulate or not providers:
        return None, None
    from batchrun.prices.tariff import open_tariffs, outlook, require_prices  # noqa: PLC0415 - it takes 0.15 s

    tariffs = open_tariffs(config.prices, providers)
    if config.max_cost is not None:
        require_prices(jobs.volumes, tariffs)
    return tariffs, outlook(jobs.volumes, tariffs)


def _about(
    config: RunConfig,
    jobs: JobFile,
    told: Told,
    providers: Mapping[str, Provider],
    outlook: Outlook | None,
    curfew: Curfew,
) -> str:
    real = ", ".join(f"{provider.base_url} ({provider.credential})" for provider in providers.values())
    asked = f"asking {'the embedded provider' if config.simulate else real}" if providers else "nobody is asked"
    if count := len(jobs.kept):
        has = agreed(count, "has", "have")
        becomes = "which counts as it is, for no sink is there" if told.sink is None else "which is only delivered"
        asked += f"; {count:,} of them {has} an answer already, {becomes}"
    pending = asked_words(jobs.pending_count, told.before.pending, jobs.total)
    deadline = curfew.deadline
    until = "" if deadline is None else f"; {until_words(deadline, datetime.now(deadline.tzinfo))}"
    cost = "" if outlook is None else f"; {outlook_words(outlook)}"
    goes = f"answers go to {told.before.state.results}{_takers(told.sink)}"
    return f"{pending}; model {told.start.model}{cost}; {asked}{until}; {goes}"


def _takers(sink: Sink | None) -> str:
    return "" if sink is None else f" and to {sink.name}"


def _curfew(config: RunConfig) -> Curfew:
    clock = config.deadline
    deadline = None if clock is None else next_occurrence(clock, datetime.now().astimezone())
    return Curfew(deadline, config.max_time, config.max_failures)


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system
