"""One job on its way: its attempts so far, what they wasted, and the outcome in which they end.

Counts and builds values; it neither sends nor writes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from batchrun.failure import Cause, Failure
from batchrun.jobs.job import Job
from batchrun.outcome import Measure, Outcome, Status
from batchrun.retry import RULES
from batchrun.stream.message import USAGE_ESTIMATED, Message
from batchrun.stream.parts import Parts
from batchrun.stream.stop_rule import STOP_RULE

STATUS_OF_STOP_REASON = {
    "max_tokens": Status.INCOMPLETE,
    "model_context_window_exceeded": Status.INCOMPLETE,
    "refusal": Status.REFUSED,
    "pause_turn": Status.INCOMPLETE,  # the model meant to go on
}


def timestamp(moment: datetime | None = None) -> str:
    """UTC as RFC 3339 with milliseconds; now, if no moment is given. Fixed width, so that texts sort as times do."""
    moment = datetime.now(UTC) if moment is None else moment
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that an earlier run paid for and that only the sinks have not taken; the figures are that run's: a
    delivery asks nobody, and is no part of how long the answer took."""

    message: Message
    measure: Measure
    cost_usd: float | None = None
    attempts: int = 1
    elapsed: float = 0.0


class Item:
    """`began` is the event loop's time at admission, in seconds. `cost_usd` is what the answer cost, None while there
    is none, or its price is not known. One that was paid for has that cost whatever becomes of it, and so has what was
    said of one before a pause."""

    def __init__(self, job: Job, began: float, kept: Kept | None = None) -> None:
        self.job = job
        self.attempts = 0
        self.counted = 0
        self.wasted_tokens = 0
        self.retried: Counter[str] = Counter()
        self.kept = kept
        self.cost_usd: float | None = None if kept is None else kept.cost_usd
        self.parts = Parts()
        self._began = began
        self._started = timestamp()

    def __repr__(self) -> str:
        return f"<Item {self.job.id!r} attempt {self.attempts}>"

    @property
    def failed_attempts(self) -> int:
        return self.retried.total()

    @property
    def idle_retries(self) -> int:
        return self.retried[Cause.SILENT]

    def take(self, part: Message, cost_usd: float | None) -> Message | None:
        """A part of the answer has come, and has cost so much: gives the whole answer once it was the last one."""
        if self.parts.has_begun:
            known = self.cost_usd is not None and cost_usd is not None
            self.cost_usd = (self.cost_usd or 0.0) + (cost_usd or 0.0) if known else None
        else:
            self.cost_usd = cost_usd
        return self.parts.take(part)

    def note(self, failure: Failure, *, is_free: bool = False) -> None:
        """An attempt has failed; `is_free`: it costs the item none of its attempts, whatever its cause."""
        self.retried[failure.cause.value] += 1  # a plain text: orjson takes no other for a key
        self.counted += RULES[failure.cause].costs_attempt and not is_free
        self.wasted_tokens += failure.partial_tokens

    def answered(self, message: Message, measure: Measure, now: float) -> Outcome:
        """The outcome of an item that got an answer."""
        return Outcome(
            id=self.job.id,
            status=STATUS_OF_STOP_REASON.get(message.stop_reason, Status.DONE),
            final=True,
            measure=measure,
            attempts=self.attempts if self.kept is None else self.kept.attempts,
            elapsed=now - self._began if self.kept is None else self.kept.elapsed,
            wasted_tokens=self.wasted_tokens,
            backend=self.job.backend,
            request=self.job.request,
            started=self._started,
            finished=timestamp(),
            cost_usd=self.cost_usd,
            retried=dict(self.retried),
            saved_tokens=self._saved(message),
            paid_before=self.kept is not None,
            metadata=self.job.metadata,
            **({"model": self.job.model} | _parts_of(message)),
        )

    def failed(
        self, failure: Failure, measure: Measure, now: float, *, final: bool, answer: Message | None = None
    ) -> Outcome:
        """The outcome of an item that got none, or one that no sink took: `answer`, which is kept for the next run."""
        kept = {} if answer is None else _parts_of(answer)
        return Outcome(
            id=self.job.id,
            status=Status.FAILED,
            final=final,
            measure=measure,
            attempts=self.attempts if self.kept is None else self.kept.attempts,
            elapsed=now - self._began if self.kept is None else self.kept.elapsed,
            wasted_tokens=self.wasted_tokens + (0 if answer else self.parts.said_tokens),
            backend=self.job.backend,
            request=self.job.request,
            started=self._started,
            finished=timestamp(),
            error=_error(failure),
            cost_usd=self.cost_usd,
            retried=dict(self.retried),
            paid_before=self.kept is not None,
            metadata=self.job.metadata,
            **({"model": self.job.model} | kept),
        )

    def _saved(self, message: Message) -> int:
        """Tokens that an early end saved, against the most that the request allowed."""
        most = self.job.max_tokens
        # Where the provider told the usage, the answer had come to its end: all of it was generated, nothing was saved.
        is_early = message.stop_reason.startswith(STOP_RULE) and USAGE_ESTIMATED in message.flags
        if most is None or not is_early:
            return 0
        return max(0, most - message.output_tokens)


def kept_in(fields: Mapping[str, Any]) -> Kept:
    """The answer in a result line that `Item.failed` made. Raises KeyError and TypeError where there is none in it."""
    message = Message(
        id="",
        model=fields["model"],
        text=fields["text"],
        content=fields["content"],
        stop_reason=fields["stop_reason"],
        usage=fields["usage"],
        output_tokens=fields["tokens"],
        flags=tuple(fields.get("flags", ())),
    )
    figures = ("wall", "cpu", "cores", "loop_cores", "tokens", "tok_s", "ttft", "chunks")
    measure = Measure(**{name: fields[name] for name in figures})
    return Kept(message, measure, fields.get("cost_usd"), fields["attempts"], fields["elapsed"])


def _parts_of(message: Message) -> dict[str, Any]:
    parts = {name: getattr(message, name) for name in ("text", "content", "stop_reason", "usage", "flags")}
    return parts | ({"model": message.model} if message.model else {})


def _error(failure: Failure) -> dict[str, object]:
    error: dict[str, object] = {"cause": str(failure.cause), "message": failure.message, "status": failure.status}
    more = {"request_id": failure.request_id, "partial_characters": failure.partial_characters}
    return error | {name: value for name, value in more.items() if value}
