"""Answers of a night that are paid and kept, and that no sink has taken: what they hold and cost. Pure.

Each is counted once, however often it could not be delivered, and no more once it has been: then it is an answer like
others.
"""

from __future__ import annotations

from dataclasses import dataclass

from batchrun.spent import DIGITS


@dataclass(frozen=True, slots=True)
class Undelivered:
    """`usd` is of the `priced` ones, None where there is none."""

    items: int = 0
    tokens: int = 0
    priced: int = 0
    usd: float | None = None

    @property
    def unpriced(self) -> int:
        return self.items - self.priced


class UndeliveredSum:
    """Takes them by a number of their item."""

    def __init__(self) -> None:
        self._answers: dict[int, tuple[int, float | None]] = {}

    def __repr__(self) -> str:
        return f"<UndeliveredSum {len(self._answers)} answers>"

    def take(self, slot: int, tokens: int, cost_usd: float | None) -> None:
        self._answers[slot] = tokens, cost_usd

    def drop(self, slot: int) -> None:
        """It has been delivered, or another answer has come."""
        self._answers.pop(slot, None)

    def sum(self) -> Undelivered:
        costs = [cost_usd for _, cost_usd in self._answers.values() if cost_usd is not None]
        tokens = sum(tokens for tokens, _ in self._answers.values())
        return Undelivered(len(self._answers), tokens, len(costs), round(sum(costs), DIGITS) if costs else None)
