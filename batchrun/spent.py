"""What a run has spent so far, as a frozen value that grows by each answer and each waste. Pure; prices are elsewhere.

What is not known is None, or counted apart; it is never told as 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, NamedTuple

MODELS_NAMED = 20  # a gateway may call each answer's model by another name; the rest is only counted
DIGITS = 8  # of a dollar, as in the checkpoint
_MAY_BE_UNKNOWN = frozenset({"usd", "wasted_usd_estimate", "saved_by_cache_usd"})


class Charge(NamedTuple):
    """What one answer cost in US dollars, and what the cache saved of it: below 0 where writing cost more than reading
    saved."""

    usd: float
    saved_by_cache: float = 0.0


@dataclass(frozen=True, slots=True)
class Spent:
    """US dollars: `usd` and `saved_by_cache_usd` are of the answers whose price is known, None before there is one.

    `wasted_usd_estimate` is what the output of failed attempts cost at their model's price: an estimate, without their
    input; None where there was such output and no price. `tokens` are of all answers, in and out, and of all waste.
    """

    usd: float | None = None
    items_priced: int = 0
    items_unpriced: int = 0
    wasted_usd_estimate: float | None = 0.0
    wasted_tokens_unpriced: int = 0
    saved_by_cache_usd: float | None = None
    tokens: int = 0
    unknown_models: tuple[str, ...] = ()

    @property
    def least_usd(self) -> float:
        """All that can be told in dollars, the estimate included."""
        return (self.usd or 0.0) + (self.wasted_usd_estimate or 0.0)

    def with_charge(self, charge: Charge, items: int = 1) -> Spent:
        """`items` is 0 for one more part of an answer that is counted already."""
        return replace(
            self,
            usd=(self.usd or 0.0) + charge.usd,
            items_priced=self.items_priced + items,
            saved_by_cache_usd=(self.saved_by_cache_usd or 0.0) + charge.saved_by_cache,
        )

    def with_unpriced(self, unknown_model: str | None, items: int = 1) -> Spent:
        """One answer more whose cost is not known, for want of the model's price, or of a usage (None)."""
        models = self.unknown_models
        if unknown_model is not None and unknown_model not in models and len(models) < MODELS_NAMED:
            models = (*models, unknown_model)
        return replace(self, items_unpriced=self.items_unpriced + items, unknown_models=models)

    def with_waste(self, usd: float | None, tokens: int) -> Spent:
        """`usd` None: nobody knows what these tokens cost."""
        if usd is not None:
            return replace(self, wasted_usd_estimate=(self.wasted_usd_estimate or 0.0) + usd)
        unpriced = self.wasted_tokens_unpriced + tokens
        return replace(self, wasted_usd_estimate=self.wasted_usd_estimate or None, wasted_tokens_unpriced=unpriced)

    def with_tokens(self, tokens: int) -> Spent:
        return replace(self, tokens=self.tokens + tokens)

    def told(self) -> dict[str, Any]:
        """As the files hold it."""
        return {
            name: round(value, DIGITS) if isinstance(value, float) else value for name, value in asdict(self).items()
        }


def spent_of(said: Mapping[str, Any] | None) -> Spent | None:
    """Read back what a file holds; None where it holds nothing of the kind."""
    if not isinstance(said, Mapping):
        return None
    known = {field.name: said[field.name] for field in fields(Spent) if field.name in said}
    models = tuple(map(str, known.pop("unknown_models", None) or ()))
    if not all(_is_figure(name, value) for name, value in known.items()):
        return None
    return Spent(**known, unknown_models=models)


def _is_figure(name: str, value: object) -> bool:
    if value is None:
        return name in _MAY_BE_UNKNOWN
    return isinstance(value, int | float) and not isinstance(value, bool)
