"""The same events in other bytes: each way is right, and a client that gets it wrong loses the answer. Pure."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from dataclasses import replace

from batchrun.simulator.delivery import due_of_document, streamed
from batchrun.simulator.faults import FaultKind
from batchrun.simulator.framing import chunk, json_head
from batchrun.simulator.script import Part, Script

_SPACE = re.compile(rb"^(event|data): ", re.MULTILINE)
_BOM = b"\xef\xbb\xbf"

# What becomes of the bytes of each event.
_EACH: dict[FaultKind, Callable[[bytes], bytes]] = {
    FaultKind.CR: lambda event: event.replace(b"\n", b"\r"),
    FaultKind.CRLF: lambda event: event.replace(b"\n", b"\r\n"),
    FaultKind.NO_SPACE: lambda event: _SPACE.sub(rb"\1:", event),
    FaultKind.SPLIT_DATA: lambda event: event.replace(b"data: {", b"data: {\ndata: ", 1),
    FaultKind.COMMENTS: lambda event: b": a comment\n" + event,
}


def spelled(part: Part) -> Script:
    """Each event in another spelling."""
    spell = _EACH[part.fault.kind]
    return Script(200, streamed(part, encode=lambda event: chunk(spell(event))))


def marked(part: Part) -> Script:
    """A byte order mark before the first event."""
    (first, took_time), *others = part.wording.events(part.answer)
    return Script(200, streamed(part, [(_BOM + first, took_time), *others]))


def unfinished(part: Part) -> Script:
    """The last event without its line end and its blank line."""
    *others, (last, took_time) = part.wording.events(part.answer)
    return Script(200, streamed(part, [*others, (last.rstrip(b"\n"), took_time)]))


def bytewise(part: Part) -> Script:
    """Each byte a chunk of its own."""
    return Script(200, streamed(part, encode=lambda event: b"".join(chunk(bytes([byte])) for byte in event)))


def gzipped(part: Part) -> Script:
    """All of the body in one lump, whatever the client said that it takes."""
    headers = dict(part.headers) | {"content-encoding": "gzip"}
    if part.streamed:
        lump = gzip.compress(b"".join(data for data, _ in part.wording.events(part.answer)))
        return Script(200, streamed(replace(part, headers=headers), [(lump, True)]))
    body = gzip.compress(part.wording.document(part.answer))
    return Script(200, iter([(due_of_document(part), json_head(200, part.request_id, len(body), headers) + body, 0)]))
