"""Cases in which the answer is broken off, or never comes to an end, at each place where that makes a difference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from batchrun.failure import Cause
from batchrun.providers.provider import Wire
from batchrun.stream.clocks import ClockLimits
from tests.faults.case import DROPPING, HASTY, PATIENT, WIRES, Case, Connection, End, again, answered, failed

_BEFORE_THE_END = ("first", "middle", "last")
# With its stop reason the answer is whole: it is not asked for again, only flagged.
# On the chat wire the usage comes after it.
_WHOLE = {Wire.MESSAGES: answered("no_message_stop"), Wire.CHAT: answered("no_done", "usage_estimated")}


def cases() -> Iterator[Case]:
    for wire in WIRES:
        yield from _broken_streams(wire)
        yield from _broken_documents(wire)
        yield from _without_a_head(wire)
        yield from _endless(wire)
        yield from _in_the_place_of_an_answer(wire)


def _broken_streams(wire: Wire) -> Iterator[Case]:
    def case(fault: str, at: str, rule: str, end: End, clocks: ClockLimits = PATIENT) -> Case:
        return Case(f"{fault}-{at}", (rule,), wire, True, f"[[fault={fault} at={at}*1]]", end, clocks)

    for fault, rule, cause in (
        ("reset", "F6", Cause.BROKEN),
        ("cut", "F6", Cause.BROKEN),
        ("truncated", "F7", Cause.TRUNCATED),
    ):
        for at in _BEFORE_THE_END:
            yield case(fault, at, rule, again(cause))
        yield case(fault, "stop", "F8" if wire is Wire.MESSAGES else "F9", _WHOLE[wire])
    yield case("silence", "head", "F1", again(Cause.FIRST_BYTE), HASTY)
    yield case("silence", "first", "F1", again(Cause.FIRST_BYTE), HASTY)
    yield case("silence", "middle", "F2", again(Cause.SILENT), HASTY)
    yield case("silence", "last", "F2", again(Cause.SILENT), HASTY)
    script = "[[fault=silence at=middle*2]]"
    yield Case("silence-twice", ("F2",), wire, True, script, again(Cause.SILENT, 2), HASTY)
    yield case("silence", "stop", "F8" if wire is Wire.MESSAGES else "F9", _WHOLE[wire], HASTY)
    yield Case("reset-for-ever", ("F6",), wire, True, "[[fault=reset]]", failed(Cause.BROKEN, 3, final=False))
    yield Case("cut-for-ever", ("F7",), wire, True, "[[fault=truncated]]", failed(Cause.TRUNCATED, 3, final=False))


def _broken_documents(wire: Wire) -> Iterator[Case]:
    for fault in ("reset", "cut", "truncated"):
        for at in _BEFORE_THE_END:
            script = f"[[fault={fault} at={at}*1]]"
            yield Case(f"{fault}-{at}", ("F6",), wire, False, script, again(Cause.BROKEN))
    for at in ("head", *_BEFORE_THE_END):
        script = f"[[fault=silence at={at}*1]]"
        yield Case(f"silence-{at}", ("F1", "F2"), wire, False, script, again(Cause.TOO_LONG), DROPPING)


def _without_a_head(wire: Wire) -> Iterator[Case]:
    """Before the head nobody can tell a clean end from a broken one. On a kept connection it is F28's: the connection
    may have ended before the request came, and a new one is tried at once."""
    for streamed in (True, False):
        for fault in ("reset", "cut", "truncated"):
            script, is_heard = f"[[fault={fault} at=head*1]]", fault == "cut"
            end = again(Cause.BROKEN)
            yield Case(f"{fault}-head-new", ("F6",), wire, streamed, script, end, connection=Connection.NEW)
            end = end if is_heard else replace(answered(), requests=2)
            yield Case(f"{fault}-head-kept", ("F28",), wire, streamed, script, end, connection=Connection.KEPT)
        for how in ("close", "reset"):
            script, end = f"[[fault=stale how={how}]]", replace(answered(), requests=2)
            yield Case(f"stale-{how}", ("F28",), wire, streamed, script, end, connection=Connection.KEPT)
            yield Case(f"stale-{how}-new", ("F28",), wire, streamed, script, answered(), connection=Connection.NEW)


def _endless(wire: Wire) -> Iterator[Case]:
    for at in _BEFORE_THE_END:
        script = f"[[fault=pings at={at} every=0.02*1]]"
        yield Case(f"pings-{at}", ("F3",), wire, True, script, again(Cause.STALLED), HASTY)
    script = "[[fault=pings at=stop every=0.02*1]]"
    yield Case("pings-stop", ("F3", "F8"), wire, True, script, _WHOLE[wire], HASTY)
    for streamed in (True, False):
        clocks = HASTY if streamed else DROPPING
        script = "[[fault=drip every=0.02*1]]"
        yield Case("drip", ("F4",), wire, streamed, script, again(Cause.TOO_LONG), DROPPING)
        late = again(Cause.FIRST_BYTE if streamed else Cause.TOO_LONG)
        yield Case("slow_head", ("F1",), wire, streamed, "[[fault=slow_head every=0.05*1]]", late, clocks)
        script = "[[fault=slow_head every=0.001]]"
        yield Case("slow_head-that-comes", ("F1",), wire, streamed, script, answered())
        yield Case("slow", ("F4",), wire, streamed, "[[fault=slow]]", answered())


def _in_the_place_of_an_answer(wire: Wire) -> Iterator[Case]:
    for streamed in (True, False):
        nothing = Cause.TRUNCATED if streamed else Cause.PROTOCOL
        for fault, rules, end in (
            ("portal", ("F14",), again(Cause.SERVER_ERROR)),
            ("redirect", ("F33",), again(Cause.SERVER_ERROR)),
            ("no_http", ("F6",), again(Cause.BROKEN)),
            ("empty", ("F7",), again(nothing)),
        ):
            yield Case(fault, rules, wire, streamed, f"[[fault={fault}*1]]", end)
        # Who asks for no stream cannot ask for its usage.
        flags = ("usage_estimated",) if wire is Wire.CHAT and not streamed else ()
        yield Case("swapped", ("F13",), wire, streamed, "[[fault=swapped]]", answered(*flags))
        yield Case("gzip", ("F27",), wire, streamed, "[[fault=gzip]]", answered())
