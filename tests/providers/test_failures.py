"""What a status, an error type or a header means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from anthropic.types.shared import error_details
from hypothesis import given
from hypothesis import strategies as st

from batchrun.failure import Cause
from batchrun.providers.failures import (
    BY_ERROR_CODE,
    BY_ERROR_TYPE,
    BY_STATUS,
    cause_of_error_type,
    cause_of_status,
    retry_after,
)

NOW = datetime(2026, 11, 21, 3, 0, 0, tzinfo=UTC)

STATUSES = {
    400: Cause.BAD_REQUEST,
    401: Cause.CREDENTIALS,
    402: Cause.CREDENTIALS,
    403: Cause.CREDENTIALS,
    404: Cause.UNKNOWN_MODEL,
    407: Cause.CREDENTIALS,
    405: Cause.BAD_REQUEST,
    408: Cause.SERVER_ERROR,
    409: Cause.SERVER_ERROR,
    413: Cause.TOO_LARGE,
    422: Cause.BAD_REQUEST,
    429: Cause.RATE_LIMITED,
    500: Cause.SERVER_ERROR,
    502: Cause.SERVER_ERROR,
    503: Cause.SERVER_ERROR,
    504: Cause.SERVER_ERROR,
    520: Cause.SERVER_ERROR,
    524: Cause.SERVER_ERROR,
    529: Cause.OVERLOADED,
    599: Cause.SERVER_ERROR,
}
TYPES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


# -- causes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "cause"), STATUSES.items())
def test_a_status_has_its_cause(status: int, cause: Cause) -> None:
    """Retry and failure are decided from this table."""
    assert cause_of_status(status) is cause


@pytest.mark.parametrize(("error_type", "status"), TYPES.items())
def test_an_error_in_mid_stream_means_what_its_status_would_mean(error_type: str, status: int) -> None:
    """Behind a 200 the type is all there is."""
    assert cause_of_error_type(error_type) is cause_of_status(status)


def test_the_tables_hold_nothing_that_these_tests_do_not_know() -> None:
    """A new row needs a new line here."""
    assert set(BY_STATUS) <= set(STATUSES)
    assert set(BY_ERROR_TYPE) == set(TYPES)


def test_a_type_that_nobody_knows_is_the_servers_trouble() -> None:
    """New types appear without notice: asking again is the safe reading."""
    assert cause_of_error_type("error_of_tomorrow") is Cause.SERVER_ERROR


@pytest.mark.parametrize("code", ["enforced_spend_limit_reached", "contract_spend_limit_reached"])
@pytest.mark.parametrize("status", [400, 402, 429])
def test_a_spend_limit_is_no_rate_limit(status: int, code: str) -> None:
    """It lasts for weeks, whatever the status: the run stops and nothing is marked failed."""
    assert cause_of_status(status, code) is Cause.QUOTA


def test_an_organisation_on_hold_is_no_bad_request() -> None:
    """It arrives as a 400, and every item of the night would get it."""
    assert cause_of_status(400, "organization_on_hold") is Cause.CREDENTIALS


@pytest.mark.parametrize("code", [None, "", "ramp_limit_exceeded", "code_of_tomorrow"])
def test_another_code_leaves_the_meaning_to_the_status(code: str | None) -> None:
    """A ramp limit has a retry-after like any other 429."""
    assert cause_of_status(429, code) is Cause.RATE_LIMITED


def test_the_codes_are_those_that_the_sdk_knows() -> None:
    """A code that the provider never sends would be a rule that never holds."""
    known = {name.lower() for name in vars(error_details)}
    assert [code for code in BY_ERROR_CODE if f"{code.replace('_', '')}errordetails" not in known] == []


# -- retry-after -------------------------------------------------------------------------------------------------------

HEADERS: dict[str, tuple[dict[str, str], float | None]] = {
    "nothing": ({}, None),
    "seconds": ({"retry-after": "7"}, 7.0),
    "a fraction": ({"retry-after": "0.25"}, 0.25),
    "more than a minute": ({"retry-after": "3600"}, 3600.0),
    "blanks around": ({"retry-after": " 7 "}, 7.0),
    "zero": ({"retry-after": "0"}, 0.0),
    "milliseconds": ({"retry-after-ms": "250"}, 0.25),
    "both, the seconds longer": ({"retry-after-ms": "250", "retry-after": "7"}, 7.0),
    "both, the milliseconds longer": ({"retry-after-ms": "9500", "retry-after": "9"}, 9.5),
    "milliseconds that are garbage": ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
    "seconds that are garbage": ({"retry-after-ms": "250", "retry-after": "soon"}, 0.25),
    "a date": ({"retry-after": "Sat, 21 Nov 2026 03:02:00 GMT"}, 120.0),
    "a date elsewhere": ({"retry-after": "Sat, 21 Nov 2026 04:02:00 +0100"}, 120.0),
    "a date without a zone": ({"retry-after": "Sat, 21 Nov 2026 03:02:00 -0000"}, 120.0),
    "a date that has passed": ({"retry-after": "Sat, 21 Nov 2026 02:00:00 GMT"}, 0.0),
    "a word": ({"retry-after": "soon"}, None),
    "an empty text": ({"retry-after": ""}, None),
    "not a number": ({"retry-after": "nan"}, None),
    "without end": ({"retry-after": "inf"}, None),
    "beyond all floats": ({"retry-after": "1e999"}, None),
    "negative": ({"retry-after": "-5"}, None),
    "negative milliseconds": ({"retry-after-ms": "-5", "retry-after": "7"}, 7.0),
    "a date with too many seconds": ({"retry-after": "Sat, 21 Nov 2026 03:02:99999999999999 GMT"}, None),
    "a date far outside": ({"retry-after": "Sat, 21 Nov 2026 03:02:00 +99999999999999999"}, None),
}


@pytest.mark.parametrize(("headers", "seconds"), HEADERS.values(), ids=HEADERS.keys())
def test_a_wait_is_read_in_each_of_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, milliseconds or a date, the longest of them; what cannot be understood is as good as nothing."""
    assert retry_after(headers, NOW) == seconds


@given(st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms"]), st.text() | st.floats().map(str)))
def test_no_header_is_worse_than_none(headers: dict[str, str]) -> None:
    """Whatever a gateway writes there: None, or a time that a clock can wait for."""
    seconds = retry_after(headers, NOW)
    assert seconds is None or 0 <= seconds < float("inf")


@given(st.integers(0, 10**8))
def test_a_date_is_as_far_as_it_is(seconds: int) -> None:
    """To the second, which is all that the form can say."""
    date = (NOW + timedelta(seconds=seconds)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert retry_after({"retry-after": date}, NOW) == seconds
