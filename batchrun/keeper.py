"""What is done once a period: the load is looked at, the gates are ruled, the operator is obeyed, and a run that has
to end is told so.

Starts no task, and knows of no single item.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

from batchrun.attempts import Attempts
from batchrun.errors import ExitCode
from batchrun.gate.load import Load
from batchrun.gate.usage import Company
from batchrun.journal.control import EVERY_GATE
from batchrun.lane import UNTUNED, Lane
from batchrun.slumber import Slumber
from batchrun.tally import Tally, View
from batchrun.terms import Fresh, Surroundings, Terms

log = logging.getLogger("batchrun")


class Keeper:
    """`terms` are those that hold at this moment, `load` is the newest look at the machine, None before the first, and
    `tok_s` the tokens a second of the last period."""

    def __init__(
        self, terms: Terms, around: Surroundings, lanes: Mapping[str, Lane], tally: Tally, attempts: Attempts
    ) -> None:
        self.terms = terms
        self._around = around
        self._lanes = lanes
        self._tally = tally
        self._attempts = attempts
        self._now = asyncio.get_running_loop().time
        self._slumber = Slumber(around.wall_clock().timestamp(), self._now())
        self._tokens_seen = 0
        self.load: Load | None = None
        self.tok_s = 0.0

    def __repr__(self) -> str:
        return f"<Keeper of {list(self._lanes)}, each {self.terms.period:g} s>"

    async def keep_time(self, view: Callable[[], View]) -> None:
        """Until it is cancelled. Comes sooner than the period where the run has to end sooner."""
        while True:
            now = self._now()
            lefts = (
                self._tally.last_finish + self.terms.give_up - now,
                self.terms.curfew.left(self._around.wall_clock(), now - self._tally.began),
            )
            wait = min([self.terms.period, *(left for left in lefts if left > 0)])
            await asyncio.sleep(wait)
            lag_ms = (self._now() - now - wait) * 1000
            await self._wake_up(now + wait)
            load = self._take_period(lag_ms)
            self._around.on_period(view(), load, lag_ms)

    async def _wake_up(self, due: float) -> None:
        """After a sleep of the machine nobody knows which connections still have another end: make new ones."""
        slept = self._slumber.look(self._around.wall_clock().timestamp(), self._now(), due)
        if slept:
            log.warning("the machine slept for about %.0f s: all connections are made anew", slept)
            for lane in self._lanes.values():
                await lane.provider.drop()

    def _take_period(self, lag_ms: float) -> Load:
        load = self.load = self._around.sampler.sample()
        self._obey()
        self._rule(load, lag_ms)
        self._count_tokens()
        if all(lane.gate.is_paused for lane in self._lanes.values()):
            self._tally.last_finish = self._now()  # the operator's own doing is no reason to give up
        if reason := self._reason_to_end():
            self._around.stop.drain(reason, ExitCode.STOPPED_EARLY)
        return load

    def _rule(self, load: Load, lag_ms: float) -> None:
        usages = {
            name: lane.gate.take_usage()._replace(answering=self._attempts.answering(name))
            for name, lane in self._lanes.items()
        }
        company = Company.of(usages.values(), lag_ms)
        for name, lane in self._lanes.items():
            lane.rule(load, usages[name], company)

    def _obey(self) -> None:
        """Do what the operator asks by `tune`; a backend's own tuning goes on top of that for all."""
        control = self._around.control()
        fresh = self._around.reread(0 if control is None else control.reloads)
        if fresh is not None:
            self._take(fresh)
        if control is None:
            return
        if control.buffer is not None:
            self._attempts.resize(control.buffer)
        for name, lane in self._lanes.items():
            lane.tune(control.gates.get(name, UNTUNED).over(control.gates.get(EVERY_GATE, UNTUNED)))

    def _take(self, fresh: Fresh) -> None:
        """What the operator has tuned stays on top of it."""
        self.terms = replace(fresh.terms, manner=self.terms.manner)
        self._attempts.resize(fresh.terms.manner.buffer)
        for name, terms in fresh.gates.items():
            if name in self._lanes:
                self._lanes[name].take(terms)

    def _reason_to_end(self) -> str | None:
        now, tally, seconds = self._now(), self._tally, self.terms.give_up
        if now - tally.last_finish < seconds:
            return self.terms.curfew.time_is_up(self._around.wall_clock(), now - tally.began)
        worst = tally.retried.most_common(1)
        cause = f"; most attempts failed with {worst[0][0]} ({tally.last_failure})" if worst else ""
        quiet = f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:g} s"
        return f"nothing has finished for {quiet}{cause}"

    def _count_tokens(self) -> None:
        """Tokens of the period: what has ended, and the chunks of what is still coming (about a token each)."""
        seen = self._tally.tokens + self._tally.wasted_tokens + self._attempts.chunks
        self.tok_s = max(0, seen - self._tokens_seen) / self.terms.period
        self._tokens_seen = seen
