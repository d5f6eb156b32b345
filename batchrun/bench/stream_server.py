"""A provider that costs next to nothing: thousands of streams at a steady rate, each event a segment of its own.

The embedded provider plays faults and reads what it is asked, at 30 us an event; a server that has to fill a whole core
of a client cannot. What it sends of every answer stands ready; only its moments differ. The first and the last piece of
each text say when they were sent, by the clock that all processes of a machine share.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import resource
import socket
import ssl
import sys
import time
from collections import deque
from contextlib import suppress

import orjson

from batchrun import loop
from batchrun.providers.tls import TlsLayer
from batchrun.report.spread import percentile

HOST = "127.0.0.1"
_SLOT = 0.002  # seconds between two looks at who is due; a fraction of the gaps that are measured
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_MAX_TOKENS = re.compile(rb'"max_tokens": *(\d+)')
_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nrequest-id: req_bench\r\n"
    b"anthropic-ratelimit-requests-limit: 4000\r\ntransfer-encoding: chunked\r\n\r\n"
)
_WORDS = tuple(f" {word}" for word in ("the", "of", "kernel", "a", "gathers", "token", "by", "night", "and", "is"))


def _chunk(name: str, **fields: object) -> bytes:
    data = b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps({"type": name} | fields))
    return b"%x\r\n%b\r\n" % (len(data), data)


def _text(text: str) -> bytes:
    return _chunk("content_block_delta", index=0, delta={"type": "text_delta", "text": text})


def _stamp() -> bytes:
    return _text(f" {time.monotonic():.6f}")


def _opening() -> bytes:
    usage = {"input_tokens": 12, "output_tokens": 1}
    fields = {"id": "msg_bench", "type": "message", "role": "assistant", "model": "claude-haiku-5-5", "content": []}
    start = _chunk("message_start", message=fields | {"stop_reason": None, "stop_sequence": None, "usage": usage})
    return start + _chunk("content_block_start", index=0, content_block={"type": "text", "text": ""}) + _chunk("ping")


def _closing(tokens: int) -> bytes:
    delta = {"stop_reason": "end_turn", "stop_sequence": None}
    stop = _chunk("message_delta", delta=delta, usage={"output_tokens": tokens})
    return _chunk("content_block_stop", index=0) + stop + _chunk("message_stop") + b"0\r\n\r\n"


class Schedule:
    """Who is due when: a ring of moments one gap long, in each of which a stream has one event."""

    def __init__(self, order: argparse.Namespace, context: ssl.SSLContext | None) -> None:
        self.loop = asyncio.get_running_loop()
        self.context = context
        self.ttft: float = order.ttft
        self.tokens: int = order.tokens
        self.is_instant = order.rate == 0
        gap = 1.0 if self.is_instant else 1 / order.rate
        count = max(1, round(gap / _SLOT))
        self._slot = gap / count
        self._ring: list[deque[Serving]] = [deque() for _ in range(count)]
        self._turn = 0
        self._began = self.loop.time()
        self._is_running = False
        # By how much the last event of each look came too late, in seconds: a client cannot be earlier than its server.
        # An hour's worth.
        self.late: deque[float] = deque(maxlen=round(3600 / _SLOT))
        self.texts = [_text(word) for word in _WORDS]
        self.opening, self.closing = _opening(), _closing(self.tokens)

    def enter(self, stream: Serving) -> None:
        """From now on the stream sends an event a gap."""
        # The place that was looked at last comes round again after a whole gap.
        self._ring[(self._turn - 1) % len(self._ring)].append(stream)
        if not self._is_running:
            self._is_running = True
            self._began, self._turn = self.loop.time(), self._turn % len(self._ring)
            self._began -= self._turn * self._slot
            self._look()

    def _look(self) -> None:
        now = self.loop.time()
        while self._began + self._turn * self._slot <= now:
            due = self._ring[self._turn % len(self._ring)]
            sent = len(due)
            for _ in range(sent):
                stream = due.popleft()
                if stream.advance():
                    due.append(stream)
            if sent:
                # By the clock itself: the loop's stands still for as long as this takes.
                self.late.append(time.monotonic() - self._began - self._turn * self._slot)
            self._turn += 1
        if any(self._ring):
            self.loop.call_at(self._began + self._turn * self._slot, self._look)
        else:
            self._is_running = False


class Serving:
    """One connection, and the answer that it is sending."""

    def __init__(self, sock: socket.socket, schedule: Schedule) -> None:
        self._sock = sock
        self._schedule = schedule
        self._tls = None if schedule.context is None else TlsLayer(schedule.context, None, server_side=True)
        self._is_shaken = self._tls is None
        self._received = b""
        self._unsent = b""
        self._sent = 0
        self._tokens = schedule.tokens
        self._is_closed = False
        schedule.loop.add_reader(sock.fileno(), self._read)

    def __repr__(self) -> str:
        return f"<Serving {self._sent}/{self._tokens}>"

    def advance(self) -> bool:
        """Send the next event; False after the last one."""
        schedule, place = self._schedule, self._sent
        self._sent += 1
        if place == 0:
            self._send(_stamp())
        elif place < self._tokens - 1:
            self._send(schedule.texts[place % len(schedule.texts)])
        else:
            self._send(_stamp())
            self._send(schedule.closing)
        return self._sent < self._tokens and not self._is_closed

    def _read(self) -> None:
        try:
            data = self._sock.recv(65536)
            if not data:
                raise ConnectionResetError
            self._take(data)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._close()

    def _take(self, data: bytes) -> None:
        tls = self._tls
        if tls is None:
            self._received += data
        elif self._is_shaken:
            self._received += tls.decrypt(data)
        else:
            tls.take(data)
            self._is_shaken = tls.handshake()
            self._push(tls.outgoing())
            if not self._is_shaken:
                return
            self._received += tls.decrypt(b"")  # what came right behind the handshake
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head + b"\r\n")
        if end and len(body) >= int(length[1] if length else 0):
            self._received = b""
            asked = _MAX_TOKENS.search(body)
            self._tokens = min(self._schedule.tokens, max(2, int(asked[1]))) if asked else self._schedule.tokens
            self._answer()

    def _answer(self) -> None:
        schedule = self._schedule
        self._sent = 0
        if schedule.is_instant:
            texts = b"".join(schedule.texts[nth % len(schedule.texts)] for nth in range(self._tokens - 2))
            self._send(b"".join((_HEAD, schedule.opening, _stamp(), texts, _stamp(), schedule.closing)))
            return
        self._send(_HEAD)
        self._send(schedule.opening)
        schedule.loop.call_later(schedule.ttft, schedule.enter, self)

    def _send(self, data: bytes) -> None:
        self._push(data if self._tls is None else self._tls.encrypt(data))

    def _push(self, data: bytes) -> None:
        if self._unsent or self._is_closed:
            self._unsent += data
            return
        try:
            sent = self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self._close()
            return
        if sent < len(data):
            self._unsent = data[sent:]
            self._schedule.loop.add_writer(self._sock.fileno(), self._flush)

    def _flush(self) -> None:
        self._schedule.loop.remove_writer(self._sock.fileno())
        data, self._unsent = self._unsent, b""
        self._push(data)

    def _close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._schedule.loop.remove_reader(self._sock.fileno())
            self._schedule.loop.remove_writer(self._sock.fileno())
            self._sock.close()


async def serve(order: argparse.Namespace) -> None:
    """Serve until stdin ends, which it does when the parent dies, however it dies; then tell what it was like."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    context = None
    if order.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(order.certificate, order.key)
    schedule = Schedule(order, context)
    ended = asyncio.Event()
    schedule.loop.add_reader(sys.stdin.fileno(), ended.set)
    with socket.create_server((HOST, 0), backlog=4096) as listener:
        listener.setblocking(False)
        schedule.loop.add_reader(listener.fileno(), _accept, listener, schedule)
        sys.stdout.write(json.dumps({"port": listener.getsockname()[1]}) + "\n")
        sys.stdout.flush()
        await ended.wait()
        schedule.loop.remove_reader(listener.fileno())
    late = percentile(sorted(schedule.late), 0.95) if schedule.late else 0.0
    sys.stdout.write(json.dumps({"late_p95": late, "cpu_seconds": time.process_time()}) + "\n")


def _accept(listener: socket.socket, schedule: Schedule) -> None:
    with suppress(OSError):
        while True:
            sock, _ = listener.accept()
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Serving(sock, schedule)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, required=True, help="events a second and stream; 0: all at once")
    parser.add_argument("--tokens", type=int, required=True)
    parser.add_argument("--ttft", type=float, default=0.3)
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    loop.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
