"""Cases in which the request is answered with a status that is no 200, on both wires, streamed or not."""

from __future__ import annotations

from collections.abc import Iterator

from batchrun.errors import ExitCode
from batchrun.failure import Cause
from batchrun.providers.provider import Wire
from tests.faults.case import WIRES, Case, End, again, failed, pending

Row = tuple[str, tuple[str, ...], str, End]

_ROWS: tuple[Row, ...] = (
    # what the item itself earned
    ("400", ("F18",), "[[error=400]]", failed(Cause.BAD_REQUEST)),
    ("405", ("F18",), "[[error=405]]", failed(Cause.BAD_REQUEST)),
    ("413", ("F20",), "[[error=413]]", failed(Cause.TOO_LARGE)),
    # what nobody's item can help
    ("401", ("F19",), "[[error=401]]", pending(ExitCode.NO_CREDENTIALS, Cause.CREDENTIALS, 3)),
    ("402", ("F19",), "[[error=402]]", pending(ExitCode.NO_CREDENTIALS, Cause.CREDENTIALS, 3)),
    ("403", ("F19",), "[[error=403]]", pending(ExitCode.NO_CREDENTIALS, Cause.CREDENTIALS, 3)),
    ("403-once", ("F19",), "[[error=403*1]]", again(Cause.CREDENTIALS)),
    ("404", ("F20",), "[[error=404]]", pending(ExitCode.BAD_CONFIG, Cause.UNKNOWN_MODEL)),
    # what passes
    ("408", ("F17",), "[[error=408*1]]", again(Cause.SERVER_ERROR)),
    ("409", ("F17",), "[[error=409*1]]", again(Cause.SERVER_ERROR)),
    ("500", ("F17",), "[[error=500*2]]", again(Cause.SERVER_ERROR, 2)),
    ("503-that-says-when", ("F15", "F17"), "[[error=503 retry-after=0.1*1]]", again(Cause.SERVER_ERROR)),
    ("529", ("F17",), "[[error=529*2]]", again(Cause.OVERLOADED, 2)),
    ("529-for-ever", ("F17",), "[[error=529]]", failed(Cause.OVERLOADED, 3, final=False)),
    # The table alone decides: what a server thinks of a retry is not asked.
    ("529-that-advises-against-it", ("F17",), "[[error=529 x-should-retry=false*1]]", again(Cause.OVERLOADED)),
    ("400-that-advises-it", ("F18",), "[[error=400 x-should-retry=true]]", failed(Cause.BAD_REQUEST)),
    *(
        (f"{status}-page", ("F14",), f"[[error={status} html*1]]", again(Cause.SERVER_ERROR))
        for status in (502, 504, 520, 521, 522, 523, 524)
    ),
    ("503-page-for-ever", ("F14",), "[[error=503 html]]", failed(Cause.SERVER_ERROR, 3, final=False)),
    ("400-page", ("F14", "F18"), "[[error=400 html]]", failed(Cause.BAD_REQUEST)),
    # rate limits: more of them than there are attempts, and none is used up
    ("429", ("F15",), "[[error=429*5]]", again(Cause.RATE_LIMITED, 5)),
    ("429-seconds", ("F15",), "[[error=429 retry-after=0.05*4]]", again(Cause.RATE_LIMITED, 4)),
    ("429-date", ("F15",), "[[error=429 retry-after=date+0*1]]", again(Cause.RATE_LIMITED)),
    ("429-milliseconds", ("F15",), "[[error=429 retry-after-ms=30*4]]", again(Cause.RATE_LIMITED, 4)),
    ("429-bare", ("F15",), "[[error=429 bare*4]]", again(Cause.RATE_LIMITED, 4)),
    ("429-page", ("F14", "F15"), "[[error=429 html*1]]", again(Cause.RATE_LIMITED)),
    # those that no night can wait out
    (
        "429-for-hours",
        ("F16",),
        "[[error=429 retry-after=7200]]",
        pending(ExitCode.STOPPED_EARLY, Cause.RATE_LIMITED),
    ),
)

# By the words of one wire alone.
_OF_A_WIRE: dict[Wire, tuple[Row, ...]] = {
    Wire.MESSAGES: tuple(
        (f"{status}-{code}", ("F16",), f"[[error={status} code={code}]]", pending(exit_code, cause, requests))
        for status, code, exit_code, cause, requests in (
            (429, "enforced_spend_limit_reached", ExitCode.STOPPED_EARLY, Cause.QUOTA, 1),
            (400, "enforced_spend_limit_reached", ExitCode.STOPPED_EARLY, Cause.QUOTA, 1),
            (429, "contract_spend_limit_reached", ExitCode.STOPPED_EARLY, Cause.QUOTA, 1),
            (400, "organization_on_hold", ExitCode.NO_CREDENTIALS, Cause.CREDENTIALS, 3),
        )
    ),
    Wire.CHAT: (
        ("422", ("F18",), "[[error=422]]", failed(Cause.BAD_REQUEST)),
        (
            "429-insufficient_quota",
            ("F16",),
            "[[error=429 code=insufficient_quota]]",
            pending(ExitCode.STOPPED_EARLY, Cause.QUOTA),
        ),
        (
            "400-context_length_exceeded",
            ("F20",),
            "[[error=400 code=context_length_exceeded]]",
            failed(Cause.TOO_LARGE),
        ),
        (
            "403-model_not_found",
            ("F20",),
            "[[error=403 code=model_not_found]]",
            pending(ExitCode.BAD_CONFIG, Cause.UNKNOWN_MODEL),
        ),
    ),
}


def cases() -> Iterator[Case]:
    for wire in WIRES:
        for name, rules, script, end in (*_ROWS, *_OF_A_WIRE[wire]):
            for streamed in (True, False):
                yield Case(name, rules, wire, streamed, script, end)
