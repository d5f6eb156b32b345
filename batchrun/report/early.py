"""Answers that were ended early, by a rule that said enough, and what that saved. Pure: figures in, figures out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeGuard

from batchrun.report.plain import count, counted
from batchrun.stream.stop_rule import STOP_RULE


def is_early(stop_reason: str | None) -> TypeGuard[str]:
    """Whether a rule ended the answer, and not the model."""
    return stop_reason is not None and stop_reason.startswith(STOP_RULE)


@dataclass(frozen=True, slots=True)
class EarlyEnds:
    """`rules` counts the items by the rule that ended them; `tokens` are those that they took, an estimate, for their
    providers' own number never comes. `saved_of_limit` is against the most that the requests allowed;
    `saved_of_mean` against `mean`, what an item took that no rule ended: None where there was none to compare with.
    """

    items: int
    rules: Mapping[str, int]
    tokens: int
    saved_of_limit: int
    mean: float | None
    saved_of_mean: float | None

    @property
    def words(self) -> str:
        """For people, with what each figure is against."""
        by = ", ".join(f"{rule} {count(number)}" for rule, number in self.rules.items())
        told = (
            f"{counted(self.items, 'item')} ended by a rule ({by}) after {counted(self.tokens, 'token')} (estimated); "
        )
        told += f"saved {count(self.saved_of_limit)} against max_tokens"
        if self.mean is None or self.saved_of_mean is None:
            return f"{told}; nothing else ended by itself, so there is no usual length to compare with"
        if self.saved_of_mean <= 0:
            return f"{told}, nothing against the {self.mean:.0f} of items that went on"
        return f"{told}, about {count(round(self.saved_of_mean))} against the {self.mean:.0f} of items that went on"


class EarlyEndsSum:
    """Adds them up, line by line."""

    def __init__(self) -> None:
        self._rules: Counter[str] = Counter()
        self._tokens = 0
        self._saved = 0
        self._others = 0
        self._tokens_of_others = 0

    def __repr__(self) -> str:
        return f"<EarlyEndsSum {self._rules.total()} items, {self._others} others>"

    def take(self, stop_reason: str | None, tokens: int, saved: int) -> None:
        """An item that was answered."""
        if is_early(stop_reason):
            self._rules[stop_reason.removeprefix(STOP_RULE)] += 1
            self._tokens += tokens
            self._saved += saved
        else:
            self.take_others(1, tokens)

    def take_others(self, items: int, tokens: int) -> None:
        """So many items that were answered and that no rule ended, with their tokens together."""
        self._others += items
        self._tokens_of_others += tokens

    def sum(self) -> EarlyEnds | None:
        """None where no rule has ended anything."""
        items = self._rules.total()
        if not items:
            return None
        mean = self._tokens_of_others / self._others if self._others else None
        saved = None if mean is None else mean * items - self._tokens
        return EarlyEnds(items, dict(self._rules.most_common()), self._tokens, self._saved, mean, saved)
