"""What a provider's headers say of its rate limits, as values. Pure; what follows from them is decided by the gate."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


class Unit(StrEnum):
    """What a limit counts."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    INPUT_TOKENS = "input-tokens"
    OUTPUT_TOKENS = "output-tokens"


@dataclass(frozen=True, slots=True)
class Quota:
    """One limit, as an answer told of it: `remaining` of `limit` units; in `reset` seconds (None: not told) all of it
    is there again."""

    unit: Unit
    limit: float
    remaining: float
    reset: float | None


_GO_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|h|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


def quotas_in(headers: Mapping[str, str], now: datetime) -> tuple[Quota, ...]:
    """All limits that the headers tell of, Anthropic's or OpenAI's; what cannot be understood is passed over.

    Args:
        headers: of the response, found whatever the case of their names.
        now: aware, for resets that are told as a moment.
    """
    headers = {name.lower(): value for name, value in headers.items() if "ratelimit" in name.lower()}
    found = []
    for unit in Unit if headers else ():
        for told in (_anthropic(headers, unit), _openai(headers, unit)):
            limit, remaining = number_in(told[0]), number_in(told[1])
            if limit and remaining is not None:
                found.append(Quota(unit, limit, remaining, _seconds(told[2], now)))
                break
    return tuple(found)


def exhausted_wait(quotas: Iterable[Quota]) -> float | None:
    """Seconds until the last of those limits that are used up is whole again; None where none is."""
    return max((quota.reset for quota in quotas if quota.remaining < 1 and quota.reset is not None), default=None)


def _anthropic(headers: Mapping[str, str], unit: Unit) -> tuple[str | None, str | None, str | None]:
    named = f"anthropic-ratelimit-{unit}-"
    return headers.get(f"{named}limit"), headers.get(f"{named}remaining"), headers.get(f"{named}reset")


def _openai(headers: Mapping[str, str], unit: Unit) -> tuple[str | None, str | None, str | None]:
    return tuple(headers.get(f"x-ratelimit-{part}-{unit}") for part in ("limit", "remaining", "reset"))  # type: ignore[return-value]  # three of them


def _seconds(text: str | None, now: datetime) -> float | None:
    """A moment (RFC 3339), a Go duration such as 6m0s, or a number of seconds."""
    if not text:
        return None
    if (number := number_in(text)) is not None:
        return number
    pieces = _GO_DURATION.findall(text)
    if pieces and "".join(amount + unit for amount, unit in pieces) == text:
        return sum(float(amount) * _SECONDS[unit] for amount, unit in pieces)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return seconds_until(moment, now)


def seconds_until(moment: datetime, now: datetime) -> float:
    """Where no zone is told it is UTC; what is past is no wait."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())


def number_in(text: str | None) -> float | None:
    """What a header counts, or for how many seconds it asks; None where it says neither."""
    try:
        number = float(text) if text is not None else None
    except ValueError:
        return None
    # float() also takes "nan" and "inf"; neither is a count or a time.
    return number if number is not None and 0 <= number < float("inf") else None
