"""A TCP connection to a name: its addresses one after the other, each with a head start on the next (RFC 8305).

Only the socket is made here; nothing is sent over it.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections import deque
from itertools import chain, zip_longest
from typing import Any

HEAD_START = 0.25  # seconds; RFC 8305 recommends it

_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
_UNDER_WAY = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK})
_Address = tuple[int, Any]


async def open_socket(host: str, port: int) -> socket.socket:
    """A connected socket that never blocks.

    Raises:
        OSError: no address could be reached; it tells of each.
    """
    addresses = deque(await _addresses(host, port))
    race = _Race()
    errors: list[OSError] = []
    try:
        while addresses or race.is_on:
            if addresses:
                race.enter(addresses.popleft())
            ended = await race.next_end(HEAD_START if addresses else None)
            if isinstance(ended, socket.socket):
                return ended
            if ended is not None:
                errors.append(ended)
    finally:
        race.close()
    if len(errors) == 1:
        raise errors[0]
    raise OSError(errors[0].errno, "; ".join(error.strerror or str(error) for error in errors))


class _Race:
    """Connections that are being made; the first that comes about ends it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._running: set[socket.socket] = set()
        self._ended: deque[socket.socket | OSError] = deque()
        self._news = asyncio.Event()

    def __repr__(self) -> str:
        return f"<_Race of {len(self._running)}, {len(self._ended)} ended>"

    @property
    def is_on(self) -> bool:
        return bool(self._running or self._ended)

    def enter(self, address: _Address) -> None:
        family, where = address
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError as exc:  # too many open files
            self._end(exc)
            return
        sock.setblocking(False)
        code = sock.connect_ex(where)
        if code in _UNDER_WAY:
            self._running.add(sock)
            self._loop.add_writer(sock.fileno(), self._look, sock, where)
        else:
            self._end(_result(sock, code, where))

    async def next_end(self, seconds: float | None) -> socket.socket | OSError | None:
        """A connection, or why there is none; None when so much time has passed without either."""
        if not self._ended:
            self._news.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._news.wait()
            except TimeoutError:
                return None
        return self._ended.popleft()

    def close(self) -> None:
        """Give up those that are still being made."""
        for sock in self._running:
            self._loop.remove_writer(sock.fileno())
            sock.close()
        self._running.clear()
        for late in self._ended:
            if isinstance(late, socket.socket):
                late.close()

    def _look(self, sock: socket.socket, where: Any) -> None:
        self._loop.remove_writer(sock.fileno())
        self._running.discard(sock)
        self._end(_result(sock, sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), where))

    def _end(self, ended: socket.socket | OSError) -> None:
        self._ended.append(ended)
        self._news.set()


def _result(sock: socket.socket, code: int, where: Any) -> socket.socket | OSError:
    if code == 0:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    sock.close()
    return OSError(code, f"{os.strerror(code)}: {where[0]}")


async def _addresses(host: str, port: int) -> list[_Address]:
    """Where the name leads, the families by turns and the one that the resolver prefers first."""
    try:
        # An address in digits is no question for the resolver, and costs no thread.
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=_NUMERIC)
    except socket.gaierror:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    families: dict[int, list[_Address]] = {}
    for family, _, _, _, where in found:
        families.setdefault(family, []).append((family, where))
    return [address for address in chain.from_iterable(zip_longest(*families.values())) if address is not None]
