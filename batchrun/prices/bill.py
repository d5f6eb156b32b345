"""What a price is made of, as frozen values. Pure: no price list here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple

_HOURS_A_MONTH = 365.25 * 24 / 12


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars per million tokens. `cache_read` and `cache_write` None: as other input."""

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None


class PriceRange(NamedTuple):
    """What a run may cost at least and at most, in US dollars."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a run may cost before it begins: `span` of the models whose price is known, None where there is none of
    them. `unknown` have no known price, `unbounded` have one, but some of their items name no bound that it could be
    reckoned from."""

    span: PriceRange | None
    unknown: tuple[str, ...] = ()
    unbounded: tuple[str, ...] = ()


class RateRow(NamedTuple):
    """One row of the table of what a price is made of, for the docs; `default` is told, not read."""

    default: str
    meaning: str


RATE_TABLE: dict[str, RateRow] = {
    "input": RateRow("none; it is needed", "What is asked."),
    "output": RateRow("none; it is needed", "What is answered, thinking included."),
    "cache_read": RateRow("as input", "Input that a cache gave."),
    "cache_write": RateRow("as input", "Input that a cache took."),
}


def read_rates(table: Mapping[str, object]) -> Rates:
    """The rates in a table of the configuration, `input` and `output` at least.

    Raises ValueError, which says what to write.
    """
    known = [part.name for part in fields(Rates)]
    for name, value in table.items():
        if name not in known:
            raise ValueError(f"{name!r} is no price; known: {', '.join(known)}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise ValueError(f"{name} = {value!r} is no price; write US dollars per million tokens, such as 0.25")
    for name in ("input", "output"):
        if name not in table:
            raise ValueError(f"{name} is missing; write both input and output, 0 where it costs nothing")
    return Rates(**{name: float(str(value)) for name, value in table.items()})


def month_at_this_rate(cost: float, hours: float) -> float:
    """What a month costs in which every stretch of so many hours costs as much as this one did.

    `hours` is the stretch that is looked at, idle time included: of a night that is told as the last day, 24.
    """
    if hours <= 0:
        raise ValueError("hours must be above 0")
    return cost * _HOURS_A_MONTH / hours
