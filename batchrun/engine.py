"""The run: takes pending jobs, a slot each, attempts, verdicts, outcomes, until nothing is left or somebody stops it.

The only module that starts tasks. It decides nothing that a rule elsewhere can decide: the gate's law says how many,
the retry table says what a failure means, the journal says when an item is finished.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import Any, Protocol

from batchrun.attempts import Attempts, Ended, Hands
from batchrun.errors import ExitCode, JobFileError, JobFileUnreadable
from batchrun.failure import Cause, Failure
from batchrun.gate.slots import Slot
from batchrun.gate.traffic import Turn
from batchrun.item import Item, Kept, kept_in
from batchrun.jobs.job import Job
from batchrun.jobs.reader import JobFile
from batchrun.keeper import Keeper
from batchrun.lane import Lane
from batchrun.outcome import Outcome, Status
from batchrun.redelivery import Redelivery
from batchrun.retry import Action, RetryPolicy, Strikes, Verdict, judge
from batchrun.stream.message import Message
from batchrun.stream.meter import Account, charged
from batchrun.tally import Tally, View
from batchrun.terms import Surroundings, Terms

log = logging.getLogger("batchrun")

# Items between their first admission and their end: those with a slot, and those that wait to be asked again. Bounds
# the memory of a bad hour, in which every item fails at once and backs off.
MAX_IN_HAND_BEYOND_SLOTS = 1000
# Kept answers that are handed to the sinks at once: as many as a function of the user's has threads. More would only
# stand in line there, each with its text in memory.
MAX_REDELIVERED_AT_ONCE = 32


class Store(Protocol):
    """The journal, as the engine needs it."""

    async def commit(self, outcome: Outcome) -> None: ...

    async def wait_for_room(self) -> None: ...

    def kept(self, id: str, request: str) -> dict[str, Any] | None:
        """The result line of an answer to this request that was paid for, and that only the sinks have not taken."""

    def gives_up(self, id: str, request: str) -> bool:
        """Whether the next run leaves this request alone though it failed of something that may pass."""


class Engine:
    """One run over the pending jobs of a job file; each backend has a lane of its own and shares nothing with
    others."""

    def __init__(
        self,
        terms: Terms,
        jobs: JobFile,
        store: Store,
        lanes: Mapping[str, Lane],
        tally: Tally,
        around: Surroundings,
    ) -> None:
        self._jobs = jobs
        self._store = store
        self._lanes = lanes
        self._tally = tally
        self._around = around
        self._stop = around.stop
        self._loop = asyncio.get_running_loop()
        self._call_soon = self._loop.call_soon_threadsafe
        self._shelved: dict[tuple[str, str], str] = {}
        self._draining = asyncio.Event()
        self._is_worked_off = False
        self._backing_off = 0
        self._rescued: list[Outcome] = []  # of items that were cut off with an answer in hand
        hands = Hands(self._start_delivery, self._rescued.append, self._waste, around.purse.pay)
        self._attempts = Attempts(terms.manner, hands)
        self._redelivery = Redelivery(terms.manner, self._start_delivery, self._rescued.append)
        self._kept_strikes = Strikes()
        self._keeper = Keeper(terms, around, lanes, tally, self._attempts)
        self.accounts_cpu = 0.0  # CPU seconds charged to items that have ended; the rest of the process is overhead

    def __repr__(self) -> str:
        return f"<Engine {self._tally.finished_now}/{self._tally.todo} {list(self._lanes.values())}>"

    @property
    def _terms(self) -> Terms:
        """They change where the operator has the settings read again."""
        return self._keeper.terms

    # -- the run ------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until nothing is pending or the stop switch has been thrown and the drain is over.

        Raises:
            JournalError: the run cannot go on; what was finished before is safe.
        """
        async with asyncio.TaskGroup() as self._group:
            keeper = self._group.create_task(self._keeper.keep_time(self.view))
            await self._work_off()
            keeper.cancel()

    def view(self) -> View:
        """How things stand."""
        tally, now, load = self._tally, self._loop.time(), self._keeper.load
        return View(
            elapsed=now - tally.began,
            total=tally.total,
            finished=tally.finished,
            pending=tally.total - sum(tally.finished.values()),
            in_flight=self._in_flight,
            backing_off=self._backing_off,
            with_sinks=self._attempts.with_sinks + self._redelivery.under_way,
            retries=tally.retried.total(),
            retried=dict(tally.retried),
            wasted_tokens=tally.wasted_tokens,
            again=tally.again,
            tok_s=self._keeper.tok_s,
            eta_s=None if self._stop.is_on or self._keeper.is_paused else tally.eta(now),
            gates={name: lane.view() for name, lane in self._lanes.items()},
            cpu=None if load is None else load.cpu,
            cpu_ewma=None if load is None else load.cpu_ewma,
            last_error=tally.last_error,
            stopping=self._stop.reason,
            spent=self._around.purse.spent,
            kept=tally.undelivered,
            given_up=tally.given_up,
        )

    @property
    def _in_flight(self) -> int:
        return sum(lane.gate.in_flight for lane in self._lanes.values()) + self._redelivery.under_way

    async def _work_off(self) -> None:
        try:
            async with asyncio.timeout(None) as cutoff:
                async with asyncio.TaskGroup() as self._items:
                    self._arm_stop(cutoff)
                    self._items.create_task(self._deliver_kept())
                    for name in self._jobs.pending:
                        self._items.create_task(self._dispatch(self._lanes[name]))
                self._is_worked_off = True
        except TimeoutError:
            log.info("stopped with items in flight; they stay pending")
        self._is_worked_off = True
        for outcome in self._rescued:
            self._group.create_task(self._commit(outcome))

    def _arm_stop(self, cutoff: asyncio.Timeout) -> None:
        def drain() -> None:
            self._draining.set()
            self._attempts.hurry()
            for lane in self._lanes.values():
                lane.gate.close()
            self._around.on_drain(self._in_flight)
            if not self._stop.is_patient:
                cut(self._terms.drain_timeout)

        def cut(seconds: float) -> None:
            # A second signal may come while the first cut is still closing connections.
            if not self._is_worked_off and not cutoff.expired():
                cutoff.reschedule(self._loop.time() + seconds)

        # Either may be called in a signal handler, between any two bytecodes: the loop does it at its next turn.
        self._stop.on_drain = lambda: self._call_soon(drain)
        self._stop.on_halt = lambda: self._call_soon(cut, 0.0)
        if self._stop.is_on:
            drain()

    async def _dispatch(self, lane: Lane) -> None:
        """Hand the pending jobs of one backend to its slots, in the order of the file."""
        try:
            await self._prewarm(lane)
            await self._admit_all(lane)
        except JobFileError as exc:
            # The file was changed under us. What is in flight is paid for and may end; the next start checks it anew.
            self._stop.drain(str(exc), ExitCode.STOPPED_EARLY)
        except JobFileUnreadable as exc:  # a disk that fails, or a share that is gone: the same, by another name
            self._stop.drain(str(exc), exc.exit_code)
        lane.is_read = True

    async def _deliver_kept(self) -> None:
        """Hand what earlier runs have paid for to the sinks, beside what is asked: no gate holds it up, for nobody is
        asked, and no provider has to live for it."""
        at_once = asyncio.Semaphore(MAX_REDELIVERED_AT_ONCE)
        try:
            for job in self._jobs.kept_jobs() if len(self._jobs.kept) else ():
                await self._store.wait_for_room()
                await at_once.acquire()
                if self._draining.is_set():
                    return
                kept = self._kept(job)
                if kept is None:  # its record is left as it is: what becomes of it is for the next run to say
                    self._stop.codes.add(ExitCode.STOPPED_EARLY)
                    at_once.release()
                    continue
                task = self._items.create_task(self._redeliver(Item(job, self._loop.time(), kept)))
                task.add_done_callback(lambda _: at_once.release())
        except JobFileError as exc:
            self._stop.drain(str(exc), ExitCode.STOPPED_EARLY)
        except JobFileUnreadable as exc:
            self._stop.drain(str(exc), exc.exit_code)

    async def _redeliver(self, item: Item) -> None:
        ended = await self._redelivery.make(item)
        result, verdict = ended.result, None
        if isinstance(result, Message):
            self._kept_strikes.answered()
        else:
            item.note(result)
            self._tally.retry(result)
            strikes = self._kept_strikes.note(result.cause, item.job.id)
            counts = (item.counted, item.failed_attempts, strikes)
            verdict = judge(result, self._terms.retry, *counts, self._around.chance())
            log.info("item %r, delivered again: %s (%s) -> %s", item.job.id, result.cause, result.message, verdict)
            if verdict.stops_run:
                self._stop.drain(f"{result.cause}: {result.message}", verdict.exit_code)
        await self._settle(item, ended, verdict)

    async def _prewarm(self, lane: Lane) -> None:
        """Open connections before the first item needs one; one that cannot be opened is the first item's trouble."""
        count = min(self._terms.prewarm, lane.gate.limit)
        async with asyncio.TaskGroup() as connections:
            for _ in range(count):
                connections.create_task(lane.provider.warm(lane.clocks.connect))

    async def _admit_all(self, lane: Lane) -> None:
        in_hand = asyncio.Semaphore(lane.bounds.max_slots + MAX_IN_HAND_BEYOND_SLOTS)
        for job in self._jobs.jobs(lane.name):
            if (lane.name, job.model) in self._shelved:
                continue
            await self._store.wait_for_room()
            await in_hand.acquire()
            slot = await lane.gate.admit()
            if slot is None:
                return
            account = Account()
            item = Item(job, self._loop.time())
            task = self._items.create_task(charged(self._work(item, lane, slot, account), account))
            task.add_done_callback(lambda _: in_hand.release())

    # -- one item -----------------------------------------------------------------------------------------------------

    async def _work(self, item: Item, lane: Lane, slot: Slot | None, account: Account) -> None:
        """One item from its first slot to its end; the slot is given back while it backs off."""
        lane.in_hand += 1
        try:
            while slot is not None:
                with slot:
                    ended = await self._attempts.make(item, lane, account)
                    # Before the slot is given back: else the next in line would run into the wall that was just hit.
                    verdict = self._weigh(item, lane, ended.result, slot.since)
                if await self._settle(item, ended, verdict):
                    return
                is_refused = isinstance(ended.result, Failure) and ended.result.cause is Cause.RATE_LIMITED
                slot = await lane.gate.admit(Turn.REFUSED if is_refused else Turn.RETRY)
        finally:
            lane.in_hand -= 1
            self._tally.wasted_tokens += item.parts.said_tokens  # paid already, and lost with the item
            self.accounts_cpu += account.read()

    def _weigh(self, item: Item, lane: Lane, result: Message | Failure, sent_at: float) -> Verdict | None:
        """What follows from a failed attempt, for everybody at once and for the item; None for an answer."""
        if isinstance(result, Message):
            lane.answered(result)
            return None
        now, id = self._loop.time(), item.job.id
        strikes = lane.failed(result, id, sent_at, now)
        item.note(result, is_free=lane.is_unreached(result))
        self._tally.retry(result)
        self._around.purse.waste(item.job, result.partial_tokens)
        counts = (item.counted, item.failed_attempts, strikes)
        verdict = judge(result, self._policy(now), *counts, self._around.chance())
        log.info("item %r attempt %d: %s (%s) -> %s", id, item.attempts, result.cause, result.message, verdict)
        if verdict.hold > 0:
            lane.hold(verdict.hold, sent_at if result.cause is Cause.RATE_LIMITED else None, now)
        if verdict.action is Action.SHELVE:
            self._shelve(lane.name, item.job.model, result, verdict)
        if verdict.stops_run:
            self._stop.drain(f"{result.cause}: {result.message}", verdict.exit_code)
        return verdict

    def _policy(self, now: float) -> RetryPolicy:
        """No wait is worth it that ends after the run has to."""
        retry = self._terms.retry
        left = self._terms.curfew.left(self._around.wall_clock(), now - self._tally.began)
        return retry if left >= retry.longest_wait else replace(retry, longest_wait=max(0.0, left))

    async def _settle(self, item: Item, ended: Ended, verdict: Verdict | None) -> bool:
        """Do to the item what follows; True when it needs no other attempt in this run."""
        now, result, measure = self._loop.time(), ended.result, ended.measure
        if isinstance(result, Message):
            await self._finish(item.answered(result, measure, now))
            return True
        assert verdict is not None
        if verdict.action is Action.RETRY:
            return not await self._back_off(verdict.delay)
        if verdict.action is Action.FAIL:
            await self._finish(item.failed(result, measure, now, final=verdict.final, answer=ended.undelivered))
        return True

    async def _finish(self, outcome: Outcome) -> None:
        """An item is finished when its record is on disk, and counted only then.

        In a task of the run's own: an item that is cut off while it waits for the disk is written all the same, for it
        is paid, and has to be counted all the same.
        """
        await asyncio.shield(self._group.create_task(self._commit(outcome)))

    def _start_delivery(self, run: Coroutine[Any, Any, None]) -> None:
        self._items.create_task(run)

    def _waste(self, job: Job, tokens: int) -> None:
        self._tally.wasted_tokens += tokens
        self._around.purse.waste(job, tokens)

    def _kept(self, job: Job) -> Kept | None:
        fields = self._store.kept(job.id, job.request)
        try:
            return None if fields is None else kept_in(fields)
        except (KeyError, TypeError):  # a whole line, but not of ours: failed for it, the answer would be kept no more
            log.exception("item %r: its result line has no answer that can be delivered; it stays pending", job.id)
            return None

    async def _commit(self, outcome: Outcome) -> None:
        await self._store.commit(outcome)
        tally = self._tally
        is_given_up = not outcome.final and self._store.gives_up(outcome.id, outcome.request)
        tally.finish(outcome, self._loop.time(), is_given_up=is_given_up)
        if reason := self._terms.curfew.too_many_failed(tally.now[Status.FAILED], tally.finished_now):
            self._stop.drain(reason, ExitCode.STOPPED_EARLY)

    async def _back_off(self, seconds: float) -> bool:
        """Wait; False when a drain began meanwhile: the item then stays pending."""
        self._backing_off += 1
        try:
            async with asyncio.timeout(seconds):
                await self._draining.wait()
        except TimeoutError:
            return True
        finally:
            self._backing_off -= 1
        return False

    def _shelve(self, backend: str, model: str, failure: Failure, verdict: Verdict) -> None:
        if (backend, model) not in self._shelved:
            self._shelved[backend, model] = failure.message
            self._stop.codes.add(verdict.exit_code)
            log.error("model %r is not known to the provider: %s; its items stay pending", model, failure.message)

    @property
    def shelved(self) -> dict[tuple[str, str], str]:
        """By backend and model: what a provider said of a model that it does not know; its items stay pending."""
        return dict(self._shelved)
