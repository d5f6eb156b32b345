"""The prices of one backend: those of who sells there, with the user's own before them. Nothing is counted here.

Importing this takes 0.15 s, as the list does: only for a run that sends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batchrun.errors import ConfigError
from batchrun.jobs.volume import Volume
from batchrun.prices.bill import Outlook, PriceRange, Rates
from batchrun.prices.lookup import Prices, seller_of
from batchrun.providers.provider import Provider
from batchrun.spent import Charge

_TOKENS_OF_A_RATE = 1_000_000
# What reckoning with foreign counts and a foreign list may raise: no trouble with a price may cost an answer.
_ODD = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class BackendTariff:
    """What is asked at one address; `seller` None: who the list does not know, as on a machine at home."""

    def __init__(self, prices: Prices, seller: str | None) -> None:
        self._prices = prices
        self._seller = seller

    def __repr__(self) -> str:
        return f"<BackendTariff of {self._seller}, {self._prices!r}>"

    def charge(self, answered: str, asked: str, usage: Mapping[str, Any]) -> Charge | None:
        """What an answer cost, by the names of the model that answered ("" where it did not say) and of the one that
        was asked."""
        try:
            return self._prices.charge((answered or asked, asked), usage, self._seller)
        except _ODD:
            return None

    def output(self, model: str, tokens: int) -> float | None:
        """What so many tokens of an answer cost."""
        rates = self._prices.rates(model, self._seller)
        return None if rates is None else rates.output * tokens / _TOKENS_OF_A_RATE

    def knows(self, model: str) -> bool:
        return self._prices.rates(model, self._seller) is not None

    def price_range(self, model: str, volume: Volume) -> PriceRange | None:
        """None where the price is not known, or some of the items have no bound."""
        return self._prices.price_range(model, volume, self._seller)


def open_tariffs(own: Mapping[str, Rates], providers: Mapping[str, Provider]) -> dict[str, BackendTariff]:
    """The tariff of each of these backends; `own` are the user's prices by model."""
    prices = Prices(own)
    return {
        name: BackendTariff(prices, seller_of(provider.base_url, provider.wire)) for name, provider in providers.items()
    }


def outlook(volumes: Mapping[tuple[str, str], Volume], tariffs: Mapping[str, BackendTariff]) -> Outlook:
    """What so much may cost, by backend and model."""
    spans: list[PriceRange] = []
    unknown: set[str] = set()
    unbounded: set[str] = set()
    for (backend, model), volume in volumes.items():
        span = tariffs[backend].price_range(model, volume)
        if span is not None:
            spans.append(span)
        else:
            (unbounded if tariffs[backend].knows(model) else unknown).add(model)
    whole = PriceRange(sum(span.low for span in spans), sum(span.high for span in spans)) if spans else None
    return Outlook(whole, tuple(sorted(unknown)), tuple(sorted(unbounded)))


def require_prices(volumes: Mapping[tuple[str, str], Volume], tariffs: Mapping[str, BackendTariff]) -> None:
    """That a limit in US dollars can be kept.

    Raises:
        ConfigError: a model without a known price, and where to set it.
    """
    for backend, model in volumes:
        if not tariffs[backend].knows(model):
            raise ConfigError(
                f"max_cost: no price is known for {model!r} on backend {backend}, so no limit could be kept; "
                f'write [prices."{model}"] with input and output (US dollars a million tokens) into batchrun.toml, '
                "or leave --max-cost out"
            )
