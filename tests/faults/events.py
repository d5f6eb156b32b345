"""Cases in which the connection holds and the events are not what they should be: errors among them, wrong ones, odd
ones, and the same ones in other bytes."""

from __future__ import annotations

from collections.abc import Iterator

from batchrun.errors import ExitCode
from batchrun.failure import Cause
from batchrun.providers.provider import Wire
from tests.faults.case import WIRES, Case, End, again, answered, failed, pending

_BEFORE_THE_END = ("first", "middle", "last")
_WHOLE = {Wire.MESSAGES: answered("no_message_stop"), Wire.CHAT: answered("no_done", "usage_estimated")}

_ERRORS: dict[str, tuple[str, End]] = {
    "overloaded_error": ("*1", again(Cause.OVERLOADED)),
    "api_error": ("*1", again(Cause.SERVER_ERROR)),
    "timeout_error": ("*1", again(Cause.SERVER_ERROR)),
    "an_error_of_tomorrow": ("*1", again(Cause.SERVER_ERROR)),
    "rate_limit_error": ("*4", again(Cause.RATE_LIMITED, 4)),
    "invalid_request_error": ("", failed(Cause.BAD_REQUEST)),
    "request_too_large": ("", failed(Cause.TOO_LARGE)),
    "authentication_error": ("", pending(ExitCode.NO_CREDENTIALS, Cause.CREDENTIALS, 3)),
    "billing_error": ("", pending(ExitCode.NO_CREDENTIALS, Cause.CREDENTIALS, 3)),
    "permission_error": ("", pending(ExitCode.NO_CREDENTIALS, Cause.CREDENTIALS, 3)),
    "not_found_error": ("", pending(ExitCode.BAD_CONFIG, Cause.UNKNOWN_MODEL)),
}

_SPELLINGS = ("cr", "crlf", "bom", "no_space", "split_data", "comments", "breaks", "megabyte", "no_blank", "bytewise")

_PROTOCOL = again(Cause.PROTOCOL)
# By wire, because each has its own ways of telling a wrong event from a new one.
_ODDITIES: dict[str, dict[Wire, End]] = {
    "duplicate_start": {Wire.MESSAGES: answered("duplicate_message_start"), Wire.CHAT: answered()},
    "duplicate_start at=middle": {Wire.MESSAGES: _PROTOCOL, Wire.CHAT: answered()},
    "other_start": {Wire.MESSAGES: _PROTOCOL, Wire.CHAT: answered()},
    "other_start at=last": {Wire.MESSAGES: _PROTOCOL, Wire.CHAT: answered()},
    "unknown_event at=first": dict.fromkeys(Wire, answered("unknown_event")),
    "unknown_event at=middle": dict.fromkeys(Wire, answered("unknown_event")),
    "unknown_event at=stop": dict.fromkeys(Wire, answered("unknown_event")),
    "unknown_delta": {Wire.MESSAGES: answered("unknown_delta"), Wire.CHAT: answered("unknown_content")},
    "closed_index at=first": {Wire.MESSAGES: _PROTOCOL, Wire.CHAT: answered("other_choices")},
    "closed_index at=middle": {Wire.MESSAGES: _PROTOCOL, Wire.CHAT: answered("other_choices")},
    "closed_index at=last": {Wire.MESSAGES: _PROTOCOL, Wire.CHAT: answered("other_choices")},
    "after_end": dict.fromkeys(Wire, _PROTOCOL),
    "no_reason": {Wire.MESSAGES: again(Cause.TRUNCATED), Wire.CHAT: answered("no_finish_reason")},
}
_RULES = {"unknown_event": "F12", "unknown_delta": "F12", "no_reason": "F9"}


def cases() -> Iterator[Case]:
    for wire in WIRES:
        yield from _errors(wire)
        yield from _malformed(wire)
        for fault, ends in _ODDITIES.items():
            rule = _RULES.get(fault.split()[0], "F11")
            times = "*1" if ends[wire].retried else ""
            name = fault.replace(" at=", "-")
            yield Case(name, (rule,), wire, True, f"[[fault={fault}{times}]]", ends[wire])
        for spelling in _SPELLINGS:
            yield Case(spelling, ("F26",), wire, True, f"[[fault={spelling}]]", answered())


def _errors(wire: Wire) -> Iterator[Case]:
    for kind, (times, end) in _ERRORS.items():
        for streamed in (True, False):
            script = f"[[fault=error_event type={kind} at=middle{times}]]"
            yield Case(f"error-{kind}", ("F10",), wire, streamed, script, end)
    for at in _BEFORE_THE_END:
        script = f"[[fault=error_event at={at}*1]]"
        yield Case(f"error-{at}", ("F10",), wire, True, script, again(Cause.OVERLOADED))
    # The answer is whole and has been paid for.
    yield Case("error-stop", ("F8", "F10"), wire, True, "[[fault=error_event at=stop*1]]", _WHOLE[wire])
    code = "enforced_spend_limit_reached" if wire is Wire.MESSAGES else "insufficient_quota"
    script = f"[[fault=error_event type=rate_limit_error code={code} at=middle]]"
    yield Case("error-quota", ("F10", "F16"), wire, True, script, pending(ExitCode.STOPPED_EARLY, Cause.QUOTA))


def _malformed(wire: Wire) -> Iterator[Case]:
    for at in _BEFORE_THE_END:
        for streamed in (True, False):
            yield Case(f"malformed-{at}", ("F25",), wire, streamed, f"[[fault=malformed at={at}*1]]", _PROTOCOL)
    yield Case("malformed-stop", ("F8", "F25"), wire, True, "[[fault=malformed at=stop*1]]", _WHOLE[wire])
    script = "[[fault=malformed]]"
    yield Case("malformed-for-ever", ("F25",), wire, True, script, failed(Cause.PROTOCOL, 3, final=False))
