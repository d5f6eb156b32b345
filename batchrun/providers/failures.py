"""What a status, an error type or a header of a provider means, as tables. Pure.

Meaning only: what is done about a cause stands in `retry.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from batchrun.failure import Cause

MAX_MESSAGE = 2048  # characters of a foreign body that are kept

BY_ERROR_TYPE: dict[str, Cause] = {
    "invalid_request_error": Cause.BAD_REQUEST,
    "authentication_error": Cause.CREDENTIALS,
    "billing_error": Cause.CREDENTIALS,
    "permission_error": Cause.CREDENTIALS,
    "not_found_error": Cause.UNKNOWN_MODEL,
    "request_too_large": Cause.TOO_LARGE,
    "rate_limit_error": Cause.RATE_LIMITED,
    "timeout_error": Cause.SERVER_ERROR,
    "api_error": Cause.SERVER_ERROR,
    "overloaded_error": Cause.OVERLOADED,
}

BY_STATUS: dict[int, Cause] = {
    401: Cause.CREDENTIALS,
    402: Cause.CREDENTIALS,
    403: Cause.CREDENTIALS,
    404: Cause.UNKNOWN_MODEL,
    408: Cause.SERVER_ERROR,
    409: Cause.SERVER_ERROR,
    413: Cause.TOO_LARGE,
    429: Cause.RATE_LIMITED,
    529: Cause.OVERLOADED,
}

# A limit on money arrives as 429 or 400 and lasts for weeks: waiting out the night would be wrong.
QUOTA_CODES = frozenset({"enforced_spend_limit_reached", "spend_limit_reached", "credit_balance_too_low"})


def cause_of_status(status: int, error_code: str | None = None) -> Cause:
    """The cause behind an HTTP status that is not 2xx; redirects are not followed and count as a bad request."""
    if error_code in QUOTA_CODES:
        return Cause.QUOTA
    if status in BY_STATUS:
        return BY_STATUS[status]
    return Cause.SERVER_ERROR if status >= 500 else Cause.BAD_REQUEST


def cause_of_error_type(error_type: str) -> Cause:
    """The cause behind an `error` event in a stream; an unknown type is the server's own trouble."""
    return BY_ERROR_TYPE.get(error_type, Cause.SERVER_ERROR)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds for which the provider asks us to wait; None where it says nothing that can be understood.

    Args:
        headers: of the response, found whatever the case of their names.
        now: aware, for the form of the header that is a date.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    told = headers.get("retry-after")
    seconds = _number(told)
    if seconds is not None or told is None:
        return seconds
    try:
        date = parsedate_to_datetime(told)
    except ValueError:
        return None
    aware = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())


def kept_message(text: str, secret: str | None) -> str:
    """The part of a foreign text that may be kept: short, on one line, without the credential."""
    if secret:
        text = text.replace(secret, "***")
    return " ".join(text[: MAX_MESSAGE * 2].split())[:MAX_MESSAGE]


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None else None
    except ValueError:
        return None
    # float() also takes "nan" and "inf"; neither is a time to wait.
    return number if number is not None and 0 <= number < float("inf") else None
