"""How a response goes over the wire: its pieces, when each is due, and what happens to the socket after the last one.

Pure, and values only: who plays a script stands in `playback.py`, how the script of an answer is written in
`delivery.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from batchrun.simulator.answers import SimulatedAnswer
from batchrun.simulator.events import Event
from batchrun.simulator.faults import Fault, FaultKind
from batchrun.simulator.framing import json_head
from batchrun.simulator.scenario import Scenario

# When it is due (seconds after the request), the bytes of one segment, and how many events are in it.
Piece = tuple[float, bytes, int]

NO_STATUS = 0  # of a response that never got as far as its head


class Ending(Enum):
    """What happens to the socket after the last piece."""

    KEEP = auto()  # kept alive for the next request
    CLOSE = auto()
    RESET = auto()
    HANG = auto()  # nothing, until the client goes


@dataclass(frozen=True, slots=True)
class Script:
    """One response. `pieces` is made as it is played, so that a thousand streams in flight hold no thousand bodies."""

    status: int
    pieces: Iterator[Piece]
    ending: Ending = Ending.KEEP


@dataclass(frozen=True, slots=True)
class Wording:
    """How an answer is said on one wire: as the events of a stream, and as one document; and what is said when
    something goes wrong.

    An answer is whole before its `closing_events`; the first of them has the stop reason. `error` and `error_document`
    take a type and a code, `drop` a text. `strays` are the events that a fault slips in, by its kind.
    """

    events: Callable[[SimulatedAnswer], Iterator[Event]]
    document: Callable[[SimulatedAnswer], bytes]
    closing_events: int
    ping: bytes
    drop: Callable[[str], bytes]
    error: Callable[[str, str | None], bytes]
    error_document: Callable[[str, str | None], bytes]
    strays: Mapping[FaultKind, Callable[[SimulatedAnswer], bytes]]


@dataclass(frozen=True, slots=True)
class Part:
    """All that the script of an answer is written from. `headers` go into the head of whatever is answered with 200."""

    answer: SimulatedAnswer
    streamed: bool
    fault: Fault
    scenario: Scenario
    request_id: str
    wording: Wording
    headers: Mapping[str, str] = field(default_factory=dict)


def json_script(status: int, body: bytes, request_id: str, headers: Mapping[str, str] | None = None) -> Script:
    """A response with a body at once, in JSON unless a header says otherwise."""
    return Script(status, iter([(0.0, json_head(status, request_id, len(body), headers) + body, 0)]))
