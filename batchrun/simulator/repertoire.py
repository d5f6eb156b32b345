"""How each fault is played: a row a kind. Pure.

A new fault is a `FaultKind` and a row in `faults.py`, a function in the module of its noun, and a row here.
"""

from __future__ import annotations

from collections.abc import Callable

from batchrun.simulator import breakages, oddities, spellings, stand_ins
from batchrun.simulator.delivery import whole
from batchrun.simulator.faults import FAULTS, FaultKind
from batchrun.simulator.script import Part, Script

PLAYS: dict[FaultKind, Callable[[Part], Script]] = {
    FaultKind.NONE: whole,
    FaultKind.RESET: breakages.reset,
    FaultKind.CUT: breakages.cut,
    FaultKind.TRUNCATED: breakages.truncated,
    FaultKind.SILENCE: breakages.silence,
    FaultKind.STALE: breakages.stale,
    FaultKind.NO_HTTP: breakages.no_http,
    FaultKind.SLOW: breakages.slow,
    FaultKind.SLOW_HEAD: breakages.slow_head,
    FaultKind.PINGS: breakages.pings,
    FaultKind.DRIP: breakages.drip,
    FaultKind.PORTAL: stand_ins.portal,
    FaultKind.REDIRECT: stand_ins.redirect,
    FaultKind.EMPTY: stand_ins.empty,
    FaultKind.SWAPPED: stand_ins.swapped,
    FaultKind.ERROR_EVENT: oddities.error_event,
    FaultKind.MALFORMED: oddities.malformed,
    FaultKind.DUPLICATE_START: oddities.repeated_start,
    FaultKind.OTHER_START: oddities.repeated_start,
    FaultKind.UNKNOWN_EVENT: oddities.stray,
    FaultKind.UNKNOWN_DELTA: oddities.inside_a_block,
    FaultKind.CLOSED_INDEX: oddities.stray,
    FaultKind.AFTER_END: oddities.after_the_end,
    FaultKind.NO_REASON: oddities.no_reason,
    FaultKind.BREAKS: oddities.stray,
    FaultKind.MEGABYTE: oddities.stray,
    FaultKind.CR: spellings.spelled,
    FaultKind.CRLF: spellings.spelled,
    FaultKind.NO_SPACE: spellings.spelled,
    FaultKind.SPLIT_DATA: spellings.spelled,
    FaultKind.COMMENTS: spellings.spelled,
    FaultKind.BOM: spellings.marked,
    FaultKind.NO_BLANK: spellings.unfinished,
    FaultKind.BYTEWISE: spellings.bytewise,
    FaultKind.GZIP: spellings.gzipped,
}


def answer_script(part: Part) -> Script:
    """An answer as its fault lets it through; the fault is any but STATUS."""
    kind = part.fault.kind
    row = FAULTS.get(kind)
    if row is not None and row.streams_only and not part.streamed:
        return whole(part)
    return PLAYS[kind](part)
