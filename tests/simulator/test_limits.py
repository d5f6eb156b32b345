"""The token buckets, in a time that stands still unless it is told to go on; and what a client is told of them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.simulator.faults import Fault, FaultKind
from batchrun.simulator.limit_headers import (
    chat_limit_headers,
    go_duration,
    messages_limit_headers,
    refusal_headers,
)
from batchrun.simulator.limits import INPUT_TOKENS, OUTPUT_TOKENS, REQUESTS, Limits, Standing
from batchrun.simulator.scenario import Scenario

ONE = {REQUESTS: 1.0, INPUT_TOKENS: 10.0, OUTPUT_TOKENS: 20.0}
NOON = datetime(2026, 11, 21, 12, 0, 0, 500_000, UTC).timestamp()


def admitted(limits: Limits, seconds: range, tries: int, costs: dict[str, float] = ONE) -> int:
    """How many of so many tries a second get in."""
    return sum(limits.admit(costs, float(second)) == 0 for second in seconds for _ in range(tries))


def test_without_limits_everybody_is_admitted() -> None:
    """Whatever is asked for, and nothing is told."""
    limits = Limits(Scenario(), 0.0)
    assert not limits
    assert limits.admit(ONE | {INPUT_TOKENS: 1e12}, 0.0) == 0
    assert limits.standings(0.0) == []


def test_a_full_bucket_takes_a_minutes_worth_at_once_and_then_its_rate() -> None:
    """60 at once, then one a second."""
    limits = Limits(Scenario(requests_per_minute=60), 0.0)
    assert admitted(limits, range(1), 100) == 60
    assert admitted(limits, range(1, 601), 100) == 600


def test_a_smaller_burst_holds_from_the_first_second() -> None:
    """Two seconds' worth at once, and the same rate afterwards."""
    limits = Limits(Scenario(requests_per_minute=600, burst_seconds=2), 0.0)
    assert admitted(limits, range(1), 100) == 20
    assert admitted(limits, range(1, 61), 100) == 600


def test_each_of_the_limits_holds() -> None:
    """The one that is nearest to its end decides."""
    limits = Limits(Scenario(requests_per_minute=600, output_tokens_per_minute=1200, burst_seconds=1), 0.0)
    assert admitted(limits, range(1), 9) == 1
    assert admitted(limits, range(1, 61), 9) == 60


def test_who_is_refused_pays_nothing_and_is_told_when_to_come() -> None:
    """Asking again and again does not put it off; at the told moment there is room."""
    limits = Limits(Scenario(requests_per_minute=6, burst_seconds=10), 0.0)
    assert limits.admit(ONE, 0.0) == 0
    waits = [limits.admit(ONE, now) for now in (0.0, 2.5, 5.0, 9.0)]
    assert waits == pytest.approx([10, 7.5, 5, 1])
    assert limits.admit(ONE, 10.0) == 0


@given(
    rate=st.floats(1, 1e5),
    burst=st.floats(0.1, 60),
    costs=st.lists(st.floats(0, 500), max_size=50),
    now=st.floats(0, 1e9),
)
def test_the_told_wait_is_always_enough(rate: float, burst: float, costs: list[float], now: float) -> None:
    """Even for what costs more than a bucket can hold, and whatever the rounding does."""
    limits = Limits(Scenario(input_tokens_per_minute=rate, burst_seconds=burst), now)
    for cost in costs:
        asked = ONE | {INPUT_TOKENS: cost}
        if wait := limits.admit(asked, now):
            now += wait
            assert limits.admit(asked, now) == 0


def test_a_clock_that_is_set_back_gives_nothing_away() -> None:
    """And takes nothing."""
    limits = Limits(Scenario(requests_per_minute=60, burst_seconds=1), 100.0)
    assert limits.admit(ONE, 100.0) == 0
    assert limits.admit(ONE, 50.0) > 0
    assert limits.admit(ONE, 100.5) > 0
    assert limits.admit(ONE, 101.0) == 0


def test_standings_tell_what_is_left_and_when_it_is_full_again() -> None:
    """Per minute, whatever the bucket can hold."""
    limits = Limits(Scenario(requests_per_minute=60, burst_seconds=30), 0.0)
    for _ in range(12):
        limits.admit(ONE, 0.0)
    [standing] = limits.standings(2.0)
    assert standing == Standing(REQUESTS, 60, 20, 10)


def test_the_messages_api_tells_moments() -> None:
    """RFC 3339, whole seconds, and the limit on tokens that is nearest to its end beside its own row."""
    standings = [
        Standing(REQUESTS, 60, 0.9, 59.2),
        Standing(INPUT_TOKENS, 100, 50, 30),
        Standing(OUTPUT_TOKENS, 10, 9, 6),
    ]
    headers = messages_limit_headers(standings, 3, NOON)
    assert headers == {
        "retry-after": "3",
        "anthropic-ratelimit-requests-limit": "60",
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": "2026-11-21T12:00:59Z",
        "anthropic-ratelimit-input-tokens-limit": "100",
        "anthropic-ratelimit-input-tokens-remaining": "50",
        "anthropic-ratelimit-input-tokens-reset": "2026-11-21T12:00:30Z",
        "anthropic-ratelimit-output-tokens-limit": "10",
        "anthropic-ratelimit-output-tokens-remaining": "9",
        "anthropic-ratelimit-output-tokens-reset": "2026-11-21T12:00:06Z",
        "anthropic-ratelimit-tokens-limit": "100",
        "anthropic-ratelimit-tokens-remaining": "50",
        "anthropic-ratelimit-tokens-reset": "2026-11-21T12:00:30Z",
    }
    assert "retry-after" not in messages_limit_headers(standings, None, NOON)


def test_chat_completions_tell_durations() -> None:
    """Requests and tokens, in the way of Go."""
    headers = chat_limit_headers([Standing(REQUESTS, 60, 0, 360), Standing(OUTPUT_TOKENS, 90, 30.5, 1.5)], 2, NOON)
    assert headers == {
        "retry-after": "2",
        "retry-after-ms": "2000",
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "6m0s",
        "x-ratelimit-limit-tokens": "90",
        "x-ratelimit-remaining-tokens": "30",
        "x-ratelimit-reset-tokens": "1.5s",
    }


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0s"),
        (0.12, "120ms"),
        (0.0125, "12.5ms"),
        (1, "1s"),
        (8.64, "8.64s"),
        (60, "1m0s"),
        (360, "6m0s"),
        (3661.5, "1h1m1.5s"),
    ],
)
def test_durations_are_those_of_go(seconds: float, told: str) -> None:
    """6m0s, and not 360s."""
    assert go_duration(seconds) == told


@pytest.mark.parametrize(
    ("status", "options", "told"),
    [
        (429, {}, {"retry-after": "1.5", "anthropic-ratelimit-requests-remaining": "0"}),
        (
            429,
            {"retry-after": "90"},
            {"retry-after": "90", "anthropic-ratelimit-requests-reset": "2026-11-21T12:01:30Z"},
        ),
        (429, {"retry-after": "date+90"}, {"retry-after": "Sat, 21 Nov 2026 12:01:31 GMT"}),
        (429, {"retry-after-ms": "250"}, {"retry-after": "1.5", "retry-after-ms": "250"}),
        (503, {"retry-after": "7"}, {"retry-after": "7"}),
        (529, {"x-should-retry": "false"}, {"x-should-retry": "false"}),
    ],
)
def test_a_scripted_refusal_says_what_the_script_says(
    status: int, options: dict[str, str], told: dict[str, str]
) -> None:
    """Limits are told by a 429 alone, waits by whom the script wants."""
    fault = Fault(FaultKind.STATUS, status, options=options)
    headers = refusal_headers(fault, 1.5, messages_limit_headers, NOON)
    assert told.items() <= headers.items()
    assert (status == 429) == any("ratelimit" in name for name in headers)


def test_a_bare_refusal_says_nothing() -> None:
    """As a server without quotas does."""
    fault = Fault(FaultKind.STATUS, 429, options={"bare": ""})
    assert refusal_headers(fault, 1.5, messages_limit_headers, NOON) == {}
