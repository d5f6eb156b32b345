"""TLS between bytes and bytes, without a socket: who reads the socket decides when, however many records that brings.

One record an event is the real case. A wait above TLS would sleep once per record, and event loops that speak TLS
themselves read the socket below it as they like.
"""

from __future__ import annotations

import ssl
from typing import cast

MOST = 256 * 1024  # bytes that may be taken at once
_RECORD = 16 * 1024  # the most that one record holds (RFC 8446)
# One for all, and for what was begun before. A buffer of its own for each record would be cut down to what it holds,
# which costs as much as to decrypt it, and leaves holes in the memory.
_PLAIN = memoryview(bytearray(MOST + 2 * _RECORD))


class TlsLayer:
    """One end of an encrypted connection. What is to go out gathers, and is taken with `outgoing`."""

    __slots__ = ("_inbound", "_outbound", "_tls", "is_at_end")

    def __init__(self, context: ssl.SSLContext, hostname: str | None, *, server_side: bool = False) -> None:
        self._inbound = ssl.MemoryBIO()
        self._outbound = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._inbound, self._outbound, server_side, hostname)
        self.is_at_end = False  # whether the peer has said that it sends no more

    def __repr__(self) -> str:
        return f"<TlsLayer {self._tls.version()}>"

    @property
    def ssl_object(self) -> ssl.SSLObject:
        return self._tls

    def take(self, received: bytes | memoryview) -> None:
        """The next bytes from the wire, for the handshake."""
        self._inbound.write(received)

    def handshake(self) -> bool:
        """Go on with it; True when it is done.

        Raises:
            ssl.SSLError: it has failed, or the peer is not who it should be.
        """
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def outgoing(self) -> bytes:
        """What the wire is to take now."""
        return self._outbound.read()

    def encrypt(self, data: bytes) -> bytes:
        self._tls.write(data)
        return self._outbound.read()

    @property
    def has_outgoing(self) -> bool:
        return self._outbound.pending > 0

    def decrypt(self, received: bytes | memoryview) -> memoryview:
        """What is in the records that are complete by now; valid until somebody else decrypts.

        Raises:
            ssl.SSLError: no TLS, or not the peer's.
        """
        if received:
            self._inbound.write(received)
        inbound, read, count = self._inbound, self._tls.read, 0
        try:
            # Asked for more than there is it would raise, which costs as much as a record.
            while inbound.pending:
                # It is said to give bytes; given a buffer it gives how many it has put there.
                taken = cast(int, read(_RECORD, _PLAIN[count:]))
                if not taken:
                    self.is_at_end = True
                    break
                count += taken
        except ssl.SSLWantReadError:
            pass
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            self.is_at_end = True
        return _PLAIN[:count]
