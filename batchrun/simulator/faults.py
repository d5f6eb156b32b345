"""The ways in which a response can go wrong, as a table: their names, what is seen of each, what can be chosen.

Pure, and words only: how each is played stands in `repertoire.py`, which request meets which in `lot.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class FaultKind(StrEnum):
    """The words are those of `[[fault=...]]`, of the rates of a scenario and of the log."""

    NONE = "none"
    STATUS = "status"
    # the connection
    RESET = "reset"
    CUT = "cut"
    TRUNCATED = "truncated"
    SILENCE = "silence"
    STALE = "stale"
    NO_HTTP = "no_http"
    # the pace
    SLOW = "slow"
    SLOW_HEAD = "slow_head"
    PINGS = "pings"
    DRIP = "drip"
    # something else in the place of the answer
    PORTAL = "portal"
    REDIRECT = "redirect"
    EMPTY = "empty"
    SWAPPED = "swapped"
    # the events
    ERROR_EVENT = "error_event"
    MALFORMED = "malformed"
    DUPLICATE_START = "duplicate_start"
    OTHER_START = "other_start"
    UNKNOWN_EVENT = "unknown_event"
    UNKNOWN_DELTA = "unknown_delta"
    CLOSED_INDEX = "closed_index"
    AFTER_END = "after_end"
    NO_REASON = "no_reason"
    # the same events in other bytes
    CR = "cr"
    CRLF = "crlf"
    BOM = "bom"
    NO_SPACE = "no_space"
    SPLIT_DATA = "split_data"
    COMMENTS = "comments"
    BREAKS = "breaks"
    MEGABYTE = "megabyte"
    NO_BLANK = "no_blank"
    BYTEWISE = "bytewise"
    GZIP = "gzip"


@dataclass(frozen=True, slots=True)
class Fault:
    """What one response suffers. `status` belongs to STATUS; `point` is the share of the answer that is sent first,
    unless the option `at` says where."""

    kind: FaultKind = FaultKind.NONE
    status: int = 200
    point: float = 0.0
    options: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return str(self.status) if self.kind is FaultKind.STATUS else self.kind.value

    @property
    def every(self) -> float:
        """Seconds between two pieces of what goes on for ever."""
        return float(self.options.get("every", "1"))


@dataclass(frozen=True, slots=True)
class Row:
    """`does` is the sentence for people. A fault with `streams_only` leaves an answer without streaming whole."""

    does: str
    options: tuple[str, ...] = ()
    streams_only: bool = False


# What an option may be; an option or a value that is not here makes the directive plain text.
OPTIONS: dict[str, tuple[re.Pattern[str], str]] = {
    "at": (
        re.compile(r"head|first|middle|last|stop|0(\.\d+)?|1"),
        "where it strikes: head (before it), first (before the first event or byte), middle, last (before the stop "
        "reason), stop (after it), or a share of the answer from 0 to 1",
    ),
    "every": (
        re.compile(r"\d+(\.\d+)?"),
        "seconds between two pieces; 1 where nothing is said",
    ),
    "how": (re.compile(r"close|reset"), "how the connection ends; close where nothing is said"),
    "type": (re.compile(r"[a-z_]+"), "the type of the error; overloaded_error where nothing is said"),
    "code": (re.compile(r"[a-z_]+"), "the error's code: in `details` on the Messages wire, beside the type on chat"),
    "retry-after": (
        re.compile(r"(date\+)?\d+(\.\d+)?"),
        "seconds, or as date+SECONDS the date that lies so far ahead",
    ),
    "retry-after-ms": (re.compile(r"\d+"), "milliseconds, in a header of that name"),
    "x-should-retry": (re.compile(r"true|false"), "a header of that name"),
    "html": (re.compile(r""), "the body is a gateway's page"),
    "bare": (re.compile(r""), "nothing is said of limits or waits"),
}

_PLACE = ("at",)

FAULTS: dict[FaultKind, Row] = {
    FaultKind.STATUS: Row(
        "a status from 400 to 599 and its error, nothing of the answer",
        ("retry-after", "retry-after-ms", "x-should-retry", "code", "html", "bare"),
    ),
    FaultKind.RESET: Row("the connection is reset", _PLACE),
    FaultKind.CUT: Row("the connection is closed in the middle of a chunk", _PLACE),
    FaultKind.TRUNCATED: Row("the body ends cleanly, the last events are missing", _PLACE),
    FaultKind.SILENCE: Row("nothing more comes, the connection stays open", _PLACE),
    FaultKind.STALE: Row("a kept connection ends just as it is used again; a new one is served", ("how",)),
    FaultKind.NO_HTTP: Row("the answer is no HTTP at all"),
    FaultKind.SLOW: Row("all of it comes, slower by the scenario's factor"),
    FaultKind.SLOW_HEAD: Row("the head comes byte by byte", ("every",)),
    FaultKind.PINGS: Row("from some point on nothing but pings, for ever", ("at", "every"), streams_only=True),
    FaultKind.DRIP: Row("a word at a time, for ever; blanks where no stream was asked for", ("every",)),
    FaultKind.PORTAL: Row("status 200 and the page of a captive portal"),
    FaultKind.REDIRECT: Row("status 307, to another path of this server"),
    FaultKind.EMPTY: Row("status 200 and no body"),
    FaultKind.SWAPPED: Row("a whole document though a stream was asked for, and a stream where none was"),
    FaultKind.ERROR_EVENT: Row("an error in the middle of a 200", ("at", "type", "code")),
    FaultKind.MALFORMED: Row("data that are no JSON", _PLACE),
    FaultKind.DUPLICATE_START: Row("the first event comes again", _PLACE, streams_only=True),
    FaultKind.OTHER_START: Row("another answer begins in the middle of this one", _PLACE, streams_only=True),
    FaultKind.UNKNOWN_EVENT: Row("an event of a kind that nobody knows", _PLACE, streams_only=True),
    FaultKind.UNKNOWN_DELTA: Row("a piece of a kind that nobody knows", streams_only=True),
    FaultKind.CLOSED_INDEX: Row("a piece for a block that has ended or never began", _PLACE, streams_only=True),
    FaultKind.AFTER_END: Row("text after the end", streams_only=True),
    FaultKind.NO_REASON: Row("the end comes, but no stop reason before it", streams_only=True),
    FaultKind.CR: Row("lines end in CR", streams_only=True),
    FaultKind.CRLF: Row("lines end in CR LF", streams_only=True),
    FaultKind.BOM: Row("a byte order mark before the first event", streams_only=True),
    FaultKind.NO_SPACE: Row("no space after the colon", streams_only=True),
    FaultKind.SPLIT_DATA: Row("the data of each event on several lines", streams_only=True),
    FaultKind.COMMENTS: Row("a comment before each event", streams_only=True),
    FaultKind.BREAKS: Row("U+2028, U+2029 and U+0085 inside data", streams_only=True),
    FaultKind.MEGABYTE: Row("an event with a line of 1 MB", streams_only=True),
    FaultKind.NO_BLANK: Row("the last event without its blank line", streams_only=True),
    FaultKind.BYTEWISE: Row("each byte a chunk of its own", streams_only=True),
    FaultKind.GZIP: Row("the body is packed with gzip, though nobody asked for that"),
}


def fault_named(name: str) -> Fault | None:
    """The fault with this name, a status in digits being one; None where there is none."""
    if re.fullmatch(r"[45]\d\d", name):
        return Fault(FaultKind.STATUS, status=int(name))
    kind = next((kind for kind in FAULTS if kind == name and kind is not FaultKind.STATUS), None)
    return None if kind is None else Fault(kind)


def has_options(kind: FaultKind, options: Mapping[str, str]) -> bool:
    """Whether a fault of this kind takes these options, with these values."""
    return all(name in FAULTS[kind].options and OPTIONS[name][0].fullmatch(value) for name, value in options.items())
