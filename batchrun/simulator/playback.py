"""One response on its way: plays a script's pieces as they are due.

What is sent is not decided here.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable

from batchrun.simulator.pacer import Pacer
from batchrun.simulator.script import Ending, Script

_LINGER_ZERO = struct.pack("ii", 1, 0)


class Playback:
    """Plays one script into one transport; `on_end` is called once, after the last piece, unless it is cancelled.

    A hanging script never ends by itself.
    """

    __slots__ = (
        "_next",
        "_on_end",
        "_pacer",
        "_paused",
        "_script",
        "_started",
        "_transport",
        "_wakes_at",
        "sent_events",
    )

    def __init__(self, script: Script, transport: asyncio.Transport, pacer: Pacer, on_end: Callable[[], None]) -> None:
        self._script = script
        self._transport = transport
        self._pacer = pacer
        self._on_end = on_end
        self._next = next(script.pieces, None)
        self._started = pacer.time()
        self._wakes_at: float | None = None
        self._paused = False
        self.sent_events = 0

    def __repr__(self) -> str:
        return f"<Playback {self._script.status} {self._script.ending.name} sent_events={self.sent_events}>"

    def play(self) -> None:
        """Send what is due now; the rest follows by itself."""
        self._play(self._pacer.time())

    def wake(self, when: float, now: float) -> None:
        """For the pacer: `when` was asked for, unless it was taken back since."""
        if when == self._wakes_at:
            self._play(now)

    def pause(self) -> None:
        """The client does not read: send nothing more, as a server would whose socket is full."""
        self._paused = True
        self.cancel()

    def resume(self) -> None:
        """The client reads again; what is overdue by now goes out at once."""
        self._paused = False
        if self._next is not None:
            self.play()

    def cancel(self) -> None:
        """Send nothing more."""
        self._wakes_at = None

    def _play(self, now: float) -> None:
        started = self._started
        write = self._transport.write
        piece = self._next
        # The very sum that the pacer is given: a difference may round the other way, and a due piece be never due.
        while piece is not None and started + piece[0] <= now and not self._paused:
            write(piece[1])
            self.sent_events += piece[2]
            piece = next(self._script.pieces, None)
        self._next = piece
        if piece is None:
            self._wakes_at = None
            self._end()
        elif not self._paused:
            self._wakes_at = when = started + piece[0]
            self._pacer.wake_at(when, self)

    def _end(self) -> None:
        match self._script.ending:
            case Ending.HANG:
                return
            case Ending.CLOSE:
                self._transport.close()
            case Ending.RESET:
                sock: socket.socket = self._transport.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
                self._transport.abort()
            case Ending.KEEP:
                pass
        self._on_end()
