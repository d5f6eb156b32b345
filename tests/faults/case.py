"""A case of the fault matrix: what the provider does to an item, and what is to become of the item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from batchrun.errors import ExitCode
from batchrun.failure import Cause
from batchrun.outcome import Status
from batchrun.providers.provider import Wire
from batchrun.stream.clocks import ClockLimits

WIRES = tuple(Wire)
# Nothing that goes well comes near these, however busy the machine is.
PATIENT = ClockLimits(connect=10.0, first_byte=20.0, idle=20.0, stall=20.0, total=30.0)
# The same order of length as the defaults; for cases that end by a clock.
HASTY = ClockLimits(connect=10.0, first_byte=0.4, idle=0.4, stall=0.6, total=10.0)
DROPPING = ClockLimits(connect=10.0, first_byte=10.0, idle=10.0, stall=10.0, total=0.6)


class Connection(Enum):
    """On which connection a case begins."""

    ANY = "any"
    NEW = "new"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class End:
    """How an item ends. `status` None: it stays pending, and the run's codes hold `code`.

    `retried` are the attempts that failed, by cause; `requests` is how many the provider saw. `is_whole`: the text is
    the very text of the answer.
    """

    status: Status | None
    attempts: int = 1
    requests: int = 1
    retried: Mapping[Cause, int] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    stop_reason: str | None = None
    final: bool = True
    code: ExitCode | None = None
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Case:
    """`rules` are the F numbers that it proves; `script` is what the prompt asks of the embedded provider, `fields`
    what the job line has beside that; `prefill` begins the answer. The connection is one that served others before,
    unless the case wants one of its own.
    """

    name: str
    rules: tuple[str, ...]
    wire: Wire
    streamed: bool
    script: str
    end: End
    clocks: ClockLimits = PATIENT
    max_attempts: int = 3
    fields: Mapping[str, Any] = field(default_factory=dict)
    prefill: str = ""
    connection: Connection = Connection.ANY

    @property
    def is_hasty(self) -> bool:
        """Whether it is about a clock, and has to be played where there is time for it."""
        return self.clocks is not PATIENT

    @property
    def id(self) -> str:
        return f"{self.wire}-{'stream' if self.streamed else 'document'}-{self.name}"


def answered(*flags: str, stop_reason: str | None = "end_turn") -> End:
    """At once, with these flags."""
    return End(Status.DONE, flags=flags, stop_reason=stop_reason)


def again(cause: Cause, times: int = 1) -> End:
    """After so many attempts that failed."""
    return End(Status.DONE, times + 1, times + 1, {cause: times}, stop_reason="end_turn")


def failed(cause: Cause, attempts: int = 1, *, final: bool = True) -> End:
    """Without an answer, after so many attempts."""
    return End(Status.FAILED, attempts, attempts, {cause: attempts}, final=final)


def pending(code: ExitCode, cause: Cause, requests: int = 1) -> End:
    """Not at all: the run ends, or leaves the item for another one."""
    return End(None, requests, requests, {cause: requests}, code=code)
