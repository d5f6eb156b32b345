"""What a run spends: each answer is priced as it comes, waste is estimated, and where a limit is reached it is said.

Who hears of the limit stops the run; nothing is stopped here, and no price is known here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from batchrun.jobs.job import Job
from batchrun.spent import Charge, Spent
from batchrun.stream.message import Message
from batchrun.stream.usage import told_tokens

_BILLED = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


class Tariff(Protocol):
    """The prices of one backend, as a purse needs them. None: not known."""

    def charge(self, answered: str, asked: str, usage: Mapping[str, Any]) -> Charge | None:
        """What an answer cost, by the names of the model that answered and of the one that was asked."""

    def output(self, model: str, tokens: int) -> float | None:
        """What so many tokens of an answer cost, in US dollars."""


class Limit(StrEnum):
    """Which limit was reached, by the name of its setting."""

    COST = "max_cost"
    TOKENS = "max_tokens_total"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may spend: US dollars, and tokens in and out. None: without a limit."""

    usd: float | None = None
    tokens: int | None = None


class Purse:
    """`tariffs` are by backend; None: nothing costs anything, as with the embedded provider. `on_limit` is called once,
    by the answer or the waste that reaches a limit."""

    def __init__(
        self,
        tariffs: Mapping[str, Tariff] | None = None,
        limits: Limits = Limits(),
        on_limit: Callable[[Limit], object] = lambda limit: None,
    ) -> None:
        self.spent = Spent()
        self._tariffs = tariffs
        self._limits = limits
        self._on_limit = on_limit
        self._untold = 0.0  # US dollars for the output of answers that came without a usage: they count for the limit
        self._is_reached = False

    def __repr__(self) -> str:
        return f"<Purse {self.least_usd:.4f} USD, {self.spent.tokens} tokens of {self._limits}>"

    @property
    def least_usd(self) -> float:
        """All that is known to be spent, estimates included."""
        return self.spent.least_usd + self._untold

    def pay(self, job: Job, message: Message, goes_on: bool = False) -> float | None:
        """Count an answer, or one part of it, as it comes from the wire, whatever becomes of it then; gives what it
        cost. `goes_on`: another part of the same answer was counted before."""
        self.spent = self.spent.with_tokens(billed_tokens(message.usage) or message.output_tokens)
        charge = self._charge(job, message, 0 if goes_on else 1)
        self._look_at_limits()
        return None if charge is None else charge.usd

    def waste(self, job: Job, tokens: int) -> None:
        """Count the output of an attempt that came to nothing."""
        if not tokens:
            return
        self.spent = self.spent.with_tokens(tokens)
        if self._tariffs is not None:
            self.spent = self.spent.with_waste(self._tariffs[job.backend].output(job.model, tokens), tokens)
        self._look_at_limits()

    def _charge(self, job: Job, message: Message, items: int) -> Charge | None:
        if self._tariffs is None:
            return None
        tariff = self._tariffs[job.backend]
        charge = tariff.charge(message.model, job.model, message.usage)
        if charge is not None:
            self.spent = self.spent.with_charge(charge, items)
            return charge
        output = tariff.output(job.model, message.output_tokens)
        self._untold += output or 0.0
        self.spent = self.spent.with_unpriced(job.model if output is None else None, items)
        return None

    def _look_at_limits(self) -> None:
        if self._is_reached:
            return
        usd, tokens = self._limits.usd, self._limits.tokens
        if usd is not None and self.least_usd >= usd:
            self._is_reached = True
            self._on_limit(Limit.COST)
        elif tokens is not None and self.spent.tokens >= tokens:
            self._is_reached = True
            self._on_limit(Limit.TOKENS)


def billed_tokens(usage: Mapping[str, Any]) -> int:
    """Tokens of all kinds in the usage of an answer; 0 where it tells none."""
    return sum(told_tokens(usage, name) for name in _BILLED)
