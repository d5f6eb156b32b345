"""How a job ended, as a frozen value: made by the engine, kept by the journal, told by the report.

No reading, writing or deciding here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """The four ways in which a job can be finished."""

    DONE = "done"
    INCOMPLETE = "incomplete"  # max_tokens, context window
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Measure:
    """What one attempt cost, in seconds unless said otherwise.

    `cpu` is the item's own CPU time, `cores` that over `wall`; `loop_cores` is the CPU time of the event-loop
    thread over the same wall, whoever used it. `ttft` (time to first token) is None where nothing was streamed.
    `held_up` is how much of the wall the consumer alone took.
    """

    wall: float = 0.0
    cpu: float = 0.0
    cores: float = 0.0
    loop_cores: float = 0.0
    tokens: int = 0
    tok_s: float = 0.0
    ttft: float | None = None
    chunks: int = 0
    held_up: float = 0.0


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Items that failed in so many runs, of something that may pass, that only `--retry` takes them up again. Of these
    `kept` have an answer: it is paid, and only no sink took it."""

    items: int = 0
    kept: int = 0

    def plus(self, *, is_kept: bool) -> GivenUp:
        """With one more."""
        return GivenUp(self.items + 1, self.kept + is_kept)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one job.

    `measure` is that of the attempt which gave the answer (of the last one where none did); `elapsed` (seconds
    from admission to the end) and `wasted_tokens` cover all attempts. `retried` counts the attempts that failed, by
    cause; `flags` names what was odd and accepted. `started` and `finished` are UTC, RFC 3339 with milliseconds.
    `final` is False for a failure that the next run asks again. `saved_tokens` is what an early end saved, against the
    most that the request allowed. `paid_before` tells that an earlier run has paid for the answer, and this one
    has only handed it to the sinks: `measure` and `cost_usd` are of that run.
    """

    id: str
    status: Status
    final: bool
    measure: Measure
    attempts: int
    elapsed: float
    wasted_tokens: int
    backend: str
    model: str
    request: str
    started: str
    finished: str
    stop_reason: str | None = None
    error: dict[str, Any] | None = None
    cost_usd: float | None = None
    retried: dict[str, int] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    saved_tokens: int = 0
    paid_before: bool = False
    text: str = ""
    content: list[dict[str, Any]] = field(default_factory=list)
    usage: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] | None = None

    @property
    def is_kept(self) -> bool:
        """Whether there is an answer in spite of the failure: it is paid, no sink took it, the next run delivers it."""
        return self.status is Status.FAILED and self.stop_reason is not None
