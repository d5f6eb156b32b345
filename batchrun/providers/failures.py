"""What a status, an error type or a header of a provider means, as tables. Pure.

Meaning only: what is done about a cause stands in `retry.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

from batchrun.failure import Cause
from batchrun.providers.quota import exhausted_wait, number_in, quotas_in, seconds_until

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
    407: Cause.CREDENTIALS,  # a proxy's
    408: Cause.SERVER_ERROR,
    409: Cause.SERVER_ERROR,
    413: Cause.TOO_LARGE,
    429: Cause.RATE_LIMITED,
    529: Cause.OVERLOADED,
}

# By `error.details.error_code`, as the SDK's types list it: what the status alone would hide. A limit on money arrives
# as 429 and lasts for weeks: waiting out the night would be wrong. An organisation on hold is a 400, and no item's.
BY_ERROR_CODE: dict[str, Cause] = {
    "enforced_spend_limit_reached": Cause.QUOTA,
    "contract_spend_limit_reached": Cause.QUOTA,
    "organization_on_hold": Cause.CREDENTIALS,
}


def cause_of_status(status: int, error_code: str | None = None) -> Cause:
    """The cause behind an HTTP status that is not 2xx. A redirect, which is never followed, is some portal's doing and
    no item's."""
    cause = BY_ERROR_CODE.get(error_code or "") or BY_STATUS.get(status)
    if cause is not None:
        return cause
    return Cause.BAD_REQUEST if 400 <= status < 500 else Cause.SERVER_ERROR


def cause_of_error_type(error_type: str, error_code: str | None = None) -> Cause:
    """The cause behind an `error` event in a stream; an unknown type is the server's own trouble."""
    return BY_ERROR_CODE.get(error_code or "") or BY_ERROR_TYPE.get(error_type, Cause.SERVER_ERROR)


def retry_after(headers: Mapping[str, str], now: datetime, status: int = 429) -> float | None:
    """Seconds for which the provider asks us to wait, the longest that it names; None where it says nothing that can be
    understood. After a 429 that is also how long it takes until a limit that is used up is whole again (F15).

    Args:
        headers: of the response, found whatever the case of their names.
        now: aware, for what is told as a moment.
    """
    told = headers.get("retry-after")
    milliseconds, seconds = number_in(headers.get("retry-after-ms")), number_in(told)
    if seconds is None and told is not None:
        seconds = _seconds_until(told, now)
    waits = [milliseconds / 1000] if milliseconds is not None else []
    waits += [seconds] if seconds is not None else []
    reset = exhausted_wait(quotas_in(headers, now)) if status == 429 else None
    waits += [reset] if reset is not None else []
    return max(waits, default=None)


def _seconds_until(text: str, now: datetime) -> float | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return seconds_until(date, now)
