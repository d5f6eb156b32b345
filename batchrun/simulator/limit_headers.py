"""What each wire tells a client of its limits, and what a refusal tells it to do. Pure; `limits.py` keeps them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime

from batchrun.simulator.faults import Fault
from batchrun.simulator.limits import INPUT_TOKENS, OUTPUT_TOKENS, REQUESTS, Standing

Headers = dict[str, str]
# How the limits stand, the seconds to wait (None for who is not refused), and the present in seconds since 1970.
LimitHeaders = Callable[[Sequence[Standing], float | None, float], Headers]

_DATE = "date+"


def messages_limit_headers(standings: Sequence[Standing], wait: float | None, now: float) -> Headers:
    """Those of the Messages API; its resets are moments, at which a limit is full again."""
    headers = {} if wait is None else {"retry-after": _seconds(wait)}
    for standing in _with_tokens(standings):
        # Whole seconds rounded down, as the API gives them.
        reset = datetime.fromtimestamp(math.floor(now + standing.full_in), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        head = f"anthropic-ratelimit-{standing.bucket}"
        headers[f"{head}-limit"] = f"{standing.limit:.0f}"
        headers[f"{head}-remaining"] = f"{math.floor(standing.remaining)}"
        headers[f"{head}-reset"] = reset
    return headers


def chat_limit_headers(standings: Sequence[Standing], wait: float | None, _: float) -> Headers:
    """Those of chat completions; their resets are durations, whatever the time."""
    headers = {} if wait is None else {"retry-after": _seconds(wait), "retry-after-ms": f"{math.ceil(wait * 1000)}"}
    for standing in _with_tokens(standings):
        if standing.bucket in (REQUESTS, _TOKENS):
            headers[f"x-ratelimit-limit-{standing.bucket}"] = f"{standing.limit:.0f}"
            headers[f"x-ratelimit-remaining-{standing.bucket}"] = f"{math.floor(standing.remaining)}"
            headers[f"x-ratelimit-reset-{standing.bucket}"] = go_duration(standing.full_in)
    return headers


def scripted_standings(wait: float) -> list[Standing]:
    """What a client is told that is refused by script: no request is left, and of tokens there are plenty."""
    return [
        Standing(REQUESTS, 1000, 0, wait),
        Standing(INPUT_TOKENS, 400_000, 400_000, 0.0),
        Standing(OUTPUT_TOKENS, 100_000, 100_000, 0.0),
    ]


def refusal_headers(fault: Fault, wait: float, tell: LimitHeaders, now: float) -> Headers:
    """The headers of a scripted status; `wait` is what a 429 asks for where the script says nothing."""
    options = fault.options
    told = options.get("retry-after")
    asked = float(told.removeprefix(_DATE)) if told is not None else wait
    headers: Headers = {}
    if fault.status == 429 and "bare" not in options:
        headers |= tell(scripted_standings(asked), asked, now)
    if told is not None:
        is_date = told.startswith(_DATE)
        headers["retry-after"] = format_datetime(_moment(now + asked), usegmt=True) if is_date else told
    return headers | {name: options[name] for name in ("retry-after-ms", "x-should-retry") if name in options}


def go_duration(seconds: float) -> str:
    """As Go prints a duration: 6m0s, 1.5s, 120ms."""
    if seconds < 1:
        return f"{seconds * 1000:g}ms" if seconds > 0 else "0s"
    minutes, rest = divmod(round(seconds, 3), 60)
    hours, minutes = divmod(int(minutes), 60)
    head = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{head}{round(rest, 3):g}s"


_TOKENS = "tokens"


def _with_tokens(standings: Sequence[Standing]) -> list[Standing]:
    """With one row for all tokens: that of the limit which is nearer to its end."""
    tokens = [standing for standing in standings if standing.bucket != REQUESTS]
    if not tokens:
        return list(standings)
    nearest = min(tokens, key=lambda standing: standing.remaining / standing.limit)
    return [*standings, Standing(_TOKENS, nearest.limit, nearest.remaining, nearest.full_in)]


def _seconds(wait: float) -> str:
    """A scripted wait as it stands."""
    return f"{wait:g}"


def _moment(when: float) -> datetime:
    return datetime.fromtimestamp(math.ceil(when), UTC)
