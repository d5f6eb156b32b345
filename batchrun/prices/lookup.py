"""What an answer cost and what a run may cost: the user's own prices first, then the list. Nothing is sent or spent.

None wherever something is not known: a model, who sells it, how many tokens it took. To be said, and never told as 0.
Importing this takes 0.15 s: only for a run that sends, or a report that needs it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from genai_prices.types import ModelPrice

from batchrun.jobs.volume import Volume
from batchrun.prices import listing
from batchrun.prices.bill import PriceRange, Rates
from batchrun.providers.provider import Wire
from batchrun.spent import Charge

# Both providers that offer batches ask half for them.
_BATCH_SHARE = 0.5
_BATCH = {"processing": "batch"}
# How a provider ends a model's full name: with the day on which it was made, or as the newest.
_EDITION = re.compile(r"[-@:](?:latest|\d{8}|\d{4}-\d{2}-\d{2})$")
# UTF-8 bytes of a request for each of its tokens, JSON included: more than any language takes, and fewer.
_MOST_BYTES_A_TOKEN = 6
_FEWEST_BYTES_A_TOKEN = 2


def seller_of(base_url: str | None, wire: Wire) -> str | None:
    """Who sells what is answered at an address; None where the list does not know it, as on a machine at home.

    Without an address it is the provider after which the wire is named.
    """
    if base_url is None:
        return "anthropic" if wire is Wire.MESSAGES else "openai"
    return listing.seller_at(base_url)


class Prices:
    """`overrides` are the user's, by model. In its methods `seller` is who was asked, from `seller_of`, and `at` when
    that was, None: now."""

    def __init__(self, overrides: Mapping[str, Rates] | None = None) -> None:
        self._overrides = dict(overrides or {})
        self._unlisted: set[tuple[str, str]] = set()

    def __repr__(self) -> str:
        return f"<Prices {len(self._overrides)} of the user's own>"

    def charge(
        self, models: Iterable[str], usage: Mapping[str, Any], seller: str | None, *, at: datetime | None = None
    ) -> Charge | None:
        """What one answer cost, by the usage that its provider told, and what the cache saved. The first of these names
        of a model counts that has a price: the user's own prices before the list's, whichever name they were set for.
        """
        for model in sorted(dict.fromkeys(models), key=lambda name: self._own(name) is None):
            price = self._price(model, seller, _context(usage), at)
            if price is not None:
                try:
                    tokens = listing.tokens_of(usage, seller)
                    return Charge(listing.total(price, tokens), listing.saved_by_cache(price, tokens))
                except ValueError:
                    return None
        return None

    def rates(self, model: str, seller: str | None, *, at: datetime | None = None) -> Rates | None:
        """US dollars per million tokens; of a price that rises with the length of the request, the lowest."""
        price = self._price(model, seller, {}, at)
        return None if price is None else listing.rates_in(price)

    def price_range(
        self,
        model: str,
        volume: Volume,
        seller: str | None,
        *,
        at: datetime | None = None,
    ) -> PriceRange | None:
        """What `volume` may cost: from one token an answer to all that they may have. Reading a cache may cost less.

        None also where some of the items have no bound.
        """
        price = self._price(model, seller, {}, at)
        if price is None or volume.unbounded or not volume.items:
            return None
        bytes_each = volume.input_bytes / volume.items
        low = listing.some_tokens(bytes_each / _MOST_BYTES_A_TOKEN, 1)
        high = listing.some_tokens(bytes_each / _FEWEST_BYTES_A_TOKEN, volume.max_tokens / volume.items)
        return PriceRange(listing.total(price, low) * volume.items, listing.total(price, high) * volume.items)

    def _own(self, model: str) -> Rates | None:
        return self._overrides.get(model) or self._overrides.get(_EDITION.sub("", model))

    def _price(
        self, model: str, seller: str | None, context: Mapping[str, str], at: datetime | None
    ) -> ModelPrice | None:
        own = self._own(model)
        if own is not None:
            return listing.price_from(own, _BATCH_SHARE if _BATCH.items() <= context.items() else 1.0)
        if seller is None and "claude" in model.lower():
            seller = "anthropic"  # nobody has one at home: behind a gateway it costs somebody its list price
        if seller is None or (model, seller) in self._unlisted:
            return None
        try:
            return listing.listed_price(model, seller, context, at or datetime.now(UTC))
        except LookupError:
            self._unlisted.add((model, seller))
            return None


def _context(usage: Mapping[str, Any]) -> dict[str, str]:
    """What else a price depends on, as the answer says it: a batch, and the speed that it was given at."""
    is_batch = usage.get("service_tier") == "batch"
    speed = usage.get("speed")
    return (_BATCH if is_batch else {}) | ({"speed": speed} if isinstance(speed, str) else {})
