"""One job on its way: its attempts so far, what they wasted, and the outcome in which they end.

Counts and builds values; it neither sends nor writes.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from batchrun.failure import Cause, Failure
from batchrun.jobs.job import Job
from batchrun.outcome import Measure, Outcome, Status
from batchrun.retry import RULES
from batchrun.stream.message import Message

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


class Item:
    """`began` is the event loop's time at admission, in seconds. `cost_usd` is what the answer cost, None while there
    is none, or its price is not known. One that was paid for has that cost whatever becomes of it."""

    def __init__(self, job: Job, began: float) -> None:
        self.job = job
        self.attempts = 0
        self.counted = 0
        self.wasted_tokens = 0
        self.retried: Counter[str] = Counter()
        self.cost_usd: float | None = None
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

    def note(self, failure: Failure) -> None:
        """An attempt has failed."""
        self.retried[failure.cause.value] += 1  # a plain text: orjson takes no other for a key
        self.counted += RULES[failure.cause].costs_attempt
        self.wasted_tokens += failure.partial_tokens

    def answered(self, message: Message, measure: Measure, now: float) -> Outcome:
        """The outcome of an item that got an answer."""
        return Outcome(
            id=self.job.id,
            status=STATUS_OF_STOP_REASON.get(message.stop_reason, Status.DONE),
            final=True,
            measure=measure,
            attempts=self.attempts,
            elapsed=now - self._began,
            wasted_tokens=self.wasted_tokens,
            backend=self.job.backend,
            model=message.model or self.job.model,
            request=self.job.request,
            started=self._started,
            finished=timestamp(),
            stop_reason=message.stop_reason,
            cost_usd=self.cost_usd,
            retried=dict(self.retried),
            flags=message.flags,
            text=message.text,
            content=message.content,
            usage=message.usage,
            metadata=self.job.metadata,
        )

    def failed(self, failure: Failure, measure: Measure, now: float, *, final: bool) -> Outcome:
        """The outcome of an item that got none."""
        return Outcome(
            id=self.job.id,
            status=Status.FAILED,
            final=final,
            measure=measure,
            attempts=self.attempts,
            elapsed=now - self._began,
            wasted_tokens=self.wasted_tokens,
            backend=self.job.backend,
            model=self.job.model,
            request=self.job.request,
            started=self._started,
            finished=timestamp(),
            error=_error(failure),
            cost_usd=self.cost_usd,
            retried=dict(self.retried),
            metadata=self.job.metadata,
        )


def _error(failure: Failure) -> dict[str, object]:
    error: dict[str, object] = {"cause": str(failure.cause), "message": failure.message, "status": failure.status}
    return error | ({"request_id": failure.request_id} if failure.request_id else {})
