"""Server-sent events out of bytes. Pure: no reading, no clock; the same bytes give the same events however they are
cut.

Follows the WHATWG rules for event streams, on bytes: lines end in LF, CR or CRLF and in nothing else (U+2028 and U+0085
are ordinary text, where text line splitters break). Two deliberate departures: an event that the end of the body leaves
without its blank line is given out by `close()`, for some proxies cut it off; and an event that is named `ping` comes
without its data unless that is an object, for gateways that keep a connection alive write there what they like.
"""

from __future__ import annotations

import re
from functools import partial
from typing import NamedTuple

# An event is held until its blank line. Far above any real one; a peer that never ends a line must not fill the memory.
MAX_EVENT_BYTES = 64 * 1024 * 1024
BOM = b"\xef\xbb\xbf"
PING = b"ping"


class ProtocolError(Exception):
    """The peer's bytes are no stream of the kind that was asked for."""


class ServerSentEvent(NamedTuple):
    """`name` is empty where the stream gave none; `data` holds several data lines joined by newlines."""

    name: bytes
    data: bytes


# Nearly every event on either wire is one of these, to the byte; a run of them is cut up by one call.
_NAMED = re.compile(rb"^event: ([^\r\n]*)\ndata: ([^\r\n]*)\n\n", re.MULTILINE)
_NAMELESS = re.compile(rb"^()data: ([^\r\n]*)\n\n", re.MULTILINE)
_event = partial(tuple.__new__, ServerSentEvent)


class SSEDecoder:
    """Feed it the body as it comes; it gives back the events that are complete.

    Comments are counted in `comments` and dropped: they prove that the peer lives and say nothing else.
    """

    __slots__ = ("_data", "_data_bytes", "_name", "_partial", "_partial_bytes", "_started", "comments")

    def __init__(self) -> None:
        self._partial: list[bytes] = []  # pieces of a line that has not ended; joined once, so that this stays linear
        self._partial_bytes = 0
        self._name = b""
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._started = False
        self.comments = 0

    def __repr__(self) -> str:
        return f"<SSEDecoder holding {self._partial_bytes + self._data_bytes} bytes>"

    @property
    def is_between_events(self) -> bool:
        """Whether nothing is held: the next byte begins an event."""
        return self._started and not (self._partial or self._name or self._data)

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Take the next bytes of the body.

        Raises:
            ProtocolError: an event above `MAX_EVENT_BYTES`.
        """
        if not data:
            return []
        if b"\n" not in data and b"\r" not in data:
            self._hold(data)
            return []
        data = self._take_partial(data)
        end = data.rfind(b"\n\n") + 2
        if end > 1 and not self._name and not self._data:
            run = _run_of_events(data[:end])
            if run is not None:
                if end < len(data):
                    self._hold(data[end:])
                return run
        # bytes.splitlines knows LF, CR and CRLF only, which is just what the rules ask for.
        lines = data.splitlines(keepends=True)
        last = lines[-1]
        if not last.endswith(b"\n"):
            # No end yet; or a CR that may be the first half of a CRLF.
            self._hold(lines.pop())
        events: list[ServerSentEvent] = []
        for line in lines:
            self._take_line(line.rstrip(b"\r\n"), events)
        return events

    def close(self) -> list[ServerSentEvent]:
        """The body has ended: give out what was complete but for its last line end or blank line."""
        events: list[ServerSentEvent] = []
        if self._partial:
            for line in self._take_partial(b"").splitlines():
                self._take_line(line, events)
        self._dispatch(events)
        return events

    def _hold(self, piece: bytes) -> None:
        self._partial.append(piece)
        self._partial_bytes += len(piece)
        self._check_size()

    def _take_partial(self, data: bytes) -> bytes:
        if self._partial:
            data = b"".join((*self._partial, data))
            self._partial.clear()
            self._partial_bytes = 0
        if not self._started:
            # Nothing was given out before, so this is the head of the body, whole up to its first line end at least.
            self._started = True
            data = data.removeprefix(BOM)
        return data

    def _take_line(self, line: bytes, events: list[ServerSentEvent]) -> None:
        if not line:
            self._dispatch(events)
        elif line.startswith(b":"):
            self.comments += 1
        else:
            field, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if field == b"data":
                self._data.append(value)
                self._data_bytes += len(value) + 1  # its line end; else a peer could send empty lines for ever
                self._check_size()
            elif field == b"event":
                self._name = value
            # `id` and `retry` serve reconnecting clients; anything else is to be ignored.

    def _dispatch(self, events: list[ServerSentEvent]) -> None:
        if self._data:
            data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
            if self._name == PING and not data.startswith(b"{"):
                data = b""
            events.append(ServerSentEvent(self._name, data))
            self._data.clear()
            self._data_bytes = 0
        self._name = b""

    def _check_size(self) -> None:
        if self._partial_bytes + self._data_bytes > MAX_EVENT_BYTES:
            raise ProtocolError(f"an event of more than {MAX_EVENT_BYTES >> 20} MB")


def _run_of_events(data: bytes) -> list[ServerSentEvent] | None:
    """The events, where there is nothing but plain ones to the last byte; None where a closer look is needed."""
    if len(data) > MAX_EVENT_BYTES:
        return None
    form, lines = (_NAMED, 3) if data.startswith(b"event: ") else (_NAMELESS, 2)
    found = form.findall(data)
    # Each begins a line and ends with one: if all line ends are theirs, so is every byte.
    if data.count(b"\n") != lines * len(found):
        return None
    if b"event: ping" in data:
        found = [(name, b"" if name == PING and not said.startswith(b"{") else said) for name, said in found]
    return list(map(_event, found))
