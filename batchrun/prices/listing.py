"""The list prices of the genai-prices package, and the only place that knows it.

It works offline: the list is as old as the installed package. Importing it takes 0.15 s.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from genai_prices import Usage
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelPrice, TieredPrices

from batchrun.prices.bill import Rates

# What a model takes for what a cache gave or took; without them all of it is plain input.
_CACHE = frozenset({"cache_read_mtok", "cache_write_mtok", "cache_write_5m_mtok", "cache_write_1h_mtok"})


def seller_at(base_url: str) -> str | None:
    """The package's word for who answers at an address; None where it is nobody on its list."""
    try:
        return get_snapshot().find_provider(None, None, base_url).id
    except LookupError:
        return None


def tokens_of(usage: Mapping[str, Any], seller: str | None) -> Usage:
    """What an answer says of its tokens, counted the package's way: with what the cache took and gave as input.

    Raises ValueError where it says nothing, or what cannot be.
    """
    found = {"usage": dict(usage)}
    if "prompt_tokens" not in usage:
        return get_snapshot().extract_usage(found, "anthropic").usage
    try:
        return get_snapshot().extract_usage(found, seller or "openai", api_flavor="chat").usage
    except (LookupError, ValueError):  # most who answer chat completions tell of them as OpenAI does
        return get_snapshot().extract_usage(found, "openai", api_flavor="chat").usage


def some_tokens(input_tokens: float, output_tokens: float) -> Usage:
    """An answer that was never given, of at least one token each way."""
    return Usage(input_tokens=max(1, round(input_tokens)), output_tokens=max(1, round(output_tokens)))


def listed_price(model: str, seller: str, context: Mapping[str, str], at: datetime) -> ModelPrice:
    """The price of a model at a moment. Raises LookupError where it is not listed, or not sold by tokens."""
    provider, found = get_snapshot().find_provider_model(model, None, seller, None)
    is_own = any(found is own for own in provider.models)  # what is resold has the price of its maker, in no variant
    price = found.get_prices(at, context if is_own else None)
    if price.input_mtok is None and price.output_mtok is None:
        raise LookupError(f"{model} is not sold by tokens")  # but by the picture or the minute: not for nothing
    return price


def price_from(rates: Rates, share: float = 1.0) -> ModelPrice:
    """A price that the user has set, or a share of it."""
    told = {"input_mtok": rates.input, "output_mtok": rates.output}
    told |= {"cache_read_mtok": rates.cache_read} if rates.cache_read is not None else {}
    told |= {"cache_write_mtok": rates.cache_write} if rates.cache_write is not None else {}
    return ModelPrice(**{name: Decimal(str(rate)) * Decimal(str(share)) for name, rate in told.items()})


def rates_in(price: ModelPrice) -> Rates:
    """The four rates that most people mean; of a price that rises with the length of the request, the lowest."""
    return Rates(
        input=_lowest(price.input_mtok) or 0.0,
        output=_lowest(price.output_mtok) or 0.0,
        cache_read=_lowest(price.cache_read_mtok),
        cache_write=_lowest(price.cache_write_mtok),
    )


def total(price: ModelPrice, tokens: Usage) -> float:
    """US dollars. Raises ValueError for counts that contradict each other."""
    return float(price.calc_price(tokens)["total_price"])


def saved_by_cache(price: ModelPrice, tokens: Usage) -> float:
    """US dollars, against paying all input as plain input. Raises ValueError as `total` does."""
    if not (tokens.cache_read_tokens or tokens.cache_write_tokens):
        return 0.0  # the usual case, and the other one is as much work as the price itself
    return float(_plain(price).calc_price(tokens)["total_price"]) - total(price, tokens)


def _plain(price: ModelPrice) -> ModelPrice:
    return ModelPrice(**{name: rate for name, rate in vars(price).items() if name not in _CACHE})


def _lowest(rate: Decimal | TieredPrices | None) -> float | None:
    if rate is None:
        return None
    return float(rate.base if isinstance(rate, TieredPrices) else rate)
