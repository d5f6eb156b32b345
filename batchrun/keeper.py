"""What is done once a period: the load is looked at, the gates are ruled, the operator is obeyed, and a run that has
to end is told so.

Starts no task, and knows of no single item.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from batchrun.attempts import Attempts
from batchrun.errors import ExitCode
from batchrun.gate.load import Load
from batchrun.journal.control import EVERY_GATE
from batchrun.lane import UNTUNED, Lane
from batchrun.slumber import Slumber
from batchrun.tally import Tally, View
from batchrun.terms import Surroundings, Terms

log = logging.getLogger("batchrun")


class Keeper:
    """`load` is the newest look at the machine, None before the first; `tok_s` the tokens a second of the last
    period."""

    def __init__(
        self, terms: Terms, around: Surroundings, lanes: Mapping[str, Lane], tally: Tally, attempts: Attempts
    ) -> None:
        self._terms = terms
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
        return f"<Keeper of {list(self._lanes)}, each {self._terms.period:g} s>"

    @property
    def is_paused(self) -> bool:
        """Whether the operator holds every gate."""
        return all(lane.gate.is_paused for lane in self._lanes.values())

    async def keep_time(self, view: Callable[[], View]) -> None:
        """Until it is cancelled. Comes sooner than the period where the run has to end sooner."""
        while True:
            now = self._now()
            lefts = (
                self._tally.last_finish + self._terms.give_up - now,
                self._terms.curfew.left(self._around.wall_clock(), now - self._tally.began),
            )
            wait = min([self._terms.period, *(left for left in lefts if left > 0)])
            await asyncio.sleep(wait)
            await self._wake_up(now + wait)
            load = self._take_period()
            self._around.on_period(view(), load, (self._now() - now - wait) * 1000)

    async def _wake_up(self, due: float) -> None:
        """After a sleep of the machine nobody knows which connections still have another end: make new ones."""
        slept = self._slumber.look(self._around.wall_clock().timestamp(), self._now(), due)
        if slept:
            log.warning("the machine slept for about %.0f s: all connections are made anew", slept)
            for lane in self._lanes.values():
                await lane.provider.drop()

    def _take_period(self) -> Load:
        load = self.load = self._around.sampler.sample()
        self._obey()
        for lane in self._lanes.values():
            lane.rule(load)
        self._count_tokens()
        if self.is_paused:
            self._tally.last_finish = self._now()  # the operator's own doing is no reason to give up
        if reason := self._reason_to_end():
            self._around.stop.drain(reason, ExitCode.STOPPED_EARLY)
        return load

    def _obey(self) -> None:
        """Do what the operator asks by `tune`; a backend's own tuning goes on top of that for all."""
        control = self._around.control()
        if control is None:
            return
        if control.buffer is not None:
            self._attempts.resize(control.buffer)
        for name, lane in self._lanes.items():
            lane.tune(control.gates.get(name, UNTUNED).over(control.gates.get(EVERY_GATE, UNTUNED)))

    def _reason_to_end(self) -> str | None:
        now, tally, seconds = self._now(), self._tally, self._terms.give_up
        if now - tally.last_finish < seconds:
            return self._terms.curfew.time_is_up(self._around.wall_clock(), now - tally.began)
        worst = tally.retried.most_common(1)
        cause = f"; most attempts failed with {worst[0][0]} ({tally.last_failure})" if worst else ""
        quiet = f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:g} s"
        return f"nothing has finished for {quiet}{cause}"

    def _count_tokens(self) -> None:
        """Tokens of the period: what has ended, and the chunks of what is still coming (about a token each)."""
        seen = self._tally.tokens + self._tally.wasted_tokens + self._attempts.chunks
        self.tok_s = max(0, seen - self._tokens_seen) / self._terms.period
        self._tokens_seen = seen
