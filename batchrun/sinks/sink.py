"""The seam to whoever takes the answers: what a sink offers, and the value that crosses it.

A sink takes or raises `SinkFailed`. It neither retries nor knows of slots, attempts to come or the journal.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any, Protocol

from batchrun.outcome import Outcome, Status


@dataclass(frozen=True, slots=True)
class SinkItem:
    """An item as a sink sees it. `attempt` counts from 1: what a lower one gave of the same item is void.

    While the answer is coming `status` is None and the fields below it are empty. All of it is the sink's own copy.
    """

    id: str
    attempt: int
    model: str
    metadata: dict[str, Any] | None = None
    status: Status | None = None
    text: str = ""
    stop_reason: str | None = None
    usage: dict[str, Any] = field(default_factory=dict)
    content: list[dict[str, Any]] = field(default_factory=list)


def coming(id: str, attempt: int, model: str, metadata: dict[str, Any] | None) -> SinkItem:
    """An item whose answer is on its way."""
    return SinkItem(id, attempt, model, copy.deepcopy(metadata))


def answered(outcome: Outcome) -> SinkItem:
    """An item with its answer."""
    return SinkItem(
        id=outcome.id,
        attempt=outcome.attempts,
        model=outcome.model,
        metadata=copy.deepcopy(outcome.metadata),
        status=outcome.status,
        text=outcome.text,
        stop_reason=outcome.stop_reason,
        usage=copy.deepcopy(outcome.usage),
        content=copy.deepcopy(outcome.content),
    )


class Sink(Protocol):
    """Takes answers: those of items that are done, incomplete or refused. An item that fails is not delivered.

    The calls for one item come one after the other; those for different items overlap. Delivery is at least once: what
    was delivered when the run was stopped, or when another sink of the run failed, is delivered again. All but `open`
    and `close` raise SinkFailed; `deliver` returns when the answer is where it should be.
    """

    @property
    def name(self) -> str:
        """As the user wrote it, for messages."""

    @property
    def wants_deltas(self) -> bool:
        """Whether `delta` is to be called as the text comes, before `deliver`."""

    async def open(self) -> None:
        """Before the first item. Raises ConfigError where no answer could ever be delivered."""

    async def delta(self, item: SinkItem, text: str) -> None:
        """The next piece of the text; `item` is that of an answer which is coming."""

    async def deliver(self, item: SinkItem) -> None:
        """The answer, whole; after all of its deltas."""

    async def abort(self, item: SinkItem) -> None:
        """The attempt has failed after deltas of it were given; they are void."""

    async def close(self) -> None:
        """After the last item, or if `open` has failed."""
