"""One client connection: bytes to requests (h11) and scripts to playbacks, one after the other. Answers come from the
service.

h11 only parses. It is given up after each request, because its half of the response would check, event by event, what
`framing.py` writes correctly and what the faults get wrong on purpose.
"""

from __future__ import annotations

import asyncio
from typing import cast

import h11

from batchrun.simulator.framing import CONTINUE
from batchrun.simulator.pacer import Pacer
from batchrun.simulator.playback import Playback
from batchrun.simulator.service import MAX_BODY_BYTES, Exchange, HttpRequest, Service


class Connection(asyncio.Protocol):
    """Keep-alive HTTP/1.1; a request that comes while another is answered waits its turn."""

    def __init__(self, service: Service, pacer: Pacer, open_connections: set[Connection]) -> None:
        self._service = service
        self._pacer = pacer
        self._open_connections = open_connections
        self._transport: asyncio.Transport | None = None
        self._is_stopping = False
        self._is_full = False
        self._exchange: Exchange | None = None
        self._playback: Playback | None = None
        self._answered = 0
        self._begin(b"")

    def __repr__(self) -> str:
        return f"<Connection {self._playback or 'idle'}>"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio sets TCP_NODELAY itself: each write is a segment of its own.
        self._transport = cast(asyncio.Transport, transport)
        self._open_connections.add(self)
        self._service.stats.connections_open += 1
        self._service.stats.connections_total += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._open_connections.discard(self)
        self._service.stats.connections_open -= 1
        if self._playback is not None:
            self._playback.cancel()
            self._close_exchange("stopped" if self._is_stopping else "client_gone")

    def stop(self) -> None:
        """The server ends: so does this connection, in the middle of whatever it does."""
        self._is_stopping = True
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._parser.receive_data(data)
        if self._playback is None:
            self._parse()

    def pause_writing(self) -> None:
        self._is_full = True
        if self._playback is not None:
            self._playback.pause()

    def resume_writing(self) -> None:
        self._is_full = False
        if self._playback is not None:
            self._playback.resume()

    def _begin(self, data: bytes) -> None:
        """Be ready for the next request; `data` is what came of it already."""
        self._parser = h11.Connection(h11.SERVER)
        if data:
            self._parser.receive_data(data)
        self._head: h11.Request | None = None
        self._body: list[bytes] = []
        self._body_bytes = 0

    def _parse(self) -> None:
        assert self._transport is not None
        try:
            while True:
                event = self._parser.next_event()
                if isinstance(event, h11.Request):
                    self._head = event
                elif isinstance(event, h11.Data):
                    self._keep(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    self._answer()
                    break
                elif event is h11.NEED_DATA:
                    if self._parser.they_are_waiting_for_100_continue:
                        self._transport.write(CONTINUE)
                    break
                else:  # the client closed, or half closed
                    break
        except h11.RemoteProtocolError as exc:
            self._play(self._service.open_malformed(str(exc)))

    def _keep(self, data: bytes) -> None:
        # A body that is too large is read to its end and thrown away: a client that is still writing sees no answer.
        self._body_bytes += len(data)
        if self._body_bytes > MAX_BODY_BYTES:
            self._body.clear()
        else:
            self._body.append(bytes(data))

    def _answer(self) -> None:
        """The request is whole: have it answered."""
        assert self._head is not None
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self._head.headers}
        path, _, _ = self._head.target.decode("latin-1").partition("?")
        too_large = self._body_bytes > MAX_BODY_BYTES
        method, body = self._head.method.decode(), b"".join(self._body)
        request = HttpRequest(method, path, headers, body, too_large, is_first=not self._answered)
        # Held no longer: a thousand streams in flight would hold a thousand prompts.
        self._body.clear()
        self._play(self._service.open(request))

    def _play(self, exchange: Exchange) -> None:
        assert self._transport is not None
        self._exchange = exchange
        self._playback = Playback(exchange.script, self._transport, self._pacer, self._played)
        if self._is_full:
            self._playback.pause()
        else:
            self._playback.play()

    def _played(self) -> None:
        """The script is at its end: on to the next request, unless either side is done with the connection."""
        self._answered += 1
        self._close_exchange("sent")
        if self._transport is None or self._transport.is_closing():
            return
        if self._is_last():
            self._transport.close()
            return
        data, _ = self._parser.trailing_data
        self._begin(data)
        if data:
            # Not at once: a long row of pipelined requests would be as deep a recursion.
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        if self._transport is not None and self._playback is None:
            self._parse()

    def _is_last(self) -> bool:
        assert self._head is not None
        wishes = [value.lower() for name, value in self._head.headers if name == b"connection"]
        return self._head.http_version < b"1.1" or any(b"close" in wish for wish in wishes)

    def _close_exchange(self, ended: str) -> None:
        assert self._exchange is not None
        assert self._playback is not None
        exchange, playback = self._exchange, self._playback
        self._exchange = self._playback = None
        self._service.close(exchange, sent_events=playback.sent_events, ended=ended)
