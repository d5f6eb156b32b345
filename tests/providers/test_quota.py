"""What headers say of rate limits, in the words of two families of providers."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.providers.quota import Quota, Unit, exhausted_wait, quotas_in

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def test_anthropic_tells_a_moment() -> None:
    """RFC 3339; one value a limit."""
    headers = httpx2.Headers(
        {
            "Anthropic-Ratelimit-Requests-Limit": "1000",
            "anthropic-ratelimit-requests-remaining": "999",
            "anthropic-ratelimit-requests-reset": "2026-11-21T03:00:06Z",
            "anthropic-ratelimit-output-tokens-limit": "80000",
            "anthropic-ratelimit-output-tokens-remaining": "0",
            "anthropic-ratelimit-output-tokens-reset": "2026-11-21T03:01:00.5+00:00",
        }
    )
    assert quotas_in(headers, NOW) == (
        Quota(Unit.REQUESTS, 1000, 999, 6.0),
        Quota(Unit.OUTPUT_TOKENS, 80000, 0, 60.5),
    )


@pytest.mark.parametrize(
    ("told", "seconds"),
    [("6m0s", 360.0), ("1h2m3.5s", 3723.5), ("120ms", 0.12), ("1s", 1.0), ("59", 59.0), ("soon", None), ("", None)],
)
def test_openai_tells_a_duration_and_azure_a_number(told: str, seconds: float | None) -> None:
    """What is neither counts as not told."""
    headers = {
        "x-ratelimit-limit-tokens": "150000",
        "x-ratelimit-remaining-tokens": "149984",
        "x-ratelimit-reset-tokens": told,
    }
    assert quotas_in(headers, NOW) == (Quota(Unit.TOKENS, 150000, 149984, seconds),)


def test_who_is_out_of_something_waits_for_the_last_of_it() -> None:
    """Only what is used up counts."""
    full, out = Quota(Unit.REQUESTS, 10, 5, 60.0), Quota(Unit.TOKENS, 10, 0, 7.0)
    assert exhausted_wait([full]) is None
    assert exhausted_wait([full, out, Quota(Unit.INPUT_TOKENS, 10, 0.5, 9.0)]) == 9.0


@given(
    st.dictionaries(st.sampled_from([f"x-ratelimit-{p}-requests" for p in ("limit", "remaining", "reset")]), st.text())
)
def test_no_header_is_worse_than_none(headers: dict[str, str]) -> None:
    """Gateways send anything."""
    for quota in quotas_in(headers, NOW):
        assert quota.limit > 0
        assert quota.remaining >= 0
