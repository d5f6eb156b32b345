"""What became of one request of a bench, as a frozen value that goes from a worker to its parent. No asking here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Sample:
    """One request; seconds from the moment it was sent. `cause` None: it was answered, else a word of `failure.py`.

    `first_byte` is the head of the answer, `ttft` the first piece of its text: None where no stream was asked for.
    `tokens` are output tokens; `connections` is how many had to be made for it.
    """

    streamed: bool
    total: float
    first_byte: float | None
    ttft: float | None
    tokens: int
    connections: int
    cause: str | None = None

    @property
    def is_answered(self) -> bool:
        return self.cause is None


def samples_of(told: Iterable[Mapping[str, Any]]) -> list[Sample]:
    """The samples in what a worker told."""
    return [Sample(**fields) for fields in told]


def answered(samples: Iterable[Sample]) -> list[Sample]:
    """Those that count for times: a failure that comes at once is no fast answer."""
    return [sample for sample in samples if sample.is_answered]


def causes_of(samples: Iterable[Sample]) -> dict[str, int]:
    """Why requests failed, and how many each."""
    return dict(Counter(sample.cause for sample in samples if sample.cause is not None))
