"""A request on its way to the head of its answer, and whether it met the end of a kept connection (F28).

The transport tells what happens to it; nothing is sent or closed here.
"""

from __future__ import annotations

import asyncio

# A connection that was closed while we wrote says so within a round trip. One that dies later had taken the request,
# and may have it answered and paid: that is an attempt like any other.
STALE_SECONDS = 2.0


class Errand:
    """`has_connected`: a connection was made for it; `has_heard`: a byte came back."""

    __slots__ = ("_began", "has_connected", "has_heard")

    def __init__(self) -> None:
        self._began = asyncio.get_running_loop().time()
        self.has_connected = False
        self.has_heard = False

    def __repr__(self) -> str:
        return f"<Errand connected={self.has_connected} heard={self.has_heard}>"

    @property
    def met_an_end(self) -> bool:
        """Whether the connection, a kept one, had ended by then: as far as can be known, nobody has heard of it."""
        is_soon = asyncio.get_running_loop().time() - self._began < STALE_SECONDS
        return is_soon and not self.has_connected and not self.has_heard
